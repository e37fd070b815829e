// Before the first request: what to do next.

import { attribute, find, set, show, line } from "./dom.js";
import { route } from "./routes.js";
import { text } from "./texts.js";

const HTTP = "http:" + "//";
// It takes no parameters, changes nothing, and official accounts, mini programs and WeCom have it.
const PATH = "/cgi-bin/get_api_domain_ip";

const CONFIG = `[[app]]
name = "shop"
appid = "wx..."
secret = { env = "SHOP_SECRET" }`;

// Where callers reach the proxy, as seen from here.
function base(listeners) {
  const tcp = listeners.find((one) => !one.startsWith("unix:"));
  if (tcp === undefined) return null;
  const port = tcp.slice(tcp.lastIndexOf(":") + 1);
  const host = tcp.slice(0, tcp.lastIndexOf(":"));
  return `${HTTP}${["0.0.0.0", "[::]"].includes(host) ? location.hostname : host}:${port}`;
}

function request(status) {
  const url = base(status.listeners);
  const caller = status.callers.find((one) => one.name !== "anonymous");
  const key = caller === undefined ? "" : " -H 'X-Wxgate-Key: KEY'";
  const [app] = status.apps;
  // Where there are several, a request says which it means.
  const path = (status.apps.length > 1 ? `/@${app.name}` : "") + PATH;
  const socket = url === null ? ` --unix-socket ${status.listeners[0]?.slice(5) ?? ""}` : "";
  return { command: `curl${socket}${key} '${url ?? `${HTTP}localhost`}${path}'`, caller: caller?.name ?? null, url };
}

export function render({ status, calls_today }, isQuiet) {
  const visible = route().view === "overview" && calls_today === 0 && isQuiet && status.listeners.length > 0;
  const section = find("#first");
  show(section, visible);
  // Nothing but zeros would be below it.
  attribute(find("#content"), "data-quiet", String(visible));
  if (!visible) return;
  const none = status.apps.length === 0;
  set(find("h2", section), text(none ? "firstApps" : "firstTitle"));
  set(find(".step", section), text(none ? "firstConfig" : "firstStep"));
  const { command, caller, url } = none ? { command: CONFIG, caller: null, url: null } : request(status);
  set(find("pre", section), command);
  line(find(".key", section), caller === null ? null : text("firstKey")(caller));
  show(find(".base", section), url !== null);
  set(find(".base span", section), text("firstBase"));
  set(find(".base code", section), url ?? "");
}

export function start() {
  const button = find("#first button");
  button.addEventListener("click", async () => {
    const shown = find("#first pre");
    // A page that came over plain HTTP from elsewhere may not write to the clipboard.
    const done = await navigator.clipboard?.writeText(shown.textContent).then(() => true, () => false);
    if (done !== true) {
      getSelection().selectAllChildren(shown);
      return;
    }
    set(button, text("copied"));
    setTimeout(() => set(button, text("copy")), 2000);
  });
}
