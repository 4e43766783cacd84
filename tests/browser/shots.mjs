// Makes a screenshot of every state of the page, and has axe-core look at each: `cargo xtask shots`. See harness.mjs for what it needs.

import { accessible, ask, ANSWER_MS, BINARY, browser, data, model, open as openIn, picker, runInstead, server, shot, SHOTS, upload } from "./harness.mjs";
import { explained, repaired, wrong } from "./replies.mjs";

if (!SHOTS) throw new Error("GLOVEBOX_SHOTS names the directory for the screenshots");

const LOOKS = [
  ["light", { colorScheme: "light" }, { width: 1440, height: 900 }],
  ["dark", { colorScheme: "dark" }, { width: 1440, height: 900 }],
  ["narrow", { colorScheme: "light" }, { width: 390, height: 844 }],
];

const { context, close } = await browser();
const open = async (options) => (await openIn(context, options)).page;

/** The same state in every look, each looked at by axe-core as well. */
async function every(page, name, before = async () => {}) {
  for (const [look, media, size] of LOOKS) {
    await page.emulateMedia(media);
    await page.setViewportSize(size);
    await before();
    await page.waitForTimeout(150);
    await shot(page, `${name}-${look}`);
    await accessible(page, `${name}, ${look}`);
  }
  await page.emulateMedia(LOOKS[0][1]);
  await page.setViewportSize(LOOKS[0][2]);
}

const top = (locator) => () => locator.evaluate((node) => node.scrollIntoView({ block: "start" }));

// Beginning.
let page = await open();
await page.locator(".example-card").first().waitFor();
await every(page, "empty");
await page.locator("details.note summary").click();
await top(page.locator("details.note"))();
await shot(page, "no-model-light");
await page.close();

// Uploading and sampling are held up, so that they can be seen.
page = await open({ prepare: async (one) => {
  await one.route("**/sessions/*/files", async (route) => { await new Promise((resolve) => setTimeout(resolve, 1500)); await route.continue(); });
  await one.route("**/sample", async (route) => { await new Promise((resolve) => setTimeout(resolve, 2500)); await route.continue(); });
} });
await picker(page).setInputFiles(data("penguins.csv"));
await page.locator(".chip.uploading").waitFor();
await every(page, "uploading");
await page.locator(".chip:not(.uploading)").waitFor();
await shot(page, "sampling-light");
await page.locator(".column").first().waitFor();
await every(page, "sample");
await page.close();

page = await open();
await upload(page, data("orbit.gif"), "orbit.gif");
await page.locator(".thumbnail img").waitFor();
await shot(page, "sample-gif-light");
await ask(page, "convert it to an MP4 video");
await shot(page, "video-light");
await page.close();

// An answer and what can be done with it.
page = await open();
await upload(page, data("penguins.csv"), "penguins.csv");
let turn = await ask(page, "average body_mass_g by species and sex as a bar chart");
await every(page, "answer", top(turn));
await every(page, "answer-words", top(turn.locator(".explanation")));
await turn.locator(".picture-button").first().click();
await page.waitForTimeout(200);
await shot(page, "zoom-light");
await page.keyboard.press("Escape");
await turn.locator(".picture").first().hover();
await turn.locator(".explore").click();
await turn.locator(".picture iframe").contentFrame().locator("svg").first().waitFor();
await shot(page, "explore-light");
await turn.locator(".explore").click();
await page.locator(".archive").click();
await every(page, "download");
await page.keyboard.press("Escape");
await page.locator(".chip").first().click();
await page.locator(".side-sheet .column").first().waitFor();
await every(page, "file");
await page.keyboard.press("Escape");
await turn.locator(".toggle", { hasText: "Program" }).click();
await every(page, "program", top(turn.locator(".details")));
await turn.locator(".edit").click();
await turn.locator(".cm-content").waitFor();
await every(page, "editor", top(turn.locator(".details")));
await turn.locator(".program").getByRole("button", { name: "Cancel" }).click();

