// The page in a real browser: a file and a sentence in, a chart, a table, a program and an explanation out.
//
// Needs a running server: GLOVEBOX_URL (such as http://127.0.0.1:8080). Optional: CHROMIUM (default
// /usr/bin/chromium), GLOVEBOX_SHOTS (a directory for screenshots).

import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { chromium } from "playwright-core";

const BASE = process.env.GLOVEBOX_URL ?? "http://127.0.0.1:8080";
const SHOTS = process.env.GLOVEBOX_SHOTS;
const PENGUINS = fileURLToPath(new URL("../data/penguins.csv", import.meta.url));
const QUESTION = "average body mass by species and sex as a bar chart";
const ANSWER_MS = 120_000;
const PNG = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

let profile;
let context;

before(async () => {
  if (SHOTS) await mkdir(SHOTS, { recursive: true });
  profile = await mkdtemp(join(tmpdir(), "glovebox-browser-"));
  context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    viewport: { width: 1440, height: 900 },
    reducedMotion: "reduce",
    acceptDownloads: true,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
  context.setDefaultTimeout(30_000);
});

after(async () => {
  await context?.close();
  if (profile) await rm(profile, { recursive: true, force: true });
});

/** Opens the page in a new tab; `verdict()` fails if anything went wrong behind its face. */
async function open(options = {}) {
  const page = await context.newPage();
  const faults = [];
  page.on("console", (message) => {
    if (message.type() === "error" || /content security policy/i.test(message.text())) faults.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => faults.push(`exception: ${error.message}`));
  page.on("dialog", (dialog) => {
    faults.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol !== "data:" && url.protocol !== "blob:" && url.origin !== new URL(BASE).origin) faults.push(`foreign request: ${url.href}`);
  });
  await page.addInitScript(() => {
    window.violations = [];
    document.addEventListener("securitypolicyviolation", (event) => window.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
  });
  if (options.viewport) await page.setViewportSize(options.viewport);
  await page.goto(options.url ?? BASE, { waitUntil: "load" });
  await page.locator("#ask").waitFor();
  return {
    page,
    async verdict() {
      assert.deepEqual(await page.evaluate(() => window.violations), [], "no violation of the content security policy");
      assert.deepEqual(faults, [], "no console error, exception, dialog or foreign request");
      await page.close();
    },
  };
}

const picker = (page) => page.locator('input[type="file"]');

async function upload(page, files, name) {
  await picker(page).setInputFiles(files);
  await page.locator(".chip:not(.uploading)", { hasText: name }).waitFor();
}

async function ask(page, question) {
  await page.locator("#ask").fill(question);
  await page.locator("#ask").press("Enter");
  const turn = page.locator(".turn", { hasText: question }).last();
  await turn.locator(".result").waitFor({ timeout: ANSWER_MS });
  return turn;
}

async function shot(page, name) {
  if (SHOTS) await page.screenshot({ path: join(SHOTS, `${name}.png`) });
}

async function naturalSize(image) {
  await image.waitFor();
  return image.evaluate(async (node) => {
    await node.decode();
    return [node.naturalWidth, node.naturalHeight];
  });
}

async function downloaded(page, click) {
  const [file] = await Promise.all([page.waitForEvent("download"), click()]);
  return { name: file.suggestedFilename(), bytes: await readFile(await file.path()) };
}

test("the page is served with a policy that lets no foreign or inline script run", async () => {
  const reply = await fetch(BASE);
  assert.equal(reply.status, 200);
  const policy = reply.headers.get("content-security-policy") ?? "";
  assert.match(policy, /default-src 'none'/);
  assert.match(policy, /script-src 'self'(;|$)/);
  assert.doesNotMatch(policy, /unsafe/);
});

test("an empty session invites a file and offers an example", async () => {
  const { page, verdict } = await open();
  await page.locator(".drop-zone").waitFor();
  await page.locator(".try-example").waitFor();
  await shot(page, "start-light");
  await verdict();
});

let answered;

test("a file and a question give a chart, a table, a program and an explanation", async () => {
  const { page, verdict } = await open();
  await upload(page, PENGUINS, "penguins.csv");
  await page.locator(".column", { hasText: "body_mass_g" }).waitFor();
  assert.match(await page.locator(".facts").first().innerText(), /344 rows/);
  assert.ok((await page.locator(".suggestion").count()) > 0, "questions are suggested");
  await shot(page, "file-light");

  const turn = await ask(page, QUESTION);
  const [width, height] = await naturalSize(turn.locator("img.chart").first());
  assert.ok(width > 200 && height > 200, `the chart is a picture (${width} × ${height})`);

  const cells = await turn.locator(".table-card").first().innerText();
  for (const species of ["Adelie", "Chinstrap", "Gentoo"]) assert.ok(cells.includes(species), `the table has ${species}`);

  const explanation = await turn.locator(".explanation").innerText();
  assert.ok(explanation.trim().length > 40, "there is an explanation");

  await turn.locator(".toggle", { hasText: "Program" }).click();
  assert.match(await turn.locator(".program .code").innerText(), /groupby|pivot/);

  const chart = await downloaded(page, async () => {
    await turn.locator(".picture").first().hover();
    await turn.locator(".save-image").first().click();
  });
  assert.ok(chart.name.endsWith(".png"), chart.name);
  assert.deepEqual(chart.bytes.subarray(0, 8), PNG, "the chart is saved as a PNG");
  const program = await downloaded(page, () => turn.locator(".save-program").click());
  assert.equal(program.name, "program.py");
  for (const link of await turn.locator('.file-link[data-type="image/png"]').all()) {
    const file = await downloaded(page, () => link.click());
    assert.deepEqual(file.bytes.subarray(0, 8), PNG, `${file.name} is a PNG`);
  }

  await turn.locator(".toggle", { hasText: "Program" }).click();
  await turn.locator(".question").scrollIntoViewIfNeeded();
  await shot(page, "result-light");
  answered = page.url();
  await verdict();
});

test("a table sorts by a click on its header", async () => {
  const { page, verdict } = await open({ url: answered });
  const table = page.locator(".table-card").first();
  const last = table.locator("thead th").last();
  const values = async () => (await table.locator("tbody tr:not(.filler) > :last-child").allInnerTexts()).map((text) => Number(text.replaceAll(",", "")));
  await last.locator("button").click();
  const up = await values();
  assert.deepEqual(up, [...up].sort((a, b) => a - b));
  await last.locator("button").click();
  const down = await values();
  assert.deepEqual(down, [...down].sort((a, b) => b - a));
  await verdict();
});

test("a reload shows the history again, also in the dark and on a phone", async () => {
  const { page, verdict } = await open({ url: answered });
  await page.reload();
  const turn = page.locator(".turn", { hasText: QUESTION });
  await naturalSize(turn.locator("img.chart").first());
  assert.ok((await turn.locator(".explanation").innerText()).trim().length > 0);
  await page.emulateMedia({ colorScheme: "dark" });
  await shot(page, "result-dark");
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize({ width: 390, height: 844 });
  await shot(page, "result-phone");
  const wide = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
  assert.equal(wide, false, "nothing sticks out of a phone's screen");
  await page.locator(".menu").click();
  await page.locator(".session-open").first().waitFor({ state: "visible" });
  await verdict();
});

test("a reload while a question is answered picks it up again", async () => {
  const { page, verdict } = await open({ url: answered });
  const question = "average flipper length by island as a bar chart";
  await page.locator("#ask").fill(question);
  await page.locator("#ask").press("Enter");
  await page.locator(".turn", { hasText: question }).waitFor();
  await page.reload();
  await page.locator(".turn", { hasText: question }).locator(".explanation").waitFor({ timeout: ANSWER_MS });
  await verdict();
});

test("an edited program runs again, and its failure is shown as what it is", async () => {
  const { page, verdict } = await open({ url: answered });
  const turn = page.locator(".turn").first();
  await turn.locator(".toggle", { hasText: "Program" }).click();
  await turn.locator(".edit").click();
  await turn.locator(".editor").fill('print("forty", 1 + 1)\nraise ValueError("on purpose")\n');
  await turn.locator(".run").click();
  const own = page.locator('.turn[data-kind="run"]').last();
  await own.locator(".result").waitFor({ timeout: ANSWER_MS });
  assert.match(await own.innerText(), /forty 2/);
  assert.match(await own.locator(".ending").innerText(), /ValueError: on purpose/);
  await verdict();
});

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

test("sessions are renamed and deleted, files are deleted, each after a question where it can't be undone", async () => {
  const { page, verdict } = await open();
  await upload(page, [{ name: "small.csv", mimeType: "text/csv", buffer: Buffer.from("city,amount\nBonn,1\nKiel,2\n") }], "small.csv");
  const current = page.locator(".session.current");
  await current.hover();
  await current.locator(".rename").click();
  const title = `Cities ${Date.now()}`;
  await page.locator(".session-rename").fill(title);
  await page.locator(".session-rename").press("Enter");
  await page.locator(".session-heading", { hasText: title }).waitFor();

  await page.locator(".chip").click();
  await page.locator(".side-sheet").getByRole("button", { name: "Delete file" }).click();
  await page.locator(".confirm .danger").click();
  await page.locator(".drop-zone").waitFor();
  await page.reload();
  await page.locator(".session.current", { hasText: title }).waitFor();
  assert.equal(await page.locator(".chip").count(), 0, "the file is gone");

  await current.hover();
  await current.locator(".delete").click();
  await page.locator(".confirm .danger").click();
  await page.locator(".session", { hasText: title }).waitFor({ state: "detached" });
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

test("the table of a data frame is read as text, with its levels and its order", async () => {
  const { page, verdict } = await open();
  const read = await page.evaluate(async (base) => {
    const { fromHtml, fromResource, order } = await import(new URL("ui/table.js", base).href);
    const html = `<div><style scoped>.dataframe tbody { color: red; }</style><table border="1" class="dataframe" style="color:red" onclick="alert(1)"><thead>
      <tr style="text-align: right;"><th></th><th colspan="2" halign="left">mass</th></tr><tr><th></th><th>min</th><th>max</th></tr><tr><th>species</th><th></th><th></th></tr></thead>
      <tbody><tr><th rowspan="2" valign="top">Adelie</th><td>10</td><td>NaN</td></tr><tr><td>9</td><td>&lt;img src=x onerror=alert(1)&gt;<img src=x onerror=alert(1)></td></tr></tbody></table><p>70 rows × 2 columns</p></div>`;
    const table = fromHtml(html);
    const resource = fromResource({ schema: { fields: [{ name: "index", type: "integer" }, { name: "a", type: "string" }], primaryKey: ["index"] }, data: [{ index: 0, a: null }, { index: 1, a: "x" }], total_rows: 9 });
    return { table, resource, nothing: fromHtml("<p>no table</p>"), order: order([["10"], [""], ["9"], ["1,000"]], 0, true, -1) };
  }, BASE);
  assert.deepEqual(read.table.columns.map((column) => column.name), ["species", "mass · min", "mass · max"]);
  assert.deepEqual(read.table.rows, [["Adelie", "10", "NaN"], ["Adelie", "9", "<img src=x onerror=alert(1)>"]]);
  assert.equal(read.table.total, 70);
  assert.deepEqual(read.resource.rows, [["0", ""], ["1", "x"]]);
  assert.equal(read.resource.total, 9);
  assert.equal(read.nothing, null);
  assert.deepEqual(read.order, [3, 0, 2, 1], "largest first, missing last");
  await verdict();
});
