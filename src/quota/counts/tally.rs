//! What each worker counts of its requests, until the ledger takes it.

use std::time::Duration;

use crate::observe::metrics::{Map, Sharded};

/// What a request meant for its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// WeChat responded without an error.
    Ok,
    /// WeChat responded with one.
    WechatError,
    /// wxgate refused.
    Refused,
    /// WeChat did not respond.
    Failed,
}

/// A request that has ended. Names are numbers of [`Names`](crate::observe::names::Names).
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// The app.
    pub app: u16,
    /// The endpoint's place in the catalogue.
    pub endpoint: u16,
    /// What became of it.
    pub outcome: Outcome,
    /// WeChat's last response's, 0 if it carried none.
    pub errcode: i32,
    /// How often it was sent again.
    pub replays: u32,
    /// Of the token that it was sent with last, 0 if with none.
    pub generation: u64,
    /// From its head to the end of its response.
    pub taken: Duration,
    /// Of it, waiting for WeChat.
    pub upstream: Duration,
}

/// What happened in some stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Point {
    pub(crate) calls: u32,
    pub(crate) wechat_errors: u32,
    pub(crate) refused: u32,
    pub(crate) failed: u32,
    pub(crate) replayed: u32,
    /// Those that went to WeChat.
    pub(crate) sent: u32,
    /// Microseconds that those spent in wxgate itself, summed.
    pub(crate) own: u64,
    /// And waiting for WeChat.
    pub(crate) upstream: u64,
}

impl Point {
    fn add_call(&mut self, call: &Call) {
        self.calls += 1;
        match call.outcome {
            Outcome::Ok => {}
            Outcome::WechatError => self.wechat_errors += 1,
            Outcome::Refused => self.refused += 1,
            Outcome::Failed => self.failed += 1,
        }
        self.replayed += u32::from(call.replays > 0);
        if !call.upstream.is_zero() {
            let upstream = microseconds(call.upstream);
            self.sent += 1;
            self.upstream += upstream;
            self.own += microseconds(call.taken).saturating_sub(upstream);
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.calls = self.calls.saturating_add(other.calls);
        self.wechat_errors = self.wechat_errors.saturating_add(other.wechat_errors);
        self.refused = self.refused.saturating_add(other.refused);
        self.failed = self.failed.saturating_add(other.failed);
        self.replayed = self.replayed.saturating_add(other.replayed);
        self.sent = self.sent.saturating_add(other.sent);
        self.own += other.own;
        self.upstream += other.upstream;
    }
}

/// Without the 128-bit division that [`Duration::as_micros`] would cost each request.
fn microseconds(duration: Duration) -> u64 {
    duration.as_secs() * 1_000_000 + u64::from(duration.subsec_micros())
}

/// What was counted since the ledger last took it.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Let through, by app, caller and endpoint.
    pub(crate) calls: Map<(u16, u16, u16), u32>,
    /// By app, endpoint and code.
    pub(crate) errors: Map<(u16, u16, i32), u32>,
    /// Requests that were sent again, by app and the generation of the token that they were sent
    /// with.
    pub(crate) replays: Map<(u16, u64), u32>,
    /// By app.
    pub(crate) points: Map<u16, Point>,
}

impl Counts {
    fn clear(&mut self) {
        self.calls.clear();
        self.errors.clear();
        self.replays.clear();
        self.points.clear();
    }
}

/// The workers' counts. Each worker writes to its own alone.
#[derive(Debug)]
pub(crate) struct Tally(Sharded<Counts>);

impl Tally {
    pub(crate) fn new(workers: usize) -> Self {
        Self(Sharded::new(workers))
    }

    /// A call by `worker` begins.
    pub(crate) fn begin(&self, worker: usize, app: u16, caller: u16, endpoint: u16) {
        self.0.with(worker, |counts| *counts.calls.entry((app, caller, endpoint)).or_default() += 1);
    }

    /// A request of `worker` has ended.
    pub(crate) fn end(&self, worker: usize, call: &Call) {
        self.0.with(worker, |counts| {
            if call.errcode != 0 {
                *counts.errors.entry((call.app, call.endpoint, call.errcode)).or_default() += 1;
            }
            if call.replays > 0 {
                *counts.replays.entry((call.app, call.generation)).or_default() += 1;
            }
            counts.points.entry(call.app).or_default().add_call(call);
        });
    }

    /// Hands each worker's counts to `take` and starts from zero. `spare` is what the workers go on
    /// with: its tables keep their room, so that a worker is stopped for no longer than it takes to
    /// exchange two pointers.
    pub(crate) fn drain(&self, spare: &mut Counts, mut take: impl FnMut(&Counts)) {
        for worker in 0..self.0.workers() {
            self.0.with(worker, |counts| std::mem::swap(counts, spare));
            take(spare);
            spare.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Call, Counts, Outcome, Tally};

    const CALL: Call = Call {
        app: 2,
        endpoint: 4,
        outcome: Outcome::Ok,
        errcode: 0,
        replays: 0,
        generation: 1,
        taken: Duration::from_millis(12),
        upstream: Duration::from_millis(10),
    };

    #[test]
    fn a_drain_takes_what_every_worker_counted_once() {
        let tally = Tally::new(2);
        for worker in [0, 1, 1] {
            tally.begin(worker, 2, 3, 4);
        }
        tally.end(0, &CALL);
        tally.end(1, &CALL);
        tally.end(1, &Call { outcome: Outcome::Refused, upstream: Duration::ZERO, ..CALL });
        tally.end(1, &Call { outcome: Outcome::WechatError, errcode: 45009, replays: 2, ..CALL });
        let (mut calls, mut points, mut errors) = (0, Vec::new(), 0);
        let mut spare = Counts::default();
        for _ in 0..2 {
            tally.drain(&mut spare, |counts| {
                calls += counts.calls.values().sum::<u32>();
                points.extend(counts.points.values().copied());
                errors += counts.errors.get(&(2, 4, 45009)).copied().unwrap_or_default();
            });
        }
        assert_eq!((calls, errors, points.len()), (3, 1, 2));
        assert_eq!((points[1].calls, points[1].refused, points[1].wechat_errors), (3, 1, 1));
        assert_eq!((points[1].replayed, points[1].sent), (1, 2));
        assert_eq!((points[1].own, points[1].upstream), (4_000, 20_000));
    }
}
