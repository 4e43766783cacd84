// What a session shows before its first question: a place to drop files, or the files and what could be asked.

import { button, h, replace } from "./dom.js";
import * as format from "./format.js";
import { icon } from "./icons.js";
import { suggestionList } from "./result.js";
import { sampleView } from "./sample.js";
import { strings } from "./strings.js";
import { suggest } from "./suggest.js";

/** The empty page. `actions`: `{pick(), example()}`; `builtinOnly`: no language model is configured. */
export function emptyView(builtinOnly, actions) {
  return h("section", { class: "start" },
    h("h1", {}, strings.heroTitle),
    h("p", { class: "lead" }, strings.heroText),
    h("div", { class: "drop-zone", on: { click: (event) => { if (event.target.tagName !== "BUTTON") actions.pick(); } } },
      h("span", { class: "drop-icon" }, icon("upload")),
      h("p", { class: "drop-title" }, strings.dropTitle, " ", strings.dropOr, " ", h("button", { type: "button", class: "link", on: { click: () => actions.pick() } }, strings.choose)),
      h("p", { class: "hint" }, strings.dropHint)),
    h("p", { class: "example" }, h("span", {}, strings.exampleTitle), " ", button({ text: strings.exampleText, icon: icon("spark"), class: "button quiet try-example", on: { click: () => actions.example() } })),
    builtinOnly ? note() : null);
}

/** That only the builtin planner is there. */
function note() {
  return h("p", { class: "note" }, icon("spark"), h("span", {}, strings.builtinNote));
}

/**
 * The files of a session that has no turns yet. `sampleOf(file)` gives a promise of a sample; questions appear when the
 * samples are there.
 */
export function filesView(files, sampleOf, builtinOnly, ask) {
  const questions = h("div", { class: "suggestions-place" });
  const cards = files.map((file) => fileCard(file, sampleOf(file)));
  Promise.allSettled(files.map(sampleOf)).then((results) => {
    const samples = results.filter((result) => result.status === "fulfilled").map((result) => result.value);
    const list = suggest(samples);
    if (list.length > 0) replace(questions, suggestionList(strings.tryAsking, list, ask));
  });
  return h("section", { class: "overview" }, questions, cards, builtinOnly ? note() : null);
}

function fileCard(file, sample) {
  const body = h("div", { class: "file-body" }, h("p", { class: "hint busy" }, strings.sampling));
  showSample(body, file, sample);
  return h("article", { class: "file-card", "aria-label": file.name }, h("h2", {}, file.name), body);
}

/** Fills `body` with a file's sample when it is there, or with the reason why not. */
export function showSample(body, file, sample) {
  sample.then(
    (value) => replace(body, sampleView(file, value)),
    (error) => replace(body, h("p", { class: "banner warning" }, icon("alert"), h("span", {}, format.sentence(error.message)))),
  );
}
