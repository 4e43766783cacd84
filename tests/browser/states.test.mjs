// The rarer states: a model that streams and must repair, reloads and stops on the way, limits, keys, broken uploads,
// a server that dies. Those with a server of their own need GLOVEBOX_BINARY.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { connect, createServer } from "node:net";
import { after, before, test } from "node:test";

import { accessible, ANSWER_MS, ask, BINARY, browser, data, downloaded, model, open as openIn, picker, runInstead, server, shot, upload } from "./harness.mjs";
import { explained, repaired, wrong } from "./replies.mjs";

const OWN = { skip: BINARY ? false : "GLOVEBOX_BINARY is not set" };

let chromium;
before(async () => (chromium = await browser()));
after(() => chromium?.close());
const open = (options) => openIn(chromium.context, options);

/** Sums the layout shifts from now on that no input caused. */
async function watchShifts(page) {
  await page.evaluate(() => {
    window.shifts = 0;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifts += entry.value;
    }).observe({ type: "layout-shift" });
  });
}

test("a program is streamed, fails, is repaired and explained, and nothing jumps; a reload on the way picks it up", OWN, async () => {
  const scripted = await model((prompt, n) => [wrong, repaired, explained][n - 1] ?? explained, 40);
  const own = await server({ OPENAI_BASE_URL: scripted.url, OPENAI_API_KEY: "k", OPENAI_MODEL: "scripted" });
  try {
    const { page, verdict } = await open({ base: own.url });
    await page.locator(".example-card").first().waitFor();
    assert.equal(await page.locator("details.note").count(), 0, "a model is configured");
    await upload(page, data("penguins.csv"), "penguins.csv");
    await page.locator(".column").first().waitFor();
    await page.locator("#ask").fill("Which species is heaviest?");
    await page.locator("#ask").press("Enter");
    const turn = page.locator(".turn");
    await turn.locator(".live .code", { hasText: "import pandas" }).waitFor();
    // From here on the panes have their place.
    await page.waitForTimeout(700);
    await watchShifts(page);
    await turn.locator(".failure").waitFor({ timeout: ANSWER_MS });
    await turn.locator(".step.active", { hasText: "Repairing" }).waitFor();
    await turn.locator(".live .code", { hasText: "idxmax" }).waitFor();
    assert.ok((await page.evaluate(() => window.shifts)) < 0.02, `shifts sum up to ${await page.evaluate(() => window.shifts)}`);
    await accessible(page, "a program being repaired");

    await page.reload();
    await turn.locator(".live").waitFor();
    await turn.locator(".live .code", { hasText: "import pandas" }).waitFor();
    await turn.locator(".result").waitFor({ timeout: ANSWER_MS });
    assert.match(await turn.locator(".explanation").innerText(), /Gentoo/);
    assert.equal(await turn.locator(".explanation img").count(), 0, "no picture from elsewhere");
    await turn.locator(".toggle", { hasText: "2 attempts" }).click();
    assert.match(await turn.locator(".diff-less").first().innerText(), /no_such_column/);
    assert.match(await turn.locator(".diff-more").first().innerText(), /body_mass_g/);
    assert.match(await turn.locator(".used").innerText(), /tokens/);
    await accessible(page, "an answer with its attempts");
    await verdict();
  } finally {
    await own.stop();
    await scripted.close();
  }
});

test("a server that dies during a run is missed, and what was under way is named when it is back", OWN, async () => {
  const own = await server();
  try {
    const { page, verdict } = await open({ base: own.url, expected: (text) => /ERR_CONNECTION_REFUSED|ERR_INCOMPLETE|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|status of 503/.test(text) });
    await upload(page, data("penguins.csv"), "penguins.csv");
    const first = await ask(page, "top 3 species by count");
    await first.locator(".toggle", { hasText: "Program" }).click();
    await first.locator(".edit").click();
    await first.locator(".cm-content").click();
    await page.keyboard.press("Control+a");
    await page.keyboard.press("Delete");
    await page.keyboard.insertText("import time\nprint('begun', flush=True)\ntime.sleep(8)\n");
    await page.keyboard.press("Control+Enter");
    const run = page.locator('.turn[data-kind="run"]');
    await run.locator(".live-output", { hasText: "begun" }).waitFor();
    await own.restart();
    await run.locator(".banner.danger").waitFor({ timeout: 60_000 });
    assert.match(await run.locator(".banner").innerText(), /stopped|interrupted/i);
    await run.locator(".banner button").waitFor();
    await accessible(page, "a run that the server lost");
    await verdict();
  } finally {
    await own.stop();
  }
});

