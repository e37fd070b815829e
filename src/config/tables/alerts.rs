//! `[[alert]]`: who is told of what.

use std::sync::Arc;

use super::callers::check_apps;
use crate::alert::{Kind, Options, Topic};
use crate::config::file;
use crate::config::reader::names::{Known, one_of};
use crate::config::reader::problem::{Report, did_you_mean, repeated};
use crate::config::reader::secrets::Secrets;
use crate::config::reader::values::Item;
use crate::texts::{text, words};

const KINDS: [(&str, Option<Kind>); 4] = [
    ("wecom", Some(Kind::Wecom)),
    ("dingtalk", Some(Kind::DingTalk)),
    ("feishu", Some(Kind::Feishu)),
    ("webhook", Some(Kind::Webhook)),
];
const TOPICS: [(&str, Topic); 5] = [
    ("quota", Topic::Quota),
    ("token", Topic::Token),
    ("interference", Topic::Interference),
    ("configuration", Topic::Configuration),
    ("upstream", Topic::Upstream),
];

pub(in crate::config) fn options(
    raw: &[Item<file::Alert>],
    apps: &Known<'_>,
    secrets: &mut Secrets<'_>,
    report: &mut Report<'_>,
) -> Vec<Options> {
    raw.iter().filter_map(|table| alert(table, apps, secrets, report)).collect()
}

fn alert(
    table: &Item<file::Alert>,
    apps: &Known<'_>,
    secrets: &mut Secrets<'_>,
    report: &mut Report<'_>,
) -> Option<Options> {
    let raw = &table.value;
    let missing = |key: &str| table.place.child(key);
    raw.kind.required(
        missing("kind"),
        report,
        text!("is missing, expected wecom, dingtalk, feishu or webhook"),
    );
    let kind = raw.kind.item().and_then(|_| one_of(&raw.kind, &KINDS, report));
    let no_url = text!(
        "is missing, expected the robot's address, which is a secret: {{ env = \"NAME\" }} or {{ file = \"PATH\" }}"
    );
    let source = raw.url.required(missing("url"), report, no_url);
    let url = source.and_then(|source| Some((secrets.resolve(source, report)?, &source.place)));
    if let Some((url, place)) = &url
        && !is_web(url.expose())
    {
        report.error(place, text!("is not an address, expected one that begins with https://"));
    }
    let secret = raw.secret.item().and_then(|source| {
        if kind == Some(Kind::Wecom) {
            report
                .error(&source.place, text!("is not used, a WeCom robot is identified by its address alone"));
        }
        secrets.resolve(source, report)
    });
    let topics = match raw.on.item() {
        None => TOPICS.map(|(_, topic)| topic).to_vec(),
        Some(list) => {
            if list.value.0.is_empty() {
                report.error(&list.place, text!("is empty, leave it out to receive alerts on every topic"));
            }
            list.value.0.iter().filter_map(|word| topic(word, report)).collect()
        }
    };
    let of = raw.apps.item();
    if let Some(list) = of {
        check_apps(&list.place, &list.value.0, apps, report);
    }
    let of = of.map_or(&[][..], |list| &list.value.0);
    let chinese = one_of(&raw.language, &[("zh", true), ("en", false)], report);
    Some(Options {
        kind: kind?,
        url: url?.0,
        secret,
        topics,
        apps: of.iter().map(|app| Arc::from(app.value.as_str())).collect(),
        chinese,
    })
}

/// Whether a text is an address of the web, with a port that exists.
fn is_web(text: &str) -> bool {
    text.parse::<http::Uri>().is_ok_and(|url| {
        let port = url.authority().is_some_and(|host| host.port().is_none() || host.port_u16().is_some());
        matches!(url.scheme_str(), Some("https" | "http")) && port
    })
}

fn topic(word: &Item<String>, report: &mut Report<'_>) -> Option<Topic> {
    let known = TOPICS.iter().find(|(name, _)| *name == word.value).map(|(_, topic)| *topic);
    if known.is_none() {
        let names = TOPICS.map(|(name, _)| name);
        let wrong = words!("{name} is not a topic", name = repeated(&word.value));
        let text = did_you_mean(&wrong, &word.value, names).unwrap_or_else(|| {
            words!("{wrong}, expected one of: {values}", wrong, values = names.join(", "))
        });
        report.error(&word.place, text);
    }
    known
}
