//! What was done to whom, and when; what callers saw of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use wxgate::sandbox::{Action, Fault};

use crate::callers::LIMITED;
use crate::stage::{CALLERS, REPLICAS};

/// What a trouble may explain.
#[derive(Clone, Debug, PartialEq)]
pub enum Harm {
    /// What the fault does, on its path; and lacking tokens, where it hits the endpoint that issues
    /// them.
    Fault(Fault),
    /// A token's rejection that comes to the caller.
    Lag,
    /// Connections to this replica break.
    Killed(usize),
    /// It says `draining`, takes no connections, and ends those that are idle.
    Drained(usize),
    /// It forgets, or doesn't answer: what needs it is refused.
    Store,
    /// Nothing that a caller may see.
    Nothing,
}

/// A trouble's time.
#[derive(Clone, Debug)]
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
    /// A response that can't be this request's, or none in all the time that there is.
    Wrong(String),
    /// The caller hung up.
    GivenUp,
}

/// One request as its caller saw it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub what: &'static str,
    pub path: &'static str,
    /// Which process of all that there ever were.
    pub process: usize,
    pub begun: Instant,
    pub ended: Instant,
    pub outcome: Outcome,
}

/// Shared by callers and whoever makes trouble.
#[derive(Clone)]
pub struct Ledger(Arc<Mutex<Inner>>);

struct Inner {
    spans: Vec<Span>,
    counts: BTreeMap<String, usize>,
    longest: Duration,
    bad: Vec<String>,
    messages: Messages,
    budget: Budget,
}

/// Requests of the one kind whose count is compared.
#[derive(Clone, Debug, Default)]
pub struct Messages {
    /// When requests ended that the process has let through, by process.
    pub let_through: BTreeMap<usize, Vec<Instant>>,
    /// Of these it isn't known.
    pub doubtful: usize,
}

/// Of the limited caller.
#[derive(Clone, Debug)]
struct Budget {
    limit: usize,
    /// Requests that may have been taken from it.
    spent: usize,
    /// What replicas that ended may have reserved for nothing, at most.
    lost: usize,
    /// What a store that forgot may have granted twice, at most.
    anew: usize,
}

/// The token call of the app, whose faults leave callers without a token.
const TOKEN_CALL: &str = "/cgi-bin/stable_token";
/// What tells a live token from a dead one.
const PROBE: &str = "/cgi-bin/get_api_domain_ip";
/// A response that was on its way, a connection that closes, a caller that still has the old
/// address.
const LATER: Duration = Duration::from_secs(1);
/// A connection that WeChat broke may be found to be broken then.
const BREAKS: Duration = Duration::from_secs(2);
/// After an endpoint rejected tokens that live, one that has died isn't looked for before 5 s.
const HELD: Duration = Duration::from_secs(7);
/// The same while that look can't tell.
const HELD_LONG: Duration = Duration::from_secs(20);
/// The longest pause after token calls that failed while a fault lasted.
const BACKOFF: Duration = Duration::from_secs(15);
/// Until a store that answers again is known to.
pub const STORE: Duration = Duration::from_secs(5);
/// A flush of counters comes each second; more on a busy machine.
const UNFLUSHED: Duration = Duration::from_millis(2500);
/// Replicas know each other's counters of then.
const LOOK: Duration = Duration::from_secs(15);
/// What was begun so shortly before a stop may have been on its way to a connection that is closed.
const CROSSES: Duration = Duration::from_millis(50);

