//! What follows from a rejection, in five steps: as little as settles it, once for all it concerns.
//!
//! 1. Another token than the rejected one is held: replay with it.
//! 2. The store has a newer one, since another replica was first: adopt it, replay.
//! 3. Fetch without force. A different token came: replay.
//! 4. The same one came: is it dead, or is it this endpoint? Evidence from traffic, failing that a
//!    probe. It lives: one replay later, and if that is rejected too, the endpoint is left alone:
//!    from then on its rejections only have the token looked at now and then, since it may have
//!    died. It is dead: one forced refresh, if the budget allows.
//! 5. Without a token that WeChat takes, callers get the proxy's own error.
//!
//! Where every fetch rotates the token, where the errcode proves nothing, and once an endpoint was
//! seen to reject a token that lives, step 4 comes before step 3.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::refresh_task::RefreshTask;
use super::renewal::{Limits, Renewal};
use crate::token::fetch::probe;
use crate::token::handle::Verdict;
use crate::token::life::{CachedVerdict, Reason, Rejection};
use crate::wechat::errcode::{Proof, casts_doubt};

/// Long enough for WeChat's nodes to agree on a token, and short enough for the SDKs that give up
/// after 2 s.
const REPLAY_DELAY: Duration = Duration::from_millis(500);

impl RefreshTask {
    /// What becomes of a request whose token was rejected.
    pub(super) async fn handle_rejection(&mut self, rejection: &Rejection) -> Verdict {
        // Step 1; or the one held is known to be of no use.
        let Some(token) = self.usable().filter(|token| token.generation == rejection.generation) else {
            return self.replay().await;
        };
        let now = self.now();
        let cached = self.life.cached_verdict(rejection, now);
        match cached {
            CachedVerdict::PassOn => return Verdict::PassOn,
            CachedVerdict::Alive => return Verdict::ReplayAfter(token, REPLAY_DELAY),
            CachedVerdict::Confirm | CachedVerdict::CheckHeld | CachedVerdict::Unknown => {}
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
            CachedVerdict::CheckHeld => self.check_held().await,
            _ => self.look_into(rejection).await,
        };
        self.rejected = None;
        self.shared.evidence.unwatch();
        verdict
    }

    /// Steps 2 to 5.
    async fn look_into(&mut self, rejection: &Rejection) -> Verdict {
        // Step 2.
        if self.adopt_newer_promptly().await {
            return self.replay().await;
        }
        // Step 3: where WeChat hands out the same token again, a fetch costs little and settles
        // most cases. Where it rotates the token for everybody, or may be of no use at all, only a
        // token that is proven dead is worth it; and where endpoints reject it that lives, their
        // rejections would spend the fetches that it needs when it dies.
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
        match self.pulse().await {
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

    /// The replay that followed "alive" was rejected too. If the token still lives, the endpoint is
    /// at fault and held; else the token died after it was found alive, and holds must not hide
    /// that.
    async fn confirm(&mut self, rejection: &Rejection) -> Verdict {
        match self.pulse().await {
            Proof::Alive => {
                self.life.hold_endpoint(rejection.endpoint, self.now());
                tracing::info!(
                    app = %self.app_name(),
                    endpoint = rejection.endpoint_path,
                    errcode = rejection.errcode,
                    "the endpoint rejects a token that lives; it is left alone for a while"
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

    /// An endpoint that is left alone goes on rejecting the token: if it has died, it is replaced.
    async fn check_held(&mut self) -> Verdict {
        // What can't tell must not keep other endpoints' rejections from being looked into, for
        // which a fetch may still settle it: this pause is its own.
        let pulse = self.look_for_life().await;
        if pulse == Proof::Dead {
            self.recover(Reason::Rejected).await;
            return self.replay_if_usable();
        }
        self.life.held_checked(self.now());
        Verdict::PassOn
    }

    /// The token held won a race, but may be dead from the start.
    pub(super) async fn probe_suspect(&mut self) {
        if self.pulse().await == Proof::Dead {
            self.recover(Reason::Rejected).await;
        }
    }

    /// Whether the token held lives. Remembers the answer, also that there was none.
    async fn pulse(&mut self) -> Proof {
        let pulse = self.look_for_life().await;
        if pulse == Proof::Undecided {
            self.life.found_undecided(self.now());
        }
        pulse
    }

    /// Whether the token held lives: evidence from traffic, failing that a probe. Remembers what it
    /// finds.
    async fn look_for_life(&mut self) -> Proof {
        let Some(token) = self.life.token().map(Arc::clone) else { return Proof::Undecided };
        let mut asked = Instant::now();
        let mut pulse = Proof::Undecided;
        if self.shared.evidence.last_sent_at(token.generation).is_none() {
            let configured = self.configured();
            let timeout = configured.options.fetch_timeout;
            pulse =
                probe(&self.control, &configured.app, self.credential.issuer, &token.value, timeout).await;
        }
        // Also after the probe: it may have met a node that lags, and what traffic shows costs no
        // force.
        if let Some(sent_at) = self.shared.evidence.last_sent_at(token.generation) {
            (asked, pulse) = (sent_at, Proof::Alive);
        }
        let now = self.now();
        match pulse {
            Proof::Alive => self.life.found_alive(asked, now),
            Proof::Undecided => {}
            Proof::Dead => {
                self.life.found_dead();
                self.publish();
            }
        }
        pulse
    }

    /// Replays with the token held, having one fetched if it isn't usable and nothing stands in the
    /// way.
    async fn replay(&mut self) -> Verdict {
        match self.obtain().await {
            Ok(token) => Verdict::Replay(token),
            Err(unavailable) => Verdict::Unavailable(unavailable),
        }
    }

    /// The token lives, but some of WeChat's nodes may lag.
    async fn replay_later(&mut self) -> Verdict {
        match self.usable() {
            Some(token) => Verdict::ReplayAfter(token, REPLAY_DELAY),
            None => self.replay().await,
        }
    }

    /// Step 5: no token that WeChat takes is had; its own body would make some SDKs retry without
    /// end.
    fn replay_if_usable(&self) -> Verdict {
        match self.usable() {
            Some(token) => Verdict::Replay(token),
            None => Verdict::Unavailable(self.life.unavailable(self.now())),
        }
    }
}
