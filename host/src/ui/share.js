// The dialog with the links that show a session to others.

import { api } from "./api.js";
import { button, h, openDialog, replace } from "./dom.js";
import * as format from "./format.js";
import { icon } from "./icons.js";
import { strings } from "./strings.js";

const DAYS = [1, 7, 30, 365];
const USUAL_DAYS = 30;
const MAX_LABEL_CHARS = 200;

/** Opens it for `session`. */
export function shareDialog(session) {
  const list = h("ul", { class: "share-list" });
  const status = h("p", { class: "hint", role: "status" });
  const made = h("div", { class: "share-made", hidden: true });
  const label = h("input", { class: "field", id: "share-label", maxlength: MAX_LABEL_CHARS, placeholder: strings.shareLabelHint, autocomplete: "off" });
  const days = h("select", { class: "models", id: "share-days" }, DAYS.map((n) => h("option", { value: n, selected: n === USUAL_DAYS }, strings.days(n))));
  const make = button({ text: strings.shareMake, icon: icon("link"), type: "submit", class: "button primary", on: {} });
  const form = h("form", { class: "share-form", on: { submit: (event) => { event.preventDefault(); create(); } } },
    h("label", { for: "share-label" }, strings.shareLabel), label,
    h("div", { class: "share-row" }, h("label", { for: "share-days" }, strings.shareDays), days, h("span", { class: "grow" }), make));
  const dialog = h("dialog", { class: "confirm share", "aria-label": strings.shareTitle },
    h("h2", {}, strings.shareTitle), h("p", {}, strings.shareText),
    form, made, status, list,
    h("div", { class: "confirm-tools" }, button({ text: strings.close, on: { click: () => dialog.close() } })));

  async function create() {
    make.disabled = true;
    try {
      const share = await api.share(session.id, { label: label.value.trim(), expires_in_days: Number(days.value) });
      label.value = "";
      status.textContent = "";
      show(new URL(share.link, new URL(".", location.href)).href);
      await draw();
    } catch (error) {
      status.textContent = error.message;
    } finally {
      make.disabled = false;
    }
  }

  /** The link itself: the server tells it once. */
  function show(address) {
    const box = h("input", { class: "field", readonly: true, value: address, "aria-label": strings.shareLink, on: { focus: () => box.select() } });
    const copy = button({ text: strings.copy, icon: icon("copy"), class: "button", on: { click: async () => {
      box.select();
      await navigator.clipboard?.writeText(address).then(() => (status.textContent = strings.shareCopied), () => (status.textContent = strings.shareCopyFailed));
    } } });
    replace(made, h("p", {}, strings.shareOnce), h("div", { class: "share-row" }, box, copy));
    made.hidden = false;
    box.focus();
  }

  async function draw() {
    const shares = await api.shares(session.id).catch((error) => {
      status.textContent = error.message;
      return [];
    });
    replace(list, shares.map((share) => h("li", {},
      h("span", { class: "share-text" }, h("bdi", {}, share.label || strings.shareUnnamed),
        h("small", {}, strings.shareFacts(format.when(share.created_at), format.when(share.expires_at), share.last_used_at ? format.when(share.last_used_at) : null))),
      button({ text: strings.shareEnd, class: "button quiet share-end", "aria-label": strings.shareEndLabel(share.label || strings.shareUnnamed), on: { click: () => end(share) } }))));
  }

  async function end(share) {
    try {
      await api.endShare(session.id, share.id);
      made.hidden = true;
      status.textContent = strings.shareEnded;
    } catch (error) {
      status.textContent = error.message;
    }
    await draw();
  }

  openDialog(dialog);
  draw();
}
