//! A text that is kept.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::language::Language;
use super::text::{Text, translated};

/// The same in both languages. Prints and serialises in the language of the moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    english: Cow<'static, str>,
    chinese: Cow<'static, str>,
}

impl Words {
    /// What `write` writes, in both languages.
    pub fn of<T: Into<Cow<'static, str>>>(write: impl Fn() -> T) -> Self {
        Self {
            english: Language::English.scope(&write).into(),
            chinese: Language::Chinese.scope(&write).into(),
        }
    }

    /// What somebody else said, and has no translation.
    pub fn untranslated(text: impl Into<Cow<'static, str>>) -> Self {
        let english = text.into();
        Self { chinese: english.clone(), english }
    }

    /// In one language.
    pub fn to(&self, language: Language) -> &str {
        match language {
            Language::English => &self.english,
            Language::Chinese => &self.chinese,
        }
    }

    /// In the language of the moment.
    pub fn as_str(&self) -> &str {
        self.to(Language::current())
    }
}

impl From<Text<'_>> for Words {
    fn from(text: Text<'_>) -> Self {
        if text.values.is_empty() && !text.english.contains(['{', '}']) {
            return Self::of(|| translated(text.english));
        }
        Self::of(|| text.to_string())
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Words {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::untranslated)
    }
}
