// The top of the page: the process as a whole, and what is wrong with it.

import { find, set, show, line, style, keyed, element } from "./dom.js";
import { duration, joined, moment, number, percent } from "./format.js";
import * as quota from "./quota.js";
import { isChinese, text } from "./texts.js";

function nearest(apps) {
  const known = apps.flatMap((app) => app.endpoints.filter((one) => one.limit !== null).map((endpoint) => ({ app: app.app, endpoint })));
  return known.reduce((first, one) => (first === null || quota.fraction(one.endpoint) > quota.fraction(first.endpoint) ? one : first), null);
}

function host(upstream) {
  return upstream.origin.replace(/^https?:../, "") + (upstream.egress === null ? "" : ` ${text("through")(upstream.egress)}`);
}

function tiles({ status, quota: spending, calls_today }) {
  const ready = status.apps.filter((app) => app.state === "ready").length;
  const first = nearest(spending.apps);
  const healthy = status.upstreams.filter((one) => one.healthy).length;
  const running = Math.max(0, (Date.now() - new Date(status.started_at)) / 1000);
  return [
    { key: "tileApps", value: `${number(ready)} / ${number(status.apps.length)}`, level: ready < status.apps.length ? "bad" : "good", more: "" },
    { key: "tileCalls", value: number(calls_today), level: "", more: joined([spending.day, text("replicas")]) },
    {
      key: "tileNearest",
      value: first === null ? "–" : percent(quota.fraction(first.endpoint), 1),
      level: first === null ? "" : quota.level(first.endpoint),
      more: first === null ? text("noLimitKnown") : `${first.app} ${first.endpoint.endpoint}`,
    },
    { key: "tileStore", value: text(status.store.up ? "up" : "down"), level: status.store.up ? "good" : "bad", more: status.store.url },
    {
      key: "tileHosts",
      value: status.upstreams.length === 0 ? "–" : text(healthy === status.upstreams.length ? "up" : "down"),
      level: healthy === status.upstreams.length ? "good" : "bad",
      more: status.upstreams.filter((one) => one.in_use).map(host).join(", "),
    },
    {
      key: "tileWork",
      value: `${number(status.work.at_work)} / ${number(status.work.most)}`,
      level: status.work.waiting > 0 ? "waiting" : "",
      more: joined([text("queued")(number(status.work.waiting), number(status.work.refused)), text("running")(duration(running)), ...status.listeners]),
    },
  ];
}

function ending({ kind, name, ends_in_seconds }) {
  const what = text(kind === "certificate" ? "certificateOf" : "keyOf")(name);
  return ends_in_seconds > 0 ? text("endsIn")(what, duration(ends_in_seconds, 1)) : text("hasEnded")(what);
}

function records(refused) {
  const [first, ...more] = refused.toSorted((a, b) => b.kept - a.kept);
  return text("recordRefused")(first.key, text("refusal")[first.reason] ?? first.reason, first.kept, more.length);
}

function troubles(status) {
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
  ].filter((one) => one !== null);
}

// Is it WeChat or us? One sentence; below it ongoing and past troubles.
function wechat({ blame, verdict, verdict_zh, troubles }) {
  style(find("#verdict"), blame === "nobody" ? "good" : "bad");
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
}

export function render(snapshot) {
  set(find("#version"), snapshot.status.version);
  wechat(snapshot.status.wechat);
  const create = () => {
    const tile = element("div");
    tile.append(element("dt"), element("dd", "value"), element("dd", "more"));
    return tile;
  };
  keyed(find("#tiles"), tiles(snapshot), (tile) => tile.key, create, (node, tile) => {
    set(find("dt", node), text(tile.key));
    set(find(".value", node), tile.value);
    style(find(".value", node), `value ${tile.level}`);
    line(find(".more", node), tile.more);
    if (find(".more", node).title !== tile.more) find(".more", node).title = tile.more;
  });
  const list = troubles(snapshot.status);
  show(find("#troubles"), list.length > 0);
  keyed(find("#troubles"), list, (one) => one.key, () => element("li"), (item, one) => set(item, one.said));
}
