//! The prefixes of keys, by what is stored under them.

/// Begins the keys of notes.
pub(super) const NOTE: &str = "note:";
/// Begins the keys of refresh tokens.
pub const REFRESH_TOKEN: &str = "refresh_token:";
/// Begins the keys of the permanent codes by which a suite acts for companies.
pub const PERMANENT_CODE: &str = "permanent_code:";
/// Begins the keys of codes that are to be exchanged for permanent ones.
pub const SUITE_AUTH_CODE: &str = "suite_auth_code:";
/// The prefixes of all that requires people to get again.
const IRREPLACEABLE: [&str; 3] = [REFRESH_TOKEN, PERMANENT_CODE, SUITE_AUTH_CODE];

/// Whether the loss of what is under `key` requires another authorisation.
pub fn is_irreplaceable(key: &str) -> bool {
    IRREPLACEABLE.iter().any(|kind| key.starts_with(kind))
}

/// Whether a record is under `key`.
pub(super) fn is_record(key: &str) -> bool {
    !["lease:", "force:", "count:", "budget:", NOTE].iter().any(|kind| key.starts_with(kind))
}
