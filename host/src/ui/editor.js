// Editing a program: CodeMirror, loaded when the first editor opens; a plain text box until then, or if it does not load.

import { button, h, replace } from "./dom.js";
import { icon } from "./icons.js";
import { strings } from "./strings.js";

/** `actions`: `{run(text), leave()}`; `language`: `python` or `javascript`. */
export function editorView(source, language, actions) {
  const plain = h("textarea", { class: "editor", "aria-label": strings.editLabel, spellcheck: "false", autocapitalize: "off", rows: Math.min(30, source.split("\n").length + 2) });
  plain.value = source;
  let text = () => plain.value;
  const run = () => text().trim() && actions.run(text());
  plain.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) run();
    if (event.key === "Escape") go.focus();
  });
  // Tab indents, so Escape is the way out for the keyboard: to the buttons, with nothing lost.
  const go = button({ text: strings.run, icon: icon("play"), class: "button primary run", on: { click: run } });
  const place = h("div", { class: "editor-place" }, plain);
  const node = h("div", {},
    h("div", { class: "panel-tools" },
      go,
      button({ text: strings.cancel, class: "button quiet", on: { click: () => actions.leave() } }),
      h("span", { class: "grow" }), h("span", { class: "hint" }, strings.editKeys)), place);
  import("./vendor/editor.js").then(({ edit }) => {
    if (!node.isConnected) return;
    const typed = plain.value;
    const host = h("div");
    replace(place, host);
    const editor = edit(host, typed, { language, label: strings.editLabel, onRun: run, onLeave: () => go.focus() });
    ({ text } = editor);
    editor.focus();
  }).catch(() => plain.focus());
  return { node, focus: () => plain.focus() };
}
