//! Rules on names, digests and closed sets that several tables share.

use super::problem::{Report, did_you_mean, looks_like_secret};
use super::values::{Field, Item};

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
    known: &[&str],
    report: &mut Report<'_>,
) {
    if known.contains(&name.value.as_str()) {
        return;
    }
    let advice = did_you_mean(&name.value, known.iter().copied(), || {
        if known.is_empty() { String::new() } else { format!(", expected {}", known.join(" or ")) }
    });
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
