//! Today's counters: what the store has of all replicas, and what it doesn't have yet of this one.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use super::history::{Curve, History, Range};
use super::tally::{Counts, Point};
use crate::observe::clock::Timestamp;
use crate::observe::names::{ANONYMOUS, OTHER};
use crate::store::{DayCounts, Total, name_since, without_resets};
use crate::wechat::catalogue;

/// Counted apart; what comes beyond is counted without its endpoint, and beyond twice as many
/// without its names.
const MOST: usize = 50_000;
/// In one operation of the store, which must not keep others from it for long.
const MOST_AT_ONCE: usize = 5_000;

/// The path of what isn't catalogued, or is one too many.
const OTHER_PATH: &str = "other";

/// Whose calls to what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) app: u16,
    pub(crate) caller: u16,
    /// Of the catalogue. Hosts with the same path are one.
    pub(crate) path: &'static str,
}

/// Calls of today.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    /// The highest count of all replicas that the store has told: if it tells less, it lost some.
    stored: u64,
    /// What the store said last of names that this replica doesn't know.
    unknown: u64,
    /// What it hasn't confirmed yet.
    waiting: u64,
}

impl Count {
    fn all(self) -> u64 {
        self.stored.saturating_add(self.unknown).saturating_add(self.waiting)
    }
}

/// Additions that the store is to make together, once.
#[derive(Debug)]
pub(crate) struct Offered {
    pub(crate) day: i64,
    pub(crate) number: u64,
    pub(crate) counts: Vec<(Key, u64)>,
}

/// What a counter's name in the store means here.
struct Named {
    key: Key,
    /// Whether it is the key's own name, and not one of those that are counted together.
    own: bool,
}

/// The counters of a process.
#[derive(Debug)]
pub(crate) struct Ledger {
    day: i64,
    calls: HashMap<Key, Count>,
    /// What was counted and is in no batch yet.
    fresh: HashMap<Key, u64>,
    waiting: VecDeque<Arc<Offered>>,
    batches: u64,
    errors: HashMap<(u16, &'static str, i32), u64>,
    replays: HashMap<(u16, u64), u64>,
    /// How often the counters of apps were reset today.
    resets: HashMap<u16, u64>,
    histories: BTreeMap<u16, History>,
    whole: History,
    /// Empty tables with room, for the workers to go on with.
    spare: Counts,
}

impl Ledger {
    pub(crate) fn new(day: i64) -> Self {
        Self {
            day,
            calls: HashMap::new(),
            fresh: HashMap::new(),
            waiting: VecDeque::new(),
            batches: 0,
            errors: HashMap::new(),
            replays: HashMap::new(),
            resets: HashMap::new(),
            histories: BTreeMap::new(),
            whole: History::default(),
            spare: Counts::default(),
        }
    }

    pub(crate) fn spare(&mut self) -> &mut Counts {
        &mut self.spare
    }

    pub(crate) fn day(&self) -> i64 {
        self.day
    }

    /// Begins another day. What was counted until now stays the day's before.
    pub(crate) fn turn(&mut self, day: i64) {
        if day == self.day {
            return;
        }
        self.close();
        self.day = day;
        self.calls.clear();
        self.errors.clear();
        self.replays.clear();
        self.resets.clear();
    }

    /// Takes what a worker counted.
    pub(crate) fn take(&mut self, counts: &Counts, now: Timestamp) {
        let path = |id: u16| catalogue::all().get(usize::from(id)).map_or(OTHER_PATH, |known| known.path);
        for ((app, caller, endpoint), count) in &counts.calls {
            let key = self.room(Key { app: *app, caller: *caller, path: path(*endpoint) });
            *self.fresh.entry(key).or_default() += u64::from(*count);
            self.calls.entry(key).or_default().waiting += u64::from(*count);
        }
        for ((app, endpoint, errcode), count) in &counts.errors {
            let mut key = (*app, path(*endpoint), *errcode);
            if self.errors.len() >= MOST && !self.errors.contains_key(&key) {
                key.1 = OTHER_PATH;
            }
            *self.errors.entry(key).or_default() += u64::from(*count);
        }
        for (of, count) in &counts.replays {
            if self.replays.len() < MOST || self.replays.contains_key(of) {
                *self.replays.entry(*of).or_default() += u64::from(*count);
            }
        }
        for (app, point) in &counts.points {
            self.whole.add(now, point);
            self.histories.entry(*app).or_default().add(now, point);
        }
    }

