// Example data for a first look, each with questions that the builtin planner answers as well as a model does.
// Their origins and licences are in tests/data/README.md.

import { strings } from "./strings.js";

/** `{name, type, icon, title, about, questions}`; the file is `examples/NAME` beside this module. */
export const examples = [
  { name: "penguins.csv", type: "text/csv", icon: "table", ...strings.examples.penguins },
  { name: "seattle-weather.csv", type: "text/csv", icon: "trend", ...strings.examples.weather },
  { name: "orbit.gif", type: "image/gif", icon: "film", ...strings.examples.orbit },
];

/** The example's file. */
export async function exampleFile({ name, type }) {
  const reply = await fetch(new URL(`examples/${name}`, import.meta.url));
  if (!reply.ok) throw new Error(strings.badReply(reply.status));
  return new File([await reply.blob()], name, { type });
}
