// Many apps as a table, those in trouble first.

import { find, set, show, line, style, keyed, element, attribute } from "./dom.js";
import { duration, number, percent, success } from "./format.js";
import * as quota from "./quota.js";
import { toApp } from "./routes.js";
import { text, word } from "./texts.js";

// Nobody reads more rows; a search finds the others.
const MOST_ROWS = 200;

function create({ app }) {
  const row = element("tr");
  const name = element("th");
  name.scope = "row";
  const link = element("a", "name");
  link.href = toApp(app.name);
  name.append(link);
  row.append(name, ...["condition", "kind wide", "number wide", "nearest", "number", "number", "number wide", "number wide", "trouble wide"].map((one) => element("td", one)));
  row.children[1].append(element("span", "state"));
  return row;
}

function nearest(spent) {
  return (spent?.endpoints ?? []).find((one) => one.limit !== null) ?? null;
}

// What is wrong, in a few words.
function trouble({ app, spent }) {
  if (app.state !== "ready") return app.last_failure?.message ?? "";
  if (app.interference > 0) return text("interference")(number(app.interference));
  const failing = app.credentials.find((one) => one.state === "unavailable");
  if (failing !== undefined) return `${failing.kind} ${word(failing.state)}`;
  const broken = app.exports.find((one) => one.problem !== null);
  return broken === undefined ? "" : broken.problem;
}

function update(row, { app, spent, figures }) {
  const [name, state, kind, token, near, calls, rate, p95, refused, problem] = row.children;
  set(name.firstChild, app.name);
  set(state.firstChild, word(app.state));
  style(state.firstChild, `state ${app.state}`);
  set(kind, word(app.kind));
  set(token, app.token === null ? "–" : duration(app.token.expires_in_seconds, 2));
  const first = nearest(spent);
  set(near, first === null ? "–" : `${percent(quota.fraction(first), 1)} ${first.endpoint}`);
  style(near, first === null ? "nearest faint" : `nearest ${quota.level(first)}`);
  attribute(near, "title", near.textContent);
  set(calls, figures === undefined ? "–" : number(figures.calls));
  const part = figures?.success_percent ?? null;
  set(rate, success(part));
  style(rate, part === null || part >= 99 ? "number" : part >= 95 ? "number waiting" : "number bad");
  set(p95, (figures?.p95_ms ?? null) === null ? "–" : `${number(figures.p95_ms)} ms`);
  set(refused, figures === undefined || figures.refused === 0 ? "–" : number(figures.refused));
  const said = trouble({ app, spent });
  set(problem, said);
  attribute(problem, "title", said);
}

// Shows the first `most` of the rows.
export function render(rows, most = MOST_ROWS) {
  const shown = rows.slice(0, most);
  keyed(find("#app-table tbody"), shown, ({ app }) => app.name, create, update);
  show(find("#app-table"), shown.length > 0);
  const rest = rows.length - shown.length;
  line(find("#more-rows"), most === MOST_ROWS && rest > 0 ? text("moreRows")(number(rest)) : null);
}
