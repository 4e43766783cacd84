// The calls of docs/wire.md that the page makes. Failures are `ApiError`s with a sentence for the user.

import { authorization, authorizedFetch, needKey } from "./auth.js";
import { sentence } from "./format.js";
import { strings } from "./strings.js";

// Relative to this file, so that the page also works below a path prefix of a reverse proxy.
const BASE = new URL("../api/v1/", import.meta.url);

/** A refused or failed call. `message` is a sentence, `code` the API's stable code or "". */
export class ApiError extends Error {
  constructor(message, { status = 0, code = "" } = {}) {
    super(message);
    this.status = status;
    this.code = code;
  }

  /** From a problem document, which may be missing or malformed. */
  static fromProblem(problem, status) {
    const text = problem && typeof problem === "object" ? problem.detail || problem.title : "";
    const fallback = status === 413 ? strings.tooLarge : strings.badReply(status);
    return new ApiError(sentence(text || fallback), { status, code: String(problem?.code ?? "") });
  }
}

/** The URL of a path below `/api/v1/`; every segment is escaped. */
export function url(...segments) {
  return new URL(segments.map(encodeURIComponent).join("/"), BASE).href;
}

async function call(method, segments, body, query = "") {
  const options = { method, headers: { Accept: "application/json" } };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let reply;
  try {
    reply = await authorizedFetch(url(...segments) + query, options);
  } catch (error) {
    // `fetch` fails with a TypeError; anything else is a sign-in that was refused.
    throw error instanceof TypeError ? new ApiError(strings.offline) : new ApiError(error.message, { status: 401 });
  }
  if (!reply.ok) throw ApiError.fromProblem(await reply.json().catch(() => null), reply.status);
  if (reply.status === 204) return null;
  return reply.json().catch(() => {
    throw new ApiError(strings.badReply(reply.status), { status: reply.status });
  });
}

/** Smaller files are quicker sent again than asked about. */
const PARTS_FROM_BYTES = 8 << 20;
const MAX_RESUMES = 7;

const list = (value) => (Array.isArray(value) ? value : []);

export const api = {
  sessions: async () => list((await call("GET", ["sessions"])).sessions),
  createSession: (title, image) => call("POST", ["sessions"], { title, ...(image ? { image } : {}) }),
  session: (id) => call("GET", ["sessions", id]),
  renameSession: (id, title) => call("PATCH", ["sessions", id], { title }),
  deleteSession: (id) => call("DELETE", ["sessions", id]),
  history: async (id) => list((await call("GET", ["sessions", id, "history"])).turns),
  /** `{turns, inherited: {turns, missing}}`: the second is what came before a fork. */
  wholeHistory: async (id) => {
    const { turns, inherited } = await call("GET", ["sessions", id, "history"], undefined, "?inherited=true");
    return { turns: list(turns), inherited: { turns: list(inherited?.turns), missing: Boolean(inherited?.missing) } };
  },
  checkpoints: async (id) => list((await call("GET", ["sessions", id, "checkpoints"])).checkpoints),
  restore: (id, number) => call("POST", ["sessions", id, "checkpoints", String(number), "restore"]),
  fork: async (id, checkpoint, title) => list((await call("POST", ["sessions", id, "forks"], { checkpoint, title })).sessions)[0],
  shares: async (id) => list((await call("GET", ["sessions", id, "shares"])).shares),
  share: (id, wanted) => call("POST", ["sessions", id, "shares"], wanted),
  endShare: (id, share) => call("DELETE", ["sessions", id, "shares", share]),
  ask: (id, question, model) => call("POST", ["sessions", id, "asks"], { question, ...(model ? { model } : {}), wait: false }),
  run: (id, code) => call("POST", ["sessions", id, "runs"], { code, wait: false }),
  get: (kind, id) => call("GET", [kind === "ask" ? "asks" : "runs", id]),
  cancel: (kind, id) => call("POST", [kind === "ask" ? "asks" : "runs", id, "cancel"]),
  sample: (fileId) => call("GET", ["files", fileId, "sample"]),
  deleteFile: (fileId) => call("DELETE", ["files", fileId]),
  images: async () => list((await call("GET", ["images"])).images),
  models: async () => list((await call("GET", ["models"])).models),
};

