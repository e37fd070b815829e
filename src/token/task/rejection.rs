//! What follows from a rejection, in five steps: the cheapest that settles it, once for all
//! requests concerned.
//!
//! 1. Another token than the rejected one is held: replay with it.
//! 2. The store has a newer one, since another replica was first: adopt it, replay.
//! 3. Fetch without force. A different token came: replay.
//! 4. The same one came: is it dead, or is it this endpoint? Evidence from traffic, failing that a
//!    probe. Alive: one replay later, and if that is rejected too, the endpoint is quarantined:
//!    from then on its rejections only have the token probed now and then, since it may have died.
//!    Dead: one forced refresh, if the budget allows.
//! 5. Without a token that WeChat accepts, callers get the proxy's own error.
//!
//! [`Handle::rejected`](crate::token::Handle::rejected) takes step 1 without the task where a newer
//! token is published already.
//!
//! Where every fetch rotates the token, where the errcode proves nothing, and once an endpoint has
//! rejected a valid token, step 4 comes before step 3.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::refresh_task::RefreshTask;
use super::renewal::{Limits, Renewal};
use crate::texts::text;
use crate::token::fetch::probe;
use crate::token::handle::Verdict;
use crate::token::life::{CachedVerdict, Reason, Rejection};
use crate::wechat::errcode::{Proof, casts_doubt};

/// Long enough for WeChat's nodes to agree on a token, and short enough for the SDKs that give up
/// after 2 s.
const REPLAY_DELAY: Duration = Duration::from_millis(500);

impl RefreshTask {
    /// Decides what happens to a request whose token was rejected.
    pub(super) async fn handle_rejection(&mut self, rejection: &Rejection) -> Verdict {
        // Step 1; or the one held is known to be unusable.
        let Some(token) = self.usable().filter(|token| token.generation == rejection.generation) else {
            return self.replay().await;
        };
        let now = self.now();
        let cached = self.life.cached_verdict(rejection, now);
        match cached {
            CachedVerdict::PassOn => return Verdict::PassOn,
            CachedVerdict::Alive => return Verdict::ReplayAfter(token, REPLAY_DELAY),
            CachedVerdict::Confirm | CachedVerdict::ProbeQuarantined | CachedVerdict::Unknown => {}
        }
        tracing::debug!(
            app = %self.app_name(),
            generation = rejection.generation,
            endpoint = rejection.endpoint_path,
            errcode = rejection.errcode,
            "WeChat rejected the token"
        );
        // Meanwhile traffic may bring evidence.
        self.shared.evidence.watch(rejection.generation, rejection.received_at);
        self.rejected = Some((rejection.endpoint_path, rejection.received_at));
        let verdict = match cached {
            CachedVerdict::Confirm => self.confirm(rejection).await,
            CachedVerdict::ProbeQuarantined => self.probe_quarantined().await,
            _ => self.resolve(rejection).await,
        };
        self.rejected = None;
        self.shared.evidence.unwatch();
        verdict
    }

    /// Steps 2 to 5.
    async fn resolve(&mut self, rejection: &Rejection) -> Verdict {
        // Step 2.
        if self.adopt_newer_promptly().await {
            return self.replay().await;
        }
        // Step 3: where WeChat hands out the same token again, a fetch costs little and settles
        // most cases. Where it rotates the token for everyone, or may be useless, only a token that
        // is proven dead is worth a fetch; and where endpoints reject a valid token, their
        // rejections would use up the fetches that are needed once it dies.
        let dear = self.credential.issuer.rotates() || casts_doubt(rejection.errcode);
        let renewal = if dear || self.life.suspects_endpoints(self.now()) {
            None
        } else {
            Some(self.renew(Reason::Rejected, Limits::Kept).await)
        };
        if renewal == Some(Renewal::New) {
            return self.replay().await;
        }
        // Step 4, also if none could be fetched.
        match self.check_alive().await {
            Proof::Alive => return self.replay_later().await,
            // A fetch that costs little may still settle it.
            Proof::Undecided if !dear && renewal.is_none() => {
                return match self.renew(Reason::Rejected, Limits::Kept).await {
                    Renewal::New => self.replay().await,
                    _ => Verdict::PassOn,
                };
            }
            Proof::Undecided => return Verdict::PassOn,
            Proof::Dead => {}
        }
        match renewal {
            None => {
                self.recover(Reason::Rejected).await;
            }
            Some(Renewal::Same) => {
                self.force(Reason::Forced, Limits::Kept).await;
            }
            Some(_) => {}
        }
        self.replay_if_usable()
    }

