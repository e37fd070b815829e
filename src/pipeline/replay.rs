//! Step 6: WeChat rejected the token. Send the same bytes again, or let its answer pass?

use std::sync::Arc;

use tokio::time::{Instant, sleep};

use super::error::Error;
use super::inspect::Finding;
use crate::token::{Rejection, Token, Verdict};
use crate::upstream::Patience;
use crate::wechat::catalogue::Endpoint;

/// How often one request is replayed at most: after a lagging node, and after a new token.
pub(super) const MOST: u32 = 2;

/// What becomes of the request.
pub(super) enum Decision {
    /// WeChat's own answer goes to the caller.
    PassOn,
    /// The same bytes go out again.
    Again {
        with: Arc<Token>,
        /// With the same token, since it is known to live: some of WeChat's nodes may lag.
        alive: bool,
    },
}

/// What the token manager is told.
pub(super) fn rejection(
    generation: u64,
    endpoint: &'static Endpoint,
    finding: &Finding,
    sent_at: Instant,
    replayed_alive: bool,
) -> Rejection {
    Rejection {
        generation,
        endpoint: endpoint.id,
        endpoint_path: endpoint.path,
        errcode: finding.errcode.unwrap_or_default(),
        sent_at,
        received_at: Instant::now(),
        replayed_alive,
    }
}

/// Turns the manager's verdict into what this request can still do. A replay never begins past the request's deadline:
/// its caller may have given up and sent the message anew.
pub(super) async fn decide(
    verdict: Verdict,
    may_replay: bool,
    patience: &Patience,
) -> Result<Decision, Error> {
    let in_time = || patience.deadline.get().is_none_or(|deadline| Instant::now() < deadline);
    match verdict {
        Verdict::Unavailable(cause) => Err(Error::TokenUnavailable(cause)),
        Verdict::Replay(with) if may_replay && in_time() => Ok(Decision::Again { with, alive: false }),
        Verdict::ReplayAfter(with, delay) if may_replay && in_time() => {
            sleep(delay).await;
            Ok(if in_time() { Decision::Again { with, alive: true } } else { Decision::PassOn })
        }
        Verdict::Replay(_) | Verdict::ReplayAfter(..) | Verdict::PassOn => Ok(Decision::PassOn),
    }
}
