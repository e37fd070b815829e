//! What calls for credentials say, in a query or in a JSON object.

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::secret::Secret;

/// What a call says.
#[derive(Default)]
pub(super) struct Fields<'a> {
    pub texts: Vec<(&'static str, &'a str)>,
    /// Whether WeChat is to replace a token that it would hand out again; none where it can't.
    pub force: Option<bool>,
}

impl Fields<'_> {
    pub(super) fn query(&self) -> Zeroizing<String> {
        Zeroizing::new(form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.texts).finish())
    }

    pub(super) fn json(&self) -> Zeroizing<String> {
        let texts = self.texts.iter().map(|(name, text)| ((*name).to_owned(), Value::from(*text)));
        let force = self.force.map(|force| ("force_refresh".to_owned(), force.into()));
        let object: Map<_, _> = texts.chain(force).collect();
        Zeroizing::new(Value::Object(object).to_string())
    }
}

/// `before` (a query, or a path with its `?`) and a credential.
pub(super) fn with_credential(before: &str, name: &str, value: &Secret) -> Zeroizing<String> {
    let mut text = Zeroizing::new(before.to_owned());
    if !text.is_empty() && !text.ends_with('?') {
        text.push('&');
    }
    text.push_str(name);
    text.push('=');
    text.push_str(value.expose());
    text
}