    /// The key that stands for `key` where there are too many.
    fn room(&self, key: Key) -> Key {
        if self.calls.len() < MOST || self.calls.contains_key(&key) {
            return key;
        }
        let without_endpoint = Key { path: OTHER_PATH, ..key };
        if self.calls.len() < 2 * MOST || self.calls.contains_key(&without_endpoint) {
            return without_endpoint;
        }
        Key { app: OTHER, caller: OTHER, path: OTHER_PATH }
    }

    /// The batch that the store is to add next. It is offered until [`Ledger::accepted`], so that
    /// one whose response was lost is neither lost nor counted twice.
    pub(crate) fn offer(&mut self) -> Option<Arc<Offered>> {
        if self.waiting.is_empty() {
            self.close();
        }
        self.waiting.front().cloned()
    }

    /// Puts what is fresh into batches; at most twice a day while the store is down.
    fn close(&mut self) {
        let mut fresh = self.fresh.drain().collect::<Vec<_>>().into_iter().peekable();
        while fresh.peek().is_some() {
            self.batches += 1;
            let counts = fresh.by_ref().take(MOST_AT_ONCE).collect();
            self.waiting.push_back(Arc::new(Offered { day: self.day, number: self.batches, counts }));
        }
    }

    /// What the store had of a counter of that day, as far as is known.
    pub(crate) fn known(&self, day: i64, key: &Key) -> u64 {
        if day == self.day { self.calls.get(key).map_or(0, |count| count.stored) } else { 0 }
    }

    /// The store has added the batch; `totals` is what each counter came to, which is no less than
    /// what it was with what this replica added.
    pub(crate) fn accepted(&mut self, offered: &Offered, totals: &[Total]) {
        let Some(place) = self.waiting.iter().position(|waiting| waiting.number == offered.number) else {
            return;
        };
        self.waiting.remove(place);
        if offered.day != self.day {
            return;
        }
        for ((key, count), total) in offered.counts.iter().zip(totals) {
            let counter = self.calls.entry(*key).or_default();
            counter.stored = counter.stored.saturating_add(*count).max(total.unwrap_or_default());
            counter.waiting = counter.waiting.saturating_sub(*count);
        }
    }

