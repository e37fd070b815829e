//! A request as the endpoints see it.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use http::Method;
use http::request::Parts;
use serde_json::Value;

use crate::server::Peer;

/// The query parameters that carry an app's credential; WeChat takes the first that fits.
pub(super) const CREDENTIALS: [&str; 5] = [
    "access_token",
    "component_access_token",
    "suite_access_token",
    "provider_access_token",
    "cloudbase_access_token",
];

/// Everything that decides an answer.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub method: Method,
    pub path: String,
    pub query: Vec<(String, String)>,
    pub content_type: String,
    pub host: String,
    pub from: IpAddr,
    /// The body, unless it was longer than the endpoint could use.
    pub body: Option<Bytes>,
    pub now: i64,
}

impl Call {
    pub(super) fn new(parts: &Parts, peer: Peer, body: Option<Bytes>, now: i64) -> Self {
        let header = |name: http::HeaderName| {
            parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
        };
        Self {
            method: parts.method.clone(),
            path: parts.uri.path().to_owned(),
            query: query(parts),
            content_type: header(http::header::CONTENT_TYPE),
            host: header(http::header::HOST),
            from: match peer {
                Peer::Tcp(address) => address.ip(),
                Peer::Unix(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            },
            body,
            now,
        }
    }

    /// A query parameter that isn't empty.
    pub(super) fn param(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| &**value)
            .filter(|v| !v.is_empty())
    }

    /// A parameter of the query, or else a field of a POST's form.
    pub(super) fn param_or_field(&self, name: &str) -> Option<Cow<'_, str>> {
        self.param(name).map(Cow::Borrowed).or_else(|| self.field(name))
    }

    fn field(&self, name: &str) -> Option<Cow<'_, str>> {
        let media_type = self.content_type.split(';').next().unwrap_or_default().trim();
        if !self.is_post() || !media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return None;
        }
        let mut fields = form_urlencoded::parse(self.body.as_deref()?);
        fields.find(|(known, _)| known == name).map(|(_, value)| value).filter(|value| !value.is_empty())
    }

    /// The first credential of the query, and the parameter's name.
    pub(super) fn credential(&self) -> Option<(&str, &str)> {
        credential(&self.query)
    }

    /// The body as a JSON object.
    pub(super) fn json(&self) -> Option<Value> {
        serde_json::from_slice::<Value>(self.body.as_deref()?).ok().filter(Value::is_object)
    }

    pub(super) fn is_post(&self) -> bool {
        self.method == Method::POST
    }

    /// WeCom has a host and error codes of its own.
    pub(super) fn is_wecom(&self) -> bool {
        self.host.starts_with("qyapi.")
    }
}

/// The decoded parameters of a query, in order.
pub(super) fn query(parts: &Parts) -> Vec<(String, String)> {
    form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect()
}

/// The first credential among a query's parameters, and its name.
pub(super) fn credential(query: &[(String, String)]) -> Option<(&str, &str)> {
    let found = query.iter().find(|(name, _)| CREDENTIALS.contains(&&**name));
    found.map(|(name, value)| (&**name, &**value))
}

/// A non-empty string field of a JSON object.
pub(super) fn text<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str).filter(|value| !value.is_empty())
}
