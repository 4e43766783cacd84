// The only place that makes elements. Text becomes text nodes; no string is ever parsed as HTML.

const SVG = "http://www.w3.org/2000/svg";

/**
 * Makes an element. Props: `class`, `on: {event: handler}`, `data: {name: value}`; any other name is an
 * attribute (`true` sets it empty, `false`, `null` and `undefined` leave it out). Children: nodes, text, nested arrays, null.
 */
export function h(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

/** As `h`, for SVG elements. */
export function svg(tag, props, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

function fill(node, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") node.setAttribute("class", value);
    else if (name === "on") for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler);
    else if (name === "data") for (const [key, item] of Object.entries(value)) node.dataset[key] = item;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  append(node, children);
  return node;
}

function append(node, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    if (Array.isArray(child)) append(node, child);
    else node.append(child instanceof Node ? child : String(child));
  }
}

/** Replaces the children of `node`. */
export function replace(node, ...children) {
  node.replaceChildren();
  append(node, children);
  return node;
}

/** A button; `icon` is a node from icons.js; without `text`, `label` names it for screen readers and as a tooltip. */
export function button({ text, label, icon, class: name = "button", ...props }) {
  return h("button", { type: "button", class: name, "aria-label": text ? null : label, title: text ? null : label, ...props }, icon, text ? h("span", {}, text) : null);
}

/** Says `text` to screen readers without moving anything. */
export function announce(text) {
  document.getElementById("announcer").textContent = text;
}

/** Opens `node` as a modal dialog that Escape, the close button and a click beside it close. */
export function openDialog(node) {
  node.addEventListener("click", (event) => {
    if (event.target === node) node.close();
  });
  node.addEventListener("close", () => node.remove());
  document.body.append(node);
  node.showModal();
  return node;
}

/** Asks before something that can't be undone. `words`: `{title, text, yes, no}`. */
export function confirm(words, onYes) {
  const dialog = h("dialog", { class: "confirm", "aria-label": words.title },
    h("h2", {}, words.title),
    h("p", {}, words.text),
    h("div", { class: "confirm-tools" },
      button({ text: words.no, on: { click: () => dialog.close() } }),
      button({ text: words.yes, class: "button danger", on: { click: () => { dialog.close(); onYes(); } } })));
  openDialog(dialog);
}

/** Hands the user `bytes` (a Blob) as a file. */
export function download(name, blob) {
  const url = URL.createObjectURL(blob);
  const link = h("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  // The browser reads the blob after the click returns.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
