// What happened to tokens, in sentences.

import { find, set, show, keyed, element } from "./dom.js";
import { milliseconds, moment, number } from "./format.js";
import { route } from "./routes.js";
import { text, word } from "./texts.js";

function sentence(event) {
  const part = (key, value) => (value === null || text(key) === undefined ? "" : text(key)(value));
  const took = event.took_ms === null ? null : milliseconds(event.took_ms);
  const words = {
    app: event.app,
    on: part("on", event.endpoint),
    took: part("took", took),
    cost: part("cost", took),
    replayed: part("replayed", event.replayed > 0 ? number(event.replayed) : null),
    message: event.message ?? "",
    reason: word(event.reason, "reason"),
    outcome: word(event.outcome, "outcome"),
  };
  const kinds = text("event");
  const kind = event.reason === "interference" || event.reason === "authorization_lost" ? event.reason : event.outcome === "replaced" ? event.reason : event.outcome;
  return (Object.hasOwn(kinds, kind) ? kinds[kind] : kinds.other)(words);
}

function level(event) {
  if (event.outcome === "failed" || event.reason === "authorization_lost") return "bad";
  return event.reason === "rejected" || event.reason === "interference" ? "waiting" : "calm";
}

export function render(everywhere) {
  const { app } = route();
  const events = everywhere.filter((event) => app === null || event.app === app);
  const keyOf = (event) => [event.at, event.app, event.reason, event.outcome].join(" ");
  const create = () => {
    const item = element("li");
    item.append(element("time"), element("span"));
    return item;
  };
  keyed(find("#events ol"), events, keyOf, create, (item, event) => {
    item.className = level(event);
    const time = find("time", item);
    if (time.dateTime !== event.at) time.dateTime = event.at;
    set(time, moment(event.at));
    set(find("span", item), sentence(event));
  });
  show(find("#events .faint"), events.length === 0);
}
