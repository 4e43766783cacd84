// Tables: from a data resource or from the HTML that pandas writes, shown sorted and in pages.

import { button, download, h, replace } from "./dom.js";
import { icon } from "./icons.js";
import { strings } from "./strings.js";

const PAGE = 12;
const MAX_ROWS = 20_000;
const MAX_COLUMNS = 300;
const MAX_HTML_CHARS = 20_000_000;

/** Reads `{schema: {fields}, data, total_rows}`, rows as objects or arrays; null if it is not that. */
export function fromResource(value) {
  const fields = value?.schema?.fields;
  if (!Array.isArray(fields) || !Array.isArray(value.data)) return null;
  const shown = fields.slice(0, MAX_COLUMNS).map((field) => ({ name: String(field?.name ?? ""), numeric: isNumber(field?.type) }));
  const keys = shown.map((field) => field.name);
  const rows = value.data.slice(0, MAX_ROWS).map((row) => keys.map((key, i) => cell(Array.isArray(row) ? row[i] : row?.[key])));
  const index = Array.isArray(value.schema.primaryKey) ? value.schema.primaryKey : [value.schema.primaryKey];
  const columns = shown.map((field) => ({ ...field, index: index.includes(field.name) }));
  // pandas calls an index without a name "index".
  for (const column of columns) if (column.index && column.name === "index") column.name = "";
  return { columns, rows, total: Number(value.total_rows) || value.data.length };
}

const isNumber = (type) => type === "integer" || type === "number" || type === "float";

function cell(item) {
  if (item === null || item === undefined) return "";
  if (typeof item === "number" && !Number.isInteger(item)) return String(Number(item.toPrecision(8)));
  return typeof item === "object" ? JSON.stringify(item) : String(item);
}

const TABLE_TAGS = new Set(["table", "thead", "tbody", "tr", "th", "td", "p"]);

