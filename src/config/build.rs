//! Turns the file into options, table by table, and checks what involves several tables.

use std::path::PathBuf;
use std::time::Duration;

use super::file;
use super::included::Included;
use super::options::{Config, LogConfig, LogFormat, ServerConfig};
use super::passed::Passed;
use super::reader::endpoints::AppNames;
use super::reader::names::one_of;
use super::reader::problem::{Place, Report};
use super::reader::secrets::Secrets;
use super::reader::units::{Size, positive};
use super::reader::values::{Field, Item};
use super::tables::{
    alerts, apps, callback_table, callers, error_status, exports, limits, listeners, money, store_table,
    tls_table, trace_table, upstream_table,
};
use crate::observe::access_log::Lines;
use crate::observe::clock::Timestamp;
use crate::pipeline::{self, ReplayOptions};
use crate::texts::{Language, text};
use crate::token;

pub(super) fn config(
    file: file::File,
    passed: &Passed,
    secrets: &mut Secrets<'_>,
    now: Timestamp,
    report: &mut Report<'_>,
) -> Config {
    let server = file.server.or_default();
    let token = file.token.or_default();

    let listeners = listeners::listeners(&server.listen, &passed.server, report);
    let admin =
        listeners::admin(&file.admin.or_default(), passed.admin.as_ref(), &listeners, secrets, report);
    let callback = file.callback.or_default();
    let callback = listeners::callback(&callback, &passed.callback, &listeners, &admin.listen, report);
    let workers = listeners::workers(&server.workers, report);
    let options = listeners::server_options(&server, report);
    let anonymous = server.anonymous.or(false);

    let callers = file.caller.item().map_or(&[][..], |item| &item.value);
    if !callers::any_has_key(callers) && !anonymous && !matches!(file.caller, Field::Wrong) {
        listeners::refuse_strangers(&listeners, !passed.server.is_empty(), report);
    }
    callers::warn_of_leases(callers, &listeners, &server.tls, report);
    let hosts = listeners::hosts(&server, &listeners, report);
    let listen: Vec<_> = listeners.into_iter().map(|(address, _)| address).collect();
    let tls = tls_table::identity(&server.tls, &listen, secrets, report);

    let apps = file.app.item().map_or(&[][..], |item| &item.value);
    if apps.is_empty() && !matches!(file.app, Field::Wrong) {
        let place = Place::default().child("app");
        report.error(&place, text!("is missing, expected at least one [[app]] with name, appid and secret"));
    }
    let names = AppNames::new(
        apps.iter()
            .filter_map(|app| Some((app.value.name.item()?.value.as_str(), apps::hosts_of(&app.value)))),
    );
    let limits = file.limit.item().map_or(&[][..], |item| &item.value);
    let limits = limits::options(callers, limits, &names, report);
    let (callers, anonymous_caller) = callers::options(callers, &names, &server.anonymous, now, report);
    let store = store_table::options(&file.store.or_default(), secrets, report);
    let upstream = file.upstream.or_default();
    let mut upstreams = vec![upstream_table::options(&upstream, &listen, secrets, report)];
    let drain = (&server.drain_timeout, options.drain_timeout);
    upstream_table::warn_of_cuts(&upstream, apps, drain, upstreams[0].response_timeout, report);
    let unshared = !store.location.shared() && !token.allow_unshared.or(false);
    let raw_apps = apps;
    let mut surroundings = apps::Surroundings { unshared, listen: &listen, now, upstreams: &mut upstreams };
    let apps = apps::options(raw_apps, &mut surroundings, secrets, report);
    let exports = exports::options(raw_apps, &apps, secrets, report);
    let alerts = file.alert.item().map_or(&[][..], |item| &item.value);
    let alerts = alerts::options(alerts, &names.names, secrets, report);
    let callback = callback_table::options(raw_apps, callback, secrets, report);

    let (error_status, unchosen) = error_status::error_status(&server, report);
    let closed = money::note(callers.iter().chain(&anonymous_caller), &names);
    let request_timeout = positive(&server.request_timeout, Duration::from_secs(20), report);
    Config {
        upstreams,
        server: ServerConfig { listen, workers, options, tls },
        admin,
        callback,
        token: token_options(&token, request_timeout, report),
        pipeline: pipeline::Options {
            apps,
            callers,
            anonymous_caller,
            limits,
            anonymous,
            hosts,
            trusted_proxies: listeners::trusted_proxies(&server.trusted_proxies, report),
            max_body: max_body(&server.max_body, report),
            max_inflight: server.max_inflight.or(0),
            request_timeout,
            error_status,
            replay: replay_options(&file.replay.or_default(), secrets, report),
        },
        exports,
        alerts,
        store,
        log: log(&file.log.or_default(), report),
        trace: trace_table::options(&file.trace, report),
        secret_files: Vec::new(),
        included: Included::default(),
        warnings: Vec::new(),
        notes: unchosen.into_iter().chain(closed).collect(),
    }
}

