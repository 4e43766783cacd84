// Interactive charts and pages that programs made, in a frame that has no origin: see `frame.html` and its policy in
// api/ui.rs. What is to be shown is sent to the frame as a message; nothing of it is ever part of this page.

import { h } from "./dom.js";
import { strings } from "./strings.js";
import { isDark } from "./theme.js";

const MAX_HEIGHT = 1600;

/** Which of our libraries draws a MIME type. */
export const FRAMED = {
  "application/vnd.plotly.v1+json": "plotly",
  "application/vnd.vegalite.v4+json": "vega",
  "application/vnd.vegalite.v5+json": "vega",
  "application/vnd.vegalite.v6+json": "vega",
  "application/vnd.vega.v5+json": "vega",
  "application/vnd.vega.v6+json": "vega",
};

/** Milliseconds that a frame may take to begin. */
const PATIENCE = 5_000;
/** After the browser says that it loaded something, be it an error page. */
const GRACE = 400;

const HERE = new URL("frame.html", import.meta.url).href;
const origin = document.querySelector('meta[name="artifacts"]')?.content;
// The artifacts' own origin, unless it cannot be reached from here (a port that is not forwarded). In either place the
// frame is sandboxed into an origin that nobody shares.
let begins = origin ? `${origin}/~/frame.html` : HERE;

/**
 * Shows `content` (a description, or for `html` a text) drawn as `kind`: `plotly`, `vega` or `html`.
 * It may be a promise; nothing is loaded before the frame is near the screen.
 */
export function frameView(kind, content, about) {
  let answered = false;
  const status = h("p", { class: "frame-status hint", role: "status" }, strings.loadingChart);
  const frame = h("iframe", { class: "frame", sandbox: "allow-scripts", referrerpolicy: "no-referrer", title: strings.chartAlt(about), loading: "lazy" });
  const node = h("figure", { class: `card framed framed-${kind}` }, status, frame);

  function onMessage({ source, data }) {
    if (!node.isConnected) return removeEventListener("message", onMessage);
    // Only what this very frame says, and only these words.
    if (source !== frame.contentWindow || typeof data !== "object" || data === null) return undefined;
    if (data.say === "ready") {
      answered = true;
      Promise.resolve(content).then(send, fail);
    }
    if (data.say === "height" && Number.isFinite(data.height)) frame.style.height = `${Math.min(MAX_HEIGHT, Math.max(80, Math.ceil(data.height)))}px`;
    if (data.say === "shown") status.remove();
    if (data.say === "failed") fail();
    return undefined;
  }
  // An origin that nobody has cannot be named, so the message goes to whoever is in the frame: nobody else can be.
  const send = (ready) => frame.contentWindow?.postMessage({ kind, content: ready, dark: isDark() }, "*");
  const fail = () => (status.textContent = strings.chartFailed);

  const near = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    near.disconnect();
    addEventListener("message", onMessage);
    frame.src = begins;
    const elsewhere = () => {
      if (answered || frame.src === HERE) return;
      begins = HERE;
      frame.src = HERE;
    };
    setTimeout(elsewhere, PATIENCE);
    frame.addEventListener("load", () => setTimeout(elsewhere, GRACE));
  }, { rootMargin: "400px" });
  near.observe(node);
  return node;
}
