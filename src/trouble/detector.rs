//! All endpoints of all apps.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use super::course::{Course, Illness, Turn};
use super::finding::{Others, Trouble};
use super::kind::{KINDS, Kind};
use super::ring::{BUCKETS, HALF_A_MINUTE, Ring};
use super::verdict::{Total, Verdict};
use crate::observe::clock::Timestamp;
use crate::observe::exposition::Exposition;

/// What is over is remembered so often.
const MOST_PAST: usize = 20;
/// The addresses that are named of an endpoint's at most.
const MOST_ADDRESSES: usize = 4;

/// What was counted of an endpoint of an app since the process began.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    /// Requests that went to WeChat and have ended.
    pub calls: u64,
    /// Those of them with trouble, by `Kind as usize`.
    pub troubled: [u64; KINDS],
    /// The addresses that WeChat refused since the last time.
    pub addresses: Vec<IpAddr>,
}

/// Knows which of WeChat's endpoints have trouble.
#[derive(Debug, Default)]
pub struct Detector {
    endpoints: BTreeMap<(Arc<str>, &'static str), Endpoint>,
    /// The latest first.
    past: VecDeque<Trouble>,
}

#[derive(Debug)]
struct Endpoint {
    seen: u64,
    calls: Ring,
    /// Of the kinds that were ever met.
    courses: Vec<Course>,
    addresses: Vec<IpAddr>,
}

impl Detector {
    /// Takes in what was counted of all endpoints of the configured apps, and says what began and
    /// what is over. Whatever isn't among them any more is forgotten.
    pub fn observe(
        &mut self,
        now: Timestamp,
        counted: BTreeMap<(Arc<str>, &'static str), Counted>,
    ) -> Vec<Trouble> {
        let mut turns = Vec::new();
        for (key, endpoint) in &mut self.endpoints {
            if !counted.contains_key(key) {
                endpoint.calls.clear();
                endpoint.courses.iter_mut().for_each(Course::drop_illness);
            }
        }
        for (key, counted) in counted {
            let endpoint = self.endpoints.entry(key.clone()).or_insert_with(|| Endpoint::new(now));
            let turned = endpoint.observe(now, counted).into_iter();
            turns.extend(turned.map(|(kind, turn)| (key.clone(), kind, turn)));
        }
        if turns.is_empty() {
            return Vec::new();
        }
        let sums = self.sums();
        let told = |(key, kind, turn)| match turn {
            Turn::Began => self.trouble(&sums, &key, kind, None),
            Turn::Over(illness) => self.trouble(&sums, &key, kind, Some(&illness)),
        };
        let told: Vec<_> = turns.into_iter().filter_map(told).collect();
        for over in told.iter().filter(|told| told.ended.is_some()) {
            self.past.push_front(over.clone());
        }
        self.past.truncate(MOST_PAST);
        told
    }

    /// What goes on, the worst first.
    pub fn going_on(&self) -> Vec<Trouble> {
        let sums = self.sums();
        let mut found = Vec::new();
        for (key, endpoint) in &self.endpoints {
            let ill = endpoint.courses.iter().filter(|course| course.illness.is_some());
            found.extend(ill.filter_map(|course| self.trouble(&sums, key, course.kind, None)));
        }
        found.sort_by_key(|trouble| std::cmp::Reverse(trouble.troubled));
        found
    }

    /// What is over, the latest first.
    pub fn past(&self) -> impl Iterator<Item = &Trouble> {
        self.past.iter()
    }

    /// Whether WeChat is well, and whose trouble it is if not, by what goes on as
    /// [`Self::going_on`] gives it.
    pub fn verdict(&self, going_on: &[Trouble]) -> Verdict {
        let mut total = Total::default();
        for endpoint in self.endpoints.values() {
            total.calls += endpoint.calls.last(BUCKETS);
            total.troubled +=
                endpoint.courses.iter().map(|course| course.troubled.last(BUCKETS)).sum::<u64>();
        }
        let other_apps = going_on.first().map_or(Others::Silent, |worst| {
            let mut others = Sum::default();
            for (_, sum) in self.sums().iter().filter(|(app, _)| **app != worst.app) {
                others.calls += sum.calls;
                others.add(worst.kind, sum.troubled[worst.kind as usize]);
            }
            others.without(&Sum::default(), worst.kind)
        });
        Verdict::of(going_on, other_apps, total)
    }

    /// Adds the metric of what goes on, and of what did, to a scrape.
    pub fn expose(&self, out: &mut Exposition) {
        out.gauge(
            "wxgate_upstream_trouble",
            "Whether an endpoint of WeChat's is in trouble, 1 or 0; only where it ever was.",
        );
        for ((app, path), endpoint) in &self.endpoints {
            for course in endpoint.courses.iter().filter(|course| course.was_ill) {
                let labels = [("app", &**app), ("endpoint", *path), ("kind", course.kind.as_str())];
                out.sample(&labels, f64::from(u8::from(course.illness.is_some())));
            }
        }
    }

    /// What is known of a trouble that goes on, or has just ended as `over` says.
    fn trouble(
        &self,
        sums: &BTreeMap<Arc<str>, Sum>,
        key: &(Arc<str>, &'static str),
        kind: Kind,
        over: Option<&Illness>,
    ) -> Option<Trouble> {
        let endpoint = self.endpoints.get(key)?;
        let illness =
            over.or_else(|| endpoint.courses.iter().find(|course| course.kind == kind)?.illness.as_ref())?;
        let (app, path) = key;
        Some(Trouble {
            app: Arc::clone(app),
            endpoint: path,
            kind,
            since: illness.since,
            ended: over.map(|illness| illness.last),
            silent: over.is_some_and(Illness::is_silent),
            calls: illness.calls,
            troubled: illness.troubled,
            others: sums.get(app).map_or(Others::Silent, |sum| sum.without(&endpoint.sum(), kind)),
            addresses: if kind.is_settings() { endpoint.addresses.clone() } else { Vec::new() },
        })
    }

    /// Of each app.
    fn sums(&self) -> BTreeMap<Arc<str>, Sum> {
        let mut sums = BTreeMap::<_, Sum>::new();
        for ((app, _), endpoint) in &self.endpoints {
            let (sum, own) = (sums.entry(Arc::clone(app)).or_default(), endpoint.sum());
            sum.calls += own.calls;
            for (kind, troubled) in Kind::ALL.into_iter().zip(own.troubled) {
                sum.add(kind, troubled);
            }
        }
        sums
    }
}

/// What endpoints had in the last half minute.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    calls: u64,
    troubled: [u64; KINDS],
}

impl Sum {
    fn add(&mut self, kind: Kind, troubled: u64) {
        self.troubled[kind as usize] += troubled;
    }

