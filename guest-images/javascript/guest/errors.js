// Errors: stacks as V8 writes them, and the report of an exception that nobody caught.
import native from 'glovebox:native';
import { inspect } from 'glovebox:inspect';
import { write } from 'glovebox:console';

const frames = Object.getOwnPropertyDescriptor(Error.prototype, 'stack');

// QuickJS gives the frames only; scripts expect the name and the message before them.
Object.defineProperty(Error.prototype, 'stack', {
  get() {
    const text = frames.get.call(this);
    if (typeof text !== 'string') return text;
    return `${header(this)}\n${clean(text)}`.trimEnd();
  },
  set: frames.set,
  configurable: true,
});

function header(error) {
  try {
    return Error.prototype.toString.call(error);
  } catch {
    return 'Error';
  }
}

// Without frames of this image; the top of a script is a place and no function.
function clean(text) {
  return text.split('\n').filter((line) => line !== '' && !line.includes('glovebox:')).map((line) => {
    return line.replace(/^(\s*at )<(?:eval|anonymous)> \((.*)\)$/, '$1$2');
  }).join('\n');
}

// Prints and sends what happened, in at most so many characters.
const LONGEST = 100_000;

export function report(error, sources) {
  let name = 'Error', value = '', text = '';
  try {
    if (error instanceof Error) {
      name = String(error.name || error.constructor?.name || 'Error');
      value = String(error.message);
      text = inspect(error);
    } else {
      name = typeof error === 'object' && error !== null ? error.constructor?.name ?? 'Object' : 'Uncaught';
      value = typeof error === 'string' ? error : inspect(error);
      text = `Uncaught ${inspect(error)}`;
    }
  } catch {
    text ||= `${name}: ${value}`;
  }
  const out = isOutOfMemory(error);
  try {
    text = excerpt(error, sources) + text;
  } catch {
    // The place is a help, no more.
  }
  if (text.length > LONGEST) text = `${text.slice(0, LONGEST)} …`;
  try {
    write(2, `${text}\n`);
  } catch {
    // A script that used up everything has to be told by the event alone.
  }
  // The name by which the host knows that memory ran out.
  native.event(JSON.stringify({ type: 'error', name: out ? 'MemoryError' : name, value, traceback: `${text}\n` }).toWellFormed());
  return 1;
}

function isOutOfMemory(error) {
  return error instanceof Error && error.name === 'InternalError' && error.message === 'out of memory';
}

// `main.js:3` and that line, when the error comes from a script whose source is known.
function excerpt(error, sources) {
  if (!(error instanceof Error)) return '';
  for (const line of String(frames.get.call(error)).split('\n')) {
    const place = /(?:\(|at )([^\s()]+?):(\d+)(?::\d+)?\)?$/.exec(line);
    if (!place) continue;
    const source = sources.get(place[1]);
    if (source === undefined) continue;
    const code = source.split('\n')[place[2] - 1];
    if (code === undefined || code.trim() === '' || code.length > 300) return '';
    return `${place[1]}:${place[2]}\n${code.trimEnd()}\n\n`;
  }
  return '';
}
