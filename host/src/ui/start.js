// What a session shows before its first question: a place to drop files and examples, or the files and what could be asked.

import { button, h, replace } from "./dom.js";
import { examples } from "./examples.js";
import * as format from "./format.js";
import { icon } from "./icons.js";
import { suggestionList } from "./result.js";
import { sampleView } from "./sample.js";
import { strings } from "./strings.js";
import { suggest } from "./suggest.js";

/** The empty page. `actions`: `{pick(), example(example, question)}`; `builtinOnly`: no language model is configured. */
export function emptyView(builtinOnly, actions) {
  return h("section", { class: "start" },
    h("h1", {}, strings.heroTitle),
    h("p", { class: "lead" }, strings.heroText),
    h("div", { class: "drop-zone", on: { click: (event) => { if (event.target.tagName !== "BUTTON") actions.pick(); } } },
      h("span", { class: "drop-icon" }, icon("upload")),
      h("p", { class: "drop-title" }, strings.dropTitle, " ", strings.dropOr, " ", h("button", { type: "button", class: "link", on: { click: () => actions.pick() } }, strings.choose)),
      h("p", { class: "hint" }, strings.dropHint)),
    h("section", { class: "examples", "aria-label": strings.exampleTitle },
      h("h2", {}, strings.exampleTitle),
      h("div", { class: "example-cards" }, examples.map((example) => exampleCard(example, actions)))),
    builtinOnly ? note() : null);
}

function exampleCard(example, actions) {
  return h("article", { class: "example-card", "aria-label": example.title },
    h("header", {}, h("span", { class: "file-icon" }, icon(example.icon)),
      h("div", {}, h("h3", {}, example.title), h("p", { class: "hint" }, example.about))),
    h("ul", {}, example.questions.map((question) => h("li", {},
      h("button", { type: "button", class: "example-question", on: { click: () => actions.example(example, question) } }, h("span", {}, question), icon("arrow"))))),
    button({ text: strings.exampleLook, class: "button quiet try-example", on: { click: () => actions.example(example, null) } }));
}

/** That only the builtin planner is there, and how to have more. */
function note() {
  return h("details", { class: "note" },
    h("summary", {}, icon("spark"), h("span", {}, strings.builtinNote), h("span", { class: "note-more" }, strings.builtinHow)),
    h("div", { class: "note-body" },
      h("p", {}, strings.builtinText),
      strings.builtinSteps.map(([words, command]) => [h("p", {}, words), h("pre", { class: "code", tabindex: 0 }, command)])));
}

/**
 * The files of a session that has no turns yet. `sampleOf(file)` gives a promise of a sample; questions appear when the
 * samples are there, unless nobody may `ask`.
 */
export function filesView(files, sampleOf, builtinOnly, ask) {
  const questions = h("div", { class: "suggestions-place" });
  const cards = files.map((file) => fileCard(file, sampleOf(file)));
  Promise.allSettled(files.map(sampleOf)).then((results) => {
    const samples = results.filter((result) => result.status === "fulfilled").map((result) => result.value);
    const list = suggest(samples);
    if (ask && list.length > 0) replace(questions, suggestionList(strings.tryAsking, list, ask));
  });
  return h("section", { class: "overview" }, questions, cards, builtinOnly ? note() : null);
}

function fileCard(file, sample) {
  const body = h("div", { class: "file-body" }, skeleton());
  showSample(body, file, sample);
  return h("article", { class: "file-card", "aria-label": file.name }, h("h2", {}, file.name), body);
}

/** The outline of what is about to be there. */
export function skeleton() {
  return h("div", { class: "skeleton", role: "status", "aria-label": strings.sampling },
    h("p", { class: "hint busy" }, strings.sampling),
    h("div", { class: "columns", "aria-hidden": "true" }, Array.from({ length: 4 }, () => h("div", { class: "ghost" }))));
}

/** Fills `body` with a file's sample when it is there, or with the reason why not. */
export function showSample(body, file, sample) {
  sample.then(
    (value) => replace(body, sampleView(file, value)),
    (error) => replace(body, h("p", { class: "banner warning" }, icon("alert"), h("span", {}, format.sentence(error.message)))),
  );
}
