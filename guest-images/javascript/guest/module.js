// require: the modules of this image, and CommonJS and JSON files of the workspace, for scripts written that way.
import native from 'glovebox:native';
import path from 'glovebox:path';
import fs from 'glovebox:fs';
import fsPromises from 'glovebox:fs/promises';
import process from 'glovebox:process';
import util from 'glovebox:util';
import * as buffer from 'glovebox:buffer';
import * as os from 'glovebox:os';
import events from 'glovebox:events';
import assert from 'glovebox:assert';
import * as url from 'glovebox:url';
import timers from 'glovebox:timers';
import * as timersPromises from 'glovebox:timers/promises';
import * as perfHooks from 'glovebox:perf_hooks';
import crypto from 'glovebox:crypto';

const known = {
  path, fs, 'fs/promises': fsPromises, process, util, buffer, os, events, assert, url, timers, 'timers/promises': timersPromises,
  perf_hooks: perfHooks, crypto,
};
export const packages = {};
const loaded = new Map();

export function createRequire(from) {
  const base = String(from).startsWith('file:') ? url.fileURLToPath(from) : String(from);
  const directory = () => (base.startsWith('/') ? path.dirname(base) : process.cwd());
  const require = (name) => {
    const plain = String(name).replace(/^node:/, '');
    if (Object.hasOwn(known, plain)) return known[plain];
    if (Object.hasOwn(packages, plain)) return packages[plain];
    if (!/^\.{0,2}\//.test(plain)) throw missing(plain, 'there is no network; d3 and its modules are here, and fs, path, util and the like');
    return load(find(path.resolve(directory(), plain), plain));
  };
  require.resolve = (name) => find(path.resolve(directory(), name), name);
  return require;
}

function missing(name, why) {
  return Object.assign(new Error(`Cannot find module '${name}'${why ? `: ${why}` : ''}`), { code: 'MODULE_NOT_FOUND' });
}

function find(file, name) {
  const found = ['', '.js', '.cjs', '.json', '/index.js'].map((ending) => file + ending)
    .find((file) => fs.statSync(file, { throwIfNoEntry: false })?.isFile());
  if (!found) throw missing(name);
  return found;
}

function load(file) {
  if (loaded.has(file)) return loaded.get(file).exports;
  const module = { exports: {}, filename: file, id: file };
  const text = fs.readFileSync(file, 'utf8');
  loaded.set(file, module);
  try {
    if (file.endsWith('.json')) {
      module.exports = JSON.parse(text);
    } else {
      // One line, so that the file's lines keep their numbers.
      const work = native.compile(`(function (exports, require, module, __filename, __dirname) {${text}\n})`, file);
      work.call(module.exports, module.exports, createRequire(file), module, file, path.dirname(file));
    }
  } catch (error) {
    loaded.delete(file);
    throw error;
  }
  return module.exports;
}

Object.defineProperty(globalThis, 'require', { value: createRequire('script'), writable: true, configurable: true });
export default { createRequire };
