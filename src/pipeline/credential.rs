//! Step 3: the query gets the token that the endpoint wants, and loses what the caller brought.

use bytes::{BufMut as _, Bytes, BytesMut};
use http::header::LOCATION;
use http::{HeaderMap, HeaderValue};

use super::OwnCredential;
use super::directory::{App, Directory};
use super::error::Error;
use super::route::Target;
use crate::message::query::{self, CredentialParam};
use crate::token::Token;
use crate::wechat::catalogue::CredentialClass;
use crate::wechat::placeholder;

/// Whether requests of this class get the app's token.
pub(super) fn injects(class: CredentialClass) -> bool {
    class == CredentialClass::AppToken
}

/// Where a caller's own token is not to be replaced, it is refused. A placeholder is nobody's own.
pub(super) fn check_own(app: &App, target: &Target<'_>) -> Result<(), Error> {
    let rejects = app.own_credential == OwnCredential::Reject && injects(target.endpoint.class);
    let query = target.query.filter(|_| rejects).unwrap_or_default();
    if query::credentials(query).any(|(_, value)| !placeholder::looks_like(&value)) {
        return Err(Error::BadRequest(
            "the request brings a token of its own, which this app rejects (own_credential): leave it out"
                .into(),
        ));
    }
    Ok(())
}

/// A service whose SDK knows its API key as `secret` would hand that key to WeChat on the endpoints that want the
/// AppSecret in the query.
pub(super) fn check_secret(directory: &Directory, target: &Target<'_>) -> Result<(), Error> {
    if target.endpoint.class != CredentialClass::AppSecret {
        return Ok(());
    }
    let secret = |name| target.query.and_then(|query| query::get(query, name));
    for value in [secret("secret"), secret("appsecret")].into_iter().flatten() {
        if directory.caller_with_key(value.as_bytes()).is_some() {
            return Err(Error::BadRequest(
                "this endpoint wants the AppSecret, but `secret` is an API key of wxgate's, which WeChat must not get"
                    .into(),
            ));
        }
    }
    Ok(())
}

/// What WeChat gets for a path and query.
pub(super) struct Injected {
    pub(super) path_and_query: Bytes,
    /// Of the app's token in it, where the class wants one.
    pub(super) generation: Option<u64>,
}

/// The path and query for WeChat, with the app's token.
pub(super) fn inject(target: &Target<'_>, token: &Token) -> Injected {
    let credential = (CredentialParam::AccessToken, token.value.expose());
    Injected {
        path_and_query: query::rewrite(target.path, target.query, Some(credential)),
        generation: Some(token.generation),
    }
}

/// The path and query for WeChat where the class wants no token of the app.
pub(super) fn without(target: &Target<'_>) -> Injected {
    let path_and_query = match target.endpoint.class {
        CredentialClass::UserOauth => as_sent(target),
        _ => query::rewrite(target.path, target.query, None),
    };
    Injected { path_and_query, generation: None }
}

/// A redirect may repeat the query that it answers, with the app's token in it.
pub(super) fn conceal(headers: &mut HeaderMap) {
    let Some(location) = headers.get(LOCATION) else { return };
    let clean = location.to_str().ok().and_then(|text| {
        let (path, query) = text.split_once('?')?;
        let rewritten = query::rewrite(path, Some(query), None);
        (rewritten.len() < text.len()).then(|| HeaderValue::from_maybe_shared(rewritten).ok())
    });
    match clean {
        None => {}
        Some(Some(clean)) => {
            headers.insert(LOCATION, clean);
        }
        Some(None) => {
            headers.remove(LOCATION);
        }
    }
}

/// The user's token is the caller's business: not a byte is touched.
fn as_sent(target: &Target<'_>) -> Bytes {
    let query = target.query.unwrap_or_default();
    let mut bytes = BytesMut::with_capacity(target.path.len() + 1 + query.len());
    bytes.put_slice(target.path.as_bytes());
    if target.query.is_some() {
        bytes.put_u8(b'?');
        bytes.put_slice(query.as_bytes());
    }
    bytes.freeze()
}
