// The accounts with their current tokens, and the numbers that tests assert.

import { element, find, keyed, options, set, style } from "./dom.js";
import { clock } from "./journal.js";
import * as masks from "./masks.js";
import { duration, locale, text, word } from "./texts.js";

function lines(account) {
  const tokens = account.tokens.map(({ kind, current, expires_in: seconds }) => ({
    kind,
    value: masks.credential(current.value),
    state: current.poisoned ? text("poisoned") : seconds > 0 ? text("expiresIn")(duration(seconds)) : text("expired"),
    isBad: current.poisoned || seconds <= 0,
  }));
  return tokens.length > 0 ? tokens : [{ kind: null, value: "", state: text("noToken"), isBad: false }];
}

function updateToken(node, { kind, value, state, isBad }) {
  style(node, isBad ? "token bad" : "token");
  const [name, token, rest] = node.children;
  set(name, kind === null ? "" : `${word(kind, "kinds")} `);
  set(token, value);
  set(rest, value === "" ? state : ` ${state}`);
}

function createToken() {
  const node = element("p", "token");
  node.append(element("span"), element("b"), element("span"));
  return node;
}

function create() {
  const node = element("li");
  const name = element("p");
  name.append(element("span", "name"), " ", element("span", "kind"));
  node.append(name, element("div", "tokens"));
  return node;
}

function update(node, account) {
  set(find(".name", node), account.appid);
  set(find(".kind", node), word(account.kind ?? "authorizer", "kinds"));
  keyed(find(".tokens", node), lines(account), (one) => one.kind, createToken, updateToken);
}

function tiles(state) {
  const number = (value) => value.toLocaleString(locale());
  const { fetches, forces, probes } = state.counts;
  return [
    ["fetches", number(fetches), ""],
    ["forces", number(forces), ""],
    ["probes", number(probes), ""],
    ["clockGroup", clock(state.now_ms), state.offset_ms === 0 ? "" : text("ahead")(duration(Math.abs(state.offset_ms) / 1000), state.offset_ms < 0)],
  ];
}

export function render(state) {
  const all = [...state.apps, ...state.authorizers];
  keyed(find("#accounts ul"), all, (account) => `${account.appid} ${account.kind ?? ""}`, create, update);
  options(find("#app"), [["", text("allApps")], ...all.map(({ appid }) => [appid, appid])]);
  keyed(find("#tiles"), tiles(state), ([name]) => name, () => {
    const node = element("div");
    const value = element("dd");
    value.append(element("span"), " ", element("small"));
    node.append(element("dt"), value);
    return node;
  }, (node, [name, value, more]) => {
    set(find("dt", node), text(name));
    set(find("dd span", node), value);
    set(find("dd small", node), more);
  });
}
