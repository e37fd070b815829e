// What can be made to fail, and what is failing now.

import { order } from "./control.js";
import { attribute, element, find, keyed, options, set, style } from "./dom.js";
import { duration, text, word } from "./texts.js";

const TIMES = ["1", "3", "10", ""];
const MINUTE = 60000;

const app = () => (find("#app").value === "" ? {} : { appid: find("#app").value });
const path = () => (find("#path").value.trim() === "" ? {} : { path: find("#path").value.trim() });
const times = () => (find("#times").value === "" ? {} : { times: Number(find("#times").value) });
const fault = (action) => ["POST", "faults", () => ({ ...action, ...path(), ...times() })];

// By group and name: method, path, body.
const ORDERS = {
  token: {
    rotate: ["POST", "rotate", app],
    expire: ["POST", "expire", app],
    poison: ["POST", "poison", app],
    lag: ["POST", "lag", () => ({ ...app(), requests: 3 })],
  },
  answer: {
    dead: fault({ fault: "errcode", errcode: 40001 }),
    busy: fault({ fault: "errcode", errcode: -1 }),
    daily: fault({ fault: "errcode", errcode: 45009 }),
    minute: fault({ fault: "errcode", errcode: 45011 }),
    html: fault({ fault: "html", status: 502 }),
    empty: fault({ fault: "empty" }),
  },
  network: {
    slow: fault({ fault: "latency", milliseconds: 2000 }),
    silence: fault({ fault: "silence" }),
    reset: fault({ fault: "reset" }),
    cut: fault({ fault: "cut", bytes: 20 }),
  },
  clock: {
    minutes: ["POST", "clock", () => ({ advance_ms: 5 * MINUTE })],
    hours: ["POST", "clock", () => ({ advance_ms: 120 * MINUTE })],
    day: ["POST", "clock", () => ({ advance_ms: 1440 * MINUTE })],
  },
};

function nameOf({ fault: name, errcode, status, milliseconds }) {
  const more = { errcode, early_answer: errcode, html: status, status, latency: `${milliseconds} ms`, token_latency: `${milliseconds} ms` }[name];
  return more === undefined ? word(name, "faultNames") : `${word(name, "faultNames")} ${more}`;
}

function ofFault(one) {
  const hit = Math.max(0, one.seen - one.after);
  const count = one.times === null ? text("hits")(hit) : text("hitsOf")(hit, one.times);
  return { key: `fault ${one.id}`, name: nameOf(one), more: `${one.path ?? text("anyEndpoint")} · ${count}`, end: ["DELETE", `faults?id=${one.id}`] };
}

function ofLag({ lag, rejected }, at) {
  const count = lag.requests === null ? text("hits")(rejected) : text("hitsOf")(rejected, lag.requests);
  return { key: `lag ${at}`, name: text("lagging"), more: `${lag.appid ?? text("allApps")} · ${count}`, end: ["DELETE", "lag"] };
}

function inForce(state) {
  const faults = state.faults.filter((one) => one.times === null || one.seen - one.after < one.times);
  const lags = state.lags.filter((one) => !one.over);
  const found = [...faults.map(ofFault), ...lags.map(ofLag)];
  for (const account of [...state.apps, ...state.authorizers]) {
    for (const { kind, current } of account.tokens.filter((token) => token.current.poisoned)) {
      found.push({ key: `poison ${account.appid} ${kind}`, name: text("poisonedToken"), more: `${account.appid} · ${word(kind, "kinds")}`, end: null });
    }
    if ((account.whitelist ?? []).length > 0) {
      found.push({ key: `whitelist ${account.appid}`, name: text("whitelist"), more: `${account.appid} · ${account.whitelist.join(", ")}`, end: null });
    }
  }
  if (state.offset_ms !== 0) {
    const moved = text("ahead")(duration(Math.abs(state.offset_ms) / 1000), state.offset_ms < 0);
    found.push({ key: "clock", name: text("clockGroup"), more: moved, end: null });
  }
  for (const [key, value] of Object.entries(state.changed_settings)) {
    found.push({ key: `setting ${key}`, name: key, more: typeof value === "object" ? JSON.stringify(value) : String(value), end: null });
  }
  return found;
}

export function render(state, onDone) {
  const found = inForce(state);
  style(find("#force"), found.some(({ key }) => key !== "clock") ? "card on" : "card");
  const create = ({ end, name }) => {
    const node = element("li", end === null ? "fixed" : "");
    const words = element("span");
    words.append(element("b"), " ", element("span"));
    node.append(words);
    if (end !== null) {
      const button = element("button", "", "×");
      button.type = "button";
      button.addEventListener("click", () => order(text("ended")(name), end[0], end[1], undefined, onDone));
      node.append(button);
    }
    return node;
  };
  keyed(find("#force ul"), found, ({ key }) => key, create, (node, { name, more }) => {
    set(find("b", node), name);
    set(find("span span", node), more);
    const button = find("button", node);
    if (button !== null) for (const label of ["aria-label", "title"]) attribute(button, label, text("end")(name));
  });
}

export function speak() {
  options(find("#times"), TIMES.map((value) => [value, value === "" ? text("always") : text("timesOf")(Number(value))]));
  for (const button of document.querySelectorAll("#faults .buttons button")) {
    const [label, title] = text("orders")[button.dataset.order];
    set(button, label);
    attribute(button, "title", title);
  }
}

export function suggest(shapes) {
  find("#paths").replaceChildren(...[...new Set(shapes.map((shape) => shape.path))].map((one) => {
    const option = element("option");
    option.value = one;
    return option;
  }));
}

export function start(onDone) {
  for (const [group, orders] of Object.entries(ORDERS)) {
    for (const [name, [method, where, body]] of Object.entries(orders)) {
      const button = element("button");
      button.type = "button";
      button.dataset.order = name;
      const said = (answer) => (answer.changed === 0 ? text("noTokenYet") : text("orders")[name][0]);
      button.addEventListener("click", () => order(said, method, where, body(), onDone));
      find(`[data-group="${group}"]`).append(button);
    }
  }
  // Where it says nothing, a fault hits once.
  speak();
  find("#times").value = TIMES[0];
  find("#all").addEventListener("click", () => order(text("allDone"), "POST", "reset", { all: true }, onDone));
}
