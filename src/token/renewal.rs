//! One fetch: the lease, another look at the store, the call, compare-and-set.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, interval_at, sleep};

use super::fetch::{FetchError, Issued, Pulse, fetch};
use super::held::Held;
use super::keeper::Keeper;
use super::schedule::{Moment, Pause};
use super::status::{Outcome, Reason, Refresh};
use super::verdicts::Verdicts;
use super::{Failure, Token};
use crate::observe::clock::Timestamp;
use crate::store::{ForceRefused, Lease, Record, Saved};
use crate::wechat::TokenMode;

/// Longer than a token call, so that a replica that dies while it fetches holds the others up only briefly.
const LEASE: Duration = Duration::from_secs(4);
const LEASE_RENEWAL: Duration = Duration::from_secs(1);
/// How often those who wait for another replica's fetch look at the store.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// How often a token is offered to a store that was down.
const SAVE_AGAIN: Duration = Duration::from_secs(1);
/// WeChat itself replaces a stable token only in its last five minutes.
const OWN_RENEWAL: Duration = Duration::from_secs(300);

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

enum Claim {
    /// `None` without a store: then each replica is its own single flight.
    Granted(Option<Lease>),
    /// Another replica fetched meanwhile.
    Adopted,
    Busy,
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
        if limits == Limits::Kept {
            if self.settings().app.mode == TokenMode::Classic {
                self.fail(Failure::transient("WeChat handed out the token that it rejects"));
                return Renewal::Failed;
            }
            if !self.below_ceilings() {
                return Renewal::Failed;
            }
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
        let wait = self.ceilings.wait(self.now());
        if !wait.is_zero() {
            let text =
                "too many token calls brought nothing new; the proxy holds back to spare WeChat's quota";
            self.bar(wait, Failure::transient(text));
        }
        wait.is_zero()
    }

    async fn fetch_alone(&mut self, reason: Reason, force: bool) -> Renewal {
        self.started = true;
        let lease = match self.claim().await {
            Claim::Granted(lease) => lease,
            Claim::Adopted => return Renewal::New,
            Claim::Busy => {
                self.fail(Failure::transient("another replica has been fetching for too long"));
                return Renewal::Failed;
            }
        };
        let renewal = self.fetch_leased(reason, force, lease.as_ref()).await;
        if let Some(lease) = lease {
            let _ = self.tools.store.release(&lease).await;
        }
        renewal
    }

    async fn claim(&mut self) -> Claim {
        let give_up = Instant::now() + self.settings().options.refresh_wait;
        loop {
            match self.tools.store.lease(&self.key, &self.tools.owner, LEASE).await {
                Ok(None) if Instant::now() >= give_up => return Claim::Busy,
                Ok(None) => sleep(LOOK_AGAIN).await,
                Ok(lease) => return Claim::Granted(lease),
                Err(_) => return Claim::Granted(None),
            }
            if self.adopt_newer().await {
                return Claim::Adopted;
            }
        }
    }

