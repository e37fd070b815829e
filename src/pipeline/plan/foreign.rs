//! Paths that WeChat's API doesn't have: health checks, scrapers, browsers and calls of WeChat Pay
//! end here, whatever caller they come from, and never reach WeChat with an account's token.

use http::Method;

use super::target::RequestTarget;
use super::{lease, ticket};
use crate::pipeline::error::Error;
use crate::texts::marked;
use crate::wechat::catalogue;

/// What anybody gets a response to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Greeting {
    /// `GET /`: what this is.
    Home,
    /// `GET /healthz`: that it is up.
    Health,
}

/// WeChat Pay's, which has a host and keys of its own.
const PAY: [&str; 4] = ["/pay", "/v3/pay", "/secapi", "/mmpaymkttransfers"];
const OWN: &str = "/wxgate";

/// The greeting that is asked for, if any; refuses all other paths that aren't WeChat's.
pub(crate) fn greeting(method: &Method, target: &RequestTarget<'_>) -> Result<Option<Greeting>, Error> {
    if target.endpoint.id != 0 {
        return Ok(None);
    }
    let path = catalogue::normalise(target.path);
    let is_in =
        |folder: &str| path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let text = match &*path {
        "" | "/healthz" if matches!(*method, Method::GET | Method::HEAD) => {
            return Ok(Some(if path.is_empty() { Greeting::Home } else { Greeting::Health }));
        }
        "" | "/healthz" | "/favicon.ico" | "/robots.txt" => {
            marked!("neither WeChat nor wxgate has anything at this path with this method")
        }
        "/metrics" => marked!("the metrics are at wxgate's admin address (admin.listen)"),
        own if is_in(OWN) => {
            if target.path == lease::PATH || own == ticket::SIGNATURE {
                return Ok(None);
            }
            marked!("unknown path below /wxgate/: expected /wxgate/token or /wxgate/jssdk/signature")
        }
        _ if PAY.into_iter().any(is_in) => {
            marked!("WeChat Pay does not go through wxgate: call https://api.mch.weixin.qq.com directly")
        }
        _ => return Ok(None),
    };
    Err(Error::Foreign(text))
}
