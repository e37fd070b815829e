// WeChat's error codes of today, with what they mean.

import { find, set, show, keyed, cells, element, attribute } from "./dom.js";
import { number } from "./format.js";
import { route } from "./routes.js";
import { isChinese, text } from "./texts.js";

function isWebPage(link) {
  return link !== null && URL.canParse(link) && new URL(link).protocol === "https:";
}

// Of one app, those of which it is among the places that are named.
export function render(all) {
  const { view, app } = route();
  const rows = all.filter((row) => app === null || row.places.some((place) => place.app === app));
  show(find("#errors"), rows.length > 0 && ["overview", "app"].includes(view));
  const create = () => {
    const row = cells("number code", "meaning", "places faint", "number");
    const link = element("a");
    link.rel = "noreferrer noopener";
    link.target = "_blank";
    row.children[1].append(element("span"), " ", link);
    return row;
  };
  keyed(find("#errors tbody"), rows, (row) => row.errcode, create, (node, row) => {
    const [code, meaning, where, count] = node.children;
    set(code, row.errcode);
    set(find("span", meaning), (isChinese() ? row.meaning_zh : null) ?? row.meaning ?? text("unknownCode"));
    const link = find("a", meaning);
    show(link, isWebPage(row.document));
    if (!link.hidden) {
      attribute(link, "href", row.document);
      set(link, text("documented"));
    }
    const places = row.places.filter((place) => app === null || place.app === app);
    const names = places.map((place) => (app === null ? `${place.app} ${place.endpoint}` : place.endpoint));
    set(where, names.concat(app === null && row.more > 0 ? text("andMore")(number(row.more)) : []).join(", "));
    set(count, number(app === null ? row.count : places.reduce((sum, place) => sum + place.count, 0)));
  });
}
