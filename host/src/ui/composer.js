// The question box at the bottom: files as chips, uploads with progress, the question, send or stop.

import { button, h, replace } from "./dom.js";
import * as format from "./format.js";
import { icon } from "./icons.js";
import { strings } from "./strings.js";

const MAX_QUESTION_CHARS = 20_000;

/** How to move the bar of an upload. */
const shareOf = new WeakMap();

/**
 * `actions`: `{send(question), stop(), add(files), showFile(file), cancelUpload(upload), retryUpload(upload)}`.
 * With `looking` there are only the files. Returns `{node, setFiles(files, uploads), setRunning(running), setModels(models), setImages(images), lockImage(name), model(),
 * image(), pick(), focus(), clear()}`.
 */
export function composer(actions, { looking = false } = {}) {
  const chips = h("ul", { class: "chips", "aria-label": strings.files });
  const picker = h("input", { type: "file", multiple: true, class: "visually-hidden", tabindex: -1, "aria-label": strings.attach, data: { role: "picker" } });
  const box = h("textarea", { id: "ask", class: "ask", rows: 1, maxlength: MAX_QUESTION_CHARS, placeholder: strings.askPlaceholderEmpty, "aria-label": strings.askLabel, enterkeyhint: "send" });
  const models = h("select", { class: "models", "aria-label": strings.model, hidden: true });
  const images = h("select", { class: "models images", "aria-label": strings.image, title: strings.image, hidden: true });
  const send = button({ label: strings.send, icon: icon("send"), class: "round", on: { click: () => submit() } });
  let running = false;

  picker.addEventListener("change", () => {
    if (picker.files.length > 0) actions.add([...picker.files]);
    // The same file can be chosen again after it was changed.
    picker.value = "";
  });
  box.addEventListener("input", grow);
  box.addEventListener("keydown", (event) => {
    // An Enter that ends an input method's composition is not a question.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    if (!running) submit();
  });
  box.addEventListener("paste", (event) => {
    if (event.clipboardData?.files.length > 0) {
      event.preventDefault();
      actions.add([...event.clipboardData.files]);
    }
  });

  function grow() {
    box.style.height = "auto";
    box.style.height = `${Math.min(box.scrollHeight, 220)}px`;
    send.disabled = !running && !box.value.trim();
  }

  function submit() {
    if (running) return actions.stop();
    const question = box.value.trim();
    if (question) actions.send(question);
    return undefined;
  }

  grow();
  const attach = button({ label: strings.attach, icon: icon("clip"), class: "icon-button", on: { click: () => picker.click() } });
  const node = h("div", { class: "composer" },
    h("div", { class: looking ? "composer-box looking" : "composer-box" }, chips, looking ? h("p", { class: "hint" }, strings.sharedHint) : [box,
      h("div", { class: "composer-bar" }, attach, picker, models, images, h("span", { class: "grow" }), h("span", { class: "keys" }, strings.keys), send)]));

  return {
    node,
    setFiles(files, uploads) {
      replace(chips, files.map((file) => fileChip(file, actions)), uploads.map((upload) => uploadChip(upload, actions)));
      chips.hidden = files.length + uploads.length === 0;
      box.placeholder = files.length > 0 ? strings.askPlaceholder : strings.askPlaceholderEmpty;
    },
    /** Moves one upload's bar, without drawing anything anew. */
    setShare(upload) {
      shareOf.get(upload)?.(upload.share);
    },
    setRunning(now) {
      running = now;
      node.classList.toggle("running", now);
      send.setAttribute("aria-label", now ? strings.stop : strings.send);
      send.title = now ? strings.stop : strings.send;
      replace(send, icon(now ? "stop" : "send"));
      grow();
    },
    setModels(list) {
      replace(models, list.map((model) => h("option", { value: model.name, selected: model.default }, model.name)));
      models.hidden = list.length < 2;
    },
    /** The languages that a new session can have. */
    setImages(list) {
      const ready = list.filter((image) => image.state === "ready" || image.state === "preparing");
      replace(images, ready.map((image) => h("option", { value: image.name, selected: image.name === "python" }, image.name)));
      images.hidden = ready.length < 2;
    },
    /** A session keeps its language; null lets the next one choose. */
    lockImage(name) {
      images.disabled = name !== null;
      if (name !== null) images.value = name;
      else if (!images.value) images.value = "python";
    },
    image: () => (images.hidden ? null : images.value || null),
    model: () => (models.hidden ? null : models.value),
    pick: () => picker.click(),
    /** Moves the cursor into the box, but never unfolds the keyboard of a phone by itself. */
    focus: () => matchMedia("(pointer: coarse)").matches || box.focus({ preventScroll: true }),
    clear() {
      box.value = "";
      grow();
    },
    text: () => box.value,
    setText(text) {
      box.value = text;
      grow();
    },
  };
}

function fileChip(file, actions) {
  const kind = String(file.media_type).startsWith("image/") ? "image" : /csv|json|sheet|excel|tab-separated/.test(file.media_type) ? "table" : "file";
  return h("li", {}, h("button", { type: "button", class: "chip", title: strings.showFile(format.clip(file.name, 200)), on: { click: () => actions.showFile(file) } },
    icon(kind), h("bdi", { class: "chip-name" }, format.visible(file.name)), h("span", { class: "chip-size" }, format.bytes(file.size))));
}

function uploadChip(upload, actions) {
  if (upload.failed) {
    return h("li", {}, h("span", { class: "chip failed", title: upload.failed }, icon("alert"), h("span", { class: "chip-name" }, upload.name),
      button({ label: strings.retryUpload(upload.name), icon: icon("redo"), class: "chip-close", on: { click: () => actions.retryUpload(upload) } }),
      button({ label: strings.cancelUpload(upload.name), icon: icon("close"), class: "chip-close", on: { click: () => actions.cancelUpload(upload) } })));
  }
  const bar = h("span", { class: "chip-bar" });
  const text = h("span", { class: "chip-size" });
  const meter = h("span", { class: "visually-hidden", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100 });
  const move = (part) => {
    const share = `${Math.round(part * 100)}%`;
    bar.style.width = share;
    text.textContent = share;
    meter.setAttribute("aria-valuenow", Math.round(part * 100));
    meter.setAttribute("aria-label", strings.uploading(upload.name, share));
  };
  move(upload.share);
  shareOf.set(upload, move);
  return h("li", {}, h("span", { class: "chip uploading" },
    bar, meter, icon("upload"), h("span", { class: "chip-name" }, upload.name), text,
    button({ label: strings.cancelUpload(upload.name), icon: icon("close"), class: "chip-close", on: { click: () => actions.cancelUpload(upload) } })));
}
