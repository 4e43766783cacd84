// Rich output: picks the best format of a MIME bundle that can be shown safely.

import { authorizedFetch, source } from "./auth.js";
import { button, download, h, openDialog } from "./dom.js";
import { redraw } from "./explore.js";
import { FRAMED, frameView } from "./frames.js";
import { icon } from "./icons.js";
import { markdown } from "./markdown.js";
import { strings } from "./strings.js";
import { fromHtml, fromResource, tableView } from "./table.js";

const PICTURES = ["image/gif", "image/png", "image/svg+xml", "image/jpeg", "image/webp"];
const RESOURCES = ["application/vnd.dataresource+json", "application/vnd.glovebox.table+json"];
const MAX_TEXT_CHARS = 200_000;

/** `picture`, `table`, `text` or `none`: what `displayView` would show. */
export function displayKind(display) {
  const data = display?.data ?? {};
  if (framed(data)) return "picture";
  if (PICTURES.some((mime) => typeof data[mime] === "string" || Array.isArray(data[mime]))) return "picture";
  if (tableOf(data)) return "table";
  return Object.keys(data).length > 0 ? "text" : "none";
}

/** Shows one display; null if it holds nothing that can be shown. `about` describes pictures to screen readers. */
export function displayView(display, about) {
  const data = display?.data ?? {};
  const interactive = framed(data);
  if (interactive) return frameView(FRAMED[interactive], parsed(data[interactive]), about);
  const mime = PICTURES.find((name) => data[name] !== undefined);
  if (mime) return pictureView({ src: dataUrl(mime, joined(data[mime])), mime, about, name: "chart", chart: display.chart });
  const table = tableOf(data);
  if (table) return tableView(table);
  if (isPage(data["text/html"])) return frameView("html", joined(data["text/html"]), about);
  if (data["text/markdown"] !== undefined) return markdown(joined(data["text/markdown"]));
  if (data["text/plain"] !== undefined) return textView(joined(data["text/plain"]));
  const json = Object.entries(data).find(([name]) => name === "application/json" || name.endsWith("+json"));
  return json ? textView(JSON.stringify(json[1], null, 2)) : null;
}

function tableOf(data) {
  for (const mime of RESOURCES) {
    const table = data[mime] ? fromResource(data[mime]) : null;
    if (table) return table;
  }
  return data["text/html"] === undefined ? null : fromHtml(joined(data["text/html"]));
}

const framed = (data) => Object.keys(FRAMED).find((name) => data[name] !== undefined);
const parsed = (value) => (typeof value === "string" ? JSON.parse(value) : value);

// What is more than formatted text is worth a frame; a scatter of tags is better read as text.
const isPage = (value) => value !== undefined && /<(?:script|svg|canvas|style|div|iframe|video|img)\b/i.test(joined(value));

// Jupyter allows a text as a list of lines.
const joined = (value) => (Array.isArray(value) ? value.join("") : String(value ?? ""));

// A data URL has no origin of its own: even opened in a tab, a hostile SVG could not reach this page.
function dataUrl(mime, content) {
  if (mime === "image/svg+xml") return `data:image/svg+xml;charset=utf-8,${encodeURIComponent(content)}`;
  return `data:${mime};base64,${content.replace(/[^A-Za-z0-9+/=]/g, "")}`;
}

/** Text in a box that scrolls. */
export function textView(text, name = "") {
  const cut = text.length > MAX_TEXT_CHARS;
  return h("pre", { class: `output ${name}`.trim(), tabindex: 0 }, cut ? `${text.slice(0, MAX_TEXT_CHARS)}\n…` : text);
}

/**
 * A picture as a card: click to enlarge, a button that saves it, and one that draws it again from its data, if it has
 * any. `src` is a data URL or one of ours.
 */
export function pictureView({ src, mime, about, name, chart = null }) {
  const kind = mime.replace("image/", "").replace("+xml", "");
  const image = source(h("img", { alt: strings.chartAlt(about), class: "chart", decoding: "async" }), src);
  const save = async () => download(name.includes(".") ? name : `${name}.${kind === "jpeg" ? "jpg" : kind}`, await toBlob(src, mime));
  const still = h("button", { type: "button", class: "picture-button", "aria-label": strings.zoom, on: { click: () => zoom(src, about) } }, image);
  const spec = redraw(chart);
  const explore = spec ? button({ label: strings.explore, icon: icon("trend"), class: "icon-button explore", "aria-pressed": "false", on: { click: turn } }) : null;
  const figure = h("figure", { class: "card picture" }, still,
    h("div", { class: "card-tools" }, explore, button({ label: strings.saveImage(kind.toUpperCase()), icon: icon("download"), class: "icon-button save-image", on: { click: save } })));
  let lively = null;
  function turn() {
    if (lively) lively.remove();
    else still.after((lively = frameView("vega", spec, about)));
    if (!lively.isConnected) lively = null;
    still.hidden = lively !== null;
    explore.setAttribute("aria-pressed", String(lively !== null));
  }
  return figure;
}

/** A video or a sound with the browser's own controls. `src` is one of ours. */
export function playerView({ src, mime, about }) {
  const sound = mime.startsWith("audio/");
  return source(h(sound ? "audio" : "video", { controls: true, preload: "metadata", class: "player", "aria-label": strings.playerLabel(about), ...(sound ? {} : { playsinline: true }) }), src);
}

// connect-src allows our own origin only, so data URLs are decoded here rather than fetched.
async function toBlob(src, mime) {
  if (!src.startsWith("data:")) return (await authorizedFetch(src)).blob();
  const [head, body] = [src.slice(0, src.indexOf(",")), src.slice(src.indexOf(",") + 1)];
  if (!head.endsWith(";base64")) return new Blob([decodeURIComponent(body)], { type: mime });
  return new Blob([Uint8Array.from(atob(body), (char) => char.charCodeAt(0))], { type: mime });
}

function zoom(src, about) {
  const image = source(h("img", { alt: strings.chartAlt(about) }), src);
  const stage = h("button", { type: "button", class: "zoom-stage", "aria-label": strings.actualSize, on: { click: () => dialog.classList.toggle("actual") } }, image);
  const dialog = h("dialog", { class: "zoom", "aria-label": strings.zoom }, stage,
    button({ label: strings.close, icon: icon("close"), class: "icon-button zoom-close", on: { click: () => dialog.close() } }));
  openDialog(dialog);
}
