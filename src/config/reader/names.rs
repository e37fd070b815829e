//! Rules on names, digests and closed sets that several tables share.

use std::collections::HashMap;

use super::problem::{Report, did_you_mean, repeated};
use super::values::{Field, Item};
use crate::texts::{text, words};

/// More names than fit into a sentence.
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
        // Of names given twice, which were reported, the first.
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

/// Names are labels of metrics, path segments and words of logs; `reserved` ones already have a
/// meaning there.
pub(in crate::config) fn check_name(name: &Item<String>, reserved: &[&str], report: &mut Report<'_>) {
    let text = name.value.as_str();
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    if !plain || text.is_empty() || text.len() > 64 || text.bytes().all(|byte| byte == b'.') {
        report.error(&name.place, text!("is not a name, expected 1 to 64 characters of A-Z a-z 0-9 _ . -"));
    } else if reserved.contains(&text) {
        report.error(
            &name.place,
            text!("\"{name}\" has a meaning of its own in metrics, expected another name", name = text),
        );
    }
}

/// What a name is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) enum NameOf {
    App,
    Caller,
}

/// Reports a name that is not in `known`.
pub(in crate::config) fn check_known(
    name: &Item<String>,
    what: NameOf,
    known: &Known<'_>,
    report: &mut Report<'_>,
) {
    if known.index(&name.value).is_some() {
        return;
    }
    report.note_stranger(&name.value, &name.place);
    let wrong = match what {
        NameOf::App => words!("{name} is not the name of an app", name = repeated(&name.value)),
        NameOf::Caller => words!("{name} is not the name of a caller", name = repeated(&name.value)),
    };
    // Each suggestion compares all names.
    let candidates = if report.is_long() { &[][..] } else { &known.names };
    let text = did_you_mean(&wrong, &name.value, candidates.iter().copied()).unwrap_or_else(|| {
        match known.names.len() {
            0 => wrong,
            1..=MANY => words!("{wrong}, expected one of: {values}", wrong, values = known.names.join(", ")),
            number => words!("{wrong}, expected one of the {number} known names", wrong, number),
        }
    });
    report.error(&name.place, text);
}

/// Whether a text is `length` hexadecimal digits.
pub(in crate::config) fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The value of a word; the first one is the default.
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
    let all: Vec<_> = words.iter().map(|(word, _)| *word).collect();
    let wrong = words!("{value} is not one of its values", value = repeated(&item.value));
    let text = did_you_mean(&wrong, &item.value, all.iter().copied())
        .unwrap_or_else(|| words!("{wrong}, expected one of: {values}", wrong, values = all.join(", ")));
    report.error(&item.place, text);
    default
}
