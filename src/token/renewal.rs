//! One fetch: the lease, another look at the store, the call, compare-and-set.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, interval_at};

use super::events::{Event, Happened};
use super::fetch::{Fetch, FetchError, Issued};
use super::held::Held;
use super::keeper::{Keeper, Tools};
use super::schedule::{Moment, Pause};
use super::sharing::{Claim, LEASE};
use super::status::{Outcome, Reason, Refresh};
use super::verdicts::Verdicts;
use super::{Failure, Token};
use crate::observe::clock::Timestamp;
use crate::store::Lease;

const LEASE_RENEWAL: Duration = Duration::from_secs(1);
/// How long a credential is used on that WeChat goes on handing out after its life, where its word on that is worth
/// nothing.
const OVERDUE: Duration = Duration::from_secs(300);

/// What came of trying to get another token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Renewal {
    /// A different token is held now, fetched or taken from the store.
    New,
    /// WeChat gave the one held.
    Same,
    /// None came, or something stands in the way; see the obstacle.
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

impl Keeper {
    /// Fetches a token without force.
    pub(super) async fn renew(&mut self, reason: Reason, limits: Limits) -> Renewal {
        if limits == Limits::Kept && (self.barred() || !self.below_ceilings()) {
            return Renewal::Failed;
        }
        self.fetch_alone(reason, false).await
    }

    /// Makes WeChat replace the token, if the budget allows. Not barred by a backoff: the budget is slower.
    pub(super) async fn force(&mut self, reason: Reason, limits: Limits) -> Renewal {
        let dead = self.verdicts.dead();
        if !self.issuer.forces() {
            self.fail(Failure::transient(
                "WeChat hands out the token that it rejects, and can't be made to replace it",
            ));
            return Renewal::Failed;
        }
        if limits == Limits::Kept && !self.below_ceilings() {
            return Renewal::Failed;
        }
        let renewal = self.fetch_alone(reason, true).await;
        match renewal {
            Renewal::Refused { next_at } if dead => {
                let now = self.now();
                self.force_due = Some(Pause::new(now, next_at.since(now.wall)));
                self.fail(Failure::transient(
                    "WeChat rejects the token that it hands out, and no forced refresh is allowed yet",
                ));
            }
            Renewal::Same if dead => {
                self.fail(Failure::transient("WeChat hands out the token that it rejects, even by force"));
            }
            _ => {}
        }
        renewal
    }

    fn below_ceilings(&mut self) -> bool {
        let now = self.now();
        let wait = self.ceilings.wait(now);
        if !wait.is_zero() {
            let text =
                "too many token calls brought nothing new; the proxy holds back to spare WeChat's quota";
            self.obstacle.bar(Failure::transient(text), now, wait);
        }
        wait.is_zero()
    }

    async fn fetch_alone(&mut self, reason: Reason, force: bool) -> Renewal {
        self.started = true;
        let _turn = self.turn().await;
        let lease = match self.claim().await {
            Claim::Granted(lease) => lease,
            Claim::Adopted => return Renewal::New,
            Claim::Busy => {
                self.fail(Failure::transient("another replica has been fetching for too long"));
                return Renewal::Failed;
            }
        };
        let storeless = lease.is_none() && self.issuer.rotates();
        if storeless && self.must_wait_for_the_store() {
            return Renewal::Failed;
        }
        let renewal = self.fetch_leased(reason, force, lease.as_ref()).await;
        if storeless {
            self.storeless.fetched(self.now(), fastrand::f64());
        }
        if let Some(lease) = lease {
            self.storeless.end();
            let _ = self.tools.store.release(&lease).await;
        }
        renewal
    }

    /// Bars fetches for a while if one was made without the store just now.
    fn must_wait_for_the_store(&mut self) -> bool {
        let now = self.now();
        let wait = self.storeless.left(now);
        if !wait.is_zero() {
            let text = "the store is down, and replicas that fetch without it end each other's token";
            self.obstacle.bar(Failure::transient(text), now, wait);
        }
        !wait.is_zero()
    }

