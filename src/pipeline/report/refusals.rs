//! What wxgate responded by itself and why: by code, app, caller and endpoint.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::observe::clock::Timestamp;
use crate::observe::metrics::Map;
use crate::observe::names::OTHER;
use crate::observe::ring::{Add, HOUR, MINUTE, Ring};
use crate::pipeline::code::Code;
use crate::quota::{Outcome, Range};
use crate::texts::Words;
use crate::wechat::catalogue;

/// Kept apart; what comes beyond is counted without its endpoint, and beyond twice as many by its
/// code alone, unless it takes the place of what hasn't been seen for an hour.
const MOST: usize = 200;
/// Milliseconds after which a refusal that hasn't been seen gives way to a new one.
const OLD: i64 = HOUR;
/// Characters that are kept of a reason.
const LONGEST_WHY: usize = 600;

/// What tells refusals apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reason {
    pub(crate) app: u16,
    pub(crate) caller: u16,
    pub(crate) endpoint: u16,
    /// None where the response poses as WeChat's.
    pub(crate) code: Option<Code>,
    /// As in the body.
    pub(crate) errcode: i64,
    /// It failed; else it was refused.
    pub(crate) failed: bool,
    /// Stands for several that there was no room for.
    pub(crate) various: bool,
}

impl Hash for Reason {
    /// In two words, where one field after the other would be seven.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { app, caller, endpoint, code, errcode, failed, various } = *self;
        let who = u64::from(app) << 32 | u64::from(caller) << 16 | u64::from(endpoint);
        let code = code.map_or(0, |code| code as u64 + 1);
        state.write_u64(who << 2 | u64::from(failed) << 1 | u64::from(various));
        state.write_u64(errcode.cast_unsigned() << 8 ^ code);
    }
}

impl Reason {
    /// What it is counted as where so many are kept; `is_kept` says which.
    fn among(self, kept: usize, is_kept: impl Fn(&Self) -> bool) -> Self {
        if kept < MOST || is_kept(&self) {
            return self;
        }
        let whatever = Self { endpoint: 0, various: true, ..self };
        if kept < 2 * MOST || is_kept(&whatever) {
            return whatever;
        }
        Self { app: OTHER, caller: OTHER, ..whatever }
    }
}

/// One of the requests, in words: quoted, redacted and of bounded length.
#[derive(Clone, Debug)]
pub(crate) struct Example {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) why: Words,
}

/// What a worker counted since it was last taken.
#[derive(Debug)]
pub(crate) struct Seen {
    count: u32,
    example: Example,
}

/// What a worker refused.
pub(crate) type Refusals = Map<Reason, Seen>;

/// Counts a refusal; `example` is asked for what has not been seen since the last look alone.
pub(super) fn count(refusals: &mut Refusals, of: Reason, example: impl FnOnce() -> Example) {
    let key = of.among(refusals.len(), |of| refusals.contains_key(of));
    let seen = refusals.entry(key).or_insert_with(|| Seen { count: 0, example: example() });
    seen.count = seen.count.saturating_add(1);
}

/// Refusals of one kind.
#[derive(Debug)]
struct Row {
    minutes: Ring<Count, MINUTE, 60>,
    hours: Ring<Count, HOUR, { 30 * 24 }>,
    last: Timestamp,
    example: Example,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count(u32);

impl Add for Count {
    fn add(&mut self, other: &Self) {
        self.0 = self.0.saturating_add(other.0);
    }
}

/// Refusals of the last 30 days, of all workers.
#[derive(Debug, Default)]
pub(super) struct Table(Map<Reason, Row>);

impl Table {
    pub(super) fn take(&mut self, seen: Refusals, now: Timestamp) {
        for (of, seen) in seen {
            let key = self.room(of, now);
            let Seen { count, example } = seen;
            let row = self.0.entry(key).or_insert_with(|| Row {
                minutes: Ring::default(),
                hours: Ring::default(),
                last: now,
                example: example.clone(),
            });
            row.minutes.add(now, &Count(count));
            row.hours.add(now, &Count(count));
            (row.last, row.example) = (now, example);
        }
    }

    /// The key that stands for `of` where there are too many.
    fn room(&mut self, of: Reason, now: Timestamp) -> Reason {
        let room = of.among(self.0.len(), |of| self.0.contains_key(of));
        if room == of {
            return of;
        }
        let oldest = self.0.iter().min_by_key(|(_, row)| row.last);
        match oldest.filter(|(_, row)| row.last.0 < now.0 - OLD).map(|(key, _)| *key) {
            Some(oldest) => {
                self.0.remove(&oldest);
                of
            }
            None => room,
        }
    }

