// timers/promises, as in Node.
import { setTimeout as later } from 'glovebox:timers';

export function setTimeout(delay, value) {
  return new Promise((resolve) => later(resolve, delay, value));
}
export function setImmediate(value) {
  return new Promise((resolve) => later(resolve, 0, value));
}
export async function* setInterval(delay, value) {
  for (;;) yield await setTimeout(delay, value);
}
export default { setTimeout, setImmediate, setInterval };
