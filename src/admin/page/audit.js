// What operators did, or were denied.

import { find, set, show, keyed, cells, style } from "./dom.js";
import { joined, moment, number } from "./format.js";
import { poll } from "./polls.js";
import { route } from "./routes.js";
import { text, word } from "./texts.js";

const PERIOD = 5000;

let entries = null;
let again = null;

export function render() {
  const rows = (entries ?? []).map((entry, at) => ({ ...entry, key: `${entry.at} ${entry.action} ${entry.remote} ${entries.length - at}` }));
  keyed(find("#audit tbody"), rows, (row) => row.key, () => cells("when", "name", "name", "name"), (node, row) => {
    const [when, who, what, result] = node.children;
    set(when, moment(row.at));
    set(who, row.remote ?? text("bySignal"));
    set(what, joined([word(row.action, "actions"), row.app, row.endpoint]));
    set(result, joined([word(row.outcome, "outcomes"), row.cause, row.count === null ? null : text("timesOver")(number(row.count))]));
    style(result, row.outcome === "done" ? "name" : "name bad");
  });
  show(find("#audit .scroll"), rows.length > 0);
  show(find("#audit .none"), entries !== null && rows.length === 0);
}

export function start(isLive) {
  again = poll({
    path: () => (route().view === "log" ? "api/v1/audit" : null),
    period: () => PERIOD,
    isLive: () => isLive() && route().view === "log",
    onAnswer(answer) {
      entries = answer.entries;
      render();
    },
  });
}

export const refresh = () => again();
