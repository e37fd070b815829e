//! Logs API keys that are about to expire.

use std::sync::Arc;

use tokio::task::AbortHandle;

use crate::observe::clock::Clock;
use crate::pipeline::Gate;
use crate::texts::text;

/// Warns at the beginning of each day in Beijing, until it is aborted. At start and at a reload the
/// configuration's own warnings cover this.
#[expect(clippy::disallowed_methods, reason = "the handle ends it at the drain")]
pub(in crate::app) fn watch(gate: Arc<Gate>, clock: Clock) -> AbortHandle {
    tokio::spawn(async move {
        loop {
            clock.sleep_until(clock.now().beijing_midnight()).await;
            for (caller, warning) in gate.ending_keys(clock.now()) {
                tracing::warn!(%caller, "{}", text!("the caller's `expires` {warning}", warning));
            }
        }
    })
    .abort_handle()
}