    /// Whether all that the store has is known to be confirmed or not there, so that its counters
    /// can be taken over.
    pub(crate) fn settled(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes over what the store has of the present day, and offers it again what it lost. `label`
    /// knows the numbers of names.
    pub(crate) fn learn(&mut self, told: &DayCounts, label: impl Fn(&str) -> Option<u16>) {
        for (app, resets) in &told.resets {
            if let Some(app) = label(app) {
                self.reset(app, *resets);
            }
        }
        let counts = &told.counts;
        // By key: counts under its own name, and those under names that this replica doesn't know,
        // which are summed.
        let mut told: HashMap<Key, (u64, u64)> = HashMap::new();
        for (name, total) in counts {
            let (name, resets) = without_resets(name);
            if let Some(Named { key, own }) = key_of(name, &label)
                && resets == self.resets(key.app)
            {
                let room = self.room(key);
                let (stored, unknown) = told.entry(room).or_default();
                let sum = if own && room == key { stored } else { unknown };
                *sum = sum.saturating_add(*total);
            }
        }
        for key in told.keys() {
            self.calls.entry(*key).or_default();
        }
        for (key, count) in &mut self.calls {
            let (stored, unknown) = told.get(key).copied().unwrap_or_default();
            if stored < count.stored {
                self.fresh.entry(*key).or_default();
            }
            count.stored = count.stored.max(stored);
            count.unknown = unknown;
        }
    }

    /// How often the app's counters were reset today.
    pub(crate) fn resets(&self, app: u16) -> u64 {
        self.resets.get(&app).copied().unwrap_or_default()
    }

    /// The apps whose counters did, and how often.
    pub(crate) fn all_resets(&self) -> impl Iterator<Item = (u16, u64)> {
        self.resets.iter().map(|(app, resets)| (*app, *resets))
    }

    /// The app's counters are reset for the `resets`th time, unless that is known.
    pub(crate) fn reset(&mut self, app: u16, resets: u64) {
        if resets > self.resets(app) {
            self.resets.insert(app, resets);
            let of_app = self.calls.iter_mut().filter(|(key, _)| key.app == app);
            of_app.for_each(|(_, count)| *count = Count { waiting: count.waiting, ..Count::default() });
        }
    }

    /// Today's calls, of all replicas.
    pub(crate) fn calls(&self) -> impl Iterator<Item = (Key, u64)> {
        self.calls.iter().map(|(key, count)| (*key, count.all()))
    }

    /// WeChat's error codes today, of this process: by app, path and code.
    pub(crate) fn errors(&self) -> impl Iterator<Item = (u16, &'static str, i32, u64)> {
        self.errors.iter().map(|((app, path, errcode), count)| (*app, *path, *errcode, *count))
    }

    /// How many of an app's requests were sent again with the token of this generation, today by
    /// this process.
    pub(crate) fn replayed(&self, app: u16, generation: u64) -> u64 {
        self.replays.get(&(app, generation)).copied().unwrap_or_default()
    }

    /// The curve of an app, or of all together.
    pub(crate) fn curve(&self, app: Option<u16>, range: Range, now: Timestamp) -> Curve {
        match app.map(|app| self.histories.get(&app)) {
            None => self.whole.points(range, now),
            Some(Some(history)) => history.points(range, now),
            Some(None) => History::default().points(range, now),
        }
    }

    /// The range of an app, or of all together.
    pub(crate) fn sum(&self, app: Option<u16>, range: Range, now: Timestamp) -> Point {
        match app {
            None => self.whole.sum(range, now),
            Some(app) => self.histories.get(&app).map_or_else(Point::default, |of| of.sum(range, now)),
        }
    }

    /// What is counted apart.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.calls.len()
    }
}

/// A counter's name in the store: `app caller path`, and how often the app's counters were reset.
/// No name of the configuration has a blank.
pub(crate) fn name_of(key: &Key, names: &[Arc<str>], resets: u64) -> String {
    let name = |label: u16| names.get(usize::from(label)).map_or(OTHER_PATH, |name| &**name);
    name_since(&format!("{} {} {}", name(key.app), name(key.caller), key.path), resets).into_owned()
}

/// What the name means here: apps and callers that this replica doesn't know are not counted.
fn key_of(name: &str, label: &impl Fn(&str) -> Option<u16>) -> Option<Named> {
    let mut parts = name.splitn(3, ' ');
    let (app, caller, path) = (parts.next()?, parts.next()?, parts.next()?);
    let known =
        [catalogue::find(path), catalogue::find_work(path)].into_iter().find(|known| known.path == path);
    let app_label = label(app).unwrap_or(OTHER);
    let caller_label = match caller {
        "anonymous" => ANONYMOUS,
        _ => label(caller).unwrap_or(OTHER),
    };
    let key =
        Key { app: app_label, caller: caller_label, path: known.map_or(OTHER_PATH, |known| known.path) };
    let is_own = |label: u16, name: &str| label != OTHER || name == OTHER_PATH;
    let own = is_own(app_label, app) && is_own(caller_label, caller) && key.path == path;
    Some(Named { key, own })
}

#[cfg(test)]
mod tests {
    use super::super::tally::{Counts, Tally};
    use std::sync::Arc;

    use super::{Key, Ledger, MOST, name_of};
    use crate::observe::clock::Timestamp;
    use crate::store::DayCounts;
    use crate::wechat::catalogue;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    const CALL: (u16, u16, u16) = (2, 3, 4);

    fn counted(calls: &[(u16, u16, u16)]) -> Counts {
        let tally = Tally::new(1);
        calls.iter().for_each(|(app, caller, endpoint)| tally.begin(0, *app, *caller, *endpoint));
        let (mut spare, mut counts) = (Counts::default(), Counts::default());
        tally.drain(&mut spare, |drained| {
            counts.calls.extend(drained.calls.iter().map(|(key, count)| (*key, *count)));
        });
        counts
    }

