//! Who may go to work, and who waits for it.
//!
//! Until few places are left a request pays for two numbers of its worker's own and reads two that
//! are seldom written. After that all go through the line, under one lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::line::{Line, Party, Ticket};
use super::places::{ExactPlaces, Place, Places, WorkersPlaces, enter};
use crate::observe::metrics::{Map, Sharded};

/// A request waits no longer than this for its turn. A caller's own patience is seldom less than a
/// second; longer lines only make everybody late.
pub(crate) const PATIENCE: Duration = Duration::from_millis(100);
/// At most so many wait: in the patience that each has, a busy process serves more than that.
pub(crate) const WAITING: u64 = 512;
/// This part of the places is kept for apps that have less than their share, so that one whose
/// calls hang leaves some to the others.
const KEPT: u64 = 8;

/// All turns of the process.
#[derive(Debug)]
pub(crate) struct Turns {
    /// Of all that came in: those in flight, those in line, and those who are told that there is
    /// none.
    entered: Places,
    most: u64,
    kept: u64,
    apps: AtomicU64,
    held: Sharded<Map<Party, u64>>,
    waiting: Waiting,
    line: Mutex<Line>,
    /// Of those who lined up: who got a turn, and who didn't.
    ended: [AtomicU64; 2],
}

/// On a cache line of its own, since it is read by each request.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Waiting(AtomicU64);

/// What became of a request that lined up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waited {
    /// It got its turn.
    Served,
    /// It was refused, or its caller hung up.
    Left,
}

/// Why there was no turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// All of the process's places are taken.
    Process,
    /// All of its app's.
    App,
    /// Those that are left are kept for other apps.
    Share,
}

/// A turn that was had: the place of its app's, if that has a limit.
type Turned = Result<Option<Place>, Full>;

impl Turns {
    /// For `most` requests in flight on `workers`.
    pub(crate) fn new(most: u64, workers: usize) -> Arc<Self> {
        let waiting = most.min(WAITING);
        Arc::new(Self {
            // Who is displaced, and who hasn't been looked at yet, needs room too.
            entered: Places::new(most, 2 * waiting, workers),
            most,
            kept: most / KEPT,
            apps: AtomicU64::new(1),
            held: Sharded::new(workers),
            waiting: Waiting::default(),
            line: Mutex::new(Line::new(waiting as usize)),
            ended: Default::default(),
        })
    }

    /// So many apps share the places from now on.
    pub(crate) fn share_among(&self, apps: usize) {
        self.apps.store(apps.max(1) as u64, Ordering::Relaxed);
    }

    /// What a worker takes places from as requests come in.
    pub(crate) fn of_worker(&self) -> WorkersPlaces {
        self.entered.of_worker()
    }

