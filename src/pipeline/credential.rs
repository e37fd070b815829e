//! Step 3: the query gets the token or the secret that the endpoint wants, and loses what the caller brought.

use std::borrow::Cow;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::header::LOCATION;
use http::{HeaderMap, HeaderValue};

use super::OwnCredential;
use super::account::Wanted;
use super::directory::App;
use super::error::Error;
use super::route::Target;
use super::user_tokens::UserTokens;
use crate::message::query::{self, CredentialParam};
use crate::token::Token;
use crate::wechat::catalogue::Endpoint;
use crate::wechat::placeholder;

/// Where a caller's own token is not to be replaced, it is refused. A placeholder is nobody's own.
pub(super) fn check_own(
    app: &App,
    wanted: &Wanted<'_>,
    target: &Target<'_>,
    user_tokens: &UserTokens,
) -> Result<(), Error> {
    let query = target.query.filter(|_| matches!(wanted, Wanted::Token(_))).unwrap_or_default();
    let own = query::credentials(query).filter(|(_, value)| !placeholder::looks_like(value));
    for (_, value) in own {
        // The confusion of two kinds of access_token, the other way round than `route::check_confusion` has it.
        if user_tokens.knows(&value) {
            return Err(Error::BadRequest(
                "this endpoint wants the app's token, which wxgate adds, but got a user's OAuth access_token (from \
                 /sns/oauth2/access_token), which is for /sns/userinfo and /sns/auth: leave it out"
                    .into(),
            ));
        }
        if app.own_credential == OwnCredential::Reject {
            return Err(Error::BadRequest(
                "the request brings a token of its own, which this app rejects (own_credential): leave it out"
                    .into(),
            ));
        }
    }
    Ok(())
}

/// The appid and the secret that a caller brings to an endpoint that wants both. The secret is that of an SDK that knows
/// no other way: its API key, the real one from before, or nothing of worth.
pub(super) fn login<'r>(target: &Target<'r>) -> (Option<Cow<'r, str>>, Option<Cow<'r, str>>) {
    let Some(secret) = target.endpoint.secret_parameter() else { return (None, None) };
    let brought =
        |name| target.query.and_then(|query| query::get(query, name)).filter(|value| !value.is_empty());
    (brought("appid"), brought(secret))
}

/// What WeChat gets for a path and query.
pub(super) struct Injected {
    pub(super) path_and_query: Bytes,
    /// Of the token in it, where one is wanted.
    pub(super) generation: Option<u64>,
}

/// The path and query for WeChat, with the token in `param`.
pub(super) fn inject(target: &Target<'_>, param: CredentialParam, token: &Token) -> Injected {
    let credential = (param, token.value.expose());
    Injected {
        path_and_query: query::rewrite(target.path, target.query, Some(credential)),
        generation: Some(token.generation),
    }
}

/// The path and query for WeChat where no token is wanted that is kept.
pub(super) fn without(target: &Target<'_>, wanted: &Wanted<'_>) -> Injected {
    let path_and_query = match wanted {
        Wanted::AsSent => as_sent(target),
        Wanted::Secret(params) => query::set(target.path, target.query, params),
        Wanted::Token(_) | Wanted::Nothing => query::rewrite(target.path, target.query, None),
    };
    Injected { path_and_query, generation: None }
}

/// A redirect may repeat the query that it answers, with the app's token or secret in it.
pub(super) fn conceal(headers: &mut HeaderMap, endpoint: &Endpoint) {
    let Some(location) = headers.get(LOCATION) else { return };
    let clean = location.to_str().ok().and_then(|text| {
        let (path, query) = text.split_once('?')?;
        // A login's query is of no use elsewhere.
        let kept = if endpoint.secret_parameter().is_some() { None } else { Some(query) };
        let rewritten = query::rewrite(path, kept, None);
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
