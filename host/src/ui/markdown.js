// The part of Markdown that explanations use, as DOM nodes: headings, paragraphs, lists, quotes, tables, fenced code,
// bold, italic, code and http(s) links. No images, no raw HTML: what is not understood is shown as it was written.

import { h } from "./dom.js";
import { program } from "./highlight.js";
import { strings } from "./strings.js";

const MAX_CHARS = 200_000;
const MAX_LINES = 5000;
const MAX_DEPTH = 6;

/** Renders `text` into a `<div>`. */
export function markdown(text) {
  const lines = String(text ?? "").slice(0, MAX_CHARS).replaceAll("\r", "").split("\n", MAX_LINES);
  return h("div", { class: "prose" }, blocks(lines, 0));
}

const ITEM = /^( *)(?:([-*+])|(\d{1,9})[.)]) +/;
const HEADING = /^(#{1,6}) +/;
const FENCE = /^ {0,3}(```+|~~~+) *([\w+-]*)/;
const RULE = /^ {0,3}(?:-{3,}|\*{3,}|_{3,}) *$/;
const startsBlock = (line) => !line.trim() || HEADING.test(line) || FENCE.test(line) || RULE.test(line) || ITEM.test(line) || line.startsWith(">");

function blocks(lines, depth) {
  const nodes = [];
  for (let i = 0; i < lines.length;) {
    const line = lines[i];
    const rest = () => lines.slice(i);
    let taken;
    if (!line.trim()) {
      i += 1;
      continue;
    } else if ((taken = FENCE.exec(line))) i += fence(rest(), taken, nodes);
    else if ((taken = HEADING.exec(line))) {
      // The page has its own h1 and h2; an explanation's headings go below them.
      const level = Math.min(taken[1].length + 2, 6);
      nodes.push(h(`h${level}`, {}, inline(line.slice(taken[0].length).replace(/ #+ *$/, ""), 0)));
      i += 1;
    } else if (RULE.test(line)) {
      nodes.push(h("hr"));
      i += 1;
    } else if (line.startsWith(">") && depth < MAX_DEPTH) i += quote(rest(), depth, nodes);
    else if (ITEM.test(line) && depth < MAX_DEPTH) i += listOf(rest(), depth, nodes);
    else if (line.includes("|") && isDelimiterRow(lines[i + 1])) i += table(rest(), nodes);
    else i += paragraph(rest(), nodes);
  }
  return nodes;
}

function paragraph(lines, nodes) {
  let n = 1;
  while (n < lines.length && !startsBlock(lines[n])) n += 1;
  nodes.push(h("p", {}, inline(lines.slice(0, n).map((line) => line.trim()).join("\n"), 0)));
  return n;
}

function fence(lines, open, nodes) {
  let end = 1;
  while (end < lines.length && !lines[end].trim().startsWith(open[1])) end += 1;
  const source = lines.slice(1, end).join("\n");
  const python = !open[2] || /^py/i.test(open[2]);
  nodes.push(python ? program(source) : h("pre", { class: "code", tabindex: 0 }, h("code", {}, source)));
  return end + 1;
}

function quote(lines, depth, nodes) {
  let n = 0;
  while (n < lines.length && lines[n].startsWith(">")) n += 1;
  nodes.push(h("blockquote", {}, blocks(lines.slice(0, n).map((line) => line.replace(/^> ?/, "")), depth + 1)));
  return n;
}

function listOf(lines, depth, nodes) {
  const first = ITEM.exec(lines[0]);
  const indent = first[1].length;
  const ordered = first[3] !== undefined;
  const items = [];
  let n = 0;
  while (n < lines.length) {
    const item = ITEM.exec(lines[n]);
    if (item && item[1].length <= indent) {
      if (item[1].length < indent || (item[3] !== undefined) !== ordered) break;
      items.push([lines[n].slice(item[0].length)]);
    } else if (lines[n].trim() && (/^ /.test(lines[n]) || !startsBlock(lines[n]))) {
      items.at(-1).push(outdent(lines[n], first[0].length));
    } else if (!lines[n].trim() && (ITEM.test(lines[n + 1] ?? "") || /^ {2}/.test(lines[n + 1] ?? ""))) {
      items.at(-1).push("");
    } else break;
    n += 1;
  }
  const start = ordered && Number(first[3]) !== 1 ? Number(first[3]) : null;
  nodes.push(h(ordered ? "ol" : "ul", { start }, items.map((item) => h("li", {}, tight(blocks(item, depth + 1))))));
  return n;
}

// A lone paragraph in an item needs no paragraph's margins.
const tight = (nodes) => (nodes[0]?.tagName === "P" ? [...nodes[0].childNodes, ...nodes.slice(1)] : nodes);

function outdent(line, width) {
  let n = 0;
  while (n < width && line[n] === " ") n += 1;
  return line.slice(n);
}

const isDelimiterRow = (line) => line !== undefined && line.includes("-") && line.includes("|") && /^[ |:-]+$/.test(line);

function table(lines, nodes) {
  const cells = (line) => line.trim().replace(/^\||\|$/g, "").split("|").map((cell) => inline(cell.trim(), 0));
  let n = 2;
  while (n < lines.length && lines[n].includes("|")) n += 1;
  nodes.push(h("div", { class: "table-scroll" }, h("table", { class: "grid" },
    h("thead", {}, h("tr", {}, cells(lines[0]).map((cell) => h("th", { scope: "col" }, cell)))),
    h("tbody", {}, lines.slice(2, n).map((line) => h("tr", {}, cells(line).map((cell) => h("td", {}, cell))))))));
  return n;
}

/** Bold, italic, code and links of one paragraph. Every search goes forward only, with a bounded reach. */
function inline(text, depth) {
  const nodes = [];
  let plain = "";
  const flush = () => {
    if (plain) nodes.push(document.createTextNode(plain));
    plain = "";
  };
  for (let i = 0; i < text.length;) {
    const found = depth < MAX_DEPTH ? span(text, i, depth) : null;
    if (found) {
      flush();
      nodes.push(found.node);
      i = found.end;
    } else if (text[i] === "\\" && /[\\`*_{}[\]()#+\-.!|>]/.test(text[i + 1] ?? "")) {
      plain += text[i + 1];
      i += 2;
    } else {
      plain += text[i];
      i += 1;
    }
  }
  flush();
  return nodes;
}

