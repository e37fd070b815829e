//! `[callback]`, and the keys of `[[app]]` that go with it: third-party platforms that WeChat
//! pushes to.

use std::collections::HashMap;
use std::sync::Arc;

use super::apps::unique;
use super::listeners::Listener;
use crate::callback::PlatformOptions;
use crate::config::file;
use crate::config::options::CallbackConfig;
use crate::config::reader::problem::{Place, Report};
use crate::config::reader::secrets::Secrets;
use crate::config::reader::values::{Field, Item};
use crate::texts::{Words, text};
use crate::wechat::callback::{AesKey, Key};
use crate::wechat::{AppKind, Issuer};

pub(in crate::config) fn options(
    apps: &[Item<file::App>],
    listeners: Vec<Listener>,
    secrets: &mut Secrets<'_>,
    report: &mut Report<'_>,
) -> CallbackConfig {
    let mut platforms = Vec::new();
    let mut seen = HashMap::new();
    let mut given = false;
    for app in apps {
        let raw = &app.value;
        if let (Field::Missing, Field::Missing) = (&raw.callback_token, &raw.callback_aes_key) {
            continue;
        }
        given = true;
        let receiver = receiver(app, &listeners, report);
        if let Some(receiver) = receiver {
            unique(&mut seen, receiver, &receiver.value, report);
        }
        platforms.extend(platform(app, receiver, secrets, report));
    }
    if let Some((_, place)) = listeners.first().filter(|_| !given) {
        report.warn(
            place,
            text!("receives no pushes, expected an [[app]] with callback_token and callback_aes_key"),
        );
    }
    CallbackConfig { listen: listeners.into_iter().map(|(address, _)| address).collect(), platforms }
}

/// The app or suite that the pushes are for.
fn receiver<'t>(
    table: &'t Item<file::App>,
    listeners: &[Listener],
    report: &mut Report<'_>,
) -> Option<&'t Item<String>> {
    let raw = &table.value;
    let kind = raw.kind.item().and_then(|kind| AppKind::named(&kind.value));
    let receiver = if kind.is_some_and(AppKind::is_platform) {
        raw.appid.item()
    } else if kind.is_some_and(|kind| kind.may_have(Issuer::Suite)) {
        let missing = text!("is missing, expected the id of the suite that callback_token belongs to");
        raw.suite_id.required(table.place.child("suite_id"), report, missing)
    } else {
        if let Some(place) = place(raw).filter(|_| !matches!(raw.kind, Field::Wrong)) {
            report.error(
                place,
                text!("is for third-party platforms and WeCom's suites alone, expected kind = \"component\""),
            );
        }
        return None;
    };
    if let Some(place) = place(raw).filter(|_| listeners.is_empty()) {
        report.warn(
            place,
            text!("has no effect, expected an address that WeChat's pushes reach in callback.listen"),
        );
    }
    receiver
}

/// Where the first of the keys is.
fn place(raw: &file::App) -> Option<&Place> {
    raw.callback_token.item().or_else(|| raw.callback_aes_key.item()).map(|source| &source.place)
}

fn platform(
    table: &Item<file::App>,
    receiver: Option<&Item<String>>,
    secrets: &mut Secrets<'_>,
    report: &mut Report<'_>,
) -> Option<PlatformOptions> {
    let raw = &table.value;
    let missing = text!(
        "is missing, expected both callback_token and callback_aes_key, as set in the console together with the push \
         address"
    );
    let token = raw
        .callback_token
        .required(table.place.child("callback_token"), report, missing)
        .and_then(|source| secrets.resolve(source, report));
    let aes_key = raw
        .callback_aes_key
        .required(table.place.child("callback_aes_key"), report, missing)
        .and_then(|source| {
            let text = secrets.resolve(source, report)?;
            let key = AesKey::parse(text.expose());
            key.map_err(|wrong| report.error(&source.place, Words::of(|| wrong.to_string()))).ok()
        });
    Some(PlatformOptions {
        name: Arc::from(raw.name.item()?.value.as_str()),
        key: Key {
            token: token?,
            aes_key: Arc::new(aes_key?),
            receive_id: Arc::from(receiver?.value.as_str()),
        },
    })
}