test("a running program is stopped, and one that goes on for ever meets its limit", async () => {
  const { page, verdict } = await open();
  await upload(page, data("penguins.csv"), "penguins.csv");
  const first = await ask(page, "top 3 species by count");
  await first.locator(".toggle", { hasText: "Program" }).click();
  await first.locator(".edit").click();
  await first.locator(".cm-content").click();
  await page.keyboard.press("Control+a");
  await page.keyboard.press("Delete");
  await page.keyboard.insertText("print('on my way', flush=True)\nwhile True: pass\n");
  await page.keyboard.press("Control+Enter");
  const run = page.locator('.turn[data-kind="run"]').first();
  await run.locator(".live-output", { hasText: "on my way" }).waitFor();
  await page.getByRole("button", { name: "Stop", exact: true }).click();
  await run.locator(".result").waitFor({ timeout: ANSWER_MS });
  assert.match(await run.locator(".banner").innerText(), /Stopped/);

  const limit = await runInstead(page, first, "x = []\nwhile True: x.append(bytearray(50_000_000))\n");
  assert.match(await limit.locator(".banner").innerText(), /limit was reached|MemoryError/i);
  await accessible(page, "a limit");
  await verdict();
});

test("a server that asks for a key gets one, in a header only, and a revoked one is asked for again", OWN, async () => {
  const own = await server({ GLOVEBOX_AUTH: "keys", GLOVEBOX_LOG: "debug" });
  try {
    const admin = { authorization: `Bearer ${own.key}`, "content-type": "application/json" };
    const make = async () => {
      const body = JSON.stringify({ tenant: "local", scopes: ["read", "run", "ask"] });
      const reply = await fetch(`${own.url}/api/v1/admin/keys`, { method: "POST", headers: admin, body });
      assert.equal(reply.status, 201);
      return reply.json();
    };
    const [first, second] = [await make(), await make()];
    const seen = [];
    const { page, verdict } = await open({ base: own.url, prepare: (page) => page.on("request", (request) => seen.push(request.url())), expected: (text) => /status of 401/.test(text) });
    const dialog = page.locator(".sign-in");
    const signIn = async (key) => {
      await page.locator("#api-key").fill(key);
      await page.locator("#api-key").press("Enter");
    };
    await dialog.waitFor();
    await accessible(page, "signing in");
    await signIn("wrong");
    await dialog.locator(".refused").waitFor();
    await signIn(first.key);
    await dialog.waitFor({ state: "detached" });

    await upload(page, data("penguins.csv"), "penguins.csv");
    const turn = await ask(page, "average body_mass_g by species as a bar chart");
    // A picture that needs the key in a header is there as well.
    await turn.locator(".file-link img").first().evaluate((image) => image.decode());
    assert.equal(await page.evaluate(() => localStorage.length), 0, "nothing is left for later visitors");
    await page.reload();
    await turn.locator(".result").waitFor();
    assert.equal(await dialog.count(), 0, "the tab remembers");

    const revoked = await fetch(`${own.url}/api/v1/admin/keys/${first.id}`, { method: "DELETE", headers: admin });
    assert.equal(revoked.status, 204);
    await page.locator("#ask").fill("top 2 island by count");
    await page.locator("#ask").press("Enter");
    await dialog.locator(".refused").waitFor();
    await signIn(second.key);
    await page.locator(".turn", { hasText: "top 2 island" }).locator(".result").waitFor({ timeout: ANSWER_MS });
    for (const { key } of [first, second]) {
      const secret = key.split("_").slice(2).join("_");
      assert.deepEqual(seen.filter((url) => url.includes(secret)), [], "no address has the key in it");
      assert.ok(own.log().length > 0 && !own.log().includes(secret), "the log has no key in it");
    }
    await verdict();
  } finally {
    await own.stop();
  }
});

