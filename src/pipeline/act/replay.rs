//! WeChat rejected the token: send the same bytes again, or let its response pass?

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use tokio::time::{Instant, sleep};

use super::inspect::Finding;
use crate::pipeline::error::Error;
use crate::pipeline::plan::RequestTarget;
use crate::token::{Rejection, Token, Verdict};
use crate::upstream::Patience;
use crate::wechat::catalogue;

/// How often one request is replayed at most: after a lagging node, and after a new token.
pub(crate) const MOST: u32 = 2;

/// What becomes of the request.
pub(crate) enum Decision {
    /// WeChat's own response goes to the caller.
    PassOn,
    /// The same bytes go out again.
    Again {
        with: Arc<Token>,
        /// With the same token, since it is known to live: some of WeChat's nodes may lag.
        alive: bool,
    },
}

/// What the token manager is told.
pub(crate) fn rejection(
    generation: u64,
    target: &RequestTarget<'_>,
    finding: &Finding,
    sent_at: Instant,
    replayed_alive: bool,
) -> Rejection {
    Rejection {
        generation,
        endpoint: key(target),
        endpoint_path: target.endpoint.path,
        errcode: finding.errcode.unwrap_or_default(),
        sent_at,
        received_at: Instant::now(),
        replayed_alive,
    }
}

/// What holds tell endpoints by. Paths that the catalogue doesn't list share an id, but not a fate.
fn key(target: &RequestTarget<'_>) -> u64 {
    if target.endpoint.id != 0 {
        return u64::from(target.endpoint.id);
    }
    let mut hasher = DefaultHasher::new();
    catalogue::normalise(target.path).hash(&mut hasher);
    hasher.finish() | 1 << 63
}

/// Turns the manager's verdict into what this request can still do. A replay never begins once the
/// request timeout is spent: its caller may have given up and sent the message again.
pub(crate) async fn decide(
    verdict: Verdict,
    may_replay: bool,
    patience: &Patience,
) -> Result<Decision, Error> {
    match verdict {
        Verdict::Unavailable(cause) => Err(Error::TokenUnavailable(cause)),
        Verdict::Replay(with) if may_replay && patience.is_left() => {
            Ok(Decision::Again { with, alive: false })
        }
        Verdict::ReplayAfter(with, delay) if may_replay && patience.is_left() => {
            sleep(delay).await;
            Ok(if patience.is_left() { Decision::Again { with, alive: true } } else { Decision::PassOn })
        }
        Verdict::Replay(_) | Verdict::ReplayAfter(..) | Verdict::PassOn => Ok(Decision::PassOn),
    }
}
