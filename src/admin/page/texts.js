// What the page says, in English and Chinese.

import { chinese } from "./chinese.js";
import { find, set, attribute, translate } from "./dom.js";
import { english } from "./english.js";

const STORED = "wxgate-language";

const LANGUAGES = { en: english, zh: chinese };

let language = localStorage.getItem(STORED);
if (language === null || !Object.hasOwn(LANGUAGES, language)) {
  language = navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
}

export const isChinese = () => language === "zh";
export const locale = () => (isChinese() ? "zh-CN" : "en-GB");
export const text = (key) => LANGUAGES[language][key];

// A word of the API in the page's language; one that the page doesn't know stays as it is.
export function word(name, key) {
  const words = key === undefined ? LANGUAGES[language] : text(key);
  return Object.hasOwn(words, name) && typeof words[name] === "string" ? words[name] : name;
}

export function speak() {
  attribute(document.documentElement, "lang", isChinese() ? "zh-CN" : "en");
  set(find("#language"), text("other"));
  translate(document, text);
}

export function start(onChange) {
  find("#language").addEventListener("click", () => {
    language = isChinese() ? "en" : "zh";
    localStorage.setItem(STORED, language);
    speak();
    onChange();
  });
}