    /// How all of them do but those of `own`.
    fn without(&self, own: &Self, kind: Kind) -> Others {
        let troubled = |sum: &Self| sum.troubled[kind as usize];
        let left = troubled(self).saturating_sub(troubled(own));
        Others::of(self.calls.saturating_sub(own.calls), left)
    }
}

impl Endpoint {
    fn new(now: Timestamp) -> Self {
        Self { seen: 0, calls: Ring::new(now), courses: Vec::new(), addresses: Vec::new() }
    }

    /// In the last half minute.
    fn sum(&self) -> Sum {
        let mut sum = Sum { calls: self.calls.last(HALF_A_MINUTE), ..Sum::default() };
        for course in &self.courses {
            sum.add(course.kind, course.troubled.last(HALF_A_MINUTE));
        }
        sum
    }

    fn observe(&mut self, now: Timestamp, counted: Counted) -> Vec<(Kind, Turn)> {
        let new = counted.calls.saturating_sub(self.seen);
        self.seen = counted.calls;
        self.calls.turn(now);
        self.calls.add(new);
        for (kind, total) in Kind::ALL.into_iter().zip(counted.troubled) {
            if total > 0 && !self.courses.iter().any(|course| course.kind == kind) {
                self.courses.push(Course::new(kind, now));
            }
        }
        let calls = &self.calls;
        let turned = self.courses.iter_mut().filter_map(|course| {
            let total = counted.troubled[course.kind as usize];
            Some((course.kind, course.observe(now, calls, new, total)?))
        });
        let turned: Vec<_> = turned.collect();
        if turned.iter().any(|(kind, turn)| kind.is_settings() && matches!(turn, Turn::Began)) {
            self.addresses.clear();
        }
        for address in counted.addresses {
            self.addresses.retain(|known| *known != address);
            self.addresses.insert(0, address);
        }
        self.addresses.truncate(MOST_ADDRESSES);
        turned
    }
}
