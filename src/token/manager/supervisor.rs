//! Restarts refresh tasks that panic.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::texts::text;
use crate::token::task::RefreshTask;

/// The delay before a restart, so that a defect can't spin.
const RESTART: Duration = Duration::from_secs(1);

/// Runs a refresh task until it is told to stop. A panic loses the message that caused it, not the
/// app: the task's state and what it published stay, and it continues with the next message.
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
                tracing::error!(%app, "{}", text!("token task panicked; restarting it"));
                sleep(RESTART).await;
            }
            _ => return,
        }
    }
}
