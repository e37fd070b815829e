//! The errcodes that tell of the token that a call carried.

/// What the top-level errcodes of WeChat's answers say of one family of tokens.
///
/// The same codes on user OAuth endpoints concern the user's token, and 40001 at a token endpoint
/// the app secret, as it does everywhere at WeCom.
#[derive(Debug)]
pub struct TokenCodes {
    /// WeChat doesn't take the token.
    pub dead: &'static [i64],
}

impl TokenCodes {
    /// Of the official platform's tokens.
    pub const API: Self = Self { dead: &[40001, 40014, 42001] };
    /// Of a WeCom app's.
    pub const WORK: Self = Self { dead: &[40014, 42001] };
    /// Of a WeCom suite's and a WeCom provider's.
    pub const WORK_PROVIDER: Self = Self { dead: &[40082, 42009] };
}
