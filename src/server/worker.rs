//! A thread with a runtime of its own: it keeps a connection from its first byte to its last.

use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::LocalSet;

use super::count::Count;
use super::drain::Drain;
use super::listener::Accepted;
use super::{Handler, Options, connection};

/// A place among a worker's connections, given back on drop.
struct Place(Arc<Count>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.remove();
    }
}

/// What the acceptor sends.
pub(super) struct Assignment {
    pub(super) accepted: Accepted,
    pub(super) overloaded: bool,
}

/// The way to a worker.
pub(super) struct Worker {
    pub(super) assignments: mpsc::UnboundedSender<Assignment>,
    pub(super) connections: Arc<Count>,
}

/// How far the end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Serving,
    /// No new connections; each open one ends after the answer in progress.
    Draining,
    /// Whatever still runs is cut off.
    Stopped,
}

/// Runs a worker to its end; `ended` resolves when no connection is left, or is dropped when they
/// were cut off.
pub(super) fn run<H: Handler>(
    handler: impl FnOnce() -> H,
    options: Options,
    assignments: mpsc::UnboundedReceiver<Assignment>,
    connections: Arc<Count>,
    stage: watch::Receiver<Stage>,
    ended: oneshot::Sender<()>,
) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "a worker could not start");
            return;
        }
    };
    let local = LocalSet::new();
    let finished = local.block_on(&runtime, async {
        let handler = Rc::new(handler());
        let serving = serve(handler, Rc::new(options), assignments, connections, stage);
        // A task of its own, since `block_on` polls what it is given whenever any task of the
        // worker was woken.
        tokio::task::spawn_local(serving).await
    });
    if finished.unwrap_or(false) {
        let _ = ended.send(());
    }
}

async fn serve<H: Handler>(
    handler: Rc<H>,
    options: Rc<Options>,
    mut assignments: mpsc::UnboundedReceiver<Assignment>,
    connections: Arc<Count>,
    mut stage: watch::Receiver<Stage>,
) -> bool {
    let drain = Rc::new(Drain::default());
    let mut tasks = tokio::task::JoinSet::new();
    let mut open = true;
    loop {
        tokio::select! {
            assignment = assignments.recv(), if open => {
                let Some(Assignment { accepted, overloaded }) = assignment else {
                    open = false;
                    drain.begin();
                    continue;
                };
                let (place, count) = (Place(Arc::clone(&connections)), Arc::clone(&connections));
                let (handler, options, drain) = (Rc::clone(&handler), Rc::clone(&options), Rc::clone(&drain));
                tasks.spawn_local(async move {
                    let _place = place;
                    let serving = connection::serve(accepted, handler, options, drain, overloaded, count);
                    if let Err(error) = serving.await {
                        tracing::debug!(error = &error as &dyn std::error::Error, "connection could not be served");
                    }
                });
            }
            Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
            changed = stage.changed() => {
                let now = if changed.is_err() { Stage::Stopped } else { *stage.borrow_and_update() };
                match now {
                    Stage::Serving => {}
                    Stage::Draining => drain.begin(),
                    Stage::Stopped => return tasks.is_empty(),
                }
            }
        }
        if drain.begun() && tasks.is_empty() && (!open || assignments.is_empty()) {
            return true;
        }
    }
}
