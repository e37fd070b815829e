//! `[store]`: where tokens are kept, and what they are sealed with.

use std::sync::Arc;

use super::file;
use super::problem::Report;
use super::secrets::Secrets;
use crate::store::{Location, Options, Seal};

pub(super) fn options(raw: &file::Store, secrets: &mut Secrets<'_>, report: &mut Report<'_>) -> Options {
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
    let password = raw.password.item().and_then(|source| secrets.resolve(source, report));
    match location {
        Location::Redis(target) => {
            if let Some(url) = url.filter(|_| target.has_password()) {
                report.warn(
                    &url.place,
                    "holds a password in clear, move it to store.password = { env = \"NAME\" }",
                );
            }
            let username = raw.username.item().map(|username| username.value.clone());
            Location::Redis(target.authenticated(username, password))
        }
        other => {
            for place in
                [raw.username.item().map(|item| &item.place), raw.password.item().map(|item| &item.place)]
                    .into_iter()
                    .flatten()
            {
                report.error(place, "is for a Redis alone, store.url names none");
            }
            other
        }
    }
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
