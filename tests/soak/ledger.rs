//! What was done to whom, and when; what callers saw of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// What a trouble may explain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// Errors of WeChat's, and wxgate's own about WeChat.
    Upstream,
    /// A token's rejection that comes to the caller.
    Lag,
    /// Connections to this replica break.
    Killed(usize),
    /// It says `draining`, takes no connections, and ends those that are idle.
    Drained(usize),
    /// Nothing that a caller may see.
    Nothing,
}

/// A trouble's time.
#[derive(Clone, Copy, Debug)]
struct Span {
    harm: Harm,
    begun: Instant,
    /// None while it lasts.
    ended: Option<Instant>,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Good,
    /// wxgate's own code.
    Own(String),
    /// Anything else that is a whole HTTP response: WeChat's errcode, or its status and 0.
    Wechat(i64),
    /// No whole response.
    Broken(String),
    /// A response that can't be this request's.
    Wrong(String),
    /// The caller hung up.
    GivenUp,
}

/// One request as its caller saw it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub what: &'static str,
    /// Which process of all that there ever were.
    pub process: usize,
    pub begun: Instant,
    pub ended: Instant,
    pub outcome: Outcome,
}

/// Shared by callers and whoever makes trouble.
#[derive(Clone, Default)]
pub struct Ledger(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    spans: Vec<Span>,
    counts: BTreeMap<String, usize>,
    longest: Duration,
    bad: Vec<String>,
    /// When processes ended, and how many good responses each had given for what is counted.
    good: BTreeMap<usize, Vec<Instant>>,
}

/// For so long after WeChat was well again its illness may show: an attempt that waits for its timeout, and the pause
/// after a token that could not be fetched.
const AFTERMATH: Duration = Duration::from_secs(20);

impl Ledger {
    /// A trouble begins; the number ends it.
    pub fn begin(&self, harm: Harm) -> usize {
        let mut inner = self.0.lock();
        inner.spans.push(Span { harm, begun: Instant::now(), ended: None });
        inner.spans.len() - 1
    }

    pub fn end(&self, number: usize) {
        self.0.lock().spans[number].ended = Some(Instant::now());
    }

    /// Takes a request in. What nothing explains is remembered as bad.
    pub fn record(&self, seen: Seen) {
        let mut inner = self.0.lock();
        let name = match &seen.outcome {
            Outcome::Good => "good".to_owned(),
            Outcome::Own(code) => code.clone(),
            Outcome::Wechat(code) => format!("errcode {code}"),
            Outcome::Broken(_) => "broken".to_owned(),
            Outcome::Wrong(_) => "wrong".to_owned(),
            Outcome::GivenUp => "given up".to_owned(),
        };
        *inner.counts.entry(format!("{}: {name}", seen.what)).or_default() += 1;
        inner.longest = inner.longest.max(seen.ended - seen.begun);
        if seen.outcome == Outcome::Good && seen.what == "message" {
            inner.good.entry(seen.process).or_default().push(seen.ended);
        }
        if !inner.explains(&seen) {
            let near = inner.spans.iter().rev().take(3).map(|span| span.told(seen.begun)).collect::<Vec<_>>();
            inner.bad.push(format!("{seen:?}\n    after {}", near.join(", ")));
        }
    }

    /// What nothing explains.
    pub fn bad(&self) -> Vec<String> {
        self.0.lock().bad.clone()
    }

    /// A line for each kind of request and outcome.
    pub fn table(&self) -> String {
        let inner = self.0.lock();
        let lines: Vec<_> =
            inner.counts.iter().map(|(name, count)| format!("  {count:>8}  {name}")).collect();
        format!("{}\n  longest {:?}", lines.join("\n"), inner.longest)
    }

    /// How many messages each process answered well, and when.
    pub fn good_messages(&self) -> BTreeMap<usize, Vec<Instant>> {
        self.0.lock().good.clone()
    }

    /// When this process was killed.
    pub fn killed(&self, process: usize) -> Option<Instant> {
        let inner = self.0.lock();
        inner.spans.iter().find(|span| span.harm == Harm::Killed(process)).map(|span| span.begun)
    }
}

impl Inner {
    fn explains(&self, seen: &Seen) -> bool {
        match &seen.outcome {
            Outcome::Good | Outcome::GivenUp => true,
            Outcome::Wrong(_) => false,
            // What rejected living tokens isn't believed at once when one has died.
            Outcome::Wechat(40001 | 42001 | 40014) => self.met(seen, AFTERMATH, |harm| harm == Harm::Lag),
            Outcome::Wechat(_) => self.met(seen, Duration::ZERO, |harm| harm == Harm::Upstream),
            Outcome::Own(code) => match &**code {
                "quota_exhausted" => seen.what == "limited",
                "draining" => self.met(seen, AFTERMATH, |harm| harm == Harm::Drained(seen.process)),
                "upstream_failed" | "upstream_timeout" | "token_unavailable" => {
                    self.met(seen, AFTERMATH, |harm| matches!(harm, Harm::Upstream | Harm::Lag))
                }
                _ => false,
            },
            Outcome::Broken(_) => {
                self.met(seen, Duration::MAX, |harm| {
                    harm == Harm::Killed(seen.process) || harm == Harm::Drained(seen.process)
                }) || self.met(seen, Duration::ZERO, |harm| harm == Harm::Upstream)
            }
        }
    }

    /// Whether such a trouble, with its aftermath, overlapped with the request.
    fn met(&self, seen: &Seen, aftermath: Duration, is: impl Fn(Harm) -> bool) -> bool {
        self.spans.iter().filter(|span| is(span.harm)).any(|span| {
            let over = |ended: Instant| ended.checked_add(aftermath).is_some_and(|over| over < seen.begun);
            span.begun <= seen.ended && !span.ended.is_some_and(over)
        })
    }
}

impl Span {
    fn told(&self, now: Instant) -> String {
        let ended = self.ended.map(|ended| now.saturating_duration_since(ended));
        format!(
            "{:?} begun {:?} before, ended {ended:?} before",
            self.harm,
            now.saturating_duration_since(self.begun)
        )
    }
}
