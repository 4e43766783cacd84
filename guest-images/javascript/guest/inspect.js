// inspect: a value as text, as Node's util.inspect writes it.

const CUSTOM = Symbol.for('nodejs.util.inspect.custom');
const DEFAULTS = {
  depth: 2, breakLength: 80, compact: 3, maxArrayLength: 100, maxStringLength: 10000, showHidden: false, sorted: false,
  getters: false,
};
const NAME = /^[A-Za-z_$][A-Za-z0-9_$]*$/;
const TypedArray = Object.getPrototypeOf(Uint8Array);
const typeName = Object.getOwnPropertyDescriptor(TypedArray.prototype, Symbol.toStringTag).get;

export function inspect(value, options, ...legacy) {
  if (typeof options === 'boolean') options = { showHidden: options, depth: legacy[0] };
  const context = { ...DEFAULTS, ...options, seen: [], circular: undefined, indentation: 0, currentDepth: 0 };
  if (context.depth === null || context.depth === undefined) context.depth = options?.depth === null ? Infinity : 2;
  if (context.maxArrayLength === null) context.maxArrayLength = Infinity;
  if (context.maxStringLength === null) context.maxStringLength = Infinity;
  return format(context, value, 0, true);
}
inspect.custom = CUSTOM;
inspect.defaultOptions = DEFAULTS;

function format(context, value, level, top) {
  if (typeof value !== 'object' && typeof value !== 'function') return primitive(context, value, level);
  if (value === null) return 'null';
  const custom = read(value, CUSTOM);
  if (typeof custom === 'function' && custom !== inspect) {
    const depth = context.depth - level;
    const shown = custom.call(value, depth, { ...context, depth, seen: undefined }, inspect);
    if (typeof shown !== 'object') return `${shown}`.replaceAll('\n', `\n${' '.repeat(context.indentation)}`);
    if (shown !== value) return format(context, shown, level);
  }
  if (context.seen.includes(value)) {
    context.circular ??= new Map();
    if (!context.circular.has(value)) context.circular.set(value, context.circular.size + 1);
    return `[Circular *${context.circular.get(value)}]`;
  }
  return object(context, value, level, top);
}

function read(value, key) {
  try {
    return value[key];
  } catch {
    return undefined;
  }
}

