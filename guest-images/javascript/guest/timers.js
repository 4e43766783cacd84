// Timers: callbacks by due time. The turn's loop (`src/engine.rs`) runs them when no promise job is left.
import native from 'glovebox:native';

let timers = []; // sorted by due time, then by age
let count = 0;

class Timeout {
  #id;
  constructor(id) {
    this.#id = id;
  }
  ref() {
    return this;
  }
  unref() {
    const timer = timers.find((timer) => timer.id === this.#id);
    if (timer) timer.waited = false;
    return this;
  }
  hasRef() {
    return timers.some((timer) => timer.id === this.#id && timer.waited);
  }
  refresh() {
    const timer = timers.find((timer) => timer.id === this.#id);
    if (timer) {
      remove(timer.id);
      timer.due = native.now() + timer.delay;
      insert(timer);
    }
    return this;
  }
  close() {
    remove(this.#id);
    return this;
  }
  [Symbol.toPrimitive]() {
    return this.#id;
  }
  [Symbol.dispose ?? Symbol('dispose')]() {
    remove(this.#id);
  }
}

function insert(timer) {
  let at = timers.length;
  while (at > 0 && timers[at - 1].due > timer.due) at--;
  timers.splice(at, 0, timer);
}

function remove(id) {
  const at = timers.findIndex((timer) => timer.id === id);
  if (at >= 0) timers.splice(at, 1);
}

function add(callback, delay, args, repeats, name) {
  if (typeof callback !== 'function') {
    throw new TypeError(`${name}: the callback must be a function, not ${typeof callback}`);
  }
  delay = Number(delay);
  if (!(delay >= 1 && delay <= 0x7fffffff)) delay = 1;
  const id = ++count;
  insert({ id, callback, args, delay, repeats, waited: true, due: native.now() + delay });
  return new Timeout(id);
}

export function setTimeout(callback, delay, ...args) {
  return add(callback, delay, args, false, 'setTimeout');
}

export function setInterval(callback, delay, ...args) {
  return add(callback, delay, args, true, 'setInterval');
}

let immediates = [];
export function setImmediate(callback, ...args) {
  if (typeof callback !== 'function') throw new TypeError('setImmediate: the callback must be a function');
  immediates.push({ id: ++count, callback, args });
  return new Timeout(count);
}

export function clearTimeout(timer) {
  if (timer === undefined || timer === null) return;
  const id = Number(timer);
  remove(id);
  immediates = immediates.filter((immediate) => immediate.id !== id);
}

// Runs the next one, sleeping until it is due. False when nothing is waited for.
export function runTimer() {
  const immediate = immediates.shift();
  if (immediate) {
    immediate.callback(...immediate.args);
    return true;
  }
  if (!timers.some((timer) => timer.waited)) return false;
  const wait = timers[0].due - native.now();
  if (wait > 0) native.sleep(wait);
  const timer = timers.shift();
  if (timer.repeats) {
    timer.due = Math.max(timer.due + timer.delay, native.now());
    insert(timer);
  }
  timer.callback(...timer.args);
  return true;
}

export function forgetTimers() {
  timers = [];
  immediates = [];
}

Object.assign(globalThis, {
  setTimeout, setInterval, setImmediate, clearTimeout, clearInterval: clearTimeout, clearImmediate: clearTimeout,
});
if (!globalThis.queueMicrotask) {
  globalThis.queueMicrotask = function queueMicrotask(callback) {
    Promise.resolve().then(() => callback());
  };
}
export { clearTimeout as clearInterval, clearTimeout as clearImmediate };
export default { setTimeout, setInterval, setImmediate, clearTimeout, clearInterval: clearTimeout };
