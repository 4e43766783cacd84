// Python syntax colours: one pass over the text, one span for each coloured token.

import { h } from "./dom.js";

// Sticky alternatives, tried in this order at each place; none can backtrack over more than one line or string.
const TOKENS = [
  ["comment", /#[^\n]*/y],
  ["string", /[rbfuRBFU]{0,2}(?:"""[^\\]*?(?:\\[\s\S][^\\]*?)*?(?:"""|$)|'''[^\\]*?(?:\\[\s\S][^\\]*?)*?(?:'''|$))/y],
  ["string", /[rbfuRBFU]{0,2}(?:"(?:[^"\\\n]|\\[\s\S])*"?|'(?:[^'\\\n]|\\[\s\S])*'?)/y],
  ["number", /(?:0[xXoObB][\da-fA-F_]+|\d[\d_]*(?:\.[\d_]*)?(?:[eE][+-]?\d+)?j?|\.\d[\d_]*)/y],
  ["decorator", /@[A-Za-z_][\w.]*/y],
  ["word", /[A-Za-z_\u00aa-\uffff][\w\u00aa-\uffff]*/y],
  ["plain", /[^\w#"'@\u00aa-\uffff]+/y],
];

const KEYWORDS = new Set(("False None True and as assert async await break class continue def del elif else except finally for from " +
  "global if import in is lambda match nonlocal not or pass raise return try while with yield").split(" "));
const BUILTINS = new Set(("abs all any bool bytes dict display enumerate filter float format getattr hasattr int isinstance len list map " +
  "max min next open print range repr reversed round set sorted str sum tuple type zip").split(" "));

const MAX_COLOURED_CHARS = 60_000;

/** A `<pre>` with `source`; very long programs stay in one colour. */
export function program(source) {
  const code = h("code");
  if (source.length > MAX_COLOURED_CHARS) code.append(source);
  else code.append(...spans(source));
  return h("pre", { class: "code", tabindex: 0 }, code);
}

function spans(source) {
  const nodes = [];
  let plain = "";
  let before = "";
  const flush = () => {
    if (plain) nodes.push(document.createTextNode(plain));
    plain = "";
  };
  for (let at = 0; at < source.length;) {
    const [kind, text] = next(source, at);
    at += text.length;
    const colour = kind === "word" ? wordColour(text, before, source[at]) : kind === "plain" ? null : kind;
    if (text.trim()) before = text.trim();
    if (!colour) {
      plain += text;
      continue;
    }
    flush();
    nodes.push(h("span", { class: `tok-${colour}` }, text));
  }
  flush();
  return nodes;
}

function next(source, at) {
  for (const [kind, pattern] of TOKENS) {
    pattern.lastIndex = at;
    const match = pattern.exec(source);
    if (match?.[0]) return [kind, match[0]];
  }
  return ["plain", source[at]];
}

function wordColour(word, before, after) {
  if (KEYWORDS.has(word)) return "keyword";
  if (before === "def" || before === "class") return "name";
  if (before.endsWith(".")) return after === "(" ? "call" : null;
  if (BUILTINS.has(word)) return "builtin";
  return after === "(" ? "call" : null;
}
