// A finished answer or run: what went wrong, charts and tables, explanation, files, program, what it used.

import { ApiError, url } from "./api.js";
import { authorizedFetch, downloads, source } from "./auth.js";
import { diffView } from "./diff.js";
import { announce, button, download, h, openDialog, replace } from "./dom.js";
import { displayKind, displayView, pictureView, playerView, textView } from "./display.js";
import { editorView } from "./editor.js";
import * as format from "./format.js";
import { frameView } from "./frames.js";
import { program } from "./highlight.js";
import { icon } from "./icons.js";
import { markdown } from "./markdown.js";
import { strings } from "./strings.js";

const PICTURE = /^image\/(png|jpeg|gif|webp)$/;
const RECORDING = /^(video\/(mp4|webm|ogg)|audio\/(mpeg|mp4|wav|x-wav|ogg|flac|webm|aac))$/;
const MAX_LARGE_PICTURES = 4;
const MAX_PLAYERS = 4;
const MAX_FRAMED_BYTES = 20_000_000;
const MAX_TILES = 24;

/**
 * `turn` is `{ask}` or `{run}`. `actions`: `{language, ask(question), rerun(code), retry()}`; those that are missing are not
 * offered.
 */
export function resultView(turn, actions) {
  const ask = turn.ask ?? null;
  const run = ask ? ask.run ?? null : turn.run;
  const outcome = run?.outcome ?? null;
  const about = ask?.question || strings.yourProgram;
  const displays = shown(outcome, run, about);
  return h("div", { class: "result" },
    problem(ask ?? run, actions),
    outcome && trouble(outcome),
    displays.length > 0 ? h("div", { class: "displays" }, displays) : null,
    outcome && displays.length === 0 && outcome.stdout ? textView(outcome.stdout) : null,
    outcome && succeeded(outcome) && displays.length === 0 && !outcome.stdout && !ask?.explanation && !(run.artifacts?.length > 0)
      ? h("p", { class: "hint" }, strings.nothingShown) : null,
    ask?.explanation ? h("section", { class: "explanation", "aria-label": strings.explanation }, markdown(ask.explanation), checkedView(ask.checked)) : null,
    files(run?.artifacts ?? [], about),
    details(ask, run, outcome, displays.length > 0, actions),
    suggestions(ask, actions));
}

const succeeded = (outcome) => outcome.ending?.kind === "exited" && outcome.ending.code === 0;

function shown(outcome, run, about) {
  const displays = outcome?.displays ?? [];
  const recordings = (run?.artifacts ?? []).filter((artifact) => RECORDING.test(artifact.media_type)).slice(0, MAX_PLAYERS);
  const players = recordings.map((artifact) => h("figure", { class: "card" }, playerView({ src: content(artifact), mime: artifact.media_type, about })));
  const views = [...players, ...displays.map((display) => displayView(display, about)).filter(Boolean)];
  const drawn = displays.some((display) => displayKind(display) === "picture");
  // A page that a program wrote is its result, if nothing else was shown.
  if (!drawn) views.push(...(run?.artifacts ?? []).filter(isPage).slice(0, 1).map((artifact) => frameView("html", pageOf(artifact), about)));
  if (drawn) return views;
  // A program that only saved its picture still deserves to have it seen.
  const pictures = (run?.artifacts ?? []).filter((artifact) => PICTURE.test(artifact.media_type)).slice(0, MAX_LARGE_PICTURES);
  return [...pictures.map((artifact) => pictureView({ src: content(artifact), mime: artifact.media_type, about, name: fileName(artifact.path) })), ...views];
}

const isPage = (artifact) => /^(text\/html|application\/xhtml)/.test(artifact.media_type) && artifact.size <= MAX_FRAMED_BYTES;

async function pageOf(artifact) {
  const reply = await authorizedFetch(content(artifact));
  if (!reply.ok) throw ApiError.fromProblem(null, reply.status);
  return reply.text();
}

const content = (artifact) => url("artifacts", artifact.id, "content");
const fileName = (path) => String(path).split("/").at(-1);

function checkedView(checked) {
  if (!checked) return null;
  const { missing = [], named = 0 } = checked;
  if (missing.length > 0) return h("p", { class: "hint checked" }, icon("alert"), h("span", {}, strings.checkedMissing(missing.slice(0, 12).map((name) => format.clip(format.visible(name), 60)).join(", "))));
  return named > 0 ? h("p", { class: "hint checked checked-fine" }, icon("check"), h("span", {}, strings.checkedAll(named))) : null;
}

function problem(item, actions) {
  if (item?.status !== "failed") return null;
  const reason = ApiError.fromProblem(item.error, item.error?.status ?? 500).message;
  return h("div", { class: "banner danger", role: "group" }, icon("alert"),
    h("div", {}, h("strong", {}, strings.failedTitle), h("p", {}, reason), h("p", { class: "hint" }, strings.failedText),
      actions.retry ? button({ text: strings.retry, on: { click: () => actions.retry() } }) : null));
}

