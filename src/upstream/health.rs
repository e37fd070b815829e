//! What is held against a host, and whether requests go there.
//!
//! While all is well a request reads one atomic and writes nothing; the lock is taken over a
//! failure alone.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::texts::{Words, text};

/// A failure, seen on a request or a probe.
#[derive(Debug)]
pub(super) enum Evidence {
    /// No connection: it counts at once, as in nginx. Nothing was sent, so trying elsewhere costs
    /// nothing.
    Unconnected(Words),
    /// No response in time.
    Silent(Duration),
    /// The connection broke before a response.
    Broken(Words),
    /// A status of 500 or above.
    Status(u16),
    /// A connection that had served before was closed without a byte of a response. It may have
    /// been an idle close that crossed the request, so a probe alone decides.
    Stale,
    /// A caller lost patience before the response timeout did. It may have been the caller's haste:
    /// the same.
    GivenUp(Duration),
}

/// Points at which a host is unhealthy; a response below 500 clears them.
const UNHEALTHY_AT: u32 = 15;
/// Probes in a row that bring a host back.
const GOOD_PROBES: u32 = 2;
/// A host that fails again so soon after it came back has to pass twice as many.
const RELAPSE: Duration = Duration::from_secs(60);
const MOST_DOUBLINGS: u32 = 4;
/// Between two probes of an unhealthy host.
pub(super) const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

impl Evidence {
    /// Three in a row of what a broken host does; five, as Envoy has it, of what may be one
    /// endpoint's fault.
    fn points(&self) -> u32 {
        match self {
            Self::Unconnected(_) => UNHEALTHY_AT,
            Self::Silent(_) | Self::Broken(_) | Self::Status(502..=504) => 5,
            Self::Status(_) => 3,
            Self::Stale | Self::GivenUp(_) => 0,
        }
    }

    /// Whether requests keep away until a probe has succeeded. Not because of a response: WeChat's
    /// gateways have a bad moment now and then, and each detour would find the other host's tokens
    /// a little behind.
    fn is_suspect(&self) -> bool {
        !matches!(self, Self::Status(_))
    }
}

impl std::fmt::Display for Evidence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unconnected(cause) => write!(f, "{cause}"),
            Self::Silent(limit) => {
                write!(f, "{}", text!("no response within {limit}", limit = format_args!("{limit:?}")))
            }
            Self::Broken(cause) => {
                write!(f, "{}", text!("the connection was closed before a response: {cause}", cause))
            }
            Self::Status(status) => write!(f, "{}", text!("HTTP status {status}", status)),
            Self::Stale => write!(f, "{}", text!("the connection was closed while a request was sent")),
            Self::GivenUp(waited) => {
                write!(f, "{}", text!("a caller gave up after {seconds} s", seconds = waited.as_secs()))
            }
        }
    }
}

/// What the atomic holds.
const CLEAR: u8 = 0;
/// In use, with something against it.
const MARKED: u8 = 1;
/// Avoided until a probe has succeeded.
const SUSPECT: u8 = 2;
const UNHEALTHY: u8 = 3;

/// A host's health, shared by all workers and the control client.
#[derive(Debug)]
pub(super) struct Health {
    mark: AtomicU8,
    /// Where there is no other host no probe decides: a response to a request does.
    alone: bool,
    record: Mutex<Record>,
}

#[derive(Debug, Default)]
struct Record {
    points: u32,
    problem: Option<Words>,
    /// When it was last said to be suspect or unhealthy.
    since: Option<Instant>,
    /// A task probes this host.
    watched: bool,
    /// Good probes in a row, and how many it takes.
    good: u32,
    needed: u32,
    doublings: u32,
    back_since: Option<Instant>,
    pause: Duration,
}

/// What has changed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    None,
    /// No task probes it yet: one must be started.
    Watch,
    /// It is unhealthy from now on; `watch` as above.
    Unhealthy {
        watch: bool,
    },
    /// It is healthy again.
    Healthy,
}

/// What a probe came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Probe again after this time.
    After(Duration),
    /// The same, and the host is unhealthy from now on.
    Unhealthy(Duration),
    /// No more probes are needed.
    Done { healthy_again: bool },
}

impl Health {
    pub(super) fn new(alone: bool) -> Self {
        Self { mark: AtomicU8::new(CLEAR), alone, record: Mutex::default() }
    }

