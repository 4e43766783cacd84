// The page: sessions on the left, a conversation, a question box. Holds the state; the other files draw it.

import { api, ApiError, upload, url } from "./api.js";
import { downloads, inAddress, looking, signedIn } from "./auth.js";
import { branchesView, family, runOf, titleOf, undoneTurns } from "./branches.js";
import { composer } from "./composer.js";
import { announce, button, confirm, download, h, openDialog, replace } from "./dom.js";
import { exampleFile } from "./examples.js";
import * as format from "./format.js";
import { icon, mark } from "./icons.js";
import { showSample, emptyView, filesView, skeleton } from "./start.js";
import { sidebar } from "./sidebar.js";
import { strings } from "./strings.js";
import { turnView } from "./turn.js";

const MAX_TITLE_CHARS = 80;

const state = {
  sessions: [],
  /** The open session, or null before its first file or question. */
  session: null,
  turns: [],
  checkpoints: [],
  /** What came before, if the session is a fork: `{turns, missing}`. */
  inherited: { turns: [], missing: false },
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
const branchesButton = button({ text: strings.branches(2), icon: icon("columns"), class: "button quiet branches-button", hidden: true, "aria-pressed": "false", on: { click: () => showBranches(!state.side) } });
const archive = h("button", { type: "button", class: "button quiet archive", hidden: true, "aria-haspopup": "dialog", "aria-label": strings.downloadMenu, on: { click: downloadMenu } }, icon("download"), h("span", {}, strings.download));
const share = h("button", { type: "button", class: "button quiet share-button", hidden: true, "aria-haspopup": "dialog", on: { click: openShare } }, icon("link"), h("span", {}, strings.share));
const content = h("div", { class: "content" });
const scroll = h("div", { class: "scroll" }, content);
const box = composer({ send: ask, stop, add: addFiles, showFile, cancelUpload, retryUpload }, { looking });
const side = sidebar({ create: () => go(null), open: go, rename, remove });
const app = document.getElementById("app");
/** What turns offer: nothing to who only looks. */
const turnActions = looking ? {} : { ask, rerun, fork, undo };
app.classList.toggle("looking", looking);
box.node.hidden = looking;
replace(app,
  h("a", { class: "skip", href: "#ask", on: { click: (event) => { event.preventDefault(); box.focus(); } } }, strings.skip),
  looking ? null : side.node,
  h("div", { class: "backdrop", on: { click: () => showMenu(false) } }),
  h("main", { class: "main" }, h("header", { class: "topbar" }, looking ? h("a", { class: "brand", href: "./", title: strings.toOwn }, mark(), h("span", { class: "visually-hidden" }, strings.toOwn)) : menu, heading,
    looking ? h("span", { class: "tag" }, strings.shared) : null, h("span", { class: "grow" }), branchesButton, share, archive), scroll, box.node),
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
  archive.hidden = !state.session || state.turns.length + state.inherited.turns.length === 0;
  share.hidden = looking || !signedIn() || !state.session;
  const members = family(state.sessions, state.session);
  branchesButton.hidden = members.length < 2;
  branchesButton.querySelector("span").textContent = strings.branches(members.length);
  branchesButton.setAttribute("aria-pressed", String(Boolean(state.side)));
  box.lockImage(state.session?.image ?? null);
  box.setFiles(state.session?.files ?? [], state.uploads);
}

function drawContent() {
  const files = state.session?.files ?? [];
  if (state.side) {
    replace(content, branchesView(family(state.sessions, state.session), state.session.id, { open: go, back: () => showBranches(false) }));
    scroll.scrollTop = 0;
    return;
  }
  if (state.turns.length + state.inherited.turns.length > 0) {
    const turns = h("div", { class: "turns" });
    replace(content, inheritedView(), turns);
    drawn.clear();
    for (const turn of state.turns) append(turn);
    arrange();
    if (state.turns.length === 0) turns.append(branchStart());
    turns.lastElementChild?.scrollIntoView({ block: "start" });
  } else if (files.length > 0) {
    replace(content, filesView(files, sampleOf, state.builtinOnly, turnActions.ask));
  } else if (looking) {
    replace(content, state.session ? h("p", { class: "hint" }, strings.sharedEmpty) : linkEnded());
  } else {
    replace(content, emptyView(state.builtinOnly, { pick: box.pick, example: tryExample }));
  }
}

/** What a link shows that shows nothing. */
const linkEnded = () => h("section", { class: "start" }, h("span", { class: "drop-icon" }, icon("link")), h("h1", {}, strings.linkEndedTitle), h("p", { class: "lead" }, strings.linkEndedText), h("a", { class: "button", href: "./" }, strings.toOwn));

/** The views of the turns of this session, by their turn's id. */
const drawn = new Map();
const idOf = (turn) => turn[turn.kind].id;

function append(turn) {
  const language = state.session.image;
  const view = turnView(turn, { signal: state.left.signal, language, ...turnActions });
  content.querySelector(".branch-start")?.remove();
  content.querySelector(".turns").append(view.node);
  drawn.set(idOf(turn), view);
  if (view.cancel) {
    state.running = view;
    box.setRunning(true);
    const { session } = state;
    view.done.then(async (finished) => {
      if (state.session?.id !== session.id || state.running !== view) return;
      state.turns = state.turns.map((one) => (idOf(one) === idOf(finished) ? finished : one));
      state.running = null;
      box.setRunning(false);
      await refreshSessions();
      if (state.session?.id === session.id) await refreshTree();
    });
  }
  return view;
}

// Branches: what came before, what was undone, and going on elsewhere.

function inheritedView() {
  const { turns, missing } = state.inherited;
  const from = state.session?.forked_from;
  if (!from) return null;
  const parent = state.sessions.find((one) => one.id === from.session);
  const context = { signal: state.left.signal, language: state.session.image, inherited: true, ask: turnActions.ask, rerun: turnActions.rerun };
  const before = turns.filter((turn) => ["done", "failed"].includes(turn[turn.kind].status));
  return h("section", { class: "inherited-turns" },
    before.map((turn) => turnView(turn, context).node),
    h("p", { class: "branch-line" }, icon("branch"),
      missing ? strings.parentGone : !parent ? strings.sharedBranch : [h("span", {}, strings.branchBegins, " "), h("button", { type: "button", class: "link", on: { click: () => go(parent.id) } }, format.clip(parent.title || strings.untitled, 60))]));
}

const branchStart = () => h("p", { class: "branch-start hint" }, strings.branchEmpty);

/** Marks what was undone, and offers on every step what can be done with it. */
function arrange() {
  const undone = undoneTurns(state.turns, state.checkpoints, state.session?.head);
  const turns = content.querySelector(".turns");
  for (const note of turns?.querySelectorAll(".undone-note") ?? []) note.remove();
  for (const turn of state.turns) {
    const view = drawn.get(idOf(turn));
    if (!view) continue;
    const away = undone.has(turn);
    view.node.classList.toggle("undone", away);
    const number = runOf(turn)?.checkpoint ?? null;
    view.setTools({ undo: !away && number !== null && number === state.session?.head && parentOf(number) !== null });
    if (!away) continue;
    const title = titleOf(turn);
    view.node.before(h("p", { class: "undone-note" }, icon("undo"), h("span", { class: "tag" }, strings.undone), h("span", { class: "undone-title" }, title),
      looking ? null : button({ text: strings.bringBack, icon: icon("redo"), class: "button quiet bring-back", on: { click: () => restore(number) } })));
  }
}

const parentOf = (number) => state.checkpoints.find((one) => one.number === number)?.parent ?? null;

async function refreshTree() {
  const { session } = state;
  if (!session) return;
  const [now, checkpoints] = await Promise.all([api.session(session.id), api.checkpoints(session.id)]).catch(() => [session, state.checkpoints]);
  if (state.session?.id !== session.id) return;
  state.session = now;
  state.checkpoints = checkpoints;
  drawHead();
  if (!state.side) arrange();
}

async function restore(number) {
  if (state.running) return;
  try {
    await api.restore(state.session.id, number);
    await refreshTree();
  } catch (error) {
    report(error);
  }
}

function undo(turn) {
  return restore(parentOf(runOf(turn).checkpoint));
}

async function fork(turn) {
  if (state.running) return;
  const title = (state.session.title || strings.untitled).replace(/ · branch \d+$/, "");
  try {
    const made = await api.fork(state.session.id, runOf(turn).checkpoint, format.clip(strings.branchTitle(format.clip(title, MAX_TITLE_CHARS - 14), family(state.sessions, state.session).length + 1), MAX_TITLE_CHARS));
    state.sessions = [made, ...state.sessions];
    announce(strings.branched);
    go(made.id);
  } catch (error) {
    report(error);
  }
}

function showBranches(side) {
  state.side = side;
  app.classList.toggle("side", side);
  drawHead();
  drawContent();
}

// Downloads.

function downloadMenu() {
  const { session } = state;
  const turns = () => {
    const undone = undoneTurns(state.turns, state.checkpoints, session.head);
    return [...state.inherited.turns, ...state.turns.filter((turn) => !undone.has(turn) && ["done", "failed"].includes(turn[turn.kind].status))];
  };
  const status = h("p", { class: "hint", role: "status" });
  const choice = (name, hint, glyph, made) => h("button", { type: "button", class: `choice ${name}`, on: { click: async () => {
    status.textContent = strings.preparing;
    try {
      const exports = await import("./export.js");
      const [ending, blob] = await made(exports);
      download(`${exports.fileTitle(session.title)}${ending}`, blob);
      dialog.close();
    } catch (error) {
      status.textContent = strings.downloadFailed(format.sentence(error.message));
    }
  } } }, icon(glyph), h("span", {}, strings[name], hint ? h("small", {}, hint) : null));
  const workspace = downloads(h("a", { class: "choice" }, icon("file"), h("span", {}, strings.asWorkspace)), url("sessions", session.id, "archive"), "workspace.zip");
  const dialog = h("dialog", { class: "confirm choices", "aria-label": strings.downloadMenu },
    h("h2", {}, strings.downloadMenu),
    choice("asZip", strings.asZipHint, "archive", async ({ everything }) => [".zip", await everything(session, turns())]),
    choice("asNotebook", ".ipynb", "notebook", async ({ notebook }) => [".ipynb", new Blob([notebook(session, turns())], { type: "application/x-ipynb+json" })]),
    choice("asMarkdown", ".md", "file", async ({ markdownOf }) => [".md", new Blob([markdownOf(session, turns())], { type: "text/markdown" })]),
    workspace, status,
    h("div", { class: "confirm-tools" }, button({ text: strings.close, on: { click: () => dialog.close() } })));
  openDialog(dialog);
}

async function openShare() {
  const { shareDialog } = await import("./share.js");
  shareDialog(state.session);
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
    const [session, { turns, inherited }, checkpoints] = await Promise.all([api.session(id), api.wholeHistory(id), api.checkpoints(id)]);
    if (signal.aborted) return;
    box.node.hidden = false;
    Object.assign(state, { session, checkpoints, inherited, turns: turns.filter((turn) => turn?.ask || turn?.run) });
  } catch (error) {
    if (signal.aborted) return;
    if (looking && [401, 403, 404].includes(error.status)) {
      drawHead();
      drawContent();
      return;
    }
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
  Object.assign(state, { session: null, turns: [], checkpoints: [], inherited: { turns: [], missing: false }, uploads: [], running: null, side: false, left: new AbortController() });
  app.classList.remove("side");
  box.setRunning(false);
}

/** The open session; made when it is needed first. */
let creating = null;
function ensureSession(title) {
  if (state.session) return Promise.resolve(state.session);
  creating ??= api.createSession(title, box.image()).then((session) => {
    state.session = { ...session, files: session.files ?? [] };
    state.sessions = [state.session, ...state.sessions];
    state.checkpoints = [];
    history.pushState(null, "", `#${encodeURIComponent(session.id)}`);
    drawHead();
    return state.session;
  }).finally(() => (creating = null));
  return creating;
}

async function refreshSessions() {
  if (looking) return;
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
  const item = { name: file.name, share: 0, failed: null, abort: () => {} };
  state.uploads.push(item);
  await transfer(session, file, item);
}

async function transfer(session, file, item) {
  const here = () => state.session?.id === session.id;
  const { done, abort } = upload(session.id, file, (share) => {
    item.share = share;
    if (here()) box.setShare(item);
  });
  Object.assign(item, { abort, done, failed: null, again: () => transfer(session, file, item) });
  drawHead();
  if (state.turns.length + state.inherited.turns.length + (state.session?.files.length ?? 0) === 0) replace(content, h("section", { class: "overview" }, h("div", { class: "suggestions-place" }), h("article", { class: "file-card" }, h("h2", {}, file.name), skeleton())));
  try {
    const added = await done;
    if (here()) {
      const names = new Set(added.map((one) => one.name));
      state.session.files = [...state.session.files.filter((one) => !names.has(one.name)), ...added];
      announce(strings.uploaded(file.name));
    }
  } catch (error) {
    if (error.code !== "aborted") {
      notify(strings.uploadFailed(format.clip(file.name, 120), error.message));
      item.failed = error.message;
    }
  }
  if (!here()) return;
  if (!item.failed) state.uploads = state.uploads.filter((one) => one !== item);
  drawHead();
  if (state.turns.length + state.inherited.turns.length === 0) drawContent();
}

function cancelUpload(item) {
  item.abort();
  if (!item.failed) return;
  state.uploads = state.uploads.filter((one) => one !== item);
  drawHead();
}

function retryUpload(item) {
  item.share = 0;
  item.again();
}

function showFile(file) {
  const body = h("div", { class: "sheet-body" }, h("p", { class: "hint busy" }, strings.sampling));
  const dialog = h("dialog", { class: "side-sheet", "aria-label": file.name },
    h("header", {}, h("h2", {}, file.name), h("span", { class: "grow" }),
      downloads(h("a", { class: "button quiet" }, icon("download"), h("span", {}, strings.downloadFile)), url("files", file.id, "content"), file.name),
      looking ? null : button({ label: strings.deleteFile, icon: icon("trash"), class: "icon-button", on: { click: askToDelete } }),
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

async function tryExample(example, question) {
  try {
    await addFiles([await exampleFile(example)]);
  } catch (error) {
    report(error);
    return;
  }
  if (question) await ask(question);
  else box.focus();
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
  // As has a branch the name of what it left.
  if (first && (named.includes(state.session.title ?? "") || (state.session.forked_from && / · branch \d+$/.test(state.session.title)))) rename(state.session, format.clip(question, MAX_TITLE_CHARS));
}

async function rerun(code) {
  if (!state.running) await begin(strings.yourProgram, async (session) => ({ kind: "run", run: await api.run(session.id, code) }));
}

async function begin(title, start) {
  if (state.side) showBranches(false);
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
    if (state.turns.length === 1 && !content.querySelector(".turns")) replace(content, h("div", { class: "turns" }));
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
const carriesFiles = (event) => !looking && event.dataTransfer?.types.includes("Files");
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

addEventListener("popstate", () => {
  const { id, share: key } = inAddress();
  // Who came by a link is not who is signed in.
  if (looking || key) location.reload();
  else load(id);
});
addEventListener("keydown", (event) => {
  if (event.key === "Escape") showMenu(false);
  // As on many pages: a slash leads to the box, unless something is being written.
  const writing = event.target.closest?.("input, textarea, select, [contenteditable]") || event.composedPath()[0]?.isContentEditable;
  if (event.key === "/" && !writing && !event.ctrlKey && !event.metaKey && !event.altKey && !document.querySelector("dialog[open]")) {
    event.preventDefault();
    box.focus();
  }
});

async function begins() {
  if (looking) {
    await load(inAddress().id);
    return;
  }
  const [models, images] = await Promise.all([
    api.models().catch(() => []),
    api.images().catch(() => []),
    api.sessions().then((sessions) => (state.sessions = sessions), report),
  ]);
  state.builtinOnly = models.length > 0 && models.every((model) => model.provider === "builtin" || model.name === "builtin");
  box.setModels(models);
  box.setImages(images);
  await load(inAddress().id);
}

begins();
