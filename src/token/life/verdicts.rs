//! What is known about the validity of the token held, so that one check serves all rejections.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::moment::{Moment, Pause};

/// A request sent so soon after the token was found alive may also have hit a lagging node.
const ALIVE_SHARED: Duration = Duration::from_secs(2);
/// How long an endpoint that rejects a valid token is quarantined: its rejections go to the callers
/// and trigger nothing.
const QUARANTINE: Duration = Duration::from_secs(30);
/// While an endpoint is quarantined, its rejections have the token probed again at this interval,
/// since it may have died. Each probe that finds it alive doubles the interval, up to
/// [`QUARANTINE`], since an endpoint that rejects every token would cause them for ever.
const FIRST_INTERVAL: Duration = Duration::from_secs(5);
/// After so long without one the interval starts over.
const CALM: Duration = Duration::from_secs(60);
/// Until the next check after an undecided one.
const UNDECIDED: Duration = Duration::from_secs(5);

/// WeChat rejected a request's token: at the top level a code that proves it
/// [dead](crate::wechat::errcode::Proof), or that [may](crate::wechat::errcode::casts_doubt) come
/// of that, on an endpoint that takes the app's token.
#[derive(Clone, Debug)]
pub struct Rejection {
    /// Of the token that the request carried.
    pub generation: u64,
    /// Identifies the endpoint.
    pub endpoint: u64,
    /// Its path, for log lines.
    pub endpoint_path: &'static str,
    /// WeChat's code.
    pub errcode: i64,
    /// When the attempt that was rejected began to be sent.
    pub sent_at: Instant,
    /// When its response was read.
    pub received_at: Instant,
    /// The attempt was itself a replay with this same generation, after
    /// [`Verdict::ReplayAfter`](crate::token::Verdict::ReplayAfter).
    pub replayed_alive: bool,
}

/// Verdicts about one generation; a new generation begins with none.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    dead: bool,
    alive: Option<Alive>,
    undecided: Option<Pause>,
    /// By endpoint.
    quarantined: HashMap<u64, Pause>,
    /// The interval between probes due to quarantined endpoints.
    last_probe: Option<QuarantineProbe>,
}

/// The last probe due to a quarantined endpoint.
#[derive(Clone, Copy, Debug)]
struct QuarantineProbe {
    at: Moment,
    /// Until the next one.
    interval: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Alive {
    /// When the request was sent that shows it.
    asked: Instant,
    reached: Moment,
}

/// What the verdicts say about a rejection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CachedVerdict {
    /// The endpoint is at fault, or the last check was undecided.
    PassOn,
    /// The token was found alive: replay with it.
    Alive,
    /// The replay that followed "alive" was rejected as well: is it the endpoint, or has the token
    /// died since?
    Confirm,
    /// The endpoint is quarantined, but the token was found alive a while ago: has it died?
    ProbeQuarantined,
    /// It has to be checked.
    Unknown,
}

impl Verdicts {
    pub(super) fn dead(&self) -> bool {
        self.dead
    }

    pub(super) fn found_dead(&mut self) {
        self.dead = true;
    }

    /// A request sent at `asked` showed that the token is valid.
    pub(super) fn found_alive(&mut self, asked: Instant, now: Moment) {
        self.alive = Some(Alive { asked, reached: now });
        self.undecided = None;
    }

    pub(super) fn undecided(&mut self, now: Moment) {
        self.undecided = Some(Pause::new(now, UNDECIDED));
    }

    /// The endpoint rejects a valid token.
    pub(super) fn quarantine(&mut self, endpoint: u64, now: Moment) {
        self.quarantined.retain(|_, pause| !pause.over(now));
        self.quarantined.insert(endpoint, Pause::new(now, QUARANTINE));
    }

    /// A quarantined endpoint's rejection had the token probed, which isn't known to be dead.
    pub(super) fn quarantine_probed(&mut self, now: Moment) {
        let before = self.last_probe.filter(|check| now.since(check.at) < CALM);
        let interval = before.map_or(FIRST_INTERVAL, |check| (check.interval * 2).min(QUARANTINE));
        self.last_probe = Some(QuarantineProbe { at: now, interval });
    }

    /// Whether any endpoint is quarantined.
    pub(super) fn quarantines_any(&self, now: Moment) -> bool {
        self.quarantined.values().any(|pause| !pause.over(now))
    }

    /// What is known of a rejection of this generation, while it isn't known to be dead.
    pub(super) fn recall(&mut self, rejection: &Rejection, now: Moment) -> CachedVerdict {
        if self.quarantined.get(&rejection.endpoint).is_some_and(|pause| !pause.over(now)) {
            let may_have_died = self.may_have_died_since(rejection.sent_at, now);
            return if may_have_died { CachedVerdict::ProbeQuarantined } else { CachedVerdict::PassOn };
        }
        if let Some(alive) = self.alive {
            if rejection.replayed_alive && rejection.sent_at <= alive.asked {
                // The token lived before the replay was sent and after it: the endpoint is at
                // fault.
                self.quarantine(rejection.endpoint, now);
                return CachedVerdict::PassOn;
            }
            if !rejection.replayed_alive && rejection.sent_at < alive.reached.steady + ALIVE_SHARED {
                return CachedVerdict::Alive;
            }
        }
        if self.undecided.is_some_and(|pause| !pause.over(now)) {
            return CachedVerdict::PassOn;
        }
        if rejection.replayed_alive { CachedVerdict::Confirm } else { CachedVerdict::Unknown }
    }

