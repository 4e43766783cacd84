// Example questions made from the columns of a sample: what a person would try first.

import { strings } from "./strings.js";

/** At most three questions about the samples, as both a model and the builtin planner understand them. */
export function suggest(samples) {
  const questions = [];
  for (const sample of samples) questions.push(...forSample(sample));
  return [...new Set(questions)].slice(0, 3);
}

function forSample(sample) {
  if (sample.kind === "table") return forTable(sample.columns ?? [], sample.name);
  if (sample.kind === "workbook") return forTable(sample.sheets?.[0]?.table?.columns ?? [], sample.name);
  if (sample.kind === "image") return sample.frames > 1 ? [strings.ask.frames, strings.ask.resize, strings.ask.speed] : [strings.ask.resize];
  return [strings.ask.overview(sample.name)];
}

function forTable(columns, name) {
  const quantities = columns.filter((column) => column.role === "measure" && (column.type === "float" || column.type === "integer"));
  // The widest measure is usually the one people ask for: weights and prices vary more than lengths and scores.
  const measures = quantities.sort((a, b) => spread(b) - spread(a));
  const groups = columns
    .filter((column) => (column.role === "category" || column.type === "boolean") && column.distinct >= 2 && column.distinct <= 20)
    .sort((a, b) => (a.type === "integer") - (b.type === "integer"));
  const time = columns.find((column) => column.role === "time" && (column.type === "date" || column.type === "datetime"));
  const [m, n] = measures.map((column) => column.name);
  const [a, b] = groups.map((column) => column.name);
  const list = [];
  if (m && time) list.push(strings.ask.trend(m, time.name));
  if (m && a && b) list.push(strings.ask.averageByTwo(m, a, b));
  else if (m && a) list.push(strings.ask.averageBy(m, a));
  if (m) list.push(strings.ask.distribution(m));
  if (m && n) list.push(strings.ask.correlation(m, n));
  if (a) list.push(strings.ask.top(a));
  list.push(strings.ask.overview(name));
  return list;
}

const spread = (column) => (typeof column.max === "number" && typeof column.min === "number" ? column.max - column.min : 0);
