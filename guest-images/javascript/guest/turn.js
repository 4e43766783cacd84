// A turn from the script's side: what is prepared before it, shown in it and reported after it. `src/engine.rs` calls these.
import { reseed } from 'glovebox:random';
import { resetConsole } from 'glovebox:console';
import process, { settle } from 'glovebox:process';
import { restartClock } from 'glovebox:web';
import { forgetTimers, runTimer } from 'glovebox:timers';
import { report as reportError } from 'glovebox:errors';
import { show as showValue } from 'glovebox:display';
import 'glovebox:buffer';
import 'glovebox:url';
import 'glovebox:locale';
import { packages } from 'glovebox:module';

// Becomes false in the memory of a session after its first turn.
let first = true;
let warmingUp = false;
let rejections = new Map();
// Sources of this session's scripts by file name, for the line that an error came from.
let sources = new Map();

// What every run finds.
const pristine = new Set(Object.getOwnPropertyNames(globalThis));

// Reads a request; gives what the engine needs of it.
export function begin(text) {
  const request = JSON.parse(text);
  if (typeof request.source !== 'string') throw new TypeError('the request has no source');
  const fresh = first || request.fresh === true;
  first = false;
  warmingUp = request.warm_up === true;
  settle(request, fresh);
  if (fresh) restartClock();
  if (fresh || request.seed !== undefined && request.seed !== null) reseed(request.seed);
  const source = request.source.toWellFormed();
  const filename = request.filename || 'main.js';
  sources.set(filename, source);
  return { source, filename, echo: request.echo ?? 'last' };
}

// Shows the value of the last expression.
export function show(value) {
  if (value === undefined) return;
  globalThis._ = value;
  if (!warmingUp) showValue(value, true);
}

export function report(error, outOfMemory) {
  return reportError(outOfMemory ? new InternalError('out of memory') : error, sources);
}

export function rejected(promise, reason) {
  rejections.set(promise, reason);
}

export function handled(promise) {
  rejections.delete(promise);
}

// The reason of the first rejection that nobody handled, in an array.
export function take_unhandled() {
  if (rejections.size === 0) return [];
  const [reason] = rejections.values();
  rejections.clear();
  return [reason];
}

export const run_timer = runTimer;

// Status of a script that came to its end.
export function status() {
  const code = Number(process.exitCode ?? 0);
  return Number.isInteger(code) ? code & 255 : 1;
}

// A script waits for what can never come.
export function never_settled() {
  return new Error('the script awaits a promise that nothing will ever settle');
}

// After each turn.
export function end() {
  forgetTimers();
  rejections.clear();
  resetConsole();
}

// What `require` finds beside our own modules.
export function add_package(name, namespace) {
  packages[name] = namespace;
}

// After the warm-up: as if no script had run.
export function forget() {
  first = true;
  warmingUp = false;
  sources = new Map();
  for (const name of Object.getOwnPropertyNames(globalThis)) {
    if (!pristine.has(name)) delete globalThis[name];
  }
}
