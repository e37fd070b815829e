//! Which of what happens is worth a notice, and that of several replicas one gives it.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::admin::{Refused, Reloads};
use crate::alert::{Alerts, Notice, Topic};
use crate::observe::clock::{Clock, Timestamp};
use crate::quota::{Quota, Warning, WarningKind};
use crate::store::Store;
use crate::texts::{Language, Words, words};
use crate::token::{Event, Happened, Manager, Outcome, State};

/// The same trouble of an app is told once in this time.
pub(super) const QUIET: Duration = Duration::from_secs(3600);
/// What such a note says.
pub(super) const TOLD: &[u8] = b"told";
/// How often it is looked at whether requests can be served: a token dies without a fetch that
/// would tell.
const LOOK: Duration = Duration::from_secs(2);

/// Watches tokens and quotas, and tells people.
pub(in crate::app) struct AlertWatch {
    pub(in crate::app) alerts: Alerts,
    pub(in crate::app) manager: Manager,
    pub(in crate::app) store: Store,
    pub(in crate::app) clock: Clock,
}

impl AlertWatch {
    /// Runs until it is aborted.
    #[expect(clippy::disallowed_methods, reason = "the handle ends it at the drain")]
    pub(in crate::app) fn start(self, quota: &Quota, mut reloads: watch::Receiver<Reloads>) -> AbortHandle {
        let (mut events, mut warnings) = (self.manager.listen(), quota.warnings());
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut without = HashMap::new();
        tokio::spawn(async move {
            // Keepers began before; an event that is met twice is told once.
            for event in self.manager.events().into_iter().rev() {
                self.of_event(event).await;
            }
            loop {
                tokio::select! {
                    event = next(&mut events) => match event {
                        Some(event) => self.of_event(event).await,
                        None => return,
                    },
                    warning = next(&mut warnings) => match warning {
                        Some(warning) => self.alerts.tell(of_quota(warning)),
                        None => return,
                    },
                    Ok(()) = reloads.changed() => {
                        let Reloads { refused, files, .. } = reloads.borrow_and_update().clone();
                        if let Some(refused) = refused {
                            self.of_reload(refused).await;
                        }
                        for rejected in files.into_iter().filter_map(|file| file.rejected) {
                            self.of_file(rejected).await;
                        }
                    }
                    _ = looks.tick() => self.look(&mut without).await,
                }
            }
        })
        .abort_handle()
    }

    /// Tells of apps that have no usable token, and when they have one again. `without` are those
    /// that were told of here, or by another replica.
    async fn look(&self, without: &mut HashMap<Arc<str>, bool>) {
        let at = self.clock.now();
        for status in self.manager.statuses() {
            let app = Arc::clone(&status.name);
            match (status.state, &status.last_failure) {
                (State::Ready | State::Starting, _) if without.remove(&app) == Some(true) => {
                    self.alerts.tell(Notice {
                        at,
                        app: Some(app),
                        topic: Topic::Token,
                        kind: "token_recovered",
                        caller: None,
                        words: words!("the token is available again"),
                    });
                }
                (State::Ready | State::Starting, _) => {}
                (_, Some((_, failure))) if !without.contains_key(&app) => {
                    let first = self.first(&app, "token_unavailable", status.generation).await;
                    if first {
                        let words = words!("there is no usable token: {failure}", failure);
                        self.alerts.tell(trouble(at, &app, "token_unavailable", words));
                    }
                    without.insert(app, first);
                }
                _ => {}
            }
        }
    }

    async fn of_event(&self, event: Event) {
        let Event { at, app, what, .. } = event;
        match what {
            Happened::Refreshed { outcome: Outcome::Failed, failure: Some(failure), generation, .. } => {
                // By now there may be another one.
                let holds = self.manager.handle(&app).is_some_and(|handle| {
                    let status = handle.status();
                    still_holds(generation, status.state, status.generation)
                });
                if failure.permanent && holds && self.first(&app, "token_not_renewed", generation).await {
                    let words = words!(
                        "could not refresh the token; the current one is still valid: {failure}",
                        failure
                    );
                    self.alerts.tell(trouble(at, &app, "token_not_renewed", words));
                }
            }
            Happened::Refreshed { .. } => {}
            Happened::AuthorizationLost(lost) => {
                let which = u64::try_from(lost.authorized_at.0).ok();
                if self.first(&app, "authorization_lost", which).await {
                    let at_which = lost.authorized_at.beijing_time();
                    let (cause, remedy) = (lost.cause, lost.remedy);
                    let words = match lost.corporation {
                        Some(company) => words!(
                            "the authorisation of {company} of {at} is lost: {cause}; remedy: {remedy}",
                            company,
                            at = at_which,
                            cause,
                            remedy
                        ),
                        None => words!(
                            "the authorisation of a company of {at} is lost: {cause}; remedy: {remedy}",
                            at = at_which,
                            cause,
                            remedy
                        ),
                    };
                    self.alerts.tell(trouble(at, &app, "authorization_lost", words));
                }
            }
            Happened::Interference { .. } => {
                let hour = self.clock.now().0 / i64::try_from(QUIET.as_millis()).unwrap_or(i64::MAX);
                if self.first(&app, "interference", u64::try_from(hour).ok()).await {
                    self.alerts.tell(Notice {
                        at,
                        app: Some(app),
                        topic: Topic::Interference,
                        kind: "interference",
                        caller: None,
                        words: words!(
                            "another party fetches tokens with this app's secret, which invalidates wxgate's: find it, \
                             or reset the secret"
                        ),
                    });
                }
            }
        }
    }