    /// Whether requests go there, if there is a choice.
    pub(super) fn is_fit(&self) -> bool {
        self.mark.load(Ordering::Relaxed) <= MARKED
    }

    /// Whether only a probe stands between it and requests.
    pub(super) fn is_suspect(&self) -> bool {
        self.mark.load(Ordering::Relaxed) == SUSPECT
    }

    /// Why it is unhealthy, if it is.
    pub(super) fn problem(&self) -> Option<Words> {
        let record = self.record.lock();
        if self.mark.load(Ordering::Relaxed) == UNHEALTHY { record.problem.clone() } else { None }
    }

    /// A request that began at `began` got a response.
    pub(super) fn succeeded(&self, began: Instant) -> Change {
        // Of an unhealthy host the responses still under way say little; probes decide.
        let mark = self.mark.load(Ordering::Relaxed);
        if mark == CLEAR || (mark == UNHEALTHY && !self.alone) {
            return Change::None;
        }
        let mut record = self.record.lock();
        match self.mark.load(Ordering::Relaxed) {
            UNHEALTHY if !self.alone => Change::None,
            // The response was on its way already when another request failed: failures are no
            // longer in a row, but it doesn't show whether the host still responds.
            SUSPECT | UNHEALTHY if record.since.is_some_and(|since| began < since) => {
                record.points = 0;
                Change::None
            }
            before => {
                record.points = 0;
                record.problem = None;
                self.mark.store(CLEAR, Ordering::Relaxed);
                if before == UNHEALTHY { Change::Healthy } else { Change::None }
            }
        }
    }

    /// A request failed.
    pub(super) fn failed(&self, evidence: &Evidence) -> Change {
        let mut record = self.record.lock();
        if self.mark.load(Ordering::Relaxed) == UNHEALTHY {
            return Change::None;
        }
        record.points += evidence.points();
        if record.points >= UNHEALTHY_AT {
            self.condemn(&mut record, evidence);
            let watch = !self.alone && !std::mem::replace(&mut record.watched, true);
            return Change::Unhealthy { watch };
        }
        let suspect = evidence.is_suspect() || self.mark.load(Ordering::Relaxed) == SUSPECT;
        self.mark.store(if suspect { SUSPECT } else { MARKED }, Ordering::Relaxed);
        if suspect {
            record.since = Some(Instant::now());
        }
        if self.alone || std::mem::replace(&mut record.watched, true) {
            return Change::None;
        }
        Change::Watch
    }

    /// A probe got a response, or not.
    pub(super) fn probed(&self, failure: Option<&Evidence>) -> Next {
        let mut record = self.record.lock();
        let mark = self.mark.load(Ordering::Relaxed);
        match (mark, failure) {
            // A request got a response meanwhile.
            (CLEAR, _) => {
                record.watched = false;
                Next::Done { healthy_again: false }
            }
            (MARKED | SUSPECT, None) => {
                self.mark.store(if record.points > 0 { MARKED } else { CLEAR }, Ordering::Relaxed);
                record.watched = false;
                Next::Done { healthy_again: false }
            }
            (MARKED | SUSPECT, Some(evidence)) => {
                self.condemn(&mut record, evidence);
                Next::Unhealthy(record.pause)
            }
            (_, None) => {
                record.good += 1;
                if record.good < record.needed {
                    return Next::After(SHORTEST_PAUSE);
                }
                record.points = 0;
                record.problem = None;
                record.watched = false;
                record.back_since = Some(Instant::now());
                self.mark.store(CLEAR, Ordering::Relaxed);
                Next::Done { healthy_again: true }
            }
            (_, Some(_)) => {
                record.good = 0;
                record.pause = (record.pause * 2).min(LONGEST_PAUSE);
                Next::After(record.pause)
            }
        }
    }

