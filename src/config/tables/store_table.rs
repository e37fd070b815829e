//! `[store]`: where tokens are kept, and what they are sealed with.

use std::sync::Arc;

use super::upstream_table;
use crate::config::file;
use crate::config::reader::address::is_loopback;
use crate::config::reader::problem::{Place, Report};
use crate::config::reader::secrets::Secrets;
use crate::config::reader::values::Field;
use crate::store::redis::Target;
use crate::store::{Location, Options, Seal};

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
                    "holds a password in clear, move it to store.password = { env = \"NAME\" }",
                );
            }
            if let Some(url) = url {
                warn_of_clear(&target, &url.place, report);
                if is_elsewhere(&target)
                    && matches!((&raw.seal_key, &raw.former_seal_key), (Field::Missing, Field::Missing))
                {
                    report.warn(
                        &url.place,
                        "is on another machine, where whoever reads that Redis has every token, expected \
                         store.seal_key beside it: openssl rand -base64 32",
                    );
                }
            }
            let ca_file = raw.ca_file.item();
            if let Some(item) = ca_file.filter(|_| !target.has_tls()) {
                report.error(&item.place, "is for rediss:// alone, store.url is without TLS");
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
                report.error(place, "is for a Redis alone, store.url names none");
            }
            other
        }
    }
}

fn is_elsewhere(target: &Target) -> bool {
    !target.hosts().all(is_loopback)
}

/// Warns of a Redis on another machine that is spoken to in clear.
pub(super) fn warn_of_clear(target: &Target, place: &Place, report: &mut Report<'_>) {
    if is_elsewhere(target) && !target.has_tls() {
        report.warn(
            place,
            "is on another machine and without TLS, so that its password and what is kept there cross the network \
             in clear, expected rediss://",
        );
    }
}

/// A hash tag of a cluster and part of a pattern, so without braces and wildcards.
fn prefix(raw: &file::Store, report: &mut Report<'_>) -> Option<String> {
    let item = raw.prefix.item()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    if item.value.is_empty() || !item.value.chars().all(plain) {
        report.error(&item.place, "is no prefix, expected letters, digits, _ - and . like \"wxgate\"");
    }
    Some(item.value.clone())
}

fn seal(raw: &file::Store, secrets: &mut Secrets<'_>, report: &mut Report<'_>) -> Option<Arc<Seal>> {
    let former = raw.former_seal_key.item();
    let Some(present) = raw.seal_key.item() else {
        if let Some(former) = former {
            report.error(
                &former.place,
                "has no seal_key beside it, expected the key that takes its place there",
            );
        }
        return None;
    };
    let present_key = secrets.resolve(present, report)?;
    let former_key = match former {
        Some(former) => Some(secrets.resolve(former, report)?),
        None => None,
    };
    for (item, key) in [(Some(present), Some(&present_key)), (former, former_key.as_ref())] {
        if let (Some(item), Some(key)) = (item, key)
            && let Err(error) = Seal::new(key, None)
        {
            report.error(&item.place, error.to_string());
        }
    }
    Seal::new(&present_key, former_key.as_deref()).ok().map(Arc::new)
}
