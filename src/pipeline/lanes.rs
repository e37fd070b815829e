//! The memory that a request is served in, which the next one takes over.
//!
//! What a request needs on its way are several kilobytes. Created for each request, they would be
//! copied once, from where a future is made to where it stays, and be too much for the allocator's
//! fast ways. So a worker keeps some futures that never end: each serves one request after the
//! other, and what it keeps of a request ends with that.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::server::{Peer, Request, Response};

/// Lanes without a request that a worker keeps at most: as many as it has requests under way most
/// of the time.
const MOST_IDLE: usize = 64;

/// A request to be served.
pub(super) struct Job {
    pub(super) request: Request,
    pub(super) peer: Peer,
    pub(super) late: bool,
}

/// A worker's lanes.
#[derive(Default)]
pub(super) struct Lanes {
    idle: RefCell<Vec<Lane>>,
}

/// A future that serves one request after the other.
struct Lane {
    hatch: Rc<Hatch>,
    work: Pin<Box<dyn Future<Output = Infallible>>>,
}

/// By which a request gets into its lane, and the response out.
#[derive(Default)]
pub(super) struct Hatch {
    job: Cell<Option<Job>>,
    response: Cell<Option<Response>>,
}

/// A request in its lane, until its response. Dropped before, it takes the lane with it.
pub(super) struct LaneFuture<'l> {
    lanes: &'l Lanes,
    lane: Option<Lane>,
}

impl std::fmt::Debug for Lanes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lanes").finish_non_exhaustive()
    }
}

impl Lanes {
    /// Serves `job` in a lane: one that is idle, or what `open` makes.
    pub(super) fn answer<F>(&self, job: Job, open: impl FnOnce(Rc<Hatch>) -> F) -> LaneFuture<'_>
    where
        F: Future<Output = Infallible> + 'static,
    {
        let idle = self.idle.borrow_mut().pop();
        let lane = idle.unwrap_or_else(|| {
            let hatch = Rc::<Hatch>::default();
            Lane { work: Box::pin(open(Rc::clone(&hatch))), hatch }
        });
        lane.hatch.job.set(Some(job));
        LaneFuture { lanes: self, lane: Some(lane) }
    }

    fn give_back(&self, lane: Lane) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() < MOST_IDLE {
            idle.push(lane);
        }
    }
}

impl Hatch {
    /// The next request.
    pub(super) fn next(&self) -> impl Future<Output = Job> {
        // No task has to be woken: a lane is driven only when a request has come.
        poll_fn(|_| self.job.take().map_or(Poll::Pending, Poll::Ready))
    }

    /// Hands out its response.
    pub(super) fn answer(&self, response: Response) {
        self.response.set(Some(response));
    }
}

impl Future for LaneFuture<'_> {
    type Output = Response;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Response> {
        let Self { lanes, lane } = &mut *self;
        let Some(at_work) = lane else { return Poll::Pending };
        let Poll::Pending = at_work.work.as_mut().poll(context);
        let Some(response) = at_work.hatch.response.take() else { return Poll::Pending };
        lane.take().into_iter().for_each(|lane| lanes.give_back(lane));
        Poll::Ready(response)
    }
}
