// Buffer: bytes with encodings, as much of Node's as programs use on files.
import { base64, bytesOf, fromBase64, latin1, TextDecoder } from 'glovebox:web';
import native from 'glovebox:native';

const encode = (text) => new Uint8Array(native.encode(String(text).toWellFormed()));

function encoded(text, encoding = 'utf8') {
  switch (String(encoding).toLowerCase()) {
    case 'utf8':
    case 'utf-8':
      return encode(text);
    case 'hex': {
      const digits = text.slice(0, text.length & ~1);
      const bytes = [];
      for (let i = 0; i < digits.length; i += 2) {
        const byte = Number.parseInt(digits.slice(i, i + 2), 16);
        if (Number.isNaN(byte)) break;
        bytes.push(byte);
      }
      return Uint8Array.from(bytes);
    }
    case 'base64':
    case 'base64url':
      return fromBase64(text.replace(/[^A-Za-z0-9+/_-]/g, '')) ?? new Uint8Array(0);
    case 'ascii':
    case 'latin1':
    case 'binary':
      return Uint8Array.from(text, (char) => char.charCodeAt(0));
    case 'utf16le':
    case 'utf-16le':
    case 'ucs2':
      return new Uint8Array(Uint16Array.from(text, (char) => char.charCodeAt(0)).buffer);
    default:
      throw Object.assign(new TypeError(`Unknown encoding: ${encoding}`), { code: 'ERR_UNKNOWN_ENCODING' });
  }
}

// Bytes as text in one of Node's encodings.
export function decoded(bytes, encoding = 'utf8') {
  switch (String(encoding).toLowerCase()) {
    case 'utf8':
    case 'utf-8':
      return native.decode(bytes, false);
    case 'hex':
      return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
    case 'base64':
      return base64(bytes);
    case 'base64url':
      return base64(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
    case 'ascii':
    case 'latin1':
    case 'binary':
      return latin1(bytes);
    case 'utf16le':
    case 'utf-16le':
    case 'ucs2':
      return new TextDecoder('utf-16le').decode(bytes);
    default:
      throw Object.assign(new TypeError(`Unknown encoding: ${encoding}`), { code: 'ERR_UNKNOWN_ENCODING' });
  }
}

export class Buffer extends Uint8Array {
  static from(value, encoding, length) {
    if (typeof value === 'string') return Buffer.#over(encoded(value, encoding));
    if (value instanceof ArrayBuffer) return new Buffer(value, encoding, length);
    if (ArrayBuffer.isView(value)) return Buffer.#over(bytesOf(value).slice());
    if (value?.type === 'Buffer' && Array.isArray(value.data)) return Buffer.#over(Uint8Array.from(value.data));
    return Buffer.#over(Uint8Array.from(value));
  }
  // A buffer on the bytes of an array, not a copy.
  static #over(bytes) {
    return new Buffer(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
  static alloc(size, fill) {
    const buffer = new Buffer(size);
    return fill === undefined ? buffer : buffer.fill(fill);
  }
  static allocUnsafe(size) {
    return new Buffer(size);
  }
  static concat(list, length = list.reduce((sum, item) => sum + item.length, 0)) {
    const buffer = new Buffer(length);
    let at = 0;
    for (const item of list) {
      buffer.set(item.subarray(0, length - at), at);
      at = Math.min(length, at + item.length);
    }
    return buffer;
  }
  static byteLength(value, encoding) {
    return typeof value === 'string' ? encoded(value, encoding).length : value.byteLength;
  }
  static isBuffer(value) {
    return value instanceof Buffer;
  }
  static isEncoding(name) {
    return /^(utf-?8|hex|base64(url)?|ascii|latin1|binary|utf-?16le|ucs2)$/i.test(String(name));
  }
  static compare(a, b) {
    for (let i = 0; i < Math.min(a.length, b.length); i++) if (a[i] !== b[i]) return a[i] < b[i] ? -1 : 1;
    return Math.sign(a.length - b.length);
  }
  toString(encoding, start = 0, end = this.length) {
    return decoded(this.subarray(start, end), encoding);
  }
  toJSON() {
    return { type: 'Buffer', data: Array.from(this) };
  }
  equals(other) {
    return Buffer.compare(this, other) === 0;
  }
  compare(other) {
    return Buffer.compare(this, other);
  }
  write(text, offset = 0, length, encoding) {
    if (typeof offset === 'string') [offset, encoding] = [0, offset];
    if (typeof length === 'string') [length, encoding] = [undefined, length];
    const bytes = encoded(text, encoding).subarray(0, Math.min(length ?? Infinity, this.length - offset));
    this.set(bytes, offset);
    return bytes.length;
  }
  copy(target, at = 0, start = 0, end = this.length) {
    const part = this.subarray(start, Math.min(end, start + target.length - at));
    target.set(part, at);
    return part.length;
  }
  slice(start, end) {
    return this.subarray(start, end);
  }
  fill(value, ...range) {
    if (typeof value !== 'string') return super.fill(value, ...range);
    const bytes = encoded(value);
    for (let i = 0; bytes.length && i < this.length; i++) this[i] = bytes[i % bytes.length];
    return this;
  }
  indexOf(value, from = 0) {
    if (typeof value === 'number') return super.indexOf(value, from);
    const bytes = typeof value === 'string' ? encoded(value) : value;
    for (let i = from; i <= this.length - bytes.length; i++) {
      let same = 0;
      while (same < bytes.length && this[i + same] === bytes[same]) same++;
      if (same === bytes.length) return i;
    }
    return -1;
  }
  includes(value, from) {
    return this.indexOf(value, from) >= 0;
  }
  [Symbol.for('nodejs.util.inspect.custom')]() {
    const shown = decoded(this.subarray(0, 50), 'hex').replace(/(..)(?=.)/g, '$1 ');
    return `<Buffer${shown && ` ${shown}`}${this.length > 50 ? ` ... ${this.length - 50} more bytes` : ''}>`;
  }
}

// Numbers at an offset: readUInt16LE, writeDoubleBE and the rest, over a DataView.
for (const [name, method, size] of [
  ['UInt8', 'Uint8', 1], ['Int8', 'Int8', 1], ['UInt16', 'Uint16', 2], ['Int16', 'Int16', 2], ['UInt32', 'Uint32', 4],
  ['Int32', 'Int32', 4], ['Float', 'Float32', 4], ['Double', 'Float64', 8], ['BigInt64', 'BigInt64', 8], ['BigUInt64', 'BigUint64', 8],
]) {
  for (const order of size === 1 ? [''] : ['LE', 'BE']) {
    const view = (buffer) => new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
    const methods = {
      [`read${name}${order}`](offset = 0) {
        return view(this)[`get${method}`](offset, order === 'LE');
      },
      [`write${name}${order}`](value, offset = 0) {
        view(this)[`set${method}`](offset, value, order === 'LE');
        return offset + size;
      },
    };
    for (const key in methods) Object.defineProperty(Buffer.prototype, key, { value: methods[key], writable: true, configurable: true });
  }
}

Object.defineProperty(globalThis, 'Buffer', { value: Buffer, writable: true, configurable: true });
export default { Buffer };