    /// Those of the range, the most frequent first.
    pub(super) fn of(&self, range: Range, now: Timestamp, names: &[Arc<str>]) -> Vec<Refusal> {
        let name = |label: u16| names.get(usize::from(label)).cloned().unwrap_or_else(|| "other".into());
        let counted = |row: &Row| match range.steps() {
            (_, HOUR) => row.hours.sum(now, range.steps().0).0,
            (steps, _) if steps > 60 => row.hours.sum(now, steps / 60).0,
            (steps, _) => row.minutes.sum(now, steps).0,
        };
        let shown = |(of, row): (&Reason, &Row)| {
            let count = counted(row);
            (count > 0).then(|| Refusal {
                app: (of.app != OTHER).then(|| name(of.app)),
                caller: (of.caller != OTHER).then(|| name(of.caller)),
                endpoint: catalogue::all().get(usize::from(of.endpoint)).map_or("other", |known| known.path),
                code: of.code.map(Code::as_str),
                errcode: of.errcode,
                outcome: if of.failed { Outcome::Failed } else { Outcome::Refused },
                various: of.various,
                count: count.into(),
                last: row.last,
                method: row.example.method.clone(),
                path: row.example.path.clone(),
                why: row.example.why.clone(),
            })
        };
        let mut rows: Vec<_> = self.0.iter().filter_map(shown).collect();
        rows.sort_by(|one, other| {
            let order = other.count.cmp(&one.count).then(other.last.cmp(&one.last));
            let name = |of: &Refusal| (of.code, of.app.clone(), of.caller.clone(), of.endpoint);
            order.then_with(|| name(one).cmp(&name(other)))
        });
        rows
    }
}

/// Requests to which wxgate responded by itself, for one reason.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The app's name, if it was settled.
    pub app: Option<Arc<str>>,
    /// The caller's name or `anonymous`, if it was settled.
    pub caller: Option<Arc<str>>,
    /// WeChat's path, or `other`.
    pub endpoint: &'static str,
    /// wxgate's word for it; none where the response poses as WeChat's.
    pub code: Option<&'static str>,
    /// As `errcode` in the body.
    pub errcode: i64,
    /// [`Outcome::Refused`] or [`Outcome::Failed`].
    pub outcome: Outcome,
    /// It stands for several that there was no room for.
    pub various: bool,
    /// How many there were.
    pub count: u64,
    /// When the last one was, within seconds.
    pub last: Timestamp,
    /// The method of one of the latest.
    pub method: String,
    /// Its path.
    pub path: String,
    /// Why it was refused.
    pub why: Words,
}

/// No longer than it takes to read.
pub(super) fn shortened(text: String) -> String {
    if text.chars().nth(LONGEST_WHY).is_none() {
        return text;
    }
    let kept: String = text.chars().take(LONGEST_WHY).collect();
    format!("{kept}...")
}

#[cfg(test)]
mod tests {
    use super::{Example, MOST, Reason, Refusals, Table, count};
    use crate::observe::clock::Timestamp;
    use crate::observe::ring::{HOUR, MINUTE};
    use crate::pipeline::code::Code;
    use crate::quota::Range;
    use crate::texts::Words;

    fn example() -> Example {
        let why = Words::untranslated("why");
        Example { method: "GET".to_owned(), path: "/".to_owned(), why }
    }

    fn by(caller: u16) -> Reason {
        let code = Code::CallerForbidden;
        Reason {
            app: 2,
            caller,
            endpoint: 3,
            code: Some(code),
            errcode: -70403,
            failed: false,
            various: false,
        }
    }

    fn seen(callers: impl IntoIterator<Item = u16>) -> Refusals {
        let mut refusals = Refusals::default();
        callers.into_iter().for_each(|caller| count(&mut refusals, by(caller), example));
        refusals
    }

    #[test]
    fn a_flood_of_kinds_takes_bounded_memory_and_loses_no_refusal() {
        let mut table = Table::default();
        let now = Timestamp(100 * HOUR);
        for round in 0..10 {
            table.take(seen((0..1_000).map(|at| 2 + round * 1_000 + at)), now);
        }
        assert!(table.0.len() <= 2 * MOST + 1, "{}", table.0.len());
        let rows = table.of(Range::Quarter, now, &[]);
        assert_eq!(rows.iter().map(|row| row.count).sum::<u64>(), 10_000);
        assert_eq!((rows[0].app.as_deref(), rows[0].caller.as_deref()), (None, None));
        assert!(rows[0].various);
    }

    #[test]
    fn one_caller_that_tries_everything_is_still_named() {
        let mut refusals = Refusals::default();
        for endpoint in 0..1_000 {
            count(&mut refusals, Reason { endpoint, ..by(7) }, example);
        }
        assert_eq!(refusals.len(), MOST + 1);
        let rest = Reason { endpoint: 0, various: true, ..by(7) };
        assert_eq!(refusals.get(&rest).map(|seen| seen.count), Some(800));
    }

    #[test]
    fn what_was_not_seen_for_an_hour_gives_way_to_what_is_new() {
        let mut table = Table::default();
        table.take(seen(2..202), Timestamp(0));
        let now = Timestamp(HOUR + MINUTE);
        table.take(seen([900]), now);
        assert_eq!(table.0.len(), MOST);
        assert!(table.0.contains_key(&by(900)));
    }

    #[test]
    fn each_range_has_its_own_counts() {
        let mut table = Table::default();
        for minutes in [0, 23 * 60, 24 * 60 - 20, 24 * 60 - 2] {
            let at = Timestamp(1_000 * HOUR + minutes * MINUTE);
            table.take(seen([2]), at);
        }
        let now = Timestamp(1_000 * HOUR + 24 * 60 * MINUTE - 1);
        let counts = Range::ALL.map(|range| table.of(range, now, &[])[0].count);
        assert_eq!(counts, [1, 3, 4, 4]);
        assert!(table.of(Range::Month, Timestamp(2_000 * HOUR), &[]).is_empty());
    }
}