    /// Whether a quarantined endpoint's rejection of a request sent at `sent_at` is worth a probe.
    fn may_have_died_since(&self, sent_at: Instant, now: Moment) -> bool {
        let known = self
            .alive
            .is_some_and(|alive| sent_at <= alive.asked || now.since(alive.reached) < FIRST_INTERVAL);
        let pauses = self.last_probe.is_some_and(|check| now.since(check.at) < check.interval)
            || self.undecided.is_some_and(|pause| !pause.over(now));
        !known && !pauses
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::super::moment::Moment;
    use super::{CachedVerdict, Rejection, Verdicts};
    use crate::observe::clock::Timestamp;

    struct Millis(Instant);

    impl Millis {
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
        let times = Millis(Instant::now());
        let mut verdicts = Verdicts::default();
        assert_eq!(verdicts.recall(&times.rejection(1, 0, false), times.moment(0)), CachedVerdict::Unknown);
        verdicts.found_alive(times.at(100), times.moment(110));
        let now = times.moment(60_000);
        assert_eq!(verdicts.recall(&times.rejection(1, 0, false), now), CachedVerdict::Alive);
        assert_eq!(verdicts.recall(&times.rejection(2, 2_100, false), now), CachedVerdict::Alive);
        assert_eq!(verdicts.recall(&times.rejection(2, 2_110, false), now), CachedVerdict::Unknown);
    }

    #[test]
    fn a_rejected_replay_asks_again_before_it_blames_the_endpoint() {
        let times = Millis(Instant::now());
        let mut verdicts = Verdicts::default();
        verdicts.found_alive(times.at(100), times.moment(110));
        let replay = times.rejection(1, 610, true);
        assert_eq!(verdicts.recall(&replay, times.moment(700)), CachedVerdict::Confirm);
        verdicts.found_alive(times.at(710), times.moment(720));
        assert_eq!(verdicts.recall(&replay, times.moment(720)), CachedVerdict::PassOn);
        let next = times.rejection(1, 20_000, false);
        assert_eq!(
            verdicts.recall(&next, times.moment(20_010)),
            CachedVerdict::ProbeQuarantined,
            "quarantined for 30 s"
        );
        let other = times.rejection(2, 20_000, false);
        assert_eq!(verdicts.recall(&other, times.moment(20_010)), CachedVerdict::Unknown, "others are not");
        assert_eq!(verdicts.recall(&next, times.moment(30_720)), CachedVerdict::Unknown);
    }

    #[test]
    fn after_an_undecided_look_the_next_one_comes_five_seconds_later() {
        let times = Millis(Instant::now());
        let mut verdicts = Verdicts::default();
        verdicts.undecided(times.moment(0));
        assert_eq!(
            verdicts.recall(&times.rejection(1, 10, false), times.moment(4_999)),
            CachedVerdict::PassOn
        );
        assert_eq!(
            verdicts.recall(&times.rejection(1, 10, false), times.moment(5_000)),
            CachedVerdict::Unknown
        );
    }

    #[test]
    fn a_quarantined_endpoints_rejections_have_the_token_probed_ever_less_often_while_it_is_alive() {
        let times = Millis(Instant::now());
        let mut verdicts = Verdicts::default();
        let mut looks = Vec::new();
        verdicts.found_alive(times.at(0), times.moment(0));
        for second in 0..120 {
            let (ms, now) = (second * 1000, times.moment(second * 1000));
            // The endpoint is found at fault again and again.
            if second % 30 == 0 {
                verdicts.quarantine(1, now);
            }
            match verdicts.recall(&times.rejection(1, ms, false), now) {
                CachedVerdict::PassOn => {}
                CachedVerdict::ProbeQuarantined => {
                    verdicts.found_alive(times.at(ms), now);
                    verdicts.quarantine_probed(now);
                    looks.push(second);
                }
                other => panic!("{second}: {other:?}"),
            }
        }
        assert_eq!(looks, [5, 10, 20, 40, 70, 100]);
        let calm = times.moment(200_000);
        verdicts.quarantine(1, calm);
        verdicts.quarantine_probed(calm);
        let soon = times.moment(205_000);
        assert_eq!(
            verdicts.recall(&times.rejection(1, 205_000, false), soon),
            CachedVerdict::ProbeQuarantined
        );
    }

    #[test]
    fn what_was_sent_before_the_token_was_found_alive_says_nothing_of_it() {
        let times = Millis(Instant::now());
        let mut verdicts = Verdicts::default();
        verdicts.found_alive(times.at(100), times.moment(110));
        verdicts.quarantine(1, times.moment(110));
        let now = times.moment(20_000);
        assert_eq!(verdicts.recall(&times.rejection(1, 100, false), now), CachedVerdict::PassOn);
        assert_eq!(verdicts.recall(&times.rejection(1, 101, false), now), CachedVerdict::ProbeQuarantined);
        verdicts.undecided(now);
        assert_eq!(verdicts.recall(&times.rejection(1, 101, false), now), CachedVerdict::PassOn);
    }
}
