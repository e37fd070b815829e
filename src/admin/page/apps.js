// The apps: which are shown, in which order and how, and each one's card.

import { find, set, show, line, style, attribute, keyed, element, fromTemplate, translate } from "./dom.js";
import { ago, duration, joined, moment, number } from "./format.js";
import * as apptable from "./apptable.js";
import * as quota from "./quota.js";
import { route, toApp } from "./routes.js";
import { text, word } from "./texts.js";

// As cards, if there are no more; else as a table.
const MOST_CARDS = 4;
// Of the table, on the overview.
const MOST_ROWS = 8;
// More are set closely, so that forty are seen at once.
const MOST_ROOMY = 20;
const HEALTHY = 4;

let wanted = "";

function trouble(app, spent) {
  if (app.state === "unavailable") return 0;
  if (app.state === "starting") return 1;
  const levels = (spent?.endpoints ?? []).map(quota.level);
  const failing = app.credentials.some((one) => one.state === "unavailable") || app.exports.some((one) => one.problem !== null)
    || (app.lost_authorizations ?? []).length > 0;
  if (levels.includes("bad") || app.interference > 0 || failing) return 2;
  return levels.includes("waiting") ? 3 : HEALTHY;
}

function matches(app) {
  const words = [app.name, app.appid, app.kind, word(app.kind), app.state, word(app.state)];
  return words.some((one) => one.toLowerCase().includes(wanted));
}

const seconds = (value) => (value === null ? "–" : duration(value));

function renderFailure(card, app) {
  const failure = app.last_failure;
  const box = find(".failure", card);
  show(box, failure !== null);
  if (failure === null) return;
  const past = app.state === "ready";
  style(box, past ? "failure past" : "failure");
  const title = [past ? text("earlierProblem") : text("lastProblem"), failure.errcode, moment(failure.at), failure.permanent ? text("permanent") : null];
  set(find("h4", box), joined(title));
  set(find(".message", box), failure.message);
  line(find(".remedy", box), failure.remedy);
}

// An app's credentials other than its token.
function beside(app) {
  const acting = app.authorizers === null
    ? []
    : [{ text: text("acting")(app.authorizers.in_use, app.authorizers.failing), bad: app.authorizers.failing > 0 }];
  const lost = (app.lost_authorizations ?? []).map((one) => ({
    text: text("lostAuthorization")(one.corporation ?? text("someCompany"), one.suite, moment(one.authorized_at), one.message) + ` → ${one.remedy}`,
    bad: true,
  }));
  return acting.concat(lost, app.credentials.map((credential) => {
    const ready = credential.state === "ready";
    const failure = ready ? null : credential.last_failure;
    const rest = ready && credential.expires_in_seconds !== null ? duration(credential.expires_in_seconds) : null;
    const parts = [credential.kind, word(credential.state), rest, failure?.errcode, failure?.message];
    return { text: joined(parts) + (failure?.remedy ? ` → ${failure.remedy}` : ""), bad: credential.state === "unavailable" };
  }));
}

function exported(target) {
  const said = text("exported")(target.to, target.generation)
    + (target.overwritten > 0 ? text("overwritten")(target.overwritten) : "")
    + (target.problem !== null ? ` · ${target.problem}` : "");
  return { text: said, bad: target.problem !== null || target.overwritten > 0 };
}

function renderLines(list, lines) {
  show(list, lines.length > 0);
  const numbered = lines.map((one, at) => ({ ...one, at }));
  keyed(list, numbered, (one) => one.at, () => element("li"), (item, one) => {
    set(item, one.text);
    style(item, one.bad ? "bad" : "");
  });
}

function renderCard(card, { app, spent }, { endsIn, changeable }) {
  const put = (selector, value) => set(find(selector, card), value);
  put(".name a", app.name);
  put(".state", word(app.state));
  style(find(".state", card), `state ${app.state}`);
  put(".account", joined([app.appid, word(app.kind), app.token_mode === null ? null : word(app.token_mode)]));
  put(".age", seconds(app.token?.age_seconds ?? null));
  put(".expires", seconds(app.token?.expires_in_seconds ?? null));
  put(".next", seconds(app.next_refresh_in_seconds));
  put(".generation", app.token === null ? "–" : number(app.token.generation));
  const last = app.last_refresh;
  const told = last === null ? null : text("lastRefresh")(ago(last.at), word(last.reason, "reason"), word(last.outcome, "outcome"));
  put(".last", joined([told, text("forcesLeft")(number(app.forces_left_today))]));
  renderFailure(card, app);
  line(find(".interference", card), app.interference > 0 ? text("interference")(number(app.interference)) : null);
  quota.renderApp(card, spent, endsIn);
  renderLines(find(".beside", card), beside(app));
  renderLines(find(".exports", card), app.exports.map(exported));
  for (const button of card.querySelectorAll(".change")) {
    if (button.disabled === changeable) button.disabled = !changeable;
    attribute(button, "title", changeable ? "" : text("locked"));
  }
}

export function render(apps, spending, recent, context) {
  const { view, app: one } = route();
  const [spent, figures] = [new Map(spending.map((of) => [of.app, of])), new Map(recent.map((of) => [of.app, of]))];
  const isListed = (app) => (one === null ? view !== "apps" || matches(app) : app.name === one);
  const rows = apps.filter(isListed).map((app) => {
    const of = spent.get(app.name);
    return { app, spent: of, figures: figures.get(app.name), rank: trouble(app, of) };
  });
  // Sorting is stable: equal apps stay in the configuration's order, and nothing moves because a
  // number grew.
  rows.sort((a, b) => a.rank - b.rank);
  const areCards = one !== null || (view === "overview" && apps.length <= MOST_CARDS);
  const create = ({ app }) => {
    const card = fromTemplate("card");
    card.dataset.app = app.name;
    find(".name a", card).href = toApp(app.name);
    translate(card, text);
    return card;
  };
  keyed(find("#apps"), areCards ? rows : [], ({ app }) => app.name, create, (card, row) => renderCard(card, row, context));
  apptable.render(areCards ? [] : rows, view === "overview" ? MOST_ROWS : undefined);
  show(find("#filter"), view === "apps");
  style(find("#apps-section"), view === "apps" && rows.length > MOST_ROOMY ? "compact" : "");
  set(find("#apps-title"), one ?? text("apps"));
  set(find("#apps-count"), one === null ? text("appsShown")(rows.length, apps.length) : "");
  line(find("#no-apps"), rows.length > 0 ? null : one !== null ? text("noSuchApp")(one) : text(apps.length === 0 ? "noApps" : "noneMatches"));
  attribute(find("#content"), "data-missing", String(one !== null && rows.length === 0));
  const all = find("#all-apps");
  show(all, one !== null || (view === "overview" && !areCards && rows.length > MOST_ROWS));
  set(all, text("everyApp")(number(apps.length)));
  line(find("#locked"), context.changeable || !areCards ? null : text("locked"));
}

// Calls `onFilter` when the filter changes, `onAction(name, app)` for a card's button.
export function start({ onFilter, onAction }) {
  const filter = find("#filter");
  filter.addEventListener("input", () => {
    wanted = filter.value.trim().toLowerCase();
    onFilter();
  });
  find("#apps").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button === null) return;
    const action = ["all", "refresh", "force", "clear"].find((name) => button.classList.contains(name));
    onAction(action, button.closest("article").dataset.app);
  });
}
