// The page: sessions on the left, a conversation, a question box. Holds the state; the other files draw it.

import { api, ApiError, upload, url } from "./api.js";
import { composer } from "./composer.js";
import { announce, button, confirm, h, openDialog, replace } from "./dom.js";
import { example } from "./examples.js";
import * as format from "./format.js";
import { icon } from "./icons.js";
import { showSample, emptyView, filesView } from "./start.js";
import { sidebar } from "./sidebar.js";
import { strings } from "./strings.js";
import { turnView } from "./turn.js";

const MAX_TITLE_CHARS = 80;

const state = {
  sessions: [],
  /** The open session, or null before its first file or question. */
  session: null,
  turns: [],
  uploads: [],
  /** The turn that is under way, or null. */
  running: null,
  builtinOnly: false,
  samples: new Map(),
  /** Ends everything that belongs to the open session. */
  left: new AbortController(),
};

// The skeleton.

const menu = button({ label: strings.openMenu, icon: icon("menu"), class: "icon-button menu", "aria-expanded": "false", on: { click: () => showMenu(!app.classList.contains("menu-open")) } });
const heading = h("span", { class: "session-heading" });
const archive = h("a", { class: "button quiet archive", download: "glovebox.zip", hidden: true, title: strings.downloadAllLabel }, icon("archive"), h("span", {}, strings.downloadAll));
const content = h("div", { class: "content" });
const scroll = h("div", { class: "scroll" }, content);
const box = composer({ send: ask, stop, add: addFiles, showFile, cancelUpload: (item) => item.abort() });
const side = sidebar({ create: () => go(null), open: go, rename, remove });
const app = document.getElementById("app");
replace(app,
  h("a", { class: "skip", href: "#ask", on: { click: (event) => { event.preventDefault(); box.focus(); } } }, strings.skip),
  side.node,
  h("div", { class: "backdrop", on: { click: () => showMenu(false) } }),
  h("main", { class: "main" }, h("header", { class: "topbar" }, menu, heading, h("span", { class: "grow" }), archive), scroll, box.node),
  h("div", { class: "drop-overlay", "aria-hidden": "true" }, h("span", {}, strings.dropOverlay)));

function showMenu(open) {
  app.classList.toggle("menu-open", open);
  menu.setAttribute("aria-expanded", String(open));
  menu.setAttribute("aria-label", open ? strings.closeMenu : strings.openMenu);
}

// Drawing.

function drawHead() {
  side.show(state.sessions, state.session?.id);
  const title = state.session?.title ?? "";
  heading.textContent = title;
  document.title = title ? `${title} · ${strings.name}` : strings.name;
  archive.hidden = !state.session || state.turns.length === 0;
  if (state.session) archive.href = url("sessions", state.session.id, "archive");
  box.setFiles(state.session?.files ?? [], state.uploads);
}

function drawContent() {
  const files = state.session?.files ?? [];
  if (state.turns.length > 0) {
    const turns = h("div", { class: "turns" });
    replace(content, turns);
    for (const turn of state.turns) append(turn);
    turns.lastElementChild.scrollIntoView({ block: "start" });
  } else if (files.length > 0) {
    replace(content, filesView(files, sampleOf, state.builtinOnly, ask));
  } else {
    replace(content, emptyView(state.builtinOnly, { pick: box.pick, example: tryExample }));
  }
}

function append(turn) {
  const view = turnView(turn, { signal: state.left.signal, archive: url("sessions", state.session.id, "archive"), ask, rerun });
  content.querySelector(".turns").append(view.node);
  if (view.cancel) {
    state.running = view;
    box.setRunning(true);
    const { session } = state;
    view.done.then(() => {
      if (state.session !== session || state.running !== view) return;
      state.running = null;
      box.setRunning(false);
      refreshSessions();
    });
  }
  return view;
}

/** Says that something went wrong, without taking anything away. */
function notify(text) {
  const notice = h("div", { class: "notice" }, icon("alert"), h("span", {}, text));
  const close = () => notice.remove();
  notice.append(button({ label: strings.close, icon: icon("close"), class: "icon-button small", on: { click: close } }));
  document.getElementById("notices").append(notice);
  setTimeout(close, 12_000);
}

