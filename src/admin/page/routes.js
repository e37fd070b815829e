// Which view is shown: `#/`, `#/apps`, `#/apps/NAME`, `#/refusals`, `#/explain?path=...`, `#/log`.

import { attribute, find, show } from "./dom.js";

const VIEWS = ["overview", "apps", "app", "refusals", "explain", "log"];

function read() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, of] = path.split("/");
  const asked = new URLSearchParams(query ?? "");
  if (name === "apps" && of !== undefined && of !== "") {
    let app = of;
    try {
      app = decodeURIComponent(of);
    } catch {
      // A name that was typed by hand.
    }
    return { view: "app", app, asked };
  }
  return { view: VIEWS.includes(name) && name !== "app" ? name : "overview", app: null, asked };
}

let current = read();

export const route = () => current;
export const toApp = (name) => `#/apps/${encodeURIComponent(name)}`;

export function toExplain({ method, path, caller }) {
  const asked = Object.entries({ method, path, caller }).filter(([, value]) => value !== null && value !== "");
  return `#/explain?${new URLSearchParams(asked)}`;
}

// Shows what belongs to the view.
function turn() {
  for (const part of document.querySelectorAll("[data-in]")) show(part, part.dataset.in.split(" ").includes(current.view));
  attribute(find("#content"), "data-view", current.view);
  const view = current.view === "app" ? "apps" : current.view;
  for (const link of document.querySelectorAll("#views a")) {
    if (link.dataset.view === view) attribute(link, "aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

// Calls `onTurn` when another view is shown.
export function start(onTurn) {
  turn();
  addEventListener("hashchange", () => {
    const before = current;
    current = read();
    turn();
    onTurn();
    if (before.view === current.view && before.app === current.app) return;
    scrollTo(0, 0);
    // Whoever listens to the page is told where they are now.
    find("main").focus({ preventScroll: true });
  });
  find("#skip").addEventListener("click", (event) => {
    event.preventDefault();
    find("main").focus();
  });
}
