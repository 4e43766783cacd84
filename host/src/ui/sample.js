// What is known of a file: facts, columns with little charts, first rows; or a picture, or the beginning of a text.

import { source } from "./auth.js";
import { button, h, replace, svg } from "./dom.js";
import { playerView, textView } from "./display.js";
import * as format from "./format.js";
import { icon } from "./icons.js";
import { strings } from "./strings.js";
import { tableView } from "./table.js";
import { url } from "./api.js";

const FIRST_COLUMNS = 24;

/** The facts of a sample in short, such as `344 rows`, `8 columns`, `15.2 KB`. */
export function facts(sample) {
  const size = format.bytes(sample.size);
  if (sample.kind === "table") return [rows(sample), strings.columns(sample.columns.length), size];
  if (sample.kind === "workbook") return [strings.sheets(sample.sheets.length), size];
  if (sample.kind === "database") return [strings.tables(sample.tables.length), size];
  if (sample.kind === "document") return [sample.format.toUpperCase(), strings.pages(sample.pages), sample.title, size];
  if (sample.kind === "archive") return [sample.format, strings.filesInside(sample.files, sample.files_estimated), strings.unpacked(format.bytes(sample.unpacked_bytes)), size];
  if (sample.kind === "media") return [sample.format, sample.duration_ms > 0 ? format.duration(sample.duration_ms) : null, ...sample.streams.map(stream), size];
  if (sample.kind === "text") return [strings.lines(sample.lines), sample.encoding, size];
  if (sample.kind === "image") {
    const motion = sample.frames > 1 ? [strings.frames(sample.frames), format.duration(sample.duration_ms)] : [strings.still];
    return [sample.format.toUpperCase(), `${sample.width} × ${sample.height}`, ...motion, sample.color, size];
  }
  return [sample.media_type, size];
}

/** A stream of audio or video in short, such as `h264 640 × 360, 25 fps`. */
function stream({ kind, codec, width, height, frames_per_second: rate, channels, sample_rate: samples }) {
  if (kind === "video") return `${codec} ${width} × ${height}${rate > 0 ? `, ${strings.framesPerSecond(rate)}` : ""}`;
  if (kind === "audio") return `${codec} ${strings.channels(channels)}, ${strings.hertz(samples)}`;
  return `${kind} ${codec}`;
}

const rows = (table) => (table.rows_estimated ? strings.rowsEstimated(table.rows) : strings.rows(table.rows));

/** The whole view of a file. */
export function sampleView(file, sample) {
  return h("div", { class: "sample" },
    h("p", { class: "facts" }, facts(sample).filter(Boolean).map((fact) => h("span", {}, fact))),
    (sample.notes ?? []).map((note) => h("p", { class: "hint" }, icon("alert"), h("span", {}, format.sentence(note)))),
    content(file, sample));
}

function content(file, sample) {
  switch (sample.kind) {
    case "table":
      return tableSample(sample);
    case "workbook":
      return sample.sheets.map((sheet) => h("section", { class: "sheet" },
        h("h3", {}, sheet.name, h("small", {}, rows(sheet.table))), tableSample(sheet.table)));
    case "database":
      return sample.tables.map((table) => h("section", { class: "sheet" },
        h("h3", {}, table.name, h("small", {}, rows(table.table))), tableSample(table.table)));
    case "document":
      return sample.preview ? textView(sample.preview) : h("p", { class: "hint" }, strings.noText);
    case "media":
      return h("div", { class: "card thumbnail" }, playerView({ src: url("files", file.id, "content"), mime: sample.media_type, about: sample.name }));
    case "archive":
      return [
        h("ul", { class: "entries" }, sample.entries.map((entry) => h("li", {}, h("span", {}, entry.name), h("small", {}, format.bytes(entry.size))))),
        sample.inner ? [h("h3", {}, sample.inner.name), content(file, sample.inner)] : null,
      ];
    case "json":
      return [h("p", {}, format.sentence(sample.structure)), textView(sample.preview)];
    case "text":
      return textView(sample.preview);
    case "image":
      return h("div", { class: "card thumbnail" }, source(h("img", { alt: sample.name }), url("files", file.id, "content")));
    default:
      return [h("p", {}, strings.binary), textView(sample.magic ?? "")];
  }
}

