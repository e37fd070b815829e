//! The lease endpoint: hands the real token to a service that can't send its calls through the proxy.
//!
//! Such a service sees rejections itself. It tells of them by `rejected=GENERATION`, so that one new token is fetched for
//! everybody, as for calls through the proxy.

use http::Method;
use tokio::time::Instant;

use super::account::Account;
use super::directory::Known;
use super::error::Error;
use super::own;
use super::route::Target;
use crate::message::query;
use crate::observe::clock::Timestamp;
use crate::server::Response;
use crate::token::{Rejection, Verdict};

/// No path of WeChat's begins so.
const PATH: &str = "/wxgate/token";
/// Where holds of the token's verdicts are concerned; the catalogue's endpoints count from 1, and unlisted ones from 2⁶³.
const ENDPOINT: u64 = 1 << 62;
/// What a dead token is rejected with.
const REJECTED: i64 = 40001;

pub(super) fn is_asked_for(target: &Target<'_>) -> bool {
    target.path == PATH
}

/// Whether the caller may have it: a key alone isn't enough, since the token is all that the proxy protects.
pub(super) fn permit<'d>(
    known: Option<Known<'d>>,
    method: &Method,
    has_callers: bool,
) -> Result<Known<'d>, Error> {
    if *method != Method::GET {
        return Err(Error::BadRequest("the lease endpoint takes GET alone".into()));
    }
    let Some(known) = known else {
        return Err(if has_callers {
            Error::CallerUnknown("an API key is needed for the lease endpoint".into())
        } else {
            Error::CallerForbidden(
                "the lease endpoint is off: it needs a [[caller]] with lease_token = true".into(),
            )
        });
    };
    if !known.caller.lease_token {
        return Err(Error::CallerForbidden(
            format!("caller {} has no lease_token = true, so it gets no real token", known.caller.name)
                .into(),
        ));
    }
    Ok(known)
}

/// The token in WeChat's shape, and its generation.
pub(super) async fn answer(
    account: &Account<'_>,
    target: &Target<'_>,
    now: Timestamp,
) -> Result<Response, Error> {
    if account.app.kind.is_platform() && account.authorizer.is_none() {
        return Err(Error::EndpointForbidden(
            "a platform's own token, by which those of all its accounts are had, is not handed out".into(),
        ));
    }
    let handle = account.token();
    let token = match rejected(target)? {
        None => handle.obtain().await?,
        Some(generation) => {
            let at = Instant::now();
            let rejection = Rejection {
                generation,
                endpoint: ENDPOINT,
                endpoint_path: PATH,
                errcode: REJECTED,
                sent_at: at,
                received_at: at,
                replayed_alive: false,
            };
            match handle.rejected(rejection.clone()).await {
                Verdict::Replay(token) => token,
                // No replay follows that would show who is at fault. Without a hold, a service that is rejected for
                // another reason would have the token fetched each two seconds, to the day's last call.
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
    Ok(own::credential(&body))
}

fn rejected(target: &Target<'_>) -> Result<Option<u64>, Error> {
    let Some(text) = target.query.and_then(|query| query::get(query, "rejected")) else { return Ok(None) };
    let generation = text.parse().map_err(|_| {
        Error::BadRequest("rejected is no generation, as the lease endpoint gave it with the token".into())
    })?;
    Ok(Some(generation))
}
