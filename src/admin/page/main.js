// Puts the page together: each part shows its share of a snapshot.

import * as actions from "./actions.js";
import * as apps from "./apps.js";
import * as audit from "./audit.js";
import * as callers from "./callers.js";
import { find, line, set, show, style } from "./dom.js";
import * as errors from "./errors.js";
import * as events from "./events.js";
import * as explain from "./explain.js";
import * as first from "./first.js";
import { moment } from "./format.js";
import * as health from "./health.js";
import * as quota from "./quota.js";
import * as ranges from "./ranges.js";
import * as refusals from "./refusals.js";
import * as routes from "./routes.js";
import { cleaned, held, hold, problemOf } from "./session.js";
import { listen } from "./stream.js";
import * as texts from "./texts.js";
import * as theme from "./theme.js";
import * as tiles from "./tiles.js";
import * as traffic from "./traffic.js";

let snapshot = null;
// When the connection was lost; null while it is open.
let lostAt = null;

function render() {
  show(find("#live"), find("#login").hidden);
  style(find("#live"), lostAt !== null ? "lost" : snapshot === null ? "" : "live");
  set(find("#live span"), lostAt !== null ? texts.text("notLive")(moment(lostAt)) : texts.text(snapshot === null ? "connecting" : "live"));
  show(find("#content"), snapshot !== null);
  if (snapshot === null) return;
  const { status, activity, changeable } = snapshot;
  ranges.render(status);
  health.render(status);
  first.render(snapshot, activity.callers.length === 0);
  quota.renderWarnings(snapshot.quota.warnings);
  if (isKnown()) {
    tiles.render(snapshot);
    traffic.render(status.apps);
    refusals.render();
  }
  apps.render(status.apps, snapshot.quota.apps, snapshot.recent, { endsIn: snapshot.quota.day_ends_in_seconds, changeable });
  errors.render(snapshot.errors);
  callers.render(status.callers, activity.callers);
  events.render(activity.events);
  audit.render();
  explain.render(status.callers);
  actions.render(status.apps, changeable);
}

const again = listen({
  onSnapshot(latest) {
    snapshot = latest;
    lostAt = null;
    show(find("#login"), false);
    line(find("#notice"), null);
    render();
  },
  onLost(since) {
    lostAt = since;
    render();
  },
  async onDenied(response) {
    if (response.status !== 401) {
      line(find("#notice"), response.status === 503 ? texts.text("tooMany") : texts.text("refusedBy")(await problemOf(response)));
      return;
    }
    // What was shown is not for readers without a token.
    line(find("#notice"), held() === null ? null : texts.text("wrongToken"));
    hold(null);
    snapshot = null;
    show(find("#login"), true);
    lostAt = null;
    render();
  },
});

find("#login").addEventListener("submit", (event) => {
  event.preventDefault();
  hold(cleaned(find("#token").value));
  find("#token").value = "";
  again();
});

function act(name, app) {
  if (name === "all") {
    quota.openAll(app);
    return;
  }
  const shown = snapshot.status.apps.find((one) => one.name === app);
  if (shown !== undefined) actions.open(name, shown, snapshot.quota.apps.find((one) => one.app === app));
}

// Of an app that is not there, nothing is asked.
const isKnown = () => routes.route().app === null || snapshot.status.apps.some((app) => app.name === routes.route().app);
const isLive = () => snapshot !== null && lostAt === null && isKnown();

function reworded() {
  theme.label();
  render();
  traffic.redraw();
  // Reasons and remedies come in the language that is asked for.
  again();
  for (const part of [refusals, explain]) part.refresh();
}

texts.start(reworded);
theme.start(traffic.redraw);
ranges.start(render);
apps.start({ onFilter: render, onAction: act });
actions.start();
tiles.start({ isLive, onChange: () => isLive() && tiles.render(snapshot) });
traffic.start(isLive);
refusals.start({ isLive, onChange: refusals.render });
audit.start(isLive);
explain.start();
first.start();
routes.start(() => {
  render();
  for (const part of [audit, explain]) part.refresh();
});
texts.speak();
theme.label();
render();
