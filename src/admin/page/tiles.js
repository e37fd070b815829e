// The figures of the range, each a link to what is behind it.

import { find, set, style, line, keyed, element, attribute } from "./dom.js";
import { milliseconds, number, percent, success } from "./format.js";
import { poll } from "./polls.js";
import * as quota from "./quota.js";
import { range } from "./ranges.js";
import { route, toApp } from "./routes.js";
import { text } from "./texts.js";

const PERIOD = 5000;

let figures = null;
let of;
let again = null;

function nearest(apps) {
  const known = apps.flatMap((app) => app.endpoints.filter((one) => one.limit !== null).map((endpoint) => ({ app: app.app, endpoint })));
  return known.reduce((first, one) => (first === null || quota.fraction(one.endpoint) > quota.fraction(first.endpoint) ? one : first), null);
}

function times(now) {
  if (now === undefined || now.p50_ms === null) return "–";
  const short = [now.p50_ms, now.p95_ms, now.p99_ms].map((value) => number(value));
  return `${short.join(" / ")} ms`;
}

function list({ status, quota: spending, calls_today }) {
  const one = route().app;
  const now = figures?.ranges.find((each) => each.range === range());
  const calls = now?.calls ?? 0;
  const bad = (now?.refused ?? 0) + (now?.failed ?? 0);
  const apps = one === null ? spending.apps : spending.apps.filter((app) => app.app === one);
  const first = nearest(apps);
  const ready = status.apps.filter((app) => app.state === "ready").length;
  const within = text("within")[range()];
  const rate = now?.success_percent ?? null;
  const refusals = "#/refusals";
  const traffic = one === null ? "#/" : toApp(one);
  return [
    {
      key: "tileSuccess", value: success(rate), level: rate === null || rate >= 99 ? "" : rate >= 95 ? "waiting" : "bad",
      more: calls === 0 ? text("noRequests") : text("wechatSaid")(number(now.wechat_errors)), to: bad > 0 ? refusals : traffic,
    },
    { key: "tileRequests", value: number(calls), level: "", more: one === null ? text("today")(number(calls_today)) : within, to: traffic, jump: "#traffic" },
    { key: "tileTimes", value: times(now), level: "", more: now !== undefined && calls > 0 && now.p50_ms === null && one !== null ? text("perAppDay") : text("ownTime"), to: traffic, jump: "#traffic" },
    { key: "tileRefused", value: number(bad), level: bad > 0 ? "bad" : "", more: text("refusedAndFailed")(number(now?.refused ?? 0), number(now?.failed ?? 0)), to: refusals },
    {
      key: "tileNearest", value: first === null ? "–" : percent(quota.fraction(first.endpoint), 1), level: first === null ? "" : quota.level(first.endpoint),
      more: first === null ? text("noLimitKnown") : one === null ? `${first.app} ${first.endpoint.endpoint}` : first.endpoint.endpoint, to: first === null ? "#/apps" : toApp(first.app),
    },
    {
      key: "tileReady", value: `${number(ready)} / ${number(status.apps.length)}`, level: ready < status.apps.length ? "bad" : "",
      more: ready < status.apps.length ? text("notReady")(status.apps.length - ready) : text("allReady"), to: "#/apps",
    },
  ].filter((tile) => one === null || tile.key !== "tileReady");
}

export function render(snapshot) {
  if (of !== route().app) {
    of = route().app;
    figures = null;
    again();
  }
  const create = () => {
    const item = element("li");
    const tile = element("a");
    tile.append(element("span", "name"), element("span", "value"), element("span", "more"));
    item.append(tile);
    return item;
  };
  keyed(find("#tiles"), list(snapshot), (tile) => tile.key, create, (item, tile) => {
    const link = item.firstChild;
    attribute(link, "href", tile.to);
    if (tile.jump !== undefined) attribute(link, "data-jump", tile.jump);
    set(find(".name", link), text(tile.key));
    set(find(".value", link), tile.value);
    style(find(".value", link), `value ${tile.level}`);
    line(find(".more", link), tile.more);
    attribute(find(".more", link), "title", tile.more);
  });
}

export function start({ isLive, onChange }) {
  again = poll({
    path: () => (route().app === null ? "api/v1/figures" : `api/v1/figures?${new URLSearchParams({ app: route().app })}`),
    period: () => PERIOD,
    isLive: () => isLive() && ["overview", "app"].includes(route().view),
    onAnswer(answer) {
      figures = answer;
      onChange();
    },
  });
  find("#tiles").addEventListener("click", (event) => {
    const jump = event.target.closest("a")?.dataset.jump;
    if (jump !== undefined) setTimeout(() => find(jump).scrollIntoView());
  });
}

export const refresh = () => again();
