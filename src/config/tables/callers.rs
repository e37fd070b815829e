//! `[[caller]]`: who may use the proxy, and for what.

use std::collections::HashMap;
use std::sync::Arc;

use super::apps::unique;
use super::listeners::{Listener, open_to_others};
use crate::config::file;
use crate::config::reader::endpoints::AppNames;
use crate::config::reader::names::{Known, NameOf, check_known, check_name, is_hex};
use crate::config::reader::patterns::pattern;
use crate::config::reader::problem::{Place, Report};
use crate::config::reader::values::{Field, Item};
use crate::observe::clock::Timestamp;
use crate::pipeline::CallerOptions;
use crate::quota::limit::LimitOptions;
use crate::texts::{Words, text};
use crate::wechat::pattern::Pattern;

/// SHA-256 of nothing and of a lone newline: the output of `sha256sum` for a variable that isn't
/// set.
const EMPTY_KEYS: [&str; 2] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "01ba4719c80b6fe911b091a7c05124b64eeece964e09c058ef8f9805daca546b",
];

/// What must be unique among callers: where it was first given.
#[derive(Default)]
struct Taken {
    names: HashMap<String, Place>,
    keys: HashMap<[u8; 32], Place>,
}

/// Whether this table is for requests without a key.
fn is_anonymous(table: &Item<file::Caller>) -> bool {
    table.value.name.item().is_some_and(|name| name.value == LimitOptions::ANONYMOUS)
}

/// Whether any caller has a key.
pub(in crate::config) fn any_has_key(raw: &[Item<file::Caller>]) -> bool {
    !raw.iter().all(is_anonymous)
}

/// The callers with keys, and what those without one may do, if that is said.
pub(in crate::config) fn options(
    raw: &[Item<file::Caller>],
    apps: &AppNames<'_>,
    admitted: &Field<bool>,
    now: Timestamp,
    report: &mut Report<'_>,
) -> (Vec<CallerOptions>, Option<CallerOptions>) {
    let table = raw.iter().find(|table| is_anonymous(table));
    match (table, admitted.item()) {
        _ if !any_has_key(raw) => {}
        (None, Some(admitted)) if admitted.value => report.warn(
            &admitted.place,
            text!(
                "lets callers without a key do everything that `allow` and `rate` deny to the others, expected a \
                 [[caller]] with name = \"anonymous\", apps and allow, which the next release requires"
            ),
        ),
        (Some(table), admitted) if !admitted.is_some_and(|admitted| admitted.value) => report.warn(
            &table.place,
            text!(
                "has no effect: while there are other callers, server.anonymous = true alone lets in callers without a key"
            ),
        ),
        _ => {}
    }
    let mut seen = Taken::default();
    let (anonymous, known): (Vec<_>, Vec<_>) = raw
        .iter()
        .map(|item| (is_anonymous(item), caller(item, apps, &mut seen, now, report)))
        .partition(|(a, _)| *a);
    let known = known.into_iter().filter_map(|(_, caller)| caller).collect();
    (known, anonymous.into_iter().find_map(|(_, caller)| caller))
}

/// Warns if the real token would cross a network in clear.
pub(in crate::config) fn warn_of_leases(
    raw: &[Item<file::Caller>],
    listeners: &[Listener],
    tls: &Field<file::Tls>,
    report: &mut Report<'_>,
) {
    let Some(open) = open_to_others(listeners).filter(|_| matches!(tls, Field::Missing)) else { return };
    let known = raw.iter().filter(|table| !is_anonymous(table));
    let leases = known.filter_map(|table| table.value.lease_token.item()).filter(|item| item.value);
    for item in leases {
        report.warn(
            &item.place,
            text!(
                "returns the real token over plain HTTP, and other machines can reach {address}, expected [server.tls], \
                 or loopback and unix addresses alone",
                address = open
            ),
        );
    }
}

