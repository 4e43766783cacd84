// Math.random as a generator of our own: QuickJS seeds its own once, and every run would get the same numbers.
import native from 'glovebox:native';

let a = 0, b = 0, c = 0, d = 0;

// From the seed of a request, else from the host's entropy.
export function reseed(seed) {
  if (seed === undefined || seed === null) {
    [a, b, c, d] = new Uint32Array(native.random(16));
    d |= 1; // all zero would stay zero
    return;
  }
  let state = (Math.floor(seed / 2 ** 32) ^ seed) | 0;
  const split = () => {
    state = (state + 0x9e3779b9) | 0;
    let x = state ^ (state >>> 16);
    x = Math.imul(x, 0x21f0aaad);
    x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
    return (x ^ (x >>> 15)) >>> 0;
  };
  a = split(), b = split(), c = split(), d = split() | 1;
}

// xoshiro128**, public domain, by David Blackman and Sebastiano Vigna.
function next() {
  const x = Math.imul(b, 5);
  const result = Math.imul((x << 7) | (x >>> 25), 9);
  const t = b << 9;
  c ^= a, d ^= b, b ^= c, a ^= d, c ^= t;
  d = (d << 11) | (d >>> 21);
  return result >>> 0;
}

Math.random = function random() {
  return ((next() >>> 5) * 0x4000000 + (next() >>> 6)) / 2 ** 53;
};
