// The page in a real browser: a file and a sentence in, a chart, a table, a program and an explanation out.
// What it needs is in harness.mjs; branches and downloads, hostile contents and rarer states have files of their own.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { accessible, ANSWER_MS, ask, BASE, browser, data, downloaded, naturalSize, open as openIn, picker, runInstead, shot, upload } from "./harness.mjs";

const PENGUINS = data("penguins.csv");
const QUESTION = "average body mass by species and sex as a bar chart";
const PNG = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

let chromium;
before(async () => (chromium = await browser()));
after(() => chromium?.close());
const open = (options) => openIn(chromium.context, options);

test("the page is served with a policy that lets no foreign or inline script run", async () => {
  const reply = await fetch(BASE);
  assert.equal(reply.status, 200);
  const policy = reply.headers.get("content-security-policy") ?? "";
  assert.match(policy, /default-src 'none'/);
  assert.match(policy, /script-src 'self'(;|$)/);
  assert.doesNotMatch(policy, /unsafe/);
});

test("the page is there within a second, in less than 1.5 MB", async () => {
  const { page, verdict } = await open();
  await page.locator(".example-card").first().waitFor();
  const { paint, bytes } = await page.evaluate(() => ({
    paint: performance.getEntriesByName("first-contentful-paint")[0].startTime,
    bytes: performance.getEntriesByType("resource").reduce((sum, entry) => sum + entry.transferSize, performance.getEntriesByType("navigation")[0].transferSize),
  }));
  assert.ok(paint < 1000, `first paint after ${Math.round(paint)} ms`);
  assert.ok(bytes > 10_000 && bytes < 1_500_000, `${bytes} bytes were transferred`);
  await verdict();
});

test("an empty session invites a file and offers examples, and says that no model is configured", async () => {
  const { page, verdict } = await open();
  await page.locator(".drop-zone").waitFor();
  assert.equal(await page.locator(".example-card").count(), 3);
  await page.locator("details.note summary").click();
  assert.match(await page.locator(".note-body").innerText(), /OPENAI_BASE_URL=/);
  await accessible(page, "the empty page");
  await shot(page, "start-light");
  await verdict();
});

test("every question of the examples is answered by one click, without a model", async () => {
  for (let n = 0; ; n += 1) {
    const { page, verdict } = await open();
    await page.locator(".example-card").first().waitFor();
    const questions = page.locator(".example-question");
    if (n >= (await questions.count())) {
      assert.equal(n, 9);
      await page.close();
      return;
    }
    const question = await questions.nth(n).innerText();
    await questions.nth(n).click();
    const turn = page.locator(".turn", { hasText: question });
    await turn.locator(".result").waitFor({ timeout: ANSWER_MS });
    assert.equal(await turn.locator(".banner").count(), 0, `${question}: no failure`);
    assert.ok((await turn.locator("img.chart, video").count()) > 0, `${question}: a picture or a recording`);
    await verdict();
  }
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

test("everything can be done with the keyboard", async () => {
  const { page, verdict } = await open();
  await page.locator(".example-card").first().waitFor();
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press("/");
  assert.equal(await page.evaluate(() => document.activeElement.id), "ask", "a slash leads to the question");
  assert.equal(await page.locator("#ask").inputValue(), "");
  await page.locator(".example-question").first().focus();
  await page.keyboard.press("Enter");
  const turn = page.locator(".turn");
  await turn.locator(".result").waitFor({ timeout: ANSWER_MS });
  await turn.locator(".toggle", { hasText: "Program" }).focus();
  await page.keyboard.press("Enter");
  await turn.locator(".edit").focus();
  await page.keyboard.press("Enter");
  await turn.locator(".cm-content").waitFor();
  await page.keyboard.press("Control+a");
  await page.keyboard.press("Delete");
  await page.keyboard.insertText("if True:\n");
  await page.keyboard.press("Tab");
  await page.keyboard.insertText("print('by keys')");
  await page.keyboard.press("Escape");
  assert.ok(await page.evaluate(() => document.activeElement.classList.contains("run")), "Escape leads out of the editor");
  assert.match(await turn.locator(".cm-content").innerText(), /by keys/, "and loses nothing");
  await page.keyboard.press("Enter");
  const own = page.locator('.turn[data-kind="run"]');
  await own.locator(".result").waitFor({ timeout: ANSWER_MS });
  assert.match(await own.innerText(), /by keys/);
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
  const own = await runInstead(page, turn, 'print("forty", 1 + 1)\nraise ValueError("on purpose")\n');
  assert.match(await own.innerText(), /forty 2/);
  assert.match(await own.locator(".ending").innerText(), /ValueError: on purpose/);
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
