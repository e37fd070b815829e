//! One fetch: the lease, another look at the store, the call, compare-and-set.

use std::sync::Arc;

use super::refresh_task::{Deps, RefreshTask};
use super::store_sync::LeaseResult;
use crate::observe::clock::Timestamp;
use crate::store::{Lease, next_generation};
use crate::texts::{Text, text, words};
use crate::token::fetch::{Fetch, FetchError, Issued};
use crate::token::handle::Configured;
use crate::token::life::{Failure, Moment, Outcome, Reason, Refresh, Token, Unavailable};
use crate::token::settings::Settings;
use crate::token::status::Happened;

/// The result of trying to get another token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Renewal {
    /// A different token is held now, fetched or taken from the store.
    New,
    /// WeChat gave the one held.
    Same,
    /// None came, or fetches are blocked; see [`Life::failure`](crate::token::life::Life::failure).
    Failed,
    /// The budget allows no force before `next_at`.
    Refused { next_at: Timestamp },
}

/// Whether backoff, circuit and ceilings count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limits {
    Kept,
    /// For an admin.
    Passed,
}

impl RefreshTask {
    /// A usable token, or why there is none. Fetches one unless something stands in the way.
    pub(super) async fn obtain(&mut self) -> Result<Arc<Token>, Unavailable> {
        if self.usable().is_none() && !self.life.is_blocked(self.now()) {
            self.recover(self.life.reason()).await;
        }
        self.usable().ok_or_else(|| self.life.unavailable(self.now()))
    }

    /// Tries to get a token that WeChat accepts.
    pub(super) async fn recover(&mut self, reason: Reason) -> Renewal {
        let renewal = self.renew(reason, Limits::Kept).await;
        if renewal == Renewal::Same && self.life.is_dead() {
            return self.force(Reason::Forced, Limits::Kept).await;
        }
        renewal
    }

    /// Fetches a token without force.
    pub(super) async fn renew(&mut self, reason: Reason, limits: Limits) -> Renewal {
        let now = self.now();
        if limits == Limits::Kept && (self.life.is_blocked(now) || self.life.meets_ceiling(now)) {
            return Renewal::Failed;
        }
        self.fetch_alone(reason, false).await
    }

    /// Makes WeChat replace the token, if the budget allows. Not barred by a backoff: the budget is
    /// slower.
    pub(super) async fn force(&mut self, reason: Reason, limits: Limits) -> Renewal {
        let dead = self.life.is_dead();
        if !self.credential.issuer.forces() {
            self.fail(Failure::transient(words!(
                "WeChat keeps handing out a token that it rejects, and can't be forced to replace it"
            )));
            return Renewal::Failed;
        }
        if limits == Limits::Kept && self.life.meets_ceiling(self.now()) {
            return Renewal::Failed;
        }
        let renewal = self.fetch_alone(reason, true).await;
        match renewal {
            Renewal::Refused { next_at } if dead => {
                let now = self.now();
                self.life.force_after(next_at.since(now.wall), now);
                self.fail(Failure::transient(words!(
                    "WeChat keeps handing out a token that it rejects, and no forced refresh is allowed yet"
                )));
            }
            Renewal::Same if dead => {
                self.fail(Failure::transient(words!(
                    "WeChat hands out a token that it rejects, even after a forced refresh"
                )));
            }
            _ => {}
        }
        renewal
    }

    async fn fetch_alone(&mut self, reason: Reason, force: bool) -> Renewal {
        self.started = true;
        let _turn = self.turn().await;
        let lease = match self.acquire_lease().await {
            LeaseResult::Granted(lease) => lease,
            LeaseResult::Adopted => return Renewal::New,
            LeaseResult::Busy => {
                self.fail(Failure::transient(words!("another replica has been fetching for too long")));
                return Renewal::Failed;
            }
        };
        let storeless = lease.is_none() && self.credential.issuer.rotates();
        if storeless && self.life.must_wait_for_store(self.now()) {
            return Renewal::Failed;
        }
        let renewal = self.fetch_leased(reason, force, lease.as_ref()).await;
        if storeless {
            self.life.fetched_without_store(self.now());
        }
        if lease.is_some() {
            self.life.store_is_back();
        }
        self.finish(lease);
        renewal
    }

