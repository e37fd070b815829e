// WeChat's error codes of today, with what they mean.

import { find, set, show, keyed, cells, element, attribute } from "./dom.js";
import { number } from "./format.js";
import { isChinese, text } from "./texts.js";

function isWebPage(link) {
  return link !== null && URL.canParse(link) && new URL(link).protocol === "https:";
}

export function render(rows) {
  show(find("#errors"), rows.length > 0);
  const create = () => {
    const row = cells("number code", "meaning", "places faint", "number");
    const link = element("a");
    link.rel = "noreferrer noopener";
    link.target = "_blank";
    row.children[1].append(element("span"), " ", link);
    return row;
  };
  keyed(find("#errors tbody"), rows, (row) => row.errcode, create, (node, row) => {
    const [code, meaning, places, count] = node.children;
    set(code, row.errcode);
    set(find("span", meaning), (isChinese() ? row.meaning_zh : null) ?? row.meaning ?? text("unknownCode"));
    const link = find("a", meaning);
    show(link, isWebPage(row.document));
    if (!link.hidden) {
      attribute(link, "href", row.document);
      set(link, text("documented"));
    }
    const names = row.places.map((place) => `${place.app} ${place.endpoint}`);
    set(places, names.concat(row.more > 0 ? text("andMore")(number(row.more)) : []).join(", "));
    set(count, number(row.count));
  });
}
