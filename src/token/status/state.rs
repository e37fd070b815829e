//! Whether a credential is usable, and why not.

/// How an app's credential is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// A usable token is held.
    Ready,
    /// No token yet, and none has been refused.
    Starting,
    /// No usable token; the last attempt failed and is repeated with a backoff.
    Failing,
    /// No usable token; WeChat's refusal requires a person to act, see the last failure's remedy.
    CircuitOpen,
    /// WeChat rejects the token held, and no other could be fetched yet.
    Rejected,
    /// The token held has expired.
    Expired,
}

impl State {
    /// In snake case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Starting => "starting",
            Self::Failing => "failing",
            Self::CircuitOpen => "circuit_open",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
        }
    }
}
