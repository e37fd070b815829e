//! Why an operation failed.

use std::path::PathBuf;
use std::time::Duration;

use super::refusal::Refusal;
use super::seal::SealError;
use crate::observe::chain::Chain;

/// A store's operation failed; the work goes on without it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing came back in time.
    #[error("no answer from the store within {0:?}")]
    Timeout(Duration),
    /// Others wait for it already, and a request must not.
    #[error("the store is late")]
    Late,
    /// It failed before and hasn't been found well since.
    #[error("the store is down")]
    Down,
    /// A file or folder can't be used.
    #[error("cannot use {}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// What lies in the place of an entry, or of its lock, can't be opened by this user.
    #[error("the entry {key} can't be used, cannot open {}", .path.display())]
    Unusable {
        /// Its key.
        key: String,
        /// Where it lies.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Redis refused, or can't be reached.
    #[error("Redis failed")]
    Redis(#[from] ::redis::RedisError),
    /// Redis answered something else than what was asked.
    #[error("Redis answered {answered} values where {asked} were asked for")]
    Amount {
        /// So many were asked for.
        asked: usize,
        /// So many came.
        answered: usize,
    },
    /// What is to be written is longer than what is read.
    #[error("the entry {key} would have more than {limit} bytes")]
    TooLong {
        /// Its key.
        key: String,
        /// What an entry may have.
        limit: usize,
    },
    /// What is stored can't be read.
    #[error("the entry {key} is damaged")]
    Damaged {
        /// Its key.
        key: String,
    },
    /// A later version of wxgate wrote it.
    #[error("the entry {key} has the format {format}, which a later version of wxgate wrote")]
    Format {
        /// Its key.
        key: String,
        /// The number of the format.
        format: u32,
    },
    /// What is stored can't be sealed or opened.
    #[error("the entry {key} can't be opened")]
    Sealed {
        /// Its key.
        key: String,
        /// Why not.
        source: SealError,
    },
}

impl StoreError {
    /// Whether it tells of the store as a whole and not of one entry.
    pub(super) fn means_down(&self) -> bool {
        match self {
            // One key that something else uses.
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

    /// Whether it tells only that something took too long.
    pub(super) fn is_late(&self) -> bool {
        match self {
            Self::Timeout(_) | Self::Late => true,
            // Another process holds the entry's lock.
            Self::File { source, .. } => source.kind() == std::io::ErrorKind::WouldBlock,
            _ => false,
        }
    }

    /// Why what is stored isn't believed, if it tells of that.
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
