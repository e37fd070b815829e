//! The query gets the token or the secret that the endpoint wants; query and form lose what the
//! caller brought.

use bytes::{BufMut as _, Bytes, BytesMut};
use http::header::LOCATION;
use http::{HeaderMap, HeaderValue};

use crate::message::query::{self, CredentialParam};
use crate::pipeline::plan::{CredentialPlan, Target};
use crate::token::Token;
use crate::wechat::catalogue::Endpoint;

/// What WeChat gets for a path and query.
pub(crate) struct Injected {
    pub(crate) path_and_query: Bytes,
    /// Of the token in it, where one is wanted.
    pub(crate) generation: Option<u64>,
}

/// The path and query for WeChat, with the token in `param`.
pub(crate) fn inject(target: &Target<'_>, param: CredentialParam, token: &Token) -> Injected {
    let path_and_query = rewritten(target, Some((param, token.value.expose())));
    Injected { path_and_query, generation: Some(token.generation) }
}

/// The path and query for WeChat where no token is wanted that is kept.
pub(crate) fn without(target: &Target<'_>, credential: &CredentialPlan<'_>) -> Injected {
    let path_and_query = match credential {
        CredentialPlan::AsSent => as_sent(target),
        CredentialPlan::Secret(params) => {
            let in_query = |name: &str| target.query.is_some_and(|query| query::get(query, name).is_some());
            let in_form = |name: &str| target.form.is_some_and(|form| form.get(name).is_some());
            let params = params.iter().filter(|(name, _)| in_query(name) || !in_form(name));
            query::set(target.path, target.query, &params.copied().collect::<Vec<_>>())
        }
        CredentialPlan::Token(_) | CredentialPlan::Nothing => rewritten(target, None),
    };
    Injected { path_and_query, generation: None }
}

fn rewritten(target: &Target<'_>, credential: Option<(CredentialParam, &str)>) -> Bytes {
    match target.may_hold.tokens {
        true => query::rewrite(target.path, target.query, credential),
        false => query::append(target.path, target.query, credential),
    }
}

/// The form for WeChat, where it is another than the caller's.
pub(crate) fn form(target: &Target<'_>, credential: &CredentialPlan<'_>) -> Option<Vec<u8>> {
    match credential {
        CredentialPlan::AsSent | CredentialPlan::Nothing => None,
        CredentialPlan::Token(_) => target.form?.rewrite(&[]),
        CredentialPlan::Secret(params) => target.form?.rewrite(params),
    }
}

/// A redirect may repeat the query that it answers, with the app's token or secret in it.
pub(crate) fn conceal(headers: &mut HeaderMap, endpoint: &Endpoint) {
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
