//! Which of the headers that wxgate looks for a request has.
//!
//! Most requests have hardly any of them. One look at each name that is there costs less than a
//! look-up for each that isn't.

use http::{HeaderMap, HeaderValue};

/// What a look over a request's headers found.
#[derive(Clone, Copy, Debug, Default)]
pub struct Noted<'r> {
    /// The first `Host`.
    pub host: Option<&'r HeaderValue>,
    /// There are more.
    pub several_hosts: bool,
    /// `Authorization`.
    pub authorization: bool,
    /// `Proxy-Authorization`.
    pub proxy_authorization: bool,
    /// `X-Wxgate-Key`.
    pub key: bool,
    /// The first `X-Wxgate-App`.
    pub app: Option<&'r HeaderValue>,
    /// There are more.
    pub several_apps: bool,
    /// `X-Wxgate-Explain`.
    pub explain: bool,
    /// `X-Request-Id`.
    pub request_id: bool,
    /// `traceparent`.
    pub traceparent: bool,
    /// `Accept-Encoding`.
    pub accept_encoding: bool,
    /// `Connection`.
    pub connection: bool,
    /// `Content-Length`.
    pub length: Option<&'r HeaderValue>,
    /// `Transfer-Encoding`.
    pub coded: bool,
    /// How many bytes all names and values have.
    pub bytes: usize,
}

impl<'r> Noted<'r> {
    /// Looks over `headers`.
    pub fn of(headers: &'r HeaderMap) -> Self {
        let mut noted = Self::default();
        for (name, value) in headers {
            noted.bytes += name.as_str().len() + value.len();
            match name.as_str() {
                "host" if noted.host.is_some() => noted.several_hosts = true,
                "host" => noted.host = Some(value),
                "authorization" => noted.authorization = true,
                "proxy-authorization" => noted.proxy_authorization = true,
                "x-wxgate-key" => noted.key = true,
                "x-wxgate-app" if noted.app.is_some() => noted.several_apps = true,
                "x-wxgate-app" => noted.app = Some(value),
                "x-wxgate-explain" => noted.explain = true,
                "x-request-id" => noted.request_id = true,
                "traceparent" => noted.traceparent = true,
                "accept-encoding" => noted.accept_encoding = true,
                "connection" => noted.connection = true,
                "content-length" => noted.length = Some(value),
                "transfer-encoding" => noted.coded = true,
                _ => {}
            }
        }
        noted
    }
}