/**
 * Uploads one file into a session. XMLHttpRequest, because `fetch` does not tell how much was sent.
 * Returns `{done: Promise<File[]>, abort()}`; `onProgress` gets the share sent, 0 to 1.
 */
export function upload(sessionId, file, onProgress) {
  if (file.size > PARTS_FROM_BYTES) return uploadParts(sessionId, file, onProgress);
  let request = null;
  let stopped = false;
  async function go() {
    for (;;) {
      request = new XMLHttpRequest();
      const used = authorization().Authorization;
      const form = new FormData();
      form.append("file", file, file.name);
      const { status, body } = await send(request, "POST", url("sessions", sessionId, "files"), form, onProgress);
      if (stopped) throw new ApiError(strings.stopped, { code: "aborted" });
      if (status >= 200 && status < 300 && body) return list(body.files);
      if (status !== 401) throw ApiError.fromProblem(body, status);
      await needKey(used !== undefined);
    }
  }
  return { done: go(), abort: () => { stopped = true; request?.abort(); } };
}

/**
 * A large file goes up so that a broken connection costs only what was under way: the server says what has arrived, and
 * the rest follows. A server that restarted has forgotten it; then it begins anew.
 */
function uploadParts(sessionId, file, onProgress) {
  let request = null;
  let stopped = false;
  const stop = () => {
    if (stopped) throw new ApiError(strings.stopped, { code: "aborted" });
  };
  async function go() {
    let state = null;
    let before = 0;
    for (let failures = 0; ; ) {
      stop();
      try {
        state = state ? await call("GET", ["uploads", state.id]) : await call("POST", ["uploads"], { name: file.name, size: file.size });
        if (state.file) break;
        const from = state.received;
        // Whoever gets on may go on, however often it breaks.
        if (from > before) failures = 0;
        before = from;
        request = new XMLHttpRequest();
        const used = authorization().Authorization;
        const address = `${url("uploads", state.id)}?from=${from}`;
        const { status, body } = await send(request, "PUT", address, file.slice(from), (share) => onProgress((from + share * (file.size - from)) / file.size));
        if (status === 401) await needKey(used !== undefined);
        // Somebody who is still sending is our own broken connection, not yet noticed.
        else if (status === 409) throw new ApiError(strings.uploadCut, { code: "cut" });
        else if (status !== 200) throw ApiError.fromProblem(body, status);
        else if (body?.file) state = body;
        if (state.file) break;
      } catch (error) {
        stop();
        if (error.status === 404) state = null;
        else if (error.status || !(error instanceof ApiError)) throw error;
        failures += 1;
        if (failures > MAX_RESUMES) throw error;
        await new Promise((resolve) => setTimeout(resolve, Math.min(400 * 2 ** failures, 8000)));
      }
    }
    return list((await call("POST", ["sessions", sessionId, "files"], { files: [state.file.id] })).files);
  }
  return { done: go(), abort: () => { stopped = true; request?.abort(); } };
}

function send(request, method, address, content, onProgress) {
  return new Promise((resolve, reject) => {
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable && event.total > 0) onProgress(event.loaded / event.total);
    });
    request.addEventListener("load", () => {
      let body = null;
      try {
        body = JSON.parse(request.responseText);
      } catch {
        // Proxies answer with HTML; the status says enough.
      }
      resolve({ status: request.status, body });
    });
    request.addEventListener("error", () => reject(new ApiError(strings.uploadCut, { code: "cut" })));
    request.addEventListener("abort", () => reject(new ApiError(strings.stopped, { code: "aborted" })));
    request.open(method, address);
    for (const [name, value] of Object.entries({ Accept: "application/json", ...authorization() })) request.setRequestHeader(name, value);
    request.send(content);
  });
}
