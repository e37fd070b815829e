//! One JSON object of a request's query and body. What the body says goes on byte for byte: numbers
//! as they are written, members in their order, whatever they are.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use super::wire::RESERVED;
use crate::texts::text;

/// The members of an object, without its braces.
pub struct Merged(pub(super) String);

impl fmt::Debug for Merged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Merged").field("bytes", &self.0.len()).finish_non_exhaustive()
    }
}

/// Why they can't be merged.
#[derive(Debug, thiserror::Error)]
pub enum Unmergeable {
    /// The body is something else; where that shows.
    #[error("{}", text!("the body is not a JSON object (line {line}, column {column})", line = .line, column = .column))]
    NoObject {
        /// From 1.
        line: usize,
        /// From 1, in bytes; 0 before the first.
        column: usize,
    },
    /// The body is not UTF-8.
    #[error("{}", text!("the body is not UTF-8"))]
    NotUtf8,
    /// A parameter is not UTF-8.
    #[error("{}", text!("a query parameter is not UTF-8"))]
    QueryNotUtf8,
    /// Query and body, or the query twice, have a field of this name.
    #[error("{}", text!("{name} is given twice in query and body together", name = .0))]
    Twice(String),
    /// The caller has a field that signing adds.
    #[error("{}", text!("{name} is added by signing", name = .0))]
    Reserved(String),
}

/// Joins the parameters of `query`, without credentials, to the fields of `body`, which may be
/// empty. Values of the query become strings.
///
/// # Errors
///
/// If they make no object whose fields have a name each.
pub fn merge(body: &[u8], query: &str) -> Result<Merged, Unmergeable> {
    let body = std::str::from_utf8(body).map_err(|_| Unmergeable::NotUtf8)?;
    let body = body.strip_prefix('\u{feff}').unwrap_or(body).trim_matches([' ', '\t', '\r', '\n']);
    let (mut names, mut members) = match body {
        "" => (HashSet::new(), String::new()),
        object => {
            // Serde's own text quotes what is there.
            let at = |error: serde_json::Error| Unmergeable::NoObject {
                line: error.line(),
                column: error.column(),
            };
            let names = names(object).map_err(at)?;
            // An object, so that it has both braces.
            let inner = object.get(1..object.len() - 1).unwrap_or_default();
            (names, inner.trim_end_matches([' ', '\t', '\r', '\n']).to_owned())
        }
    };
    if let Some(name) = RESERVED.iter().find(|name| names.contains(**name)) {
        return Err(Unmergeable::Reserved((*name).to_owned()));
    }
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        // A replacement character that the query spells out is refused with it.
        if name.contains(char::REPLACEMENT_CHARACTER) || value.contains(char::REPLACEMENT_CHARACTER) {
            return Err(Unmergeable::QueryNotUtf8);
        }
        if RESERVED.contains(&&*name) {
            return Err(Unmergeable::Reserved(name.into_owned()));
        }
        push(&mut members, &name, &value);
        let name: Cow<'_, str> = name.into_owned().into();
        if let Some(name) = names.replace(name) {
            return Err(Unmergeable::Twice(name.into_owned()));
        }
    }
    Ok(Merged(members))
}

/// Adds a member whose value is a string.
pub(super) fn push(members: &mut String, name: &str, value: &str) {
    if !members.is_empty() {
        members.push(',');
    }
    members.push_str(&quoted(name));
    members.push(':');
    members.push_str(&quoted(value));
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The names of an object's members.
fn names(object: &str) -> serde_json::Result<HashSet<Cow<'_, str>>> {
    struct Names;
    impl<'de> Visitor<'de> for Names {
        type Value = HashSet<Cow<'de, str>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a JSON object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut names = HashSet::new();
            while let Some(name) = map.next_key::<String>()? {
                map.next_value::<IgnoredAny>()?;
                names.insert(name.into());
            }
            Ok(names)
        }
    }
    let mut text = serde_json::Deserializer::from_str(object);
    let names = text.deserialize_map(Names)?;
    text.end()?;
    Ok(names)
}
