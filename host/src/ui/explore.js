// The data behind a picture of a chart, drawn again so that it can be looked into: values under the pointer, zoom, pan.
// matplotlib's charts carry it (guest-images/python/glovebox_guest/_charts.py).

const MAX_TITLE_CHARS = 200;

/** A Vega-Lite description of `chart`, or null if this kind cannot be drawn again. */
export function redraw(chart) {
  const draw = { bar: bars, line: points, scatter: points, area: points, heatmap: cells }[chart?.type];
  const elements = Array.isArray(chart?.elements) ? chart.elements : [];
  const drawn = draw && elements.length > 0 ? draw(chart, elements) : null;
  if (!drawn || drawn.data.values.length === 0) return null;
  return { $schema: "https://vega.github.io/schema/vega-lite/v6.json", ...(chart.title ? { title: text(chart.title) } : {}), padding: { top: 34, left: 5, right: 8, bottom: 5 }, config: { view: { stroke: null }, range: { category: COLOURS } }, ...drawn };
}

const COLOURS = ["#4C78A8", "#F58518", "#54A24B", "#E45756", "#72B7B2", "#B279A2", "#EECA3B", "#9D755D", "#FF9DA6", "#BAB0AC"];
/** The corner above has the buttons of the picture. */
const BELOW = { orient: "bottom" };
const text = (value) => String(value ?? "").slice(0, MAX_TITLE_CHARS);
const title = (value) => (value ? text(value) : null);
const tooltip = (...fields) => fields.map(([field, type, name]) => ({ field, type, title: name || field }));

function bars(chart, elements) {
  const values = elements.map(({ label, group, value }) => ({ label: text(label), group: text(group), value: Number(value) }));
  const groups = new Set(values.map((one) => one.group));
  const grouped = groups.size > 1;
  return {
    data: { values },
    mark: { type: "bar", cornerRadiusEnd: 2 },
    encoding: {
      x: { field: "label", type: "nominal", sort: null, title: title(chart.x_label), axis: { labelAngle: values.length > 12 ? -45 : 0 } },
      y: { field: "value", type: "quantitative", title: title(chart.y_label) },
      ...(grouped ? { xOffset: { field: "group", sort: null }, color: { field: "group", type: "nominal", sort: null, title: null, legend: BELOW } } : {}),
      tooltip: tooltip(["label", "nominal", chart.x_label], ...(grouped ? [["group", "nominal", ""]] : []), ["value", "quantitative", chart.y_label]),
    },
  };
}

function points(chart, elements) {
  const kind = { datetime: "temporal", categorical: "ordinal" };
  const [x, y] = [kind[chart.x_scale] ?? "quantitative", kind[chart.y_scale] ?? "quantitative"];
  // Among named series, one without a name is a line that helps the eye, such as a trend.
  const named = elements.filter(({ label }) => label);
  const series = named.length > 1 ? named : elements;
  const values = series.flatMap(({ label, points: list }, i) => (Array.isArray(list) ? list : []).map(([a, b]) => ({ x: a, y: b, series: text(label) || (series.length > 1 ? String(i + 1) : "") })));
  const several = new Set(values.map((one) => one.series)).size > 1;
  const scale = (name, type) => (type !== "quantitative" ? {} : { scale: { zero: false, ...(chart[`${name}_scale`] === "log" ? { type: "log" } : {}) } });
  const mark = { line: { type: "line", point: values.length < 80 }, scatter: { type: "point", filled: true, opacity: 0.7 }, area: { type: "area", opacity: 0.6 } }[chart.type];
  return {
    data: { values },
    mark,
    // Wheel and drag: only where both directions are numbers or times.
    ...(x !== "ordinal" && y !== "ordinal" ? { params: [{ name: "view", select: "interval", bind: "scales" }] } : {}),
    encoding: {
      x: { field: "x", type: x, title: title(chart.x_label), ...scale("x", x) },
      y: { field: "y", type: y, title: title(chart.y_label), ...(chart.type === "area" ? {} : scale("y", y)) },
      ...(several ? { color: { field: "series", type: "nominal", sort: null, title: null, legend: BELOW } } : {}),
      tooltip: tooltip(["x", x, chart.x_label], ["y", y, chart.y_label], ...(several ? [["series", "nominal", ""]] : [])),
    },
  };
}

function cells(chart, elements) {
  return {
    data: { values: elements.map(({ x, y, value }) => ({ x: text(x), y: text(y), value })) },
    mark: "rect",
    encoding: {
      x: { field: "x", type: "ordinal", sort: null, title: title(chart.x_label) },
      y: { field: "y", type: "ordinal", sort: null, title: title(chart.y_label) },
      color: { field: "value", type: "quantitative", title: null },
      tooltip: tooltip(["x", "ordinal", chart.x_label], ["y", "ordinal", chart.y_label], ["value", "quantitative", ""]),
    },
  };
}