fn token_options(raw: &file::Token, request_timeout: Duration, report: &mut Report<'_>) -> token::Options {
    if let Some(item) = raw.refresh_wait.item()
        && item.value >= request_timeout
        && !request_timeout.is_zero()
    {
        report.warn(
            &item.place,
            text!("is not shorter than server.request_timeout, after which no request is replayed"),
        );
    }
    token::Options {
        fetch_timeout: positive(&raw.fetch_timeout, Duration::from_secs(3), report),
        refresh_wait: positive(&raw.refresh_wait, Duration::from_secs(5), report),
    }
}

fn max_body(field: &Field<Size>, report: &mut Report<'_>) -> u64 {
    if let Some(Item { value: Size(0), place }) = field.item() {
        // To nginx zero means "no limit": better to ask than to guess.
        report.error(place, text!("is zero, expected a size like \"64MiB\""));
    }
    field.or(Size(64 << 20)).0
}

fn replay_options(raw: &file::Replay, secrets: &Secrets<'_>, report: &mut Report<'_>) -> ReplayOptions {
    let max_body = raw.max_body.item().map_or(12 << 20, |item| item.value.0);
    let memory = raw.memory.item().map_or(256 << 20, |item| item.value.0);
    let spool = raw.spool.item().map_or(1 << 30, |item| item.value.0);
    let spool_dir = spool_dir(&raw.spool_dir, secrets, report);
    let options = ReplayOptions { max_body, memory, spool, spool_dir };
    if max_body > options.of_known()
        && let Some(place) =
            raw.max_body.item().map(|item| &item.place).or_else(|| raw.memory.item().map(|item| &item.place))
    {
        report.warn(
            place,
            text!(
                "replay.memory has no room for a body of replay.max_body (seven eighths of it are for bodies of known \
                 callers), so bodies that long are not replayed"
            ),
        );
    }
    options
}

fn spool_dir(field: &Field<String>, secrets: &Secrets<'_>, report: &mut Report<'_>) -> PathBuf {
    let Some(item) = field.item() else { return "/tmp".into() };
    let path = secrets.path(item);
    if !path.is_dir() {
        report.error(&item.place, text!("is not a directory, expected an existing one"));
    }
    path
}

fn log(raw: &file::Log, report: &mut Report<'_>) -> LogConfig {
    use tracing::Level;
    let levels = [
        ("info", Level::INFO),
        ("error", Level::ERROR),
        ("warn", Level::WARN),
        ("debug", Level::DEBUG),
        ("trace", Level::TRACE),
    ];
    let formats = [("auto", LogFormat::Auto), ("json", LogFormat::Json), ("pretty", LogFormat::Pretty)];
    // Other tools search for messages, so the locale of the host doesn't change them.
    let languages = [("en", Some(Language::English)), ("zh", Some(Language::Chinese)), ("auto", None)];
    let lines = [("all", Lines::All), ("errors", Lines::Errors), ("off", Lines::Off)];
    LogConfig {
        level: one_of(&raw.level, &levels, report),
        format: one_of(&raw.format, &formats, report),
        language: one_of(&raw.language, &languages, report),
        access: one_of(&raw.access, &lines, report),
    }
}
