// Renders openapi.json as a page. Everything is set as text, never as markup.

const make = (tag, props = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) node.setAttribute(name, value);
  node.append(...children.filter((child) => child != null));
  return node;
};

const named = (ref) => ref.split("/").pop();

/** A schema in words, such as `array of File`. */
function type(schema) {
  if (!schema) return "";
  if (schema.$ref) return make("a", { href: `#schema-${named(schema.$ref)}` }, named(schema.$ref));
  if (schema.type === "array") return make("span", {}, "array of ", type(schema.items));
  const choices = schema.oneOf ?? schema.anyOf ?? schema.allOf;
  if (choices) return make("span", {}, ...choices.flatMap((choice, at) => (at ? [" or ", type(choice)] : [type(choice)])));
  if (schema.enum) return schema.enum.map((value) => `"${value}"`).join(" or ");
  return [schema.type ?? "any"].flat().join(" or ");
}

function fields(schema) {
  const required = new Set(schema.required ?? []);
  const rows = Object.entries(schema.properties ?? {}).map(([name, field]) =>
    make("tr", {}, make("td", {}, make("code", {}, name), required.has(name) ? "" : make("span", { class: "quiet" }, " optional")),
      make("td", {}, type(field)), make("td", {}, field.description ?? "")));
  return rows.length ? make("table", {}, ...rows) : null;
}

function example(method, path, operation) {
  const content = operation.requestBody?.content ?? {};
  const body = "application/json" in content ? " \\\n  -H 'content-type: application/json' -d '{…}'"
    : "multipart/form-data" in content ? " \\\n  -F file=@data.csv" : "";
  const verb = method === "get" ? "" : `-X ${method.toUpperCase()} `;
  return make("pre", {}, `curl ${verb}${location.origin}${path}${body}`);
}

function route(path, method, operation) {
  const content = Object.entries(operation.requestBody?.content ?? {});
  const answers = Object.entries(operation.responses ?? {}).map(([status, answer]) => {
    const [kind, media] = Object.entries(answer.content ?? {})[0] ?? [];
    return make("tr", {}, make("td", {}, make("code", {}, status)), make("td", {}, media?.schema ? type(media.schema) : kind ?? ""), make("td", {}, answer.description ?? ""));
  });
  const about = [operation.summary, operation.description].filter(Boolean).join("\n");
  return make("details", { "data-text": `${method} ${path} ${about} ${operation.tags ?? ""}`.toLowerCase() },
    make("summary", {}, make("span", { class: "method" }, method.toUpperCase()), make("code", {}, path), make("span", { class: "quiet" }, ` ${operation.summary ?? ""}`)),
    operation.description ? make("p", {}, operation.description) : null,
    content.length ? make("h3", {}, "Body") : null,
    ...content.map(([kind, media]) => make("p", {}, make("code", {}, kind), " ", kind.includes("json") ? type(media.schema) : "")),
    make("h3", {}, "Answers"), make("table", {}, ...answers), example(method, path, operation));
}

const api = await (await fetch("openapi.json")).json();
document.getElementById("description").textContent = api.info.description;
const sections = new Map();
for (const [path, item] of Object.entries(api.paths)) {
  for (const [method, operation] of Object.entries(item)) {
    const tag = operation.tags?.[0] ?? "other";
    if (!sections.has(tag)) sections.set(tag, []);
    sections.get(tag).push(route(path, method, operation));
  }
}
const order = (api.tags ?? []).map((tag) => tag.name);
const tags = [...sections.keys()].sort((a, b) => order.indexOf(a) - order.indexOf(b));
document.getElementById("routes").replaceChildren(...tags.map((tag) => make("section", {}, make("h2", { id: tag }, tag), ...sections.get(tag))));
document.getElementById("schemas").replaceChildren(...Object.entries(api.components?.schemas ?? {}).map(([name, schema]) =>
  make("details", { id: `schema-${name}`, "data-text": name.toLowerCase() }, make("summary", {}, make("code", {}, name)),
    schema.description ? make("p", {}, schema.description) : null, fields(schema) ?? make("p", {}, type(schema)))));

const reveal = () => { const target = document.getElementById(location.hash.slice(1)); if (target?.tagName === "DETAILS") target.open = true; };
addEventListener("hashchange", reveal);
reveal();
document.getElementById("filter").addEventListener("input", (event) => {
  const wanted = event.target.value.trim().toLowerCase();
  for (const node of document.querySelectorAll("details")) node.hidden = !node.dataset.text.includes(wanted);
  for (const section of document.querySelectorAll("main section")) section.hidden = ![...section.querySelectorAll("details")].some((node) => !node.hidden);
});