    /// The replay that followed "alive" was rejected too. If the token is still valid, the endpoint
    /// is at fault and is quarantined; otherwise the token died after it was found alive, and a
    /// quarantine must not hide that.
    async fn confirm(&mut self, rejection: &Rejection) -> Verdict {
        match self.check_alive().await {
            Proof::Alive => {
                self.life.quarantine(rejection.endpoint, self.now());
                tracing::info!(
                    app = %self.app_name(),
                    endpoint = rejection.endpoint_path,
                    errcode = rejection.errcode,
                    "{}",
                    text!("endpoint rejected a valid token; its rejections are ignored for 30 s")
                );
                Verdict::PassOn
            }
            Proof::Undecided => Verdict::PassOn,
            Proof::Dead => {
                self.recover(Reason::Rejected).await;
                self.replay_if_usable()
            }
        }
    }

    /// A quarantined endpoint still rejects the token: if the token has died, it is replaced.
    async fn probe_quarantined(&mut self) -> Verdict {
        // An undecided probe must not keep other endpoints' rejections from being investigated,
        // since a fetch may still settle those: this pause is separate.
        let proof = self.find_proof().await;
        if proof == Proof::Dead {
            self.recover(Reason::Rejected).await;
            return self.replay_if_usable();
        }
        self.life.quarantine_probed(self.now());
        Verdict::PassOn
    }

    /// The token held won a race, but may have been dead from the start.
    pub(super) async fn probe_suspect(&mut self) {
        if self.check_alive().await == Proof::Dead {
            self.recover(Reason::Rejected).await;
        }
    }

    /// Whether the token held is alive. Records the result, also an undecided one.
    async fn check_alive(&mut self) -> Proof {
        let proof = self.find_proof().await;
        if proof == Proof::Undecided {
            self.life.found_undecided(self.now());
        }
        proof
    }

    /// Whether the token held is alive: evidence from traffic, failing that a probe. Records a
    /// decided result.
    async fn find_proof(&mut self) -> Proof {
        let Some(token) = self.life.token().map(Arc::clone) else { return Proof::Undecided };
        let mut asked = Instant::now();
        let mut proof = Proof::Undecided;
        if self.shared.evidence.last_sent_at(token.generation).is_none() {
            let configured = self.configured();
            let timeout = configured.options.fetch_timeout;
            proof =
                probe(&self.control, &configured.app, self.credential.issuer, &token.value, timeout).await;
        }
        // Checked again after the probe, which may have hit a lagging node: evidence from traffic
        // saves a forced refresh.
        if let Some(sent_at) = self.shared.evidence.last_sent_at(token.generation) {
            (asked, proof) = (sent_at, Proof::Alive);
        }
        let now = self.now();
        match proof {
            Proof::Alive => self.life.found_alive(asked, now),
            Proof::Undecided => {}
            Proof::Dead => {
                self.life.found_dead();
                self.publish();
            }
        }
        proof
    }

    /// Replays with the token held; fetches one first if it isn't usable and fetches aren't
    /// blocked.
    async fn replay(&mut self) -> Verdict {
        match self.obtain().await {
            Ok(token) => Verdict::Replay(token),
            Err(unavailable) => Verdict::Unavailable(unavailable),
        }
    }

    /// The token is valid, but some of WeChat's nodes may lag.
    async fn replay_later(&mut self) -> Verdict {
        match self.usable() {
            Some(token) => Verdict::ReplayAfter(token, REPLAY_DELAY),
            None => self.replay().await,
        }
    }

    /// Step 5: there is no token that WeChat accepts; WeChat's own body would make some SDKs retry
    /// for ever.
    fn replay_if_usable(&self) -> Verdict {
        match self.usable() {
            Some(token) => Verdict::Replay(token),
            None => Verdict::Unavailable(self.life.unavailable(self.now())),
        }
    }
}
