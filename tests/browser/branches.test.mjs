// Branches, undo and downloads: what a conversation is besides a list.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, test } from "node:test";

import { accessible, ask, browser, data, downloaded, open as openIn, runInstead, upload } from "./harness.mjs";

let chromium;
before(async () => (chromium = await browser()));
after(() => chromium?.close());
const open = (options) => openIn(chromium.context, options);

const FIRST = "average body_mass_g by species as a bar chart";
const SECOND = "distribution of flipper_length_mm";
let begun;

test("a step is undone and brought back", async () => {
  const { page, verdict } = await open();
  await upload(page, data("penguins.csv"), "penguins.csv");
  const first = await ask(page, FIRST);
  const second = await ask(page, SECOND);
  await second.locator(".undo").click();
  const note = page.locator(".undone-note", { hasText: SECOND });
  await note.waitFor();
  assert.equal(await second.isVisible(), false, "what was undone is folded away");
  await first.locator(".undo").waitFor();
  await accessible(page, "an undone step");
  await page.reload();
  await note.waitFor();
  await note.locator(".bring-back").click();
  await second.locator(".result").waitFor();
  assert.equal(await note.count(), 0);
  begun = page.url();
  await verdict();
});

test("something else is tried in a branch, with the variables of the step that it leaves", async () => {
  const { page, verdict } = await open({ url: begun });
  const first = page.locator(".turn", { hasText: FIRST });
  const own = await runInstead(page, first, "kept = 41 + 1\nprint(kept)\n");
  await own.locator(".fork").waitFor();
  const started = Date.now();
  await own.locator(".fork").click();
  await page.locator(".branch-line").waitFor();
  assert.ok(Date.now() - started < 3000, "a branch is there at once");
  assert.equal(await page.locator(".inherited-turns .turn").count(), 3, "what came before is shown");
  const branch = await ask(page, "top 5 island by count");
  assert.equal(await branch.locator(".banner").count(), 0);
  const more = await runInstead(page, branch, "print('still', kept)\n");
  assert.match(await more.innerText(), /still 42/, "the branch has the interpreter of the step");

  await page.locator(".branches-button").click();
  await page.locator(".branch-turn").first().waitFor();
  assert.equal(await page.locator(".branch-column").count(), 2, "both branches stand side by side");
  assert.equal(await page.locator(".tree .tree .tree-open, .tree ol .tree-open").count(), 1, "the branch hangs below its step");
  await accessible(page, "branches side by side");
  await page.locator(".branch-column:not(.current) .open-branch").click();
  await page.locator(".turn", { hasText: SECOND }).locator(".result").waitFor();
  assert.equal(await page.locator(".turn", { hasText: "top 5 island" }).count(), 0, "the other branch is not in this one");
  await verdict();
});

test("a conversation is taken along as a zip, a notebook and Markdown", async () => {
  const { page, verdict } = await open({ url: begun });
  await page.locator(".turn .result").first().waitFor();
  const choose = async (name) => {
    await page.locator(".archive").click();
    return downloaded(page, () => page.locator(`.choice.${name}`).click());
  };
  const zip = await choose("asZip");
  assert.match(zip.name, /\.zip$/);
  const script = "import json, sys, zipfile, hashlib\nz = zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None\nprint(json.dumps({n: hashlib.sha256(z.read(n)).hexdigest() for n in z.namelist()}))\nprint(json.dumps(z.read('README.md').decode()))";
  const [files, readme] = execFileSync("python3", ["-c", script, zip.path], { encoding: "utf8" }).trim().split("\n").map((line) => JSON.parse(line));
  const names = Object.keys(files);
  for (const name of ["README.md", "conversation.ipynb", "conversation.md", "penguins.csv", "steps/01/program.py", "steps/01/chart-1.png", "steps/02/program.py"]) assert.ok(names.includes(name), `${name} is in ${names}`);
  assert.ok(readme.includes(files["penguins.csv"]), "the README names the input by its hash");
  const csv = names.find((name) => /^steps\/01\/.*\.csv$/.test(name));
  assert.ok(csv && readme.includes(files[csv]), "and the results");

  const notebook = JSON.parse((await choose("asNotebook")).bytes);
  assert.equal(notebook.nbformat, 4);
  const code = notebook.cells.filter((cell) => cell.cell_type === "code");
  assert.ok(code.length >= 3);
  assert.ok(code[0].outputs.some((output) => output.data?.["image/png"]), "the chart is an output of its cell");
  // The programs of a notebook must be programs.
  execFileSync("python3", ["-c", "import ast, json, sys\nfor source in json.load(sys.stdin): ast.parse(source)"], { input: JSON.stringify(code.map((cell) => cell.source.join(""))) });

  const text = (await choose("asMarkdown")).bytes.toString();
  assert.match(text, /```python\n/);
  assert.ok(text.includes(FIRST) && text.includes("data:image/png;base64,"));
  await verdict();
});
