//! Under which keys what lies.

/// Begins the keys of notes.
pub(super) const NOTE: &str = "note:";
/// Begins the keys of refresh tokens.
pub const REFRESH_TOKEN: &str = "refresh_token:";
/// The same of all that only people can get again.
const IRREPLACEABLE: [&str; 2] = [REFRESH_TOKEN, "permanent_code:"];

/// Whether what is lost under `key` costs people another authorisation.
pub fn is_irreplaceable(key: &str) -> bool {
    IRREPLACEABLE.iter().any(|kind| key.starts_with(kind))
}

/// Whether a record is under `key`.
pub(super) fn is_record(key: &str) -> bool {
    !["lease:", "force:", "count:", "budget:", NOTE].iter().any(|kind| key.starts_with(kind))
}
