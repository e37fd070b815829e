//! Which endpoints support signed calls: a list of the sandbox's own.

use std::collections::HashSet;
use std::sync::LazyLock;

/// Same-city delivery: these take signed calls alone, from every account.
const INTRACITY: &str = "/cgi-bin/express/intracity/";

static SUPPORTED: LazyLock<HashSet<&str>> =
    LazyLock::new(|| include_str!("supported.txt").lines().filter(|line| !line.starts_with('#')).collect());

/// Whether the endpoint takes signed calls.
pub(in crate::sandbox) fn supports(path: &str) -> bool {
    SUPPORTED.contains(path)
}

/// Whether the endpoint has a code of its own for calls that aren't signed.
pub(super) fn is_intracity(path: &str) -> bool {
    path.starts_with(INTRACITY)
}
