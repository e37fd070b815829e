//! A completed fetch: why it was made, and its outcome.

use std::time::Duration;

use crate::observe::clock::Timestamp;

/// Why a token was fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// None was ever held since the process started.
    Startup,
    /// The one held was in its last minutes, or had expired.
    Ahead,
    /// WeChat rejected the one held.
    Rejected,
    /// The one held is dead and WeChat still hands it out: fetched by force.
    Forced,
    /// An admin asked, with or without force.
    Admin,
}

/// How a fetch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A different token came.
    Replaced,
    /// The token held already came.
    Same,
    /// None came.
    Failed,
}

/// A completed fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refresh {
    /// When it ended.
    pub at: Timestamp,
    /// Why it was made.
    pub reason: Reason,
    /// How it ended.
    pub outcome: Outcome,
    /// How long the call took.
    pub took: Duration,
}

impl Reason {
    pub(crate) const ALL: [Self; 5] = [Self::Startup, Self::Ahead, Self::Rejected, Self::Forced, Self::Admin];

    /// The metric label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Startup => "startup",
            Self::Ahead => "ahead",
            Self::Rejected => "rejected",
            Self::Forced => "forced",
            Self::Admin => "admin",
        }
    }
}

impl Outcome {
    pub(crate) const ALL: [Self; 3] = [Self::Replaced, Self::Same, Self::Failed];

    /// The metric label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Replaced => "replaced",
            Self::Same => "same",
            Self::Failed => "failed",
        }
    }
}