    async fn fetch_leased(&mut self, reason: Reason, force: bool, lease: Option<&Lease>) -> Renewal {
        // Whoever had the lease before may have been faster. An admin's force is meant all the same.
        if self.adopt_newer().await && !(force && reason == Reason::Admin) {
            return Renewal::New;
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

    /// The call itself; the lease is kept alive meanwhile.
    async fn call(&self, force: bool, lease: Option<&Lease>) -> Result<Issued, FetchError> {
        let settings = self.settings();
        let call = fetch(&self.tools.control, &settings.app, force, settings.options.fetch_timeout);
        tokio::pin!(call);
        let mut renewals = interval_at(Instant::now() + LEASE_RENEWAL, LEASE_RENEWAL);
        loop {
            tokio::select! {
                answer = &mut call => return answer,
                _ = renewals.tick() => if let Some(lease) = lease {
                    let _ = self.tools.store.renew(lease, LEASE).await;
                }
            }
        }
    }

    async fn accept(&mut self, issued: Issued, force: bool, asked: Moment) -> (Outcome, Renewal) {
        if let Some(held) = self.held.as_mut()
            && held.token.value.matches(&issued.value)
        {
            if held.contradicts(issued.lifetime, asked) {
                let token = Token { generation: held.token.generation, ..token_of(issued, asked) };
                self.held = Some(self.aging(token, asked));
                self.save_again().await;
            } else {
                held.not_yet(asked);
            }
            if !self.verdicts.dead() {
                self.clear_obstacle();
            }
            return (Outcome::Same, Renewal::Same);
        }
        if !force {
            self.suspect_interference_in_stable_mode(asked);
        }
        let token = Token { generation: self.generation + 1, ..token_of(issued, asked) };
        let (token, lost_race) = self.save(token).await;
        self.hold(token);
        self.suspect = lost_race;
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

    /// Saves a new token before it is used. Gives back the one to hold, which may be another replica's, and
    /// whether ours lost a race that leaves that one in doubt.
    async fn save(&mut self, mut token: Token) -> (Token, bool) {
        loop {
            match self.tools.store.save(&self.key, &Record::from(&token)).await {
                Ok(Saved::Saved) => {
                    self.unsaved = None;
                    return (token, false);
                }
                Err(_) => {
                    self.unsaved = Some(Pause::new(self.now(), SAVE_AGAIN));
                    return (token, false);
                }
                Ok(Saved::Superseded(other)) => {
                    self.generation = self.generation.max(other.generation);
                    let same = other.value.matches(&token.value);
                    let other = Token::from(other);
                    if same || !self.aging(other.clone(), self.now()).remaining(self.now()).is_zero() {
                        let classic = self.settings().app.mode == TokenMode::Classic;
                        return (other, classic && !same);
                    }
                    // An expired record only fixes what number comes next, and that can't happen for ever:
                    // each round takes a higher one.
                    token.generation = self.generation + 1;
                }
            }
        }
    }

    /// Offers the token held to the store again.
    pub(super) async fn save_again(&mut self) {
        self.unsaved = None;
        let Some(held) = &self.held else { return };
        let token = Token::clone(&held.token);
        let generation = token.generation;
        let (token, lost_race) = self.save(token).await;
        if token.generation != generation {
            self.hold(token);
            self.suspect = lost_race;
        }
    }

    /// Takes a newer token from the store, if there is one that has not expired.
    pub(super) async fn adopt_newer(&mut self) -> bool {
        let Ok(Some(record)) = self.tools.store.load(&self.key).await else { return false };
        self.generation = self.generation.max(record.generation);
        if let Some(held) = &self.held {
            let own = Record::from(&*held.token);
            if record.same_token(&own) || !record.supersedes(&own) {
                return false;
            }
        }
        let token = Token::from(record);
        if self.aging(token.clone(), self.now()).remaining(self.now()).is_zero() {
            return false;
        }
        self.hold(token);
        true
    }

    /// A token that lost a race in classic mode may be dead from the start.
    pub(super) async fn probe_suspect(&mut self) {
        self.suspect = false;
        if self.pulse().await == Pulse::Dead {
            self.recover(Reason::Rejected).await;
        }
    }

    /// From now on this token is the one; what was known of the one before it is void.
    fn hold(&mut self, token: Token) {
        self.generation = self.generation.max(token.generation);
        self.held = Some(self.aging(token, self.now()));
        self.verdicts = Verdicts::default();
        self.force_due = None;
        self.suspect = false;
        self.answer_lost = false;
        self.started = true;
        self.clear_obstacle();
        self.publish();
    }

    fn aging(&self, token: Token, now: Moment) -> Held {
        Held::new(token, now, self.settings().app.mode, fastrand::f64())
    }

    pub(super) async fn learn_forces(&mut self) {
        if let Ok(forces) = self.tools.store.forces(&self.force_key()).await {
            self.forces = forces;
        }
    }

    /// Without a store the process's own count must do.
    async fn spend_force(&mut self) -> Result<u32, ForceRefused> {
        let now = self.now().wall;
        let spent = match self.tools.store.spend_force(&self.force_key(), now).await {
            Ok(Ok(left)) => self.forces.spend(now).or(Ok(left)),
            Ok(Err(refused)) => Err(refused),
            Err(_) => self.forces.spend(now),
        };
        self.learn_forces().await;
        spent
    }

    fn force_key(&self) -> String {
        format!("force:{}", self.settings().app.appid)
    }

    /// A plain fetch brought another token long before WeChat renews by itself: unless a force of ours did it,
    /// somebody else has the secret.
    fn suspect_interference_in_stable_mode(&mut self, now: Moment) {
        let Some(held) = &self.held else { return };
        let ours = self.forces.last_at.is_some_and(|last| last >= held.token.fetched_at);
        if self.settings().app.mode == TokenMode::Stable && held.remaining(now) > OWN_RENEWAL && !ours {
            self.report_interference("WeChat replaced a stable token long before its end");
        }
    }

    /// A classic token died long before its end: unless a fetch of ours did it whose answer was lost, somebody
    /// else fetched.
    pub(super) fn suspect_interference_in_classic_mode(&mut self) {
        let Some(held) = &self.held else { return };
        let classic = self.settings().app.mode == TokenMode::Classic;
        if classic && held.remaining(self.now()) > OWN_RENEWAL && !self.answer_lost {
            self.report_interference("a classic token died long before its end");
        }
    }

    fn report_interference(&mut self, what: &str) {
        let generation = self.held.as_ref().map_or(0, |held| held.token.generation);
        if self.interfered == generation {
            return;
        }
        self.interfered = generation;
        self.shared.journal().interference += 1;
        tracing::warn!(
            app = %self.settings().app.name,
            generation,
            "{what}: somebody else fetches tokens with this app's secret"
        );
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
