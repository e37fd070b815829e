//! Places, and who takes them.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Places that are taken, on a cache line of its own, since all workers write to it.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Taken(AtomicU64);

impl Taken {
    /// Takes up to `wanted` of `most` places; how many there were.
    fn take(&self, wanted: u64, most: u64) -> u64 {
        let mut taken = self.0.load(Ordering::SeqCst);
        loop {
            let got = wanted.min(most.saturating_sub(taken));
            if got == 0 {
                return 0;
            }
            match self.0.compare_exchange_weak(taken, taken + got, Ordering::SeqCst, Ordering::SeqCst) {
                Ok(_) => return got,
                Err(now) => taken = now,
            }
        }
    }

    /// Who lines up says so before it looks for a place, and who gives one back does so before it
    /// looks for a waiter in line: all in one order, or the two could miss each other.
    fn give_back(&self, places: u64) {
        self.0.fetch_sub(places, Ordering::SeqCst);
    }
}

/// The process's places, of which workers take batches: most requests find one that their worker
/// has already, and write to no memory that others read.
#[derive(Clone, Debug)]
pub(super) struct Places {
    taken: Arc<Taken>,
    most: u64,
    batch: u64,
}

/// The largest batch. Larger ones would save nothing more.
const BATCH: u64 = 64;
/// All batches together are this part of all places; twice as much may lie unused with other
/// workers.
const UNUSED: u64 = 64;

impl Places {
    /// So many, and `room` beyond.
    pub(super) fn new(most: u64, room: u64, workers: usize) -> Self {
        let batch = (most / (UNUSED * workers.max(1) as u64)).clamp(1, BATCH);
        Self { taken: Arc::default(), most: most + room, batch }
    }

    /// How many are taken, spare ones of workers' among them.
    pub(super) fn taken(&self) -> u64 {
        self.taken.0.load(Ordering::SeqCst)
    }

    /// A worker's share of them.
    pub(super) fn of_worker(&self) -> WorkersPlaces {
        WorkersPlaces { places: self.clone(), spare: Cell::new(0) }
    }
}

/// The places that a worker has.
#[derive(Debug)]
pub(crate) struct WorkersPlaces {
    places: Places,
    /// Those that no request is on.
    spare: Cell<u64>,
}

impl WorkersPlaces {
    /// Whether a request finds a place; it is to be left when the request has ended.
    pub(crate) fn enter(&self) -> bool {
        let spare = match self.spare.get() {
            0 => self.places.taken.take(self.places.batch, self.places.most),
            spare => spare,
        };
        self.spare.set(spare.saturating_sub(1));
        spare > 0
    }

    /// Leaves a place. All that are spare are given back if they are `wanted`.
    pub(crate) fn leave(&self, wanted: bool) {
        let (spare, batch) = (self.spare.get() + 1, self.places.batch);
        // Not at once, or a worker with a single request at a time would take and return a batch
        // each time.
        let kept = match spare {
            _ if wanted => 0,
            spare if spare < 2 * batch - 1 => spare,
            _ => batch - 1,
        };
        if spare > kept {
            self.places.taken.give_back(spare - kept);
        }
        self.spare.set(kept);
    }
}

/// Places that are taken one by one: of an app that has a limit, for instance.
#[derive(Clone, Debug)]
pub(crate) struct ExactPlaces {
    taken: Arc<Taken>,
    most: u64,
}

impl ExactPlaces {
    /// So many places; none if that is 0, which is no limit. After a reload what runs already still
    /// counts, by `former`.
    pub(crate) fn new(most: u64, former: Option<&Self>) -> Option<Self> {
        let taken = former.map(|former| Arc::clone(&former.taken)).unwrap_or_default();
        (most > 0).then_some(Self { taken, most })
    }

    /// A place, given back on drop; none if all are taken.
    pub(crate) fn enter(&self) -> Option<Place> {
        (self.taken.take(1, self.most) > 0).then(|| Place(Arc::clone(&self.taken)))
    }

    /// Whether all are taken.
    pub(super) fn is_full(&self) -> bool {
        self.taken.0.load(Ordering::SeqCst) >= self.most
    }
}

/// A place, or none where they aren't `limited`; nothing if all are taken.
pub(crate) fn enter(limited: Option<&ExactPlaces>) -> Option<Option<Place>> {
    match limited {
        None => Some(None),
        Some(places) => places.enter().map(Some),
    }
}

/// A request's place.
#[derive(Debug)]
pub(crate) struct Place(Arc<Taken>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.give_back(1);
    }
}

#[cfg(test)]
mod tests {
    use super::{ExactPlaces, Places, WorkersPlaces};

    /// Takes all places that these workers find.
    fn take(from: &[WorkersPlaces]) -> Vec<&WorkersPlaces> {
        let mut taken = Vec::new();
        while let Some(worker) = from.iter().find(|worker| worker.enter()) {
            taken.push(worker);
        }
        taken
    }

    #[test]
    fn workers_together_never_take_more_places_than_there_are() {
        for (most, workers) in [(1, 1), (2, 2), (3, 4), (100, 2), (4096, 2), (5000, 7)] {
            let places = Places::new(most, 0, workers);
            let workers: Vec<_> = (0..workers).map(|_| places.of_worker()).collect();
            // One worker alone may have all of them.
            let all = take(&workers[..1]);
            assert_eq!(all.len() as u64, most);
            assert!(workers.iter().all(|worker| !worker.enter()));
            all.into_iter().for_each(|worker| worker.leave(false));
            // What it keeps is a small part.
            let kept = most - take(&workers[1..]).len() as u64;
            assert!(kept <= most / 32 || workers.len() == 1, "{kept} of {most}");
        }
    }

    #[test]
    fn an_apps_places_are_given_back_and_outlive_a_reload() {
        let app = ExactPlaces::new(2, None).expect("a limit");
        let (first, second) = (app.enter(), app.enter());
        assert!(first.is_some() && second.is_some() && app.enter().is_none());
        drop(first);
        let reloaded = ExactPlaces::new(1, Some(&app)).expect("a limit");
        assert!(reloaded.enter().is_none(), "one runs already");
        drop(second);
        assert!(reloaded.enter().is_some());
        assert!(ExactPlaces::new(0, Some(&app)).is_none());
    }
}
