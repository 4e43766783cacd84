// util: inspect, format, promisify and the like.
import { formatLog, inspect } from 'glovebox:inspect';
import { setTimeout } from 'glovebox:timers';
import { TextDecoder, TextEncoder } from 'glovebox:web';

export function format(...args) {
  return formatLog(args);
}

export function promisify(work) {
  return (...args) => new Promise((resolve, reject) => {
    work(...args, (error, value) => (error ? reject(error) : resolve(value)));
  });
}

export function callbackify(work) {
  return (...args) => {
    const callback = args.pop();
    work(...args).then((value) => setTimeout(callback, 0, null, value), (error) => setTimeout(callback, 0, error));
  };
}

export function inherits(child, parent) {
  Object.setPrototypeOf(child.prototype, parent.prototype);
}

export function deprecate(work) {
  return work;
}

export function isDeepStrictEqual(a, b, seen = new Map()) {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  if (seen.get(a) === b) return true;
  seen.set(a, b);
  if (a instanceof Date) return a.getTime() === b.getTime();
  if (a instanceof RegExp) return String(a) === String(b);
  if (a instanceof Error && (a.message !== b.message || a.name !== b.name)) return false;
  if (a instanceof Map) {
    return a.size === b.size && [...a].every(([key, value]) => b.has(key) && isDeepStrictEqual(value, b.get(key), seen));
  }
  if (a instanceof Set) {
    return a.size === b.size && [...a].every((item) => b.has(item) || [...b].some((other) => isDeepStrictEqual(item, other, seen)));
  }
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && isDeepStrictEqual(a[key], b[key], seen));
}

export const types = {
  isDate: (value) => value instanceof Date,
  isRegExp: (value) => value instanceof RegExp,
  isPromise: (value) => value instanceof Promise,
  isMap: (value) => value instanceof Map,
  isSet: (value) => value instanceof Set,
  isNativeError: (value) => value instanceof Error,
  isTypedArray: (value) => ArrayBuffer.isView(value) && !(value instanceof DataView),
};

export { inspect, TextDecoder, TextEncoder };
export default { inspect, format, promisify, callbackify, inherits, deprecate, isDeepStrictEqual, types, TextDecoder, TextEncoder };
