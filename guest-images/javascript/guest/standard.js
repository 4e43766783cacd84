// What the language itself has, as it was before any script ran. `build.rs` makes every other module import it.
export const {
  Array, ArrayBuffer, BigInt, Boolean, DataView, Date, DOMException, Error, EvalError, Float32Array, Float64Array, Function, Infinity,
  InternalError, JSON, Map, Math, NaN, Number, Object, Promise, Proxy, RangeError, ReferenceError, Reflect, RegExp, Set, String, Symbol,
  SyntaxError, TypeError, URIError, Uint16Array, Uint32Array, Uint8Array, WeakMap, WeakSet, isNaN, parseFloat, parseInt,
} = globalThis;
