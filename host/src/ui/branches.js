// A conversation as a tree: sessions that were forked from each other, and steps that were undone.

import { api } from "./api.js";
import { button, h, replace } from "./dom.js";
import { displayKind, displayView } from "./display.js";
import * as format from "./format.js";
import { icon } from "./icons.js";
import { markdown } from "./markdown.js";
import { strings } from "./strings.js";

const MAX_COLUMNS = 12;

/** The run of a turn, which holds its checkpoint. */
export const runOf = (turn) => (turn.ask ? turn.ask.run ?? null : turn.run);
/** A turn in one line. */
export const titleOf = (turn) => turn.ask?.question ?? `${strings.yourProgram}: ${firstLine(turn.run.code)}`;

// Imports are alike in most programs; the first other line tells them apart.
function firstLine(code) {
  const lines = String(code ?? "").split("\n").map((line) => line.trim()).filter(Boolean);
  return format.clip(lines.find((line) => !/^(?:import|from)\s/.test(line)) ?? lines[0] ?? "", 60);
}

/** Those of `turns` that lead to checkpoint `number`, oldest first. */
export function turnsTo(turns, checkpoints, number) {
  const byNumber = new Map(checkpoints.map((one) => [one.number, one]));
  const way = new Set();
  let at = number;
  while (at !== null && at !== undefined && byNumber.has(at) && !way.has(at)) {
    way.add(at);
    at = byNumber.get(at).parent;
  }
  // Checkpoints between were pruned: all that is older counts.
  const known = at === null || at === undefined ? -1 : at;
  return turns.filter((turn) => {
    const made = runOf(turn)?.checkpoint ?? null;
    return made !== null && (way.has(made) || made <= known);
  });
}

/** Whether `turn` was undone: it left a checkpoint, and the session's head does not come from it. */
export function undoneTurns(turns, checkpoints, head) {
  if (head === null || head === undefined) return new Set();
  const kept = new Set(turnsTo(turns, checkpoints, head));
  return new Set(turns.filter((turn) => (runOf(turn)?.checkpoint ?? null) !== null && !kept.has(turn)));
}

/** The sessions of the same tree as `session`, parents before their forks. */
export function family(sessions, session) {
  if (!session) return [];
  const byId = new Map(sessions.map((one) => [one.id, one]));
  const root = (one, depth = 0) => {
    const parent = one.forked_from && depth < 100 ? byId.get(one.forked_from.session) : null;
    return parent ? root(parent, depth + 1) : one.forked_from?.session ?? one.id;
  };
  const mine = root(byId.get(session.id) ?? session);
  return sessions.filter((one) => root(one) === mine).sort((a, b) => (a.created_at < b.created_at ? -1 : 1));
}

/**
 * The tree of a conversation, and its branches as columns. `actions`: `{open(id), remove(session), back()}`.
 */
export function branchesView(members, currentId, actions) {
  const tree = h("div", { class: "tree-place" });
  const columns = h("div", { class: "branch-columns" }, members.slice(-MAX_COLUMNS).map((session) => h("section", { class: "branch-column" }, h("h3", {}, session.title || strings.untitled), h("p", { class: "hint busy" }, strings.starting))));
  const node = h("section", { class: "branches", "aria-label": strings.sideBySide },
    h("header", { class: "branches-head" }, button({ text: strings.backToSession, icon: icon("chevron"), class: "button quiet turn-left", on: { click: () => actions.back() } })),
    h("h2", {}, strings.tree), tree, h("h2", {}, strings.sideBySide), columns);
  Promise.all(members.map(async (session) => ({ session, turns: await api.history(session.id).catch(() => []) }))).then((branches) => {
    replace(tree, treeView(branches, currentId, actions));
    replace(columns, branches.slice(-MAX_COLUMNS).map((branch) => columnView(branch, currentId, actions)));
  });
  return node;
}

function treeView(branches, currentId, actions) {
  const ids = new Set(branches.map(({ session }) => session.id));
  const forksOf = (id, wanted) => branches.filter(({ session }) => session.forked_from?.session === id && wanted(session.forked_from.checkpoint));
  const branchItem = ({ session, turns }) => {
    const made = new Set(turns.map((turn) => runOf(turn)?.checkpoint).filter((n) => n !== null && n !== undefined));
    const forks = (list) => (list.length > 0 ? h("ul", {}, list.map(branchItem)) : null);
    return h("li", { class: session.id === currentId ? "tree-branch current" : "tree-branch" },
      h("button", { type: "button", class: "tree-open", "aria-current": session.id === currentId ? "true" : null, on: { click: () => actions.open(session.id) } },
        icon("branch"), h("strong", {}, session.title || strings.untitled), session.id === currentId ? h("span", { class: "tag" }, strings.youAreHere) : null),
      forks(forksOf(session.id, (n) => !made.has(n))),
      h("ol", { class: "tree-steps" }, turns.map((turn) => h("li", {}, h("span", { class: "tree-step" }, titleOf(turn)),
        forks(forksOf(session.id, (n) => n === runOf(turn)?.checkpoint))))));
  };
  const roots = branches.filter(({ session }) => !ids.has(session.forked_from?.session));
  return h("ul", { class: "tree" }, roots.map(branchItem));
}

function columnView({ session, turns }, currentId, actions) {
  const current = session.id === currentId;
  return h("section", { class: current ? "branch-column current" : "branch-column", "aria-label": session.title || strings.untitled },
    h("header", {}, h("h3", { title: session.title }, session.title || strings.untitled), current ? h("span", { class: "tag" }, strings.youAreHere) : null, h("span", { class: "grow" }),
      button({ text: strings.openBranch, class: "button quiet open-branch", on: { click: () => actions.open(session.id) } })),
    turns.length === 0 ? h("p", { class: "hint" }, strings.branchEmpty) : turns.map(summary));
}

function summary(turn) {
  const run = runOf(turn);
  const displays = run?.outcome?.displays ?? [];
  const best = displays.find((one) => displayKind(one) === "picture") ?? displays.find((one) => displayKind(one) === "table") ?? displays.at(-1);
  const view = best ? displayView(best, titleOf(turn)) : null;
  const ending = run?.outcome?.ending;
  const failed = ending && !(ending.kind === "exited" && ending.code === 0);
  return h("article", { class: "branch-turn" },
    h("h4", {}, titleOf(turn)),
    failed ? h("p", { class: "hint" }, icon("alert"), strings.endings[ending.kind]?.(ending) ?? ending.kind) : null,
    view,
    turn.ask?.explanation ? h("div", { class: "branch-words" }, markdown(format.clip(turn.ask.explanation, 420))) : null);
}
