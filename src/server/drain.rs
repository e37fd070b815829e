//! How a worker's connections learn that a drain has begun.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::task::{Context, Waker};

/// Tells a worker's connections that a drain has begun, at no cost until then.
#[derive(Debug, Default)]
pub(super) struct Drain {
    begun: Cell<bool>,
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
    pub(super) fn begun(&self) -> bool {
        self.begun.get()
    }

    pub(super) fn register(self: &Rc<Self>) -> Registration {
        let key = self.next.get();
        self.next.set(key + 1);
        Registration { drain: Rc::clone(self), key, known: Cell::new(false) }
    }

    pub(super) fn begin(&self) {
        self.begun.set(true);
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
