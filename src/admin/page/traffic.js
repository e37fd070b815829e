// The curves of the range, drawn by uPlot.

/* global uPlot */
import { find, set, show, attribute, keyed, element, options } from "./dom.js";
import { milliseconds, moment, number } from "./format.js";
import { poll } from "./polls.js";
import { began, range } from "./ranges.js";
import { route } from "./routes.js";
import { locale, text } from "./texts.js";

const HEIGHT = 190;
const PERIODS = { quarter: 5000, hour: 5000, day: 10000, month: 60000 };

const CHARTS = {
  requests: { title: () => text(range() === "month" ? "perHour" : "perMinute"), series: ["calls", "wechat_errors", "refused", "failed"], shown: number },
  latency: { title: () => text("latency"), series: ["wechat_ms", "own_ms"], shown: milliseconds },
};
const LABELS = { refused: "refused_", failed: "failed_" };

const plots = new Map();
let columns = null;
let again = null;
let asked = null;

const label = (key) => text(LABELS[key] ?? key);
// The colours of both themes are in the style sheet.
const colour = (id, selector) => getComputedStyle(find(`#${id} ${selector}`)).color;

function dates(plot, splits) {
  const options = range() !== "month" ? { hour: "2-digit", minute: "2-digit", hourCycle: "h23" } : { month: "short", day: "numeric" };
  return splits.map((at) => new Date(at * 1000).toLocaleString(locale(), options));
}

function axis(id, rest) {
  const faint = () => colour(id, ".chart");
  const grid = () => colour(id, ".grid");
  return { stroke: faint, font: "11px system-ui, sans-serif", grid: { stroke: grid, width: 1 }, ticks: { show: false }, ...rest };
}

// A value between two gaps has no line, so it is drawn as a point.
function alone(plot, series) {
  const values = plot.data[series];
  const is = (at) => values[at] !== null && values[at] !== undefined;
  const points = [...values.keys()].filter((at) => is(at) && !is(at - 1) && !is(at + 1));
  return points.length > 0 ? points : null;
}

// Labels no finer than what is drawn: minutes, whole requests, a hundredth of a millisecond.
const ROUND = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 1e7, 1e8];
const TIMES = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 5760, 10080].map((minutes) => minutes * 60);
const level = (value) => value.toLocaleString(locale(), { maximumFractionDigits: 2 });

function settings(id, width) {
  const { series } = CHARTS[id];
  const line = (key) => ({
    label: key, width: 1.5, points: { show: false, filter: alone, size: 4 }, stroke: () => colour(id, `.${key}`), spanGaps: false,
  });
  return {
    width, height: HEIGHT, legend: { show: false }, padding: [8, 20, 0, 0],
    cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
    scales: { y: { range: (_plot, _least, most) => [0, most > 0 ? most * 1.1 : 1] } },
    axes: [axis(id, { values: dates, space: 64, size: 28, incrs: TIMES }), axis(id, id === "latency"
      ? { values: (_plot, splits) => splits.map((at) => `${level(at)} ms`), size: 60, space: 40, incrs: [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, ...ROUND] }
      : { values: (_plot, splits) => splits.map(level), size: 48, space: 40, incrs: ROUND })],
    series: [{}, ...series.map(line)],
    hooks: { setCursor: [(plot) => legend(id, plot.cursor.idx)] },
  };
}

// The values under the pointer, else the latest complete ones: the minute in progress still grows.
function legend(id, at) {
  if (columns === null) return;
  const { series, shown, title } = CHARTS[id];
  const last = columns.time.length - 2;
  const place = at ?? last;
  const hovered = at !== null && at !== undefined;
  const when = hovered && columns.time[place] !== undefined ? ` · ${moment(columns.time[place] * 1000)}` : "";
  set(find(`#${id} h3`), title() + when);
  const create = (key) => {
    const item = element("li", key);
    item.append(element("i"), element("span"), element("b"));
    return item;
  };
  keyed(find(`#${id} .legend`), series, (key) => key, create, (item, key) => {
    const value = columns[key][place];
    set(find("span", item), label(key));
    set(find("b", item), value === null || value === undefined ? "–" : shown(value));
  });
  if (hovered) return;
  const texts = series.map((key) => `${label(key)} ${columns[key][last] ?? "–"}`);
  attribute(find(`#${id} .chart`), "aria-label", `${title()}: ${texts.join(", ")}`);
}

function draw() {
  for (const [id, { series }] of Object.entries(CHARTS)) {
    legend(id, null);
    const box = find(`#${id} .chart`);
    const data = [columns.time, ...series.map((key) => columns[key])];
    const plot = plots.get(id);
    if (plot !== undefined) {
      plot.setData(data);
      continue;
    }
    // Its colours come from the style sheet, by elements that the drawing looks up.
    if (find(".grid", box) === null) box.append(element("i", "grid"));
    plots.set(id, new uPlot(settings(id, box.clientWidth), data, box));
  }
}

// The steps since the process started: before it there is nothing to see.
function since(traffic) {
  const steps = traffic.calls.length;
  // Two points make a line.
  const first = Math.min(Math.max(0, Math.floor((began() / 1000 - traffic.start) / traffic.step_seconds)), Math.max(0, steps - 3));
  const cut = Object.entries(traffic).map(([key, value]) => [key, Array.isArray(value) ? value.slice(first) : value]);
  const start = traffic.start + first * traffic.step_seconds;
  const time = Array.from({ length: steps - first }, (_, at) => start + at * traffic.step_seconds);
  return { ...Object.fromEntries(cut), start, time };
}

const wanted = () => new URLSearchParams({ range: range(), ...(chosen() === "" ? {} : { app: chosen() }) }).toString();
const chosen = () => route().app ?? find("#traffic-app").value;

export function render(apps) {
  options(find("#traffic-app"), [["", text("allApps")], ...apps.map((app) => [app.name, app.name])]);
  show(find("#traffic-app"), apps.length > 1 && route().app === null);
  if (asked !== wanted()) again();
}

// After a change of language or theme.
export function redraw() {
  if (columns === null) return;
  for (const [id, plot] of plots) {
    legend(id, null);
    plot.redraw(false, true);
  }
}

// Loads as often as something can have changed, while `isLive()`.
export function start(isLive) {
  again = poll({
    path() {
      asked = wanted();
      return `api/v1/traffic?${asked}`;
    },
    period: () => PERIODS[range()],
    isLive: () => isLive() && ["overview", "app"].includes(route().view),
    onAnswer(traffic) {
      columns = since(traffic);
      draw();
    },
  });
  find("#traffic-app").addEventListener("change", again);
  const resized = new ResizeObserver((entries) => {
    for (const { target, contentRect } of entries) {
      const plot = plots.get(target.closest("figure").id);
      if (plot !== undefined && contentRect.width > 0 && plot.width !== Math.floor(contentRect.width)) {
        plot.setSize({ width: Math.floor(contentRect.width), height: HEIGHT });
      }
    }
  });
  for (const box of document.querySelectorAll(".chart")) resized.observe(box);
}