    fn condemn(&self, record: &mut Record, evidence: &Evidence) {
        let relapse = record.back_since.is_some_and(|since| since.elapsed() < RELAPSE);
        record.doublings = if relapse { (record.doublings + 1).min(MOST_DOUBLINGS) } else { 0 };
        record.needed = GOOD_PROBES << record.doublings;
        record.good = 0;
        record.pause = SHORTEST_PAUSE;
        record.problem = Some(Words::of(|| evidence.to_string()));
        record.since = Some(Instant::now());
        self.mark.store(UNHEALTHY, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> Evidence {
        Evidence::Unconnected(Words::untranslated("refused"))
    }

    #[test]
    fn a_host_that_takes_no_connection_is_unhealthy_until_probes_are_answered() {
        let health = Health::new(false);
        assert_eq!(health.failed(&refused()), Change::Unhealthy { watch: true });
        assert_eq!((health.is_fit(), health.problem()), (false, Some(Words::untranslated("refused"))));
        assert_eq!(health.failed(&refused()), Change::None);
        // A response still under way brings nothing back.
        assert_eq!(health.succeeded(Instant::now()), Change::None);
        assert_eq!(health.probed(None), Next::After(SHORTEST_PAUSE));
        assert_eq!(health.probed(Some(&refused())), Next::After(SHORTEST_PAUSE * 2));
        assert_eq!(health.probed(None), Next::After(SHORTEST_PAUSE));
        assert_eq!(health.probed(None), Next::Done { healthy_again: true });
        assert!(health.is_fit() && health.problem().is_none());
    }

    #[test]
    fn a_relapse_takes_twice_as_many_probes() {
        let health = Health::new(false);
        let probes = || {
            assert!(matches!(health.failed(&refused()), Change::Unhealthy { watch: true }));
            (1..100).find(|_| health.probed(None) == Next::Done { healthy_again: true })
        };
        assert_eq!([probes(), probes(), probes()], [Some(2), Some(4), Some(8)]);
    }

    #[test]
    fn silence_sends_requests_elsewhere_only_until_a_probe_is_answered() {
        let health = Health::new(false);
        assert_eq!(health.failed(&Evidence::Silent(SHORTEST_PAUSE)), Change::Watch);
        assert!(!health.is_fit() && health.is_suspect());
        assert_eq!(health.probed(None), Next::Done { healthy_again: false });
        assert!(health.is_fit());
        // There was no response since: the third in a row is one too many, whatever probes say.
        assert_eq!(health.failed(&Evidence::Broken(Words::untranslated("reset"))), Change::Watch);
        assert_eq!(health.failed(&Evidence::Status(503)), Change::Unhealthy { watch: false });
    }

    #[test]
    fn a_few_bad_answers_among_good_ones_change_nothing() {
        let health = Health::new(false);
        for _ in 0..100 {
            assert_eq!(health.failed(&Evidence::Status(502)), Change::Watch);
            assert!(health.is_fit());
            assert_eq!(health.failed(&Evidence::Status(502)), Change::None);
            assert_eq!(health.succeeded(Instant::now()), Change::None);
            // The probe may ask for what this host doesn't have.
            assert_eq!(health.probed(Some(&Evidence::Status(503))), Next::Done { healthy_again: false });
            assert!(health.is_fit());
        }
    }

    #[test]
    fn a_bad_answer_that_a_probe_confirms_is_enough() {
        let health = Health::new(false);
        assert_eq!(health.failed(&Evidence::Status(500)), Change::Watch);
        assert_eq!(health.probed(Some(&Evidence::Status(500))), Next::Unhealthy(SHORTEST_PAUSE));
        assert!(!health.is_fit());
    }

    #[test]
    fn an_answer_that_was_on_its_way_as_a_host_failed_brings_no_request_back() {
        let health = Health::new(false);
        let earlier = Instant::now() - SHORTEST_PAUSE;
        let broken = Evidence::Broken(Words::untranslated("reset"));
        assert_eq!(health.failed(&broken), Change::Watch);
        assert_eq!((health.succeeded(earlier), health.is_fit()), (Change::None, false));
        // But failures aren't in a row any more.
        assert_eq!([health.failed(&broken), health.failed(&broken)], [Change::None, Change::None]);
        assert_eq!(health.probed(None), Next::Done { healthy_again: false });
        assert!(health.is_fit());

        let alone = Health::new(true);
        assert_eq!(alone.failed(&refused()), Change::Unhealthy { watch: false });
        assert_eq!((alone.succeeded(earlier), alone.problem().is_some()), (Change::None, true));
        assert_eq!(alone.succeeded(Instant::now()), Change::Healthy);
    }

    #[test]
    fn a_host_alone_is_never_probed_and_back_with_its_first_answer() {
        let health = Health::new(true);
        assert_eq!(health.failed(&Evidence::Silent(SHORTEST_PAUSE)), Change::None);
        assert_eq!(health.failed(&refused()), Change::Unhealthy { watch: false });
        assert_eq!(health.succeeded(Instant::now()), Change::Healthy);
        assert_eq!(health.problem(), None);
    }
}
