//! How a worker's connections learn that the end comes.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Waker};

use tokio::sync::watch;

/// How far the end has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    #[default]
    Serving,
    /// All requests are served, and responses say that their connection ends.
    Leaving,
    /// Connections that wait are accepted, later ones are not; idle ones have a moment left. Where
    /// the listener is held, others are let in as long as something is waited for.
    Closing,
    /// No connection is accepted any more, so that the last ones have time too.
    Full,
    /// Whatever still runs is cut off.
    Stopped,
}

/// Tells a worker's connections how far the end has come, at no cost until it begins: a request
/// reads a cell. And tells of those that were there when the delay ended.
#[derive(Debug)]
pub(super) struct Drain {
    stage: Cell<Stage>,
    /// Set for all workers at once, before any of them is woken: who has heard of the end from one
    /// of them is told by every other too.
    leaving: Arc<AtomicBool>,
    next: Cell<u64>,
    wakers: RefCell<HashMap<u64, Waker>>,
    /// Connections with a lower number were there when the delay ended.
    after: Cell<u64>,
    /// Those of them that are waited for.
    awaited: Cell<usize>,
    /// Dropped when there are none.
    before: RefCell<Option<watch::Receiver<()>>>,
    open: Cell<usize>,
}

/// A connection's place among those that are told.
#[derive(Debug)]
pub(super) struct Registration {
    drain: Rc<Drain>,
    key: u64,
    known: Cell<bool>,
    released: Cell<bool>,
}

impl Drain {
    /// `before` is dropped once nothing is waited for that was there when the delay ended.
    pub(super) fn new(leaving: Arc<AtomicBool>, before: watch::Receiver<()>) -> Self {
        Self {
            stage: Cell::default(),
            leaving,
            next: Cell::default(),
            wakers: RefCell::default(),
            after: Cell::default(),
            awaited: Cell::default(),
            before: RefCell::new(Some(before)),
            open: Cell::default(),
        }
    }

    /// Responses say that their connection ends.
    pub(super) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Acquire)
    }

    /// No new connection is accepted, and idle ones have a moment left.
    pub(super) fn is_closing(&self) -> bool {
        self.stage.get() >= Stage::Closing
    }

    pub(super) fn register(self: &Rc<Self>) -> Registration {
        let key = self.next.get();
        self.next.set(key + 1);
        self.open.set(self.open.get() + 1);
        Registration { drain: Rc::clone(self), key, known: Cell::default(), released: Cell::default() }
    }

    /// Goes on to `stage`.
    pub(super) fn enter(&self, stage: Stage) {
        // One stage may have been missed.
        if stage >= Stage::Closing && !self.is_closing() {
            self.after.set(self.next.get());
            self.awaited.set(self.open.get());
            self.tell();
        }
        self.stage.set(stage);
        for waker in self.wakers.borrow().values() {
            waker.wake_by_ref();
        }
    }

    /// Tells that nothing is waited for any more, once that is so.
    fn tell(&self) {
        if self.awaited.get() == 0 {
            self.before.borrow_mut().take();
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

    /// It is not waited for any more: it ends. To be told before its caller can know, who may come
    /// again at once and should find the next process.
    pub(super) fn release(&self) {
        if self.key < self.drain.after.get() && !self.released.replace(true) {
            self.drain.awaited.set(self.drain.awaited.get() - 1);
            self.drain.tell();
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.release();
        self.drain.open.set(self.drain.open.get() - 1);
        self.drain.wakers.borrow_mut().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;
    use std::sync::Arc;

    use tokio::sync::watch;

    use super::{Drain, Stage};

    #[test]
    fn what_was_there_when_the_delay_ended_is_waited_for_and_nothing_else() {
        let (sender, receiver) = watch::channel(());
        let drain = Rc::new(Drain::new(Arc::default(), receiver));
        let [gone, one, other] = [(); 3].map(|()| drain.register());
        drain.enter(Stage::Leaving);
        one.release();
        drop(gone);
        drain.enter(Stage::Closing);
        let _later = drain.register();
        assert!(!sender.is_closed(), "both are waited for");
        one.release();
        one.release();
        drop(one);
        assert!(!sender.is_closed(), "one is waited for");
        drop(other);
        assert!(sender.is_closed());
    }

    #[test]
    fn a_stage_may_be_missed() {
        let (sender, receiver) = watch::channel(());
        let drain = Rc::new(Drain::new(Arc::default(), receiver));
        let one = drain.register();
        drain.enter(Stage::Full);
        assert!(drain.is_closing() && !sender.is_closed(), "one is waited for");
        drain.enter(Stage::Stopped);
        drop(one);
        assert!(sender.is_closed());
    }

    #[test]
    fn where_nobody_is_there_nobody_is_waited_for() {
        let (sender, receiver) = watch::channel(());
        let drain = Rc::new(Drain::new(Arc::default(), receiver));
        drain.enter(Stage::Leaving);
        assert!(!sender.is_closed());
        drain.enter(Stage::Closing);
        assert!(sender.is_closed());
    }
}
