// Runs in frame.html, where nothing of the page can be reached. A classic script: modules of an origin that does not
// exist are not loaded. Draws what the page sends, once.

(() => {
  "use strict";
  const home = new URL(".", document.currentScript.src);
  const say = (word, more) => parent.postMessage({ say: word, ...more }, "*");

  // Calls between browsers are the one way out that no policy closes.
  for (const name of ["RTCPeerConnection", "webkitRTCPeerConnection", "RTCDataChannel"]) delete globalThis[name];

  // Libraries that pages load from elsewhere, and ours that stand in for them.
  const KNOWN = [
    [/plotly/i, "plotly"],
    [/vega(?:-?lite|-?embed)?(?:@|\.|\/|$)/i, "vega"],
    [/chart\.?js|\/chart(?:\.umd)?(?:\.min)?\.js/i, "chart"],
    [/\bd3(?:@|\.|-|\/)/i, "d3"],
  ];

  const loaded = new Map();
  function load(name) {
    if (!loaded.has(name)) {
      loaded.set(name, new Promise((resolve, reject) => {
        const script = document.createElement("script");
        script.src = new URL(`vendor/${name}.js`, home).href;
        script.onload = resolve;
        script.onerror = () => reject(new Error(`failed to load ${name}`));
        document.head.append(script);
      }));
    }
    return loaded.get(name);
  }

  function watchHeight() {
    const tell = () => say("height", { height: Math.max(document.body?.scrollHeight ?? 0, document.body?.offsetHeight ?? 0) });
    new ResizeObserver(tell).observe(document.body);
    addEventListener("load", tell);
    tell();
  }

  function surface(dark) {
    const style = document.createElement("style");
    style.textContent = `html,body{margin:0;background:#fff;color:#1c2321;font:14px/1.5 system-ui,sans-serif;overflow-x:auto}body{padding:12px;box-sizing:border-box}${dark ? "html{color-scheme:light}" : ""}`;
    document.head.append(style);
    const place = document.createElement("div");
    document.body.append(place);
    return place;
  }

  async function plotly(figure) {
    await load("plotly");
    const place = surface();
    const layout = { ...figure.layout, autosize: true };
    delete layout.width;
    place.style.height = `${Math.min(900, Number(layout.height) || 440)}px`;
    await Plotly.newPlot(place, figure.data ?? [], layout, { responsive: true, displaylogo: false });
  }

  async function vega(spec) {
    await load("vega");
    const place = surface();
    place.style.width = "100%";
    // A single view without a width of its own takes what there is.
    if ((spec.mark || spec.layer) && spec.width === undefined) {
      spec.width = "container";
      spec.height ??= 340;
    }
    // Data must come with the description: this frame may ask nobody.
    await vegaEmbed(place, spec, { actions: false, renderer: "svg" });
  }

  function html(text) {
    // Scripts of others are replaced by ours of the same name; the policy refuses all the rest.
    const rewritten = text.replace(/<script\b[^>]*>/gi, (tag) => tag.replace(/(\bsrc\s*=\s*)(["']?)(?:https?:)?\/\/([^"'\s>]+)\2/i, (all, before, quote, address) => {
      const path = `/${address.split("/").slice(1).join("/")}`;
      const ours = KNOWN.find(([pattern]) => pattern.test(path));
      return ours ? `${before}"${new URL(`vendor/${ours[1]}.js`, home).href}"` : all;
      // The hash is that of their file, and an origin that does not exist is not let in by ours.
    }).replace(/\s(?:integrity|crossorigin)(?:\s*=\s*(?:"[^"]*"|'[^']*'|[^\s>]+))?/gi, ""));
    document.open();
    document.write(rewritten);
    document.close();
  }

  const draw = { plotly, vega, html };
  addEventListener("message", async function once({ source, data }) {
    if (source !== parent || !Object.hasOwn(draw, data?.kind)) return;
    removeEventListener("message", once);
    try {
      await draw[data.kind](data.content);
      say("shown");
      watchHeight();
    } catch (error) {
      say("failed", { reason: String(error?.message ?? error).slice(0, 300) });
    }
  });
  say("ready");
})();