let own = await runInstead(page, turn, "import pandas as pd\ndf = pd.read_csv('penguins.csv')\ndf['weight'] = df.mass / 1000\n");
await every(page, "failed", top(own));
own = await runInstead(page, turn, "data = []\nwhile True:\n    data.append(bytearray(50_000_000))\n");
await every(page, "limit", top(own));
own = await runInstead(page, turn, `
import pandas as pd, matplotlib.pyplot as plt
df = pd.read_csv("penguins.csv")
for (species, island), part in df.groupby(["species", "island"]):
    part.to_csv(f"{species}-{island}.csv", index=False)
    part.plot.scatter("bill_length_mm", "bill_depth_mm", title=f"{species} on {island}", figsize=(5, 3))
    plt.savefig(f"{species}-{island}.png"); plt.close()
for n in range(20): open(f"report-{n:02}.txt", "w").write("x" * n)
`);
await every(page, "many-artifacts", top(own.locator(".made")));
own = await runInstead(page, turn, "import pandas as pd\npd.read_csv('penguins.csv')\n");
await every(page, "table", top(own));
own = await runInstead(page, turn, `
import altair as alt, pandas as pd
df = pd.read_csv("penguins.csv")
alt.Chart(df).mark_point().encode(x=alt.X("bill_length_mm").scale(zero=False), y=alt.Y("bill_depth_mm").scale(zero=False), color="species", tooltip=["species", "island"]).interactive()
`);
await top(own)();
await own.locator(".framed iframe").contentFrame().locator("svg").first().waitFor();
await every(page, "interactive", top(own));

// Branches.
await page.locator(".turn .undo").last().click();
await page.locator(".undone-note").waitFor();
await every(page, "undone", () => page.locator(".undone-note").evaluate((node) => node.scrollIntoView({ block: "center" })));
await turn.locator(".fork").click();
await page.locator(".branch-line").waitFor();
await ask(page, "distribution of flipper_length_mm by species");
await page.locator(".branch-line").scrollIntoViewIfNeeded();
await shot(page, "branch-light");
await page.locator(".branches-button").click();
await page.locator(".branch-turn").first().waitFor();
await every(page, "branches");
await page.setViewportSize(LOOKS[2][2]);
await page.locator(".menu").click();
await page.waitForTimeout(300);
await shot(page, "sessions-narrow");
await page.close();

// Signing in.
page = await open({ prepare: (one) => one.route("**/api/**", (route) => route.fulfill({ status: 401, body: "{}" })) });
await page.locator(".sign-in").waitFor();
await every(page, "sign-in");
await page.locator("#api-key").fill("wrong");
await page.locator("#api-key").press("Enter");
await page.locator(".refused").waitFor();
await shot(page, "sign-in-refused-light");
await page.close();

// A session that is shared, as its owner and as somebody else sees it.
if (BINARY) {
  const own = await server({ GLOVEBOX_AUTH: "keys" });
  page = await open({ base: own.url });
  await page.locator("#api-key").fill(own.key);
  await page.locator("#api-key").press("Enter");
  await upload(page, data("penguins.csv"), "penguins.csv");
  await ask(page, "average body_mass_g by species as a bar chart");
  await page.locator(".share-button").click();
  await page.locator("#share-label").fill("the Monday meeting");
  await page.locator("#share-label").press("Enter");
  const link = await page.locator(".share-made input").inputValue();
  await every(page, "share");
  await page.keyboard.press("Escape");
  const { id } = await page.evaluate(() => ({ id: location.hash.slice(1) }));
  await page.goto("about:blank");
  await page.goto(link);
  await page.locator(".looking .turn .result").waitFor();
  await every(page, "shared");
  const headers = { authorization: `Bearer ${own.key}` };
  const { shares } = await (await fetch(`${own.url}/api/v1/sessions/${id}/shares`, { headers })).json();
  await fetch(`${own.url}/api/v1/sessions/${id}/shares/${shares[0].id}`, { method: "DELETE", headers });
  await page.reload();
  await page.locator(".looking .start").waitFor();
  await every(page, "shared-ended");
  await page.close();
  await own.stop();
}

// A model that streams, and repairs.
if (BINARY) {
  const scripted = await model((prompt, n) => [wrong, repaired, explained][n - 1] ?? explained, 160);
  const other = await server({ OPENAI_BASE_URL: scripted.url, OPENAI_API_KEY: "k", OPENAI_MODEL: "scripted" });
  page = await open({ base: other.url });
  await upload(page, data("penguins.csv"), "penguins.csv");
  await page.locator("#ask").fill("Which species is heaviest?");
  await page.locator("#ask").press("Enter");
  turn = page.locator(".turn");
  await turn.locator(".live .code", { hasText: "groupby" }).waitFor();
  await every(page, "streaming");
  await turn.locator(".failure").waitFor({ timeout: ANSWER_MS });
  await turn.locator(".live .code", { hasText: "groupby" }).waitFor();
  await every(page, "repairing");
  await turn.locator(".live-explanation", { hasText: "Gentoo" }).waitFor({ timeout: ANSWER_MS });
  await every(page, "explaining");
  await turn.locator(".result").waitFor({ timeout: ANSWER_MS });
  await turn.locator(".toggle", { hasText: "attempts" }).click();
  await every(page, "repaired", top(turn.locator(".details")));
  await other.stop();
  await scripted.close();
}
await close();
