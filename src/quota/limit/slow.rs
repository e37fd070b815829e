//! WeChat's own limits, once they were met: the endpoint is called at a slow pace until WeChat's
//! window ends, so that refused calls don't cost what is left, and the end of the window is
//! noticed.
//!
//! 45011 counts a minute and 45009 a day (FACTS 5); WeCom's 45009 counts minutes. Windows are taken
//! to end with our clock's minute and Beijing's day; if WeChat's don't, its next answer says so.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use super::{Kind, Refusal};
use crate::observe::clock::{Clock, Timestamp};
use crate::wechat::Family;

/// Accounts times endpoints that are slowed at once; what comes beyond goes on at full pace.
const MOST: usize = 10_000;

/// What WeChat refused.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The app's name.
    pub app: &'a Arc<str>,
    /// The account that is acted for: WeChat counts for each.
    pub account: &'a str,
    /// As catalogued, or as it is called.
    pub path: &'a str,
    /// Whose endpoint it is.
    pub family: Family,
}

/// An endpoint that is called at a slow pace.
#[derive(Debug)]
pub struct Slowed {
    app: Arc<str>,
    code: i64,
    family: Family,
    until: Timestamp,
    /// When the next request is let through, in milliseconds.
    next: AtomicI64,
}

/// By account, then by path.
type Known = HashMap<Arc<str>, HashMap<Arc<str>, Arc<Slowed>>>;

/// What is slowed. Costs a request one relaxed load while nothing is.
#[derive(Debug)]
pub struct Slow {
    count: AtomicUsize,
    known: ArcSwap<Known>,
    /// Locked for a change, which is rare.
    changing: Mutex<()>,
    clock: Clock,
}

impl Slowed {
    fn new(subject: Subject<'_>, code: i64, now: Timestamp) -> Self {
        let Subject { app, family, .. } = subject;
        let mut slowed = Self {
            app: Arc::clone(app),
            code,
            family,
            until: Timestamp((now.0.div_euclid(60_000) + 1) * 60_000),
            next: AtomicI64::default(),
        };
        if slowed.is_daily() {
            slowed.until = now.beijing_midnight();
        }
        slowed.next = AtomicI64::new(now.plus(slowed.gap()).0);
        slowed
    }

    fn is_daily(&self) -> bool {
        self.code == 45009 && self.family != Family::Work
    }

    /// Between two requests that are let through.
    fn gap(&self) -> Duration {
        if self.is_daily() { Duration::from_secs(60) } else { Duration::from_secs(5) }
    }

