//! Responses to token calls: an unmodified SDK gets a placeholder that says which account and
//! caller it is.

use serde_json::{Value, json};

use super::local_response;
use crate::observe::clock::Timestamp;
use crate::pipeline::directory::{App, Authenticated};
use crate::pipeline::error::Error;
use crate::pipeline::plan::{Account, Asked};
use crate::server::Response;
use crate::token::{Failure, Unavailable};
use crate::wechat::Issuer;
use crate::wechat::placeholder::{self, Claims, StandsFor};

/// The response: a placeholder for this account and caller, in WeChat's shape.
pub(crate) fn answer(
    asked: Asked,
    account: &Account<'_>,
    caller: Option<Authenticated<'_>>,
    now: Timestamp,
) -> Response {
    let stands_for = StandsFor::token_of(asked.issuer);
    let token = issue(account.app, stands_for, authorizer(account), caller, now);
    let mut body = json!({ (asked.issuer.field()): token, "expires_in": placeholder::EXPIRES_IN });
    if let Some(refresh_token) = asked.grant.filter(|_| asked.issuer == Issuer::Authorizer) {
        // An SDK keeps it and shows it again; what it stands for never leaves wxgate.
        body[refresh_token] = token.into();
    }
    if asked.says_ok() {
        body["errcode"] = 0.into();
        body["errmsg"] = "ok".into();
    }
    local_response::json(&body)
}

/// The response to a call for what an account granted: what WeChat told of it, with a placeholder
/// for its tokens.
pub(crate) fn authorization(
    account: &Account<'_>,
    caller: Option<Authenticated<'_>>,
    mut info: Value,
    now: Timestamp,
) -> Response {
    let token = issue(account.app, StandsFor::App, authorizer(account), caller, now);
    if account.app.acts_by() == Issuer::Corporation {
        info["errcode"] = 0.into();
        info["errmsg"] = "ok".into();
        info["access_token"] = token.as_str().into();
        info["permanent_code"] = token.into();
        info["expires_in"] = placeholder::EXPIRES_IN.into();
        return local_response::json(&info);
    }
    info["authorizer_appid"] = authorizer(account).into();
    info["authorizer_access_token"] = token.as_str().into();
    info["authorizer_refresh_token"] = token.into();
    info["expires_in"] = placeholder::EXPIRES_IN.into();
    local_response::json(&json!({ "authorization_info": info }))
}

/// WeChat's refusal of a code, in its own words. Where WeChat could not be reached, or had trouble
/// of its own, the code was not refused.
pub(crate) fn refused(failure: Failure) -> Result<Response, Error> {
    match failure.errcode {
        Some(code @ 1..) => Ok(local_response::json(&json!({ "errcode": code, "errmsg": failure.message }))),
        errcode => Err(Unavailable { cause: failure.message, errcode }.into()),
    }
}

fn authorizer<'a>(account: &'a Account<'_>) -> Option<&'a str> {
    account.authorizer.as_ref().map(|authorizer| &*authorizer.appid)
}

/// A placeholder by which `caller` may act for `app`, or for the account that authorised it.
pub(super) fn issue(
    app: &App,
    stands_for: StandsFor,
    authorizer: Option<&str>,
    caller: Option<Authenticated<'_>>,
    now: Timestamp,
) -> String {
    let mut key_digest = [0; 8];
    if let Some(caller) = caller {
        key_digest.copy_from_slice(&caller.key[..8]);
    }
    let claims = Claims {
        stands_for,
        appid: match authorizer {
            Some(appid) => format!("{appid}@{}", app.identity),
            None => app.identity.to_string(),
        },
        caller: caller.map_or_else(String::new, |caller| caller.who.name.to_string()),
        key_digest,
        issued_at: now.0 / 1000,
    };
    placeholder::issue(&app.secret, &claims)
}
