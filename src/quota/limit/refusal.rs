//! What a limit says to a request that is over it.

use std::time::Duration;

use crate::texts::Words;

/// A request is over a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Which kind of limit.
    pub kind: Kind,
    /// Whose limit it is, for people.
    pub text: Words,
    /// When to try again.
    pub retry_after: Duration,
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Requests in a short time.
    Rate,
    /// Requests of a day.
    Quota,
}
