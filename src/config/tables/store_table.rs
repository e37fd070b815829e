//! `[store]`: where tokens are kept, and the keys they are sealed with.

use std::sync::Arc;

use super::upstream_table;
use crate::config::file;
use crate::config::reader::address::is_loopback;
use crate::config::reader::problem::{Place, Report};
use crate::config::reader::secrets::Secrets;
use crate::config::reader::values::Field;
use crate::store::redis::Target;
use crate::store::{Location, Options, Seal};
use crate::texts::{Words, text};

pub(in crate::config) fn options(
    raw: &file::Store,
    secrets: &mut Secrets<'_>,
    report: &mut Report<'_>,
) -> Options {
    Options { location: location(raw, secrets, report), seal: seal(raw, secrets, report) }
}

fn location(raw: &file::Store, secrets: &mut Secrets<'_>, report: &mut Report<'_>) -> Location {
    let url = raw.url.item();
    let location = match url.map(|url| (Location::parse(&url.value), url)) {
        None => Location::Memory,
        Some((Ok(location), _)) => location,
        Some((Err(wrong), url)) => {
            // The URL isn't repeated: it may hold a password.
            report.error(&url.place, wrong);
            return Location::Memory;
        }
    };
    match location {
        Location::Redis(target) => {
            if let Some(url) = url.filter(|_| target.has_password()) {
                report.warn(
                    &url.place,
                    text!("holds a password in clear, move it to store.password = {{ env = \"NAME\" }}"),
                );
            }
            if let Some(url) = url {
                warn_of_clear(&target, &url.place, report);
                if is_elsewhere(&target)
                    && matches!((&raw.seal_key, &raw.former_seal_key), (Field::Missing, Field::Missing))
                {
                    report.warn(
                        &url.place,
                        text!(
                            "is on another machine, where whoever can read that Redis has every token, expected \
                             store.seal_key: openssl rand -base64 32"
                        ),
                    );
                }
            }
            let ca_file = raw.ca_file.item();
            if let Some(item) = ca_file.filter(|_| !target.has_tls()) {
                report.error(&item.place, text!("is for rediss:// alone, store.url is without TLS"));
            }
            let ca_file = ca_file.map(|item| upstream_table::ca_file(item, secrets, report));
            let username = raw.username.item().map(|username| username.value.clone());
            let password = raw.password.item().and_then(|source| secrets.resolve(source, report));
            let target = target.authenticated(username, password);
            Location::Redis(target.trusting(ca_file).prefixed(prefix(raw, report)))
        }
        other => {
            let username = raw.username.item().map(|item| &item.place);
            let password = raw.password.item().map(|item| &item.place);
            let ca_file = raw.ca_file.item().map(|item| &item.place);
            let prefix = raw.prefix.item().map(|item| &item.place);
            for place in [username, password, ca_file, prefix].into_iter().flatten() {
                report.error(place, text!("is for Redis alone, store.url is not a Redis"));
            }
            other
        }
    }
}

fn is_elsewhere(target: &Target) -> bool {
    !target.hosts().all(is_loopback)
}

/// Warns of a Redis on another machine without TLS.
pub(super) fn warn_of_clear(target: &Target, place: &Place, report: &mut Report<'_>) {
    if is_elsewhere(target) && !target.has_tls() {
        report.warn(
            place,
            text!(
                "is on another machine and without TLS, so that the password and the stored values cross the network in \
                 clear, expected rediss://"
            ),
        );
    }
}

/// A hash tag of a cluster and part of a pattern, so without braces and wildcards.
fn prefix(raw: &file::Store, report: &mut Report<'_>) -> Option<String> {
    let item = raw.prefix.item()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    if item.value.is_empty() || !item.value.chars().all(plain) {
        report.error(
            &item.place,
            text!("is not a prefix, expected letters, digits, _ - and . like \"wxgate\""),
        );
    }
    Some(item.value.clone())
}

fn seal(raw: &file::Store, secrets: &mut Secrets<'_>, report: &mut Report<'_>) -> Option<Arc<Seal>> {
    let accepted = raw.accept_unsealed.item().filter(|item| item.value);
    let (present, former) = (raw.seal_key.item(), raw.former_seal_key.item());
    if let Some(item) = accepted {
        report.warn(
            &item.place,
            match present {
                Some(_) => text!(
                    "lets whoever can write to the store have all requests sent with a token of theirs; remove it once \
                     wxgate has logged that no record is left in clear"
                ),
                None => text!("has no effect without store.seal_key"),
            },
        );
    }
    let mut keys = [present, former].map(|item| {
        let item = item?;
        let key = secrets.resolve(item, report)?;
        if let Err(error) = Seal::former_alone(&key) {
            report.error(&item.place, Words::of(|| error.to_string()));
        }
        Some(key)
    });
    let seal = match (keys[0].take(), keys[1].take()) {
        (Some(present), former) => Seal::new(&present, former.as_deref()).ok()?,
        (None, Some(former)) if present.is_none() => Seal::former_alone(&former).ok()?,
        (None, _) => return None,
    };
    Some(Arc::new(if accepted.is_some() { seal.accepting_unsealed() } else { seal }))
}
