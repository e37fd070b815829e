//! How paths are spelled and compared.

use std::borrow::Cow;

/// The form in which paths are compared: lower case, no trailing `/`.
///
/// WeChat's servers take some paths in any case and with a trailing `/`; a guard must see through
/// both.
pub fn normalise(path: &str) -> Cow<'_, str> {
    let path = path.trim_end_matches('/');
    if path.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(path.to_ascii_lowercase())
    } else {
        Cow::Borrowed(path)
    }
}
