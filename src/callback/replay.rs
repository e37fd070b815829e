//! Accepts each push once.
//!
//! An accepted push is refused when it comes again. WeChat itself repeats a push up to three times
//! if it gets no response within five seconds; if our `success` was lost, the repetition is refused
//! too and nothing is lost. A push that wasn't accepted is not remembered, so its repetition is
//! accepted.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;

use crate::observe::clock::Timestamp;
use crate::texts::text;
use crate::wechat::callback::{Push, Seal};

/// How far a push's timestamp may be from our clock: room for a machine whose time is off by
/// minutes and for WeChat's repetitions, and as short as the pause between two tickets.
const WINDOW: Duration = Duration::from_secs(10 * 60);
/// How old an event may be. Digits may wander between nonce and timestamp without breaking the
/// seal, so that a captured push may one day have a timestamp of today; when the event was made is
/// encrypted. A ticket is good for half as long.
const OLDEST_EVENT: Duration = Duration::from_secs(24 * 60 * 60);
/// Pushes of a platform that are remembered at once, some 600 KiB. WeChat sends a handful an hour,
/// and a push without the platform's keys is not remembered.
const MOST: usize = 10_000;

/// Why a push is refused although WeChat signed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("{}", text!("it was signed or created too long ago or in the future, or this machine's clock is wrong"))]
    Stale,
    #[error("{}", text!("it was received before"))]
    Replayed,
    /// Forgetting the oldest would let it in again; WeChat will repeat this one.
    #[error("{}", text!("more pushes arrived within minutes than can be remembered"))]
    Full,
}

/// A platform's pushes that may not come again.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<HashMap<Seal, Timestamp>>);

/// A push that is being processed; forgotten on drop unless [`Turn::keep`] was called.
#[derive(Debug)]
pub(super) struct Turn<'s> {
    seen: &'s Seen,
    seal: Option<Seal>,
}

/// Whether a push signed at `sent` is of now.
pub(super) fn check_age(sent: Timestamp, now: Timestamp) -> Result<(), Refused> {
    if apart(sent, now) > WINDOW { Err(Refused::Stale) } else { Ok(()) }
}

fn apart(one: Timestamp, other: Timestamp) -> Duration {
    one.since(other).max(other.since(one))
}

impl Seen {
    /// Lets a push in if it is of now and new.
    pub(super) fn admit(&self, push: &Push, now: Timestamp) -> Result<Turn<'_>, Refused> {
        check_age(push.sent, now)?;
        if apart(push.event.created(), now) > OLDEST_EVENT {
            return Err(Refused::Stale);
        }
        let mut seen = self.0.lock();
        seen.retain(|_, sent| check_age(*sent, now).is_ok());
        if seen.contains_key(&push.seal) {
            return Err(Refused::Replayed);
        }
        if seen.len() >= MOST {
            return Err(Refused::Full);
        }
        seen.insert(push.seal, push.sent);
        Ok(Turn { seen: self, seal: Some(push.seal) })
    }
}

impl Turn<'_> {
    /// The push was taken and may not come again.
    pub(super) fn keep(mut self) {
        self.seal = None;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(seal) = self.seal {
            self.seen.0.lock().remove(&seal);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{MOST, OLDEST_EVENT, Refused, Seen, WINDOW};
    use crate::observe::clock::Timestamp;
    use crate::wechat::callback::{Event, Push, Seal};

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn push(nonce: usize, sent: Timestamp, created: Timestamp) -> Push {
        let event = Event::Other { info_type: "x".into(), created };
        Push { event, sent, seal: Seal::of(["token", "time", &nonce.to_string(), "cipher"]) }
    }

    #[test]
    fn what_is_kept_stays_out_for_as_long_as_its_timestamp_would_let_it_in() {
        let seen = Seen::default();
        // A clock ahead of ours by the most that is allowed.
        let early = push(1, NOW.plus(WINDOW), NOW);
        seen.admit(&early, NOW).unwrap().keep();
        let last = NOW.plus(2 * WINDOW);
        assert_eq!(seen.admit(&early, last).unwrap_err(), Refused::Replayed);
        assert_eq!(seen.admit(&early, last.plus(Duration::from_millis(1))).unwrap_err(), Refused::Stale);
    }

    #[test]
    fn what_is_dropped_may_come_again() {
        let (seen, push) = (Seen::default(), push(1, NOW, NOW));
        let turn = seen.admit(&push, NOW).unwrap();
        assert_eq!(seen.admit(&push, NOW).unwrap_err(), Refused::Replayed, "under way");
        drop(turn);
        seen.admit(&push, NOW).unwrap().keep();
        assert_eq!(seen.admit(&push, NOW).unwrap_err(), Refused::Replayed);
    }

    #[test]
    fn an_old_event_is_refused_even_with_a_timestamp_of_now() {
        let seen = Seen::default();
        assert!(seen.admit(&push(1, NOW.plus(OLDEST_EVENT), NOW), NOW.plus(OLDEST_EVENT)).is_ok());
        let later = NOW.plus(OLDEST_EVENT).plus(Duration::from_secs(1));
        assert_eq!(seen.admit(&push(1, later, NOW), later).unwrap_err(), Refused::Stale);
        assert_eq!(seen.admit(&push(1, NOW, later), NOW).unwrap_err(), Refused::Stale);
    }

    #[test]
    fn a_full_memory_refuses_and_forgets_nothing() {
        let seen = Seen::default();
        for nonce in 0..MOST {
            seen.0.lock().insert(push(nonce, NOW, NOW).seal, NOW);
        }
        assert_eq!(seen.admit(&push(MOST, NOW, NOW), NOW).unwrap_err(), Refused::Full);
        assert_eq!(seen.admit(&push(0, NOW, NOW), NOW).unwrap_err(), Refused::Replayed);
        let later = NOW.plus(WINDOW).plus(Duration::from_secs(1));
        assert!(seen.admit(&push(MOST, later, NOW), later).is_ok());
        assert!(seen.0.lock().is_empty());
    }
}
