//! Whether a caller may do this.

use http::Method;

use super::target::RequestTarget;
use crate::pipeline::directory::{App, Caller};
use crate::pipeline::error::Error;
use crate::texts::words;
use crate::wechat::Family;
use crate::wechat::catalogue::{self, CredentialClass, Endpoint};
use crate::wechat::pattern::Pattern;
use crate::wechat::placeholder;

/// Refuses what only WeCom has to an app of another kind: WeChat would be shown its token for
/// nothing.
pub(crate) fn check_family(app: &App, wanted: Family) -> Result<(), Error> {
    if wanted != Family::Work || app.kind.family() == Family::Work {
        return Ok(());
    }
    Err(Error::EndpointForbidden(words!(
        "this endpoint is WeCom's (企业微信), but app {app} is of kind {kind}: use an [[app]] with \
             kind = \"wecom\"",
        app = app.name,
        kind = app.kind.as_str()
    )))
}

/// Refuses a login that the official platform has and WeCom doesn't know, to an app of WeCom's. The
/// `secret` sent along is the caller's API key, or another app's.
pub(crate) fn check_login(app: &App, official: &Endpoint, own: &Endpoint) -> Result<(), Error> {
    let takes_secret =
        || matches!(official.class, CredentialClass::AppSecret | CredentialClass::ComponentSecret);
    let is_others = app.kind.family() == Family::Work && own.id == 0 && official.id != 0;
    if !is_others || official.family == Family::Work || !(official.is_login() || takes_secret()) {
        return Ok(());
    }
    Err(Error::EndpointForbidden(words!(
        "this endpoint is the official platform's (公众号, 小程序), but app {app} is of kind {kind}: \
             use an [[app]] with kind = \"official_account\", \"mini_program\" or \"component\", or call \
             WeCom's own endpoint",
        app = app.name,
        kind = app.kind.as_str()
    )))
}

/// Refuses what the caller may not call.
pub(crate) fn permit(
    caller: Option<&Caller>,
    method: &Method,
    target: &RequestTarget<'_>,
) -> Result<(), Error> {
    if target.endpoint.class == CredentialClass::IssuesCredential {
        return Err(Error::EndpointForbidden(words!(
            "only wxgate fetches credentials from this endpoint; callers use /cgi-bin/token"
        )));
    }
    if caller.is_none() && !target.endpoint.guarded {
        return Ok(());
    }
    let normal = catalogue::normalise(target.path);
    if target.endpoint.guarded && !caller.is_some_and(|caller| names_exactly(&caller.allow, method, &normal))
    {
        let text = match target.endpoint.money {
            true => words!("this endpoint moves money: a caller's `allow` must name it exactly"),
            false => words!("this endpoint can harm the account: a caller's `allow` must name it exactly"),
        };
        return Err(Error::EndpointForbidden(text));
    }
    match caller {
        Some(caller) if !caller.allow.iter().any(|rule| rule.matches(method, &normal)) => {
            Err(Error::CallerForbidden(words!("this caller's `allow` has no rule for this method and path")))
        }
        _ => Ok(()),
    }
}

fn names_exactly(allow: &[Pattern], method: &Method, path: &str) -> bool {
    allow.iter().any(|rule| rule.path() == path && rule.matches(method, path))
}

/// The confusion of two kinds of access_token that brings most newcomers an `invalid access_token`.
pub(crate) fn check_confusion(target: &RequestTarget<'_>) -> Result<(), Error> {
    if target.endpoint.class == CredentialClass::UserOauth
        && target.credentials().any(|value| placeholder::looks_like(&value))
    {
        return Err(Error::BadRequest(words!(
            "this endpoint requires the user's OAuth access_token (from /sns/oauth2/access_token), not \
                 the app's (from /cgi-bin/token)"
        )));
    }
    Ok(())
}
