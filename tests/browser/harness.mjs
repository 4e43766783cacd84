// What the tests and the screenshots share: a browser, the page in it, and servers of their own where one is needed.
//
// Needs a running server: GLOVEBOX_URL (such as http://127.0.0.1:8080). Optional: CHROMIUM (default /usr/bin/chromium),
// GLOVEBOX_BINARY (for tests that start a server of their own; they are skipped without it), GLOVEBOX_SHOTS (a directory
// for screenshots), GLOVEBOX_UI (a directory whose files stand in for the embedded ones, to work on the page without
// building).

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { chromium } from "playwright-core";

export const BASE = process.env.GLOVEBOX_URL ?? "http://127.0.0.1:8080";
export const SHOTS = process.env.GLOVEBOX_SHOTS;
export const BINARY = process.env.GLOVEBOX_BINARY;
export const ANSWER_MS = 120_000;
export const data = (name) => fileURLToPath(new URL(`../data/${name}`, import.meta.url));

const UI = process.env.GLOVEBOX_UI;
const KINDS = { js: "text/javascript; charset=utf-8", css: "text/css; charset=utf-8", html: "text/html; charset=utf-8", svg: "image/svg+xml", csv: "text/csv; charset=utf-8", gif: "image/gif", json: "application/json" };

/** A browser with a profile of its own; `close()` removes both. */
export async function browser(options = {}) {
  if (SHOTS) await mkdir(SHOTS, { recursive: true });
  const profile = await mkdtemp(join(tmpdir(), "glovebox-browser-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    viewport: { width: 1440, height: 900 },
    reducedMotion: "reduce",
    acceptDownloads: true,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
    ...options,
  });
  context.setDefaultTimeout(30_000);
  if (UI) await context.route(/\/(?:ui\/[^?]*)?(?:#.*)?$/, fromDisk);
  return { context, close: async () => { await context.close(); await rm(profile, { recursive: true, force: true }); } };
}

async function fromDisk(route) {
  const { pathname } = new URL(route.request().url());
  const file = join(UI, pathname === "/" ? "index.html" : pathname.slice("/ui/".length));
  if (!existsSync(file)) return route.continue();
  const reply = await route.fetch();
  const policy = (reply.ok() ? reply : await route.fetch({ url: new URL("/", BASE).href })).headers()["content-security-policy"];
  const headers = { ...reply.headers(), "content-type": KINDS[file.split(".").at(-1)] ?? "text/plain", "content-security-policy": policy };
  delete headers["content-length"];
  return route.fulfill({ status: 200, headers, body: await readFile(file) });
}

/** Opens the page in a new tab; `verdict()` fails if anything went wrong behind its face. */
export async function open(context, options = {}) {
  const base = options.base ?? BASE;
  const page = await context.newPage();
  const faults = [];
  const blocked = [];
  const expected = options.expected ?? (() => false);
  page.on("console", (message) => {
    if ((message.type() === "error" || /content security policy/i.test(message.text())) && !expected(message.text())) faults.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => expected(error.message) || faults.push(`exception: ${error.message}`));
  page.on("dialog", (dialog) => {
    faults.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol === "data:" || url.protocol === "blob:" || url.origin === new URL(base).origin) return;
    // A request that the policy stops is announced and fails; only one that leaves counts.
    blocked.push(request);
  });
  await page.addInitScript(() => {
    window.violations = [];
    document.addEventListener("securitypolicyviolation", (event) => window.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
  });
  if (options.viewport) await page.setViewportSize(options.viewport);
  await options.prepare?.(page);
  await page.goto(options.url ?? base, { waitUntil: "load" });
  await page.locator(options.ready ?? "#ask").waitFor();
  return {
    page,
    async verdict() {
      // Charts are shown in frames of the artifacts' own origin, which loads nothing but the frame and its libraries.
      const shown = await page.locator('meta[name="artifacts"]').getAttribute("content");
      const ours = (request) => shown && request.url().startsWith(`${shown}/~/`);
      const left = blocked.filter((request) => !ours(request) && !/ERR_BLOCKED_BY|csp|blocked/i.test(request.failure()?.errorText ?? "")).map((request) => request.url());
      assert.deepEqual(left, [], "no request leaves the origin");
      assert.deepEqual(await page.evaluate(() => window.violations), [], "no violation of the content security policy");
      assert.deepEqual(faults, [], "no console error, exception or dialog");
      await page.close();
    },
  };
}

export const picker = (page) => page.locator('input[type="file"]');

export async function upload(page, files, name) {
  await picker(page).setInputFiles(files);
  await page.locator(".chip:not(.uploading)", { hasText: name }).waitFor();
}

export async function ask(page, question) {
  await page.locator("#ask").fill(question);
  await page.locator("#ask").press("Enter");
  const turn = page.locator(".turn", { hasText: question }).last();
  await turn.locator(".result").waitFor({ timeout: ANSWER_MS });
  return turn;
}

/** Runs `source` in place of the program of the turn `turn`; gives the new turn when it is over. */
export async function runInstead(page, turn, source) {
  const before = await page.locator('.turn[data-kind="run"]').count();
  if (!(await turn.locator(".edit").isVisible())) await turn.locator(".toggle", { hasText: "Program" }).click();
  await turn.locator(".edit").click();
  const editor = turn.locator(".cm-content");
  await editor.waitFor();
  // Deleted by the editor's own command: the browser's would leave styled remains, which the policy refuses.
  await editor.click();
  await page.keyboard.press("Control+a");
  await page.keyboard.press("Delete");
  await page.keyboard.insertText(source);
  await turn.locator(".run").click();
  const own = page.locator('.turn[data-kind="run"]').nth(before);
  await own.locator(".result").waitFor({ timeout: ANSWER_MS });
  return own;
}

export async function shot(page, name, options = {}) {
  if (SHOTS) await page.screenshot({ path: join(SHOTS, `${name}.png`), ...options });
}

export async function naturalSize(image) {
  await image.waitFor();
  return image.evaluate(async (node) => {
    await node.decode();
    return [node.naturalWidth, node.naturalHeight];
  });
}

export async function downloaded(page, click) {
  const [file] = await Promise.all([page.waitForEvent("download"), click()]);
  return { name: file.suggestedFilename(), path: await file.path(), bytes: await readFile(await file.path()) };
}

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** Fails if axe-core finds something serious in what is shown now. */
export async function accessible(page, state) {
  // Evaluated by the debugger, which the page's policy does not bind.
  await page.evaluate(await readFile(AXE, "utf8"));
  const found = await page.evaluate(async () => {
    const { violations } = await window.axe.run(document, { resultTypes: ["violations"], iframes: false });
    return violations.filter((one) => one.impact === "serious" || one.impact === "critical").map((one) => `${one.id}: ${one.nodes.slice(0, 3).map((node) => `${node.target} ${node.any.map((check) => check.message).join("; ")}`).join(" | ")}`);
  });
  assert.deepEqual(found, [], `${state}: axe-core finds nothing serious`);
}

/** Starts `glovebox serve` with `env`; `{url, key, log(), stop(), restart()}`. `key` is the first one where keys are wanted. */
export async function server(env = {}, settings = []) {
  const dir = await mkdtemp(join(tmpdir(), "glovebox-data-"));
  let child;
  let key = null;
  const said = [];
  async function start(listen) {
    const inherited = { ...process.env };
    // The server refuses variables of ours that it does not know.
    for (const name of ["OPENAI_BASE_URL", "OPENAI_API_KEY", "GLOVEBOX_BINARY", "GLOVEBOX_SHOTS", "GLOVEBOX_UI", "GLOVEBOX_URL"]) delete inherited[name];
    child = spawn(BINARY, ["serve", "--listen", listen, "--data-dir", dir, ...settings], { env: { ...inherited, ...env }, stdio: ["ignore", "pipe", "pipe"] });
    child.stderr.setEncoding("utf8").on("data", (text) => said.push(text));
    let url = null;
    for await (const line of createInterface({ input: child.stdout })) {
      key ??= /^gbx_\S+$/.exec(line)?.[0] ?? null;
      url = /http:\/\/\S+?(?=\/?(?:\s|$))/.exec(line)?.[0] ?? null;
      if (url) break;
    }
    assert.ok(url, `the server says where it listens: ${said.join("")}`);
    child.stdout.resume();
    const until = Date.now() + 300_000;
    while (Date.now() < until && !(await fetch(`${url}/readyz`).catch(() => null))?.ok) await new Promise((resolve) => setTimeout(resolve, 200));
    return url;
  }
  const end = (signal) => new Promise((resolve) => { child.once("exit", resolve); child.kill(signal); });
  const url = await start("127.0.0.1:0");
  return {
    url,
    key,
    log: () => said.join(""),
    stop: async () => { await end("SIGKILL"); await rm(dir, { recursive: true, force: true }); },
    restart: async () => { await end("SIGKILL"); await start(new URL(url).host); },
  };
}

/**
 * A model: a server with the OpenAI protocol that streams `reply(prompt)` in small pieces, `pause` ms apart.
 */
export async function model(reply, pause = 15) {
  const requests = [];
  const web = createServer(async (request, response) => {
    let body = "";
    for await (const piece of request) body += piece;
    if (!request.url.endsWith("/chat/completions")) {
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ object: "list", data: [{ id: "scripted", object: "model" }] }));
      return;
    }
    const asked = JSON.parse(body);
    requests.push(asked);
    const text = reply(asked.messages.map((message) => (typeof message.content === "string" ? message.content : JSON.stringify(message.content))).join("\n"), requests.length);
    const common = { id: "one", created: 1, model: "scripted" };
    if (!asked.stream) {
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ ...common, object: "chat.completion", choices: [{ index: 0, message: { role: "assistant", content: text }, finish_reason: "stop" }], usage: { prompt_tokens: 900, completion_tokens: 200, total_tokens: 1100 } }));
      return;
    }
    response.writeHead(200, { "content-type": "text/event-stream" });
    const chunk = (delta, finish, usage) => response.write(`data: ${JSON.stringify({ ...common, object: "chat.completion.chunk", choices: [{ index: 0, delta, finish_reason: finish }], ...(usage ? { usage } : {}) })}\n\n`);
    for (const piece of text.match(/[\s\S]{1,12}/g) ?? []) {
      if (response.destroyed) return;
      chunk({ content: piece }, null);
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
    chunk({}, "stop", { prompt_tokens: 900, completion_tokens: 200, total_tokens: 1100 });
    response.end("data: [DONE]\n\n");
  });
  await new Promise((resolve) => web.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${web.address().port}/v1`, requests, close: () => new Promise((resolve) => { web.closeAllConnections(); web.close(resolve); }) };
}
