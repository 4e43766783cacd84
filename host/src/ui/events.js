// Server-sent events over fetch: follows one question or run to its end, across lost connections.
// EventSource can neither be told apart from a refused request nor closed by an AbortSignal.

import { api, ApiError, url } from "./api.js";
import { authorizedFetch } from "./auth.js";
import { strings } from "./strings.js";

const RETRIES = 6;
const MAX_EVENT_CHARS = 64 * 1024 * 1024;

/**
 * Follows `kind` ("ask" or "run") `id`, calls `onEvent(type, data)` for each event once and in order, and
 * resolves with the finished object. Rejects with `ApiError`, or with an `AbortError` when `signal` fires.
 */
export async function follow(kind, id, onEvent, signal, onReconnect = () => {}) {
  let last = null;
  let failures = 0;
  for (;;) {
    try {
      const end = await readOnce(kind, id, last, signal, (event) => {
        failures = 0;
        const seq = /^\d+$/.test(event.id) ? Number(event.id) : null;
        // A server that cannot resume sends everything again; what was seen is skipped.
        if (seq !== null && last !== null && seq <= last) return;
        if (seq !== null) last = seq;
        onEvent(event.type, event.data);
      });
      if (end) return end;
    } catch (error) {
      if (signal.aborted || (error.status >= 400 && error.status < 500)) throw error;
    }
    // The stream ended early: perhaps it is over, perhaps the server restarts.
    failures += 1;
    onReconnect(failures);
    const now = await api.get(kind, id).catch((error) => {
      if (error.status === 404) throw error;
      return null;
    });
    if (now && (now.status === "done" || now.status === "failed")) return now;
    if (failures > RETRIES) throw new ApiError(strings.interrupted);
    await pause(Math.min(500 * 2 ** failures, 8000), signal);
  }
}

async function readOnce(kind, id, last, signal, onEvent) {
  const headers = { Accept: "text/event-stream" };
  if (last !== null) headers["Last-Event-ID"] = String(last);
  const reply = await authorizedFetch(url(kind === "ask" ? "asks" : "runs", id, "events"), { headers, signal, cache: "no-store" });
  if (!reply.ok) throw ApiError.fromProblem(await reply.json().catch(() => null), reply.status);
  // Everything was seen already.
  if (reply.status === 204) return null;
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  const parser = new EventParser();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return null;
      for (const event of parser.push(value)) {
        onEvent(event);
        if (event.type === "done") return event.data[kind] ?? (await api.get(kind, id));
        if (event.type === "failed") return { ...(await api.get(kind, id).catch(() => ({}))), id, status: "failed", error: event.data.error };
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** Splits a text stream into events `{id, type, data}` as the HTML standard describes; data is JSON. */
export class EventParser {
  #rest = "";
  #id = "";
  #type = "";
  #data = [];
  #size = 0;

  /** Takes the next piece of text and returns the events that it completes. */
  push(text) {
    const events = [];
    // Only the new piece is searched for line ends, so one huge event costs linear time.
    const pieces = text.split("\n");
    pieces[0] = this.#rest + pieces[0];
    this.#rest = pieces.pop();
    for (const piece of pieces) {
      const line = piece.endsWith("\r") ? piece.slice(0, -1) : piece;
      if (line === "") {
        const event = this.#finish();
        if (event) events.push(event);
      } else {
        this.#field(line);
      }
    }
    return events;
  }

  #field(line) {
    const colon = line.indexOf(":");
    if (colon === 0) return;
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (name === "id") this.#id = value;
    else if (name === "event") this.#type = value;
    else if (name === "data" && (this.#size += value.length) <= MAX_EVENT_CHARS) this.#data.push(value);
  }

  #finish() {
    const data = this.#data.join("\n");
    const event = { id: this.#id, type: this.#type || "message", data: null };
    this.#type = "";
    this.#data = [];
    this.#size = 0;
    if (!data) return null;
    try {
      event.data = JSON.parse(data);
    } catch {
      return null;
    }
    return event.data && typeof event.data === "object" ? event : null;
  }
}

function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    }, { once: true });
  });
}