const REACH = 2000;
const word = (char) => char !== undefined && /[\p{L}\p{N}]/u.test(char);

function span(text, i, depth) {
  const char = text[i];
  if (char === "`") {
    const ticks = text.startsWith("``", i) ? "``" : "`";
    const end = find(text, ticks, i + ticks.length);
    return end < 0 ? null : { node: h("code", {}, text.slice(i + ticks.length, end).trim()), end: end + ticks.length };
  }
  if (char === "*" || char === "_") {
    const mark = text[i + 1] === char ? char + char : char;
    const from = i + mark.length;
    // body_mass_g is a name, not emphasis.
    if (!text[from] || /\s/.test(text[from]) || (char === "_" && word(text[i - 1]))) return null;
    let end = find(text, mark, from + 1);
    if (end > 0 && mark.length === 1 && text[end + 1] === char) end = find(text, mark, end + 2);
    if (end < 0 || /\s/.test(text[end - 1]) || (char === "_" && word(text[end + mark.length]))) return null;
    return { node: h(mark.length === 2 ? "strong" : "em", {}, inline(text.slice(from, end), depth + 1)), end: end + mark.length };
  }
  if (char === "!" && text[i + 1] === "[") {
    // Asking another server for a picture would tell it that somebody reads this.
    const middle = find(text, "](", i + 2);
    const end = middle < 0 ? -1 : find(text, ")", middle + 2);
    return end < 0 ? null : { node: h("em", { class: "remote-picture" }, text.slice(i + 2, middle), " ", strings.remotePicture), end: end + 1 };
  }
  if (char === "[") {
    const middle = find(text, "](", i + 1);
    const end = middle < 0 ? -1 : find(text, ")", middle + 2);
    if (end < 0) return null;
    const target = safeUrl(text.slice(middle + 2, end).trim().split(/\s/)[0]);
    const label = inline(text.slice(i + 1, middle), depth + 1);
    return { node: target ? link(target, label) : h("span", {}, label), end: end + 1 };
  }
  if (char === "h" && !word(text[i - 1]) && (text.startsWith("https://", i) || text.startsWith("http://", i))) {
    const match = /^[^\s<>"'`)\]]{8,1000}/.exec(text.slice(i, i + 1000))?.[0].replace(/[.,;:!?]+$/, "");
    const target = match && safeUrl(match);
    return target ? { node: link(target, match), end: i + match.length } : null;
  }
  return null;
}

function find(text, what, from) {
  const at = text.slice(from, from + REACH).indexOf(what);
  return at < 0 ? -1 : from + at;
}

const link = (href, label) => h("a", { href, target: "_blank", rel: "noopener noreferrer nofollow" }, label);

function safeUrl(text) {
  try {
    const parsed = new URL(text);
    return parsed.protocol === "https:" || parsed.protocol === "http:" ? parsed.href : null;
  } catch {
    return null;
  }
}
