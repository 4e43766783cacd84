// events: EventEmitter and once.

export class EventEmitter {
  #listeners = new Map();
  on(name, listener) {
    if (!this.#listeners.has(name)) this.#listeners.set(name, []);
    this.#listeners.get(name).push(listener);
    return this;
  }
  once(name, listener) {
    const first = (...args) => {
      this.off(name, first);
      listener.apply(this, args);
    };
    first.listener = listener;
    return this.on(name, first);
  }
  off(name, listener) {
    const list = this.#listeners.get(name) ?? [];
    this.#listeners.set(name, list.filter((item) => item !== listener && item.listener !== listener));
    return this;
  }
  emit(name, ...args) {
    const list = this.#listeners.get(name) ?? [];
    if (list.length === 0 && name === 'error') throw args[0] instanceof Error ? args[0] : new Error(`Unhandled error. (${args[0]})`);
    for (const listener of list) listener.apply(this, args);
    return list.length > 0;
  }
  listeners(name) {
    return (this.#listeners.get(name) ?? []).map((item) => item.listener ?? item);
  }
  listenerCount(name) {
    return this.listeners(name).length;
  }
  eventNames() {
    return [...this.#listeners.keys()].filter((name) => this.listenerCount(name) > 0);
  }
  removeAllListeners(name) {
    if (name === undefined) this.#listeners.clear();
    else this.#listeners.delete(name);
    return this;
  }
  setMaxListeners() {
    return this;
  }
}
EventEmitter.prototype.addListener = EventEmitter.prototype.on;
EventEmitter.prototype.removeListener = EventEmitter.prototype.off;
EventEmitter.EventEmitter = EventEmitter;

export function once(emitter, name) {
  return new Promise((resolve, reject) => {
    emitter.once(name, (...args) => resolve(args));
    if (name !== 'error') emitter.once('error', reject);
  });
}
export default EventEmitter;