function tableSample(table) {
  const cards = h("div", { class: "columns" });
  const fill = (list) => replace(cards, list.map((column) => columnCard(column, table.rows)));
  fill(table.columns.slice(0, FIRST_COLUMNS));
  const more = table.columns.length > FIRST_COLUMNS
    ? button({ text: strings.allColumns(table.columns.length), class: "button quiet", on: { click: () => { fill(table.columns); more.remove(); } } })
    : null;
  const columns = table.columns.map((column) => ({ name: column.name, numeric: column.type === "integer" || column.type === "float", index: false }));
  const head = { columns, rows: table.head.map((row) => columns.map((_, i) => row[i] ?? "")), total: table.rows };
  return [
    cards,
    more,
    table.head.length > 0 ? [h("h3", {}, strings.rowsTitle), tableView({ ...head, total: head.rows.length }, { page: 20, save: false, caption: strings.rowsTitle })] : null,
  ];
}

function columnCard(column, all) {
  const details = [];
  if (column.histogram?.length && column.min !== null) details.push(strings.range(format.value(column.min), format.value(column.max)));
  else if (column.type !== "empty") details.push(strings.distinct(column.distinct, column.distinct_capped));
  if (typeof column.mean === "number" && column.role !== "time") details.push(strings.mean(format.value(column.mean)));
  return h("div", { class: "column" },
    h("div", { class: "column-head" }, h("strong", { title: column.name }, column.name), h("span", { class: "tag" }, strings.roles[column.role] ?? column.role)),
    h("div", { class: "column-kind" }, strings.types[column.type] ?? column.type, " · ",
      column.missing > 0 ? h("span", { class: "missing-share" }, strings.missing(format.percent(column.missing, all))) : strings.complete),
    chart(column, all),
    h("div", { class: "column-foot" }, details.join(" · ")));
}

function chart(column, all) {
  // Years and codes read better as bars of values than as a histogram.
  const few = column.top?.length > 0 && column.role === "category";
  if (column.histogram?.length && !few) return histogram(column);
  if ((column.type === "date" || column.type === "datetime") && column.min !== null) return period(column);
  // Shares of values that hardly ever repeat would say nothing; the values themselves do.
  const repeats = column.top?.[0]?.[1] > 1 && column.role !== "id";
  return topBars((column.top ?? []).slice(0, 4), repeats ? all : 0);
}

function period(column) {
  return h("div", { class: "period" }, h("span", {}, format.value(column.min)), h("div", { class: "period-line" }), h("span", {}, format.value(column.max)));
}

function histogram(column) {
  const bins = column.histogram;
  const highest = Math.max(1, ...bins);
  const width = 100 / bins.length;
  return svg("svg", { class: "histogram", viewBox: "0 0 100 40", preserveAspectRatio: "none", role: "img", "aria-label": strings.histogramLabel(column.name, format.value(column.min), format.value(column.max)) },
    bins.map((n, i) => {
      const height = n === 0 ? 0 : Math.max(1, (40 * n) / highest);
      return svg("rect", { x: i * width + 0.6, y: 40 - height, width: width - 1.2, height });
    }));
}

// The most frequent values with their share of `all` rows; without bars if `all` is 0.
function topBars(top, all) {
  const highest = Math.max(1, ...top.map(([, n]) => n));
  return h("div", { class: "bars" }, top.map(([text, n]) => {
    const bar = h("span", { class: "bar" });
    // Set through the CSSOM: the content security policy forbids style attributes.
    bar.style.width = all ? `${(100 * n) / highest}%` : "0";
    return h("div", { class: "bar-row", title: `${text}: ${format.count(n)}` }, bar, h("span", { class: "bar-name" }, text === "" ? strings.unnamed : text), all ? h("span", { class: "bar-count" }, format.percent(n, all)) : null);
  }));
}
