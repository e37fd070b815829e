//! Whether the workers move: each is asked for a sign, and gives it when its turn comes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

/// Asks a server's workers for signs of life; it may outlive the server.
#[derive(Clone, Debug)]
pub struct Pulse {
    asked: Arc<watch::Sender<u64>>,
    workers: Vec<Worker>,
}

#[derive(Clone, Debug)]
struct Worker {
    name: Arc<str>,
    answered: Arc<AtomicU64>,
}

/// A worker's end of it.
pub(crate) struct Signs {
    asked: watch::Receiver<u64>,
    answered: Arc<AtomicU64>,
}

impl Pulse {
    pub(crate) fn new() -> Self {
        Self { asked: Arc::new(watch::Sender::new(0)), workers: Vec::new() }
    }

    /// The end for one more worker.
    pub(crate) fn add(&mut self, name: &str) -> Signs {
        let answered = Arc::<AtomicU64>::default();
        self.workers.push(Worker { name: name.into(), answered: Arc::clone(&answered) });
        Signs { asked: self.asked.subscribe(), answered }
    }

    /// Asks each worker.
    pub fn ask(&self) {
        self.asked.send_modify(|asked| *asked += 1);
    }

    /// Each worker's name, and whether it has moved since it was asked last. One that has ended
    /// with its server never counts as silent; one that has ended by itself always does.
    pub fn moved(&self) -> impl Iterator<Item = (&str, bool)> {
        let asked = *self.asked.borrow();
        self.workers
            .iter()
            .map(move |worker| (&*worker.name, worker.answered.load(Ordering::Relaxed) >= asked))
    }
}

impl Signs {
    /// Responds whenever it is asked; to be polled along with the worker's other work.
    pub(crate) async fn answer(&mut self) {
        if self.asked.changed().await.is_err() {
            return std::future::pending().await;
        }
        self.answered.store(*self.asked.borrow_and_update(), Ordering::Relaxed);
    }

    /// None is to be expected from now on: the worker ends with its server.
    pub(crate) fn end(self) {
        self.answered.store(u64::MAX, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::Pulse;

    #[tokio::test]
    async fn a_worker_has_moved_once_it_answered_what_was_asked_last() {
        let mut pulse = Pulse::new();
        let (mut one, mut two) = (pulse.add("worker-0"), pulse.add("worker-1"));
        let moved = |pulse: &Pulse| pulse.moved().map(|(_, moved)| moved).collect::<Vec<_>>();
        assert_eq!(moved(&pulse), [true, true], "nobody asked");
        pulse.ask();
        pulse.ask();
        assert_eq!(moved(&pulse), [false, false]);
        one.answer().await;
        assert_eq!(moved(&pulse), [true, false]);
        pulse.ask();
        two.answer().await;
        assert_eq!(pulse.moved().collect::<Vec<_>>(), [("worker-0", false), ("worker-1", true)]);
    }

    #[test]
    fn a_worker_that_ended_with_its_server_is_not_silent_and_one_that_ended_by_itself_is() {
        let mut pulse = Pulse::new();
        pulse.add("worker-0").end();
        drop(pulse.add("worker-1"));
        pulse.ask();
        assert_eq!(pulse.moved().collect::<Vec<_>>(), [("worker-0", true), ("worker-1", false)]);
    }
}
