//! A thread with a runtime of its own: it keeps a connection from its first byte to its last.

use std::io;
use std::rc::Rc;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, mpsc as std_mpsc};

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};

use super::admission::Place;
use super::connection::Seat;
use super::drain::{Drain, Stage};
use super::listener::Accepted;
use super::pulse::Signs;
use super::{Handler, Options, connection};

use crate::texts::text;

/// What the acceptor sends.
pub(super) enum Assignment {
    /// To be served. Where its listener is `held`, the next process goes on with it.
    Served { accepted: Accepted, place: Place, held: bool },
    /// To be told that a limit is reached.
    Refused(Accepted, OwnedSemaphorePermit),
}

/// How a worker learns of the end, and tells of it.
pub(super) struct End {
    /// Whether responses say that their connection ends.
    pub(super) leaving: Arc<AtomicBool>,
    pub(super) stage: watch::Receiver<Stage>,
    /// Dropped once nothing runs of what was there when the delay ended.
    pub(super) before: watch::Receiver<()>,
    /// Told when no connection is left, or dropped when they were cut off.
    pub(super) ended: oneshot::Sender<()>,
}

/// Runs a worker to its end; `begun` is told whether it can.
pub(super) fn run<H: Handler>(
    handler: impl FnOnce() -> H,
    options: Options,
    assignments: mpsc::UnboundedReceiver<Assignment>,
    begun: std_mpsc::Sender<io::Result<()>>,
    end: End,
    signs: Signs,
) {
    let runtime = match Builder::new_current_thread().enable_all().build_local(LocalOptions::default()) {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = begun.send(Err(error));
            return;
        }
    };
    let finished = runtime.block_on(async {
        let handler = Rc::new(handler());
        let _ = begun.send(Ok(()));
        let serving = serve(handler, Rc::new(options), assignments, end, signs);
        // A task of its own, so that its panic is told below.
        tokio::task::spawn_local(serving).await
    });
    if let Err(error) = finished {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "{}",
            text!("a worker exited unexpectedly")
        );
    }
}

async fn serve<H: Handler>(
    handler: Rc<H>,
    options: Rc<Options>,
    mut assignments: mpsc::UnboundedReceiver<Assignment>,
    end: End,
    mut signs: Signs,
) {
    let End { leaving, mut stage, before, ended } = end;
    let drain = Rc::new(Drain::new(leaving, before));
    let mut tasks = tokio::task::JoinSet::new();
    let mut open = true;
    let finished = loop {
        tokio::select! {
            assignment = assignments.recv(), if open => {
                let handler = Rc::clone(&handler);
                match assignment {
                    Some(Assignment::Served { accepted, place, held }) => {
                        let (options, drain) = (Rc::clone(&options), Rc::clone(&drain));
                        tasks.spawn_local(async move {
                            let seat = Seat { count: Arc::clone(place.worker()), drain, held };
                            told(connection::serve(accepted, handler, options, seat).await);
                            drop(place);
                        });
                    }
                    Some(Assignment::Refused(accepted, answered)) => {
                        tasks.spawn_local(async move {
                            told(connection::refuse(accepted, &*handler).await);
                            drop(answered);
                        });
                    }
                    // The acceptors have ended.
                    None => open = false,
                }
            }
            Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
            changed = stage.changed() => {
                let now = if changed.is_err() { Stage::Stopped } else { *stage.borrow_and_update() };
                match now {
                    Stage::Serving | Stage::Leaving | Stage::Closing | Stage::Full => drain.enter(now),
                    Stage::Stopped => break tasks.is_empty(),
                }
            }
            () = signs.answer() => {}
        }
        if !open && tasks.is_empty() {
            break true;
        }
    };
    // The acceptors may have exited by themselves, and then no caller is served any more.
    if *stage.borrow() >= Stage::Closing || stage.has_changed().is_err() {
        signs.end();
    }
    if finished {
        let _ = ended.send(());
    }
}

/// A caller's doing, not ours.
fn told(ended: io::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(error = &error as &dyn std::error::Error, "connection could not be served");
    }
}
