//! Where pushes go, and what they are signed and encrypted with.

use std::collections::HashMap;
use std::fmt;

use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::{Engine as _, engine::DecodePaddingMode};
use serde::{Deserialize, Serialize};

use crate::texts::text;

/// An EncodingAESKey has no `=`, and its last character two bits too many.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

/// What a platform's or a suite's console says of its callback.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Callback {
    /// component_appid or suite_id.
    pub appid: String,
    /// Where events are pushed to, `http://` alone.
    pub url: String,
    /// What pushes are signed with.
    pub token: String,
    /// The EncodingAESKey that they are encrypted with, 43 characters.
    pub aes_key: String,
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callback").field("appid", &self.appid).field("url", &self.url).finish_non_exhaustive()
    }
}

/// A callback that can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCallback {
    /// The address.
    #[error("{}", text!("`url` is not an http:// URL"))]
    Url,
    /// The key.
    #[error("{}", text!("`aes_key` is not an EncodingAESKey of 43 characters"))]
    AesKey,
}

/// A callback, read.
#[derive(Clone)]
pub(in crate::sandbox) struct Receiver {
    pub appid: String,
    pub token: String,
    pub aes_key: [u8; 32],
    /// `host:port`
    pub authority: String,
    /// Path and query.
    pub target: String,
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("appid", &self.appid).finish_non_exhaustive()
    }
}

impl Receiver {
    /// Reads a callback.
    ///
    /// # Errors
    /// If it can't be pushed to.
    pub(in crate::sandbox) fn new(callback: Callback) -> Result<Self, BadCallback> {
        let url: http::Uri = callback.url.parse().map_err(|_| BadCallback::Url)?;
        let host = url.host().filter(|_| url.scheme_str() == Some("http")).ok_or(BadCallback::Url)?;
        let authority = format!("{host}:{}", url.port_u16().unwrap_or(80));
        let target = url.path_and_query().map_or("/", http::uri::PathAndQuery::as_str).to_owned();
        let aes_key = BASE64.decode(&callback.aes_key).ok().and_then(|key| key.try_into().ok());
        let aes_key = aes_key.ok_or(BadCallback::AesKey)?;
        Ok(Self { appid: callback.appid, token: callback.token, aes_key, authority, target })
    }
}

/// By component_appid or suite_id.
#[derive(Debug, Default)]
pub(in crate::sandbox) struct Callbacks {
    receivers: HashMap<String, Receiver>,
}

impl Callbacks {
    pub(in crate::sandbox) fn put(&mut self, receiver: Receiver) {
        self.receivers.insert(receiver.appid.clone(), receiver);
    }

    pub(in crate::sandbox) fn get(&self, appid: &str) -> Option<&Receiver> {
        self.receivers.get(appid)
    }
}
