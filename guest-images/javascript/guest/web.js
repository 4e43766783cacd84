// Globals that browsers and Node share: text encodings, base64, crypto, performance, structuredClone, URL.
import native from 'glovebox:native';

class TextEncoder {
  get encoding() {
    return 'utf-8';
  }
  encode(text = '') {
    return new Uint8Array(native.encode(String(text).toWellFormed()));
  }
  encodeInto(text, target) {
    let read = 0, written = 0;
    for (const char of String(text).toWellFormed()) {
      const bytes = this.encode(char);
      if (written + bytes.length > target.length) break;
      target.set(bytes, written);
      written += bytes.length;
      read += char.length;
    }
    return { read, written };
  }
}

export function bytesOf(data) {
  if (data instanceof Uint8Array) return data;
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  throw new TypeError('expected an ArrayBuffer or a view of one');
}

const LABELS = {
  'utf-8': 'utf-8', utf8: 'utf-8', 'utf-16le': 'utf-16le', 'utf-16': 'utf-16le', latin1: 'windows-1252', ascii: 'windows-1252',
  'iso-8859-1': 'windows-1252', 'windows-1252': 'windows-1252',
};
const WINDOWS_1252 = '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ';

class TextDecoder {
  #kept = new Uint8Array(0);
  constructor(label = 'utf-8', { fatal = false, ignoreBOM = false } = {}) {
    this.encoding = LABELS[String(label).trim().toLowerCase()];
    if (!this.encoding) throw new RangeError(`the encoding '${label}' is not supported`);
    this.fatal = fatal;
    this.ignoreBOM = ignoreBOM;
  }
  decode(data = new Uint8Array(0), { stream = false } = {}) {
    let bytes = bytesOf(data);
    if (this.#kept.length) {
      const joined = new Uint8Array(this.#kept.length + bytes.length);
      joined.set(this.#kept);
      joined.set(bytes, this.#kept.length);
      bytes = joined;
      this.#kept = new Uint8Array(0);
    }
    if (this.encoding === 'windows-1252') {
      return latin1(bytes).replace(/[\x80-\x9f]/g, (char) => WINDOWS_1252[char.charCodeAt(0) - 0x80]);
    }
    if (this.encoding === 'utf-16le') {
      let text = '';
      for (let i = 0; i + 1 < bytes.length; i += 2) text += String.fromCharCode(bytes[i] | bytes[i + 1] << 8);
      return text.replace(/^\ufeff/, '');
    }
    if (stream) {
      const end = incomplete(bytes);
      this.#kept = bytes.slice(end);
      bytes = bytes.subarray(0, end);
    }
    const text = native.decode(bytes, this.fatal);
    if (text === undefined) throw new TypeError('the data is not valid UTF-8');
    return !this.ignoreBOM && text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
  }
}

// Where an unfinished sequence at the end begins.
function incomplete(bytes) {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back];
    if (byte >= 0xc0) return (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) > back ? bytes.length - back : bytes.length;
    if (byte < 0x80) break;
  }
  return bytes.length;
}

export function latin1(bytes) {
  let text = '';
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode.apply(null, bytes.subarray(i, i + 8192));
  return text;
}

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const VALUES = new Map([...DIGITS].map((digit, value) => [digit, value]));
VALUES.set('-', 62).set('_', 63);

export function base64(bytes) {
  const parts = [];
  let text = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const word = bytes[i] << 16 | (bytes[i + 1] ?? 0) << 8 | (bytes[i + 2] ?? 0);
    text += DIGITS[word >> 18] + DIGITS[word >> 12 & 63] + (i + 1 < bytes.length ? DIGITS[word >> 6 & 63] : '=') +
      (i + 2 < bytes.length ? DIGITS[word & 63] : '=');
    if (text.length > 8192) {
      parts.push(text);
      text = '';
    }
  }
  return parts.join('') + text;
}

