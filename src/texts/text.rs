//! A text on its way to whoever reads it.

use std::fmt;

use super::language::Language;
use super::{chinese, template};

/// A text with its values, in the language of whoever prints it; made by
/// [`text!`](crate::texts::text!).
#[derive(Clone, Copy)]
pub struct Text<'a> {
    /// In English, with names of values in braces as in `format!`.
    #[doc(hidden)]
    pub english: &'static str,
    #[doc(hidden)]
    pub values: &'a [(&'static str, &'a dyn fmt::Display)],
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        template::write(f, translated(self.english), self.values)
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A marked text in the present language; one that isn't in the catalogue stays as it is.
pub fn translated(english: &'static str) -> &'static str {
    match Language::current() {
        Language::English => english,
        Language::Chinese => chinese::of(english).unwrap_or(english),
    }
}
