//! What is remembered about the token now held, so that one ladder serves everybody it concerns.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::Rejection;
use super::schedule::{Moment, Pause};

/// A call sent so soon after the token was found alive may have met a node that lags too.
const ALIVE_SHARED: Duration = Duration::from_secs(2);
/// How long an endpoint that rejects a live token causes no ladder.
const HOLD: Duration = Duration::from_secs(30);
/// Until the next ladder after one that could not tell.
const UNDECIDED: Duration = Duration::from_secs(5);

/// Verdicts about one generation; a new generation begins with none.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    dead: bool,
    alive: Option<Alive>,
    undecided: Option<Pause>,
    /// By endpoint.
    holds: HashMap<u64, Pause>,
}

#[derive(Clone, Copy, Debug)]
struct Alive {
    /// When the call was sent that shows it.
    asked: Instant,
    reached: Instant,
}

/// What the verdicts say about a rejection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recall {
    /// The endpoint is at fault, or the last ladder could not tell.
    PassOn,
    /// The token was found alive: replay with it.
    Alive,
    /// The replay that followed "alive" was rejected as well: is it the endpoint, or has the token died since?
    Confirm,
    /// A ladder must find out.
    Unknown,
}

impl Verdicts {
    pub(super) fn dead(&self) -> bool {
        self.dead
    }

    pub(super) fn found_dead(&mut self) {
        self.dead = true;
    }

    /// A call sent at `asked` showed that the token lives.
    pub(super) fn found_alive(&mut self, asked: Instant, now: Instant) {
        self.alive = Some(Alive { asked, reached: now });
        self.undecided = None;
    }

    pub(super) fn undecided(&mut self, now: Moment) {
        self.undecided = Some(Pause::new(now, UNDECIDED));
    }

    /// The endpoint rejects a token that lives.
    pub(super) fn hold(&mut self, endpoint: u64, now: Moment) {
        self.holds.retain(|_, hold| !hold.over(now));
        self.holds.insert(endpoint, Pause::new(now, HOLD));
    }

    /// What is known of a rejection of this generation, while it isn't known to be dead.
    pub(super) fn recall(&mut self, rejection: &Rejection, now: Moment) -> Recall {
        if self.holds.get(&rejection.endpoint).is_some_and(|hold| !hold.over(now)) {
            return Recall::PassOn;
        }
        if let Some(alive) = self.alive {
            if rejection.replayed_alive && rejection.sent_at <= alive.asked {
                // The token lived before the replay was sent and after it: the endpoint is at fault.
                self.hold(rejection.endpoint, now);
                return Recall::PassOn;
            }
            if !rejection.replayed_alive && rejection.sent_at < alive.reached + ALIVE_SHARED {
                return Recall::Alive;
            }
        }
        if self.undecided.is_some_and(|pause| !pause.over(now)) {
            return Recall::PassOn;
        }
        if rejection.replayed_alive { Recall::Confirm } else { Recall::Unknown }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Recall, Verdicts};
    use crate::observe::clock::Timestamp;
    use crate::token::Rejection;
    use crate::token::schedule::Moment;

    struct Times(Instant);

    impl Times {
        fn at(&self, ms: u64) -> Instant {
            self.0 + Duration::from_millis(ms)
        }

        fn moment(&self, ms: u64) -> Moment {
            Moment { wall: Timestamp(ms as i64), steady: self.at(ms) }
        }

        fn rejection(&self, endpoint: u64, sent_ms: u64, replayed_alive: bool) -> Rejection {
            Rejection {
                generation: 1,
                endpoint,
                endpoint_path: "/cgi-bin/test",
                errcode: 40001,
                sent_at: self.at(sent_ms),
                received_at: self.at(sent_ms + 10),
                replayed_alive,
            }
        }
    }

    #[test]
    fn a_verdict_alive_is_shared_by_what_was_sent_before_it_or_shortly_after() {
        let times = Times(Instant::now());
        let mut verdicts = Verdicts::default();
        assert_eq!(verdicts.recall(&times.rejection(1, 0, false), times.moment(0)), Recall::Unknown);
        verdicts.found_alive(times.at(100), times.at(110));
        let now = times.moment(60_000);
        assert_eq!(verdicts.recall(&times.rejection(1, 0, false), now), Recall::Alive);
        assert_eq!(verdicts.recall(&times.rejection(2, 2_100, false), now), Recall::Alive);
        assert_eq!(verdicts.recall(&times.rejection(2, 2_110, false), now), Recall::Unknown);
    }

    #[test]
    fn a_rejected_replay_asks_again_before_it_blames_the_endpoint() {
        let times = Times(Instant::now());
        let mut verdicts = Verdicts::default();
        verdicts.found_alive(times.at(100), times.at(110));
        let replay = times.rejection(1, 610, true);
        assert_eq!(verdicts.recall(&replay, times.moment(700)), Recall::Confirm);
        verdicts.found_alive(times.at(710), times.at(720));
        assert_eq!(verdicts.recall(&replay, times.moment(720)), Recall::PassOn);
        let next = times.rejection(1, 20_000, false);
        assert_eq!(verdicts.recall(&next, times.moment(20_010)), Recall::PassOn, "held for 30 s");
        let other = times.rejection(2, 20_000, false);
        assert_eq!(verdicts.recall(&other, times.moment(20_010)), Recall::Unknown, "others are not");
        assert_eq!(verdicts.recall(&next, times.moment(30_720)), Recall::Unknown);
    }

    #[test]
    fn an_undecided_ladder_is_not_climbed_again_for_five_seconds() {
        let times = Times(Instant::now());
        let mut verdicts = Verdicts::default();
        verdicts.undecided(times.moment(0));
        assert_eq!(verdicts.recall(&times.rejection(1, 10, false), times.moment(4_999)), Recall::PassOn);
        assert_eq!(verdicts.recall(&times.rejection(1, 10, false), times.moment(5_000)), Recall::Unknown);
    }
}
