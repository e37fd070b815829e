// Numbers, times and durations in the reader's language.

import { locale, text } from "./texts.js";

export function number(value) {
  return value.toLocaleString(locale(), { maximumFractionDigits: value < 10 ? 1 : 0 });
}

export function percent(part, whole) {
  return `${number(whole > 0 ? Math.round((100 * part) / whole) : 0)} %`;
}

export function milliseconds(value) {
  const digits = value < 10 ? 1 : 0;
  return `${value.toLocaleString(locale(), { maximumFractionDigits: digits })} ms`;
}

// The two largest units, or fewer.
export function duration(seconds, most = 2) {
  const parts = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60, Math.floor(seconds) % 60];
  const units = text("units");
  const first = parts.findIndex((part) => part > 0);
  if (first < 0) return `0${units[3]}`;
  const shown = parts.map((part, unit) => (part > 0 ? `${part}${units[unit]}` : "")).slice(first, first + most);
  return shown.filter((part) => part !== "").join(" ");
}

// Only the time for today, else with the date.
export function moment(at) {
  const time = new Date(at);
  const today = time.toDateString() === new Date().toDateString();
  const date = today ? {} : { month: "short", day: "numeric" };
  return time.toLocaleString(locale(), { ...date, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}

export function ago(at) {
  return text("ago")(duration(Math.max(0, (Date.now() - new Date(at)) / 1000), 1));
}

export function joined(parts) {
  return parts.filter((part) => part !== null && part !== undefined && part !== "").join(" · ");
}

// The reader's time zone, with how far it is from UTC.
export function zone() {
  const name = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const minutes = -new Date().getTimezoneOffset();
  const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
  const offset = minutes === 0 ? "UTC" : `UTC${minutes > 0 ? "+" : "−"}${hours}${rest === 0 ? "" : `:${String(rest).padStart(2, "0")}`}`;
  return name === undefined || name === "UTC" ? offset : `${name} (${offset})`;
}

// 99.99 is not 100.
export function success(value) {
  return value === null ? "–" : `${value.toLocaleString(locale(), { maximumFractionDigits: value >= 99 ? 2 : 1 })} %`;
}