    /// So many may be in flight at a time.
    pub(crate) fn most(&self) -> u64 {
        self.most
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> u64 {
        self.waiting.0.load(Ordering::SeqCst)
    }

    /// How many of those who lined up ended so.
    pub(crate) fn ended(&self, how: Waited) -> u64 {
        self.ended[how as usize].load(Ordering::Relaxed)
    }

    /// A turn for a request of `party`'s that has come in at `worker`, whose app has these places
    /// if they are limited. To be given back by [`end`](Self::end).
    pub(crate) async fn turn(&self, worker: usize, party: Party, app: Option<&ExactPlaces>) -> Turned {
        if self.waiting() == 0
            && self.entered.taken() <= self.most - self.kept()
            && let Some(place) = enter(app)
        {
            self.begin(worker, party);
            return Ok(place);
        }
        // Boxed, since it is rare.
        Box::pin(self.line_up(worker, party, app)).await
    }

    /// A request of `party`'s is in flight no more. Its places are to be given back before.
    pub(crate) fn end(&self, worker: usize, party: Party) {
        self.held.with(worker, |held| {
            if let Some(count) = held.get_mut(&party) {
                *count = count.saturating_sub(1);
            }
        });
    }

    /// Calls who waits, if there is a place; to be done whenever one was given back.
    pub(crate) fn call(&self) {
        if self.waiting() > 0 {
            self.call_from(&mut self.line.lock());
        }
    }

    fn begin(&self, worker: usize, party: Party) {
        self.held.with(worker, |held| *held.entry(party).or_default() += 1);
    }

    async fn line_up(&self, worker: usize, party: Party, app: Option<&ExactPlaces>) -> Turned {
        let ticket = {
            let mut line = self.line.lock();
            let mut ticket = line.push(party, app.cloned());
            self.settle(&line);
            self.call_from(&mut line);
            if let Ok(place) = ticket.turn.try_recv() {
                self.begin(worker, party);
                return Ok(place);
            }
            ticket
        };
        let mut standing = Standing { turns: self, party, ticket, turned: false };
        let turn = tokio::time::timeout(PATIENCE, &mut standing.ticket.turn).await;
        match turn {
            Ok(Ok(place)) => {
                standing.turned = true;
                self.ended[Waited::Served as usize].fetch_add(1, Ordering::Relaxed);
                self.begin(worker, party);
                Ok(place)
            }
            Ok(Err(_)) | Err(_) => Err(self.full(app)),
        }
    }

    /// Tells requests and the metrics how many wait.
    fn settle(&self, line: &Line) {
        self.waiting.0.store(line.len() as u64, Ordering::SeqCst);
    }

    /// Gives turns to those in line as long as there are places.
    fn call_from(&self, line: &mut Line) {
        let mut held: Option<Map<Party, u64>> = None;
        while line.len() > 0 {
            let free = self.free();
            if free == 0 {
                return;
            }
            let held = held.get_or_insert_with(|| self.held());
            let of_app =
                |app: u16| held.iter().filter(|(of, _)| of.app == app).map(|(_, count)| count).sum::<u64>();
            let scarce = free <= self.kept();
            let share = self.share();
            let of = |party: Party| held.get(&party).copied().unwrap_or(0);
            let called = line.call(of, |party| !scarce || of_app(party.app) < share);
            self.settle(line);
            let Some(party) = called else { return };
            *held.entry(party).or_default() += 1;
        }
    }

    /// Places that no request is in flight on. Who lines up is not in flight.
    fn free(&self) -> u64 {
        self.most.saturating_sub(self.entered.taken().saturating_sub(self.waiting()))
    }

    /// What all have in flight, by party.
    fn held(&self) -> Map<Party, u64> {
        self.held.fold(Map::default(), |mut all, of_worker| {
            for (party, count) in of_worker {
                *all.entry(*party).or_default() += count;
            }
            all
        })
    }

    /// An app's share of the places.
    fn share(&self) -> u64 {
        self.most.div_ceil(self.apps.load(Ordering::Relaxed))
    }

    /// The places that are kept for apps with less than their share; none where there is one app.
    fn kept(&self) -> u64 {
        if self.apps.load(Ordering::Relaxed) > 1 { self.kept } else { 0 }
    }

    fn full(&self, app: Option<&ExactPlaces>) -> Full {
        if app.is_some_and(ExactPlaces::is_full) {
            Full::App
        } else if self.free() > 0 {
            Full::Share
        } else {
            Full::Process
        }
    }
}

/// A request's stand in the line. It leaves when this is dropped.
struct Standing<'t> {
    turns: &'t Turns,
    party: Party,
    ticket: Ticket,
    turned: bool,
}

