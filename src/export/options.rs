//! What is to be written where.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::entries::Format;
use super::template::Template;
use crate::store::redis::Target;

/// How often an export looks at its place although the token is the same.
pub const CHECK: Duration = Duration::from_secs(10);

/// One place that an app's token is written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The app's name.
    pub app: Arc<str>,
    /// WeChat's identifier of the account.
    pub appid: Arc<str>,
    /// Where to, and in which form.
    pub destination: Destination,
}

/// Where a token is written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A file, replaced as a whole.
    File {
        /// Its place.
        path: PathBuf,
        /// Its text.
        template: Template,
        /// Permissions, like 0o600.
        mode: u32,
    },
    /// Keys of a Redis.
    Redis {
        /// Which Redis.
        target: Target,
        /// How the values look, and which further keys there are.
        format: Format,
        /// The first key.
        key: String,
    },
}

/// The place, without secrets.
impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, .. } => write!(f, "file:{}", path.display()),
            Self::Redis { target, format, .. } => write!(f, "{target} ({format})"),
        }
    }
}