// Keeps the tags of a table and their spans; every other tag is dropped, every other `<` is text. Pandas' own <style>
// would otherwise be reported against the content security policy, which parsed documents inherit.
function onlyTable(html) {
  return html.replace(/<(?:(\/?)([a-z][a-z0-9]*)\b([^<>]{0,2000})>)?/gi, (_, slash, tag, attributes) => {
    if (tag === undefined) return "&lt;";
    if (!TABLE_TAGS.has(tag.toLowerCase())) return "";
    const spans = slash ? [] : attributes.match(/\b(?:col|row)span="?\d{1,4}\b/gi) ?? [];
    return `<${slash}${[tag, ...spans.map((span) => span.replace('"', ""))].join(" ")}>`;
  });
}

/**
 * Reads the first table of `html`; null if there is none. The document that DOMParser makes is inert (no script runs,
 * nothing loads), and only the text of its cells leaves this function.
 */
export function fromHtml(html) {
  if (typeof html !== "string" || html.length > MAX_HTML_CHARS) return null;
  const source = new DOMParser().parseFromString(onlyTable(html), "text/html");
  const table = source.querySelector("table");
  if (!table) return null;
  const head = grid([...table.querySelectorAll("thead > tr")]);
  let body = grid([...table.querySelectorAll("tbody > tr")].slice(0, MAX_ROWS));
  const width = Math.max(0, ...head.map((row) => row.length), ...body.map((row) => row.length));
  if (width === 0) return null;
  // Several header rows are the levels of a pandas MultiIndex, or a row that only names the index.
  const levels = Array.from({ length: width }, (_, i) => [...new Set(head.map((row) => row[i]?.text ?? "").filter(Boolean))]);
  const columns = levels.map((names, i) => {
    const index = body.length > 0 && body.every((row) => row[i]?.heading);
    // Above the name of an index stands the name of the columns, which is no part of it.
    return { name: index ? names.at(-1) ?? "" : names.join(" · "), index, numeric: looksNumeric(body, i) };
  });
  body = body.map((row) => Array.from({ length: width }, (_, i) => row[i]?.text ?? ""));
  const shape = /^\s*(\d+) rows × \d+ columns\s*$/m.exec(source.querySelector("p")?.textContent ?? "");
  return { columns, rows: body, total: shape ? Number(shape[1]) : body.length };
}

// Cells in rows, spans spread out: pandas merges equal values of a MultiIndex.
function grid(rows) {
  const out = rows.map(() => []);
  rows.forEach((row, y) => {
    let x = 0;
    for (const node of row.children) {
      if (node.tagName !== "TH" && node.tagName !== "TD") continue;
      while (out[y][x]) x += 1;
      if (x >= MAX_COLUMNS) break;
      const item = { text: node.textContent.trim(), heading: node.tagName === "TH" };
      const right = Math.min(node.colSpan || 1, MAX_COLUMNS - x);
      const down = Math.min(node.rowSpan || 1, rows.length - y);
      for (let dy = 0; dy < down; dy += 1) for (let dx = 0; dx < right; dx += 1) out[y + dy][x + dx] = item;
      x += right;
    }
  });
  return out;
}

const NUMBER = /^[-+−]?(?:\d[\d,]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?%?$/;
const MISSING = new Set(["", "NaN", "NaT", "None", "<NA>", "nan", "null", "..."]);

function looksNumeric(body, i) {
  const texts = body.map((row) => row[i]?.text ?? "").filter((text) => !MISSING.has(text));
  return texts.length > 0 && texts.every((text) => NUMBER.test(text));
}

const number = (text) => (NUMBER.test(text) ? Number(text.replaceAll(",", "").replace("−", "-").replace("%", "")) : NaN);

/** Orders row numbers by column `i`; missing values stay last in both directions. */
export function order(rows, i, numeric, direction) {
  const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
  const places = rows.map((_, place) => place);
  return places.sort((a, b) => {
    const [left, right] = [rows[a][i], rows[b][i]];
    const [noLeft, noRight] = [MISSING.has(left), MISSING.has(right)];
    if (noLeft || noRight) return noLeft - noRight || a - b;
    return direction * (numeric ? number(left) - number(right) : collator.compare(left, right)) || a - b;
  });
}

/** The table as a card with sortable headers and pages. `caption` names it for screen readers. */
export function tableView(data, { caption = strings.table, page = PAGE, save = true } = {}) {
  let sorted = { column: -1, direction: 1 };
  let places = data.rows.map((_, place) => place);
  let from = 0;
  const body = h("tbody");
  const range = h("span", { class: "pager-range", "aria-live": "polite" });
  const back = button({ label: strings.previous, icon: icon("chevron"), class: "icon-button turn-left", on: { click: () => show(from - page) } });
  const forth = button({ label: strings.next, icon: icon("chevron"), class: "icon-button turn-right", on: { click: () => show(from + page) } });
  const headers = data.columns.map((column, i) => {
    const name = column.name || (column.index ? "" : strings.unnamed);
    return h("th", { scope: "col", class: column.numeric ? "numeric" : null, "aria-sort": "none" },
      h("button", { type: "button", class: "sort", "aria-label": strings.sortBy(name || strings.indexColumn), on: { click: () => sort(i) } },
        h("span", {}, name || "#"), icon("chevron")));
  });

  function sort(i) {
    const again = sorted.column === i;
    sorted = again && sorted.direction < 0 ? { column: -1, direction: 1 } : { column: i, direction: again ? -1 : 1 };
    places = sorted.column < 0 ? data.rows.map((_, place) => place) : order(data.rows, i, data.columns[i].numeric, sorted.direction);
    headers.forEach((header, n) => header.setAttribute("aria-sort", n !== sorted.column ? "none" : sorted.direction > 0 ? "ascending" : "descending"));
    show(0);
  }

  function show(start) {
    from = start;
    const to = Math.min(from + page, places.length);
    replace(body, places.slice(from, to).map((place) => h("tr", {}, data.rows[place].map((text, i) => {
      const { numeric, index } = data.columns[i];
      const name = [numeric ? "numeric" : null, MISSING.has(text) ? "missing" : null].filter(Boolean).join(" ") || null;
      return h(index ? "th" : "td", { class: name, scope: index ? "row" : null }, text);
    }))));
    // The last page is filled up, so that the buttons stay under the pointer.
    if (places.length > page) for (let n = to - from; n < page; n += 1) body.append(h("tr", { class: "filler", "aria-hidden": "true" }, h("td", { colspan: data.columns.length }, "\u00a0")));
    range.textContent = strings.pageOf(places.length ? from + 1 : 0, to, places.length);
    back.disabled = from === 0;
    forth.disabled = to >= places.length;
  }

  show(0);
  const pages = data.rows.length > page;
  const part = data.total > data.rows.length ? h("span", {}, strings.partOf(data.rows.length, data.total)) : null;
  const csv = save ? button({ label: strings.saveCsv, icon: icon("download"), class: "icon-button", on: { click: () => download("table.csv", toCsv(data)) } }) : null;
  const foot = pages || part || csv
    ? h("div", { class: "card-foot" }, part ?? h("span", {}, strings.rows(data.total)), h("span", { class: "grow" }), pages ? [range, back, forth] : null, csv)
    : null;
  return h("div", { class: "card table-card" },
    h("div", { class: "table-scroll", tabindex: 0, role: "region", "aria-label": caption },
      h("table", { class: "grid" }, h("caption", { class: "visually-hidden" }, caption), h("thead", {}, h("tr", {}, headers)), body)),
    foot);
}

function toCsv(data) {
  // A leading quote stops a spreadsheet from running a cell as a formula; plain negative numbers are safe.
  const quote = (text) => {
    const safe = /^[=+@\t\r-]/.test(text) && !NUMBER.test(text) ? `'${text}` : text;
    return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const lines = [data.columns.map((column) => column.name), ...data.rows].map((row) => row.map(quote).join(","));
  return new Blob([`${lines.join("\n")}\n`], { type: "text/csv" });
}
