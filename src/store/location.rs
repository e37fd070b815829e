//! Where a store is, as its URL says.

use std::fmt;
use std::path::PathBuf;

use super::redis::Target;
use crate::texts::{Words, words};

/// An engine and where to find what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// `memory:`: nothing outlives the process, nothing is shared.
    Memory,
    /// `file:/path`: a folder that the processes of one machine share.
    File(PathBuf),
    /// `redis://...` and its kin.
    Redis(Target),
}

impl Location {
    /// Reads a store's URL.
    ///
    /// # Errors
    /// What is wrong with it and what would be right, as the rest of a sentence; it never repeats a
    /// password.
    pub fn parse(url: &str) -> Result<Self, Words> {
        let (scheme, rest) = url.split_once(':').unwrap_or((url, ""));
        match scheme {
            "memory" if rest.is_empty() => Ok(Self::Memory),
            "file" if rest.starts_with('/') => Ok(Self::File(rest.into())),
            "file" => Err(words!("has no absolute path, expected one like \"file:/var/lib/wxgate\"")),
            _ if scheme.starts_with("redis") => Target::parse(url).map(Self::Redis),
            _ => Err(words!(
                "is not a store, expected \"file:/var/lib/wxgate\", \"redis://HOST:6379/0\" or \"memory:\""
            )),
        }
    }

    /// The keys of `[store]` that lead elsewhere in `other`.
    pub(super) fn changed(&self, other: &Self) -> Vec<&'static str> {
        match (self, other) {
            (Self::Redis(one), Self::Redis(other)) => one.changed(other),
            _ if self == other => Vec::new(),
            _ => vec!["url"],
        }
    }

    /// Whether what is stored outlives the process or is shared by replicas.
    pub fn shared(&self) -> bool {
        match self {
            Self::Memory => false,
            Self::File(_) | Self::Redis(_) => true,
        }
    }
}

/// The URL without secrets.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory:"),
            Self::File(folder) => write!(f, "file:{}", folder.display()),
            Self::Redis(target) => target.fmt(f),
        }
    }
}
