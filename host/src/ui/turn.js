// One turn of the conversation: the question or program, live while it is under way, its result after that.

import { api, ApiError } from "./api.js";
import { announce, button, h, replace } from "./dom.js";
import { follow } from "./events.js";
import * as format from "./format.js";
import { icon } from "./icons.js";
import { liveView } from "./live.js";
import { resultView } from "./result.js";
import { strings } from "./strings.js";

const isOver = (item) => item.status === "done" || item.status === "failed";

/**
 * Shows `turn` (`{kind, ask}` or `{kind, run}`). `context`: `{signal, language, ask, rerun, fork(turn), undo(turn), inherited}`;
 * `signal` ends the following of a turn whose session was left; `inherited` is a turn of another session. Without `ask`,
 * `rerun` and `fork` the turn can only be looked at. Returns
 * `{node, done, setTools({undo})}`; `done` resolves with the turn when it is over.
 */
export function turnView(turn, context) {
  const kind = turn.kind === "run" ? "run" : "ask";
  let item = turn[kind];
  const body = h("div", { class: "turn-body" });
  const title = kind === "ask" ? item.question : strings.yourProgram;
  const tools = h("div", { class: "turn-tools", hidden: true });
  const node = h("article", { class: context.inherited ? "turn inherited" : "turn", "aria-label": format.clip(title, 120), data: { id: item.id, kind } },
    h("header", { class: "question" }, h("h2", {}, title), h("time", { datetime: item.created_at }, format.when(item.created_at))), body, tools);

  const actions = {
    language: context.language,
    ask: context.ask,
    rerun: context.rerun,
    retry: context.ask ? () => (kind === "ask" ? context.ask(item.question) : context.rerun(item.code)) : null,
  };
  const show = () => replace(body, resultView({ [kind]: item }, actions));

  /** What can be done with a step: go back before it, or go on from it elsewhere. */
  function setTools({ undo }) {
    const run = kind === "ask" ? item.run : item;
    const kept = isOver(item) && run?.checkpoint !== null && run?.checkpoint !== undefined;
    tools.hidden = !context.fork || !kept;
    if (tools.hidden) return;
    replace(tools,
      button({ text: strings.tryElse, icon: icon("branch"), class: "button quiet fork", title: strings.tryElseLabel, on: { click: () => context.fork({ kind, [kind]: item }) } }),
      undo ? button({ text: strings.undo, icon: icon("undo"), class: "button quiet undo", title: strings.undoLabel, on: { click: () => context.undo({ kind, [kind]: item }) } }) : null);
  }

  async function watch() {
    const live = liveView(kind, title, kind === "run" ? item.code : "");
    replace(body, live.node);
    try {
      item = { ...item, ...(await follow(kind, item.id, live.handle, context.signal, live.reconnecting)) };
    } catch (error) {
      if (context.signal.aborted) return turn;
      item = { ...item, status: "failed", error: { detail: error instanceof ApiError ? error.message : strings.interrupted } };
    } finally {
      live.finish();
    }
    await collapse(live.node.querySelector(".live-panes"));
    if (context.signal.aborted) return turn;
    show();
    announce(strings.finished);
    return { kind, [kind]: item };
  }

  if (isOver(item)) {
    show();
    return { node, setTools, done: Promise.resolve(turn) };
  }
  return { node, setTools, done: watch(), cancel: () => api.cancel(kind, item.id) };
}

// The panes fold away gently; the charts below them, already on the page, move up instead of jumping.
async function collapse(panes) {
  if (!panes?.animate || matchMedia("(prefers-reduced-motion: reduce)").matches || document.hidden) return;
  const frames = [{ height: `${panes.offsetHeight}px`, opacity: 1 }, { height: "0px", opacity: 0, marginBlock: "0px" }];
  await panes.animate(frames, { duration: 220, easing: "ease-out" }).finished.catch(() => {});
}
