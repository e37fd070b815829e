// Puts the page together: each part shows its share of a snapshot.

import * as actions from "./actions.js";
import * as apps from "./apps.js";
import * as callers from "./callers.js";
import { find, line, set, show, style } from "./dom.js";
import * as errors from "./errors.js";
import * as events from "./events.js";
import { moment } from "./format.js";
import * as overview from "./overview.js";
import * as quota from "./quota.js";
import { cleaned, held, hold, problemOf } from "./session.js";
import { listen } from "./stream.js";
import * as texts from "./texts.js";
import * as theme from "./theme.js";
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
  overview.render(snapshot);
  quota.renderWarnings(snapshot.quota.warnings);
  traffic.render(status.apps);
  apps.render(status.apps, snapshot.quota.apps, { endsIn: snapshot.quota.day_ends_in_seconds, changeable });
  errors.render(snapshot.errors);
  callers.render(status.callers, activity.callers);
  events.render(activity.events);
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

function reworded() {
  theme.label();
  render();
  traffic.redraw();
  // Remedies and the like come in the language that is asked for.
  again();
}

texts.start(reworded);
theme.start(traffic.redraw);
apps.start({ onFilter: render, onAction: act });
actions.start();
traffic.start(() => snapshot !== null && lostAt === null);
texts.speak();
theme.label();
render();
