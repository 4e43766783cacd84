// Icons: 24 × 24 outlines drawn as SVG nodes, in the colour of the text around them.

import { svg } from "./dom.js";

const PATHS = {
  alert: ["M12 4 2.8 20h18.4z", "M12 10v4.5", "M12 17.2v.1"],
  archive: ["M4 8v11a1 1 0 0 0 1 1h14a1 1 0 0 0 1-1V8", "M3 4h18v4H3z", "M12 11v6", "m9.5 14.8 2.5 2.5 2.5-2.5"],
  arrow: ["M5 12h13", "m13 7 5 5-5 5"],
  branch: ["M7 5v14", "M17 5v3a4 4 0 0 1-4 4H7", "M7 3.5v.1", "M17 3.5v.1", "M7 20.4v.1"],
  check: ["m5 12.5 4.5 4.5L19 7.5"],
  chevron: ["m7 10 5 5 5-5"],
  clip: ["m20 11.5-8.2 8.2a5 5 0 0 1-7.1-7.1l8.6-8.6a3.3 3.3 0 0 1 4.7 4.7l-8.5 8.5a1.7 1.7 0 0 1-2.4-2.4l7.8-7.8"],
  close: ["M6 6l12 12", "M18 6 6 18"],
  columns: ["M4 5h7v14H4z", "M14 5h6v14h-6z"],
  copy: ["M9 9h10v11H9z", "M15 9V4H5v11h4"],
  download: ["M12 4v11", "m7.5 11 4.5 4.5 4.5-4.5", "M5 20h14"],
  external: ["M14 5h5v5", "m19 5-8 8", "M17 13v6H5V7h6"],
  film: ["M4 5h16v14H4z", "M8 5v14", "M16 5v14", "M4 9.7h4", "M4 14.3h4", "M16 9.7h4", "M16 14.3h4"],
  file: ["M6 3h8l5 5v13H6z", "M14 3v5h5"],
  image: ["M4 5h16v14H4z", "m4 16 4.5-4.5 4 4 3-3L20 16.5", "M15.5 9v.1"],
  key: ["M14.5 9.5a4 4 0 1 0-3.6 5.6l1.6-1.6h2v-2h2v-2h2V7.5l1.5-1.5V4h-2z", "M8.5 12.5v.1"],
  leave: ["M14 5H5v14h9", "M10 12h10", "m16.5 8.5 3.5 3.5-3.5 3.5"],
  link: ["M10 14a4 4 0 0 0 6 .4l3-3a4 4 0 0 0-5.7-5.7L12 7", "M14 10a4 4 0 0 0-6-.4l-3 3a4 4 0 0 0 5.7 5.7L12 17"],
  menu: ["M4 7h16", "M4 12h16", "M4 17h16"],
  moon: ["M19.5 14.5A8 8 0 0 1 9.5 4.5a8 8 0 1 0 10 10z"],
  notebook: ["M6 3h13v18H6z", "M10 3v18", "M4 7.5h3", "M4 12h3", "M4 16.5h3"],
  pencil: ["m4 20 1-4L16.5 4.5l3 3L8 19z", "m14 7 3 3"],
  play: ["M8 5.5v13l10.5-6.5z"],
  plus: ["M12 5v14", "M5 12h14"],
  redo: ["M15 5l4.5 4.5L15 14", "M19.5 9.5H10a5 5 0 0 0 0 10h4"],
  search: ["M10.5 4a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13z", "m15.5 15.5 5 5"],
  send: ["M12 19V5.5", "m6 11 6-6 6 6"],
  spark: ["M12 3.5 13.8 10 20.5 12l-6.7 2L12 20.5 10.2 14 3.5 12l6.7-2z"],
  stop: ["M7.5 7.5h9v9h-9z"],
  sun: ["M12 8a4 4 0 1 1 0 8 4 4 0 0 1 0-8z", "M12 2.5v2", "M12 19.5v2", "M2.5 12h2", "M19.5 12h2", "m5.3 5.3 1.4 1.4", "m17.3 17.3 1.4 1.4", "m5.3 18.7 1.4-1.4", "m17.3 6.7 1.4-1.4"],
  system: ["M4 5h16v11H4z", "M9 20h6", "M12 16v4"],
  table: ["M4 5h16v14H4z", "M4 10h16", "M10 5v14"],
  trash: ["M5 7h14", "M9.5 7V4.5h5V7", "M7 7l.8 13h8.4L17 7", "M10.5 11v5.5", "M13.5 11v5.5"],
  trend: ["M4 4v16h16", "m7.5 14.5 3.5-4 3 2.5 5-6"],
  undo: ["M9 5 4.5 9.5 9 14", "M4.5 9.5H14a5 5 0 0 1 0 10h-4"],
  upload: ["M12 16V5", "m7.5 9 4.5-4.5L16.5 9", "M5 20h14"],
};

/** The icon called `name`; hidden from screen readers, the control around it has the label. */
export function icon(name) {
  const paths = (PATHS[name] ?? []).map((d) => svg("path", { d }));
  return svg("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false" }, paths);
}

/** The product's mark. */
export function mark() {
  return svg("svg", { class: "mark", viewBox: "0 0 32 32", "aria-hidden": "true", focusable: "false" },
    svg("rect", { width: 32, height: 32, rx: 8, class: "mark-ground" }),
    svg("path", { d: "M8.5 22v-6M13.5 22V10M18.5 22v-9M23.5 22v-4", class: "mark-bars" }));
}
