// Light or dark: what the system says, or what the reader chose.

import { find, set, attribute } from "./dom.js";
import { text } from "./texts.js";

const STORED = "wxgate-theme";
const NEXT = { auto: "light", light: "dark", dark: "auto" };

let theme = localStorage.getItem(STORED) ?? "auto";
if (!Object.hasOwn(NEXT, theme)) theme = "auto";
attribute(document.documentElement, "data-theme", theme);

export function label() {
  set(find("#theme"), text("themes")[theme]);
  const whole = `${text("theme")}: ${text("themes")[theme]}`;
  for (const name of ["aria-label", "title"]) attribute(find("#theme"), name, whole);
}

export function start(onChange) {
  find("#theme").addEventListener("click", () => {
    theme = NEXT[theme];
    localStorage.setItem(STORED, theme);
    attribute(document.documentElement, "data-theme", theme);
    label();
    onChange();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", onChange);
}
