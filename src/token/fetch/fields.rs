//! The parameters of requests for credentials, as a query or a JSON object.

use serde::{Serialize, Serializer, ser::SerializeMap as _};
use zeroize::Zeroizing;

use crate::secret::Secret;

/// The parameters of a request.
#[derive(Default)]
pub(super) struct Fields<'a> {
    pub texts: Vec<(&'static str, &'a str)>,
    /// Whether WeChat should replace a token that it would hand out again; none where it can't.
    pub force: Option<bool>,
}

impl Fields<'_> {
    pub(super) fn query(&self) -> Zeroizing<String> {
        let room = String::with_capacity(self.room());
        Zeroizing::new(form_urlencoded::Serializer::new(room).extend_pairs(&self.texts).finish())
    }

    pub(super) fn json(&self) -> Zeroizing<String> {
        let mut json = Vec::with_capacity(self.room());
        // Writing text into memory can't fail.
        let _ = serde_json::to_writer(&mut json, self);
        Zeroizing::new(String::from_utf8(json).unwrap_or_default())
    }

    /// More bytes than either form takes, for a text that grows is moved and leaves copies behind.
    fn room(&self) -> usize {
        // `\u0000` is the longest that a byte becomes.
        let texts = self.texts.iter().map(|(name, text)| name.len() + 6 * text.len() + 8);
        texts.sum::<usize>() + "{\"force_refresh\":false}".len()
    }
}

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, text) in &self.texts {
            map.serialize_entry(name, text)?;
        }
        if let Some(force) = self.force {
            map.serialize_entry("force_refresh", &force)?;
        }
        map.end()
    }
}

/// `before` (a query, or a path with its `?`) and a credential.
pub(super) fn with_credential(before: &str, name: &str, value: &Secret) -> Zeroizing<String> {
    let length = before.len() + 1 + name.len() + 1 + value.expose().len();
    let mut text = Zeroizing::new(String::with_capacity(length));
    text.push_str(before);
    if !text.is_empty() && !text.ends_with('?') {
        text.push('&');
    }
    text.push_str(name);
    text.push('=');
    text.push_str(value.expose());
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Fields, with_credential};
    use crate::secret::Secret;

    proptest! {
        #[test]
        fn no_text_that_holds_a_secret_has_to_move(value in ".{0,300}", force in any::<Option<bool>>()) {
            let fields = Fields { texts: vec![("appid", "wx1"), ("secret", &value)], force };
            for text in [fields.query(), fields.json()] {
                prop_assert_eq!(text.capacity(), fields.room());
            }
            let read: serde_json::Value = serde_json::from_str(&fields.json()).expect("JSON");
            prop_assert_eq!(&read["secret"], &value);
            prop_assert_eq!(read["force_refresh"].as_bool(), force);
            let text = with_credential("a=b", "access_token", &Secret::new(value.as_str()));
            prop_assert_eq!(text.capacity(), text.len());
        }
    }
}
