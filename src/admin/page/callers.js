// The results of each caller's requests.

import { find, set, show, keyed, cells, line, style, attribute } from "./dom.js";
import { number } from "./format.js";
import { route } from "./routes.js";
import { text } from "./texts.js";

const COUNTS = ["ok", "wechat_error", "refused", "failed"];
const NAMES = ["ok", "wechatErrors", "refused", "failed"];

export function render(configured, everywhere) {
  const { app: one } = route();
  const active = everywhere.filter((row) => one === null || row.app === one);
  const busy = (row) => COUNTS.reduce((sum, key) => sum + row[key], 0);
  const seen = new Set(active.map((row) => row.caller));
  const quiet = configured
    .filter((caller) => !seen.has(caller.name) && (one === null || caller.apps.includes(one)))
    .map((caller) => ({ caller: caller.name, app: text("mayUse")(caller.apps.join(", ")), quiet: true, ok: 0, wechat_error: 0, refused: 0, failed: 0 }));
  const rows = [...active].sort((a, b) => busy(b) - busy(a)).concat(quiet);
  show(find("#callers"), rows.length > 0 && ["overview", "app"].includes(route().view));
  const keyOf = (row) => JSON.stringify([row.caller, row.quiet ? "" : row.app]);
  keyed(find("#callers tbody"), rows, keyOf, () => cells("name", "name", "number", "number", "number", "number"), (node, row) => {
    const [caller, app, ...counts] = node.children;
    style(node, row.quiet ? "quiet" : "");
    set(caller, row.caller);
    line(app, row.app);
    style(app, row.quiet ? "name faint" : "name");
    counts.forEach((cell, at) => {
      // A phone has no room for the head of the table.
      attribute(cell, "data-name", text(NAMES[at]));
      set(cell, row[COUNTS[at]] === 0 && row.quiet ? "–" : number(row[COUNTS[at]]));
      style(cell, at > 0 && row[COUNTS[at]] > 0 ? "number seen" : "number");
    });
  });
}
