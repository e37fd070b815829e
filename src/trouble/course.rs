//! The course of one kind of trouble at an endpoint: when it begins, and when it ends.

use std::time::Duration;

use super::kind::Kind;
use super::ring::{BUCKETS, HALF_A_MINUTE, Ring};
use crate::observe::clock::Timestamp;

/// When calls with trouble are more than an ordinary background.
struct Rule {
    /// Among the calls of so many buckets,
    buckets: usize,
    /// there are so many with trouble,
    troubled: u64,
    /// and that is so many percent.
    percent: u64,
}

/// An endpoint with a random 1 % meets the first by chance about once in a year of steady calls, at
/// the worst pace of them; the others, which are for endpoints that are seldom called and for
/// shares that the calls before them hide for long, more rarely.
const BURST: [Rule; 4] = [
    Rule { buckets: HALF_A_MINUTE, troubled: 10, percent: 10 },
    Rule { buckets: BUCKETS, troubled: 6, percent: 20 },
    Rule { buckets: HALF_A_MINUTE, troubled: 6, percent: 50 },
    // With 10 this one would double how often that is.
    Rule { buckets: HALF_A_MINUTE / 2, troubled: 12, percent: 10 },
];
/// Of what never happens by chance.
const ONCE: [Rule; 1] = [Rule { buckets: HALF_A_MINUTE, troubled: 1, percent: 0 }];

/// Below so many percent in half a minute an endpoint is calm: half of what begins it, so that a
/// share about that doesn't begin and end it all the time.
const CALM: u64 = 5;
/// Over after so long a calm with so many calls in it,
const CALM_FOR: Duration = Duration::from_secs(30);
const CALM_CALLS: u64 = 8;
/// or after one of any calls or none that is so long,
const SILENT_FOR: Duration = Duration::from_secs(300);
/// or, unless it is back so soon after its end,
const BACK_WITHIN: Duration = Duration::from_secs(60);
/// once no call at all had trouble for so long: half a minute after the last one, which the looks
/// before and after it are part of.
const CLEAN_FOR: Duration = Duration::from_secs(26);
/// At least so many calls went well since,
const CLEAN_CALLS: u64 = 6;
/// and, by the odds that a call had of trouble, so many for one: ten at evens, ninety at one in
/// ten. That all of them go well by chance happens once in a thousand times, or more rarely.
const CLEAN_ODDS: u64 = 10;
/// Silence doesn't change a setting; with one call a day there is one notice a day.
const SETTING_SILENT_FOR: Duration = Duration::from_secs(86_400);

/// Trouble that goes on.
#[derive(Clone, Debug)]
pub(super) struct Illness {
    pub(super) since: Timestamp,
    /// When calls with trouble were last seen.
    pub(super) last: Timestamp,
    /// Calls from `since` to `last`.
    pub(super) calls: u64,
    /// Those of them with trouble.
    pub(super) troubled: u64,
    /// Calls after `last`.
    later: u64,
    calm: Option<Calm>,
    /// The previous one ended only a moment ago: repeated bursts aren't reported one by one.
    is_relapse: bool,
}

#[derive(Clone, Copy, Debug)]
struct Calm {
    since: Timestamp,
    calls: u64,
}

/// What has changed.
#[derive(Debug)]
pub(super) enum Turn {
    Began,
    Over(Illness),
}

/// One kind of trouble at an endpoint.
#[derive(Clone, Debug)]
pub(super) struct Course {
    pub(super) kind: Kind,
    seen: u64,
    pub(super) troubled: Ring,
    pub(super) illness: Option<Illness>,
    /// Metrics keep its series.
    pub(super) was_ill: bool,
    /// What was counted until then begins no new trouble.
    over_at: Option<Timestamp>,
}

impl Course {
    pub(super) fn new(kind: Kind, now: Timestamp) -> Self {
        Self { kind, seen: 0, troubled: Ring::new(now), illness: None, was_ill: false, over_at: None }
    }

    /// Takes in that there were `new` calls, which `calls` has already, and `total` with this
    /// trouble since the process began.
    pub(super) fn observe(&mut self, now: Timestamp, calls: &Ring, new: u64, total: u64) -> Option<Turn> {
        let troubled = total.saturating_sub(self.seen);
        self.seen = total;
        self.troubled.turn(now);
        self.troubled.add(troubled);
        let Some(illness) = &mut self.illness else {
            self.illness = self.begun(now, calls);
            self.was_ill |= self.illness.is_some();
            return self.illness.is_some().then_some(Turn::Began);
        };
        illness.count(now, new, troubled);
        let few = self.troubled.last(HALF_A_MINUTE);
        let limit = if self.kind.is_settings() { 0 } else { calls.last(HALF_A_MINUTE) * CALM };
        illness.calm = match illness.calm {
            _ if few > 0 && few * 100 >= limit => None,
            None => Some(Calm { since: now, calls: 0 }),
            // The clock may have been set back.
            Some(calm) => Some(Calm { since: calm.since.min(now), calls: calm.calls + new }),
        };
        if !illness.is_over(self.kind, now) {
            return None;
        }
        self.over_at = Some(now);
        self.illness.take().map(Turn::Over)
    }

    /// Forgets what goes on.
    pub(super) fn drop_illness(&mut self) {
        self.illness = None;
        self.troubled.clear();
    }

    fn begun(&self, now: Timestamp, calls: &Ring) -> Option<Illness> {
        let rules: &[Rule] = if self.kind.is_settings() { &ONCE } else { &BURST };
        let most = self.over_at.filter(|at| *at <= now).map_or(BUCKETS, |at| self.troubled.since(at));
        let rule = rules.iter().find(|rule| {
            let (calls, troubled) = (calls.last(rule.buckets), self.troubled.last(rule.buckets.min(most)));
            troubled >= rule.troubled && troubled * 100 >= calls * rule.percent
        })?;
        let reach = self.troubled.reach(rule.buckets.min(most))?;
        let is_relapse = self.over_at.is_some_and(|at| now.since(at) < BACK_WITHIN);
        Some(Illness {
            since: self.troubled.began(reach),
            last: now,
            calls: calls.last(reach),
            troubled: self.troubled.last(reach),
            later: 0,
            calm: None,
            is_relapse,
        })
    }
}

impl Illness {
    /// Whether there were no calls since the last trouble, so that its end is only assumed.
    pub(super) fn is_silent(&self) -> bool {
        self.later == 0
    }

    fn count(&mut self, now: Timestamp, new: u64, troubled: u64) {
        // The clock may have been set back.
        self.last = self.last.min(now);
        self.later += new;
        if troubled > 0 {
            self.last = now;
            self.calls += std::mem::take(&mut self.later);
            self.troubled += troubled;
        }
    }

    fn is_over(&self, kind: Kind, now: Timestamp) -> bool {
        if !kind.is_settings() && !self.is_relapse && self.is_clean(now) {
            return true;
        }
        let Some(calm) = self.calm else { return false };
        let lasted = now.since(calm.since);
        match kind.is_settings() {
            true => lasted >= SETTING_SILENT_FOR || (lasted >= SILENT_FOR && calm.calls > 0),
            false => lasted >= SILENT_FOR || (lasted >= CALM_FOR && calm.calls >= CALM_CALLS),
        }
    }

    fn is_clean(&self, now: Timestamp) -> bool {
        let went_well = self.calls.saturating_sub(self.troubled);
        now.since(self.last) >= CLEAN_FOR
            && self.later >= CLEAN_CALLS
            && self.later * self.troubled >= went_well * CLEAN_ODDS
    }
}
