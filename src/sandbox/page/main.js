// Puts the page together, and asks once a second what is new.

import * as accounts from "./accounts.js";
import { ask } from "./control.js";
import { find, line, set, show, style } from "./dom.js";
import * as faults from "./faults.js";
import * as journal from "./journal.js";
import * as texts from "./texts.js";
import * as theme from "./theme.js";

const PAUSE = 1000;
const MOST = 100;

let state = null;
let entries = null;
let lost = null;
let timer = null;

function render() {
  const kind = lost !== null ? "lost" : state === null ? "connecting" : journal.isPaused() ? "paused" : "live";
  style(find("#live"), kind);
  set(find("#live span"), texts.text(kind));
  line(find("#notice"), lost === null ? null : texts.text("lostNotice")(lost));
  for (const part of ["#force", "#tiles", "#journal", "aside"]) show(find(part), state !== null);
  if (state === null) return;
  accounts.render(state);
  faults.render(state, poll);
  journal.render(entries);
}

async function poll() {
  clearTimeout(timer);
  // Nobody reads a hidden page.
  if (document.hidden) return;
  try {
    const [journalled, current] = await Promise.all([ask("GET", `journal?limit=${MOST}`), ask("GET", "state")]);
    entries = journalled.entries;
    state = current;
    lost = null;
  } catch (error) {
    lost = error.message;
  }
  render();
  clearTimeout(timer);
  timer = setTimeout(poll, PAUSE);
}

function speak() {
  // It was said in the other language.
  line(find("#done"), null);
  faults.speak();
  theme.label();
  render();
}

texts.start(speak);
theme.start(() => {});
journal.start(render);
faults.start(poll);
texts.speak();
speak();
document.addEventListener("visibilitychange", poll);
ask("GET", "shapes").then((shapes) => {
  journal.documented(shapes);
  faults.suggest(shapes);
}, () => {});
poll();