impl Drop for Standing<'_> {
    fn drop(&mut self) {
        if self.turned {
            return;
        }
        self.turns.ended[Waited::Left as usize].fetch_add(1, Ordering::Relaxed);
        let mut line = self.turns.line.lock();
        if line.remove(self.party, &self.ticket) {
            self.turns.settle(&line);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::task::LocalSet;
    use tokio::time::{Instant, sleep};

    use super::{ExactPlaces, Full, PATIENCE, Party, Turns, Waited, WorkersPlaces};

    const SHOP: Party = Party { app: 2, caller: 1 };
    const GAME: Party = Party { app: 3, caller: 1 };

    /// A worker of its own process.
    struct OneWorker {
        turns: Arc<Turns>,
        places: WorkersPlaces,
    }

    impl OneWorker {
        fn of(most: u64, apps: usize) -> Rc<Self> {
            let turns = Turns::new(most, 1);
            turns.share_among(apps);
            let places = turns.of_worker();
            Rc::new(Self { turns, places })
        }

        /// A request that is in flight for so long, once it has its turn.
        async fn request(
            &self,
            party: Party,
            app: Option<&ExactPlaces>,
            work: Duration,
        ) -> Result<Instant, Full> {
            if !self.places.enter() {
                return Err(Full::Process);
            }
            let turn = self.turns.turn(0, party, app).await;
            let began = Instant::now();
            let decided = match turn {
                Ok(place) => {
                    sleep(work).await;
                    drop(place);
                    self.turns.end(0, party);
                    Ok(began)
                }
                Err(full) => Err(full),
            };
            self.places.leave(self.turns.waiting() > 0);
            self.turns.call();
            decided
        }

        fn ended(&self) -> [u64; 2] {
            [Waited::Served, Waited::Left].map(|how| self.turns.ended(how))
        }
    }

    const SHORT: Duration = Duration::from_millis(10);
    const LONG: Duration = Duration::from_secs(15);

    #[tokio::test(start_paused = true)]
    async fn who_finds_no_place_waits_for_one_and_not_for_long() {
        let worker = OneWorker::of(1, 1);
        let began = Instant::now();
        let (first, second) =
            tokio::join!(worker.request(SHOP, None, PATIENCE - SHORT), worker.request(SHOP, None, LONG),);
        assert_eq!(second.expect("a turn") - first.expect("a turn"), PATIENCE - SHORT);
        let (first, second) =
            tokio::join!(worker.request(SHOP, None, LONG), worker.request(SHOP, None, SHORT));
        assert!(first.is_ok());
        assert_eq!(second, Err(Full::Process));
        assert!(began.elapsed() >= LONG);
        assert_eq!(worker.ended(), [1, 1]);
        assert_eq!((worker.turns.waiting(), worker.turns.free()), (0, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn an_app_whose_requests_hang_leaves_places_to_the_others() {
        let worker = OneWorker::of(64, 2);
        LocalSet::new()
            .run_until(async {
                let hanging = (0..100).map(|_| {
                    let worker = Rc::clone(&worker);
                    tokio::task::spawn_local(async move { worker.request(SHOP, None, LONG).await })
                });
                let hanging: Vec<_> = hanging.collect();
                sleep(PATIENCE * 2).await;
                for _ in 0..100 {
                    let asked = Instant::now();
                    assert_eq!(worker.request(GAME, None, SHORT).await, Ok(asked), "at once");
                }
                let (mut served, mut refused) = (0, 0);
                for request in hanging {
                    match request.await.expect("ended") {
                        Ok(_) => served += 1,
                        Err(full) => {
                            assert_eq!(full, Full::Share);
                            refused += 1;
                        }
                    }
                }
                assert_eq!((served, refused), (56, 44));
            })
            .await;
        assert_eq!(worker.turns.free(), 64);
    }

    #[tokio::test(start_paused = true)]
    async fn where_there_is_one_app_it_has_all_places() {
        let worker = OneWorker::of(64, 1);
        let asked = Instant::now();
        LocalSet::new()
            .run_until(async {
                let all = (0..64).map(|_| {
                    let worker = Rc::clone(&worker);
                    tokio::task::spawn_local(async move { worker.request(SHOP, None, LONG).await })
                });
                for request in all.collect::<Vec<_>>() {
                    assert_eq!(request.await.expect("ended"), Ok(asked));
                }
            })
            .await;
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_a_place_of_its_apps_has_none_of_the_process() {
        let worker = OneWorker::of(2, 2);
        let app = ExactPlaces::new(1, None).expect("a limit");
        let asked = Instant::now();
        let (first, second, other) = tokio::join!(
            worker.request(SHOP, Some(&app), LONG),
            worker.request(SHOP, Some(&app), SHORT),
            worker.request(GAME, None, SHORT),
        );
        assert_eq!((first, second, other), (Ok(asked), Err(Full::App), Ok(asked)));
        assert!(!app.is_full());
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_that_hangs_up_in_line_leaves_it_and_one_that_was_called_wastes_no_turn() {
        let worker = OneWorker::of(4, 1);
        let app = ExactPlaces::new(1, None).expect("a limit");
        let hung_up = async {
            let gone = worker.request(SHOP, Some(&app), LONG);
            assert!(tokio::time::timeout(SHORT, gone).await.is_err());
            assert_eq!(worker.turns.waiting(), 1, "the third");
            // Its report, which is dropped with it, does this.
            worker.places.leave(worker.turns.waiting() > 0);
            worker.turns.call();
        };
        let (first, (), third) = tokio::join!(
            worker.request(SHOP, Some(&app), SHORT * 2),
            hung_up,
            worker.request(SHOP, Some(&app), SHORT),
        );
        assert_eq!(third.expect("a turn") - first.expect("a turn"), SHORT * 2);
        assert_eq!((worker.turns.waiting(), worker.turns.free(), app.is_full()), (0, 4, false));
    }
}