    fn told(counts: &[(String, u64)]) -> DayCounts {
        DayCounts { counts: counts.to_vec(), resets: Vec::new() }
    }

    fn total(ledger: &Ledger) -> u64 {
        ledger.calls().map(|(_, count)| count).sum()
    }

    #[test]
    fn a_call_counts_once_before_while_and_after_it_is_flushed() {
        let mut ledger = Ledger::new(1);
        ledger.take(&counted(&[CALL, CALL]), NOW);
        assert_eq!(total(&ledger), 2);
        let offered = ledger.offer().expect("a batch");
        ledger.take(&counted(&[CALL]), NOW);
        assert_eq!(total(&ledger), 3);
        let again = ledger.offer().expect("the same batch");
        assert_eq!((again.number, again.counts[0].1), (offered.number, 2));
        // Another replica had counted 40.
        ledger.accepted(&offered, &[Some(42)]);
        assert_eq!(total(&ledger), 43);
        let next = ledger.offer().expect("the rest");
        assert_eq!((next.number, next.counts[0].1), (offered.number + 1, 1));
        ledger.accepted(&next, &[Some(43)]);
        assert_eq!((total(&ledger), ledger.settled()), (43, true));
        assert!(ledger.offer().is_none());
    }

    #[test]
    fn calls_of_the_day_before_stay_its_own() {
        let mut ledger = Ledger::new(1);
        ledger.take(&counted(&[CALL]), NOW);
        ledger.turn(2);
        assert_eq!(total(&ledger), 0);
        ledger.take(&counted(&[CALL, CALL]), NOW);
        let first = ledger.offer().expect("a batch");
        assert_eq!((first.day, first.counts[0].1), (1, 1));
        ledger.accepted(&first, &[Some(9)]);
        assert_eq!(total(&ledger), 2);
        let second = ledger.offer().expect("another");
        assert_eq!((second.day, second.counts[0].1), (2, 2));
    }

    #[test]
    fn a_store_that_is_down_for_long_costs_bounded_memory_and_loses_no_call() {
        let mut ledger = Ledger::new(1);
        for day in 1..=2 {
            ledger.turn(day);
            for _ in 0..1_000 {
                ledger.take(&counted(&[CALL]), NOW);
                assert!(ledger.offer().is_some());
            }
        }
        ledger.turn(3);
        assert!(ledger.waiting.len() <= 6, "{}", ledger.waiting.len());
        let mut by_day = [0; 4];
        while let Some(offered) = ledger.offer() {
            by_day[usize::try_from(offered.day).expect("small")] += offered.counts[0].1;
            ledger.accepted(&offered, &[Some(0)]);
        }
        assert_eq!(by_day, [0, 1_000, 1_000, 0]);
    }

    #[test]
    fn what_the_store_has_is_taken_over_by_name() {
        let path = "/cgi-bin/user/info";
        let mut ledger = Ledger::new(1);
        let label = |name: &str| (name == "shop").then_some(2);
        let counts = [
            (format!("shop anonymous {path}"), 5),
            ("shop gone /not/known".to_owned(), 2),
            ("shop left /another".to_owned(), 3),
            ("damaged".to_owned(), 1),
        ];
        ledger.learn(&told(&counts), label);
        ledger.learn(&told(&counts), label);
        let mut calls: Vec<_> = ledger.calls().collect();
        calls.sort();
        assert_eq!(
            calls,
            [
                (Key { app: 2, caller: 0, path: "other" }, 5),
                (Key { app: 2, caller: 1, path: catalogue::find(path).path }, 5)
            ]
        );
    }