impl Ledger {
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            spans: Vec::new(),
            counts: BTreeMap::new(),
            longest: Duration::ZERO,
            bad: Vec::new(),
            messages: Messages::default(),
            budget: Budget { limit, spent: 0, lost: 0, anew: 0 },
        })))
    }

    /// A trouble begins; the number ends it.
    pub fn begin(&self, harm: Harm) -> usize {
        let mut inner = self.0.lock();
        if matches!(harm, Harm::Killed(_) | Harm::Drained(_)) {
            inner.budget.loses_a_slice();
        }
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
        match seen.what {
            "message" => inner.messages.take(&seen),
            "limited" => inner.budget.take(&seen.outcome),
            _ => {}
        }
        if !inner.explains(&seen) {
            let near = inner.spans.iter().filter(|span| span.is_near(&seen));
            let near: Vec<_> = near.map(|span| format!("    {}", span.told(seen.begun))).collect();
            let took = seen.ended - seen.begun;
            inner.bad.push(format!("{} {:?} after {took:?}\n{}", seen.what, seen.outcome, near.join("\n")));
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

    /// The messages whose count is compared.
    pub fn messages(&self) -> Messages {
        self.0.lock().messages.clone()
    }

    /// The store has forgotten what it had, or some of it.
    pub fn forgot(&self) {
        self.0.lock().budget.is_forgotten();
    }

    /// The most that may have been let through of the limited caller's.
    pub fn most_limited(&self) -> usize {
        let budget = &self.0.lock().budget;
        budget.limit + budget.anew
    }

    /// Whether the store was harmed within that time.
    pub fn harmed_store(&self, within: Duration) -> bool {
        let inner = self.0.lock();
        let mut stores = inner.spans.iter().filter(|span| span.harm == Harm::Store);
        stores.any(|span| span.ended.is_none_or(|ended| ended.elapsed() < within))
    }

    /// Since when the counts of this process may be lost, if it was killed.
    pub fn uncounted_since(&self, process: usize) -> Option<Instant> {
        let inner = self.0.lock();
        let killed = inner.spans.iter().find(|span| span.harm == Harm::Killed(process))?.begun;
        let stores = inner.spans.iter().filter(|span| span.harm == Harm::Store);
        let since = stores.filter_map(|store| {
            let over = |ended: Instant| ended + STORE + UNFLUSHED < killed;
            if store.begun <= killed {
                // Written to one that forgot, or not at all; others knew of what was before it.
                (!store.ended.is_some_and(over)).then(|| store.begun - LOOK)
            } else {
                // It forgot what others had not looked at yet.
                (killed + LOOK > store.begun).then(|| killed - LOOK)
            }
        });
        Some(since.min().unwrap_or(killed).min(killed - UNFLUSHED))
    }
}

impl Messages {
    fn take(&mut self, seen: &Seen) {
        match let_through(&seen.outcome) {
            Some(true) => self.let_through.entry(seen.process).or_default().push(seen.ended),
            Some(false) => {}
            None => self.doubtful += 1,
        }
    }
}

impl Budget {
    fn take(&mut self, outcome: &Outcome) {
        self.spent += usize::from(let_through(outcome) != Some(false));
    }

    /// With what it has reserved, and may be about to reserve beside that.
    fn loses_a_slice(&mut self) {
        self.lost += 2 * (self.limit.saturating_sub(self.spent) / 64).max(1);
    }

    /// A slice for each replica, whose last word on it was before the store's.
    fn is_forgotten(&mut self) {
        self.anew += REPLICAS * (self.limit.saturating_sub(self.spent) / 64).max(1);
    }

    /// Whether it may be spent as far as can be seen from here: requests in progress are not, and
    /// replicas have reserved what comes next.
    fn may_be_spent(&self) -> bool {
        let reserved = REPLICAS * 2 * (self.limit.saturating_sub(self.spent) / 64).max(1);
        self.spent + self.lost + reserved + CALLERS >= self.limit
    }
}

/// Whether wxgate let the request through to WeChat, if that can be seen from its outcome.
fn let_through(outcome: &Outcome) -> Option<bool> {
    match outcome {
        Outcome::Good | Outcome::Wechat(_) => Some(true),
        Outcome::Own(code) => match &**code {
            "upstream_failed" | "upstream_timeout" => Some(true),
            "token_unavailable" => None,
            _ => Some(false),
        },
        Outcome::Broken(_) | Outcome::Wrong(_) | Outcome::GivenUp => None,
    }
}

impl Inner {
    fn explains(&self, seen: &Seen) -> bool {
        let fault = |aftermath| {
            self.met(seen, aftermath, |harm| {
                matches!(harm, Harm::Fault(fault) if covers(fault, seen.path)
                    && shows(&fault.action, &seen.outcome))
            })
        };
        match &seen.outcome {
            Outcome::Good | Outcome::GivenUp => true,
            Outcome::Wrong(_) => false,
            Outcome::Wechat(40001 | 42001 | 40014) => {
                let lag = |aftermath| self.met(seen, aftermath, |harm| *harm == Harm::Lag);
                lag(HELD) || lag(HELD_LONG) && self.fails(seen, PROBE, HELD_LONG)
            }
            Outcome::Wechat(_) => fault(Duration::ZERO),
            Outcome::Own(code) => match &**code {
                "quota_exhausted" => {
                    let store = || self.met(seen, STORE, |harm| *harm == Harm::Store);
                    seen.path == LIMITED && (self.budget.may_be_spent() || store())
                }
                "draining" => self.met(seen, LATER, |harm| *harm == Harm::Drained(seen.process)),
                "upstream_failed" | "upstream_timeout" => fault(BREAKS),
                "token_unavailable" => self.fails(seen, TOKEN_CALL, BACKOFF),
                _ => false,
            },
            Outcome::Broken(_) => {
                self.met(seen, LATER, |harm| *harm == Harm::Killed(seen.process)) || self.drained(seen)
            }
        }
    }

    /// Whether calls of this path failed near the request.
    fn fails(&self, seen: &Seen, path: &str, aftermath: Duration) -> bool {
        self.met(
            seen,
            aftermath,
            |harm| matches!(harm, Harm::Fault(fault) if covers(fault, path) && breaks(&fault.action)),
        )
    }

    /// A stop lets no request break that is in progress, but one may meet a connection that closes,
    /// or an address that is no longer listened on.
    fn drained(&self, seen: &Seen) -> bool {
        let mut drained = self.spans.iter().filter(|span| span.harm == Harm::Drained(seen.process));
        drained.any(|span| {
            let over = |ended: Instant| ended + LATER < seen.begun;
            seen.begun + CROSSES >= span.begun && !span.ended.is_some_and(over)
        })
    }

    /// Whether such a trouble, with its aftermath, overlapped with the request.
    fn met(&self, seen: &Seen, aftermath: Duration, is: impl Fn(&Harm) -> bool) -> bool {
        self.spans.iter().filter(|span| is(&span.harm)).any(|span| {
            let over = |ended: Instant| ended + aftermath < seen.begun;
            span.begun <= seen.ended && !span.ended.is_some_and(over)
        })
    }
}

/// Whether a fault hits a path.
fn covers(fault: &Fault, path: &str) -> bool {
    match &fault.path {
        None => true,
        Some(pattern) => match pattern.strip_suffix('*') {
            Some(prefix) => path.starts_with(prefix),
            None => path == pattern,
        },
    }
}

/// Whether a caller may see this of it.
fn shows(action: &Action, outcome: &Outcome) -> bool {
    let own = match action {
        Action::Cut { .. } | Action::Reset { .. } => "upstream_failed",
        Action::Silence => "upstream_timeout",
        Action::Empty | Action::Html { .. } | Action::Status { .. } => return *outcome == Outcome::Wechat(0),
        Action::Errcode { errcode, .. } | Action::EarlyAnswer { errcode } => {
            return *outcome == Outcome::Wechat(*errcode);
        }
        // What takes long, or comes in another form, is no harm.
        Action::Latency { .. }
        | Action::TokenLatency { .. }
        | Action::SlowBody { .. }
        | Action::AlwaysReject
        | Action::Gzip
        | Action::Chunked
        | Action::Close
        // No app of the soak signs.
        | Action::SignedAnswer { .. } => return false,
    };
    matches!(outcome, Outcome::Own(code) if code == own)
}

/// Whether a call that it hits brings nothing.
fn breaks(action: &Action) -> bool {
    match action {
        Action::Cut { .. }
        | Action::Reset { .. }
        | Action::Silence
        | Action::Empty
        | Action::Html { .. }
        | Action::Status { .. }
        | Action::Errcode { .. }
        | Action::EarlyAnswer { .. }
        | Action::AlwaysReject => true,
        Action::Latency { .. }
        | Action::TokenLatency { .. }
        | Action::SlowBody { .. }
        | Action::Gzip
        | Action::Chunked
        | Action::Close
        | Action::SignedAnswer { .. } => false,
    }
}

impl Span {
    /// For whoever reads of a request that nothing explains.
    fn is_near(&self, seen: &Seen) -> bool {
        let long = Duration::from_secs(30);
        self.begun <= seen.ended && self.ended.is_none_or(|ended| ended + long >= seen.begun)
    }

    fn told(&self, now: Instant) -> String {
        let since = |at: Instant| match at.checked_duration_since(now) {
            Some(later) => format!("{:.3} s after it", later.as_secs_f64()),
            None => format!("{:.3} s before it", (now - at).as_secs_f64()),
        };
        let ended = self.ended.map_or_else(|| "not yet".to_owned(), since);
        format!("{:?} begun {}, ended {ended}", self.harm, since(self.begun))
    }
}