    /// Whether this request is one of the few.
    fn lets_through(&self, now: Timestamp) -> bool {
        let next = self.next.load(Ordering::Relaxed);
        let following = now.plus(self.gap()).0;
        // Nor must a clock that was set back shut the endpoint.
        (now.0 >= next || next > following)
            && self.next.compare_exchange(next, following, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    fn refusal(&self, path: &str, now: Timestamp) -> Refusal {
        let (until, pace) = match self.is_daily() {
            true => ("midnight in Beijing", "a minute"),
            false => ("the end of this minute", "every five seconds"),
        };
        let (code, app) = (self.code, &self.app);
        Refusal {
            kind: if code == 45009 { Kind::Quota } else { Kind::Rate },
            text: format!(
                "WeChat itself refused {path} for app {app} with {code}; until {until} only one request {pace} is sent on"
            ),
            retry_after: self.until.since(now),
        }
    }
}

impl Slow {
    pub(super) fn new(clock: Clock) -> Self {
        Self { count: AtomicUsize::new(0), known: ArcSwap::default(), changing: Mutex::default(), clock }
    }

    /// Whether anything is slowed at all.
    pub fn is_any(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0
    }

    /// Lets a request through, unless it is to be spared.
    ///
    /// # Errors
    /// WeChat would refuse it.
    pub fn check(&self, subject: Subject<'_>) -> Result<(), Refusal> {
        let known = self.known.load();
        let found = known.get(subject.account).and_then(|paths| paths.get(subject.path));
        let Some(slowed) = found else { return Ok(()) };
        let now = self.clock.now();
        if now >= slowed.until {
            self.end(subject);
        } else if !slowed.lets_through(now) {
            return Err(slowed.refusal(subject.path, now));
        }
        Ok(())
    }

    /// WeChat refused with this code.
    pub fn learn(&self, subject: Subject<'_>, code: i64) {
        let now = self.clock.now();
        let slowed = Slowed::new(subject, code, now);
        let known = self.known.load();
        let there = known.get(subject.account).and_then(|paths| paths.get(subject.path));
        if there.is_some_and(|there| there.until >= slowed.until) {
            // A burst of refusals is one piece of news, and a day is not shortened to a minute.
            return;
        }
        let (app, path, slowed) = (subject.app, subject.path, Arc::new(slowed));
        tracing::warn!(%app, path, code, "WeChat refuses this endpoint for its limits: it is called at a slow pace");
        self.change(|known| {
            for paths in known.values_mut() {
                paths.retain(|_, slowed| now < slowed.until);
            }
            if count(known) < MOST {
                known.entry(subject.account.into()).or_default().insert(path.into(), slowed);
            }
        });
    }

    /// WeChat took a call.
    pub fn end(&self, subject: Subject<'_>) {
        let there =
            self.known.load().get(subject.account).is_some_and(|paths| paths.contains_key(subject.path));
        if there {
            self.change(|known| {
                if let Some(paths) = known.get_mut(subject.account) {
                    paths.remove(subject.path);
                }
            });
        }
    }

    /// WeChat's counters of this app were set to zero, or the one of `path`.
    pub fn forget(&self, app: &str, path: Option<&str>) {
        self.change(|known| {
            for paths in known.values_mut() {
                paths.retain(|of, slowed| *slowed.app != *app || path.is_some_and(|path| **of != *path));
            }
        });
    }

    pub(super) fn slowed(&self) -> Vec<(Arc<str>, Arc<str>, Timestamp)> {
        let now = self.clock.now();
        let known = self.known.load();
        let all = known.values().flatten().filter(|(_, slowed)| now < slowed.until);
        let mut slowed: Vec<_> =
            all.map(|(path, slowed)| (Arc::clone(&slowed.app), Arc::clone(path), slowed.until)).collect();
        slowed.sort();
        slowed
    }

    fn change(&self, change: impl FnOnce(&mut Known)) {
        // In turn, or the count would not be that of the map.
        let _turn = self.changing.lock();
        let mut known = Known::clone(&self.known.load());
        change(&mut known);
        known.retain(|_, paths| !paths.is_empty());
        self.count.store(count(&known), Ordering::Relaxed);
        self.known.store(Arc::new(known));
    }
}

fn count(known: &Known) -> usize {
    known.values().map(HashMap::len).sum()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Kind, Slow, Subject};
    use crate::observe::clock::Clock;
    use crate::wechat::Family;

    fn start() -> (Clock, Slow, Arc<str>) {
        let clock = Clock::default();
        // Early in a Beijing day, at the beginning of a minute.
        clock.advance(16 * 3_600_000 - clock.now().0);
        (clock.clone(), Slow::new(clock), "shop".into())
    }

    fn subject<'a>(app: &'a Arc<str>, account: &'a str) -> Subject<'a> {
        Subject { app, account, path: "/x", family: Family::Api }
    }

    #[test]
    fn a_minute_limit_lets_one_through_every_five_seconds_until_the_minute_ends() {
        let (clock, slow, app) = start();
        let subject = subject(&app, "wx1");
        slow.check(subject).expect("nothing is known");
        slow.learn(subject, 45011);
        let refused = slow.check(subject).expect_err("slowed");
        assert_eq!(refused.kind, Kind::Rate);
        assert!((55..=60).contains(&refused.retry_after.as_secs()), "{refused:?}");
        clock.advance(5_000);
        slow.check(subject).expect("the next one");
        slow.check(subject).expect_err("and no more");
        clock.advance(55_000);
        slow.check(subject).expect("another minute");
        assert!(!slow.is_any());
    }

    #[test]
    fn a_day_limit_lets_one_through_a_minute_until_midnight_in_beijing() {
        let (clock, slow, app) = start();
        let subject = subject(&app, "wx1");
        slow.learn(subject, 45009);
        clock.advance(59_000);
        assert_eq!(slow.check(subject).expect_err("slowed").kind, Kind::Quota);
        slow.learn(subject, 45011);
        clock.advance(1_000);
        slow.check(subject).expect("the next one");
        slow.check(subject).expect_err("the day's limit holds on");
        assert_eq!(slow.slowed()[0].2, clock.now().beijing_midnight());
        clock.advance(86_400_000);
        assert!(slow.slowed().is_empty());
        slow.check(subject).expect("another day");
    }

    #[test]
    fn a_clock_that_is_set_back_shuts_nothing() {
        let (clock, slow, app) = start();
        slow.learn(subject(&app, "wx1"), 45011);
        clock.advance(-3_600_000);
        slow.check(subject(&app, "wx1")).expect("one is let through, and may end it");
    }

    #[test]
    fn wecom_counts_minutes_by_45009() {
        let (clock, slow, app) = start();
        let subject = Subject { family: Family::Work, ..subject(&app, "ww1") };
        slow.learn(subject, 45009);
        assert!(slow.check(subject).expect_err("slowed").retry_after.as_secs() <= 60);
        clock.advance(60_000);
        slow.check(subject).expect("another minute");
    }

    #[test]
    fn accounts_are_slowed_apart_and_forgotten_with_their_app() {
        let (_, slow, app) = start();
        slow.learn(subject(&app, "wx1"), 45009);
        slow.learn(subject(&app, "wx2"), 45009);
        slow.check(subject(&app, "wx3")).expect("another account");
        slow.end(subject(&app, "wx1"));
        slow.check(subject(&app, "wx1")).expect("it was taken");
        slow.check(subject(&app, "wx2")).expect_err("slowed");
        slow.forget("game", None);
        assert!(slow.is_any());
        slow.forget("shop", None);
        assert!(!slow.is_any());
    }
}
