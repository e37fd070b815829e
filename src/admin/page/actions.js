// The actions: each asks first, says what it costs, and requires the admin token.

import { find, set, show, line, style, options, element } from "./dom.js";
import { number } from "./format.js";
import { ask, cleaned, held, hold, problemOf } from "./session.js";
import { text } from "./texts.js";

let current = null;

// The texts of a dialog, and the request that it sends.
function refresh(app) {
  return {
    title: text("refreshTitle")(app.name), what: text("refreshWhat"), button: text("refresh"), counters: [],
    budget: () => "", path: () => `api/v1/apps/${encodeURIComponent(app.name)}/refresh`,
  };
}

function force(app) {
  return {
    title: text("forceTitle")(app.name), what: text("forceWhat"), button: text("force"), counters: [],
    budget: () => text("forceBudget")(number(app.forces_left_today)),
    path: () => `api/v1/apps/${encodeURIComponent(app.name)}/refresh?force=true`,
  };
}

function clear(app, quota) {
  // Endpoints that wxgate does not know are counted together, and have no counter at WeChat.
  const paths = (quota?.endpoints ?? []).map((one) => one.endpoint).filter((path) => path.startsWith("/"));
  return {
    title: text("clearTitle")(app.name), what: text("clearWhat"), button: text("clear"),
    counters: [["", text("allCounters")], ...paths.map((path) => [path, path])],
    budget: (endpoint) => (endpoint === ""
      ? text("clearBudget")(number(quota?.clears_this_month ?? 0))
      : text("singleBudget")(number(quota?.single_clears_this_month ?? 0))),
    path: (endpoint) => {
      const query = new URLSearchParams({ confirm: app.name, ...(endpoint === "" ? {} : { endpoint }) });
      return `api/v1/apps/${encodeURIComponent(app.name)}/clear-quota?${query}`;
    },
  };
}

const ACTIONS = { refresh, force, clear };

function told(result, message, bad) {
  line(result, message);
  style(result, bad ? "result bad" : "result good");
}

// Posts with `token`; keeps it for the session once the server accepted it. Returns the response, or
// shows the problem.
async function post(path, token, result) {
  let response;
  try {
    response = await ask(path, { method: "POST", token });
  } catch {
    told(result, text("noAnswer"), true);
    return null;
  }
  if (response.status === 401) {
    hold(null);
    told(result, text("wrongToken"), true);
    return null;
  }
  if (response.ok || response.status !== 403) hold(token);
  if (!response.ok) {
    told(result, response.status === 403 && token === "" ? text("noTokenConfigured") : await problemOf(response), true);
    return null;
  }
  return response.json();
}

const needsToken = (dialog) => show(find(".secret", dialog), held() === null);

export function open(name, app, quota) {
  openDialog(ACTIONS[name](app, quota));
}

function openDialog(action) {
  const dialog = find("#action");
  current = action;
  set(find("h2", dialog), current.title);
  set(find(".what", dialog), current.what);
  show(find(".which", dialog), current.counters.length > 0);
  const select = find("select", dialog);
  options(select, current.counters);
  select.selectedIndex = 0;
  line(find(".budget", dialog), current.budget(""));
  find("input", dialog).value = "";
  needsToken(dialog);
  line(find(".result", dialog), null);
  const confirm = find(".primary", dialog);
  set(confirm, current.button);
  show(confirm, true);
  confirm.disabled = false;
  set(find(".cancel", dialog), text("cancel"));
  dialog.showModal();
}

async function confirmed(event) {
  event.preventDefault();
  const dialog = find("#action");
  const [action, endpoint, confirm, result] = [current, find("select", dialog).value, find(".primary", dialog), find(".result", dialog)];
  if (confirm.disabled || confirm.hidden) return;
  confirm.disabled = true;
  const answer = await post(action.path(endpoint), held() ?? cleaned(find("input", dialog).value), result);
  confirm.disabled = false;
  if (action !== current) return;
  needsToken(dialog);
  if (answer === null) return;
  if (action.done !== undefined) {
    dialog.close();
    action.done(answer);
    return;
  }
  told(result, answer.message, answer.outcome === "failed" || answer.cleared === false);
  // Done once: a second click would do it again.
  show(confirm, false);
  set(find(".cancel", dialog), text("close"));
}

// What WeChat remembers, one line each. It is the caller's data and stays text.
function remembered(list, request) {
  const rows = Object.entries(request ?? {}).flatMap(([key, value]) => {
    const names = text("field");
    const name = element("dt", "", Object.hasOwn(names, key) ? names[key] : key);
    const shown = key === "invoke_time" && Number.isFinite(value) ? new Date(value * 1000).toISOString() : value;
    return [name, element("dd", "", typeof shown === "string" ? shown : JSON.stringify(shown))];
  });
  list.replaceChildren(...rows);
  show(list, rows.length > 0);
}

function found(answer) {
  const section = find("#rid");
  told(find(".result", section), answer.message, answer.request === null);
  remembered(find(".answer", section), answer.request);
}

// Costs nothing that is scarce, so the dialog only asks for the token.
async function lookUp(event) {
  event.preventDefault();
  const section = find("#rid");
  const { app, rid } = find("form", section).elements;
  const path = `api/v1/apps/${encodeURIComponent(app.value)}/rid?rid=${encodeURIComponent(rid.value.trim())}`;
  line(find(".result", section), null);
  remembered(find(".answer", section), null);
  if (held() === null) {
    openDialog({
      title: text("ridTitle"), what: text("ridNeeds"), button: text("lookUp"), counters: [], budget: () => "", path: () => path, done: found,
    });
    return;
  }
  const answer = await post(path, held(), find(".result", section));
  if (answer !== null) found(answer);
}

export function render(apps, changeable) {
  const form = find("#rid form");
  options(form.elements.app, apps.map((app) => [app.name, app.name]));
  const button = find("button", form);
  if (button.disabled === changeable) button.disabled = !changeable;
}

export function start() {
  const dialog = find("#action");
  find("form", dialog).addEventListener("submit", confirmed);
  find("select", dialog).addEventListener("change", (event) => line(find(".budget", dialog), current.budget(event.target.value)));
  for (const button of document.querySelectorAll("dialog .cancel")) {
    button.addEventListener("click", () => button.closest("dialog").close());
  }
  find("#rid form").addEventListener("submit", lookUp);
}
