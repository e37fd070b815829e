//! WeChat's own limits, once they were met: the endpoint gets single requests at growing intervals
//! until WeChat takes one, so that refused calls don't cost what is left, and the end of the limit
//! is noticed.
//!
//! Whether it is a minute's or a day's the code doesn't say, and the catalogue's `window` only that
//! 45009 may be a minute's. So none is guessed.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use ring::digest::{SHA256, digest};
use tokio::time::Instant;

use super::{Kind, Refusal};
use crate::observe::clock::{Clock, Timestamp};
use crate::observe::hex::hex;
use crate::texts::{text, words};

/// Accounts times endpoints that are slowed at once; what comes beyond goes on at full pace.
const MOST: usize = 10_000;
/// Of these the robots of one app: their keys are the callers' to make up.
const MOST_ROBOTS: usize = 1_000;
/// Seconds between single requests.
const INTERVALS: [u64; 6] = [2, 4, 8, 16, 32, 60];
/// A limit that comes back within this goes on at the interval at which it had ended. What is
/// slowed and isn't called for so long is forgotten.
const REMEMBERED: Duration = Duration::from_secs(60);

/// What WeChat refused.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    app: &'a Arc<str>,
    account: Cow<'a, str>,
    robot: bool,
    path: &'a str,
}

impl<'a> Subject<'a> {
    /// An endpoint, whose `path` is as catalogued or as it is called, for the account that `app`
    /// acts for: WeChat counts for each.
    pub fn new(app: &'a Arc<str>, account: &'a str, path: &'a str) -> Self {
        Self { app, account: account.into(), robot: false, path }
    }

    /// The robot with this key, which WeCom counts for itself. The key is a credential, so only its
    /// digest is kept.
    #[must_use]
    pub fn robot(self, key: &str) -> Self {
        let digest = hex(digest(&SHA256, key.as_bytes()));
        Self { account: format!("{} robot {digest}", self.account).into(), robot: true, ..self }
    }
}

/// An endpoint that WeChat refused for its limits.
#[derive(Debug)]
struct Slowed {
    app: Arc<str>,
    robot: bool,
    code: i64,
    /// WeChat's.
    words: Option<Arc<str>>,
    /// The response to what was sent before says nothing new.
    as_of: Instant,
    /// When WeChat took a call again.
    ended: Option<Timestamp>,
    /// How many intervals have begun after the first.
    step: AtomicUsize,
    /// When the next request is let through, in milliseconds.
    next: AtomicI64,
}

/// By account, then by path.
type SlowedByAccount = HashMap<Arc<str>, HashMap<Arc<str>, Arc<Slowed>>>;

/// What is slowed. Costs a request one relaxed load while nothing is.
#[derive(Debug)]
pub struct Slow {
    count: AtomicUsize,
    known: ArcSwap<SlowedByAccount>,
    /// Locked for a change, which is rare.
    changing: Mutex<()>,
    clock: Clock,
}

impl Slowed {
    fn step(&self) -> usize {
        self.step.load(Ordering::Relaxed)
    }

    fn next(&self) -> Timestamp {
        Timestamp(self.next.load(Ordering::Relaxed))
    }

    fn is_active(&self) -> bool {
        self.ended.is_none()
    }

    /// Whether it says anything of what comes.
    fn matters(&self, now: Timestamp) -> bool {
        now < self.ended.unwrap_or_else(|| self.next()).plus(REMEMBERED)
    }

