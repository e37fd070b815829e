//! `[[app.export]]`: where else an app's token is written to.

use std::collections::HashMap;
use std::sync::Arc;

use super::{store_table, upstream_table};
use crate::config::file;
use crate::config::reader::names::one_of;
use crate::config::reader::problem::{Place, Report};
use crate::config::reader::secrets::Secrets;
use crate::config::reader::values::{Field, Item};
use crate::export::{Destination, Format, Options, Template, key_of};
use crate::pipeline::AppOptions;
use crate::store::redis::Target;
use crate::texts::{Text, Words, text};
use crate::token;

const FORMATS: [(&str, Format); 4] = [
    ("wxjava", Format::WxJava),
    ("silenceper", Format::Silenceper),
    ("wechatpy", Format::Wechatpy),
    ("powerwechat", Format::PowerWeChat),
];

/// Two apps in one place would each report the other's token as foreign.
type Destinations = HashMap<String, Place>;

pub(in crate::config) fn options(
    raw: &[Item<file::App>],
    apps: &[AppOptions],
    secrets: &mut Secrets<'_>,
    report: &mut Report<'_>,
) -> Vec<Options> {
    let mut seen = Destinations::new();
    let mut exports = Vec::new();
    let named: HashMap<&str, _> = apps.iter().map(|app| (&*app.token.name, &app.token)).collect();
    for raw in raw {
        // One with a problem of its own has been reported.
        let app = raw.value.name.item().and_then(|name| named.get(name.value.as_str()));
        let Some(app) = app.copied() else { continue };
        for table in raw.value.export.item().map_or(&[][..], |list| &list.value) {
            if app.kind.is_platform() {
                report.error(
                    &table.place,
                    text!("is of a third-party platform, whose token no service may have"),
                );
            }
            let destination = destination(table, app, &mut seen, secrets, report);
            exports.extend(destination.map(|destination| Options {
                app: Arc::clone(&app.name),
                appid: Arc::clone(&app.appid),
                destination,
            }));
        }
    }
    exports
}

fn destination(
    table: &Item<file::Export>,
    app: &token::AppOptions,
    seen: &mut Destinations,
    secrets: &mut Secrets<'_>,
    report: &mut Report<'_>,
) -> Option<Destination> {
    let raw = &table.value;
    match (raw.file.item(), raw.redis.item()) {
        (Some(path), None) => {
            misplaced(
                [
                    place(&raw.username),
                    place(&raw.password),
                    place(&raw.ca_file),
                    place(&raw.format),
                    place(&raw.prefix),
                    place(&raw.key),
                ],
                text!("is for Redis alone, this export writes a file"),
                report,
            );
            to_file(path, raw, seen, secrets, report)
        }
        (None, Some(url)) => {
            misplaced(
                [place(&raw.template), place(&raw.mode)],
                text!("is for files alone, this export writes to Redis"),
                report,
            );
            to_redis(url, table, app, seen, secrets, report)
        }
        (Some(_), Some(redis)) => {
            report.error(
                &redis.place,
                text!("is given together with file, expected an [[app.export]] of its own"),
            );
            None
        }
        (None, None) => {
            if matches!((&raw.file, &raw.redis), (Field::Missing, Field::Missing)) {
                report.error(
                    &table.place,
                    text!("has no destination, expected file = \"PATH\" or redis = \"redis://HOST:6379/0\""),
                );
            }
            None
        }
    }
}

fn place<T>(field: &Field<T>) -> Option<&Place> {
    field.item().map(|item| &item.place)
}

fn misplaced<const N: usize>(places: [Option<&Place>; N], problem: Text<'_>, report: &mut Report<'_>) {
    for place in places.into_iter().flatten() {
        report.error(place, problem);
    }
}

fn to_file(
    path: &Item<String>,
    raw: &file::Export,
    seen: &mut Destinations,
    secrets: &Secrets<'_>,
    report: &mut Report<'_>,
) -> Option<Destination> {
    let place = &path.place;
    let path = secrets.path(path);
    // Relative to a configuration that was given without a folder, it has none either.
    let path = std::path::absolute(&path).unwrap_or(path);
    if secrets.stays(place) {
        // It was checked when the file was taken.
    } else if path.is_dir() || path.file_name().is_none() {
        report.error(place, text!("is a folder, expected a file in it"));
    } else if !path.parent().is_some_and(std::path::Path::is_dir) {
        report.error(
            place,
            text!("is in a folder that doesn't exist, create it with the permissions that its reader needs"),
        );
    }
    unique(seen, format!("file {}", path.display()), place, report);
    let template = match raw.template.item() {
        None => Template::default(),
        Some(item) => match Template::parse(&item.value) {
            Ok(template) => template,
            Err(error) => {
                report.error(&item.place, Words::of(|| error.to_string()));
                return None;
            }
        },
    };
    Some(Destination::File { path, template, mode: mode(raw.mode.item(), report) })
}

