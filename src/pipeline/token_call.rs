//! Token endpoints are answered here: an unmodified SDK gets a placeholder that says which app and caller it is.

use std::future::poll_fn;
use std::pin::Pin;

use bytes::Bytes;
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use http_body::Body as _;
use hyper::body::Incoming;
use serde::Deserialize;

use super::directory::{App, Directory, Known};
use super::error::Error;
use crate::message::query;
use crate::observe::clock::Timestamp;
use crate::server::Response;
use crate::wechat::placeholder::{self, Claims};

/// No token call is longer.
const LONGEST_CALL: usize = 64 * 1024;

/// What a token call says: in the query of `/cgi-bin/token`, in the JSON body of `/cgi-bin/stable_token`.
#[derive(Default, Deserialize)]
pub(super) struct TokenCall {
    pub(super) appid: Option<String>,
    pub(super) secret: Option<String>,
}

/// Reads a token call from query and body.
pub(super) async fn read(query: Option<&str>, body: Incoming) -> Result<TokenCall, Error> {
    let body = collect(body).await?;
    let mut call = if body.iter().all(u8::is_ascii_whitespace) {
        TokenCall::default()
    } else {
        serde_json::from_slice(&body)
            .map_err(|_| Error::BadRequest("the body of a token call must be a JSON object".into()))?
    };
    let from_query = |name| query.and_then(|query| query::get(query, name)).map(|value| value.into_owned());
    call.appid = call.appid.or_else(|| from_query("appid")).filter(|appid| !appid.is_empty());
    call.secret = call.secret.or_else(|| from_query("secret"));
    Ok(call)
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

/// The caller of a token call: by a key in the headers, else by the call's `secret`.
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

/// The answer: a placeholder for this app and caller, in WeChat's shape.
pub(super) fn answer(app: &App, known: Option<Known<'_>>, now: Timestamp) -> Response {
    let mut key_digest = [0; 8];
    if let Some(known) = known {
        key_digest.copy_from_slice(&known.key[..8]);
    }
    let claims = Claims {
        appid: app.appid.to_string(),
        caller: known.map_or_else(String::new, |known| known.caller.name.to_string()),
        key_digest,
        issued_at: now.0 / 1000,
    };
    let token = placeholder::issue(&app.secret, &claims);
    let body = format!("{{\"access_token\":\"{token}\",\"expires_in\":{}}}", placeholder::EXPIRES_IN);
    let mut response = Response::new(Bytes::from(body).into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
