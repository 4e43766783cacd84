// What a person sees while a question is answered or a program runs. Everything has its place from the
// beginning (stages, message, program, output), so that nothing jumps while events arrive.

import { announce, h, replace } from "./dom.js";
import { displayView } from "./display.js";
import * as format from "./format.js";
import { program } from "./highlight.js";
import { icon } from "./icons.js";
import { markdown } from "./markdown.js";
import { strings } from "./strings.js";

const ASK_STAGES = ["sampling", "generating", "running", "explaining"];
const MAX_OUTPUT_CHARS = 50_000;
const MAX_DISPLAYS = 40;

/** Returns `{node, handle(type, data), reconnecting(), finish()}`. `about` describes charts to screen readers. */
export function liveView(kind, about, source = "") {
  const stages = kind === "ask" ? ASK_STAGES : ["running"];
  const steps = new Map(stages.map((stage) => [stage, h("li", { class: "step" }, h("span", { class: "step-mark" }, icon("check")), h("span", { class: "step-name" }, strings.stages[stage]))]));
  const message = h("p", { class: "live-message" }, strings.starting);
  const clock = h("span", { class: "live-clock", "aria-hidden": "true" });
  const code = h("div", { class: "live-scroll", tabindex: 0, "aria-label": strings.liveProgram });
  const output = h("pre", { class: "live-scroll live-output", tabindex: 0, "aria-label": strings.liveOutput }, h("span", { class: "placeholder" }, strings.liveOutputEmpty));
  const displays = h("div", { class: "displays" });
  const explanation = h("div", { class: "live-explanation" });
  const node = h("div", { class: "live", "aria-busy": "true" },
    h("div", { class: "live-head" }, h("ol", { class: "steps" }, [...steps.values()]), clock),
    message,
    h("div", { class: "live-panes" },
      h("section", {}, h("h3", {}, strings.liveProgram), code),
      h("section", {}, h("h3", {}, strings.liveOutput), output)),
    displays,
    explanation);

  const started = performance.now();
  const timer = setInterval(() => (clock.textContent = format.duration(performance.now() - started)), 100);
  let stage = "";
  let attempt = 1;
  let written = "";
  let explained = "";
  let printed = 0;
  if (source) replace(code, program(source));
  if (kind === "run") enter("running", "");

  function enter(next, text) {
    const place = stages.indexOf(next === "repairing" ? "generating" : next);
    stages.forEach((name, i) => {
      const step = steps.get(name);
      step.classList.toggle("done", i < place);
      step.classList.toggle("active", i === place);
      if (i === place) step.setAttribute("aria-current", "step");
      else step.removeAttribute("aria-current");
    });
    const writing = steps.get("generating");
    if (writing) writing.querySelector(".step-name").textContent = next === "repairing" ? strings.repairingStage(attempt) : strings.stages.generating;
    stage = next;
    message.textContent = format.sentence(text);
    announce(message.textContent || strings.stages[next] || "");
  }

  function onStage(data) {
    attempt = Number(data.attempt) || 1;
    if (data.stage === "generating" || data.stage === "repairing") written = "";
    if (data.stage === "explaining") explained = "";
    enter(data.stage, data.message);
    if (data.stage !== "repairing") return;
    // What a failed attempt showed is not part of the answer; its reason stays in sight while the next one is written.
    displays.replaceChildren();
    const reason = format.clip(String(data.message ?? "").replace(/^repair(?:ing)?(?: \d+ of \d+)?: */i, ""), 400);
    replace(output, h("span", { class: "failure" }, icon("alert"), h("span", {}, strings.attemptFailed(attempt - 1, reason))));
    printed = 1;
  }

  function onText(text) {
    if (stage === "explaining") {
      explained += text;
      draw(() => replace(explanation, markdown(explained)));
    } else {
      written += text;
      draw(() => {
        replace(code, writing(written));
        code.scrollTop = code.scrollHeight;
      });
    }
  }

  // Models send many small pieces; one drawing per frame is enough.
  let pending = null;
  function draw(work) {
    if (!pending) requestAnimationFrame(() => {
      const latest = pending;
      pending = null;
      latest?.();
    });
    pending = work;
  }

  function print(text, name) {
    if (printed === 0) output.replaceChildren();
    if (printed > MAX_OUTPUT_CHARS) return;
    printed += text.length;
    output.append(h("span", { class: name }, text));
    output.scrollTop = output.scrollHeight;
  }

  function onRun(event) {
    switch (event?.type) {
      case "stdout":
        return print(String(event.text ?? ""), "out");
      case "stderr":
        return print(String(event.text ?? ""), "err");
      case "error":
        return print(`${event.name}: ${event.value}\n`, "err");
      case "limit_warning":
        return print(`${format.sentence(event.message)}\n`, "err");
      case "progress":
        if (event.message) message.textContent = event.message;
        return undefined;
      case "display": {
        const view = displays.childElementCount < MAX_DISPLAYS ? displayView(event, about) : null;
        if (view) displays.append(view);
        return undefined;
      }
      default:
        return undefined;
    }
  }

  // What a model writes is words and, between fences, the program.
  function writing(text) {
    const fence = /(?:^|\n)```[^\n]*\n/.exec(text);
    if (!fence) return h("p", { class: "live-prose" }, text);
    const words = text.slice(0, fence.index).trim();
    const rest = text.slice(fence.index + fence[0].length);
    const end = rest.indexOf("\n```");
    return [words ? h("p", { class: "live-prose" }, words) : null, program(end < 0 ? rest : rest.slice(0, end))];
  }

  return {
    node,
    handle(type, data) {
      if (type === "stage") onStage(data);
      else if (type === "text") onText(String(data.text ?? ""));
      else if (type === "program") {
        pending = null;
        replace(code, program(String(data.source ?? "")));
        code.scrollTop = 0;
      } else if (type === "candidate") print(`${strings.candidateEnded(Number(data.number) || 0, Number(data.of) || 0, format.clip(data.error ?? "", 200))}\n`, data.error ? "err" : "out");
      else if (type === "run") onRun(data.event);
      else if (kind === "run") onRun({ ...data, type });
    },
    reconnecting: () => (message.textContent = strings.reconnecting),
    finish() {
      clearInterval(timer);
      pending = null;
    },
  };
}