function trouble(outcome) {
  const warnings = (outcome.warnings ?? []).map((text) => h("p", { class: "hint" }, icon("alert"), h("span", {}, format.sentence(text))));
  if (succeeded(outcome)) return warnings;
  const ending = outcome.ending ?? {};
  const kind = String(ending.kind ?? "");
  const words = Object.hasOwn(strings.endings, kind) ? strings.endings[kind](ending) : kind;
  const limit = kind.startsWith("out_of") || kind === "too_much_output";
  const hint = limit ? strings.whatNow.limit : strings.whatNow[kind];
  return [
    h("div", { class: kind === "cancelled" ? "banner" : "banner warning" }, icon(kind === "cancelled" ? "stop" : "alert"),
      h("div", {}, h("strong", {}, limit ? strings.limitTitle : strings.endingTitles[kind] ?? strings.endingTitles.raised),
        h("p", { class: kind === "raised" || kind === "trapped" ? "ending verbatim" : "ending" }, words),
        hint ? h("p", { class: "hint" }, hint) : null,
        ending.traceback ? h("details", {}, h("summary", {}, strings.traceback), textView(ending.traceback)) : null)),
    warnings,
  ];
}

function files(artifacts, about) {
  if (artifacts.length === 0) return null;
  const list = h("ul", { class: "file-list" }, artifacts.slice(0, MAX_TILES).map((artifact) => fileTile(artifact, about)));
  const more = artifacts.length > MAX_TILES
    ? button({ text: strings.allFiles(artifacts.length), class: "button quiet all-files", on: { click: () => { replace(list, artifacts.map((artifact) => fileTile(artifact, about))); more.remove(); } } })
    : null;
  return h("section", { class: "made", "aria-label": strings.filesMade }, h("div", { class: "made-head" }, h("h3", {}, strings.filesMade)), list, more);
}

function fileTile(artifact, about) {
  const name = format.visible(artifact.path);
  const picture = PICTURE.test(artifact.media_type) ? source(h("img", { alt: "", loading: "lazy" }), content(artifact)) : h("span", { class: "file-icon" }, icon("file"));
  const link = h("a", { class: "file-link", data: { type: artifact.media_type }, title: format.clip(name, 300) },
    h("span", { class: "visually-hidden" }, `${strings.downloadFile} `), picture, h("span", { class: "file-text" }, h("bdi", { class: "file-name" }, format.clip(name, 120)), h("span", { class: "file-size" }, format.bytes(artifact.size))), icon("download"));
  const show = isPage(artifact) ? button({ label: strings.openFramed, icon: icon("external"), class: "icon-button open-page", on: { click: () => openPage(artifact, about) } }) : null;
  return h("li", {}, downloads(link, content(artifact), fileName(artifact.path)), show);
}

function openPage(artifact, about) {
  const dialog = h("dialog", { class: "side-sheet wide", "aria-label": format.clip(artifact.path, 120) },
    h("header", {}, h("h2", {}, format.clip(format.visible(artifact.path), 120)), h("span", { class: "grow" }), button({ label: strings.close, icon: icon("close"), class: "icon-button", on: { click: () => dialog.close() } })),
    h("div", { class: "sheet-body" }, frameView("html", pageOf(artifact), about)));
  openDialog(dialog);
}

function details(ask, run, outcome, hasDisplays, actions) {
  if ((ask ?? run)?.status === "failed" && !run) return null;
  const source = ask?.program || run?.code || "";
  const panels = [];
  if (source) panels.push([strings.program, () => programPanel(source, actions)]);
  const printed = outcome && ((hasDisplays && outcome.stdout) || outcome.stderr || outcome.output_truncated);
  if (printed) panels.push([strings.output, () => outputPanel(outcome, hasDisplays)]);
  const attempts = ask?.attempts ?? [];
  if (attempts.length > 1) panels.push([strings.attempts(attempts.length), () => attemptsPanel(attempts)]);
  if (ask?.candidates?.length > 1) panels.push([strings.candidates(ask.candidates.length), () => candidatesPanel(ask.candidates)]);
  if (ask?.alternatives?.length > 0) panels.push([strings.alternatives(ask.alternatives.length), () => alternativesPanel(ask.alternatives, actions)]);
  const buttons = [];
  const views = panels.map(([title], i) => {
    const view = h("div", { class: "panel", hidden: true });
    buttons.push(h("button", { type: "button", class: "toggle", "aria-expanded": "false", on: { click: () => open(i) } }, h("span", {}, title), icon("chevron")));
    return view;
  });
  function open(chosen) {
    views.forEach((view, i) => {
      view.hidden = i !== chosen || !view.hidden;
      // Made when it is opened first: long histories stay light.
      if (!view.hidden && !view.hasChildNodes()) replace(view, panels[i][1]());
      buttons[i].setAttribute("aria-expanded", String(!view.hidden));
      if (!view.hidden) view.scrollIntoView({ block: "nearest" });
    });
  }
  return h("section", { class: "details" }, h("div", { class: "details-bar" }, buttons, h("span", { class: "grow" }), used(ask, run, outcome)), views);
}

