// How much of each quota is used, by whom, and how long the rest lasts.

import { find, set, show, line, style, keyed, cells, fromTemplate, element } from "./dom.js";
import { duration, joined, moment, number, percent } from "./format.js";
import { route } from "./routes.js";
import { ask, problemOf } from "./session.js";
import { text } from "./texts.js";

const MOST_BARS = 4;
const MOST_SHARES = 3;

const used = (endpoint) => endpoint.used ?? endpoint.calls_today;

export function fraction(endpoint) {
  return endpoint.limit ? used(endpoint) / endpoint.limit : 0;
}

function left(endpoint) {
  return endpoint.remaining ?? (endpoint.limit === null ? null : Math.max(0, endpoint.limit - used(endpoint)));
}

// The worse of what is used and what is forecast.
export function level(endpoint) {
  const part = fraction(endpoint);
  if (part >= 0.9 || (endpoint.limit !== null && left(endpoint) === 0)) return "bad";
  return part >= 0.7 || endpoint.exhausted_at !== null || endpoint.slowed_until !== null ? "waiting" : "good";
}

function figures(endpoint) {
  if (endpoint.limit === null) return text("callsOnly")(number(endpoint.calls_today));
  return text("ofLimit")(number(used(endpoint)), number(endpoint.limit));
}

function forecast(endpoint) {
  const ending = left(endpoint) === 0 ? text("usedUp") : endpoint.exhausted_at === null ? null : text("usedUpAt")(moment(endpoint.exhausted_at));
  return joined([ending, endpoint.slowed_until === null ? null : text("slowedUntil")(moment(endpoint.slowed_until))]);
}

function around(endpoint) {
  return endpoint.around ? text("around")(number(endpoint.around)) : null;
}

function shares(endpoint) {
  const all = endpoint.calls_today;
  return endpoint.callers.slice(0, MOST_SHARES).map(({ caller, calls }) => `${caller} ${percent(calls, all)}`).join(", ");
}

function updateBar(node, endpoint) {
  set(find(".endpoint", node), endpoint.endpoint);
  set(find(".figures", node), figures(endpoint));
  style(node, level(endpoint));
  const track = find(".track", node);
  show(track, endpoint.limit !== null);
  const width = `${Math.min(100, 100 * fraction(endpoint)).toFixed(1)}%`;
  const fill = find(".fill", track);
  if (fill.style.width !== width) fill.style.width = width;
  line(find(".forecast", node), forecast(endpoint));
  line(find(".around", node), around(endpoint));
  line(find(".shares", node), shares(endpoint));
}

// The quota part of an app's card.
export function renderApp(card, quota, endsIn) {
  const endpoints = quota?.endpoints ?? [];
  set(find(".ends", card), endpoints.length > 0 ? text("ends")(duration(endsIn)) : text("noCalls"));
  keyed(find(".bars", card), endpoints.slice(0, MOST_BARS), (one) => one.endpoint, () => fromTemplate("bar"), updateBar);
  line(find(".quota .problem", card), quota?.problem);
  show(find(".all", card), endpoints.length > 0);
  set(find(".all", card), text("allEndpoints"));
}

// Who caused it; the text of `around` says it itself.
function blame(warning) {
  if (warning.caller !== null) return text("mostBy")(warning.caller, number(warning.caller_percent));
  return warning.kind === "around" ? null : around(warning);
}

export function renderWarnings(everywhere) {
  const { view, app } = route();
  const warnings = everywhere.filter((warning) => app === null || warning.app === app);
  show(find("#warnings"), warnings.length > 0 && ["overview", "app"].includes(view));
  const keyOf = (warning) => [warning.kind, warning.app, warning.endpoint, warning.at].join(" ");
  const create = () => {
    const item = element("li");
    item.append(element("time"), element("span"));
    return item;
  };
  keyed(find("#warnings ul"), warnings, keyOf, create, (item, warning) => {
    style(item, warning.kind === "exhausted" || warning.kind === "used_90_percent" ? "bad" : "waiting");
    set(find("time", item), moment(warning.at));
    const known = text("warning");
    const what = Object.hasOwn(known, warning.kind) ? known[warning.kind](warning, number(warning.around ?? 0)) : warning.message;
    set(find("span", item), joined([what, blame(warning)]));
  });
}

function remarks(endpoint) {
  const rate = endpoint.rate_limit;
  return joined([
    forecast(endpoint),
    around(endpoint),
    rate === null ? null : text("rateLimit")(number(rate.calls), number(rate.seconds)),
    endpoint.asked_at === null ? null : text("askedAt")(moment(endpoint.asked_at)),
  ]);
}

// All endpoints of an app: snapshots only hold some.
export async function openAll(app) {
  const dialog = find("#endpoints");
  set(find("#endpoints-title"), text("endpointsOf")(app));
  show(find(".problem", dialog), false);
  keyed(find("tbody", dialog), [], () => "", null, null);
  dialog.showModal();
  try {
    const response = await ask(`api/v1/quota?app=${encodeURIComponent(app)}`);
    if (!response.ok) throw new Error(await problemOf(response));
    const quota = await response.json();
    const endpoints = quota.apps.flatMap((one) => one.endpoints);
    const create = () => cells("name", "number", "number", "number", "number", "shares", "remarks");
    keyed(find("tbody", dialog), endpoints, (one) => one.endpoint, create, (row, one) => {
      const rest = left(one);
      const texts = [
        one.endpoint, number(one.calls_today), one.limit === null ? "–" : figures(one), rest === null ? "–" : number(rest),
        number(one.pace_per_minute), shares(one), remarks(one),
      ];
      texts.forEach((value, at) => set(row.children[at], value));
      style(row, level(one));
    });
  } catch (error) {
    line(find(".problem", dialog), error.message);
  }
}
