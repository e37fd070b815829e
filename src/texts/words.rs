//! A text that is kept.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::language::Language;
use super::text::Text;
use super::{chinese, template};

/// The same in both languages. Prints and serialises in the language of the moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    english: Cow<'static, str>,
    chinese: Cow<'static, str>,
}

impl Words {
    /// Words that are there in both languages.
    pub fn new(english: impl Into<Cow<'static, str>>, chinese: impl Into<Cow<'static, str>>) -> Self {
        Self { english: english.into(), chinese: chinese.into() }
    }

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
        let chinese = chinese::of(text.english).unwrap_or(text.english);
        if text.values.is_empty() && memchr::memchr2(b'{', b'}', text.english.as_bytes()).is_none() {
            return Self::new(text.english, chinese);
        }
        // A value may have a translation too.
        let write =
            |language: Language, template| language.scope(|| Filled(template, text.values).to_string());
        Self::new(write(Language::English, text.english), write(Language::Chinese, chinese))
    }
}

/// A template with its values.
struct Filled<'a>(&'static str, &'a [(&'static str, &'a dyn fmt::Display)]);

impl fmt::Display for Filled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        template::write(f, self.0, self.1)
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
