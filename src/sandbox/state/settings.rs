//! What can be set for all apps at once.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::tokens::Rules;
use crate::sandbox::variants::Variant;

/// The knobs; the defaults are WeChat's own values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The wire form of errors.
    pub error_variant: Variant,
    /// Endpoints that WeChat doesn't have, or not for the token's kind of account, are answered as
    /// if it had them, and not 40066.
    pub allow_unlisted: bool,
    /// How long a new token is valid.
    pub lifetime_ms: i64,
    /// How long the previous classic token stays valid.
    pub grace_ms: i64,
    /// How long the previous stable token stays valid after a force. Zero is the worst that was
    /// documented.
    pub force_grace_ms: i64,
    /// How long before its end a stable token is renewed; at most a fifth of the lifetime.
    pub renew_before_ms: i64,
    /// Forced refreshes closer together than this don't refresh.
    pub force_interval_ms: i64,
    /// Forced refreshes a day, beyond that 45009.
    pub forces_per_day: u32,
    /// What token answers say in `expires_in`.
    pub expires_in: ExpiresIn,
    /// Each fetch of an authorizer's token brings another refresh token; the one before is taken
    /// until that was used.
    pub rotate_refresh_tokens: bool,
    /// Characters of a token, 20 to 512.
    pub token_length: usize,
    /// A longer upload is answered 40006, bytes.
    pub media_limit: usize,
    /// Requests that the journal remembers.
    pub journal_limit: usize,
}

impl Settings {
    /// Those that are not as they are by default.
    pub(in crate::sandbox) fn changed(&self) -> Value {
        let encoded = |settings: &Self| match serde_json::to_value(settings) {
            Ok(Value::Object(fields)) => fields,
            _ => serde_json::Map::new(),
        };
        let before = encoded(&Self::default());
        Value::Object(
            encoded(self).into_iter().filter(|(key, value)| before.get(key) != Some(value)).collect(),
        )
    }
}

/// What token answers say in `expires_in`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExpiresIn {
    /// The truth.
    #[default]
    Real,
    /// This, whatever the truth.
    Value(Value),
    /// Nothing.
    Missing,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            error_variant: Variant::default(),
            allow_unlisted: false,
            lifetime_ms: 7_200_000,
            grace_ms: 300_000,
            force_grace_ms: 0,
            renew_before_ms: 300_000,
            force_interval_ms: 30_000,
            forces_per_day: 20,
            expires_in: ExpiresIn::Real,
            rotate_refresh_tokens: false,
            token_length: 140,
            media_limit: 20 * 1024 * 1024,
            journal_limit: 20_000,
        }
    }
}

impl Settings {
    pub(in crate::sandbox) fn rules(&self) -> Rules {
        Rules {
            lifetime: self.lifetime_ms,
            grace: self.grace_ms,
            force_grace: self.force_grace_ms,
            renew_before: self.renew_before_ms,
            force_interval: self.force_interval_ms,
            forces_per_day: self.forces_per_day,
            length: self.token_length.clamp(20, 512),
        }
    }
}
