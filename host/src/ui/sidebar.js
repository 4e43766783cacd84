// The list of sessions: new, search, open, rename, delete; colours, storage, signing out.

import { signedIn, signOut } from "./auth.js";
import { button, confirm, h, replace } from "./dom.js";
import * as format from "./format.js";
import { icon, mark } from "./icons.js";
import { strings } from "./strings.js";
import { nextTheme, theme } from "./theme.js";

const SEARCH_FROM = 6;

/**
 * `actions`: `{create(), open(id), rename(session, title), remove(session)}`.
 * Returns `{node, show(sessions, currentId)}`.
 */
export function sidebar(actions) {
  const list = h("ul", { class: "session-list" });
  const search = h("input", { type: "search", class: "field session-search", placeholder: strings.searchSessions, "aria-label": strings.searchSessions, hidden: true, on: { input: () => draw() } });
  const storage = h("p", { class: "storage" });
  const colours = button({ label: strings.themes[theme()], icon: icon(themeIcon()), class: "icon-button small", on: { click: turnTheme } });
  const leave = button({ label: strings.signOut, icon: icon("leave"), class: "icon-button small sign-out", hidden: true, on: { click: () => { signOut(); location.reload(); } } });
  const node = h("nav", { class: "sidebar", "aria-label": strings.sessions },
    h("div", { class: "brand" }, mark(), h("span", {}, strings.name)),
    button({ text: strings.newSession, icon: icon("plus"), class: "button new-session", on: { click: () => actions.create() } }),
    search, list,
    h("div", { class: "sidebar-foot" }, h("div", {}, h("a", { class: "docs", href: "docs" }, strings.apiDocs), storage), h("span", { class: "grow" }), leave, colours));
  let shown = { sessions: [], current: null };

  function turnTheme() {
    const words = strings.themes[nextTheme()];
    colours.title = words;
    colours.setAttribute("aria-label", words);
    replace(colours, icon(themeIcon()));
  }

  function show(sessions, current) {
    shown = { sessions, current };
    draw();
  }

  function draw() {
    const { sessions, current } = shown;
    // Two names for the same thing hide it while it is being renamed; the list waits.
    if (list.querySelector(".session-rename")) return;
    leave.hidden = !signedIn();
    search.hidden = sessions.length < SEARCH_FROM && !search.value;
    const bytes = sessions.reduce((sum, session) => sum + (session.bytes || 0), 0);
    storage.textContent = bytes > 0 ? strings.storage(format.bytes(bytes)) : "";
    if (sessions.length === 0) {
      replace(list, h("li", { class: "hint" }, strings.noSessions));
      return;
    }
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const text = (session) => [session.title, ...(session.files ?? []).map((file) => file.name)].join(" ").toLowerCase();
    const found = sessions.filter((session) => words.every((word) => text(session).includes(word)));
    replace(list, found.length > 0 ? found.map((session) => row(session, session.id === current)) : h("li", { class: "hint" }, strings.noMatch));
  }

  function row(session, current) {
    const title = session.title || strings.untitled;
    const item = h("li", { class: current ? "session current" : "session" },
      h("button", { type: "button", class: "session-open", "aria-current": current ? "page" : null, title, on: { click: () => actions.open(session.id) } },
        session.forked_from ? h("span", { class: "session-branch", title: strings.isBranch }, icon("branch"), h("span", { class: "visually-hidden" }, strings.isBranch)) : null,
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
      draw();
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

const themeIcon = () => ({ system: "system", light: "sun", dark: "moon" })[theme()];

function confirmDelete(title, onYes) {
  confirm({ title: strings.deleteTitle, text: strings.deleteText(title), yes: strings.delete, no: strings.cancel }, onYes);
}
