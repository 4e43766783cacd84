// fs: the synchronous half of Node's module, over the files that the run was given.
import native from 'glovebox:native';
import path from 'glovebox:path';
import process from 'glovebox:process';
import { setTimeout } from 'glovebox:timers';
import { URL } from 'glovebox:url';
import { Buffer, decoded } from 'glovebox:buffer';
import { bytesOf } from 'glovebox:web';

// WASI's numbers, with Node's names and texts.
const ERRORS = {
  2: ['EACCES', 'permission denied'], 8: ['EBADF', 'bad file descriptor'], 10: ['EBUSY', 'resource busy or locked'],
  20: ['EEXIST', 'file already exists'], 22: ['EFBIG', 'file too large'], 28: ['EINVAL', 'invalid argument'],
  29: ['EIO', 'i/o error'], 31: ['EISDIR', 'illegal operation on a directory'], 32: ['ELOOP', 'too many symbolic links encountered'],
  33: ['EMFILE', 'too many open files'], 37: ['ENAMETOOLONG', 'name too long'], 41: ['ENFILE', 'file table overflow'],
  44: ['ENOENT', 'no such file or directory'], 48: ['ENOMEM', 'not enough memory'], 51: ['ENOSPC', 'no space left on device'],
  54: ['ENOTDIR', 'not a directory'], 55: ['ENOTEMPTY', 'directory not empty'], 58: ['ENOTSUP', 'operation not supported'],
  63: ['EPERM', 'operation not permitted'], 69: ['EROFS', 'read-only file system'], 75: ['EXDEV', 'cross-device link not permitted'],
  76: ['EPERM', 'operation not permitted'],
};

function failure(errno, syscall, name, to) {
  const [code, text] = ERRORS[errno] ?? ['EUNKNOWN', `error ${errno}`];
  const error = new Error(`${code}: ${text}, ${syscall} '${name}'${to === undefined ? '' : ` -> '${to}'`}`);
  Object.assign(error, { errno: -errno, code, syscall, path: name });
  if (to !== undefined) error.dest = to;
  return error;
}

// A path or file URL as an absolute path.
function full(name) {
  if (name instanceof URL || typeof name === 'object' && name?.protocol === 'file:') name = decodeURIComponent(name.pathname);
  if (name instanceof Uint8Array) name = native.decode(name, false);
  if (typeof name !== 'string') {
    throw Object.assign(new TypeError(`The "path" argument must be of type string or an instance of Buffer or URL. Received ${typeof name}`),
      { code: 'ERR_INVALID_ARG_TYPE' });
  }
  if (name.includes('\0')) throw Object.assign(new TypeError('The path must be without null bytes'), { code: 'ERR_INVALID_ARG_VALUE' });
  return path.resolve(process.cwd(), name.toWellFormed());
}

function done(result, syscall, name, to) {
  if (typeof result === 'number') throw failure(result, syscall, name, to);
  return result;
}

const encodingOf = (options) => (typeof options === 'string' ? options : options?.encoding);

export function readFileSync(name, options) {
  const encoding = encodingOf(options);
  const buffer = name === 0 || name === '/dev/stdin' ? native.input() : done(native.readFile(full(name)), 'open', name);
  return encoding && encoding !== 'buffer' ? decoded(new Uint8Array(buffer), encoding) : new Buffer(buffer);
}

function write(name, data, options, how) {
  const flag = options?.flag ?? how;
  if (typeof data === 'string') {
    const encoding = encodingOf(options);
    data = encoding && !/^utf-?8$/i.test(encoding) ? Buffer.from(data, encoding) : data.toWellFormed();
  } else if (data instanceof ArrayBuffer || ArrayBuffer.isView(data)) {
    data = bytesOf(data);
  } else {
    throw Object.assign(new TypeError('The "data" argument must be of type string or an instance of Buffer, TypedArray, or DataView. ' +
      `Received ${data === null ? 'null' : typeof data}`), { code: 'ERR_INVALID_ARG_TYPE' });
  }
  if (name === 1 || name === 2) return native.write(name, data);
  const mode = flag.includes('x') ? 'x' : flag.startsWith('a') ? 'a' : 'w';
  done(native.writeFile(full(name), data, mode), 'open', name);
}

export function writeFileSync(name, data, options) {
  write(name, data, options, 'w');
}

export function appendFileSync(name, data, options) {
  write(name, data, options, 'a');
}

class Dirent {
  #kind;
  constructor(name, parentPath, kind) {
    this.name = name;
    this.parentPath = parentPath;
    this.path = parentPath;
    this.#kind = kind;
  }
  isFile() {
    return this.#kind === 'file';
  }
  isDirectory() {
    return this.#kind === 'directory';
  }
  isSymbolicLink() {
    return this.#kind === 'link';
  }
}

export function readdirSync(name, options) {
  const entries = [];
  const read = (directory, inside) => {
    const list = done(native.readDir(full(directory)), 'scandir', directory);
    for (let i = 0; i < list.length; i += 2) {
      entries.push(options?.withFileTypes ? new Dirent(list[i], directory, list[i + 1]) : inside + list[i]);
      if (options?.recursive && list[i + 1] === 'directory') read(`${directory}/${list[i]}`, `${inside}${list[i]}/`);
    }
  };
  read(name, '');
  return entries;
}

