// How the names that a turn imports become global: `src/source.rs` writes the calls.

// `values` never change; `live` gives functions to read what a module of the user's may change.
export function bind(values, live) {
  for (const name in values) define(name, { value: values[name], writable: false });
  for (const name in live) {
    define(name, {
      get: live[name],
      set() {
        throw new TypeError(`'${name}' is read-only`);
      },
    });
  }
}

function define(name, how) {
  Object.defineProperty(globalThis, name, { ...how, enumerable: true, configurable: true });
}
