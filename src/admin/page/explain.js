// What would become of a request: a form for `wxgate explain`.

import { find, set, show, line, style, options, element } from "./dom.js";
import { route, toExplain } from "./routes.js";
import { ask, problemOf } from "./session.js";
import { text } from "./texts.js";

let turn = 0;

function tell(explained) {
  const section = find("#explain");
  const { refused, rows } = explained;
  line(find(".result", section), refused === null ? text("wouldPass") : text("wouldRefuse")(refused.code ?? "", refused.errcode, refused.reason));
  line(find(".remedy", section), refused === null ? null : text("remedies")[refused.code ?? "none"]);
  style(find(".result", section), refused === null ? "result good" : "result bad");
  const list = find("dl", section);
  // A row without a label continues the one before.
  const groups = [];
  for (const row of rows) {
    if (row.label !== "" || groups.length === 0) groups.push({ label: row.label, texts: [row.text] });
    else groups.at(-1).texts.push(row.text);
  }
  list.replaceChildren(...groups.map(({ label, texts }) => {
    const group = element("div");
    group.append(element("dt", "", label), ...texts.map((one) => element("dd", "", one)));
    return group;
  }));
  show(list, rows.length > 0);
}

// Asks what the address says, if it says something.
async function answer() {
  const section = find("#explain");
  const { view, asked } = route();
  if (view !== "explain") return;
  const own = ++turn;
  const fields = find("form", section).elements;
  const path = asked.get("path") ?? "";
  for (const shown of [".result", ".remedy"]) line(find(shown, section), null);
  show(find("dl", section), false);
  if (path === "") return;
  const method = (asked.get("method") ?? "GET").toUpperCase();
  if ([...fields.method.options].some((one) => one.value === method)) fields.method.value = method;
  fields.path.value = path;
  const caller = asked.get("caller") ?? "";
  if ([...fields.caller.options].some((one) => one.value === caller)) fields.caller.value = caller;
  const query = new URLSearchParams({ method, path, ...(caller === "" ? {} : { caller }) });
  const response = await ask(`api/v1/explain?${query}`).catch(() => null);
  if (own !== turn) return;
  if (response?.ok) {
    tell(await response.json());
  } else {
    line(find(".result", section), response === null ? text("noAnswer") : await problemOf(response));
    style(find(".result", section), "result bad");
  }
}

export function render(callers) {
  const named = callers.filter((caller) => caller.name !== "anonymous").map((caller) => [caller.name, caller.name]);
  const select = find("#explain form").elements.caller;
  const before = select.options.length;
  options(select, [["", text("eachCaller")], ...named, ["anonymous", text("anonymous")]]);
  // The first snapshot brings the callers of which one is asked for.
  if (before === 0) answer();
}

export function start() {
  const form = find("#explain form");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const { method, path, caller } = form.elements;
    const trimmed = path.value.trim();
    const wanted = toExplain({ method: method.value, path: trimmed.startsWith("/") ? trimmed : `/${trimmed}`, caller: caller.value });
    if (location.hash === wanted) answer();
    else location.hash = wanted;
  });
}

export const refresh = answer;
