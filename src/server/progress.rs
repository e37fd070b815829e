//! What the socket, the service and the response's body of one connection know together.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use super::count::Count;
use super::drain::{Drain, Registration};
use super::framing::{Fault, Framing};
use super::{Handler, Refusal};

/// What the socket, the service and the response's body of one connection know together.
#[derive(Debug)]
pub(super) struct Progress {
    /// The worker's, of which this connection is one.
    pub(super) count: Arc<Count>,
    /// The worker's.
    pub(super) drain: Rc<Drain>,
    /// Among those that the drain tells.
    pub(super) registration: Registration,
    /// A response has said that the connection ends.
    pub(super) told: Cell<bool>,
    /// It was idle when wxgate stopped accepting connections: what comes now is too late.
    pub(super) late: Cell<bool>,
    /// Between a request's dispatch and the end of its response's body.
    pub(super) answering: Cell<bool>,
    /// Requests handed to the handler so far.
    pub(super) dispatched: Cell<u64>,
    /// From a request's dispatch until the last byte of its response is with the kernel: silence is
    /// no idleness then.
    pub(super) writing: Cell<bool>,
    /// Our side is about to be ended.
    pub(super) ending: Cell<bool>,
    pub(super) framing: RefCell<Framing>,
    pub(super) look: Cell<Look>,
}

/// A look at the socket, whether the caller is still there. hyper notices a hang-up by reading on,
/// which it doesn't while what follows the request lies in its buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Look {
    #[default]
    None,
    /// Wanted before the request's future goes on.
    Wanted,
    /// The caller is there.
    There,
}

impl Progress {
    /// Of one connection of the worker that has `count`.
    pub(super) fn new(count: Arc<Count>, drain: Rc<Drain>, longest_head: usize) -> Self {
        Self {
            count,
            registration: drain.register(),
            drain,
            told: Cell::default(),
            late: Cell::default(),
            answering: Cell::default(),
            dispatched: Cell::default(),
            writing: Cell::default(),
            ending: Cell::default(),
            framing: RefCell::new(Framing::new(longest_head)),
            look: Cell::default(),
        }
    }

    /// Whether it waits for a request of which nothing has come but empty lines.
    pub(super) fn is_idle(&self) -> bool {
        !self.writing.get() && !self.ending.get() && self.framing.borrow().awaits(self.dispatched.get())
    }

    /// Why the `index`th request is refused, if its bytes alone are a reason.
    pub(super) fn refusal(&self, index: u64, handler: &impl Handler) -> Option<Refusal> {
        let framing = self.framing.borrow();
        let too_long = || Refusal::BodyTooLarge { limit: handler.longest_body() };
        match framing.fault(index) {
            Some(Fault::Ambiguous) => Some(Refusal::AmbiguousFraming),
            Some(Fault::HeadTooLong) => Some(Refusal::HeadTooLarge { limit: framing.longest_head() }),
            Some(Fault::BodyTooLong) => Some(too_long()),
            None => framing.chunk_of(index).filter(|size| *size > handler.longest_body()).map(|_| too_long()),
        }
    }
}