fn mode(item: Option<&Item<String>>, report: &mut Report<'_>) -> u32 {
    const PRIVATE: u32 = 0o600;
    let Some(item) = item else { return PRIVATE };
    match u32::from_str_radix(&item.value, 8) {
        Ok(mode) if mode <= 0o777 && mode & PRIVATE == PRIVATE && mode & 0o133 == 0 => {
            if mode & 0o004 != 0 {
                report.warn(
                    &item.place,
                    text!("lets every user of this machine read the token, expected \"0640\""),
                );
            }
            mode
        }
        _ => {
            report.error(
                &item.place,
                text!("is not a mode for a file with a token, expected \"0600\" or \"0640\""),
            );
            PRIVATE
        }
    }
}

fn to_redis(
    url: &Item<String>,
    table: &Item<file::Export>,
    app: &token::AppOptions,
    seen: &mut Destinations,
    secrets: &mut Secrets<'_>,
    report: &mut Report<'_>,
) -> Option<Destination> {
    let raw = &table.value;
    let missing = text!(
        "is missing, expected the SDK whose cache it is: \"wxjava\", \"silenceper\", \"wechatpy\" or \"powerwechat\""
    );
    let known = raw.format.required(table.place.child("format"), report, missing).is_some();
    let target = match Target::parse(&url.value) {
        Ok(target) => target,
        Err(wrong) => {
            // The URL isn't repeated: it may hold a password.
            report.error(&url.place, wrong);
            return None;
        }
    };
    if target.has_password() {
        report
            .warn(&url.place, text!("holds a password in clear, move it to password = {{ env = \"NAME\" }}"));
    }
    store_table::warn_of_clear(&target, &url.place, report);
    if let Some(item) = raw.ca_file.item().filter(|_| !target.has_tls()) {
        report.error(&item.place, text!("is for rediss:// alone, redis is without TLS"));
    }
    let ca_file = raw.ca_file.item().map(|item| upstream_table::ca_file(item, secrets, report));
    let username = raw.username.item().map(|username| username.value.clone());
    let password = raw.password.item().and_then(|source| secrets.resolve(source, report));
    let target = target.authenticated(username, password).trusting(ca_file);
    if !known {
        return None;
    }
    let format = one_of(&raw.format, &FORMATS, report);
    if format.has_several_keys() && target.is_cluster() {
        report.error(
            &url.place,
            text!("is a cluster, which keeps the two keys of this format on different nodes"),
        );
    }
    if let (Some(prefix), Some(_)) = (raw.prefix.item(), raw.key.item()) {
        report.error(
            &prefix.place,
            text!("is given together with key, which is the complete key already: keep one of them"),
        );
    }
    let prefix = raw.prefix.item().map(|item| plain(item, report));
    let key = match raw.key.item() {
        Some(item) => plain(item, report).to_owned(),
        None => key_of(format, prefix, app),
    };
    unique(seen, format!("{target} {key}"), &url.place, report);
    Some(Destination::Redis { target, format, key })
}

/// Braces would make a hash tag.
fn plain<'i>(item: &'i Item<String>, report: &mut Report<'_>) -> &'i str {
    let fits = |c: char| c.is_ascii_graphic() && !"{}".contains(c);
    if item.value.is_empty() || !item.value.chars().all(fits) {
        report.error(
            &item.place,
            text!("is not part of a key, expected printable ASCII without blanks and braces"),
        );
    }
    &item.value
}

fn unique(seen: &mut Destinations, target: String, place: &Place, report: &mut Report<'_>) {
    match seen.get(&target) {
        Some(first) => {
            let first = report.line_seen_from(place, first);
            report.error(
                place,
                text!("is already the destination of the export on {place}, expected another", place = first),
            );
        }
        None => {
            seen.insert(target, place.clone());
        }
    }
}
