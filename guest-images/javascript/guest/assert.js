// assert: what test-like scripts use of Node's module.
import { inspect } from 'glovebox:inspect';
import { isDeepStrictEqual } from 'glovebox:util';

export class AssertionError extends Error {
  constructor({ message, actual, expected, operator }) {
    super(message);
    Object.assign(this, { code: 'ERR_ASSERTION', actual, expected, operator });
  }
  get name() {
    return 'AssertionError';
  }
}

function demand(holds, message, standard, details) {
  if (holds) return;
  if (message instanceof Error) throw message;
  throw new AssertionError({ message: message ?? standard, ...details });
}

export function ok(value, message) {
  demand(value, message, `The expression evaluated to a falsy value: ${inspect(value)}`, { actual: value, expected: true, operator: '==' });
}
export function equal(actual, expected, message) {
  demand(actual == expected || Number.isNaN(actual) && Number.isNaN(expected), message, `${inspect(actual)} == ${inspect(expected)}`, { actual, expected, operator: '==' });
}
export function notEqual(actual, expected, message) {
  demand(actual != expected, message, `${inspect(actual)} != ${inspect(expected)}`, { actual, expected, operator: '!=' });
}
export function strictEqual(actual, expected, message) {
  demand(Object.is(actual, expected), message, `Expected values to be strictly equal:\n\n${inspect(actual)} !== ${inspect(expected)}\n`, { actual, expected, operator: 'strictEqual' });
}
export function notStrictEqual(actual, expected, message) {
  demand(!Object.is(actual, expected), message, `Expected "actual" to be strictly unequal to: ${inspect(expected)}`, { actual, expected, operator: 'notStrictEqual' });
}
export function deepStrictEqual(actual, expected, message) {
  demand(isDeepStrictEqual(actual, expected), message, `Expected values to be strictly deep-equal:\n${inspect(actual)}\n\nshould equal\n\n${inspect(expected)}`, { actual, expected, operator: 'deepStrictEqual' });
}
export function notDeepStrictEqual(actual, expected, message) {
  demand(!isDeepStrictEqual(actual, expected), message, 'Expected "actual" not to be strictly deep-equal to "expected"', { actual, expected, operator: 'notDeepStrictEqual' });
}
export function match(text, pattern, message) {
  demand(pattern.test(text), message, `The input did not match the regular expression ${pattern}. Input:\n\n${inspect(text)}\n`, { actual: text, expected: pattern, operator: 'match' });
}
export function fail(message = 'Failed') {
  demand(false, message, 'Failed', { operator: 'fail' });
}
function fits(error, expected) {
  if (typeof expected !== 'function') return expected instanceof RegExp ? expected.test(String(error)) : !expected || Object.keys(expected).every((key) => isDeepStrictEqual(error[key], expected[key]) || expected[key] instanceof RegExp && expected[key].test(error[key]));
  return expected === Error || Error.prototype.isPrototypeOf(expected.prototype) ? error instanceof expected : expected(error) === true;
}
export function throws(work, expected, message) {
  try {
    work();
  } catch (error) {
    if (typeof expected === 'string' || fits(error, expected)) return;
    throw error;
  }
  demand(false, typeof expected === 'string' ? expected : message, 'Missing expected exception.', { operator: 'throws' });
}
export async function rejects(work, expected, message) {
  try {
    await (typeof work === 'function' ? work() : work);
  } catch (error) {
    if (typeof expected === 'string' || fits(error, expected)) return;
    throw error;
  }
  demand(false, message, 'Missing expected rejection.', { operator: 'rejects' });
}

const assert = Object.assign((value, message) => ok(value, message), {
  AssertionError, ok, equal, notEqual, strictEqual, notStrictEqual, deepStrictEqual, deepEqual: deepStrictEqual, notDeepStrictEqual, match,
  fail, throws, rejects,
});
assert.strict = assert;
export { deepStrictEqual as deepEqual, assert as strict };
export default assert;
