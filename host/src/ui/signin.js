// The dialog that asks for an API key.

import { button, h, openDialog } from "./dom.js";
import { icon } from "./icons.js";
import { strings } from "./strings.js";

/** Resolves with what was typed; rejects when the dialog is closed. `refused`: the key before was not accepted. */
export function askForKey(refused) {
  return new Promise((resolve, reject) => {
    const box = h("input", { type: "password", class: "field", id: "api-key", autocomplete: "off", spellcheck: "false", required: true, maxlength: 512 });
    let given = null;
    const form = h("form", { class: "sign-in-form", on: { submit: (event) => { event.preventDefault(); given = box.value.trim(); if (given) dialog.close(); } } },
      h("span", { class: "drop-icon" }, icon("key")),
      h("h2", {}, strings.signInTitle),
      h("p", {}, strings.signInText),
      refused ? h("p", { class: "refused", role: "alert" }, icon("alert"), strings.signInRefused) : null,
      h("label", { for: "api-key" }, strings.apiKey), box,
      h("div", { class: "confirm-tools" }, button({ text: strings.signIn, type: "submit", class: "button primary", on: {} })));
    const dialog = h("dialog", { class: "confirm sign-in", "aria-label": strings.signInTitle }, form);
    dialog.addEventListener("close", () => (given ? resolve(given) : reject(new Error(strings.notSignedIn))));
    openDialog(dialog);
    box.focus();
  });
}
