// The curves of the last day or month, drawn by uPlot.

/* global uPlot */
import { find, set, show, attribute, keyed, element, options } from "./dom.js";
import { milliseconds, moment, number } from "./format.js";
import { ask } from "./session.js";
import { locale, text } from "./texts.js";

const HEIGHT = 190;
const PERIODS = { day: 10000, month: 60000 };

const CHARTS = {
  requests: { title: () => text(range === "day" ? "perMinute" : "perHour"), series: ["calls", "wechat_errors", "refused", "failed"], shown: number },
  latency: { title: () => text("latency"), series: ["wechat_ms", "own_ms"], shown: milliseconds },
};
const LABELS = { refused: "refused_", failed: "failed_" };

const plots = new Map();
let range = "day";
let columns = null;
let asked = 0;

const label = (key) => text(LABELS[key] ?? key);
// The colours of both themes are in the style sheet.
const colour = (id, selector) => getComputedStyle(find(`#${id} ${selector}`)).color;

function dates(plot, splits) {
  const options = range === "day" ? { hour: "2-digit", minute: "2-digit", hourCycle: "h23" } : { month: "short", day: "numeric" };
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

function settings(id, width) {
  const { series, shown } = CHARTS[id];
  const line = (key) => ({
    label: key, width: 1.5, points: { show: false, filter: alone, size: 4 }, stroke: () => colour(id, `.${key}`), spanGaps: false,
  });
  return {
    width, height: HEIGHT, legend: { show: false }, padding: [8, 8, 0, 0],
    cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
    scales: { y: { range: (_plot, _least, most) => [0, most > 0 ? most * 1.1 : 1] } },
    axes: [axis(id, { values: dates, space: 64, size: 28 }), axis(id, { values: (_plot, splits) => splits.map(shown), size: id === "latency" ? 60 : 48, space: 40 })],
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

async function load() {
  const turn = ++asked;
  const query = new URLSearchParams({ range });
  const app = find("#traffic-app").value;
  if (app !== "") query.set("app", app);
  // The stream shows the connection's state.
  const response = await ask(`api/v1/traffic?${query}`).catch(() => null);
  if (response === null || !response.ok) return;
  const traffic = await response.json();
  if (turn !== asked) return;
  columns = { ...traffic, time: traffic.calls.map((_, at) => traffic.start + at * traffic.step_seconds) };
  draw();
}

export function render(apps) {
  options(find("#traffic-app"), [["", text("allApps")], ...apps.map((app) => [app.name, app.name])]);
  show(find("#traffic-app"), apps.length > 1);
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
  let loadedAt = 0;
  const anew = () => {
    loadedAt = Date.now();
    load();
  };
  setInterval(() => {
    if (!document.hidden && isLive() && Date.now() - loadedAt >= PERIODS[range]) anew();
  }, 1000);
  find("#traffic-app").addEventListener("change", anew);
  find("#traffic .segments").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button === null) return;
    range = button.value;
    for (const other of find("#traffic .segments").children) attribute(other, "aria-pressed", String(other === button));
    anew();
  });
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
