// console: log, info and debug on stdout; warn, error and trace on stderr.
import native from 'glovebox:native';
import { formatLog, inspect } from 'glovebox:inspect';

let indent = '';
let counts = new Map();
let started = new Map();

export function write(descriptor, text) {
  native.write(descriptor, text.isWellFormed() ? text : text.toWellFormed());
}

function say(descriptor, args) {
  let text = formatLog(args);
  if (indent !== '') text = indent + text.replaceAll('\n', `\n${indent}`);
  write(descriptor, `${text}\n`);
}

function elapsed(label) {
  const start = started.get(label);
  if (start === undefined) return undefined;
  const time = native.now() - start;
  return time >= 1000 ? `${(time / 1000).toFixed(3)}s` : `${time.toFixed(3).replace(/\.?0+$/, '')}ms`;
}

const console = {
  log(...args) {
    say(1, args);
  },
  warn(...args) {
    say(2, args);
  },
  dir(value, options) {
    write(1, `${indent}${inspect(value, { ...options })}\n`);
  },
  trace(...args) {
    say(2, [`Trace: ${formatLog(args)}\n${new Error().stack.split('\n').slice(2).join('\n')}`]);
  },
  assert(condition, ...args) {
    if (condition) return;
    if (typeof args[0] === 'string') args[0] = `Assertion failed: ${args[0]}`;
    else args.unshift('Assertion failed');
    say(2, args);
  },
  count(label = 'default') {
    counts.set(label, (counts.get(label) ?? 0) + 1);
    say(1, [`${label}: ${counts.get(label)}`]);
  },
  countReset(label = 'default') {
    counts.delete(label);
  },
  group(...args) {
    if (args.length) say(1, args);
    indent += '  ';
  },
  groupEnd() {
    indent = indent.slice(2);
  },
  time(label = 'default') {
    started.set(label, native.now());
  },
  timeLog(label = 'default', ...args) {
    say(1, [`${label}: ${elapsed(label)}`, ...args]);
  },
  timeEnd(label = 'default') {
    if (started.has(label)) say(1, [`${label}: ${elapsed(label)}`]);
    started.delete(label);
  },
  table(data, columns) {
    if (typeof data !== 'object' || data === null) return say(1, [data]);
    say(1, [table(data, columns)]);
  },
  clear() {},
};
console.info = console.debug = console.log;
console.error = console.warn;
console.groupCollapsed = console.group;
console.dirxml = console.log;
globalThis.console = console;

// What shells of QuickJS and V8 call it; the least that a script in this image can do.
globalThis.print = function print(...args) {
  say(1, args);
};

function table(data, only) {
  const isMap = data instanceof Map, isSet = data instanceof Set;
  const rows = isMap || isSet ? [...data].map((item, index) => [index, item]) : Object.keys(data).map((key) => [key, data[key]]);
  const names = [];
  let values = false;
  const cells = rows.map(([index, row]) => {
    const cell = new Map([['(index)', String(index)]]);
    if (typeof row === 'object' && row !== null && !isMap) {
      for (const key of only ?? Object.keys(row)) {
        if (!names.includes(key)) names.push(key);
        if (Object.hasOwn(row, key)) cell.set(key, inspect(row[key], { depth: 0 }));
      }
    } else {
      values = true;
      cell.set('Values', inspect(row, { depth: 0 }));
    }
    return cell;
  });
  const heads = ['(index)', ...names, ...(values ? ['Values'] : [])];
  const widths = heads.map((head) => Math.max(head.length, ...cells.map((cell) => (cell.get(head) ?? '').length)) + 2);
  const rule = (left, middle, right) => left + widths.map((width) => '─'.repeat(width)).join(middle) + right;
  const line = (texts) => `│${texts.map((text, i) => ` ${text}`.padEnd(widths[i])).join('│')}│`;
  const body = cells.map((cell) => line(heads.map((head) => cell.get(head) ?? '')));
  return [rule('┌', '┬', '┐'), line(heads), rule('├', '┼', '┤'), ...body, rule('└', '┴', '┘')].join('\n');
}

export function resetConsole() {
  indent = '';
}
export default console;
