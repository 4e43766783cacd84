// A finished answer or run: what went wrong, charts and tables, explanation, files, program, what it used.

import { ApiError, url } from "./api.js";
import { announce, button, download, h, replace } from "./dom.js";
import { displayKind, displayView, pictureView, playerView, textView } from "./display.js";
import * as format from "./format.js";
import { program } from "./highlight.js";
import { icon } from "./icons.js";
import { markdown } from "./markdown.js";
import { strings } from "./strings.js";

const PICTURE = /^image\/(png|jpeg|gif|webp)$/;
const RECORDING = /^(video\/(mp4|webm|ogg)|audio\/(mpeg|mp4|wav|x-wav|ogg|flac|webm|aac))$/;
const MAX_LARGE_PICTURES = 4;
const MAX_PLAYERS = 4;

/**
 * `turn` is `{ask}` or `{run}`. `actions`: `{ask(question), rerun(code), retry(), archive}`, archive being the URL of the zip.
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
    ask?.explanation ? h("section", { class: "explanation", "aria-label": strings.explanation }, markdown(ask.explanation)) : null,
    files(run?.artifacts ?? [], actions.archive),
    details(ask, run, outcome, displays.length > 0, actions),
    suggestions(ask, actions));
}

const succeeded = (outcome) => outcome.ending?.kind === "exited" && outcome.ending.code === 0;

function shown(outcome, run, about) {
  const displays = outcome?.displays ?? [];
  const recordings = (run?.artifacts ?? []).filter((artifact) => RECORDING.test(artifact.media_type)).slice(0, MAX_PLAYERS);
  const players = recordings.map((artifact) => h("figure", { class: "card" }, playerView({ src: content(artifact), mime: artifact.media_type, about })));
  const views = [...players, ...displays.map((display) => displayView(display, about)).filter(Boolean)];
  if (displays.some((display) => displayKind(display) === "picture")) return views;
  // A program that only saved its picture still deserves to have it seen.
  const pictures = (run?.artifacts ?? []).filter((artifact) => PICTURE.test(artifact.media_type)).slice(0, MAX_LARGE_PICTURES);
  return [...pictures.map((artifact) => pictureView({ src: content(artifact), mime: artifact.media_type, about, name: fileName(artifact.path) })), ...views];
}

const content = (artifact) => url("artifacts", artifact.id, "content");
const fileName = (path) => String(path).split("/").at(-1);

function problem(item, actions) {
  if (item?.status !== "failed") return null;
  const reason = ApiError.fromProblem(item.error, item.error?.status ?? 500).message;
  return h("div", { class: "banner danger", role: "group" }, icon("alert"),
    h("div", {}, h("strong", {}, strings.failedTitle), h("p", {}, reason), h("p", { class: "hint" }, strings.failedText),
      button({ text: strings.retry, on: { click: () => actions.retry() } })));
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

function files(artifacts, archive) {
  if (artifacts.length === 0) return null;
  return h("section", { class: "made", "aria-label": strings.filesMade },
    h("div", { class: "made-head" }, h("h3", {}, strings.filesMade),
      artifacts.length > 1 ? h("a", { class: "button quiet", href: archive, download: "glovebox.zip" }, icon("archive"), h("span", {}, strings.downloadAll)) : null),
    h("ul", { class: "file-list" }, artifacts.map((artifact) => h("li", {},
      h("a", { class: "file-link", href: content(artifact), download: fileName(artifact.path), data: { type: artifact.media_type } },
        PICTURE.test(artifact.media_type) ? h("img", { src: content(artifact), alt: "", loading: "lazy" }) : h("span", { class: "file-icon" }, icon("file")),
        h("span", { class: "file-text" }, h("span", { class: "file-name" }, artifact.path), h("span", { class: "file-size" }, format.bytes(artifact.size))),
        icon("download"))))));
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
  const buttons = [];
  const views = panels.map(([title, make], i) => {
    const view = h("div", { class: "panel", hidden: true }, make());
    buttons.push(h("button", { type: "button", class: "toggle", "aria-expanded": "false", on: { click: () => open(i) } }, h("span", {}, title), icon("chevron")));
    return view;
  });
  function open(chosen) {
    views.forEach((view, i) => {
      view.hidden = i !== chosen || !view.hidden;
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
  const show = () => replace(view, h("div", { class: "panel-tools" },
    button({ text: strings.edit, icon: icon("pencil"), class: "button quiet edit", on: { click: edit } }),
    h("span", { class: "grow" }),
    copyButton(source),
    button({ label: strings.savePy, icon: icon("download"), class: "icon-button save-program", on: { click: () => download("program.py", new Blob([source], { type: "text/x-python" })) } })),
  program(source));
  const edit = () => {
    const box = h("textarea", { class: "editor", "aria-label": strings.editLabel, spellcheck: "false", autocapitalize: "off", rows: Math.min(30, source.split("\n").length + 2) });
    box.value = source;
    const start = () => {
      if (!box.value.trim()) return;
      show();
      actions.rerun(box.value);
    };
    box.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) start();
      if (event.key === "Escape") show();
    });
    replace(view, h("div", { class: "panel-tools" },
      button({ text: strings.run, icon: icon("play"), class: "button primary run", on: { click: start } }),
      button({ text: strings.cancel, class: "button quiet", on: { click: show } }),
      h("span", { class: "grow" }), h("span", { class: "hint" }, strings.editKeys)), box);
    box.focus();
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
    h("details", {},
      h("summary", {}, h("strong", {}, strings.attempt(i + 1)), h("span", { class: attempt.error ? "attempt-error" : "attempt-fine" }, attempt.error || strings.attemptWorked)),
      program(String(attempt.program ?? ""))))));
}

function suggestions(ask, actions) {
  const questions = (ask?.suggestions ?? []).filter((text) => typeof text === "string" && text.trim()).slice(0, 3);
  return questions.length === 0 ? null : suggestionList(strings.askNext, questions, actions.ask);
}

/** Questions that one click asks. */
export function suggestionList(title, questions, onAsk) {
  return h("section", { class: "suggestions", "aria-label": title }, h("h3", {}, title),
    h("ul", {}, questions.map((text) => h("li", {}, button({ text: format.clip(text, 160), icon: icon("spark"), class: "suggestion", on: { click: () => onAsk(text) } })))));
}