export function fromBase64(text) {
  const digits = text.replace(/[\s=]/g, '');
  const bytes = new Uint8Array(Math.floor(digits.length * 3 / 4));
  let word = 0, bits = 0, at = 0;
  for (const digit of digits) {
    const value = VALUES.get(digit);
    if (value === undefined) return undefined;
    word = word << 6 | value;
    bits += 6;
    if (bits >= 8) bytes[at++] = word >> (bits -= 8) & 255;
    word &= 0xffff;
  }
  return bytes;
}

function btoa(text) {
  text = String(text);
  const bytes = Uint8Array.from(text, (char) => char.charCodeAt(0));
  if (/[^\x00-\xff]/.test(text)) throw new DOMException('btoa: a character is beyond Latin-1', 'InvalidCharacterError');
  return base64(bytes);
}

function atob(text) {
  const bytes = /^[\sA-Za-z0-9+/]*={0,2}\s*$/.test(String(text)) ? fromBase64(String(text)) : undefined;
  if (!bytes) throw new DOMException('atob: the text is not base64', 'InvalidCharacterError');
  return latin1(bytes);
}

const crypto = {
  getRandomValues(array) {
    bytesOf(array).set(new Uint8Array(native.random(array.byteLength)));
    return array;
  },
  randomUUID() {
    const bytes = new Uint8Array(native.random(16));
    bytes[6] = bytes[6] & 15 | 64;
    bytes[8] = bytes[8] & 63 | 128;
    const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  },
};

let origin = 0;
let originDate = 0;
const performance = {
  now() {
    return native.now() - origin;
  },
  get timeOrigin() {
    return originDate;
  },
  mark() {},
  measure() {},
};

// The clock of this run starts now.
export function restartClock() {
  origin = native.now();
  originDate = Date.now();
}

export function structuredClone(value) {
  const known = new Map();
  const copy = (value) => {
    if (typeof value === 'function' || typeof value === 'symbol') {
      throw new DOMException(`${typeof value === 'symbol' ? String(value) : value.name || 'a function'} could not be cloned.`, 'DataCloneError');
    }
    if (typeof value !== 'object' || value === null) return value;
    if (known.has(value)) return known.get(value);
    const keep = (made) => (known.set(value, made), made);
    if (Array.isArray(value)) {
      const made = keep(new Array(value.length));
      for (const key of Object.keys(value)) made[key] = copy(value[key]);
      return made;
    }
    if (value instanceof Date) return keep(new Date(value.getTime()));
    if (value instanceof RegExp) return keep(new RegExp(value.source, value.flags));
    if (value instanceof Map) {
      const made = keep(new Map());
      for (const [key, item] of value) made.set(copy(key), copy(item));
      return made;
    }
    if (value instanceof Set) {
      const made = keep(new Set());
      for (const item of value) made.add(copy(item));
      return made;
    }
    if (value instanceof ArrayBuffer) return keep(value.slice(0));
    if (ArrayBuffer.isView(value)) {
      const buffer = copy(value.buffer);
      const Type = value instanceof DataView ? DataView : globalThis[Object.getPrototypeOf(Uint8Array.prototype)[Symbol.toStringTag] ?? value[Symbol.toStringTag]];
      return keep(new Type(buffer, value.byteOffset, value instanceof DataView ? value.byteLength : value.length));
    }
    if (value instanceof Number || value instanceof String || value instanceof Boolean) return keep(Object(value.valueOf()));
    if (value instanceof Error) {
      const Type = { EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError }[value.name] ?? Error;
      const made = keep(new Type(value.message));
      if (Object.hasOwn(value, 'cause')) made.cause = copy(value.cause);
      made.stack = value.stack;
      return made;
    }
    if (value instanceof Promise || value instanceof WeakMap || value instanceof WeakSet) {
      throw new DOMException(`${Object.prototype.toString.call(value)} could not be cloned.`, 'DataCloneError');
    }
    const made = keep({});
    for (const key of Object.keys(value)) made[key] = copy(value[key]);
    return made;
  };
  return copy(value);
}

for (const [name, value] of Object.entries({ TextEncoder, TextDecoder, atob, btoa, crypto, performance, structuredClone })) {
  Object.defineProperty(globalThis, name, { value, writable: true, enumerable: false, configurable: true });
}
export { TextEncoder, TextDecoder, atob, btoa, crypto, performance };
