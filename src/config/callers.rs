//! `[[caller]]`: who may use the proxy, and for what.

use std::collections::HashMap;
use std::sync::Arc;

use http::Method;

use super::file;
use super::names::{check_name, is_hex};
use super::problem::{Place, Report, did_you_mean, looks_like_secret};
use super::reader::Item;
use crate::pipeline::{Allow, CallerOptions};

/// SHA-256 of nothing and of a lone newline: what `sha256sum` says of a variable that isn't set.
const EMPTY_KEYS: [&str; 2] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "01ba4719c80b6fe911b091a7c05124b64eeece964e09c058ef8f9805daca546b",
];

pub(super) fn options(
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
        None => vec![Allow { method: None, pattern: "**".to_owned() }],
        Some(list) => {
            if list.value.0.is_empty() {
                report.error(&list.place, "allows nothing, leave it out to allow every endpoint");
            }
            list.value.0.iter().filter_map(|entry| allow(entry, report)).collect()
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
    for app in granted {
        if apps.contains(&app.value.as_str()) {
            continue;
        }
        let advice = did_you_mean(&app.value, apps.iter().copied(), || {
            if apps.is_empty() { String::new() } else { format!(", expected {}", apps.join(" or ")) }
        });
        let word = if looks_like_secret(&app.value) { "this" } else { &format!("{:?}", app.value) };
        report.error(&app.place, format!("{word} is no app's name{advice}"));
    }
}

fn allow(entry: &Item<String>, report: &mut Report<'_>) -> Option<Allow> {
    match parse_allow(&entry.value) {
        Ok(allow) => Some(allow),
        Err(text) => {
            report.error(&entry.place, text);
            None
        }
    }
}

/// Reads `/cgi-bin/message/**`, `GET /cgi-bin/user/info` or `**`.
fn parse_allow(text: &str) -> Result<Allow, &'static str> {
    let (method, pattern) = match text.split_once(' ') {
        Some((method, pattern)) => {
            if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_uppercase()) {
                return Err(
                    "has no method in capitals before the blank, expected one like \"GET /cgi-bin/user/info\"",
                );
            }
            (Some(Method::from_bytes(method.as_bytes()).map_err(|_| "has a malformed method")?), pattern)
        }
        None => (None, text),
    };
    if pattern == "**" {
        return Ok(Allow { method, pattern: pattern.to_owned() });
    }
    let Some(path) = pattern.strip_prefix('/') else {
        return Err("has no path that begins with /, expected one like \"/cgi-bin/message/**\"");
    };
    let path = path.strip_suffix('/').unwrap_or(path);
    let segments: Vec<_> = path.split('/').collect();
    for (index, segment) in segments.iter().enumerate() {
        match *segment {
            "" | "." | ".." => return Err("has an empty, . or .. segment, which no request has"),
            "*" => {}
            "**" if index + 1 == segments.len() => {}
            "**" => {
                return Err(
                    "has ** before its end, expected ** as the last segment alone, or * for one segment",
                );
            }
            other if other.contains('*') => {
                return Err("has a * within a segment, expected * for a whole segment or ** at the end");
            }
            other if !other.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.~@:".contains(&byte)) => {
                return Err(
                    "has a character that no endpoint's path has, expected a path without query and %",
                );
            }
            _ => {}
        }
    }
    Ok(Allow { method, pattern: format!("/{}", path.to_ascii_lowercase()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allow_entries_are_normalised() {
        let pattern = |text| parse_allow(text).map(|allow| (allow.method, allow.pattern));
        assert_eq!(pattern("**"), Ok((None, "**".into())));
        assert_eq!(pattern("POST **"), Ok((Some(Method::POST), "**".into())));
        assert_eq!(pattern("/CGI-bin/Message/**"), Ok((None, "/cgi-bin/message/**".into())));
        assert_eq!(pattern("GET /cgi-bin/user/info/"), Ok((Some(Method::GET), "/cgi-bin/user/info".into())));
        assert_eq!(pattern("/wxa/*/list"), Ok((None, "/wxa/*/list".into())));
        for wrong in [
            "",
            "cgi-bin/x",
            "get /x",
            "GET  /x",
            "/a/**/b",
            "/a*",
            "/a//b",
            "/a/../b",
            "/a?b=c",
            "/a%2fb",
            "/",
            "*",
        ] {
            assert!(parse_allow(wrong).is_err(), "{wrong}");
        }
    }
}
