//! Calls for tokens are answered here: an unmodified SDK gets a placeholder that says which account and caller it is.

use std::borrow::Cow;
use std::future::poll_fn;
use std::pin::Pin;

use http_body::Body as _;
use hyper::body::Incoming;
use serde_json::{Map, Value, json};

use super::account::Account;
use super::directory::{Directory, Known};
use super::error::Error;
use super::own;
use super::route::Target;
use crate::message::query;
use crate::observe::clock::Timestamp;
use crate::secret::Secret;
use crate::server::Response;
use crate::token::Failure;
use crate::wechat::placeholder::{self, Claims};
use crate::wechat::{Issuer, TokenEndpoint, catalogue};

/// No token call is longer.
const LONGEST_CALL: usize = 64 * 1024;

/// What a token call asks for.
pub(super) type Asked = &'static TokenEndpoint;

/// What a token call says, in its query or its JSON body.
#[derive(Default)]
pub(super) struct TokenCall {
    /// Of the app that is to be acted for.
    pub(super) appid: Option<String>,
    /// The caller's API key.
    pub(super) secret: Option<String>,
    /// The account that a platform is to act for.
    pub(super) authorizer: Option<String>,
    /// By which an account that authorised a platform is known.
    pub(super) code: Option<Secret>,
}

/// What a request asks for, if it is a call for a token that one of the apps could have.
pub(super) fn asked(directory: &Directory, target: &Target<'_>) -> Option<Asked> {
    if !target.endpoint.issues() {
        return None;
    }
    let asked = TokenEndpoint::find(&catalogue::normalise(target.path))?;
    // Without such an app these are endpoints that hand out credentials like others.
    let is_had = || directory.apps.iter().any(|app| app.kind.may_have(asked.issuer));
    (matches!(asked.issuer, Issuer::App(_)) || is_had()).then_some(asked)
}

/// Reads a token call from query and body.
pub(super) async fn read(asked: Asked, query: Option<&str>, body: Incoming) -> Result<TokenCall, Error> {
    let body = collect(body).await?;
    let fields: Map<String, Value> = if body.iter().all(u8::is_ascii_whitespace) {
        Map::new()
    } else {
        serde_json::from_slice(&body)
            .map_err(|_| Error::BadRequest("the body of a token call must be a JSON object".into()))?
    };
    let said = |name: &str| match fields.get(name) {
        Some(Value::String(text)) => Ok(Some(text.clone())),
        None | Some(Value::Null) => Ok(query.and_then(|query| query::get(query, name)).map(Cow::into_owned)),
        Some(_) => {
            Err(Error::BadRequest(format!("{name} in the body of a token call must be a string").into()))
        }
    };
    let given = |name: &str| said(name).map(|text| text.filter(|text| !text.is_empty()));
    Ok(TokenCall {
        appid: given(asked.id)?,
        secret: said(asked.secret)?.filter(|_| asked.by.is_none()),
        authorizer: asked.account.map(given).transpose()?.flatten(),
        code: asked.code.map(given).transpose()?.flatten().map(Secret::new),
    })
}

async fn collect(mut body: Incoming) -> Result<Vec<u8>, Error> {
    let mut collected = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let broke_off = |_| Error::BadRequest("the request's body broke off".into());
        collected.extend_from_slice(&frame.map_err(broke_off)?.into_data().unwrap_or_default());
        if collected.len() > LONGEST_CALL {
            return Err(Error::BodyTooLarge { limit: LONGEST_CALL as u64 });
        }
    }
    Ok(collected)
}

/// Refuses a call for what an account of this kind has not: its answer would be a token that is good for nothing.
pub(super) fn check_has(asked: Asked, account: &Account<'_>) -> Result<(), Error> {
    let app = account.app;
    let has = match asked.issuer {
        Issuer::App(_) if app.kind.is_platform() => account.authorizer.is_some(),
        issuer if issuer.is_optional() => app.further(issuer).is_some(),
        issuer => app.kind.may_have(issuer),
    };
    if has {
        return Ok(());
    }
    Err(Error::EndpointForbidden(
        format!("this endpoint issues a credential of another kind than app {} has", app.name).into(),
    ))
}

/// The caller of a token call: by a key in the headers, else by the call's secret.
pub(super) fn caller<'d>(
    directory: &'d Directory,
    by_key: Option<Known<'d>>,
    call: &TokenCall,
) -> Result<Option<Known<'d>>, Error> {
    if directory.callers.is_empty() {
        return Ok(None);
    }
    let by_secret = call.secret.as_deref().map(|secret| directory.caller_with_key(secret.as_bytes()));
    match (by_key, by_secret) {
        (Some(known), Some(Some(other))) if !std::ptr::eq(known.caller, other.caller) => {
            Err(Error::BadRequest("the API key and the secret are keys of different callers".into()))
        }
        (Some(known), _) | (None, Some(Some(known))) => Ok(Some(known)),
        (None, None) if directory.options.anonymous => Ok(None),
        (None, _) => Err(Error::WrongSecret),
    }
}

/// The answer: a placeholder for this account and caller, in WeChat's shape.
pub(super) fn answer(
    asked: Asked,
    account: &Account<'_>,
    known: Option<Known<'_>>,
    now: Timestamp,
) -> Response {
    let token = issue(account, known, now);
    let mut body = json!({ (asked.issuer.field()): token, "expires_in": placeholder::EXPIRES_IN });
    if let Some(refresh_token) = asked.grant.filter(|_| asked.by.is_some()) {
        // An SDK keeps it and shows it again; what it stands for never leaves wxgate.
        body[refresh_token] = token.into();
    }
    if asked.says_ok() {
        body["errcode"] = 0.into();
        body["errmsg"] = "ok".into();
    }
    own::json(&body)
}

/// The answer where a code is exchanged: what WeChat told of the account, with a placeholder for its tokens.
pub(super) fn authorization(
    account: &Account<'_>,
    known: Option<Known<'_>>,
    mut info: Value,
    now: Timestamp,
) -> Response {
    let token = issue(account, known, now);
    info["authorizer_appid"] = account.authorizer.as_ref().map(|account| &*account.appid).into();
    info["authorizer_access_token"] = token.as_str().into();
    info["authorizer_refresh_token"] = token.into();
    info["expires_in"] = placeholder::EXPIRES_IN.into();
    own::json(&json!({ "authorization_info": info }))
}

/// WeChat's refusal of a code, in its own words.
pub(super) fn refused(failure: &Failure) -> Response {
    let code = failure.errcode.unwrap_or(-1);
    own::json(&json!({ "errcode": code, "errmsg": failure.message }))
}

fn issue(account: &Account<'_>, known: Option<Known<'_>>, now: Timestamp) -> String {
    let mut key_digest = [0; 8];
    if let Some(known) = known {
        key_digest.copy_from_slice(&known.key[..8]);
    }
    let app = account.app;
    let claims = Claims {
        appid: match &account.authorizer {
            Some(authorizer) => format!("{}@{}", authorizer.appid, app.identity),
            None => app.identity.to_string(),
        },
        caller: known.map_or_else(String::new, |known| known.caller.name.to_string()),
        key_digest,
        issued_at: now.0 / 1000,
    };
    placeholder::issue(&app.secret, &claims)
}