export class Stats {
  #kind;
  constructor([kind, size, modified, accessed]) {
    this.#kind = kind;
    this.size = size;
    this.mode = kind === 'directory' ? 0o40755 : 0o100644;
    this.mtimeMs = this.ctimeMs = this.birthtimeMs = modified;
    this.atimeMs = accessed;
    this.mtime = this.ctime = this.birthtime = new Date(modified);
    this.atime = new Date(accessed);
  }
  isFile() {
    return this.#kind === 'file';
  }
  isDirectory() {
    return this.#kind === 'directory';
  }
  isSymbolicLink() {
    return this.#kind === 'link';
  }
}

export function statSync(name, options) {
  const result = native.stat(full(name), true);
  if (result === 44 && options?.throwIfNoEntry === false) return undefined;
  return new Stats(done(result, 'stat', name));
}

export function lstatSync(name, options) {
  const result = native.stat(full(name), false);
  if (result === 44 && options?.throwIfNoEntry === false) return undefined;
  return new Stats(done(result, 'lstat', name));
}

export function existsSync(name) {
  try {
    return typeof native.stat(full(name), true) !== 'number';
  } catch {
    return false;
  }
}

export function accessSync(name) {
  done(native.stat(full(name), true), 'access', name);
}

export function mkdirSync(name, options) {
  const target = full(name);
  if (!options?.recursive) {
    done(native.change('mkdir', target, ''), 'mkdir', name);
    return undefined;
  }
  let made;
  const make = (directory) => {
    const found = native.stat(directory, true);
    if (typeof found !== 'number') {
      if (found[0] !== 'directory') throw failure(20, 'mkdir', name);
      return;
    }
    if (directory !== '/') make(path.dirname(directory));
    done(native.change('mkdir', directory, ''), 'mkdir', name);
    made ??= directory;
  };
  make(target);
  return made;
}

export function rmSync(name, options) {
  const target = full(name);
  const found = native.stat(target, false);
  if (typeof found === 'number') {
    if (options?.force && found === 44) return;
    throw failure(found, 'lstat', name);
  }
  if (found[0] !== 'directory') {
    done(native.change('unlink', target, ''), 'rm', name);
  } else if (options?.recursive) {
    done(native.change('rmtree', target, ''), 'rm', name);
  } else {
    throw Object.assign(new Error(`Path is a directory: rm returned EISDIR (is a directory) ${name}`), { code: 'ERR_FS_EISDIR', path: name, syscall: 'rm' });
  }
}

export function rmdirSync(name, options) {
  if (options?.recursive) return rmSync(name, { recursive: true });
  done(native.change('rmdir', full(name), ''), 'rmdir', name);
}

export function unlinkSync(name) {
  done(native.change('unlink', full(name), ''), 'unlink', name);
}

export function renameSync(from, to) {
  done(native.change('rename', full(from), full(to)), 'rename', from, to);
}

export function copyFileSync(from, to) {
  done(native.change('copy', full(from), full(to)), 'copyfile', from, to);
}

export function cpSync(from, to, options) {
  if (!statSync(from).isDirectory()) return copyFileSync(from, to);
  if (!options?.recursive) throw Object.assign(new Error(`Recursive option not enabled, cannot copy a directory: ${from}`), { code: 'ERR_FS_EISDIR' });
  mkdirSync(to, { recursive: true });
  for (const entry of readdirSync(from)) cpSync(`${from}/${entry}`, `${to}/${entry}`, options);
}

export function mkdtempSync(prefix) {
  const digits = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';
  const name = prefix + Array.from(new Uint8Array(native.random(6)), (byte) => digits[byte % digits.length]).join('');
  mkdirSync(name);
  return name;
}

export const constants = { F_OK: 0, R_OK: 4, W_OK: 2, X_OK: 1, COPYFILE_EXCL: 1 };

const sync = {
  readFile: readFileSync, writeFile: writeFileSync, appendFile: appendFileSync, readdir: readdirSync, stat: statSync, lstat: lstatSync,
  access: accessSync, mkdir: mkdirSync, rm: rmSync, rmdir: rmdirSync, unlink: unlinkSync, rename: renameSync, copyFile: copyFileSync,
  cp: cpSync, mkdtemp: mkdtempSync,
};

// The same with promises and with callbacks: the work is done at once, the answer comes later.
export const promises = { constants };
const callbacks = {};
for (const name in sync) {
  promises[name] = async (...args) => sync[name](...args);
  callbacks[name] = (...args) => {
    const callback = args.pop();
    if (typeof callback !== 'function') throw new TypeError(`fs.${name}: the callback must be a function; without one, use fs.${name}Sync`);
    promises[name](...args).then((value) => setTimeout(callback, 0, null, value), (error) => setTimeout(callback, 0, error));
  };
}
export const { readFile, writeFile, appendFile, readdir, stat, lstat, access, mkdir, rm, rmdir, unlink, rename, copyFile, cp, mkdtemp } = callbacks;

export default {
  readFileSync, writeFileSync, appendFileSync, readdirSync, statSync, lstatSync, existsSync, accessSync, mkdirSync, rmSync, rmdirSync,
  unlinkSync, renameSync, copyFileSync, cpSync, mkdtempSync, Stats, constants, promises, ...callbacks,
};
