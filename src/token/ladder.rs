//! What follows from a rejection, in five steps: as little as settles it, once for everybody it concerns.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::fetch::probe;
use super::keeper::Keeper;
use super::renewal::{Limits, Renewal};
use super::status::Reason;
use super::verdicts::Recall;
use super::{Rejection, Verdict};
use crate::wechat::errcode::Proof;

/// Long enough for WeChat's nodes to agree on a token, and short enough for the SDKs that give up after 2 s.
const REPLAY_DELAY: Duration = Duration::from_millis(500);

impl Keeper {
    /// What becomes of a request whose token was rejected.
    pub(super) async fn settle(&mut self, rejection: &Rejection) -> Verdict {
        // Step 1: another token than the rejected one is held, or that one is known to be of no use.
        let Some(token) = self.usable().filter(|token| token.generation == rejection.generation) else {
            return self.replay().await;
        };
        match self.verdicts.recall(rejection, self.now()) {
            Recall::PassOn => Verdict::PassOn,
            Recall::Alive => Verdict::ReplayAfter(token, REPLAY_DELAY),
            Recall::Confirm => self.watched(rejection, Self::confirm).await,
            Recall::Unknown if self.issuer.rotates() => self.watched(rejection, Self::climb_rotating).await,
            Recall::Unknown => self.watched(rejection, Self::climb_steady).await,
        }
    }

    /// Looks into a rejection while traffic may bring evidence.
    async fn watched(
        &mut self,
        rejection: &Rejection,
        look_into: impl AsyncFnOnce(&mut Self, &Rejection) -> Verdict,
    ) -> Verdict {
        tracing::debug!(
            app = %self.settings().app.name,
            generation = rejection.generation,
            endpoint = rejection.endpoint_path,
            errcode = rejection.errcode,
            "WeChat rejected the token"
        );
        self.shared.evidence.watch(rejection.generation, rejection.received_at);
        self.rejected = Some((rejection.endpoint_path, rejection.received_at));
        let verdict = look_into(self, rejection).await;
        self.rejected = None;
        self.shared.evidence.unwatch();
        verdict
    }

    /// Where WeChat hands out the same token again: a fetch costs little and settles most cases, so it comes before the
    /// probe.
    async fn climb_steady(&mut self, _: &Rejection) -> Verdict {
        // Step 2: another replica was first.
        if self.adopt_newer().await {
            return self.replay().await;
        }
        // Step 3: fetch without force.
        let renewal = self.renew(Reason::Rejected, Limits::Kept).await;
        if renewal == Renewal::New {
            return self.replay().await;
        }
        // Step 4: the same token came, or none could be fetched. Is it dead, or is it the endpoint?
        match self.pulse().await {
            Proof::Alive => self.replay_after().await,
            Proof::Undecided => Verdict::PassOn,
            Proof::Dead => {
                if renewal == Renewal::Same {
                    self.force(Reason::Forced, Limits::Kept).await;
                }
                self.verdict_on_what_is_held()
            }
        }
    }

    /// Where a fetch rotates the token for everybody, only one that is proven dead is worth it.
    async fn climb_rotating(&mut self, _: &Rejection) -> Verdict {
        // Step 2.
        if self.adopt_newer().await {
            return self.replay().await;
        }
        // Step 4 before step 3.
        match self.pulse().await {
            Proof::Alive => self.replay_after().await,
            Proof::Undecided => Verdict::PassOn,
            Proof::Dead => {
                self.recover(Reason::Rejected).await;
                self.verdict_on_what_is_held()
            }
        }
    }

    /// The replay that followed "alive" was rejected too. If the token still lives, the endpoint is at fault
    /// and held; else the token died after it was found alive, and holds must not hide that.
    async fn confirm(&mut self, rejection: &Rejection) -> Verdict {
        match self.pulse().await {
            Proof::Alive => {
                self.verdicts.hold(rejection.endpoint, self.now());
                tracing::info!(
                    app = %self.settings().app.name,
                    endpoint = rejection.endpoint_path,
                    errcode = rejection.errcode,
                    "the endpoint rejects a token that lives; it is left alone for a while"
                );
                Verdict::PassOn
            }
            Proof::Undecided => Verdict::PassOn,
            Proof::Dead => {
                self.recover(Reason::Rejected).await;
                self.verdict_on_what_is_held()
            }
        }
    }

    /// Whether the token held lives: evidence from traffic, failing that a probe. Remembers the answer.
    pub(super) async fn pulse(&mut self) -> Proof {
        let Some(token) = self.held.as_ref().map(|held| Arc::clone(&held.token)) else {
            return Proof::Undecided;
        };
        let mut asked = Instant::now();
        let mut pulse = Proof::Undecided;
        if self.shared.evidence.last_sent_at(token.generation).is_none() {
            let settings = self.settings();
            let timeout = settings.options.fetch_timeout;
            let (app, issuer) = (&settings.app, settings.credential.issuer);
            pulse = probe(&self.control, app, issuer, &token.value, timeout).await;
        }
        // Also after the probe: it may have met a node that lags, and what traffic shows costs no force.
        if let Some(sent_at) = self.shared.evidence.last_sent_at(token.generation) {
            (asked, pulse) = (sent_at, Proof::Alive);
        }
        match pulse {
            Proof::Alive => self.verdicts.found_alive(asked, Instant::now()),
            Proof::Undecided => self.verdicts.undecided(self.now()),
            Proof::Dead => {
                self.verdicts.found_dead();
                self.publish();
            }
        }
        pulse
    }

    /// Replays with the token held, having one fetched if it isn't usable and nothing stands in the way.
    async fn replay(&mut self) -> Verdict {
        match self.obtain().await {
            Ok(token) => Verdict::Replay(token),
            Err(unavailable) => Verdict::Unavailable(unavailable),
        }
    }

    async fn replay_after(&mut self) -> Verdict {
        match self.usable() {
            Some(token) => Verdict::ReplayAfter(token, REPLAY_DELAY),
            None => self.replay().await,
        }
    }

    /// Step 5: no token that WeChat takes is had; its own body would make some SDKs retry without end.
    fn verdict_on_what_is_held(&self) -> Verdict {
        match self.usable() {
            Some(token) => Verdict::Replay(token),
            None => Verdict::Unavailable(self.unavailable()),
        }
    }
}