    async fn of_file(&self, rejected: Refused) {
        if self.is_first_refusal("file_rejected", &rejected).await {
            let Refused { at, problem, more } = rejected;
            let words = match more {
                0 => words!(
                    "included file rejected; keeping its accounts; a restart would fail: {problem}",
                    problem
                ),
                more => words!(
                    "included file rejected; keeping its accounts; a restart would fail: {problem} (and {more} more)",
                    problem,
                    more
                ),
            };
            self.tell_of_configuration(at, "file_rejected", words);
        }
    }

    async fn of_reload(&self, refused: Refused) {
        if self.is_first_refusal("reload_refused", &refused).await {
            let Refused { at, problem, more } = refused;
            let words = match more {
                0 => words!(
                    "new configuration rejected; keeping the current one; a restart would fail: {problem}",
                    problem
                ),
                more => words!(
                    "new configuration rejected; keeping the current one; a restart would fail: {problem} (and \
                     {more} more)",
                    problem,
                    more
                ),
            };
            self.tell_of_configuration(at, "reload_refused", words);
        }
    }

    /// Replicas that read the same file refuse it for the same reason.
    async fn is_first_refusal(&self, what: &str, refused: &Refused) -> bool {
        let mut digest = DefaultHasher::new();
        refused.problem.to(Language::English).hash(&mut digest);
        self.first("", what, Some(digest.finish())).await
    }

    fn tell_of_configuration(&self, at: Timestamp, kind: &'static str, words: Words) {
        self.alerts.tell(Notice { at, app: None, topic: Topic::Configuration, kind, caller: None, words });
    }

    /// Whether no replica has told this about the app in the last hour; `which` tells one trouble
    /// from the next.
    async fn first(&self, app: &str, what: &str, which: Option<u64>) -> bool {
        is_first(&self.store, &note(app, what, which.unwrap_or(0)), QUIET).await
    }
}

/// Whether no replica has left this note yet, which holds so long. A store that is down doesn't
/// keep people from being told.
pub(super) async fn is_first(store: &Store, note: &str, holds: Duration) -> bool {
    store.replace_note(note, None, TOLD, holds).await.unwrap_or(true)
}

/// Whether the token that an app had when a fetch failed is still the one that serves requests.
fn still_holds(then: Option<u64>, state: State, now: Option<u64>) -> bool {
    state == State::Ready && then.is_some() && then == now
}

/// The name of the note that `what` of the app was told.
pub(super) fn note(app: &str, what: &str, which: u64) -> String {
    format!("alert:{app}:{what}:{which}")
}

async fn next<T: Clone>(from: &mut Receiver<T>) -> Option<T> {
    loop {
        match from.recv().await {
            Ok(value) => return Some(value),
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return None,
        }
    }
}

fn trouble(at: Timestamp, app: &Arc<str>, kind: &'static str, words: Words) -> Notice {
    Notice { at, app: Some(Arc::clone(app)), topic: Topic::Token, kind, caller: None, words }
}

fn of_quota(warning: Warning) -> Notice {
    let Warning { at, app, kind, message, blame, .. } = warning;
    let words = match (&blame.caller, blame.around) {
        (Some((name, percent)), _) => {
            words!("{said}; most calls are from {name} ({percent}%)", said = message, name, percent)
        }
        (None, around) if around > 0 && kind != WarningKind::Around => {
            words!("{said}; {around} calls bypassed wxgate", said = message, around)
        }
        (None, _) => message,
    };
    Notice {
        at,
        app: Some(app),
        topic: if kind == WarningKind::Around { Topic::Interference } else { Topic::Quota },
        kind: kind.as_str(),
        caller: blame.caller,
        words,
    }
}

#[cfg(test)]
mod tests {
    use super::{State, still_holds};

    #[test]
    fn a_failure_that_is_heard_of_late_concerns_no_later_token() {
        assert!(still_holds(Some(1), State::Ready, Some(1)));
        assert!(!still_holds(None, State::Ready, Some(1)), "there was none, and now there is one");
        assert!(!still_holds(Some(1), State::Ready, Some(2)), "another came after it");
        assert!(!still_holds(None, State::Starting, None));
    }
}
