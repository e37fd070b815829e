// How much of the past is shown: as much as there is.

import { attribute, find, keyed, element, set, show } from "./dom.js";
import { joined, moment, zone } from "./format.js";
import { route } from "./routes.js";
import { text } from "./texts.js";

const SECONDS = { quarter: 900, hour: 3600, day: 86400, month: 30 * 86400 };
const NAMES = Object.keys(SECONDS);

let chosen = null;
let fitting = NAMES;
let startedAt = 0;

// The one that was chosen, else an hour, or less if there is less.
export const range = () => (fitting.includes(chosen) ? chosen : fitting.at(Math.min(1, fitting.length - 1)));
// When what is shown began: the start of the process, if that was later.
export const began = () => Math.max(startedAt, Date.now() - SECONDS[range()] * 1000);

export function render(status) {
  startedAt = new Date(status.started_at).getTime();
  const age = (Date.now() - startedAt) / 1000;
  // The last one holds all that there is.
  fitting = NAMES.filter((_, at) => at === 0 || SECONDS[NAMES[at - 1]] < age);
  const create = (name) => {
    const button = element("button");
    button.type = "button";
    button.value = name;
    return button;
  };
  keyed(find("#ranges"), fitting, (name) => name, create, (button, name) => {
    set(button, text("ranges")[name]);
    attribute(button, "aria-pressed", String(name === range()));
  });
  const whole = age >= SECONDS[range()];
  const since = text(whole ? "sinceTime" : "sinceStart")(moment(began()));
  const isTimed = ["overview", "app", "refusals"].includes(route().view);
  show(find("#ranges"), isTimed && fitting.length > 1);
  const said = joined([isTimed ? since : null, text("timesIn")(zone())]);
  set(find("#scope"), said.charAt(0).toUpperCase() + said.slice(1));
}

export function start(onChange) {
  find("#ranges").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button === null) return;
    chosen = button.value;
    onChange();
  });
}
