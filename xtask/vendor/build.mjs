// Makes host/src/ui/vendor from node_modules: the files that the page loads on demand, their licences, and a list
// of versions and hashes that a test compares. Called by `cargo xtask vendor` after `npm ci`.

import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const out = new URL("../../host/src/ui/vendor/", import.meta.url);
const modules = new URL("node_modules/", import.meta.url);

// Our name, and where its file is in the package.
const COPIED = [
  ["chart.js", "chart.js", "dist/chart.umd.min.js"],
  ["d3.js", "d3", "dist/d3.min.js"],
  ["plotly.js", "plotly.js-cartesian-dist-min", "plotly-cartesian.min.js"],
];
const BUNDLED = [
  ["editor.js", { entryPoints: ["editor.mjs"], format: "esm" }],
  ["vega.js", { stdin: { contents: "export * as vega from 'vega'; export * as vegaLite from 'vega-lite'; export { default as vegaEmbed } from 'vega-embed';", resolveDir: fileURLToPath(new URL(".", import.meta.url)) }, format: "iife", globalName: "gloveboxVega", footer: { js: "Object.assign(globalThis,{vega:gloveboxVega.vega,vegaLite:gloveboxVega.vegaLite,vegaEmbed:gloveboxVega.vegaEmbed});" } }],
];

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
const packages = new Set();
const files = {};

async function put(name, bytes) {
  await writeFile(new URL(name, out), bytes);
  files[name] = { sha256: createHash("sha256").update(bytes).digest("hex"), bytes: bytes.length };
}

for (const [name, from, path] of COPIED) {
  packages.add(from);
  const text = await readFile(new URL(`${from}/${path}`, modules), "utf8");
  await put(name, Buffer.from(text.replace(/\n\/\/# sourceMappingURL=\S+\s*$/, "\n")));
}

for (const [name, options] of BUNDLED) {
  const made = await build({ ...options, absWorkingDir: fileURLToPath(new URL(".", import.meta.url)), bundle: true, minify: true, write: false, metafile: true, target: "es2022", legalComments: "none" });
  for (const input of Object.keys(made.metafile.inputs)) {
    const match = /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input);
    if (match) packages.add(match[1]);
  }
  await put(name, Buffer.from(made.outputFiles[0].contents));
}

const versions = {};
const licences = ["Libraries in this directory, as `cargo xtask vendor` took them from npm, with their licences.\n"];
for (const name of [...packages].sort()) {
  const home = new URL(`${name}/`, modules);
  const { version, license } = JSON.parse(await readFile(new URL("package.json", home), "utf8"));
  versions[name] = version;
  const text = (await readdir(home)).find((file) => /^(licen[cs]e|copying)/i.test(file));
  if (!text && !/^(MIT|BSD-3-Clause|ISC)$/.test(license ?? "")) throw new Error(`${name} has no licence`);
  const body = text ? (await readFile(new URL(text, home), "utf8")).trim() : `(the package names the licence only: ${license})`;
  licences.push(`${"=".repeat(80)}\n${name} ${version} (${license ?? "see text"})\n\n${body}\n`);
}
await writeFile(new URL("LICENSES.txt", out), licences.join("\n"));
await writeFile(new URL("vendored.json", out), `${JSON.stringify({ versions, files }, null, 2)}\n`);
