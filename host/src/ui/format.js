// Numbers, sizes and times as people read them.

import { strings } from "./strings.js";

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { maximumSignificantDigits: 4, useGrouping: "min2" });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

/** `1,461`. */
export const count = (value) => whole.format(value ?? 0);

/** `3.4 billion` as `3.4B`. */
export const brief = (value) => compact.format(value ?? 0);

/** A statistic: four significant digits, text as it is. */
export function value(item) {
  if (item === null || item === undefined) return strings.none;
  if (typeof item !== "number") return String(item);
  return Number.isInteger(item) && Math.abs(item) < 10_000 ? String(item) : short.format(item);
}

/** `12.4 KB`. */
export function bytes(size) {
  let amount = Number(size) || 0;
  let unit = 0;
  while (amount >= 1000 && unit < 4) {
    amount /= 1000;
    unit += 1;
  }
  return `${unit === 0 || amount >= 100 ? Math.round(amount) : amount.toFixed(1)} ${["B", "KB", "MB", "GB", "TB"][unit]}`;
}

/** `42 ms`, `1.8 s`, `2 min 5 s`. */
export function duration(ms) {
  if (!Number.isFinite(ms) || ms < 0) return strings.none;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}

/** `0 %` is told from `<1 %`. */
export function percent(part, all) {
  if (!all) return "0%";
  const share = (100 * part) / all;
  if (share > 0 && share < 1) return "<1%";
  return `${Math.round(share)}%`;
}

/** `14:05` today, `3 May` before. */
export function when(text) {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) return "";
  const today = new Date().toDateString() === time.toDateString();
  return today
    ? time.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })
    : time.toLocaleDateString([], { day: "numeric", month: "short" });
}

/** First word in upper case, a full stop at the end: API details are lower-case phrases. File names stay as they are. */
export function sentence(text) {
  const trimmed = String(text ?? "").trim();
  if (!trimmed) return "";
  const head = /^[a-z]+(?:[ ,;:'’-]|$)/.test(trimmed) ? trimmed[0].toUpperCase() + trimmed.slice(1) : trimmed;
  return /[.!?…)]$/.test(head) ? head : `${head}.`;
}

/** A name without what could hide or turn it around: control characters and marks of direction become visible. */
export function visible(text) {
  return String(text ?? "").replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** At most `length` characters, cut at the end. */
export function clip(text, length) {
  const all = String(text ?? "");
  return all.length > length ? `${all.slice(0, length - 1).trimEnd()}…` : all;
}
