//! Has the gate look now and then at how long requests took and what was refused, so that what the
//! status page shows is known by the minute.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;

use crate::observe::clock::Clock;
use crate::pipeline::Gate;

const LOOK: Duration = Duration::from_secs(15);

/// Looks until it is aborted.
#[expect(clippy::disallowed_methods, reason = "the handle ends it at the drain")]
pub(in crate::app) fn start(gate: Arc<Gate>, clock: Clock) -> AbortHandle {
    let looking = async move {
        loop {
            clock.sleep(LOOK).await;
            gate.look();
        }
    };
    tokio::spawn(looking).abort_handle()
}
