// A conversation to take along: as a Jupyter notebook, as Markdown, or everything as a zip with a README that tells
// where each result comes from.

import { url } from "./api.js";
import { authorizedFetch } from "./auth.js";
import { sentence } from "./format.js";
import { strings } from "./strings.js";
import { safePath, zip } from "./zip.js";

const MAX_PRINTED_CHARS = 20_000;
const MAX_DATA_BYTES = 200_000_000;
const PICTURES = { "image/png": "png", "image/jpeg": "jpg", "image/gif": "gif", "image/webp": "webp", "image/svg+xml": "svg" };

/** The steps of `turns` in one form: `{question, source, run, explanation, model}`. */
function steps(turns) {
  return turns.map(({ ask, run }) => ({
    question: ask?.question ?? null,
    model: ask?.model ?? null,
    source: ask?.program || ask?.run?.code || run?.code || "",
    run: ask ? ask.run ?? null : run,
    explanation: ask?.explanation ?? "",
    error: (ask ?? run)?.error ?? null,
  }));
}

const joined = (value) => (Array.isArray(value) ? value.join("") : typeof value === "string" ? value : JSON.stringify(value));
const languageOf = (session) => (session.image === "javascript" ? "javascript" : "python");
const number = (i) => String(i + 1).padStart(2, "0");

/** A name for files made from `title`. */
export function fileTitle(title) {
  return safePath(String(title || "session").replace(/[/\\]+/g, " ")).replace(/\s+/g, "-").slice(0, 60).replace(/-+$/, "") || "session";
}

/** A notebook of format 4.5. */
export function notebook(session, turns) {
  const cells = [cell("markdown", `# ${oneLine(session.title || strings.untitled)}\n\nMade with Glovebox. The programs expect these files beside the notebook: ${(session.files ?? []).map((file) => code(file.name)).join(", ") || "none"}.`)];
  steps(turns).forEach((step, i) => {
    if (step.question) cells.push(cell("markdown", `## ${oneLine(step.question)}`));
    if (step.source) cells.push({ ...cell("code", step.source), execution_count: i + 1, outputs: outputs(step.run, i + 1) });
    if (step.explanation) cells.push(cell("markdown", step.explanation));
  });
  cells.forEach((item, i) => (item.id = `cell-${i + 1}`));
  const kernel = languageOf(session) === "javascript" ? { name: "javascript", display_name: "JavaScript", language: "javascript" } : { name: "python3", display_name: "Python 3", language: "python" };
  return JSON.stringify({ cells, metadata: { kernelspec: kernel, language_info: { name: kernel.language } }, nbformat: 4, nbformat_minor: 5 }, null, 1);
}

const cell = (type, source) => ({ id: "", cell_type: type, metadata: {}, source: lines(source) });
const lines = (text) => text.match(/[^\n]*\n|[^\n]+$/g) ?? [];

function outputs(run, count) {
  const outcome = run?.outcome;
  if (!outcome) return [];
  const list = [];
  if (outcome.stdout) list.push({ output_type: "stream", name: "stdout", text: lines(outcome.stdout) });
  if (outcome.stderr) list.push({ output_type: "stream", name: "stderr", text: lines(outcome.stderr) });
  for (const display of outcome.displays ?? []) {
    const shown = { data: display.data ?? {}, metadata: display.metadata ?? {} };
    list.push(display.main ? { output_type: "execute_result", execution_count: count, ...shown } : { output_type: "display_data", ...shown });
  }
  const ending = outcome.ending ?? {};
  if (ending.kind === "raised") list.push({ output_type: "error", ename: String(ending.exception), evalue: String(ending.message ?? ""), traceback: String(ending.traceback ?? "").split("\n") });
  return list;
}

/** Markdown; `picture(step, n, mime, content)` gives the address of a picture, a data URL if it is not given. */
export function markdownOf(session, turns, picture = (_, __, mime, content) => dataUrl(mime, content)) {
  const out = [`# ${oneLine(session.title || strings.untitled)}`, ""];
  steps(turns).forEach((step, i) => {
    out.push(`## ${oneLine(step.question ?? strings.yourProgram)}`, "");
    if (step.explanation) out.push(step.explanation.trim(), "");
    pictures(step.run).forEach(([mime, content], n) => out.push(`![${strings.chartAlt(step.question ?? "").replace(/[[\]\n]/g, " ")}](${picture(i, n, mime, content)})`, ""));
    if (step.source) out.push(fenced(step.source, languageOf(session)), "");
    const printed = step.run?.outcome?.stdout;
    if (printed) out.push(fenced(printed.slice(0, MAX_PRINTED_CHARS), "text"), "");
    const ending = step.run?.outcome?.ending;
    if (ending && !(ending.kind === "exited" && ending.code === 0)) out.push(`> ${oneLine(strings.endings[ending.kind]?.(ending) ?? ending.kind)}`, "");
    if (step.error) out.push(`> ${oneLine(sentence(step.error.detail || step.error.title))}`, "");
    const made = step.run?.artifacts ?? [];
    if (made.length > 0) out.push(`${strings.filesMade}: ${made.map((one) => code(one.path)).join(", ")}`, "");
  });
  return `${out.join("\n").trimEnd()}\n`;
}

