// path: POSIX paths, as in Node.
import process from 'glovebox:process';

function normalizeParts(text, absolute) {
  const parts = [];
  for (const part of text.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.length && parts.at(-1) !== '..') parts.pop();
    else if (!absolute) parts.push('..');
  }
  return parts.join('/');
}

function check(path) {
  if (typeof path === 'string') return path;
  throw Object.assign(new TypeError(`The "path" argument must be of type string. Received ${path === null ? 'null' : typeof path}`), { code: 'ERR_INVALID_ARG_TYPE' });
}

export const sep = '/';
export const delimiter = ':';

export function normalize(path) {
  if (check(path) === '') return '.';
  const absolute = isAbsolute(path);
  const end = path.endsWith('/') ? '/' : '';
  const body = normalizeParts(path, absolute);
  if (body === '') return absolute ? '/' : end ? './' : '.';
  return (absolute ? '/' : '') + body + end;
}

export function isAbsolute(path) {
  return check(path).startsWith('/');
}

export function join(...paths) {
  const joined = paths.filter((path) => check(path) !== '').join('/');
  return joined === '' ? '.' : normalize(joined);
}

export function resolve(...paths) {
  let resolved = '';
  for (let i = paths.length - 1; i >= 0 && !resolved.startsWith('/'); i--) {
    if (check(paths[i]) !== '') resolved = resolved === '' ? paths[i] : `${paths[i]}/${resolved}`;
  }
  if (!resolved.startsWith('/')) resolved = `${process.cwd()}/${resolved}`;
  return `/${normalizeParts(resolved, true)}`;
}

export function relative(from, to) {
  const source = resolve(from).split('/').filter(Boolean), target = resolve(to).split('/').filter(Boolean);
  let same = 0;
  while (same < source.length && same < target.length && source[same] === target[same]) same++;
  return [...source.slice(same).map(() => '..'), ...target.slice(same)].join('/');
}

export function dirname(path) {
  const trimmed = check(path).replace(/\/+$/, '');
  const at = trimmed.lastIndexOf('/');
  if (at < 0) return path.startsWith('/') ? '/' : '.';
  return trimmed.slice(0, at).replace(/\/+$/, '') || '/';
}

export function basename(path, ending) {
  const name = check(path).replace(/\/+$/, '').split('/').at(-1);
  return ending && name !== ending && name.endsWith(ending) ? name.slice(0, -ending.length) : name;
}

export function extname(path) {
  const name = basename(path);
  const at = name.lastIndexOf('.');
  return at <= 0 ? '' : name.slice(at);
}

export function parse(path) {
  const root = isAbsolute(path) ? '/' : '';
  const base = basename(path), ext = extname(path);
  const dir = dirname(path);
  return { root, dir: dir === '.' && !path.startsWith('.') ? '' : dir, base, ext, name: base.slice(0, base.length - ext.length) };
}

export function format({ root = '', dir, base, name = '', ext = '' }) {
  base ??= name + (ext && !ext.startsWith('.') ? `.${ext}` : ext);
  if (!dir) return root + base;
  return dir === root ? dir + base : `${dir}/${base}`;
}

const path = { sep, delimiter, normalize, isAbsolute, join, resolve, relative, dirname, basename, extname, parse, format };
path.posix = path;
export const posix = path;
export default path;