test("a session is shared by a link that shows it, changes nothing, and can be ended", OWN, async () => {
  const own = await server({ GLOVEBOX_AUTH: "keys", GLOVEBOX_LOG: "debug" });
  const seen = [];
  const prepare = (page) => page.on("request", (request) => seen.push(`${request.method()} ${request.url()}`));
  const stranger = await browser();
  try {
    const { page, verdict } = await open({ base: own.url, prepare, expected: (text) => /status of 401/.test(text) });
    await page.locator("#api-key").fill(own.key);
    await page.locator("#api-key").press("Enter");
    await upload(page, data("penguins.csv"), "penguins.csv");
    await ask(page, "average body_mass_g by species as a bar chart");
    await page.locator(".turn .fork").last().click();
    await page.locator(".branch-start").waitFor();
    await ask(page, "top 2 island by count");
    await page.locator(".share-button").click();
    await page.locator("#share-label").fill("the board");
    await page.locator("#share-label").press("Enter");
    const link = await page.locator(".share-made input").inputValue();
    assert.match(link, /#ses_\w+&share=gbx_/);
    assert.match(await page.locator(".share-list li").innerText(), /the board[\s\S]*not opened yet/);
    await accessible(page, "sharing");
    await shot(page, "share");

    // Somebody else, who has nothing but the link.
    const guest = await openIn(stranger.context, { base: link, ready: ".turn:not(.inherited)", prepare, expected: (text) => /status of 40[13]/.test(text) });
    const turns = guest.page.locator(".turn");
    await turns.nth(1).locator(".result").waitFor();
    assert.deepEqual([await turns.count(), await guest.page.locator(".turn.inherited").count()], [2, 1], "what led to the branch is shown, too");
    await turns.first().locator(".file-link img").first().evaluate((image) => image.decode());
    for (const gone of [".sidebar", "#ask", ".fork", ".undo", ".suggestion", ".share-button", ".session-list"]) assert.equal(await guest.page.locator(`${gone}:visible`).count(), 0, `${gone} is not offered`);
    await turns.last().locator(".toggle", { hasText: "Program" }).click();
    assert.equal(await guest.page.locator(".edit").count(), 0);
    await guest.page.locator(".chip").first().click();
    await guest.page.locator(".side-sheet .facts").waitFor();
    assert.equal(await guest.page.getByRole("button", { name: "Delete" }).count(), 0);
    await guest.page.keyboard.press("Escape");
    await guest.page.locator(".archive").click();
    const zip = await downloaded(guest.page, () => guest.page.locator(".asZip").click());
    assert.ok(zip.bytes.length > 1000, `${zip.bytes.length}`);
    await guest.page.locator("dialog[open]").waitFor({ state: "detached" });
    await accessible(guest.page, "a shared session");
    await shot(guest.page, "shared");
    await guest.page.setViewportSize({ width: 390, height: 800 });
    await shot(guest.page, "shared-narrow");
    await guest.page.setViewportSize({ width: 1280, height: 800 });
    await guest.page.reload();
    await turns.nth(1).locator(".result").waitFor();

    await page.locator(".share-end").click();
    await page.locator(".share-list li").waitFor({ state: "detached" });
    await guest.page.reload();
    await guest.page.getByRole("heading", { name: "This link shows nothing any more" }).waitFor();
    await accessible(guest.page, "a link that has ended");
    await shot(guest.page, "shared-ended");
    assert.equal(await guest.page.locator(".sign-in").count(), 0, "a stranger is not asked for a key");
    const secret = link.split("_").slice(3).join("_");
    assert.deepEqual(seen.filter((one) => one.includes(secret)), [], "no request's address has the key in it");
    assert.ok(!own.log().includes(secret), "the log has no key in it");
    await guest.verdict();
    await verdict();
  } finally {
    await stranger.close();
    await own.stop();
  }
});

test("an upload that breaks says so and is done again by a click; one that is too large names the limit", async () => {
  let broken = true;
  const cut = (route) => {
    if (broken && route.request().method() === "POST") {
      broken = false;
      return route.abort("connectionreset");
    }
    return route.continue();
  };
  const { page, verdict } = await open({ prepare: (page) => page.route("**/sessions/*/files", cut), expected: (text) => /ERR_CONNECTION_RESET|status of 413/.test(text) });
  await picker(page).setInputFiles(data("penguins.csv"));
  const chip = page.locator(".chip.failed");
  await chip.waitFor();
  assert.match(await page.locator(".notice").innerText(), /connection broke/i);
  await accessible(page, "a broken upload");
  await chip.getByRole("button", { name: /again/ }).click();
  await page.locator(".chip:not(.failed):not(.uploading)", { hasText: "penguins.csv" }).waitFor();
  await page.locator(".column").first().waitFor();

  await page.unroute("**/sessions/*/files");
  await page.route("**/sessions/*/files", (route) => route.fulfill({ status: 413, contentType: "application/problem+json", body: JSON.stringify({ title: "Payload Too Large", status: 413, detail: "`huge.csv` is larger than 512 MiB", code: "file_too_large" }) }));
  await picker(page).setInputFiles([{ name: "huge.csv", mimeType: "text/csv", buffer: Buffer.from("a\n1\n") }]);
  await page.locator(".notice", { hasText: "larger than 512 MiB" }).waitFor();
  await verdict();
});

test("a large upload goes on where the connection broke", async () => {
  // Between the browser and the server: cuts the first connection that has carried 6 MB, and counts.
  let cut = false;
  let carried = 0;
  const target = new URL(process.env.GLOVEBOX_URL ?? "http://127.0.0.1:8080");
  const between = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    let here = 0;
    client.on("data", (piece) => {
      here += piece.length;
      carried += piece.length;
      if (!cut && here > 6e6) {
        cut = true;
        client.destroy();
        upstream.destroy();
      } else if (!upstream.write(piece)) {
        client.pause();
        upstream.once("drain", () => client.resume());
      }
    });
    upstream.pipe(client);
    for (const [one, other] of [[client, upstream], [upstream, client]]) {
      one.on("error", () => other.destroy());
      one.on("close", () => other.destroy());
    }
  });
  await new Promise((resolve) => between.listen(0, "127.0.0.1", resolve));
  const base = `http://127.0.0.1:${between.address().port}`;
  const { page, verdict } = await open({ base, expected: (text) => /ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|ERR_SOCKET|status of 409/.test(text) });
  const line = "2026-01-01,north,12.5,3\n";
  const content = Buffer.from(`day,region,amount,count\n${line.repeat(Math.ceil(20e6 / line.length))}`);
  await picker(page).setInputFiles([{ name: "large.csv", mimeType: "text/csv", buffer: content }]);
  await page.locator(".chip:not(.uploading)", { hasText: "large.csv" }).waitFor({ timeout: 60_000 });
  await page.locator(".column").first().waitFor();
  assert.ok(cut, "the connection was cut");
  assert.ok(carried < content.length + 7e6, `${carried} bytes for a file of ${content.length}`);
  const id = new URL(page.url()).hash.slice(1);
  const session = await (await fetch(new URL(`/api/v1/sessions/${id}`, base))).json();
  assert.equal(session.files[0].sha256, createHash("sha256").update(content).digest("hex"));
  await verdict();
  between.close();
});

test("the colours are chosen by a click and stay; sessions are found by their words", async () => {
  const { page, verdict } = await open();
  const colours = page.getByRole("button", { name: /^Colours/ });
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();
  await colours.click();
  await colours.click();
  assert.notEqual(await ground(), light);
  await page.reload();
  await page.locator("#ask").waitFor();
  assert.notEqual(await ground(), light, "it stays after a reload");
  await page.locator(".example-card").first().waitFor();
  await accessible(page, "the dark page");
  await colours.click();
  await page.evaluate(() => localStorage.clear());

  const word = `zebra${Date.now()}`;
  await upload(page, [{ name: `${word}.csv`, mimeType: "text/csv", buffer: Buffer.from("a,b\n1,2\n") }], word);
  const search = page.locator(".session-search");
  if (await search.isVisible()) {
    await search.fill(word);
    assert.equal(await page.locator(".session").count(), 1);
    await search.fill("no such words at all");
    await page.locator(".session-list .hint").waitFor();
  }
  await verdict();
});
