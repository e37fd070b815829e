//! Whether a caller may do this.

use http::Method;

use super::target::Target;
use crate::pipeline::directory::{App, Caller};
use crate::pipeline::error::Error;
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
    Err(Error::EndpointForbidden(
        format!(
            "this endpoint is WeCom's (企业微信), and app {} is of kind {}: name an [[app]] with \
             kind = \"wecom\", or add one",
            app.name,
            app.kind.as_str()
        )
        .into(),
    ))
}

/// Refuses a login that the official platform has and WeCom doesn't know, to an app of WeCom's. The
/// `secret` beside it is the caller's API key, or another app's.
pub(crate) fn check_login(app: &App, official: &Endpoint, own: &Endpoint) -> Result<(), Error> {
    let takes_secret =
        || matches!(official.class, CredentialClass::AppSecret | CredentialClass::ComponentSecret);
    let is_others = app.kind.family() == Family::Work && own.id == 0 && official.id != 0;
    if !is_others || official.family == Family::Work || !(official.is_login() || takes_secret()) {
        return Ok(());
    }
    Err(Error::EndpointForbidden(
        format!(
            "this endpoint is the official platform's (公众号, 小程序), and app {} is of kind {}: name an \
             [[app]] with kind = \"official_account\", \"mini_program\" or \"component\", or call WeCom's own \
             endpoint",
            app.name,
            app.kind.as_str()
        )
        .into(),
    ))
}

/// Refuses what the caller may not call.
pub(crate) fn permit(caller: Option<&Caller>, method: &Method, target: &Target<'_>) -> Result<(), Error> {
    if target.endpoint.class == CredentialClass::IssuesCredential {
        return Err(Error::EndpointForbidden(
            "this endpoint issues credentials, which only wxgate fetches; /cgi-bin/token and \
             /cgi-bin/stable_token are answered with a placeholder"
                .into(),
        ));
    }
    if caller.is_none() && !target.endpoint.guarded {
        return Ok(());
    }
    let normal = catalogue::normalise(target.path);
    if target.endpoint.guarded && !caller.is_some_and(|caller| names_exactly(&caller.allow, method, &normal))
    {
        let text = match target.endpoint.money {
            true => "this endpoint moves money: it is open to callers whose `allow` names it exactly",
            false => {
                "this endpoint can harm the account: it is open to callers whose `allow` names it exactly"
            }
        };
        return Err(Error::EndpointForbidden(text.into()));
    }
    match caller {
        Some(caller) if !caller.allow.iter().any(|rule| rule.matches(method, &normal)) => {
            Err(Error::CallerForbidden("no rule of this caller's `allow` fits this method and path".into()))
        }
        _ => Ok(()),
    }
}

fn names_exactly(allow: &[Pattern], method: &Method, path: &str) -> bool {
    allow.iter().any(|rule| rule.path() == path && rule.matches(method, path))
}

/// The confusion of two kinds of access_token that brings most newcomers an `invalid access_token`.
pub(crate) fn check_confusion(target: &Target<'_>) -> Result<(), Error> {
    if target.endpoint.class == CredentialClass::UserOauth
        && target.credentials().any(|value| placeholder::looks_like(&value))
    {
        return Err(Error::BadRequest(
            "this endpoint wants the user's OAuth access_token (from /sns/oauth2/access_token), \
             but got the app's, which is what /cgi-bin/token returns"
                .into(),
        ));
    }
    Ok(())
}
