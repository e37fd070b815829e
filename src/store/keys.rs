//! The prefixes of keys, by what is stored under them.

/// Begins the keys of notes.
pub(super) const NOTE: &str = "note:";
/// Begins the keys of refresh tokens.
pub const REFRESH_TOKEN: &str = "refresh_token:";
/// The prefixes of all that requires people to get again.
const IRREPLACEABLE: [&str; 2] = [REFRESH_TOKEN, "permanent_code:"];

/// Whether the loss of what is under `key` requires another authorisation.
pub fn is_irreplaceable(key: &str) -> bool {
    IRREPLACEABLE.iter().any(|kind| key.starts_with(kind))
}

/// Whether a record is under `key`.
pub(super) fn is_record(key: &str) -> bool {
    !["lease:", "force:", "count:", "budget:", NOTE].iter().any(|kind| key.starts_with(kind))
}
