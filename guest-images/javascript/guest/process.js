// process: arguments, environment, exit; the workspace is the working directory.
import native from 'glovebox:native';
import { write } from 'glovebox:console';
import path from 'glovebox:path';
import { bytesOf, performance } from 'glovebox:web';

const { queueMicrotask } = globalThis;

let directory = '/mnt/data';

function stream(descriptor) {
  return {
    fd: descriptor,
    isTTY: false,
    columns: 80,
    writable: true,
    write(data, ...rest) {
      if (typeof data === 'string') write(descriptor, data);
      else native.write(descriptor, bytesOf(data));
      const done = rest.at(-1);
      if (typeof done === 'function') queueMicrotask(() => done());
      return true;
    },
    end(data) {
      if (data !== undefined) this.write(data);
      return this;
    },
    on() {
      return this;
    },
    once() {
      return this;
    },
  };
}

const process = {
  argv: ['node'],
  env: {},
  exitCode: undefined,
  stdout: stream(1),
  stderr: stream(2),
  platform: 'wasi',
  arch: 'wasm32',
  pid: 1,
  title: 'glovebox',
  version: 'v22.0.0',
  versions: { node: '22.0.0', quickjs: '0.16.2' },
  release: { name: 'glovebox' },
  execPath: '/usr/bin/node',
  execArgv: [],
  exit(code = process.exitCode ?? 0) {
    native.exit(Number(code) | 0);
  },
  cwd() {
    return directory;
  },
  chdir(to) {
    directory = path.resolve(directory, String(to));
  },
  uptime() {
    return performance.now() / 1000;
  },
  nextTick(callback, ...args) {
    queueMicrotask(() => callback(...args));
  },
  hrtime: Object.assign((since) => {
    const now = native.now();
    let seconds = Math.floor(now / 1000), nanoseconds = Math.floor((now % 1000) * 1e6);
    if (since) {
      seconds -= since[0];
      nanoseconds -= since[1];
      if (nanoseconds < 0) [seconds, nanoseconds] = [seconds - 1, nanoseconds + 1e9];
    }
    return [seconds, nanoseconds];
  }, { bigint: () => BigInt(Math.floor(native.now() * 1e6)) }),
  memoryUsage() {
    return { rss: 0, heapTotal: 0, heapUsed: 0, external: 0, arrayBuffers: 0 };
  },
  emitWarning(warning) {
    write(2, `${warning}\n`);
  },
  on() {
    return process;
  },
  once() {
    return process;
  },
  off() {
    return process;
  },
};
Object.defineProperty(process, Symbol.toStringTag, { value: 'process' });

// What the request and the host say of this run.
export function settle(request, first) {
  if (first) {
    for (const name of Object.keys(process.env)) delete process.env[name];
    const pairs = native.environ();
    for (let i = 0; i < pairs.length; i += 2) process.env[pairs[i]] = pairs[i + 1];
    directory = '/mnt/data';
  }
  process.exitCode = undefined;
  for (const name in request.env) process.env[name] = String(request.env[name]);
  if (request.argv) process.argv = ['node', ...request.argv.map(String)];
  if (request.cwd) directory = request.cwd;
}

globalThis.process = process;
globalThis.global = globalThis;
export const { argv, env, exit, cwd, chdir, stdout, stderr, platform, nextTick, hrtime } = process;
export default process;
