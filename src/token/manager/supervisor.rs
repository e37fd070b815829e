//! Refresh tasks never end unasked.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::token::task::RefreshTask;

/// A task that failed is not started again sooner, so that a defect can't spin.
const RESTART: Duration = Duration::from_secs(1);

/// Runs a refresh task until it is told to stop. A panic costs the question that caused it, not the
/// app: what the task knew and what it published stay, and it goes on with the next question.
pub(super) async fn supervise(task: RefreshTask) {
    let app = task.app_name();
    let task = Arc::new(tokio::sync::Mutex::new(task));
    loop {
        let task = Arc::clone(&task);
        // A set, so that the task ends with its supervisor.
        let mut run = JoinSet::new();
        run.spawn(async move { task.lock().await.run().await });
        match run.join_next().await {
            Some(Err(error)) if error.is_panic() => {
                tracing::error!(%app, "the token keeper failed and is started again");
                sleep(RESTART).await;
            }
            _ => return,
        }
    }
}