export function quote(text) {
  let mark = "'";
  if (text.includes("'")) mark = !text.includes('"') ? '"' : !text.includes('`') && !text.includes('${') ? '`' : "'";
  const escaped = text.toWellFormed === undefined || text.isWellFormed() ? text : escapeLone(text);
  return mark + escaped.replace(/[\x00-\x1f\x7f-\x9f\\'"`]/g, (char) => {
    if (char === '"' || char === "'" || char === '`') return char === mark ? `\\${char}` : char;
    const short = { '\n': '\\n', '\t': '\\t', '\r': '\\r', '\b': '\\b', '\f': '\\f', '\v': '\\v', '\\': '\\\\' }[char];
    return short ?? `\\x${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
  }) + mark;
}

function escapeLone(text) {
  let result = '';
  for (const char of text) {
    const code = char.codePointAt(0);
    result += code >= 0xd800 && code <= 0xdfff ? `\\u${code.toString(16).toUpperCase()}` : char;
  }
  return result;
}

function primitive(context, value, level) {
  switch (typeof value) {
    case 'string': {
      let rest = '';
      if (value.length > context.maxStringLength) {
        const more = value.length - context.maxStringLength;
        value = value.slice(0, context.maxStringLength);
        rest = `... ${more} more character${more > 1 ? 's' : ''}`;
      }
      if (context.compact !== true && value.length > 16 && level > 0 &&
          value.length > context.breakLength - context.indentation - 4) {
        const lines = value.split(/(?<=\n)/).map(quote);
        return lines.join(` +\n${' '.repeat(context.indentation + 2)}`) + rest;
      }
      return quote(value) + rest;
    }
    case 'number':
      return Object.is(value, -0) ? '-0' : `${value}`;
    case 'bigint':
      return `${value}n`;
    default:
      return String(value);
  }
}

// Name of the class that a value is of; null for one without prototype.
function constructorName(value) {
  for (let object = value; object !== null; object = Object.getPrototypeOf(object)) {
    const own = Object.getOwnPropertyDescriptor(object, 'constructor');
    if (own && typeof own.value === 'function' && own.value.name !== '') {
      try {
        if (value instanceof own.value || object === value || value === own.value.prototype) return own.value.name;
      } catch {
        // A class may refuse to be asked.
      }
    }
  }
  return null;
}

function prefix(name, tag, fallback, size = '') {
  if (name === null) {
    return tag !== '' && tag !== fallback ? `[${fallback}${size}: null prototype] [${tag}] ` : `[${fallback}${size}: null prototype] `;
  }
  return tag !== '' && tag !== name ? `${name}${size} [${tag}] ` : `${name}${size} `;
}

function object(context, value, level, top) {
  const name = constructorName(value);
  let tag = read(value, Symbol.toStringTag);
  if (typeof tag !== 'string' || tag === '' || tag === name) tag = '';
  let keys = ownKeys(context, value);
  let base = '', braces = ['{', '}'], entries = () => [], list = false;

  if (Array.isArray(value)) {
    keys = nonIndexKeys(value, keys);
    const start = name !== 'Array' || tag !== '' ? prefix(name, tag, 'Array', `(${value.length})`) : '';
    braces = [`${start}[`, ']'];
    if (value.length === 0 && keys.length === 0) return `${braces[0]}]`;
    list = true;
    entries = () => arrayItems(context, value, level);
  } else if (value instanceof TypedArray && typeName.call(value)) {
    keys = nonIndexKeys(value, keys);
    braces = [`${prefix(name, tag === typeName.call(value) ? '' : tag, typeName.call(value), `(${value.length})`)}[`, ']'];
    if (value.length === 0 && keys.length === 0) return `${braces[0]}]`;
    list = true;
    entries = () => typedItems(context, value);
  } else if (value instanceof Set && isReal(Set.prototype, 'size', value)) {
    braces[0] = `${prefix(name, tag, 'Set', `(${value.size})`)}{`;
    if (value.size === 0 && keys.length === 0) return `${braces[0]}}`;
    entries = () => inner(context, () => limited(context, value, (item) => format(context, item, level + 1)));
  } else if (value instanceof Map && isReal(Map.prototype, 'size', value)) {
    braces[0] = `${prefix(name, tag, 'Map', `(${value.size})`)}{`;
    if (value.size === 0 && keys.length === 0) return `${braces[0]}}`;
    const pair = ([key, item]) => `${format(context, key, level + 1)} => ${format(context, item, level + 1)}`;
    entries = () => inner(context, () => limited(context, value, pair));
  } else if (typeof value === 'function') {
    base = functionBase(value, name, tag);
    if (keys.length === 0) return base;
  } else if (value instanceof RegExp) {
    base = RegExp.prototype.toString.call(value);
    if (keys.length === 0) return base;
  } else if (value instanceof Date) {
    base = Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
    if (name !== 'Date') base = `${prefix(name, tag, 'Date')}${base}`;
    if (keys.length === 0) return base;
  } else if (value instanceof Error) {
    base = errorText(value, keys);
    keys = keys.filter((key) => !(['name', 'message', 'stack'].includes(key) && base.includes(String(value[key]))));
    if (Object.hasOwn(value, 'cause') && !keys.includes('cause')) keys.push('cause');
    if (Array.isArray(value.errors) && Object.hasOwn(value, 'errors') && !keys.includes('errors')) keys.push('errors');
    if (context.indentation) base = base.replaceAll('\n', `\n${' '.repeat(context.indentation)}`);
    if (keys.length === 0) return base;
  } else if (value instanceof ArrayBuffer) {
    const bytes = new Uint8Array(value);
    const hex = [...bytes.subarray(0, 50)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const more = bytes.length > 50 ? ` ... ${bytes.length - 50} more byte${bytes.length > 51 ? 's' : ''}` : '';
    braces[0] = `${prefix(name, tag, 'ArrayBuffer')}{`;
    entries = () => [`[Uint8Contents]: <${hex}${more}>`, `byteLength: ${value.byteLength}`];
  } else if (value instanceof DataView) {
    braces[0] = `${prefix(name, tag, 'DataView')}{`;
    entries = () => [`byteLength: ${value.byteLength}`, `byteOffset: ${value.byteOffset}`,
                     inner(context, () => `buffer: ${format(context, value.buffer, level + 1)}`)];
  } else if (value instanceof Promise) {
    braces[0] = `${prefix(name, tag, 'Promise')}{`;
  } else if (value instanceof WeakSet || value instanceof WeakMap) {
    braces[0] = `${prefix(name, tag, 'WeakMap')}{`;
    entries = () => ['<items unknown>'];
  } else if (value instanceof Number || value instanceof String || value instanceof Boolean) {
    const plain = value.valueOf();
    base = `[${name}: ${primitive(context, plain, 0)}]`;
    if (typeof plain === 'string') keys = keys.filter((key) => !/^\d+$/.test(String(key)));
    if (keys.length === 0) return base;
  } else if (tag === 'Generator' || tag === 'AsyncGenerator') {
    braces[0] = `Object [${tag}] {`;
  } else if (tag === 'Module' || name === null && tag === 'Module') {
    braces[0] = '[Module: null prototype] {';
    keys = Object.keys(value);
  } else {
    const start = name === 'Object' && tag === '' ? '' : prefix(name, tag, 'Object');
    braces[0] = `${start}{`;
    if (keys.length === 0) return `${braces[0]}}`;
  }

  if (level > context.depth) {
    const shown = list ? 'Array' : name ?? 'Object: null prototype';
    return base !== '' ? base : `[${tag !== '' && !list ? `${shown} [${tag}]` : shown === 'Array' ? name ?? 'Array' : shown}]`;
  }
  context.seen.push(value);
  context.currentDepth = level;
  const output = entries();
  for (const key of keys) output.push(property(context, value, level, key, list));
  context.seen.pop();

  if (context.circular?.has(value)) {
    const reference = `<ref *${context.circular.get(value)}>`;
    if (base !== '') base = `${reference} ${base}`;
    else braces[0] = `${reference} ${braces[0]}`;
  }
  if (context.sorted && !list) output.sort(typeof context.sorted === 'function' ? context.sorted : undefined);
  return reduce(context, output, base, braces, list, level, value);
}

function isReal(prototype, key, value) {
  try {
    Object.getOwnPropertyDescriptor(prototype, key).get.call(value);
    return true;
  } catch {
    return false;
  }
}

function ownKeys(context, value) {
  const keys = context.showHidden ? Object.getOwnPropertyNames(value) : Object.keys(value);
  for (const symbol of Object.getOwnPropertySymbols(value)) {
    if (Object.prototype.propertyIsEnumerable.call(value, symbol)) keys.push(symbol);
  }
  return keys;
}

function nonIndexKeys(value, keys) {
  if (keys.length === value.length && typeof keys.at(-1) === 'string' && keys.at(-1) === String(value.length - 1)) return [];
  return keys.filter((key) => typeof key === 'symbol' || !/^(0|[1-9]\d*)$/.test(key) && key !== 'length');
}

function inner(context, work) {
  context.indentation += 2;
  const result = work();
  context.indentation -= 2;
  return result;
}

function limited(context, items, write) {
  const output = [];
  let index = 0;
  for (const item of items) {
    if (index++ >= context.maxArrayLength) continue;
    output.push(write(item));
  }
  if (index > context.maxArrayLength) output.push(more(index - context.maxArrayLength));
  return output;
}

function more(count) {
  return `... ${count} more item${count > 1 ? 's' : ''}`;
}

function arrayItems(context, value, level) {
  const output = [];
  let index = 0;
  while (index < value.length && output.length < context.maxArrayLength) {
    if (Object.hasOwn(value, index)) {
      output.push(property(context, value, level, index++, true, true));
      continue;
    }
    const start = index;
    while (index < value.length && !Object.hasOwn(value, index)) index++;
    output.push(`<${index - start} empty item${index - start > 1 ? 's' : ''}>`);
  }
  if (index < value.length) output.push(more(value.length - index));
  return output;
}

function typedItems(context, value) {
  const output = [];
  for (const item of value.subarray(0, Math.min(value.length, context.maxArrayLength))) output.push(primitive(context, item, 1));
  if (value.length > context.maxArrayLength) output.push(more(value.length - context.maxArrayLength));
  return output;
}

function property(context, value, level, key, list, item) {
  let text;
  const own = Object.getOwnPropertyDescriptor(value, key) ?? { value: value[key], enumerable: true };
  const difference = list || context.compact !== true ? 2 : 3;
  if (own.value !== undefined || !own.get && !own.set) {
    context.indentation += difference;
    text = format(context, own.value, level + 1);
    if (difference === 3 && context.breakLength < text.length) text = `\n${' '.repeat(context.indentation)}${text}`;
    context.indentation -= difference;
  } else if (own.get) {
    text = own.set ? '[Getter/Setter]' : '[Getter]';
  } else {
    text = '[Setter]';
  }
  if (item) return text;
  const name = typeof key === 'symbol' ? `[${String(key)}]` : NAME.test(key) ? key : quote(key);
  return own.enumerable === false ? `[${typeof key === 'symbol' ? String(key) : key}]: ${text}` : `${name}: ${text}`;
}

function functionBase(value, name, tag) {
  const source = Function.prototype.toString.call(value);
  if (source.startsWith('class') && source.endsWith('}')) {
    const parent = Object.getPrototypeOf(value)?.name;
    const shown = Object.hasOwn(value, 'name') && value.name !== '' ? value.name : '(anonymous)';
    return `[class ${shown}${parent ? ` extends ${parent}` : ''}]`;
  }
  const kind = { AsyncFunction: 'AsyncFunction', GeneratorFunction: 'GeneratorFunction', AsyncGeneratorFunction: 'AsyncGeneratorFunction' }[tag || name] ?? 'Function';
  return typeof value.name === 'string' && value.name !== '' ? `[${kind}: ${value.name}]` : `[${kind} (anonymous)]`;
}

// An error's stack, which begins with its name and message.
function errorText(error) {
  const stack = read(error, 'stack');
  if (typeof stack === 'string' && stack !== '') return stack.trimEnd();
  return `[${Error.prototype.toString.call(error)}]`;
}

function reduce(context, output, base, braces, list, level, value) {
  const start = base === '' ? '' : `${base} `;
  if (typeof context.compact === 'number' && context.compact >= 1) {
    const entries = output.length;
    if (list && entries > 6) output = columns(context, output, value);
    if (context.currentDepth - level < context.compact && entries === output.length) {
      let length = output.length + (output.length + context.indentation + braces[0].length + base.length + 10);
      for (const text of output) length += text.length;
      if (length <= context.breakLength && !base.includes('\n')) {
        const joined = output.join(', ');
        if (!joined.includes('\n')) return output.length ? `${start}${braces[0]} ${joined} ${braces[1]}` : `${start}${braces[0]}${braces[1]}`;
      }
    }
  }
  if (output.length === 0) return `${start}${braces[0]}${braces[1]}`;
  const line = `\n${' '.repeat(context.indentation)}`;
  return `${start}${braces[0]}${line}  ${output.join(`,${line}  `)}${line}${braces[1]}`;
}

// More than six short items stand in columns.
function columns(context, output, value) {
  let total = 0, longest = 0;
  const count = output.length - (context.maxArrayLength < output.length ? 1 : 0);
  const lengths = [];
  for (let i = 0; i < count; i++) {
    const length = output[i].length;
    lengths.push(length);
    total += length + 2;
    if (length > longest) longest = length;
  }
  const width = longest + 2;
  if (width * 3 + context.indentation >= context.breakLength || !(total / width > 5 || longest <= 6)) return output;
  const biased = Math.max(width - Math.sqrt(width - total / output.length), 1);
  const wide = Math.min(
    Math.round(Math.sqrt(2.5 * biased * count) / biased), Math.floor((context.breakLength - context.indentation) / width),
    context.compact * 4, 15);
  if (wide <= 1) return output;
  const widths = [];
  for (let i = 0; i < wide; i++) {
    let widest = 0;
    for (let j = i; j < count; j += wide) if (lengths[j] > widest) widest = lengths[j];
    widths.push(widest + 2);
  }
  let numbers = value !== undefined;
  for (let i = 0; numbers && i < output.length; i++) numbers = typeof value[i] === 'number' || typeof value[i] === 'bigint';
  const lines = [];
  for (let i = 0; i < count; i += wide) {
    const end = Math.min(i + wide, count);
    let line = '';
    for (let j = i; j < end; j++) {
      const text = j < end - 1 ? `${output[j]}, ` : output[j];
      const room = widths[j - i] - (j < end - 1 ? 0 : 2);
      line += numbers ? text.padStart(room) : j < end - 1 ? text.padEnd(room) : text;
    }
    lines.push(line);
  }
  if (count < output.length) lines.push(output[count]);
  return lines;
}

// As console.log: the first argument may hold %s, %d, %i, %f, %j, %o, %O, %c.
export function formatLog(args, options) {
  if (args.length === 1 && typeof args[0] === 'string') return args[0];
  const parts = [];
  let next = 0;
  if (typeof args[0] === 'string') {
    next = 1;
    parts.push(args.length === 1 ? args[0] : args[0].replace(/%[sdifjoOc%]/g, (mark) => {
      if (mark === '%%') return '%';
      if (next >= args.length) return mark;
      const value = args[next++];
      switch (mark) {
        case '%s':
          if (typeof value === 'bigint') return `${value}n`;
          if (typeof value === 'object' && value !== null && !hasOwnToString(value)) return inspect(value, { ...options, depth: 0 });
          return String(value);
        case '%d':
          return typeof value === 'bigint' ? `${value}n` : typeof value === 'object' ? 'NaN' : String(Number(value));
        case '%i':
          return typeof value === 'bigint' ? `${value}n` : typeof value === 'object' ? 'NaN' : String(Number.parseInt(value));
        case '%f':
          return String(Number.parseFloat(value));
        case '%j':
          return json(value);
        case '%o':
          return inspect(value, { ...options, showHidden: false, depth: 4 });
        case '%O':
          return inspect(value, options);
        default:
          return '';
      }
    }));
  }
  for (; next < args.length; next++) parts.push(typeof args[next] === 'string' ? args[next] : inspect(args[next], options));
  return parts.join(' ');
}

function hasOwnToString(value) {
  return value instanceof Error || typeof value.toString === 'function' && value.toString !== Object.prototype.toString &&
    value.toString !== Array.prototype.toString && !(value instanceof Date);
}

function json(value) {
  try {
    return String(JSON.stringify(value));
  } catch {
    return '[Circular]';
  }
}
