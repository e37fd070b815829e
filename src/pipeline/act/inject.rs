//! The query gets the token or the secret that the endpoint wants; query and form lose what the
//! caller brought.

use bytes::{BufMut as _, Bytes, BytesMut};

use crate::message::credential::CredentialParam;
use crate::message::query;
use crate::pipeline::plan::{CredentialPlan, RequestTarget};
use crate::token::Token;

/// What WeChat gets for a path and query.
pub(crate) struct Injected {
    pub(crate) path_and_query: Bytes,
    /// Of the token in it, where one is wanted.
    pub(crate) generation: Option<u64>,
    /// The credential in it or in the form, if it is one of ours.
    pub(crate) credential: Bytes,
}

/// The path and query for WeChat, with the token in `param`.
pub(crate) fn inject(target: &RequestTarget<'_>, param: CredentialParam, token: &Token) -> Injected {
    let path_and_query = rewritten(target, Some((param, &token.value.expose_encoded())));
    let credential = slice_of(&path_and_query, token.value.expose().as_bytes());
    Injected { path_and_query, generation: Some(token.generation), credential }
}

/// `value` as a part of `whole`, so that it isn't copied.
fn slice_of(whole: &Bytes, value: &[u8]) -> Bytes {
    let at = match whole.ends_with(value) {
        true => Some(whole.len() - value.len()),
        false => memchr::memmem::find(whole, value),
    };
    at.map_or_else(|| Bytes::copy_from_slice(value), |at| whole.slice(at..at + value.len()))
}

/// The path and query for WeChat where no token is wanted that is kept.
pub(crate) fn without(target: &RequestTarget<'_>, credential: &CredentialPlan<'_>) -> Injected {
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
    let credential = match credential {
        CredentialPlan::Secret([_, (_, secret)]) => Bytes::copy_from_slice(secret.as_bytes()),
        CredentialPlan::Token(_) | CredentialPlan::Nothing | CredentialPlan::AsSent => Bytes::new(),
    };
    Injected { path_and_query, generation: None, credential }
}

fn rewritten(target: &RequestTarget<'_>, credential: Option<(CredentialParam, &str)>) -> Bytes {
    match target.may_hold.tokens {
        true => query::rewrite(target.path, target.query, credential),
        false => query::append(target.path, target.query, credential),
    }
}

/// The form for WeChat, where it is another than the caller's.
pub(crate) fn form(target: &RequestTarget<'_>, credential: &CredentialPlan<'_>) -> Option<Vec<u8>> {
    match credential {
        CredentialPlan::AsSent | CredentialPlan::Nothing => None,
        CredentialPlan::Token(_) => target.form?.rewrite(&[]),
        CredentialPlan::Secret(params) => target.form?.rewrite(params),
    }
}

/// The user's token is the caller's business: not a byte is touched.
fn as_sent(target: &RequestTarget<'_>) -> Bytes {
    let query = target.query.unwrap_or_default();
    let mut bytes = BytesMut::with_capacity(target.path.len() + 1 + query.len());
    bytes.put_slice(target.path.as_bytes());
    if target.query.is_some() {
        bytes.put_u8(b'?');
        bytes.put_slice(query.as_bytes());
    }
    bytes.freeze()
}