    /// Whether this request is one of the few.
    fn lets_through(&self, now: Timestamp) -> bool {
        let (next, step) = (self.next(), self.step() + 1);
        // Nor must a clock that was set back shut the endpoint.
        let is_time = now >= next || next > now.plus(interval(usize::MAX));
        let following = now.plus(interval(step)).0;
        let is_first = is_time
            && self.next.compare_exchange(next.0, following, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if is_first {
            self.step.store(step, Ordering::Relaxed);
        }
        is_first
    }

    fn refusal(&self, now: Timestamp) -> Refusal {
        let (code, retry_after) = (self.code, self.next().since(now));
        let text = match (self.robot, self.words.as_deref()) {
            (false, None) => {
                words!("WeChat's own limit (errcode {code}): only single calls pass (app.slow_down)", code)
            }
            (false, Some(errmsg)) => words!(
                "WeChat's own limit (errcode {code}, {errmsg}): only single calls pass (app.slow_down)",
                code,
                errmsg
            ),
            (true, None) => words!(
                "WeChat's own limit for this robot (errcode {code}): only single calls pass (app.slow_down)",
                code
            ),
            (true, Some(errmsg)) => words!(
                "WeChat's own limit for this robot (errcode {code}, {errmsg}): only single calls pass \
                 (app.slow_down)",
                code,
                errmsg
            ),
        };
        Refusal { kind: if code == 45009 { Kind::Quota } else { Kind::Rate }, text, retry_after }
    }
}

fn interval(step: usize) -> Duration {
    Duration::from_secs(INTERVALS[step.min(INTERVALS.len() - 1)])
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
    pub fn check(&self, subject: &Subject<'_>) -> Result<(), Refusal> {
        let Some(slowed) = self.find(subject).filter(|slowed| slowed.is_active()) else { return Ok(()) };
        let now = self.clock.now();
        if slowed.lets_through(now) { Ok(()) } else { Err(slowed.refusal(now)) }
    }

    /// WeChat refused a request that was sent at this time, with this code and in these words.
    pub fn learn(&self, subject: &Subject<'_>, code: i64, words: Option<&str>, sent_at: Instant) {
        let now = self.clock.now();
        let there = self.find(subject).filter(|there| there.is_active() || there.matters(now));
        let (step, next) = match &there {
            // Of a burst of refusals the first is the news.
            Some(there) if sent_at < there.as_of || there.is_active() && there.code == code => return,
            Some(there) if there.is_active() => (there.step(), there.next()),
            Some(there) => {
                // The last one that was waited for.
                let step = there.step().saturating_sub(1);
                (step, now.plus(interval(step)))
            }
            None => (0, now.plus(interval(0))),
        };
        let (app, path) = (subject.app, subject.path);
        if there.is_none() {
            let text = text!("WeChat's own limit is reached at this endpoint; slowing down calls to it");
            tracing::warn!(%app, path, code, "{text}");
        }
        let slowed = Slowed {
            app: Arc::clone(app),
            robot: subject.robot,
            code,
            words: words.map(Arc::from),
            as_of: Instant::now(),
            ended: None,
            step: AtomicUsize::new(step),
            next: AtomicI64::new(next.0),
        };
        self.change(|known| {
            for paths in known.values_mut() {
                paths.retain(|_, slowed| slowed.matters(now));
            }
            if there.is_some() || has_room(known, subject) {
                let paths = known.entry(Arc::from(&*subject.account)).or_default();
                paths.insert(path.into(), Arc::new(slowed));
            }
        });
    }

    /// WeChat took a call that was sent at this time.
    pub fn end(&self, subject: &Subject<'_>, sent_at: Instant) {
        let there = self.find(subject).filter(|there| there.is_active() && sent_at >= there.as_of);
        let Some(there) = there else { return };
        let ended = Slowed {
            app: Arc::clone(&there.app),
            words: None,
            as_of: Instant::now(),
            ended: Some(self.clock.now()),
            step: AtomicUsize::new(there.step()),
            next: AtomicI64::default(),
            ..*there
        };
        self.change(|known| {
            if let Some(slowed) = known.get_mut(&*subject.account).and_then(|of| of.get_mut(subject.path)) {
                *slowed = Arc::new(ended);
            }
        });
    }

    /// WeChat's counters of this app were set to zero, or the one of `path`.
    pub fn forget(&self, app: &str, path: Option<&str>) {
        self.change(|known| {
            for paths in known.values_mut() {
                paths.retain(|of, slowed| *slowed.app != *app || path.is_some_and(|path| **of != *path));
            }
        });
    }

    /// App, path, and when the next request is let through.
    pub(super) fn slowed(&self) -> Vec<(Arc<str>, Arc<str>, Timestamp)> {
        let now = self.clock.now();
        let known = self.known.load();
        let all = known.values().flatten().filter(|(_, slowed)| slowed.is_active() && now < slowed.next());
        let mut slowed: Vec<_> =
            all.map(|(path, slowed)| (Arc::clone(&slowed.app), Arc::clone(path), slowed.next())).collect();
        slowed.sort();
        slowed
    }

    fn find(&self, subject: &Subject<'_>) -> Option<Arc<Slowed>> {
        self.known.load().get(&*subject.account)?.get(subject.path).map(Arc::clone)
    }

    fn change(&self, change: impl FnOnce(&mut SlowedByAccount)) {
        // In turn, or the count would not be that of the map.
        let _turn = self.changing.lock();
        let mut known = SlowedByAccount::clone(&self.known.load());
        change(&mut known);
        known.retain(|_, paths| !paths.is_empty());
        let active = known.values().flat_map(HashMap::values).filter(|slowed| slowed.is_active());
        self.count.store(active.count(), Ordering::Relaxed);
        self.known.store(Arc::new(known));
    }
}

fn has_room(known: &SlowedByAccount, subject: &Subject<'_>) -> bool {
    let all = || known.values().flat_map(HashMap::values);
    let robots = || all().filter(|slowed| slowed.robot && slowed.app == *subject.app).count();
    all().count() < MOST && (!subject.robot || robots() < MOST_ROBOTS)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::time::{Instant, advance};

    use super::{Kind, MOST_ROBOTS, Slow, Subject};
    use crate::observe::clock::Clock;

    fn start() -> (Slow, Arc<str>) {
        (Slow::new(Clock::simulated()), "shop".into())
    }

    fn learn(slow: &Slow, subject: &Subject<'_>, code: i64) {
        slow.learn(subject, code, Some("WeChat's words"), Instant::now());
    }

    fn end(slow: &Slow, subject: &Subject<'_>) {
        slow.end(subject, Instant::now());
    }

    /// Seconds until the next request is let through, which then is.
    async fn waits(slow: &Slow, subject: &Subject<'_>) -> u64 {
        let wait = slow.check(subject).expect_err("slowed").retry_after;
        advance(wait - Duration::from_millis(1)).await;
        slow.check(subject).expect_err("not yet");
        advance(Duration::from_millis(1)).await;
        slow.check(subject).expect("this one");
        slow.check(subject).expect_err("and no more");
        wait.as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn single_requests_pass_at_growing_intervals_whatever_the_code() {
        for (code, kind) in [(45009, Kind::Quota), (45011, Kind::Rate)] {
            let (slow, app) = start();
            let subject = Subject::new(&app, "wx1", "/x");
            slow.check(&subject).expect("nothing is known");
            learn(&slow, &subject, code);
            let refusal = slow.check(&subject).expect_err("slowed");
            assert_eq!(refusal.kind, kind);
            let text = refusal.text.to_string();
            assert!(text.contains(&format!("own limit (errcode {code}, WeChat's words)")), "{text}");
            for expected in [2, 4, 8, 16, 32, 60, 60, 60] {
                assert_eq!(waits(&slow, &subject).await, expected);
                learn(&slow, &subject, code);
            }
            end(&slow, &subject);
            slow.check(&subject).expect("it was taken");
            assert!(!slow.is_any());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_that_comes_back_within_a_minute_begins_at_the_last_interval() {
        let (slow, app) = start();
        let subject = Subject::new(&app, "wx1", "/x");
        learn(&slow, &subject, 45009);
        for expected in [2, 4, 8] {
            assert_eq!(waits(&slow, &subject).await, expected);
        }
        end(&slow, &subject);
        advance(Duration::from_secs(59)).await;
        learn(&slow, &subject, 45009);
        assert_eq!([waits(&slow, &subject).await, waits(&slow, &subject).await], [8, 16]);
        end(&slow, &subject);
        advance(Duration::from_secs(60)).await;
        learn(&slow, &subject, 45009);
        assert_eq!(waits(&slow, &subject).await, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_sent_before_is_no_news() {
        let (slow, app) = start();
        let subject = Subject::new(&app, "wx1", "/x");
        let before = Instant::now();
        advance(Duration::from_millis(1)).await;
        learn(&slow, &subject, 45009);
        slow.end(&subject, before);
        slow.check(&subject).expect_err("a call from before the limit doesn't end it");
        waits(&slow, &subject).await;
        end(&slow, &subject);
        slow.learn(&subject, 45009, None, before);
        slow.check(&subject).expect("a refusal from before its end doesn't bring it back");
    }

    #[tokio::test(start_paused = true)]
    async fn another_code_changes_the_words_and_not_the_pace() {
        let (slow, app) = start();
        let subject = Subject::new(&app, "wx1", "/x");
        learn(&slow, &subject, 45011);
        assert_eq!(waits(&slow, &subject).await, 2);
        slow.learn(&subject, 45009, Some("other words"), Instant::now());
        let refusal = slow.check(&subject).expect_err("slowed");
        assert_eq!((refusal.kind, refusal.retry_after.as_secs()), (Kind::Quota, 4));
        assert!(refusal.text.to_string().contains("errcode 45009, other words"), "{refusal:?}");
        assert_eq!(waits(&slow, &subject).await, 4);
    }

    #[test]
    fn a_clock_that_is_set_back_shuts_nothing() {
        let (clock, app) = (Clock::default(), "shop".into());
        let (slow, subject) = (Slow::new(clock.clone()), Subject::new(&app, "wx1", "/x"));
        learn(&slow, &subject, 45011);
        clock.advance(-3_600_000);
        slow.check(&subject).expect("one is let through, and may end it");
    }

    #[tokio::test(start_paused = true)]
    async fn accounts_are_slowed_apart_and_forgotten_with_their_app() {
        let (slow, app) = start();
        let [one, two, three] = ["wx1", "wx2", "wx3"].map(|account| Subject::new(&app, account, "/x"));
        learn(&slow, &one, 45009);
        learn(&slow, &two, 45009);
        slow.check(&three).expect("another account");
        end(&slow, &one);
        slow.check(&one).expect("it was taken");
        slow.check(&two).expect_err("slowed");
        assert_eq!(slow.slowed().len(), 1);
        slow.forget("game", None);
        assert!(slow.is_any());
        slow.forget("shop", None);
        assert!(!slow.is_any());
    }

    #[tokio::test(start_paused = true)]
    async fn robots_are_slowed_apart_up_to_a_thousand_an_app_and_their_keys_are_not_kept() {
        let (slow, app) = start();
        let game: Arc<str> = "game".into();
        let robot = |index| Subject::new(&app, "ww1", "/x").robot(&format!("canary-{index}"));
        for index in 0..=MOST_ROBOTS {
            learn(&slow, &robot(index), 45009);
        }
        let refusal = slow.check(&robot(0)).expect_err("slowed");
        assert!(refusal.text.to_string().contains("limit for this robot"), "{refusal:?}");
        slow.check(&robot(MOST_ROBOTS - 1)).expect_err("slowed");
        slow.check(&robot(MOST_ROBOTS)).expect("one too many");
        slow.check(&Subject::new(&app, "ww1", "/x")).expect("no robot");
        let others = Subject::new(&game, "ww2", "/x").robot("canary-0");
        learn(&slow, &others, 45009);
        slow.check(&others).expect_err("another app has a thousand of its own");
        assert!(!format!("{slow:?}{:?}", robot(0)).contains("canary"));
        // Those that are no longer called make room.
        advance(Duration::from_secs(62)).await;
        learn(&slow, &robot(MOST_ROBOTS), 45009);
        slow.check(&robot(MOST_ROBOTS)).expect_err("slowed");
    }
}