function pictures(run) {
  return (run?.outcome?.displays ?? []).flatMap((display) => {
    const mime = Object.keys(PICTURES).find((name) => display.data?.[name] !== undefined);
    return mime ? [[mime, joined(display.data[mime])]] : [];
  });
}

const dataUrl = (mime, content) => (mime === "image/svg+xml" ? `data:${mime},${encodeURIComponent(content).replace(/[()]/g, escape)}` : `data:${mime};base64,${content.replace(/\s/g, "")}`);
const oneLine = (text) => String(text).replace(/\s+/g, " ").trim();
const code = (text) => `\`${String(text).replace(/[`\n\r]/g, "_")}\``;

// A fence longer than any in the text, so that nothing in it ends the block.
function fenced(text, language) {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map((match) => match[0].length));
  const fence = "`".repeat(longest + 1);
  return `${fence}${language}\n${text.replace(/\n$/, "")}\n${fence}`;
}

/** Everything: README, notebook, Markdown, programs, results and, if they are not too large, the files. */
export async function everything(session, turns) {
  const entries = [];
  const kind = languageOf(session) === "javascript" ? "js" : "py";
  const fetched = async (...segments) => {
    const reply = await authorizedFetch(url(...segments));
    if (!reply.ok) throw new Error(strings.badReply(reply.status));
    return reply.blob();
  };
  let left = MAX_DATA_BYTES;
  const outside = new Set();
  for (const file of session.files ?? []) {
    if (file.size > left) {
      outside.add(file.id);
      continue;
    }
    left -= file.size;
    entries.push([file.name, await fetched("files", file.id, "content")]);
  }
  const all = steps(turns);
  for (const [i, step] of all.entries()) {
    const place = `steps/${number(i)}`;
    if (step.source) entries.push([`${place}/program.${kind}`, step.source]);
    pictures(step.run).forEach(([mime, content], n) => entries.push([`${place}/chart-${n + 1}.${PICTURES[mime]}`, bytes(mime, content)]));
    for (const artifact of step.run?.artifacts ?? []) entries.push([`${place}/${artifact.path}`, await fetched("artifacts", artifact.id, "content")]);
  }
  entries.unshift(
    ["README.md", readme(session, all, outside, kind)],
    ["conversation.ipynb", notebook(session, turns)],
    ["conversation.md", markdownOf(session, turns, (i, n, mime) => `steps/${number(i)}/chart-${n + 1}.${PICTURES[mime]}`)]);
  return zip(entries);
}

function bytes(mime, content) {
  if (mime === "image/svg+xml") return new Blob([content], { type: mime });
  return new Blob([Uint8Array.from(atob(content.replace(/[^A-Za-z0-9+/=]/g, "")), (char) => char.charCodeAt(0))], { type: mime });
}

// Where each result comes from: question, program, image, inputs and outputs by their hashes.
function readme(session, all, outside, kind) {
  const out = [
    `# ${oneLine(session.title || strings.untitled)}`, "",
    "Made with Glovebox. `conversation.ipynb` and `conversation.md` are the conversation; `steps/` has the program and the results of each step.", "",
    `- session: ${code(session.id)}, begun ${session.created_at}`,
    `- image: ${code(session.image)}, policy: ${code(session.policy)}`,
    ...(session.forked_from ? [`- a branch of session ${code(session.forked_from.session)} at its checkpoint ${session.forked_from.checkpoint}`] : []), "",
    "## Files", "",
    ...((session.files ?? []).length > 0 ? ["| file | bytes | SHA-256 |", "| --- | --- | --- |"] : ["None."]),
    ...(session.files ?? []).map((file) => `| ${code(file.name)}${outside.has(file.id) ? " (too large for this archive)" : ""} | ${file.size} | ${code(file.sha256)} |`), "",
    "## Steps", "",
  ];
  all.forEach((step, i) => {
    const { run } = step;
    const lineage = run?.outcome?.lineage;
    out.push(`### ${i + 1}. ${oneLine(step.question ?? strings.yourProgram)}`, "");
    if (step.model) out.push(`- answered by: ${code(step.model)}`);
    if (step.source) out.push(`- program: ${code(`steps/${number(i)}/program.${kind}`)}${lineage ? `, SHA-256 ${code(lineage.source_sha256)}` : ""}`);
    if (run) out.push(`- run: ${code(run.id)}, ${run.created_at}, image digest ${code(lineage?.image ?? run.image)}${lineage?.seed === null || lineage?.seed === undefined ? "" : `, seed ${lineage.seed}`}`);
    const usage = run?.outcome?.usage;
    if (usage) out.push(`- ended: ${code(run.outcome.ending?.kind)}, ${usage.fuel} units of fuel, ${usage.memory_peak_bytes} bytes of memory at most`);
    for (const [path, hash] of Object.entries(lineage?.inputs ?? {})) out.push(`- read: ${code(path)}, SHA-256 ${code(hash)}`);
    for (const artifact of run?.artifacts ?? []) out.push(`- made: ${code(`steps/${number(i)}/${artifact.path}`)}, ${artifact.size} bytes, SHA-256 ${code(artifact.sha256)}`);
    out.push("");
  });
  return `${out.join("\n").trimEnd()}\n`;
}
