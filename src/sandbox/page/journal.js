// The requests, newest first; a click on one shows the rest of it.

import { attribute, element, find, fromTemplate, keyed, line, set, show, style } from "./dom.js";
import * as masks from "./masks.js";
import { locale, text } from "./texts.js";

const DIGITS = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };

let latest = [];
let sources = new Map();
let paused = false;
const open = new Set();

export const clock = (milliseconds) => new Date(milliseconds).toLocaleTimeString(locale(), DIGITS);
export const isPaused = () => paused;

// Where WeChat documents the endpoints that have its shapes here.
export function documented(shapes) {
  sources = new Map(shapes.map(({ path, source }) => [path, source]));
}

function isBad(entry) {
  return entry.errcode !== 0 || entry.status !== 200;
}

function answered(entry) {
  if (entry.status === null) return [text("pending"), "waiting"];
  if (entry.errcode !== 0) return [String(entry.errcode), "bad"];
  return entry.status === 200 ? [text("ok"), "good"] : [`HTTP ${entry.status}`, "bad"];
}

function took(entry) {
  if (entry.took_us === null) return "";
  const digits = entry.took_us < 10000 ? 1 : 0;
  return (entry.took_us / 1000).toLocaleString(locale(), { maximumFractionDigits: digits });
}

function details(entry) {
  const rows = [
    ["app", entry.appid ?? "", ""],
    ["credential", masks.credential(entry.access_token), "code"],
    ["query", masks.query(entry.query), "code"],
    ["headers", entry.headers.map(([name, value]) => `${name}: ${masks.header(name, value)}`).join("\n"), "code"],
    ["body", entry.body_length > 0 ? text("bytes")(entry.body_length.toLocaleString(locale())) : "", ""],
    ["digest", entry.body_sha256 !== null && entry.body_length > 0 ? entry.body_sha256 : "", "code"],
    ["peer", entry.peer, "code"],
    ["number", String(entry.seq), ""],
  ];
  if (entry.generic) rows.push(["shape", text("genericTitle"), ""]);
  if (entry.unlisted) rows.push(["shape", text("unlistedTitle"), ""]);
  return rows.filter(([, value]) => value !== "");
}

function showDetails(list, entry) {
  list.replaceChildren();
  for (const [name, value, classes] of details(entry)) list.append(element("dt", "", text(name)), element("dd", classes, value));
  const source = sources.get(entry.path);
  if (source === undefined || entry.generic || entry.unlisted) return;
  const link = element("a", "", source);
  for (const [name, value] of [["href", source], ["target", "_blank"], ["rel", "noreferrer"]]) attribute(link, name, value);
  const cell = element("dd");
  cell.append(link);
  list.append(element("dt", "", text("documentedAt")), cell);
}

function update(node, entry) {
  const [answer, kind] = answered(entry);
  const part = (name) => find(`.row .${name}`, node);
  set(part("time"), clock(entry.time_ms));
  set(part("method"), entry.method);
  set(part("name"), entry.path);
  set(part("app"), entry.appid ?? "");
  set(part("credential"), masks.credential(entry.access_token));
  set(part("answer"), answer);
  style(part("answer"), `answer ${kind}`);
  set(part("took"), took(entry));
  for (const mark of ["generic", "unlisted"]) {
    show(part(mark), entry[mark]);
    set(part(mark), text(mark));
    attribute(part(mark), "title", text(`${mark}Title`));
  }
  const isOpen = open.has(entry.seq);
  style(node, isOpen ? "open" : "");
  attribute(find(".row", node), "aria-expanded", String(isOpen));
  const list = find(".details", node);
  // A rewritten text would lose the reader's selection.
  const version = isOpen ? `${locale()} ${entry.status} ${entry.body_length}` : "";
  if (list.dataset.version !== version) {
    list.dataset.version = version;
    if (isOpen) showDetails(list, entry);
  }
  show(list, isOpen);
}

function create(entry) {
  const node = fromTemplate("request");
  find(".row", node).addEventListener("click", () => {
    if (!open.delete(entry.seq)) open.add(entry.seq);
    render();
  });
  return node;
}

function matches(entry, wanted) {
  const [answer] = answered(entry);
  return [entry.path, entry.method, entry.appid ?? "", answer, entry.generic ? text("generic") : "", entry.unlisted ? text("unlisted") : ""]
    .some((field) => field.toLowerCase().includes(wanted));
}

export function render(entries = null) {
  if (entries !== null && !paused) latest = entries;
  const wanted = find("#filter").value.trim().toLowerCase();
  const failedOnly = find("#failed").checked;
  const shown = latest.filter((entry) => (!failedOnly || isBad(entry)) && matches(entry, wanted)).reverse();
  keyed(find("#journal ol"), shown, (entry) => entry.seq, create, update);
  set(find("#shown"), text("shown")(shown.length, latest.length));
  const isEmpty = latest.length === 0;
  show(find("#none"), shown.length === 0);
  show(find("#journal .head"), shown.length > 0);
  set(find("#none p"), text(isEmpty ? "noRequests" : "noMatch"));
  const call = `curl -G ${location.origin}/cgi-bin/token \\\n  -d grant_type=client_credential \\\n  -d appid=APPID -d secret=SECRET`;
  line(find("#none pre"), isEmpty ? call : null);
  set(find("#pause"), text(paused ? "resume" : "pause"));
  attribute(find("#pause"), "aria-pressed", String(paused));
}

export function start(onChange) {
  find("#filter").addEventListener("input", () => render());
  find("#failed").addEventListener("change", () => render());
  find("#pause").addEventListener("click", () => {
    paused = !paused;
    render();
    onChange();
  });
}
