// What changed between two programs, line by line.

import { h } from "./dom.js";
import { strings } from "./strings.js";

const MAX_CELLS = 4_000_000;
const CONTEXT = 3;

/** Lines as `{kind: "same"|"less"|"more", text}`, by the longest common subsequence. */
export function lineDiff(before, after) {
  let a = before.split("\n");
  let b = after.split("\n");
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a.at(-1 - end) === b.at(-1 - end)) end += 1;
  const same = (lines) => lines.map((text) => ({ kind: "same", text }));
  const head = same(a.slice(0, start));
  const tail = end > 0 ? same(a.slice(-end)) : [];
  a = a.slice(start, a.length - end);
  b = b.slice(start, b.length - end);
  return [...head, ...middle(a, b), ...tail];
}

function middle(a, b) {
  const out = [];
  const less = (text) => out.push({ kind: "less", text });
  const more = (text) => out.push({ kind: "more", text });
  // Two programs without anything in common would take long to find that out.
  if (a.length * b.length > MAX_CELLS) {
    a.forEach(less);
    b.forEach(more);
    return out;
  }
  const width = b.length + 1;
  const longest = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      longest[i * width + j] = a[i] === b[j] ? longest[(i + 1) * width + j + 1] + 1 : Math.max(longest[(i + 1) * width + j], longest[i * width + j + 1]);
    }
  }
  let [i, j] = [0, 0];
  while (i < a.length && j < b.length) {
    if (a[i] === b[j]) {
      out.push({ kind: "same", text: a[i] });
      i += 1;
      j += 1;
    } else if (longest[(i + 1) * width + j] >= longest[i * width + j + 1]) {
      less(a[i]);
      i += 1;
    } else {
      more(b[j]);
      j += 1;
    }
  }
  a.slice(i).forEach(less);
  b.slice(j).forEach(more);
  return out;
}

/** The changes with some lines around them. */
export function diffView(before, after) {
  const lines = lineDiff(before, after);
  const near = lines.map((_, i) => lines.slice(Math.max(0, i - CONTEXT), i + CONTEXT + 1).some((line) => line.kind !== "same"));
  const rows = [];
  let skipped = 0;
  const gap = () => {
    if (skipped > 0) rows.push(h("div", { class: "diff-gap" }, strings.unchanged(skipped)));
    skipped = 0;
  };
  lines.forEach((line, i) => {
    if (!near[i]) {
      skipped += 1;
      return;
    }
    gap();
    const sign = { same: " ", less: "−", more: "+" }[line.kind];
    const word = { same: null, less: strings.removed, more: strings.added }[line.kind];
    rows.push(h("div", { class: `diff-line diff-${line.kind}` }, h("span", { class: "diff-sign", "aria-hidden": "true" }, sign), word ? h("span", { class: "visually-hidden" }, word) : null, h("span", {}, line.text)));
  });
  gap();
  const changed = lines.some((line) => line.kind !== "same");
  return h("div", { class: "code diff", tabindex: 0, role: "region", "aria-label": strings.changes }, changed ? rows : h("p", { class: "hint" }, strings.noChange));
}
