//! Recent events of tokens, for people.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::broadcast;

use crate::observe::clock::Timestamp;
use crate::token::auth_code::LostAuthorization;
use crate::token::life::{Failure, Outcome, Reason};

const REMEMBERED: usize = 100;

/// Something that happened to an app's token.
#[derive(Clone, Debug)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// The app's name.
    pub app: Arc<str>,
    /// Which of its credentials.
    pub credential: &'static str,
    /// What.
    pub what: Happened,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Happened {
    /// A fetch is over.
    Refreshed {
        /// Why it was made.
        reason: Reason,
        /// How it ended.
        outcome: Outcome,
        /// On which endpoint WeChat rejected the token before, if it did.
        endpoint: Option<&'static str>,
        /// From the rejection, or the begin of the fetch.
        took: Duration,
        /// Of the token held now.
        generation: Option<u64>,
        /// Why none came, and whether it passes by itself.
        failure: Option<Failure>,
    },
    /// Another party fetches with the app's secret.
    Interference {
        /// Of the token that this invalidated.
        generation: u64,
    },
    /// A company authorised a suite, and its permanent code was lost.
    AuthorizationLost(LostAuthorization),
}

/// The latest events of all apps. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Events {
    latest: Arc<Mutex<VecDeque<Event>>>,
    told: broadcast::Sender<Event>,
}

impl Default for Events {
    fn default() -> Self {
        Self { latest: Arc::default(), told: broadcast::channel(REMEMBERED).0 }
    }
}

impl Events {
    pub(crate) fn add(&self, event: Event) {
        let mut latest = self.latest();
        // A failure that repeats itself would push all else out.
        if let Some(last) = latest.iter_mut().rev().find(|last| last.app == event.app)
            && last.credential == event.credential
            && last.repeats(&event)
        {
            *last = event.clone();
        } else {
            latest.push_back(event.clone());
        }
        if latest.len() > REMEMBERED {
            latest.pop_front();
        }
        drop(latest);
        // There may be no listener.
        let _ = self.told.send(event);
    }

    pub(crate) fn listen(&self) -> broadcast::Receiver<Event> {
        self.told.subscribe()
    }

    /// The latest first.
    pub(crate) fn all(&self) -> Vec<Event> {
        let mut all: Vec<_> = self.latest().iter().cloned().collect();
        all.sort_by_key(|event| std::cmp::Reverse(event.at));
        all
    }

    fn latest(&self) -> MutexGuard<'_, VecDeque<Event>> {
        self.latest.lock()
    }
}

impl Event {
    fn repeats(&self, other: &Self) -> bool {
        let failed = |event: &Self| match &event.what {
            Happened::Refreshed { outcome, failure: Some(failure), .. } if *outcome != Outcome::Replaced => {
                Some(failure.message.clone())
            }
            Happened::Refreshed { .. } | Happened::Interference { .. } | Happened::AuthorizationLost(_) => {
                None
            }
        };
        failed(self).is_some() && failed(self) == failed(other)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Event, Events, Failure, Happened, Outcome, REMEMBERED, Reason};
    use crate::observe::clock::Timestamp;
    use crate::texts::Words;

    fn event(at: i64, app: &str, failure: Option<&str>) -> Event {
        let outcome = if failure.is_some() { Outcome::Failed } else { Outcome::Replaced };
        let failure = failure.map(|text| Failure::transient(Words::untranslated(text.to_owned())));
        let (reason, endpoint, took, generation) = (Reason::Ahead, None, Duration::ZERO, None);
        let what = Happened::Refreshed { reason, outcome, endpoint, took, generation, failure };
        Event { at: Timestamp(at), app: app.into(), credential: "access_token", what }
    }

    #[test]
    fn a_failure_that_repeats_itself_pushes_nothing_out() {
        let events = Events::default();
        events.add(event(1, "shop", None));
        for at in 2..1_000 {
            events.add(event(at, "shop", Some("no answer")));
            events.add(event(at, "mini", Some("another")));
        }
        events.add(event(1_000, "shop", Some("wrong secret")));
        let times: Vec<_> = events.all().iter().map(|event| (event.at.0, event.app.to_string())).collect();
        let told = |at, app: &str| (at, app.to_owned());
        assert_eq!(times, [told(1_000, "shop"), told(999, "shop"), told(999, "mini"), told(1, "shop")]);
    }

    #[test]
    fn only_the_latest_are_remembered() {
        let events = Events::default();
        (0..1_000).for_each(|at| events.add(event(at, "shop", None)));
        assert_eq!((events.all().len(), events.all()[0].at.0), (REMEMBERED, 999));
    }
}
