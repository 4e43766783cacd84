// URL and URLSearchParams for addresses with a scheme and an authority; enough to take one apart and to build one.

const PARTS = /^([a-z][a-z0-9+.-]*:)(?:\/\/(?:([^/?#@:]*)(?::([^/?#@]*))?@)?(\[[^\]]*\]|[^/?#:]*)(?::(\d*))?)?([^?#]*)(\?[^#]*)?(#.*)?$/i;
const PORTS = { 'http:': '80', 'https:': '443', 'ftp:': '21', 'ws:': '80', 'wss:': '443' };
const unsafe = (text) => encodeURI(text).replaceAll('%25', '%');

export class URLSearchParams {
  #pairs = [];
  #changed;
  constructor(init = '', changed) {
    this.#changed = changed;
    if (typeof init === 'object' && init !== null) {
      const pairs = typeof init[Symbol.iterator] === 'function' ? init : Object.entries(init);
      for (const [name, value] of pairs) this.#pairs.push([String(name), String(value)]);
      return;
    }
    const plain = (text) => {
      try {
        return decodeURIComponent(text.replaceAll('+', ' '));
      } catch {
        return text;
      }
    };
    for (const part of String(init).replace(/^\?/, '').split('&')) {
      if (part === '') continue;
      const at = part.indexOf('=');
      this.#pairs.push(at < 0 ? [plain(part), ''] : [plain(part.slice(0, at)), plain(part.slice(at + 1))]);
    }
  }
  get size() {
    return this.#pairs.length;
  }
  get(name) {
    return this.#pairs.find((pair) => pair[0] === name)?.[1] ?? null;
  }
  getAll(name) {
    return this.#pairs.filter((pair) => pair[0] === name).map((pair) => pair[1]);
  }
  has(name) {
    return this.#pairs.some((pair) => pair[0] === name);
  }
  append(name, value) {
    this.#pairs.push([String(name), String(value)]);
    this.#changed?.(this);
  }
  set(name, value) {
    const at = this.#pairs.findIndex((pair) => pair[0] === name);
    if (at < 0) return this.append(name, value);
    this.#pairs[at][1] = String(value);
    this.#pairs = this.#pairs.filter((pair, index) => index <= at || pair[0] !== name);
    this.#changed?.(this);
  }
  delete(name) {
    this.#pairs = this.#pairs.filter((pair) => pair[0] !== name);
    this.#changed?.(this);
  }
  sort() {
    this.#pairs.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
    this.#changed?.(this);
  }
  forEach(work) {
    for (const [name, value] of this.#pairs) work(value, name, this);
  }
  *keys() {
    for (const pair of this.#pairs) yield pair[0];
  }
  *values() {
    for (const pair of this.#pairs) yield pair[1];
  }
  *entries() {
    for (const pair of this.#pairs) yield [...pair];
  }
  [Symbol.iterator]() {
    return this.entries();
  }
  toString() {
    const coded = (text) => encodeURIComponent(text.toWellFormed()).replaceAll('%20', '+').replace(/[!'()~]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
    return this.#pairs.map(([name, value]) => `${coded(name)}=${coded(value)}`).join('&');
  }
}

export class URL {
  constructor(text, base) {
    text = String(text).trim();
    let parts = PARTS.exec(text);
    if (!parts && base !== undefined) {
      const from = new URL(base);
      const root = from.href.slice(0, from.href.length - (from.pathname + from.search + from.hash).length);
      if (text.startsWith('//')) text = from.protocol + text;
      else if (text.startsWith('/')) text = root + text;
      else if (text.startsWith('?')) text = root + from.pathname + text;
      else if (text.startsWith('#')) text = root + from.pathname + from.search + text;
      else text = root + from.pathname.replace(/[^/]*$/, '') + text;
      parts = PARTS.exec(text);
    }
    if (!parts) throw Object.assign(new TypeError('Invalid URL'), { code: 'ERR_INVALID_URL', input: text });
    this.protocol = parts[1].toLowerCase();
    this.username = parts[2] ?? '';
    this.password = parts[3] ?? '';
    this.hostname = (parts[4] ?? '').toLowerCase();
    this.port = parts[5] === PORTS[this.protocol] ? '' : parts[5] ?? '';
    this.pathname = parts[4] === undefined ? parts[6] : tidy(unsafe(parts[6]));
    this.search = parts[7] && parts[7] !== '?' ? unsafe(parts[7]) : '';
    this.hash = parts[8] && parts[8] !== '#' ? unsafe(parts[8]) : '';
    if (!this.hostname && this.protocol in PORTS) throw Object.assign(new TypeError('Invalid URL'), { code: 'ERR_INVALID_URL', input: text });
    const params = new URLSearchParams(this.search, (params) => {
      this.search = params.size ? `?${params}` : '';
    });
    Object.defineProperty(this, 'searchParams', { value: params, enumerable: true });
  }
  static canParse(text, base) {
    try {
      return Boolean(new URL(text, base));
    } catch {
      return false;
    }
  }
  get host() {
    return this.hostname + (this.port && `:${this.port}`);
  }
  get origin() {
    return this.protocol in PORTS || this.protocol === 'file:' ? `${this.protocol}//${this.host}` : 'null';
  }
  get href() {
    const user = this.username && `${this.username}${this.password && `:${this.password}`}@`;
    const authority = this.hostname || this.protocol === 'file:' ? `//${user}${this.host}` : '';
    return this.protocol + authority + this.pathname + this.search + this.hash;
  }
  toString() {
    return this.href;
  }
  toJSON() {
    return this.href;
  }
}

function tidy(path) {
  const parts = [];
  const all = path.split('/').slice(1);
  all.forEach((part, index) => {
    const last = index === all.length - 1;
    if (part === '..') parts.pop();
    else if (part !== '.') return parts.push(part);
    if (last) parts.push('');
  });
  return `/${parts.join('/')}`;
}

export function fileURLToPath(url) {
  return decodeURIComponent(new URL(url).pathname);
}

export function pathToFileURL(path) {
  return new URL(`file://${encodeURI(path)}`);
}

for (const [name, value] of Object.entries({ URL, URLSearchParams })) {
  Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
}
export default { URL, URLSearchParams, fileURLToPath, pathToFileURL };
