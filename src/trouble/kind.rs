//! The kinds of trouble.

/// What is wrong with a response of WeChat's, or with its absence. An error of the caller's (a bad
/// openid, a used quota) is not trouble at WeChat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Errcode -1: WeChat is busy.
    Busy,
    /// A status of 500 or above.
    ServerError,
    /// No response in time, or the caller gave up waiting for it.
    Timeout,
    /// No connection, or it was closed before the response was complete.
    Unreachable,
    /// A valid token was rejected: some of WeChat's nodes lag, or the endpoint requires another
    /// credential.
    TokenLag,
    /// The address that the call came from isn't in the account's IP whitelist.
    NotWhitelisted,
}

/// How many there are.
pub(super) const KINDS: usize = 6;

impl Kind {
    /// All of them, each at the place that `as usize` gives.
    pub const ALL: [Self; KINDS] = [
        Self::Busy,
        Self::ServerError,
        Self::Timeout,
        Self::Unreachable,
        Self::TokenLag,
        Self::NotWhitelisted,
    ];

    /// As in metrics, log and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::ServerError => "http_5xx",
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::TokenLag => "token_lag",
            Self::NotWhitelisted => "not_whitelisted",
        }
    }

    /// The same of its end.
    pub fn over(self) -> &'static str {
        match self {
            Self::Busy => "busy_over",
            Self::ServerError => "http_5xx_over",
            Self::Timeout => "timeout_over",
            Self::Unreachable => "unreachable_over",
            Self::TokenLag => "token_lag_over",
            Self::NotWhitelisted => "not_whitelisted_over",
        }
    }

    /// Only people can end it, so a single call is enough to report it.
    pub(super) fn is_settings(self) -> bool {
        self == Self::NotWhitelisted
    }
}