const report = (error) => notify(error instanceof ApiError ? error.message : format.sentence(error?.message ?? String(error)));

// Sessions.

function go(id) {
  showMenu(false);
  history.pushState(null, "", id ? `#${encodeURIComponent(id)}` : location.pathname + location.search);
  load(id);
}

async function load(id) {
  leave();
  if (!id) {
    drawHead();
    drawContent();
    box.focus();
    return;
  }
  const { signal } = state.left;
  try {
    const [session, turns] = await Promise.all([api.session(id), api.history(id)]);
    if (signal.aborted) return;
    state.session = session;
    state.turns = turns.filter((turn) => turn?.ask || turn?.run);
  } catch (error) {
    if (signal.aborted) return;
    if (error.status === 404) {
      notify(strings.notFound);
      go(null);
      return;
    }
    report(error);
  }
  drawHead();
  drawContent();
  box.focus();
}

function leave() {
  state.left.abort();
  for (const item of state.uploads) item.abort();
  Object.assign(state, { session: null, turns: [], uploads: [], running: null, left: new AbortController() });
  box.setRunning(false);
}

/** The open session; made when it is needed first. */
let creating = null;
function ensureSession(title) {
  if (state.session) return Promise.resolve(state.session);
  creating ??= api.createSession(title).then((session) => {
    state.session = { ...session, files: session.files ?? [] };
    state.sessions = [state.session, ...state.sessions];
    history.pushState(null, "", `#${encodeURIComponent(session.id)}`);
    drawHead();
    return state.session;
  }).finally(() => (creating = null));
  return creating;
}

async function refreshSessions() {
  state.sessions = await api.sessions().catch(() => state.sessions);
  drawHead();
}

async function rename(session, title) {
  try {
    const renamed = await api.renameSession(session.id, title);
    state.sessions = state.sessions.map((item) => (item.id === renamed.id ? { ...item, ...renamed } : item));
    if (state.session?.id === renamed.id) state.session.title = renamed.title;
    drawHead();
  } catch (error) {
    report(error);
  }
}

async function remove(session) {
  try {
    await api.deleteSession(session.id);
    state.sessions = state.sessions.filter((item) => item.id !== session.id);
    if (state.session?.id === session.id) go(null);
    else drawHead();
  } catch (error) {
    report(error);
  }
}

// Files.

function sampleOf(file) {
  if (!state.samples.has(file.id)) {
    const sample = api.sample(file.id);
    // A failure may pass; the next look asks again.
    sample.catch(() => state.samples.delete(file.id));
    state.samples.set(file.id, sample);
  }
  return state.samples.get(file.id);
}

async function addFiles(files) {
  let session;
  try {
    session = await ensureSession(format.clip(files[0].name, MAX_TITLE_CHARS));
  } catch (error) {
    report(error);
    return [];
  }
  return Promise.all(files.map((file) => addFile(session, file)));
}

async function addFile(session, file) {
  const item = { name: file.name, share: 0, abort: () => {} };
  const here = () => state.session?.id === session.id;
  const transfer = upload(session.id, file, (share) => {
    item.share = share;
    if (here()) box.setFiles(state.session.files, state.uploads);
  });
  item.abort = transfer.abort;
  item.done = transfer.done;
  state.uploads.push(item);
  drawHead();
  try {
    const added = await transfer.done;
    if (here()) {
      const names = new Set(added.map((one) => one.name));
      state.session.files = [...state.session.files.filter((one) => !names.has(one.name)), ...added];
      announce(strings.uploaded(file.name));
    }
  } catch (error) {
    if (error.code !== "aborted") notify(strings.uploadFailed(file.name, error.message));
  }
  if (!here()) return;
  state.uploads = state.uploads.filter((one) => one !== item);
  drawHead();
  if (state.turns.length === 0) drawContent();
}

