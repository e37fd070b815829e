//! Every key of a line of the log, and such lines as the code writes them.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::Deserialize;
use tracing_subscriber::fmt::MakeWriter;
use wxgate::observe::access_log::{AccessLog, Entry, Lines};
use wxgate::observe::audit::Audit;
use wxgate::observe::clock::Timestamp;
use wxgate::observe::remote::Remote;

use super::{Language, data, part, strings, table};

/// `docs/reference/logs.toml`
#[derive(Deserialize)]
struct Data {
    access: BTreeMap<String, About>,
    audit: BTreeMap<String, About>,
}

#[derive(Deserialize)]
struct About {
    en: String,
    zh: String,
}

/// What was written.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().clone()).expect("UTF-8")
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Sink {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// A request that was answered.
fn answered() -> Entry<'static> {
    Entry {
        time: Timestamp(1_767_225_600_123),
        app: Some("shop"),
        caller: Some("orders"),
        remote: Some(Remote::Address([10, 0, 3, 7].into())),
        method: "POST",
        path: "/cgi-bin/message/custom/send",
        query: Some("access_token=none"),
        endpoint: Some("/cgi-bin/message/custom/send"),
        status: 200,
        errcode: Some(45015),
        source: "wechat",
        rid: Some("6955b900-2f5d1c9a-7b1e4a02"),
        request_id: "0199f0c2b7a47d3e",
        trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736"),
        replays: 0,
        duration: Duration::from_micros(48_312),
        upstream: Some(Duration::from_micros(47_905)),
        bytes_in: Some(93),
        bytes_out: Some(88),
        code: None,
        cause: None,
        user_agent: None,
    }
}

/// A request that was refused.
fn refused() -> Entry<'static> {
    Entry {
        caller: Some("orders"),
        path: "/cgi-bin/menu/create",
        query: None,
        endpoint: Some("/cgi-bin/menu/create"),
        errcode: Some(-70403),
        source: "wxgate",
        rid: None,
        trace_id: None,
        duration: Duration::from_micros(61),
        upstream: None,
        bytes_out: Some(187),
        code: Some("caller_forbidden"),
        cause: Some("this caller's `allow` has no rule for this method and path"),
        user_agent: Some("python-requests/2.32.3"),
        ..answered()
    }
}

/// The line of an entry.
fn line(entry: &Entry<'_>, json: bool) -> String {
    let sink = Sink::default();
    let log = AccessLog::start(json, Lines::All, 1, Box::new(sink.clone())).expect("a thread");
    log.shard(0).write(entry);
    log.close();
    sink.text().trim_end().to_owned()
}

/// The line of something that was asked for at the admin address, as `observe/log.rs` writes it.
fn audited(ask: impl FnOnce()) -> String {
    let sink = Sink::default();
    let format = tracing_subscriber::fmt().json().flatten_event(true).with_current_span(false);
    let subscriber = format.with_span_list(false).with_writer(sink.clone()).finish();
    tracing::subscriber::with_default(subscriber, ask);
    let (begin, rest) = sink.text().trim_end().split_once("\",\"level\"").map(own).expect("a level");
    let (begin, _) = begin.rsplit_once('"').expect("a time");
    format!("{begin}\"2026-01-01T00:00:00.123Z\",\"level\"{rest}")
}

fn own((one, other): (&str, &str)) -> (String, String) {
    (one.to_owned(), other.to_owned())
}

fn remote() -> Option<Remote> {
    Some(Remote::Address([10, 0, 3, 9].into()))
}

fn done() -> String {
    audited(|| Audit::begin(remote(), "force").of(Some("shop"), |_| true).done())
}

/// The keys of lines, in their order.
fn keys(lines: &[String]) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    for line in lines {
        let object: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let mut of_line: Vec<_> = object.as_object().expect("an object").keys().cloned().collect();
        of_line.sort_by_key(|key| line.find(&format!("\"{key}\":")));
        keys.extend(of_line.into_iter().filter(|key| !keys.contains(key)).collect::<Vec<_>>());
    }
    keys
}

fn rows(keys: &[String], about: &BTreeMap<String, About>, language: Language) -> String {
    let mut described: Vec<_> = about.keys().collect();
    let mut written: Vec<_> = keys.iter().collect();
    described.sort();
    written.sort();
    assert_eq!(described, written, "docs/reference/logs.toml");
    let titles = strings(language.of(["key", "meaning"], ["键", "含义"]));
    let rows =
        keys.iter().map(|key| vec![format!("`{key}`"), language.of(&about[key].en, &about[key].zh).clone()]);
    table(std::iter::once(titles).chain(rows))
}

#[test]
fn the_page_shows_every_key_of_an_access_line() {
    let data: Data = data("logs.toml");
    let lines = [line(&answered(), true), line(&refused(), true)];
    part("logs.md", "access", |language| {
        let pretty = [line(&answered(), false), line(&refused(), false)].join("\n");
        let table = rows(&keys(&lines), &data.access, language);
        let [answered, refused] = &lines;
        let json = format!("```json parsed\n{answered}\n```\n\n```json parsed\n{refused}\n```");
        format!("{json}\n\n```text\n{pretty}\n```\n\n{table}")
    });
}

#[test]
fn the_page_shows_every_key_of_an_audit_line() {
    let data: Data = data("logs.toml");
    let of_endpoint = audited(|| {
        let mut audit = Audit::begin(remote(), "clear_quota").of(Some("shop"), |_| true);
        audit.concerns("/cgi-bin/user/info");
        audit.failed("WeChat refused");
    });
    let denied = audited(|| Audit::begin(remote(), "read").denied_reads("wrong_token", 3));
    let keys = keys(&[done(), of_endpoint, denied]);
    part("logs.md", "audit", |language| {
        format!("```json parsed\n{}\n```\n\n{}", done(), rows(&keys, &data.audit, language))
    });
}
