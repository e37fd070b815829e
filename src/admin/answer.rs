//! The responses.

use std::fmt::Display;

use bytes::Bytes;
use http::header::{self, HeaderName};
use http::{HeaderValue, Response as HttpResponse, StatusCode};
use serde::Serialize;

use super::guard::Denied;
use crate::api::ErrorResponse;
use crate::message::body::Body;
use crate::server::Response;
use crate::texts::text;

/// On every response: it must not be cached, sniffed or embedded.
const COMMON: [(HeaderName, HeaderValue); 4] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

fn with<B>(status: StatusCode, content_type: &'static str, body: B) -> HttpResponse<B> {
    let mut response = HttpResponse::new(body);
    *response.status_mut() = status;
    response.headers_mut().extend(COMMON);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// 200 with `body`.
pub(super) fn text(content_type: &'static str, body: String) -> Response {
    with(StatusCode::OK, content_type, body.into())
}

/// A stream of server-sent events.
pub(super) fn events(body: Body) -> Response {
    let mut response = with(StatusCode::OK, "text/event-stream", body);
    // nginx would hold events back until its buffer is full.
    response
        .headers_mut()
        .insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

/// `body` as JSON.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(body) => with(status, "application/json", Body::from(Bytes::from(body))),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "could not write an admin response");
            with(StatusCode::INTERNAL_SERVER_ERROR, "application/json", Body::Empty)
        }
    }
}

/// `{"error":"..."}`
pub(super) fn error(status: StatusCode, problem: impl Display) -> Response {
    json(status, &ErrorResponse { error: problem.to_string() })
}

/// What the log says about it.
pub(super) const NO_SUCH_APP: &str = "no app has this name";

/// 404 for an app that is not configured.
pub(super) fn no_such_app(name: &str) -> Response {
    error(StatusCode::NOT_FOUND, text!("no app is named {name}", name = format_args!("{name:?}")))
}

/// 405 with the methods that the path takes.
pub(super) fn method_not_allowed(allow: &'static str) -> Response {
    let mut response = error(StatusCode::METHOD_NOT_ALLOWED, text!("this path only takes {allow}", allow));
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
    response
}

/// 401 or 403 with the remedy.
pub(super) fn denied(denied: Denied) -> Response {
    match denied {
        Denied::NoTokenConfigured => error(
            StatusCode::FORBIDDEN,
            text!(
                "this requires the admin token, and none is configured: set \
                 [admin] token = {{ env = \"WXGATE_ADMIN_TOKEN\" }}"
            ),
        ),
        Denied::NoToken | Denied::WrongToken => {
            let mut response = error(
                StatusCode::UNAUTHORIZED,
                text!("this requires the admin token: send it as `Authorization: Bearer TOKEN`"),
            );
            let challenge = HeaderValue::from_static("Bearer realm=\"wxgate admin\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            response
        }
        Denied::WebPage => error(
            StatusCode::FORBIDDEN,
            text!(
                "a web page of another origin sent this request: open the status page itself, or send the admin token"
            ),
        ),
        Denied::ForeignHost => error(
            StatusCode::FORBIDDEN,
            text!(
                "the Host header is not this machine's: use localhost or 127.0.0.1, or send the admin token"
            ),
        ),
    }
}

/// What the server sends where it cannot hand the request on.
pub(super) fn refusal(status: StatusCode, problem: impl Display) -> HttpResponse<Bytes> {
    let body = serde_json::to_vec(&ErrorResponse { error: problem.to_string() }).unwrap_or_default();
    with(status, "application/json", body.into())
}
