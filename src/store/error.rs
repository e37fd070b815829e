//! Why an operation failed.

use std::path::PathBuf;
use std::time::Duration;

use super::refusal::Refusal;
use super::seal::SealError;
use crate::observe::chain::Chain;
use crate::texts::text;

/// A store's operation failed; the work goes on without it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing came back in time.
    #[error("{}", text!("no response from the store within {time}", time = format_args!("{:?}", .0)))]
    Timeout(Duration),
    /// Other operations already wait for it; a request must not.
    #[error("{}", text!("the store is slow to respond"))]
    Late,
    /// It failed before and hasn't recovered since.
    #[error("{}", text!("the store is down"))]
    Down,
    /// A file or folder can't be used.
    #[error("{}", text!("cannot use {path}", path = .path.display()))]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// What is in place of an entry, or of its lock, can't be opened by this user.
    #[error("{}", text!("the entry {key} cannot be used, failed to open {path}", key = .key, path = .path.display()))]
    Unusable {
        /// Its key.
        key: String,
        /// Its place.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Redis returned an error, or can't be reached.
    #[error("{}", text!("Redis failed"))]
    Redis(#[from] ::redis::RedisError),
    /// Redis returned another number of values than was asked for.
    #[error("{}", text!("Redis returned {answered} values, expected {asked}", answered = .answered, asked = .asked))]
    Amount {
        /// So many were asked for.
        asked: usize,
        /// So many came.
        answered: usize,
    },
    /// What is to be written is longer than what can be read.
    #[error("{}", text!("the entry {key} would have more than {limit} bytes", key = .key, limit = .limit))]
    TooLong {
        /// Its key.
        key: String,
        /// What an entry may have.
        limit: usize,
    },
    /// What is stored can't be read.
    #[error("{}", text!("the entry {key} is damaged", key = .key))]
    Damaged {
        /// Its key.
        key: String,
    },
    /// A later version of wxgate wrote it.
    #[error("{}", text!("the entry {key} has format {format} of a later version of wxgate", key = .key, format = .format))]
    Format {
        /// Its key.
        key: String,
        /// The number of the format.
        format: u32,
    },
    /// What is stored can't be sealed or unsealed.
    #[error("{}", text!("the entry {key} cannot be opened", key = .key))]
    Sealed {
        /// Its key.
        key: String,
        /// Why not.
        source: SealError,
    },
}

impl StoreError {
    /// Whether it concerns the store as a whole and not one entry.
    pub(super) fn means_down(&self) -> bool {
        match self {
            // One key that is used for something else.
            Self::Redis(error) => error.code() != Some("WRONGTYPE"),
            Self::Timeout(_) | Self::Down | Self::File { .. } | Self::Amount { .. } => true,
            Self::TooLong { .. }
            | Self::Late
            | Self::Unusable { .. }
            | Self::Damaged { .. }
            | Self::Format { .. }
            | Self::Sealed { .. } => false,
        }
    }

    /// Whether it only means that something took too long.
    pub(super) fn is_late(&self) -> bool {
        match self {
            Self::Timeout(_) | Self::Late => true,
            // Another process holds the entry's lock.
            Self::File { source, .. } => source.kind() == std::io::ErrorKind::WouldBlock,
            _ => false,
        }
    }

    /// Why what is stored isn't accepted, if that is the error.
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Damaged { .. } | Self::Unusable { .. } => Some(Refusal::Damaged),
            Self::Format { .. } => Some(Refusal::Format),
            Self::Sealed { source, .. } => match source {
                SealError::Unsealed => Some(Refusal::Unsealed),
                SealError::UnknownKey(_) => Some(Refusal::UnknownKey),
                SealError::Broken => Some(Refusal::BrokenSeal),
                SealError::NoKey | SealError::Random => None,
            },
            Self::Timeout(_)
            | Self::Late
            | Self::Down
            | Self::File { .. }
            | Self::Redis(_)
            | Self::Amount { .. }
            | Self::TooLong { .. } => None,
        }
    }

    /// The error and its causes in one line.
    pub fn chain(&self) -> Chain<'_> {
        Chain(self)
    }
}
