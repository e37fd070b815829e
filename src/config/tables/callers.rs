//! `[[caller]]`: who may use the proxy, and for what.

use std::collections::HashMap;
use std::sync::Arc;

use crate::config::file;
use crate::config::reader::names::{check_known, check_name, is_hex};
use crate::config::reader::patterns::pattern;
use crate::config::reader::problem::{Place, Report};
use crate::config::reader::values::Item;
use crate::pipeline::CallerOptions;
use crate::wechat::pattern::Pattern;

/// SHA-256 of nothing and of a lone newline: what `sha256sum` says of a variable that isn't set.
const EMPTY_KEYS: [&str; 2] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "01ba4719c80b6fe911b091a7c05124b64eeece964e09c058ef8f9805daca546b",
];

pub(in crate::config) fn options(
    raw: &[Item<file::Caller>],
    apps: &[&str],
    report: &mut Report<'_>,
) -> Vec<CallerOptions> {
    let mut names = HashMap::new();
    let mut keys = HashMap::new();
    raw.iter().filter_map(|item| caller(item, apps, &mut names, &mut keys, report)).collect()
}

fn caller(
    table: &Item<file::Caller>,
    apps: &[&str],
    names: &mut HashMap<String, Place>,
    seen_keys: &mut HashMap<[u8; 32], Place>,
    report: &mut Report<'_>,
) -> Option<CallerOptions> {
    let raw = &table.value;
    let missing = |key: &str| table.place.child(key);
    let name = raw.name.required(missing("name"), report, "expected one like \"orders\"");
    if let Some(name) = name {
        check_name(name, &["anonymous", "other"], report);
        if let Some(first) = names.get(&name.value) {
            let line = report.line(first);
            report.error(&name.place, format!("is used on line {line} already, expected one of its own"));
        } else {
            names.insert(name.value.clone(), name.place.clone());
        }
    }
    let mut keys = Vec::new();
    let advice = "expected the SHA-256 of its API key: printf %s KEY | sha256sum";
    if let Some(digests) = raw.key_sha256.required(missing("key_sha256"), report, advice) {
        if !(1..=2).contains(&digests.value.0.len()) {
            report.error(
                &digests.place,
                format!("holds {} digests, expected one, or two for a rotation", digests.value.0.len()),
            );
        }
        for digest in &digests.value.0 {
            keys.extend(key(digest, seen_keys, report));
        }
    }
    let advice = "expected the names of the apps that it may use, like [\"shop\"]";
    let granted = raw.apps.required(missing("apps"), report, advice);
    if let Some(granted) = granted {
        check_apps(&granted.place, &granted.value.0, apps, report);
    }
    let allow = match raw.allow.item() {
        None => vec![Pattern { method: None, path: "**".to_owned() }],
        Some(list) => {
            if list.value.0.is_empty() {
                report.error(&list.place, "allows nothing, leave it out to allow every endpoint");
            }
            list.value.0.iter().filter_map(|entry| pattern(&entry.value, &entry.place, report)).collect()
        }
    };
    Some(CallerOptions {
        name: Arc::from(name?.value.as_str()),
        keys,
        apps: granted?.value.0.iter().map(|app| Arc::from(app.value.as_str())).collect(),
        allow,
        lease_token: raw.lease_token.or(false),
    })
}

/// The digest isn't repeated: somebody may have written the key itself.
fn key(
    digest: &Item<String>,
    seen: &mut HashMap<[u8; 32], Place>,
    report: &mut Report<'_>,
) -> Option<[u8; 32]> {
    let Some(bytes) = decode(&digest.value) else {
        report
            .error(&digest.place, "is no SHA-256, expected 64 hexadecimal digits: printf %s KEY | sha256sum");
        return None;
    };
    if EMPTY_KEYS.contains(&digest.value.to_ascii_lowercase().as_str()) {
        report.error(&digest.place, "is the SHA-256 of an empty key, was the variable with the key set?");
    }
    if let Some(first) = seen.get(&bytes) {
        let line = report.line(first);
        report.error(&digest.place, format!("is used on line {line} already, expected a key of its own"));
    } else {
        seen.insert(bytes, digest.place.clone());
    }
    Some(bytes)
}

fn decode(text: &str) -> Option<[u8; 32]> {
    if !is_hex(text, 64) {
        return None;
    }
    let mut bytes = [0; 32];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(bytes)
}

pub(super) fn check_apps(place: &Place, granted: &[Item<String>], apps: &[&str], report: &mut Report<'_>) {
    if granted.is_empty() {
        report.error(place, "is empty, expected the names of the apps that it may use, like [\"shop\"]");
    }
    granted.iter().for_each(|app| check_known(app, "app", apps, report));
}
