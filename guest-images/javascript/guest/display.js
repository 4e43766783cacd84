// display: a value as a bundle of representations by media type, as notebooks know them.
import native from 'glovebox:native';
import { inspect } from 'glovebox:inspect';
import { base64 } from 'glovebox:web';

const JSON_TYPE = /^application\/(.+\+)?json$/;
const MIME = /^[a-z]+\/[a-z0-9][a-z0-9.+-]*$/i;
const VEGA_LITE = 'application/vnd.vegalite.v5+json';
const VEGA = 'application/vnd.vega.v5+json';

// Methods of a value that give a representation of it.
const METHODS = { toSVG: 'image/svg+xml', toHTML: 'text/html', toMarkdown: 'text/markdown' };

globalThis.display = function display(...values) {
  for (const value of values) show(value, false);
};
// Names that make a string more than text: display(html`<b>1</b>`) or display(svg(text)).
for (const [name, mime] of [['html', 'text/html'], ['svg', 'image/svg+xml'], ['markdown', 'text/markdown']]) {
  globalThis.display[name] = (text) => show({ [mime]: text }, false);
}

export function show(value, main) {
  const event = { type: 'display', data: bundle(value), main };
  native.event(JSON.stringify(event).toWellFormed());
}

function bundle(value) {
  const data = {};
  if (typeof value === 'object' && value !== null) {
    if (isBundle(value)) {
      for (const mime of Object.keys(value)) {
        const item = representation(mime, value[mime]);
        if (item !== undefined) data[mime] = item;
      }
      data['text/plain'] ??= summary(data);
      return data;
    }
    for (const method in METHODS) {
      const text = attempt(() => (typeof value[method] === 'function' ? value[method]() : undefined));
      if (typeof text === 'string') data[METHODS[method]] = text;
    }
    const outer = attempt(() => value.outerHTML);
    if (typeof outer === 'string') data[outer.trimStart().startsWith('<svg') ? 'image/svg+xml' : 'text/html'] ??= outer;
    const mime = vega(value);
    if (mime) data[mime] = attempt(() => JSON.parse(JSON.stringify(value)));
  } else if (typeof value === 'string' && /^\s*(<\?xml[^>]*>\s*)?<svg[\s>]/.test(value) && value.trimEnd().endsWith('</svg>')) {
    data['image/svg+xml'] = value;
  }
  data['text/plain'] = attempt(() => inspect(value)) ?? Object.prototype.toString.call(value);
  return data;
}

function isBundle(value) {
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return false;
  const keys = Object.keys(value);
  return keys.length > 0 && keys.every((key) => MIME.test(key));
}

// JSON types as JSON, bytes as base64, the rest as text.
function representation(mime, value) {
  if (value === undefined || value === null) return undefined;
  if (value instanceof Uint8Array) {
    return mime.startsWith('text/') || mime === 'image/svg+xml' ? native.decode(value, false) : base64(value);
  }
  if (JSON_TYPE.test(mime)) {
    if (typeof value === 'string') return attempt(() => JSON.parse(value)) ?? value;
    return attempt(() => JSON.parse(JSON.stringify(value)));
  }
  return Array.isArray(value) ? value.join('') : String(value);
}

function summary(data) {
  const mime = Object.keys(data)[0];
  return mime ? `[${mime}]` : '';
}

function vega(value) {
  const schema = attempt(() => value.$schema);
  if (typeof schema !== 'string') return undefined;
  if (/\/vega-lite\//.test(schema)) return VEGA_LITE;
  return /\/schema\/vega\//.test(schema) ? VEGA : undefined;
}

function attempt(work) {
  try {
    return work();
  } catch {
    return undefined;
  }
}
