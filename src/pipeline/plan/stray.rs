//! Credentials in places where they name nothing. Looked past, a request with a placeholder token
//! would go to another app than the one that the caller means, and what the caller is known by
//! would go to WeChat.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, PROXY_AUTHORIZATION};
use http::request::Parts;
use http::{HeaderName, HeaderValue};

use super::credential::Login;
use super::target::RequestTarget;
use super::token_call::Asked;
use crate::message::{credential, query};
use crate::pipeline::directory::Directory;
use crate::pipeline::error::Error;
use crate::texts::{Text, text, words};
use crate::wechat::catalogue::CredentialClass;
use crate::wechat::placeholder::{self, PREFIX, PREFIX_FINDER};

/// Refuses a request with a placeholder anywhere but in a credential of its query or form. What a
/// token call sends is not passed on.
pub(crate) fn check(parts: &Parts, target: &RequestTarget<'_>, asked: Option<Asked>) -> Result<(), Error> {
    if let Some((name, _)) = parts.headers.iter().find(|(name, value)| is_in_header(name, value)) {
        return Err(misplaced(&text!("the header {name}", name)));
    }
    let path = parts.uri.path();
    let is_known = target.prefix.is_none() && target.endpoint.id != 0;
    if !is_known && (is_assigned(path) || placeholder::is_within(path.as_bytes())) {
        return Err(misplaced(&text!("the path")));
    }
    if !is_known {
        check_path(path)?;
    }
    let granted = |text: &str| {
        let name = text.split('=').next().unwrap_or_default();
        asked.and_then(|asked| asked.grant).is_some_and(|grant| grant == name)
    };
    let is_stray = |text: &Cow<'_, str>| is_assigned(text) || placeholder::is_within(text.as_bytes());
    // Most queries neither have the prefix nor any byte encoded.
    let may_hold = |query: &&str| target.may_hold.encoded || PREFIX_FINDER.find(query.as_bytes()).is_some();
    if let Some(query) = target.query.filter(may_hold)
        && let Some(text) = query::others(query).filter(|text| !granted(text)).find(is_stray)
    {
        return Err(misplaced(&text!("the query's {keys}", keys = query::keys(&text))));
    }
    // A form's texts are people's: a short word that only begins as a placeholder does may be
    // theirs.
    let is_stray =
        |text: &Cow<'_, str>| text.contains("token=wxgate-") || placeholder::is_within(text.as_bytes());
    if let Some(form) = target.form
        && let Some(text) = form.others().filter(|text| !granted(text)).find(is_stray)
    {
        return Err(misplaced(&text!("the form's {keys}", keys = query::keys(&text))));
    }
    Ok(())
}

/// Refuses JSON under a form's type with one in it: who sends that means a form.
pub(crate) fn check_no_form(body: &[u8]) -> Result<(), Error> {
    if memchr::memmem::find(body, b"access_token=wxgate-").is_some() {
        return Err(misplaced(&text!("JSON that is declared as a form")));
    }
    Ok(())
}

/// Refuses a credential's name in the path, whose value would go on as it is, and be logged.
fn check_path(path: &str) -> Result<(), Error> {
    if path.match_indices('=').any(|(at, _)| credential::ends_a_name(&path[..at])) {
        return Err(Error::BadRequest(words!(
            "the path contains a credential's name and `=`: put a `?` before the query"
        )));
    }
    Ok(())
}

/// Refuses a caller's key in the place of a secret, or of a user's token, where WeChat would get
/// it. Token calls are not passed on.
pub(crate) fn check_key(
    directory: &Directory,
    target: &RequestTarget<'_>,
    asked: Option<Asked>,
) -> Result<(), Error> {
    let set = !Login::fields(target.endpoint).is_empty();
    if directory.callers.is_empty() || asked.is_some() || set {
        return Ok(());
    }
    let stays = target.endpoint.class == CredentialClass::UserOauth;
    let tokens = stays.then(|| target.credentials()).into_iter().flatten();
    let mut values = target.secrets().chain(tokens);
    if values.any(|value| directory.caller_with_key(value.trim().as_bytes()).is_some()) {
        return Err(Error::BadRequest(words!(
            "an API key is given as a secret or token, which WeChat would get: send it as \
                 Authorization: Bearer KEY or X-Wxgate-Key"
        )));
    }
    Ok(())
}

fn misplaced(place: &Text<'_>) -> Error {
    Error::BadRequest(words!(
        "placeholder token in {place}: it belongs in access_token, in query or form",
        place
    ))
}

/// Hosts, programs and request ids may have names that begin like a placeholder. As the bearer
/// token it has its place.
fn is_in_header(name: &HeaderName, value: &HeaderValue) -> bool {
    let value = value.as_bytes();
    if value.starts_with(PREFIX.as_bytes()) && name.as_str().ends_with("token") {
        return true;
    }
    let is_bearer = || {
        *name == AUTHORIZATION && value.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer "))
    };
    let is_password = || {
        let (scheme, encoded) = value.split_at_checked(6).unwrap_or_default();
        (*name == AUTHORIZATION || *name == PROXY_AUTHORIZATION)
            && scheme.eq_ignore_ascii_case(b"basic ")
            && STANDARD.decode(encoded.trim_ascii()).is_ok_and(|text| placeholder::is_within(&text))
    };
    placeholder::is_within(value) && !is_bearer() || is_password()
}

/// Whether one is the value of a parameter.
fn is_assigned(text: &str) -> bool {
    if memchr::memchr(b'=', text.as_bytes()).is_none() {
        return false;
    }
    PREFIX_FINDER.find_iter(text.as_bytes()).any(|at| {
        let before = text.get(..at).unwrap_or_default().trim_end_matches([' ', '\r', '\n', '\t', '"', '\'']);
        before.ends_with('=')
    })
}