    #[test]
    fn what_a_store_lost_is_told_as_before_and_offered_to_it_again() {
        let path = catalogue::all()[4].path;
        let key = Key { app: 2, caller: 3, path };
        let mut ledger = Ledger::new(1);
        ledger.take(&counted(&[CALL]), NOW);
        let first = ledger.offer().expect("a batch");
        assert_eq!(ledger.known(1, &key), 0);
        ledger.accepted(&first, &[Some(40)]);
        // The store was flushed before the next one.
        ledger.take(&counted(&[CALL]), NOW);
        let second = ledger.offer().expect("a batch");
        assert_eq!((second.counts.clone(), ledger.known(1, &key)), (vec![(key, 1)], 40));
        ledger.accepted(&second, &[Some(41)]);
        assert_eq!(total(&ledger), 41);
        // And once more, when no call follows.
        let label =
            |name: &str| ["shop", "app1"].iter().position(|known| *known == name).map(|at| at as u16 + 2);
        let names = ["other", "anonymous", "shop", "app1"].map(Arc::from);
        ledger.learn(&told(&[]), label);
        assert_eq!(total(&ledger), 41);
        let third = ledger.offer().expect("what is missing");
        assert_eq!((third.counts.clone(), ledger.known(1, &key)), (vec![(key, 0)], 41));
        ledger.accepted(&third, &[Some(41)]);
        ledger.learn(&told(&[(name_of(&key, &names, 0), 50)]), label);
        assert_eq!((total(&ledger), ledger.offer().is_none()), (50, true));
        // Counts that only the store knows are reported as it tells them, even if they fell.
        for gone in [7, 2] {
            let counts = [(name_of(&key, &names, 0), 50), (format!("gone anonymous {path}"), gone)];
            ledger.learn(&told(&counts), label);
            assert_eq!((total(&ledger), ledger.offer().is_none()), (50 + gone, true));
        }
        ledger.turn(2);
        assert_eq!(ledger.known(1, &key), 0);
    }

    #[test]
    fn counters_that_were_reset_forget_what_they_were_on_every_replica() {
        let key = Key { app: 2, caller: 3, path: catalogue::all()[4].path };
        let names = ["other", "anonymous", "shop", "app1"].map(Arc::from);
        let label = |name: &str| names.iter().position(|known| **known == *name).map(|at| at as u16);
        let of = |resets, counts: &[(u64, u64)]| DayCounts {
            counts: counts.iter().map(|(resets, count)| (name_of(&key, &names, *resets), *count)).collect(),
            resets: vec![("shop".to_owned(), resets)],
        };
        let mut ledger = Ledger::new(1);
        ledger.learn(&of(0, &[(0, 40)]), label);
        ledger.take(&counted(&[CALL]), NOW);
        assert_eq!(total(&ledger), 41);
        // Another replica reset them, and has counted two since.
        ledger.learn(&of(1, &[(0, 40), (1, 2)]), label);
        assert_eq!((total(&ledger), ledger.resets(2), ledger.known(1, &key)), (3, 1, 2));
        // A store that lost that tells of before.
        ledger.learn(&of(0, &[(0, 40)]), label);
        assert_eq!((total(&ledger), ledger.resets(2), ledger.known(1, &key)), (3, 1, 2));
        ledger.turn(2);
        assert_eq!(ledger.resets(2), 0);
    }

    #[test]
    fn totals_that_the_store_cannot_tell_are_counted_here_and_none_overflows() {
        let mut ledger = Ledger::new(1);
        let at = |endpoint: u16| (2, 3, endpoint);
        for batch in 1..=2 {
            ledger.take(&counted(&[CALL, CALL]), NOW);
            let offered = ledger.offer().expect("a batch");
            ledger.accepted(&offered, &[None]);
            assert_eq!(total(&ledger), 2 * batch);
        }
        ledger.take(&counted(&[at(5)]), NOW);
        let offered = ledger.offer().expect("a batch");
        ledger.accepted(&offered, &[Some(u64::MAX)]);
        ledger.take(&counted(&[at(5)]), NOW);
        assert_eq!(ledger.calls().map(|(_, count)| count).max(), Some(u64::MAX));
    }

    #[test]
    fn no_number_of_names_and_endpoints_takes_more_than_a_bounded_number_of_counters() {
        let mut ledger = Ledger::new(1);
        let all = u16::try_from(catalogue::all().len()).expect("few");
        let mut made = 0_u64;
        for app in 0..300 {
            let calls =
                (0..2).flat_map(|caller| (0..all).map(move |endpoint| (app, caller * 100 + app, endpoint)));
            let calls: Vec<_> = calls.collect();
            made += calls.len() as u64;
            ledger.take(&counted(&calls), NOW);
        }
        assert_eq!(total(&ledger), made);
        assert!(ledger.len() <= 2 * MOST + 1, "{}", ledger.len());
    }
}
