//! Rules on names, digests and closed sets that several tables share.

use std::collections::HashMap;

use super::problem::{Report, did_you_mean, looks_like_secret};
use super::values::{Field, Item};

/// More names than anybody wants to read in a sentence.
const MANY: usize = 20;

/// Names that others may refer to, in their order. A file may have thousands.
#[derive(Debug)]
pub(in crate::config) struct Known<'a> {
    names: Vec<&'a str>,
    indices: HashMap<&'a str, usize>,
}

impl<'a> FromIterator<&'a str> for Known<'a> {
    fn from_iter<I: IntoIterator<Item = &'a str>>(names: I) -> Self {
        let names: Vec<_> = names.into_iter().collect();
        // Of those that are there twice, which was reported, the first.
        let indices = names.iter().enumerate().rev().map(|(index, name)| (*name, index)).collect();
        Self { names, indices }
    }
}

impl Known<'_> {
    /// Which of them a name is.
    pub(in crate::config) fn index(&self, name: &str) -> Option<usize> {
        self.indices.get(name).copied()
    }
}

/// Names are labels of metrics, path segments and words of logs; `reserved` ones stand for
/// something there already.
pub(in crate::config) fn check_name(name: &Item<String>, reserved: &[&str], report: &mut Report<'_>) {
    let text = name.value.as_str();
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    if !plain || text.is_empty() || text.len() > 64 || text.bytes().all(|byte| byte == b'.') {
        report.error(&name.place, "is no name, expected 1 to 64 characters of A-Z a-z 0-9 _ . -");
    } else if reserved.contains(&text) {
        report.error(
            &name.place,
            format!("\"{text}\" has a meaning of its own in metrics, expected another name"),
        );
    }
}

/// Reports a name that is none of `known`, which are names of `what`.
pub(in crate::config) fn check_known(
    name: &Item<String>,
    what: &str,
    known: &Known<'_>,
    report: &mut Report<'_>,
) {
    if known.index(&name.value).is_some() {
        return;
    }
    let all = || match known.names.len() {
        0 => String::new(),
        1..=MANY => format!(", expected {}", known.names.join(" or ")),
        many => format!(", expected one of the {many} that there are"),
    };
    // Each suggestion takes a look at all names.
    let candidates = if report.is_long() { &[][..] } else { &known.names };
    let advice = did_you_mean(&name.value, candidates.iter().copied(), all);
    let word = if looks_like_secret(&name.value) { "this" } else { &format!("{:?}", name.value) };
    report.error(&name.place, format!("{word} is no {what}'s name{advice}"));
}

/// Whether a text is `length` hexadecimal digits.
pub(in crate::config) fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The value that a word stands for; the first one is the default.
pub(in crate::config) fn one_of<T: Copy>(
    field: &Field<String>,
    words: &[(&str, T)],
    report: &mut Report<'_>,
) -> T {
    let default = words[0].1;
    let Some(item) = field.item() else { return default };
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == item.value) {
        return *value;
    }
    let all = || {
        let (last, others) = words.split_last().unwrap_or((&words[0], &[]));
        let others: Vec<_> = others.iter().map(|(word, _)| *word).collect();
        format!(", expected {} or {}", others.join(", "), last.0)
    };
    let advice = did_you_mean(&item.value, words.iter().map(|(word, _)| *word), all);
    let word = if looks_like_secret(&item.value) { "this" } else { &format!("{:?}", item.value) };
    report.error(&item.place, format!("{word} is none of its values{advice}"));
    default
}
