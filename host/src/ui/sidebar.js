// The list of sessions: new, open, rename, delete.

import { button, confirm, h, replace } from "./dom.js";
import * as format from "./format.js";
import { icon, mark } from "./icons.js";
import { strings } from "./strings.js";

/**
 * `actions`: `{create(), open(id), rename(session, title), remove(session)}`.
 * Returns `{node, show(sessions, currentId)}`.
 */
export function sidebar(actions) {
  const list = h("ul", { class: "session-list" });
  const node = h("nav", { class: "sidebar", "aria-label": strings.sessions },
    h("div", { class: "brand" }, mark(), h("span", {}, strings.name)),
    button({ text: strings.newSession, icon: icon("plus"), class: "button new-session", on: { click: () => actions.create() } }),
    list,
    h("a", { class: "docs", href: "docs" }, strings.apiDocs));

  function show(sessions, current) {
    if (sessions.length === 0) return replace(list, h("li", { class: "hint" }, strings.noSessions));
    return replace(list, sessions.map((session) => row(session, session.id === current)));
  }

  function row(session, current) {
    const title = session.title || strings.untitled;
    const item = h("li", { class: current ? "session current" : "session" },
      h("button", { type: "button", class: "session-open", "aria-current": current ? "page" : null, title, on: { click: () => actions.open(session.id) } },
        h("span", { class: "session-title" }, title), h("span", { class: "session-time" }, format.when(session.updated_at || session.created_at))),
      h("span", { class: "session-tools" },
        button({ label: strings.renameLabel(title), icon: icon("pencil"), class: "icon-button small rename", on: { click: () => rename(item, session, title) } }),
        button({ label: strings.deleteLabel(title), icon: icon("trash"), class: "icon-button small delete", on: { click: () => confirmDelete(title, () => actions.remove(session)) } })));
    return item;
  }

  function rename(item, session, title) {
    const box = h("input", { class: "session-rename", value: title, maxlength: 200, "aria-label": strings.rename });
    const before = [...item.childNodes];
    let over = false;
    const end = (save) => {
      if (over) return;
      over = true;
      const text = box.value.trim();
      replace(item, before);
      if (save && text && text !== title) actions.rename(session, text);
    };
    box.addEventListener("keydown", (event) => {
      if (event.key === "Enter") end(true);
      if (event.key === "Escape") end(false);
    });
    box.addEventListener("blur", () => end(true));
    replace(item, box);
    box.focus();
    box.select();
  }

  return { node, show };
}

function confirmDelete(title, onYes) {
  confirm({ title: strings.deleteTitle, text: strings.deleteText(title), yes: strings.delete, no: strings.cancel }, onYes);
}
