//! What an order may say, and why it is refused.

use std::io;

use http::StatusCode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::sandbox::state::callbacks::BadCallback;
use crate::sandbox::state::platform_events::Impossible;
use crate::sandbox::state::signing::BadKey;
use crate::texts::text;

/// Longer orders are refused, bytes.
pub(super) const LONGEST: usize = 1024 * 1024;

/// Why a request was refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error("{}", text!("unknown path or method; GET /sandbox/ lists them"))]
    Unknown,
    #[error("{}", text!("the body is longer than {bytes} bytes, or incomplete", bytes = LONGEST))]
    Body,
    #[error("{}", text!("unexpected JSON"))]
    Json(#[source] serde_json::Error),
    #[error("{}", text!("unknown key `{key}`", key = .0))]
    Key(String),
    #[error("{}", text!("`{parameter}` is missing or not a number", parameter = .0))]
    Number(&'static str),
    #[error(transparent)]
    Signing(#[from] BadKey),
    #[error(transparent)]
    Callback(#[from] BadCallback),
    #[error(transparent)]
    Impossible(#[from] Impossible),
    #[error("{}", text!("the event happened, but could not be pushed"))]
    Push(#[source] io::Error),
}

impl Refused {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Unknown => StatusCode::NOT_FOUND,
            Self::Push(_) => StatusCode::BAD_GATEWAY,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

/// Parses and refuses unknown keys, which serde can't do together with `flatten`. An empty body is
/// `{}`.
pub(super) fn strict<T: DeserializeOwned + Serialize>(body: &[u8]) -> Result<T, Refused> {
    let body = if body.trim_ascii().is_empty() { b"{}" } else { body };
    let sent: Value = serde_json::from_slice(body).map_err(Refused::Json)?;
    let parsed: T = serde_json::from_value(sent.clone()).map_err(Refused::Json)?;
    let known = encode(&parsed)?;
    let unknown = sent.as_object().into_iter().flatten().find(|(key, _)| known.get(key.as_str()).is_none());
    match unknown {
        Some((key, _)) => Err(Refused::Key(key.clone())),
        None => Ok(parsed),
    }
}

pub(super) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Value, Refused> {
    serde_json::to_value(value).map_err(Refused::Json)
}
