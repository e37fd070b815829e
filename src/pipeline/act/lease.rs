//! Responses of the lease endpoint: the real token, and a new one where the service says that
//! WeChat rejected it.

use tokio::time::Instant;

use super::local_response;
use crate::observe::clock::Timestamp;
use crate::pipeline::error::Error;
use crate::pipeline::plan::{Account, LEASE_PATH, Lease};
use crate::server::Response;
use crate::token::{Rejection, Verdict};

/// Where holds of the token's verdicts are concerned; the catalogue's endpoints count from 1, and
/// unlisted ones from 2⁶³.
const ENDPOINT: u64 = 1 << 62;
/// What a dead token is rejected with.
const REJECTED: i64 = 40001;

/// The token in WeChat's shape, and its generation.
pub(crate) async fn answer(account: &Account<'_>, lease: &Lease, now: Timestamp) -> Result<Response, Error> {
    let handle = account.token();
    let token = match lease.rejected {
        None => handle.obtain().await?,
        Some(generation) => {
            let at = Instant::now();
            let rejection = Rejection {
                generation,
                endpoint: ENDPOINT,
                endpoint_path: LEASE_PATH,
                errcode: REJECTED,
                sent_at: at,
                received_at: at,
                replayed_alive: false,
            };
            match handle.rejected(rejection.clone()).await {
                Verdict::Replay(token) => token,
                // No replay follows that would show who is at fault. Without a hold, a service that
                // is rejected for another reason would have the token fetched each two seconds, to
                // the day's last call.
                Verdict::ReplayAfter(token, _) => {
                    handle.rejected(Rejection { replayed_alive: true, ..rejection }).await;
                    token
                }
                Verdict::PassOn => handle.obtain().await?,
                Verdict::Unavailable(cause) => return Err(Error::TokenUnavailable(cause)),
            }
        }
    };
    let body = serde_json::json!({
        "access_token": token.value.expose(),
        "expires_in": token.expires_at.since(now).as_secs(),
        "generation": token.generation,
    });
    Ok(local_response::credential(&body))
}