    async fn fetch_leased(&mut self, reason: Reason, force: bool, lease: Option<&Lease>) -> Renewal {
        // The previous holder of the lease may have fetched already. An admin's force applies
        // regardless.
        let meant = force && reason == Reason::Admin;
        if self.looks_again() && self.adopt_newer().await && !meant {
            return Renewal::New;
        }
        if let Some(generation) = self.life.ended_by_others(self.now()) {
            self.report_interference(
                generation,
                text!("a classic token became invalid long before its end: another party fetches tokens with this app's secret"),
            );
        }
        self.learn_forces().await;
        if force && let Err(refused) = self.spend_force().await {
            return Renewal::Refused { next_at: refused.next_at };
        }
        let asked = self.now();
        let answer = self.call(force, lease).await;
        let took = asked.steady.elapsed();
        let (outcome, renewal) = match answer {
            Ok(issued) => self.accept(issued, force, asked).await,
            Err(error) => self.fetch_failed(error, force),
        };
        self.life.called(asked, outcome != Outcome::Replaced);
        let at = self.now().wall;
        self.shared.stats().refreshed(Refresh { at, reason, outcome, took });
        self.tell(Refresh { at, reason, outcome, took });
        if outcome == Outcome::Replaced {
            tracing::info!(
                app = %self.app_name(),
                reason = reason.as_str(),
                generation = self.life.newest(),
                took_ms = took.as_millis() as u64,
                "{}",
                text!("token replaced")
            );
        }
        // A replica that took the lease over meanwhile may have succeeded.
        if renewal == Renewal::Failed && !meant && self.adopt_newer_promptly().await {
            return Renewal::New;
        }
        renewal
    }

    /// Records the refresh as an event. There may be thousands of authorizers: of those only
    /// failures are recorded.
    fn tell(&self, refresh: Refresh) {
        let Refresh { at, reason, outcome, took } = refresh;
        if self.shared.on_demand && outcome == Outcome::Replaced {
            return;
        }
        let took = self.rejected.map_or(took, |(_, received_at)| received_at.elapsed());
        let endpoint = self.rejected.map(|(path, _)| path);
        let generation = self.life.token().map(|token| token.generation);
        let failure = (outcome == Outcome::Failed).then(|| self.life.failure());
        let what = Happened::Refreshed { reason, outcome, endpoint, took, generation, failure };
        self.happened(at, what);
    }

    fn report_interference(&self, generation: u64, what: Text<'_>) {
        // Without the store it may have been another replica.
        if self.deps.store.problem().is_some() {
            return;
        }
        self.shared.stats().interference += 1;
        self.happened(self.now().wall, Happened::Interference { generation });
        tracing::warn!(app = %self.app_name(), generation, "{what}");
    }

    #[cfg(not(test))]
    const fn looks_again(&self) -> bool {
        true
    }

    #[cfg(test)]
    fn looks_again(&self) -> bool {
        self.deps.looks_again
    }

    /// The call itself; the lease is kept alive meanwhile.
    async fn call(&mut self, force: bool, lease: Option<&Lease>) -> Result<Issued, FetchError> {
        let (configured, now) = (self.configured(), self.now().wall);
        let Configured { app, options } = Configured::clone(&configured);
        let settings = Settings { app, options, credential: self.credential.clone() };
        let Self { deps: Deps { store, .. }, control, grant, .. } = self;
        let store = &*store;
        let mut fetch = Fetch { control, store, settings: &settings, grant, now };
        let call = Box::pin(fetch.run(force));
        tokio::pin!(call);
        tokio::select! {
            answer = &mut call => answer,
            never = Self::keep(store, lease) => match never {},
        }
    }

    async fn accept(&mut self, issued: Issued, force: bool, asked: Moment) -> (Outcome, Renewal) {
        if self.life.token().is_some_and(|held| held.value.matches(&issued.value)) {
            if self.life.came_again(issued.lifetime, asked) {
                self.republish().await;
            }
            return (Outcome::Same, Renewal::Same);
        }
        if !force && let Some(generation) = self.life.replaced_by_others(asked) {
            self.report_interference(
                generation,
                text!("WeChat replaced a stable token long before its end: another party fetches tokens with this app's secret"),
            );
        }
        let token = Token {
            value: Arc::new(issued.value),
            generation: next_generation(self.life.newest()),
            fetched_at: asked.wall,
            expires_at: asked.wall.plus(issued.lifetime),
        };
        let (token, in_doubt) = self.save(token).await;
        self.hold(token, in_doubt);
        (Outcome::Replaced, Renewal::New)
    }

    fn fetch_failed(&mut self, error: FetchError, force: bool) -> (Outcome, Renewal) {
        if error.lost {
            self.life.answer_lost();
        }
        let mut failure = *error.failure;
        if force && failure.errcode == Some(45009) {
            // Today's forced refreshes are used up; plain fetches have a quota of their own.
            failure.permanent = false;
        }
        self.fail(failure);
        if let Some(generation) = error.blamed {
            self.life.blame(generation);
        }
        (Outcome::Failed, Renewal::Failed)
    }
}
