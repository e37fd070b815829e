//! How a worker's connections learn that the end comes.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::task::{Context, Waker};

/// How far the end has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    #[default]
    Serving,
    /// All is served, and answers say that their connection ends.
    Leaving,
    /// Who waits to be let in is let in, nobody after them; who is idle has a moment left.
    Closing,
    /// Whatever still runs is cut off.
    Stopped,
}

/// Tells a worker's connections how far the end has come, at no cost until it begins: a request
/// reads a cell.
#[derive(Debug, Default)]
pub(super) struct Drain {
    stage: Cell<Stage>,
    next: Cell<u64>,
    wakers: RefCell<HashMap<u64, Waker>>,
}

/// A connection's place among those that are told.
pub(super) struct Registration {
    drain: Rc<Drain>,
    key: u64,
    known: Cell<bool>,
}

impl Drain {
    /// Answers say that their connection ends.
    pub(super) fn is_leaving(&self) -> bool {
        self.stage.get() >= Stage::Leaving
    }

    /// Nobody new is let in, and who is idle has a moment left.
    pub(super) fn is_closing(&self) -> bool {
        self.stage.get() >= Stage::Closing
    }

    pub(super) fn register(self: &Rc<Self>) -> Registration {
        let key = self.next.get();
        self.next.set(key + 1);
        Registration { drain: Rc::clone(self), key, known: Cell::new(false) }
    }

    /// Goes on to `stage`.
    pub(super) fn enter(&self, stage: Stage) {
        self.stage.set(stage);
        for waker in self.wakers.borrow().values() {
            waker.wake_by_ref();
        }
    }
}

impl Registration {
    /// A task's waker never changes, so the first one will do.
    pub(super) fn remember(&self, context: &Context<'_>) {
        if !self.known.replace(true) {
            self.drain.wakers.borrow_mut().insert(self.key, context.waker().clone());
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.drain.wakers.borrow_mut().remove(&self.key);
    }
}