function showFile(file) {
  const body = h("div", { class: "sheet-body" }, h("p", { class: "hint busy" }, strings.sampling));
  const dialog = h("dialog", { class: "side-sheet", "aria-label": file.name },
    h("header", {}, h("h2", {}, file.name), h("span", { class: "grow" }),
      h("a", { class: "button quiet", href: url("files", file.id, "content"), download: file.name }, icon("download"), h("span", {}, strings.downloadFile)),
      button({ label: strings.deleteFile, icon: icon("trash"), class: "icon-button", on: { click: askToDelete } }),
      button({ label: strings.close, icon: icon("close"), class: "icon-button", on: { click: () => dialog.close() } })),
    body);
  function askToDelete() {
    confirm({ title: strings.deleteFileTitle, text: strings.deleteFileText(file.name), yes: strings.delete, no: strings.cancel }, () => {
      dialog.close();
      removeFile(file);
    });
  }
  showSample(body, file, sampleOf(file));
  openDialog(dialog);
}

async function removeFile(file) {
  try {
    await api.deleteFile(file.id);
  } catch (error) {
    report(error);
    return;
  }
  if (!state.session) return;
  state.session.files = state.session.files.filter((one) => one.id !== file.id);
  drawHead();
  if (state.turns.length === 0) drawContent();
}

async function tryExample() {
  await addFiles([new File([example.text], example.name, { type: example.type })]);
  box.focus();
}

// Questions and programs.

async function ask(question) {
  if (state.running || !question.trim()) return;
  box.clear();
  const begun = await begin(question, async (session) => ({ kind: "ask", ask: await api.ask(session.id, question, box.model()) }));
  if (!begun) {
    if (!box.text()) box.setText(question);
    return;
  }
  // A session made by dropping a file has the file's name until its first question.
  const first = state.turns.length === 1;
  const named = [strings.untitled, "", ...state.session.files.map((file) => file.name)];
  if (first && named.includes(state.session.title ?? "")) rename(state.session, format.clip(question, MAX_TITLE_CHARS));
}

async function rerun(code) {
  if (!state.running) await begin(strings.yourProgram, async (session) => ({ kind: "run", run: await api.run(session.id, code) }));
}

async function begin(title, start) {
  state.running = { cancel: async () => {} };
  box.setRunning(true);
  const { signal } = state.left;
  try {
    const session = await ensureSession(format.clip(title, MAX_TITLE_CHARS));
    // A question about a file that is still on its way waits for it.
    await Promise.allSettled(state.uploads.map((item) => item.done));
    const turn = await start(session);
    if (signal.aborted) return false;
    state.turns.push(turn);
    if (state.turns.length === 1) replace(content, h("div", { class: "turns" }));
    const view = append(turn);
    if (!view.cancel) {
      state.running = null;
      box.setRunning(false);
    }
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    view.node.scrollIntoView({ block: "start", behavior: calm ? "auto" : "smooth" });
    drawHead();
    return true;
  } catch (error) {
    if (signal.aborted) return false;
    state.running = null;
    box.setRunning(false);
    report(error);
    return false;
  }
}

function stop() {
  state.running?.cancel().catch(report);
}

// The whole window takes files.

let inside = 0;
const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
addEventListener("dragenter", (event) => {
  if (carriesFiles(event)) app.classList.toggle("dragging", (inside += 1) > 0);
});
addEventListener("dragleave", (event) => {
  if (carriesFiles(event)) app.classList.toggle("dragging", (inside = Math.max(0, inside - 1)) > 0);
});
addEventListener("dragover", (event) => {
  if (carriesFiles(event)) event.preventDefault();
});
addEventListener("drop", (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  inside = 0;
  app.classList.remove("dragging");
  addFiles([...event.dataTransfer.files]);
});

const fromHash = () => {
  try {
    return decodeURIComponent(location.hash.slice(1)) || null;
  } catch {
    return null;
  }
};
addEventListener("popstate", () => load(fromHash()));
addEventListener("keydown", (event) => {
  if (event.key === "Escape") showMenu(false);
});

async function begins() {
  const [models] = await Promise.all([
    api.models().catch(() => []),
    api.sessions().then((sessions) => (state.sessions = sessions), report),
  ]);
  state.builtinOnly = models.length > 0 && models.every((model) => model.provider === "builtin" || model.name === "builtin");
  box.setModels(models);
  await load(fromHash());
}

begins();
