//! Who calls: by an API key in the headers, a key in place of the AppSecret, or a placeholder
//! token.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderName, PROXY_AUTHORIZATION};

use super::facts::Facts;
use super::placeholder::{self, Placeholder};
use super::token_call::TokenCall;
use crate::message::noted::Noted;
use crate::pipeline::directory::{Authenticated, Directory};
use crate::pipeline::error::Error;
use crate::texts::words;

const KEY_HEADER: HeaderName = HeaderName::from_static("x-wxgate-key");

/// The caller that the request's key names. Where callers are configured, a wrong key is refused
/// whatever else the request says.
pub(crate) fn by_key<'d>(
    directory: &'d Directory,
    headers: &HeaderMap,
    noted: &Noted<'_>,
) -> Result<Option<Authenticated<'d>>, Error> {
    if directory.callers.is_empty() {
        return Ok(None);
    }
    let mut shown: Option<Authenticated<'_>> = None;
    for key in keys(headers, noted) {
        let Some(found) = directory.caller_with_key(&key) else {
            if placeholder::bearers(directory, headers).any(|token| *token.as_bytes() == *key) {
                continue;
            }
            return Err(Error::CallerUnknown(words!("unknown API key (no [[caller]] has its key_sha256)")));
        };
        if shown.is_some_and(|other| !std::ptr::eq(other.who, found.who)) {
            return Err(Error::BadRequest(words!("the request has API keys of two callers")));
        }
        shown = Some(found);
    }
    Ok(shown)
}

/// The caller by its key, which an SDK that knows no other way sends as the AppSecret. Any other
/// secret says nothing about the caller.
pub(crate) fn by_secret<'d>(
    directory: &'d Directory,
    by_key: Option<Authenticated<'d>>,
    secret: Option<&str>,
) -> Result<Option<Authenticated<'d>>, Error> {
    let by_secret = secret.and_then(|secret| directory.caller_with_key(secret.as_bytes()));
    match (by_key, by_secret) {
        (Some(one), Some(other)) if !std::ptr::eq(one.who, other.who) => {
            Err(Error::BadRequest(words!("the API key and the secret belong to different callers")))
        }
        (one, other) => Ok(one.or(other)),
    }
}

/// The caller of a token call that shows no placeholder: a secret that is not a caller's key, or
/// two that differ, are refused. Ignored if a valid key is present.
pub(crate) fn of_token_call<'d>(
    directory: &'d Directory,
    by_key: Option<Authenticated<'d>>,
    call: &TokenCall,
) -> Result<Option<Authenticated<'d>>, Error> {
    if directory.callers.is_empty() || by_key.is_some() {
        return Ok(by_key);
    }
    let secret = call.secret.as_deref();
    match by_secret(directory, None, secret)? {
        _ if call.differ.secrets => Err(Error::WrongSecret),
        Some(caller) => Ok(Some(caller)),
        None if matches!(secret, None | Some("" | "anonymous")) && directory.options.anonymous => Ok(None),
        None => Err(Error::WrongSecret),
    }
}

/// Refuses a key that has ended.
pub(crate) fn check_expiry(facts: &Facts<'_>, caller: Option<Authenticated<'_>>) -> Result<(), Error> {
    if caller.is_some_and(|caller| caller.who.has_expired(facts.clock)) {
        return Err(Error::CallerUnknown(words!(
            "this API key has expired (`expires` of the caller): ask for a new one"
        )));
    }
    Ok(())
}

/// Settles the caller of any other request, by key or placeholder.
pub(crate) fn settle<'d>(
    directory: &'d Directory,
    by_key: Option<Authenticated<'d>>,
    placeholder: &Placeholder<'d>,
) -> Result<Option<Authenticated<'d>>, Error> {
    match (by_key, placeholder) {
        (Some(one), Placeholder::Holds { caller: Some(other), .. }) if !std::ptr::eq(one.who, other.who) => {
            Err(Error::BadRequest(words!(
                "the API key and the placeholder token belong to different callers"
            )))
        }
        (Some(caller), _) | (None, &Placeholder::Holds { caller: Some(caller), .. }) => Ok(Some(caller)),
        (None, Placeholder::Void(reason)) if !directory.callers.is_empty() => {
            Err(Error::PlaceholderExpired(reason))
        }
        (None, _) if directory.admits_anonymous() => Ok(None),
        (None, _) => Err(Error::CallerUnknown(words!(
            "API key required: Authorization: Bearer KEY, X-Wxgate-Key, or the URL's password"
        ))),
    }
}

/// All API keys of a request: `Authorization: Bearer KEY`, Basic with the key as password, the same
/// in `Proxy-Authorization` for those whose proxy this is, `X-Wxgate-Key`. What has the place of a
/// key but can't be one counts as a wrong key, never as none: its sender means to be known.
fn keys<'r>(headers: &'r HeaderMap, noted: &Noted<'_>) -> impl Iterator<Item = Cow<'r, [u8]>> {
    let all = |name: HeaderName, there: bool| there.then(|| headers.get_all(name)).into_iter().flatten();
    let shown =
        all(AUTHORIZATION, noted.authorization).chain(all(PROXY_AUTHORIZATION, noted.proxy_authorization));
    let authorization = shown.filter_map(|value| {
        let value = value.as_bytes().trim_ascii();
        let end = value.iter().position(u8::is_ascii_whitespace).unwrap_or(value.len());
        let (scheme, rest) = value.split_at(end);
        if scheme.eq_ignore_ascii_case(b"bearer") {
            return Some(Cow::Borrowed(rest.trim_ascii()));
        }
        if scheme.eq_ignore_ascii_case(b"basic") {
            let plain = STANDARD.decode(rest.trim_ascii()).unwrap_or_default();
            let colon = plain.iter().position(|byte| *byte == b':').unwrap_or(plain.len());
            return Some(Cow::Owned(plain.get(colon + 1..).unwrap_or_default().to_vec()));
        }
        None
    });
    let own = all(KEY_HEADER, noted.key).map(|value| Cow::Borrowed(value.as_bytes().trim_ascii()));
    authorization.chain(own)
}
