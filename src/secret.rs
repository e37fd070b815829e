//! A string that cannot be printed, copied carelessly or serialised.

use std::borrow::Cow;
use std::fmt;

use zeroize::Zeroizing;

use self::encoded::{encoded, is_unreserved};

pub(crate) mod encoded;
pub mod file;
pub mod mask;

/// A secret: an app secret, an access token, an API key.
///
/// No `Display`, `Serialize`, `Deref` or `Clone`: the one way in is [`Secret::expose`], so a search
/// for that word finds every place that handles the plain text. The memory is wiped on drop.
pub struct Secret {
    plain: Zeroizing<String>,
    /// Worked out once, since each request with a token asks.
    unreserved: bool,
}

impl Secret {
    /// Takes ownership of the plain text. A `String` is taken as it is: making it fit could move it
    /// and leave a copy behind.
    pub fn new(plain: impl Into<String>) -> Self {
        let plain = Zeroizing::new(plain.into());
        let unreserved = is_unreserved(&plain);
        Self { plain, unreserved }
    }

    /// The plain text, for the one place that must put it on the wire.
    pub fn expose(&self) -> &str {
        &self.plain
    }

    /// The plain text percent-encoded for a query.
    pub fn expose_encoded(&self) -> Cow<'_, str> {
        match self.unreserved {
            true => Cow::Borrowed(&*self.plain),
            false => encoded(&self.plain),
        }
    }

    /// Whether two secrets are equal, in time that depends on their lengths alone.
    pub fn matches(&self, other: &Self) -> bool {
        use subtle::ConstantTimeEq;
        self.plain.as_bytes().ct_eq(other.plain.as_bytes()).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

/// User name and password of a URL's `USER:PASSWORD@`, given without the `@`; an empty one is none.
pub fn userinfo(text: &str) -> (Option<String>, Option<Secret>) {
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    let some = |text: &str| (!text.is_empty()).then(|| decoded(text).into_owned());
    (some(user), some(password).map(Secret::new))
}

fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    // The parser of forms takes a `+` for a space, which it isn't here.
    let pair = format!("{}=", text.replace('+', "%2B"));
    let name = form_urlencoded::parse(pair.as_bytes()).next().map(|(name, _)| name.into_owned());
    Cow::Owned(name.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn debug_shows_nothing_of_the_secret() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(redacted)");
    }

    #[test]
    fn equal_secrets_match_and_others_do_not() {
        assert!(Secret::new("a").matches(&Secret::new("a")));
        assert!(!Secret::new("a").matches(&Secret::new("b")));
        assert!(!Secret::new("a").matches(&Secret::new("ab")));
    }
}
