// What wxgate refused, or could not get from WeChat: how often, whose, and why.

import { find, set, show, keyed, cells, element, attribute, style, line } from "./dom.js";
import { moment, number } from "./format.js";
import { poll } from "./polls.js";
import { range } from "./ranges.js";
import { route, toExplain } from "./routes.js";
import { text } from "./texts.js";

const PERIOD = 5000;
// On the overview; the rest has a view of its own.
const MOST = 6;

let rows = null;
let kinds = 0;
let asked = null;
let again = null;
const opened = new Set();

const keyOf = (row) => JSON.stringify([row.code, row.errcode, row.app, row.caller, row.endpoint, row.various]);
const codeOf = (row) => row.code ?? text("loginCode")(row.errcode);
const requestOf = (row) => (row.various ? text("various") : row.path === "-" ? row.endpoint : `${row.method} ${row.path}`);

function isWebPage(link) {
  return URL.canParse(link) && new URL(link).protocol === "https:";
}

function create({ of, detail }) {
  if (detail) {
    const row = element("tr", "detail");
    const cell = element("td");
    cell.colSpan = 5;
    const links = element("p", "links");
    const [explain, document] = [element("a", "explain"), element("a", "document")];
    document.rel = "noreferrer noopener";
    document.target = "_blank";
    links.append(explain, document);
    cell.append(element("p", "why"), element("p", "remedy"), links);
    row.append(element("td", "indent"), cell);
    return row;
  }
  const row = cells("code", "request", "name", "name", "number", "number last");
  const button = element("button", "quiet");
  button.type = "button";
  row.dataset.key = keyOf(of);
  row.firstChild.append(button);
  row.children[1].append(element("span"), element("small"));
  return row;
}

function update(node, { of, detail }) {
  if (detail) {
    set(find(".why", node), of.why);
    set(find(".remedy", node), text("remedies")[of.code ?? "none"] ?? "");
    const explain = find(".explain", node);
    set(explain, text("explainIt"));
    attribute(explain, "href", toExplain({ method: of.method, path: of.path, caller: of.caller }));
    show(explain, of.path.startsWith("/"));
    const document = find(".document", node);
    set(document, text("documentation"));
    show(document, isWebPage(of.document));
    if (!document.hidden) attribute(document, "href", of.document);
    return;
  }
  const [code, request, caller, app, count, last] = node.children;
  const button = code.firstChild;
  style(node, opened.has(keyOf(of)) ? "open" : "");
  set(button, codeOf(of));
  style(button, of.outcome === "failed" ? "quiet failed" : "quiet");
  attribute(button, "aria-expanded", String(opened.has(keyOf(of))));
  attribute(button, "title", text("whyOf")(codeOf(of), requestOf(of)));
  set(request.firstChild, requestOf(of));
  line(request.lastChild, route().view === "refusals" ? of.why : null);
  const nobody = text(of.various ? "anyOf" : "unsettled");
  set(caller, of.caller ?? nobody);
  style(caller, of.caller === null ? "name faint" : "name");
  set(app, of.app ?? nobody);
  style(app, of.app === null ? "name faint" : "name");
  set(count, number(of.count));
  set(last, moment(of.last_at));
}

export function render() {
  const { view, app } = route();
  const wanted = JSON.stringify([range(), app, view]);
  if (asked !== wanted) {
    rows = null;
    again();
  }
  const shown = rows ?? [];
  const items = shown.flatMap((of) => [{ of, detail: false }].concat(opened.has(keyOf(of)) ? [{ of, detail: true }] : []));
  keyed(find("#refusals tbody"), items, ({ of, detail }) => `${detail} ${keyOf(of)}`, create, update);
  show(find("#refusals .scroll"), items.length > 0);
  show(find("#refusals .none"), rows !== null && items.length === 0);
  line(find("#refusals .all"), kinds > shown.length ? text("allRefusals")(number(kinds)) : null);
}

export function start({ isLive, onChange }) {
  again = poll({
    path() {
      const { app, view } = route();
      asked = JSON.stringify([range(), app, view]);
      return `api/v1/refusals?${new URLSearchParams({ range: range(), ...(app === null ? {} : { app }), ...(view === "overview" ? { most: MOST } : {}) })}`;
    },
    period: () => PERIOD,
    isLive: () => isLive() && ["overview", "app", "refusals"].includes(route().view),
    onAnswer(answer) {
      rows = answer.refusals;
      kinds = answer.kinds;
      onChange();
    },
  });
  find("#refusals tbody").addEventListener("click", (event) => {
    const key = event.target.closest("tr")?.dataset.key;
    if (key === undefined || getSelection().type === "Range") return;
    if (!opened.delete(key)) opened.add(key);
    render();
  });
}

export const refresh = () => again();
