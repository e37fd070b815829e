// The top of the page: is it wxgate or WeChat, and what is wrong.

import { find, set, show, style, keyed, element, attribute } from "./dom.js";
import { duration, moment, number } from "./format.js";
import { toApp } from "./routes.js";
import { isChinese, text } from "./texts.js";

// Of apps without a token; the rest is in their table.
const MOST_APPS = 5;

function host(upstream) {
  return upstream.origin.replace(/^https?:../, "") + (upstream.egress === null ? "" : ` ${text("through")(upstream.egress)}`);
}

function ending({ kind, name, ends_in_seconds }) {
  const what = text(kind === "certificate" ? "certificateOf" : "keyOf")(name);
  return ends_in_seconds > 0 ? text("endsIn")(what, duration(ends_in_seconds, 1)) : text("hasEnded")(what);
}

function records(refused) {
  const [first, ...more] = refused.toSorted((a, b) => b.kept - a.kept);
  return text("recordRefused")(first.key, text("refusal")[first.reason] ?? first.reason, first.kept, more.length);
}

function ofApps(apps) {
  const down = apps.filter((app) => app.state === "unavailable");
  const said = (app) => ({ key: `app ${app.name}`, said: text("appDown")(app.name, app.last_failure?.message ?? ""), to: toApp(app.name) });
  const more = down.length - MOST_APPS;
  return down.slice(0, MOST_APPS).map(said).concat(more > 0 ? [{ key: "apps", said: text("moreDown")(number(more)), to: "#/apps", count: more }] : []);
}

// What is wrong with wxgate and its surroundings; WeChat's own troubles are not among it.
export function troubles(status) {
  const { refused, files } = status.configuration;
  const rejected = files.filter((file) => file.rejected !== null);
  return [
    refused === null ? null : { key: "refused", said: text("reloadRefused")(moment(refused.at), refused.problem, refused.more) },
    ...rejected.map(({ path, rejected: { at, problem, more } }) => ({ key: `file ${path}`, said: text("fileRejected")(moment(at), problem, more) })),
    ...status.ending.map((one) => ({ key: `${one.kind} ${one.name}`, said: ending(one) })),
    status.draining ? { key: "draining", said: text("draining") } : null,
    status.store.refused.length === 0 ? null : { key: "refusedRecords", said: records(status.store.refused) },
    status.store.up ? null : { key: "store", said: text("storeDown")(status.store.problem ?? "") },
    ...status.upstreams.map((one, at) => (one.healthy ? null : { key: `host ${at}`, said: text("hostDown")(host(one), one.problem ?? "") })),
    ...ofApps(status.apps),
  ].filter((one) => one !== null);
}

const countOf = (list) => list.reduce((sum, one) => sum + (one.count ?? 1), 0);

function facts(list, rows) {
  const create = () => {
    const row = element("div");
    row.append(element("dt"), element("dd"));
    return row;
  };
  keyed(list, rows, ([name]) => name, create, (row, [name, value]) => {
    set(find("dt", row), text(name));
    set(find("dd", row), value);
    attribute(find("dd", row), "title", value);
  });
}

function ours(status, list) {
  const ready = status.apps.filter((app) => app.state === "ready").length;
  const count = countOf(list);
  set(find("#well"), count > 0 ? text("oursTroubled")(number(count)) : text("oursWell")(text("appsReady")(ready, status.apps.length)));
  style(find("#well"), count > 0 ? "verdict bad" : "verdict good");
  show(find("#troubles"), list.length > 0);
  keyed(find("#troubles"), list, (one) => one.key, (one) => {
    const item = element("li");
    item.append(element(one.to === undefined ? "span" : "a"));
    return item;
  }, (item, one) => {
    if (one.to !== undefined) attribute(item.firstChild, "href", one.to);
    set(item.firstChild, one.said);
  });
  const { work } = status;
  facts(find("#ours dl"), [
    ["factStore", status.store.url],
    ["factListens", status.listeners.join(", ") || "–"],
    ["factFlight", text("inFlight")(number(work.at_work), number(work.most), number(work.waiting), number(work.refused))],
    ["factRunning", duration(Math.max(0, (Date.now() - new Date(status.started_at)) / 1000))],
  ]);
}

// One sentence; below it ongoing and past troubles.
function theirs(status) {
  const { blame, verdict, verdict_zh, troubles, calls, troubled } = status.wechat;
  style(find("#verdict"), blame === "nobody" ? "verdict good" : "verdict bad");
  set(find("#verdict"), isChinese() ? verdict_zh : verdict);
  show(find("#illness"), troubles.length > 0);
  const create = () => {
    const item = element("li");
    item.append(element("time"), element("span"));
    return item;
  };
  const key = (one) => [one.app, one.endpoint, one.kind, one.since].join(" ");
  keyed(find("#illness"), troubles, key, create, (item, one) => {
    style(item, one.ended_at === null ? "bad" : "over");
    set(find("time", item), moment(one.ended_at ?? one.since));
    set(find("span", item), `${one.app}${text("colon")}${isChinese() ? one.message_zh : one.message}`);
  });
  const used = status.upstreams.filter((one) => one.in_use).map(host);
  facts(find("#wechat dl"), [
    ["factHosts", used.join(", ") || text("noHosts")],
    ["factCalls", text("troubledOf")(number(calls), number(troubled))],
  ]);
}

export function render(status) {
  set(find("#version"), status.version);
  const list = troubles(status);
  ours(status, list);
  theirs(status);
  const count = countOf(list) + (status.wechat.blame === "nobody" ? 0 : 1);
  const title = count > 0 ? `(${count}) wxgate` : "wxgate";
  if (document.title !== title) document.title = title;
}
