//! Responses that wxgate generates itself, errors excepted.

use bytes::Bytes;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde_json::Value;

use crate::server::Response;

/// A JSON body.
pub(crate) fn json(body: &Value) -> Response {
    let mut response = Response::new(Bytes::from(body.to_string()).into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Plain text.
pub(crate) fn text(text: String) -> Response {
    let mut response = Response::new(text.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// JSON that contains a credential, which must not be cached on the way.
pub(crate) fn credential(body: &Value) -> Response {
    let mut response = json(body);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