fn caller(
    table: &Item<file::Caller>,
    apps: &AppNames<'_>,
    seen: &mut Taken,
    now: Timestamp,
    report: &mut Report<'_>,
) -> Option<CallerOptions> {
    let raw = &table.value;
    let missing = |key: &str| table.place.child(key);
    let name =
        raw.name.required(missing("name"), report, text!("is missing, expected a name like \"orders\""));
    if let Some(name) = name {
        check_name(name, &["other"], report);
        unique(&mut seen.names, name, &name.value, report);
    }
    let keys = if is_anonymous(table) {
        refuse_keys(raw, report);
        Vec::new()
    } else {
        keys(raw, missing("key_sha256"), &mut seen.keys, report)
    };
    let no_apps = text!("is missing, expected the names of the apps that it may use, like [\"shop\"]");
    let granted = raw.apps.required(missing("apps"), report, no_apps);
    if let Some(granted) = granted {
        check_apps(&granted.place, &granted.value.0, &apps.names, report);
    }
    if is_anonymous(table) {
        let nothing =
            text!("is missing, expected what may be called without a key, like [\"/cgi-bin/user/info\"]");
        raw.allow.required(missing("allow"), report, nothing);
    }
    let allow = match raw.allow.item() {
        None => vec![Pattern::new(None, "**".to_owned())],
        Some(list) => {
            if list.value.0.is_empty() {
                report.error(&list.place, text!("allows nothing, leave it out to allow every endpoint"));
            }
            let granted = granted.map(|item| item.value.0.as_slice()).unwrap_or_default();
            let hosts = apps.hosts(granted.iter().map(|app| app.value.as_str()));
            let entries = list.value.0.iter();
            entries.filter_map(|entry| pattern(&entry.value, hosts, &entry.place, report)).collect()
        }
    };
    let expires = raw.expires.item().and_then(|date| expires(date, now, report));
    Some(CallerOptions {
        name: Arc::from(name?.value.as_str()),
        keys,
        apps: granted?.value.0.iter().map(|app| Arc::from(app.value.as_str())).collect(),
        allow,
        lease_token: raw.lease_token.or(false),
        expires,
    })
}

/// Refuses keys of the table that make no sense without an API key: a hash, an end, the real token.
fn refuse_keys(raw: &file::Caller, report: &mut Report<'_>) {
    let places = [
        raw.key_sha256.item().map(|item| &item.place),
        raw.expires.item().map(|item| &item.place),
        raw.lease_token.item().filter(|item| item.value).map(|item| &item.place),
    ];
    for place in places.into_iter().flatten() {
        report.error(place, text!("is for callers with a key, name = \"anonymous\" has none: leave it out"));
    }
}

fn expires(date: &Item<String>, now: Timestamp, report: &mut Report<'_>) -> Option<Timestamp> {
    let Some(end) = Timestamp::end_of_beijing_date(&date.value) else {
        report.error(
            &date.place,
            text!("is not a date, expected one like \"2027-03-31\", the last day on which the key is valid"),
        );
        return None;
    };
    let why = || CallerOptions::expiry_warning(end, now);
    if why().is_some() {
        let text = || {
            text!("{why}, expected another key and a later day", why = why().unwrap_or_default()).to_string()
        };
        report.warn(&date.place, Words::of(text));
    }
    Some(end)
}

/// The digests of its keys.
fn keys(
    raw: &file::Caller,
    missing: Place,
    seen: &mut HashMap<[u8; 32], Place>,
    report: &mut Report<'_>,
) -> Vec<[u8; 32]> {
    let mut keys = Vec::new();
    let advice = text!("is missing, expected the SHA-256 of its API key: printf %s KEY | sha256sum");
    if let Some(digests) = raw.key_sha256.required(missing, report, advice) {
        let number = digests.value.0.len();
        if !(1..=2).contains(&number) {
            let text = text!("has {number} digests, expected one, or two for a rotation", number);
            report.error(&digests.place, text);
        }
        for digest in &digests.value.0 {
            keys.extend(key(digest, seen, report));
        }
    }
    keys
}

/// The digest isn't repeated: the value may be the key itself.
fn key(
    digest: &Item<String>,
    seen: &mut HashMap<[u8; 32], Place>,
    report: &mut Report<'_>,
) -> Option<[u8; 32]> {
    let Some(bytes) = decode(&digest.value) else {
        report.error(
            &digest.place,
            text!("is not a SHA-256, expected 64 hexadecimal digits: printf %s KEY | sha256sum"),
        );
        return None;
    };
    if EMPTY_KEYS.contains(&digest.value.to_ascii_lowercase().as_str()) {
        report.error(
            &digest.place,
            text!("is the SHA-256 of an empty key, was the variable with the key set?"),
        );
    }
    if let Some(first) = seen.get(&bytes) {
        let place = report.line_seen_from(&digest.place, first);
        report.error(&digest.place, text!("is already used on {place}, expected a different key", place));
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

pub(super) fn check_apps(place: &Place, granted: &[Item<String>], apps: &Known<'_>, report: &mut Report<'_>) {
    if granted.is_empty() {
        report
            .error(place, text!("is empty, expected the names of the apps that it may use, like [\"shop\"]"));
    }
    granted.iter().for_each(|app| check_known(app, NameOf::App, apps, report));
}