function used(ask, run, outcome) {
  const usage = outcome?.usage;
  const elapsed = ask ? span(ask) : span(run);
  const parts = [
    Number.isFinite(elapsed) ? format.duration(elapsed) : outcome?.timing ? format.duration(outcome.timing.wall_ms) : null,
    usage ? strings.fuel(format.brief(usage.fuel)) : null,
    usage ? strings.memory(format.bytes(usage.memory_peak_bytes)) : null,
    ask?.usage?.input_tokens > 0 ? strings.tokens(format.brief(ask.usage.input_tokens), format.brief(ask.usage.output_tokens)) : null,
    ask?.model || null,
  ];
  return h("p", { class: "used", "aria-label": strings.used }, parts.filter(Boolean).map((part) => h("span", {}, part)));
}

const span = (item) => (item?.finished_at ? new Date(item.finished_at) - new Date(item.created_at) : NaN);

function programPanel(source, actions) {
  const view = h("div", { class: "program" });
  const extension = actions.language === "javascript" ? "js" : "py";
  const show = () => replace(view, h("div", { class: "panel-tools" },
    actions.rerun ? button({ text: strings.edit, icon: icon("pencil"), class: "button quiet edit", on: { click: edit } }) : null,
    h("span", { class: "grow" }),
    copyButton(source),
    button({ label: strings.saveProgram(extension), icon: icon("download"), class: "icon-button save-program", on: { click: () => download(`program.${extension}`, new Blob([source], { type: "text/plain" })) } })),
  program(source));
  const edit = () => {
    const editor = editorView(source, actions.language, { leave: show, run: (text) => { show(); actions.rerun(text); } });
    replace(view, editor.node);
    editor.focus();
  };
  show();
  return view;
}

function copyButton(text) {
  const made = button({ text: strings.copy, icon: icon("copy"), class: "button quiet", on: { click: copy } });
  async function copy() {
    try {
      await navigator.clipboard.writeText(text);
      replace(made, icon("check"), h("span", {}, strings.copied));
      announce(strings.copied);
    } catch {
      // Browsers allow it on https and localhost only.
      announce(strings.copyFailed);
      made.title = strings.copyFailed;
    }
    setTimeout(() => replace(made, icon("copy"), h("span", {}, strings.copy)), 1500);
  }
  return made;
}

function outputPanel(outcome, withStdout) {
  return [
    withStdout && outcome.stdout ? textView(outcome.stdout, "stdout") : null,
    outcome.stderr ? [h("h3", {}, strings.errors), textView(outcome.stderr, "stderr")] : null,
    outcome.output_truncated ? h("p", { class: "hint" }, strings.truncated) : null,
  ];
}

function attemptsPanel(attempts) {
  return h("ol", { class: "attempts" }, attempts.map((attempt, i) => h("li", {},
    h("details", { open: i > 0 && i === attempts.length - 1 },
      h("summary", {}, h("strong", {}, strings.attempt(i + 1)), h("span", { class: attempt.error ? "attempt-error" : "attempt-fine" }, attempt.error || strings.attemptWorked)),
      i > 0 ? [h("p", { class: "hint" }, strings.changedFrom(i)), diffView(String(attempts[i - 1].program ?? ""), String(attempt.program ?? ""))] : program(String(attempt.program ?? ""))))));
}

function candidatesPanel(candidates) {
  return h("ol", { class: "attempts" }, candidates.map((one, i) => h("li", {}, h("details", {},
    h("summary", {}, h("strong", {}, strings.attempt(i + 1)), one.kept ? h("span", { class: "tag" }, strings.kept) : null, h("span", { class: one.error ? "attempt-error" : "attempt-fine" }, one.error || strings.attemptWorked)),
    program(String(one.program ?? ""))))));
}

function alternativesPanel(alternatives, actions) {
  return h("ul", { class: "attempts" }, alternatives.map((one, i) => h("li", {}, h("details", {},
    h("summary", {}, h("strong", {}, one.title || strings.alternative(i + 1))),
    actions.rerun && button({ text: strings.runAlternative, icon: icon("play"), class: "button quiet", on: { click: () => actions.rerun(String(one.program ?? "")) } }),
    program(String(one.program ?? ""))))));
}

function suggestions(ask, actions) {
  const questions = (ask?.suggestions ?? []).filter((text) => typeof text === "string" && text.trim()).slice(0, 3);
  return questions.length === 0 || !actions.ask ? null : suggestionList(strings.askNext, questions, actions.ask);
}

/** Questions that one click asks. */
export function suggestionList(title, questions, onAsk) {
  return h("section", { class: "suggestions", "aria-label": title }, h("h3", {}, title),
    h("ul", {}, questions.map((text) => h("li", {}, button({ text: format.clip(text, 160), icon: icon("spark"), class: "suggestion", on: { click: () => onAsk(text) } })))));
}