    async fn fetch_leased(&mut self, reason: Reason, force: bool, lease: Option<&Lease>) -> Renewal {
        // Whoever had the lease before may have been faster. An admin's force is meant all the same.
        if self.looks_again() && self.adopt_newer().await && !(force && reason == Reason::Admin) {
            return Renewal::New;
        }
        if self.verdicts.dead() {
            self.suspect_interference_in_classic_mode();
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
        self.ceilings.count(asked, outcome != Outcome::Replaced);
        let at = self.now().wall;
        self.shared.journal().refreshed(Refresh { at, reason, outcome, took });
        self.tell(Refresh { at, reason, outcome, took });
        if outcome == Outcome::Replaced {
            tracing::info!(
                app = %self.settings().app.name,
                reason = reason.as_str(),
                generation = self.generation,
                took_ms = took.as_millis() as u64,
                "token replaced"
            );
        }
        renewal
    }

    /// For people. Of accounts that are acted for there may be thousands: only what fails is worth a word.
    fn tell(&self, refresh: Refresh) {
        let Refresh { at, reason, outcome, took } = refresh;
        if self.shared.on_demand && outcome == Outcome::Replaced {
            return;
        }
        let took = self.rejected.map_or(took, |(_, received_at)| received_at.elapsed());
        let endpoint = self.rejected.map(|(path, _)| path);
        let generation = self.held.as_ref().map(|held| held.token.generation);
        let failure = (outcome == Outcome::Failed).then(|| self.failure());
        let what = Happened::Refreshed { reason, outcome, endpoint, took, generation, failure };
        self.happened(at, what);
    }

    pub(super) fn happened(&self, at: Timestamp, what: Happened) {
        let settings = self.settings();
        let (app, credential) = (Arc::clone(&settings.app.name), settings.credential.issuer.credential());
        self.tools.events.add(Event { at, app, credential, what });
    }

    #[cfg(not(test))]
    const fn looks_again(&self) -> bool {
        true
    }

    #[cfg(test)]
    fn looks_again(&self) -> bool {
        self.tools.looks_again
    }

    /// The call itself; the lease is kept alive meanwhile.
    async fn call(&mut self, force: bool, lease: Option<&Lease>) -> Result<Issued, FetchError> {
        let (settings, now) = (self.settings(), self.now().wall);
        let Self { tools: Tools { store, .. }, control, grant, .. } = self;
        let mut fetch = Fetch { control, store, settings: &settings, grant, now };
        let call = Box::pin(fetch.run(force));
        tokio::pin!(call);
        let mut renewals = interval_at(Instant::now() + LEASE_RENEWAL, LEASE_RENEWAL);
        loop {
            tokio::select! {
                answer = &mut call => return answer,
                _ = renewals.tick() => if let Some(lease) = lease {
                    let _ = store.renew(lease, LEASE).await;
                }
            }
        }
    }

    async fn accept(&mut self, issued: Issued, force: bool, asked: Moment) -> (Outcome, Renewal) {
        if let Some(held) = self.held.as_mut()
            && held.token.value.matches(&issued.value)
        {
            let overstated = self.issuer.overstates_lifetime();
            let over = held.remaining(asked).is_zero();
            if over || !overstated && held.contradicts(issued.lifetime, asked) {
                let lifetime = if overstated { OVERDUE } else { issued.lifetime };
                let issued = Issued { lifetime: lifetime.min(issued.lifetime), ..issued };
                let token = Token { generation: held.token.generation, ..token_of(issued, asked) };
                self.held = Some(self.aging(token, asked));
                self.publish_anew().await;
            } else {
                held.not_yet(asked);
            }
            if !self.verdicts.dead() {
                self.obstacle.clear();
            }
            return (Outcome::Same, Renewal::Same);
        }
        if !force {
            self.suspect_interference_in_stable_mode(asked);
        }
        let token = Token { generation: self.generation + 1, ..token_of(issued, asked) };
        let (token, in_doubt) = self.save(token).await;
        self.hold(token);
        self.suspect = in_doubt;
        (Outcome::Replaced, Renewal::New)
    }

    fn fetch_failed(&mut self, error: FetchError, force: bool) -> (Outcome, Renewal) {
        self.answer_lost |= error.lost;
        let mut failure = error.failure;
        if force && failure.errcode == Some(45009) {
            // The day's forces are spent, by whomever; plain fetches have a quota of their own.
            failure.permanent = false;
        }
        self.fail(failure);
        (Outcome::Failed, Renewal::Failed)
    }

    /// From now on this token is the one; what was known of the one before it is void.
    pub(super) fn hold(&mut self, token: Token) {
        self.generation = self.generation.max(token.generation);
        self.held = Some(self.aging(token, self.now()));
        self.verdicts = Verdicts::default();
        self.force_due = None;
        self.suspect = false;
        self.answer_lost = false;
        self.started = true;
        self.obstacle.clear();
        self.publish();
    }

    pub(super) fn aging(&self, token: Token, now: Moment) -> Held {
        Held::new(token, now, self.issuer, fastrand::f64())
    }
}

fn token_of(issued: Issued, asked: Moment) -> Token {
    Token {
        value: Arc::new(issued.value),
        generation: 0,
        fetched_at: asked.wall,
        expires_at: asked.wall.plus(issued.lifetime),
    }
}
