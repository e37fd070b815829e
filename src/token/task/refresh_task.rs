//! The refresh task, and what each of its parts needs: the time, the configuration, publishing,
//! remembering a failure.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use super::lease::OthersLease;
use crate::observe::clock::{Clock, Timestamp};
use crate::store::{Saved, Store, StoreError};
use crate::texts::text;
use crate::token::credential::Credential;
use crate::token::grant::Grant;
use crate::token::handle::{Configured, Shared, TaskMessage};
use crate::token::life::{Due, Failure, Life, Moment, Token};
use crate::token::status::{Event, Events, Happened};
use crate::upstream::control::Control;

/// What refresh tasks work with.
#[derive(Clone, Debug)]
pub(crate) struct Deps {
    pub store: Store,
    pub clock: Clock,
    /// Bounds the first fetches of a start with many apps.
    pub starts: Arc<Semaphore>,
    /// Bounds the accounts that are looked up at once.
    pub look_ups: Arc<Semaphore>,
    /// Events for people.
    pub events: Events,
    /// Off in the test that shows that its absence is detected.
    #[cfg(test)]
    pub looks_again: bool,
}

/// The only place that decides about a credential. Handles one message at a time.
pub(crate) struct RefreshTask {
    pub(super) shared: Arc<Shared>,
    pub(super) deps: Deps,
    /// Bounds what is fetched on demand of one app at once: thousands of accounts may be asked for
    /// in the same second.
    pub(super) turns: Arc<Semaphore>,
    pub(super) credential: Credential,
    /// Under which the store keeps it.
    pub(super) key: String,
    /// What WeChat handed over to fetch with.
    pub(super) grant: Grant,
    /// Makes this app's calls.
    pub(super) control: Control,
    pub(super) inbox: mpsc::UnboundedReceiver<TaskMessage>,
    pub(super) life: Life,
    /// Whether a first fetch was made, or none was needed.
    pub(super) started: bool,
    /// Unused since the last refresh, so the next one waits until a request asks for the token.
    pub(super) idle: bool,
    /// Identifies this task among those of all replicas. Even one process may have two tasks for
    /// the same credential while a reload replaces one by the other.
    pub(super) owner: String,
    /// Another task's lease.
    pub(super) others_lease: Option<OthersLease>,
    /// A save that the store hasn't confirmed yet.
    pub(super) late_save: Option<JoinHandle<Result<Saved, StoreError>>>,
    /// Work left after a fetch; only a stop waits for it.
    pub(super) finishing: JoinSet<()>,
    /// Endpoint and time of the rejection under investigation.
    pub(super) rejected: Option<(&'static str, Instant)>,
}

impl RefreshTask {
    pub(crate) fn new(
        shared: Arc<Shared>,
        inbox: mpsc::UnboundedReceiver<TaskMessage>,
        credential: Credential,
        control: Control,
        deps: Deps,
        turns: Arc<Semaphore>,
    ) -> Self {
        let key = credential.key(&shared.configured.load().app);
        let life = Life::new(credential.issuer, fastrand::Rng::new());
        Self {
            shared,
            deps,
            turns,
            credential,
            key,
            grant: Grant::default(),
            control,
            inbox,
            life,
            started: false,
            idle: false,
            owner: format!("{:032x}", fastrand::u128(..)),
            others_lease: None,
            late_save: None,
            finishing: JoinSet::new(),
            rejected: None,
        }
    }

    pub(super) fn now(&self) -> Moment {
        Moment { wall: self.deps.clock.now(), steady: Instant::now() }
    }

    pub(super) fn configured(&self) -> Arc<Configured> {
        self.shared.configured.load_full()
    }

    pub(crate) fn app_name(&self) -> Arc<str> {
        self.shared.app_name()
    }

    /// Waits for this task's turn, if it is one of many on demand.
    pub(super) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        if !self.shared.on_demand {
            return None;
        }
        Arc::clone(&self.turns).acquire_owned().await.ok()
    }

    /// The token held, if it is neither expired nor proven dead.
    pub(super) fn usable(&self) -> Option<Arc<Token>> {
        self.life.usable(self.now())
    }

    /// What is due next by itself, and how long until then.
    pub(super) fn due(&self, now: Moment) -> Option<(Due, Duration)> {
        (!self.idle).then(|| self.life.due(now))
    }

    /// Uses this token from now on.
    pub(super) fn hold(&mut self, token: Token, suspect: bool) {
        self.life.hold(token, suspect, self.now());
        self.started = true;
        self.others_lease = None;
        self.publish();
    }

    /// Shows requests, status and metrics what is held.
    pub(super) fn publish(&self) {
        let now = self.now();
        let view = self.life.view(now);
        // A store makes every reader reload the pointer, so it is done only when something changed.
        if view.differs(&self.shared.view.load()) {
            self.shared.view.store(Arc::new(view));
            self.shared.changes.send_replace(());
        }
        if let Some(taken_back) = self.grant.is_taken_back() {
            self.shared.set_taken_back(taken_back);
        }
        let mut stats = self.shared.stats();
        stats.failing = self.life.standing_failure().cloned();
        stats.dead = self.life.is_dead();
        stats.forces = self.life.forces();
        stats.next_refresh_at = self.due(now).map(|(_, left)| now.wall.plus(left));
    }

    /// Records a failure, and blocks fetches for a while.
    pub(super) fn fail(&mut self, failure: Failure) {
        let now = self.now();
        let app = self.app_name();
        let retry_in_ms = self.life.fail(failure.clone(), now).as_millis() as u64;
        if failure.permanent {
            tracing::error!(
                %app,
                retry_in_ms,
                "{}",
                text!("no token; circuit open, requests do not trigger a fetch: {failure}", failure)
            );
        } else {
            tracing::warn!(%app, retry_in_ms, "{}", text!("no token: {failure}", failure));
        }
        self.shared.stats().last_failure = Some((now.wall, failure));
    }

    /// Records an event for people.
    pub(super) fn happened(&self, at: Timestamp, what: Happened) {
        let (app, credential) = (self.app_name(), self.credential.issuer.credential());
        self.deps.events.add(Event { at, app, credential, what });
    }
}
