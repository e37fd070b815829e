//! The lease endpoint: hands the real token to a service that can't send its calls through the
//! proxy.
//!
//! Such a service sees rejections itself. It tells of them by `rejected=GENERATION`, so that one
//! new token is fetched for everybody, as for calls through the proxy.

use http::Method;

use super::account::Account;
use super::target::RequestTarget;
use crate::message::query;
use crate::pipeline::directory::{Authenticated, Directory};
use crate::pipeline::error::Error;
use crate::texts::words;

/// No path of WeChat's begins so.
pub(crate) const PATH: &str = "/wxgate/token";

/// A lease of the account's token.
pub(crate) struct Lease {
    /// The generation that WeChat rejected, if the service tells of one.
    pub(crate) rejected: Option<u64>,
}

/// Whether the caller may have it: a key alone isn't enough, since the token is all that the proxy
/// protects.
pub(crate) fn permit<'d>(
    directory: &Directory,
    caller: Option<Authenticated<'d>>,
    method: &Method,
) -> Result<Authenticated<'d>, Error> {
    if *method != Method::GET {
        return Err(Error::BadRequest(words!("the lease endpoint accepts GET only")));
    }
    let Some(caller) = caller else {
        return Err(if directory.callers.is_empty() {
            Error::CallerForbidden(words!(
                "the lease endpoint is off: it requires a [[caller]] with lease_token = true"
            ))
        } else {
            Error::CallerUnknown(words!("the lease endpoint requires an API key"))
        });
    };
    if !caller.who.lease_token {
        let name = &caller.who.name;
        return Err(Error::CallerForbidden(words!(
            "caller {name} may not lease real tokens: it lacks lease_token = true",
            name
        )));
    }
    Ok(caller)
}

impl Lease {
    /// The lease that is asked for.
    pub(crate) fn new(account: &Account<'_>, target: &RequestTarget<'_>) -> Result<Self, Error> {
        if account.app.kind.is_platform() && account.authorizer.is_none() {
            return Err(Error::EndpointForbidden(words!(
                "a platform's own token is not leased: it gives access to all its accounts"
            )));
        }
        let rejected = target.query.and_then(|query| query::get(query, "rejected"));
        let rejected = rejected.map(|text| text.parse()).transpose().map_err(|_| {
            Error::BadRequest(words!(
                "rejected must be the generation that the lease endpoint returned with the token"
            ))
        })?;
        Ok(Self { rejected })
    }
}
