//! `[[app]]`: accounts and their credentials.

use std::collections::HashMap;
use std::sync::Arc;

use super::{signing_table, upstream_table};
use crate::config::file;
use crate::config::reader::address::{is_host_name, read_host};
use crate::config::reader::endpoints::{self, Hosts};
use crate::config::reader::names::{check_name, is_hex, one_of};
use crate::config::reader::problem::{Place, Report};
use crate::config::reader::secrets::Secrets;
use crate::config::reader::values::{Field, Item, SecretSource};
use crate::observe::clock::Timestamp;
use crate::pipeline::{AppOptions, OwnCredential};
use crate::secret::Secret;
use crate::server::Address;
use crate::texts::{Text, text};
use crate::token;
use crate::upstream::{self, Origin};
use crate::wechat::pattern::Pattern;
use crate::wechat::{AppKind, Family, TokenMode, catalogue};

/// The cheapest API call that requires the app's token and changes nothing.
const PROBE: &str = "/cgi-bin/get_api_domain_ip";

/// What must be unique among apps: where it was first given.
#[derive(Default)]
struct Given {
    names: HashMap<String, Place>,
    hosts: HashMap<String, Place>,
    default: Option<Place>,
}

/// What apps depend on of other tables.
pub(in crate::config) struct Surroundings<'a> {
    /// The store is not shared, and the configuration doesn't allow that.
    pub unshared: bool,
    pub listen: &'a [Address],
    pub now: Timestamp,
    /// `[upstream]`, then what apps add.
    pub upstreams: &'a mut Vec<upstream::Options>,
}

pub(in crate::config) fn options(
    raw: &[Item<file::App>],
    surroundings: &mut Surroundings<'_>,
    secrets: &mut Secrets<'_>,
    report: &mut Report<'_>,
) -> Vec<AppOptions> {
    let mut seen = Given::default();
    let mut apps: Vec<_> =
        raw.iter().filter_map(|item| app(item, surroundings, &mut seen, secrets, report)).collect();
    if let ([table], [only]) = (raw, &mut apps[..])
        && matches!(table.value.default, Field::Missing)
        && !only.token.kind.is_platform()
        && only.token.suite.is_none()
    {
        only.default = Some(true);
    }
    apps
}

/// The hosts that have its endpoints.
pub(in crate::config) fn hosts_of(raw: &file::App) -> Hosts {
    match &raw.kind {
        Field::Missing => Hosts::of(AppKind::ALL[0].family()),
        Field::Wrong => Hosts::ALL,
        Field::Given(kind) => AppKind::named(&kind.value).map_or(Hosts::ALL, |kind| Hosts::of(kind.family())),
    }
}

fn app(
    table: &Item<file::App>,
    surroundings: &mut Surroundings<'_>,
    seen: &mut Given,
    secrets: &mut Secrets<'_>,
    report: &mut Report<'_>,
) -> Option<AppOptions> {
    let raw = &table.value;
    let missing = |key: &str| table.place.child(key);
    let name = raw.name.required(missing("name"), report, text!("is missing, expected a name like \"shop\""));
    let appid = raw.appid.required(
        missing("appid"),
        report,
        text!("is missing, expected the account's AppID, like \"wx0123456789abcdef\""),
    );
    let secret = raw
        .secret
        .required(
            missing("secret"),
            report,
            text!("is missing, expected {{ env = \"NAME\" }} or {{ file = \"PATH\" }}"),
        )
        .and_then(|source| secret(source, appid, secrets, report));

    if let Some(name) = name {
        check_name(name, &["other"], report);
        unique(&mut seen.names, name, &name.value, report);
    }
    if let Some(appid) = appid {
        check_appid(appid, report);
        // Names and AppIDs share a namespace: `/@NAME/` and `/@APPID/`. A corporation's apps share
        // its corpid.
        let key = match raw.agent_id.item() {
            Some(agent) => format!("{} {}", appid.value, agent.value),
            None => appid.value.clone(),
        };
        if name.is_none_or(|name| name.value != key) {
            let kind = raw.kind.item().and_then(|kind| AppKind::named(&kind.value));
            let corporation = kind.is_some_and(|kind| kind.family() == Family::Work);
            match seen.names.get(&key) {
                Some(first) if corporation => {
                    let place = report.line_seen_from(&appid.place, first);
                    let text = text!(
                        "is already used on {place}, expected a different agent_id in each of the two",
                        place
                    );
                    report.error(&appid.place, text);
                }
                _ => unique(&mut seen.names, appid, &key, report),
            }
        }
    }
    if let Some(item) = raw.default.item().filter(|item| item.value) {
        match &seen.default {
            Some(first) => {
                let place = report.line_seen_from(&item.place, first);
                report.error(&item.place, text!("is a second default app, the first is on {place}", place));
            }
            None => seen.default = Some(item.place.clone()),
        }
    }
    let hosts = hosts(raw, seen, report);
    let kind = kind(&raw.kind, report);
    let mode = mode(&raw.token_mode, surroundings.unshared, report);
    let of_work = of_work(raw, kind, secrets, report);
    let upstream = upstream(raw, surroundings, secrets, report);
    let signing = signing_table::options(&raw.signing, appid, kind, surroundings.now, secrets, report);
    // A fake WeChat has ids of its own.
    if let Some(appid) = appid
        && surroundings.upstreams[upstream].origins.iter().all(Origin::is_wechats)
        && let Some(text) = unlike(&appid.value, kind, secret.as_deref())
    {
        report.warn(&appid.place, text);
    }
    let own_credential = one_of(
        &raw.own_credential,
        &[("replace", OwnCredential::Replace), ("reject", OwnCredential::Reject)],
        report,
    );
    let probe = raw.probe.item().map_or(PROBE, |probe| {
        check_probe(probe, hosts_of(raw), report);
        &probe.value
    });
    Some(AppOptions {
        token: token::AppOptions {
            name: Arc::from(name?.value.as_str()),
            appid: Arc::from(appid?.value.as_str()),
            secret: secret?,
            kind,
            mode,
            probe: Arc::from(probe),
            agent: raw.agent_id.item().map(|agent| Arc::from(agent.value.as_str())),
            suite: of_work.suite,
            provider_secret: of_work.provider_secret,
        },
        default: raw.default.item().map(|item| item.value),
        hosts,
        own_credential,
        jssdk_hosts: jssdk_hosts(raw, report),
        slow_down: raw.slow_down.or(true),
        max_inflight: raw.max_inflight.or(0),
        upstream,
        signing,
    })
}

/// The place of the app's upstream among all.
fn upstream(
    raw: &file::App,
    surroundings: &mut Surroundings<'_>,
    secrets: &mut Secrets<'_>,
    report: &mut Report<'_>,
) -> usize {
    let Surroundings { listen, upstreams, .. } = surroundings;
    let Some(own) = upstream_table::of_app(raw, &upstreams[0], listen, secrets, report) else { return 0 };
    upstreams.iter().position(|known| *known == own).unwrap_or_else(|| {
        upstreams.push(own);
        upstreams.len() - 1
    })
}

pub(super) fn unique(
    seen: &mut HashMap<String, Place>,
    item: &Item<String>,
    key: &str,
    report: &mut Report<'_>,
) {
    match seen.get(key) {
        Some(first) => {
            let place = report.line_seen_from(&item.place, first);
            report.error(&item.place, text!("is already used on {place}, expected a different one", place));
        }
        None => drop(seen.insert(key.to_owned(), item.place.clone())),
    }
}

fn secret(
    source: &Item<SecretSource>,
    appid: Option<&Item<String>>,
    secrets: &mut Secrets<'_>,
    report: &mut Report<'_>,
) -> Option<Arc<Secret>> {
    let secret = secrets.resolve_or_stand_in(source, report)?;
    if appid.is_some_and(|appid| appid.value == secret.expose()) {
        report.error(&source.place, text!("is the same as the appid, expected the AppSecret"));
    }
    Some(secret)
}

/// The AppID isn't repeated: it may be the secret, pasted into the wrong line.
fn check_appid(appid: &Item<String>, report: &mut Report<'_>) {
    let text = &appid.value;
    if !is_plausible(text) {
        report.error(&appid.place, text!("is not an AppID, expected one like \"wx0123456789abcdef\""));
    } else if is_hex(text, 32) {
        report.warn(
            &appid.place,
            text!("looks like an AppSecret, expected an AppID like \"wx0123456789abcdef\""),
        );
    } else if text.starts_with("gh_") {
        report.warn(
            &appid.place,
            text!("is the account's original ID (原始 ID), expected its AppID, like \"wx0123456789abcdef\""),
        );
    }
}

fn hosts(raw: &file::App, seen: &mut Given, report: &mut Report<'_>) -> Vec<String> {
    let mut hosts = Vec::new();
    for item in raw.hosts.item().map(|item| item.value.0.as_slice()).unwrap_or_default() {
        match read_host(&item.value) {
            Err(text) => report.error(&item.place, text),
            Ok(host) => {
                unique(&mut seen.hosts, item, &host, report);
                hosts.push(host);
            }
        }
    }
    hosts
}

fn jssdk_hosts(raw: &file::App, report: &mut Report<'_>) -> Vec<String> {
    let mut hosts = Vec::new();
    for item in raw.jssdk_hosts.item().map(|item| item.value.0.as_slice()).unwrap_or_default() {
        let host = item.value.trim_end_matches('.').to_ascii_lowercase();
        if !is_host_name(&host) {
            report.error(
                &item.place,
                text!("is not a host name, expected that of a web page, like \"shop.example.com\""),
            );
        }
        hosts.push(host);
    }
    hosts
}

fn kind(field: &Field<String>, report: &mut Report<'_>) -> AppKind {
    one_of(field, &AppKind::ALL.map(|kind| (kind.as_str(), kind)), report)
}

/// What only apps of WeCom have.
#[derive(Default)]
struct OfWork {
    suite: Option<token::SuiteOptions>,
    provider_secret: Option<Arc<Secret>>,
}

fn of_work(raw: &file::App, kind: AppKind, secrets: &mut Secrets<'_>, report: &mut Report<'_>) -> OfWork {
    if !kind.has_token_modes()
        && let Some(item) = raw.token_mode.item()
    {
        report.error(&item.place, text!("is for official accounts and mini programs alone, leave it out"));
    }
    if kind.family() != Family::Work {
        let given = [
            raw.agent_id.item().map(|item| &item.place),
            raw.suite_id.item().map(|item| &item.place),
            raw.suite_secret.item().map(|item| &item.place),
            raw.suite_kind.item().map(|item| &item.place),
            raw.provider_secret.item().map(|item| &item.place),
        ];
        for place in given.into_iter().flatten() {
            report.error(place, text!("is for kind = \"wecom\" alone, leave it out"));
        }
        return OfWork::default();
    }
    if let Some(agent) = raw.agent_id.item()
        && (agent.value.is_empty() || !agent.value.bytes().all(|byte| byte.is_ascii_digit()))
    {
        report.error(&agent.place, text!("is not an AgentId, expected digits like \"1000002\""));
    }
    let suite_kind = one_of(
        &raw.suite_kind,
        &[("third_party", token::SuiteKind::ThirdParty), ("customized", token::SuiteKind::Customized)],
        report,
    );
    if let Some(item) = raw.suite_kind.item()
        && raw.suite_id.item().is_none()
    {
        report.error(&item.place, text!("requires suite_id"));
    }
    let suite = match (raw.suite_id.item(), raw.suite_secret.item()) {
        (Some(id), Some(source)) => secrets
            .resolve_or_stand_in(source, report)
            .map(|secret| token::SuiteOptions { id: Arc::from(id.value.as_str()), secret, kind: suite_kind }),
        (Some(id), None) => {
            report.error(&id.place, text!("requires suite_secret"));
            None
        }
        (None, Some(source)) => {
            report.error(&source.place, text!("requires suite_id"));
            None
        }
        (None, None) => None,
    };
    let provider = raw.provider_secret.item().and_then(|source| secrets.resolve_or_stand_in(source, report));
    OfWork { suite, provider_secret: provider }
}

fn mode(field: &Field<String>, unshared: bool, report: &mut Report<'_>) -> TokenMode {
    let mode = one_of(field, &[("stable", TokenMode::Stable), ("classic", TokenMode::Classic)], report);
    if let Some(item) = field.item()
        && mode == TokenMode::Classic
        && unshared
    {
        report.error(
            &item.place,
            text!(
                "\"classic\" with a memory: store invalidates the token in use at every start and on other replicas, \
                 since each fetch from /cgi-bin/token replaces it, expected \"stable\", a persistent store.url like \
                 \"file:/var/lib/wxgate\", or token.allow_unshared = true if nothing else uses this account's token"
            ),
        );
    }
    mode
}

fn is_plausible(appid: &str) -> bool {
    let plain = appid.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    plain && (1..=64).contains(&appid.len())
}

/// Signs that an otherwise plausible appid belongs to another kind of account. The AppID isn't
/// repeated here either.
fn unlike(appid: &str, kind: AppKind, secret: Option<&Secret>) -> Option<Text<'static>> {
    /// The length of each Secret of WeCom's; AppSecrets have 32 characters.
    const WORK_SECRET: usize = 43;
    if !is_plausible(appid) || is_hex(appid, 32) || appid.starts_with("gh_") {
        return None;
    }
    let usual = |prefix: &str| appid.strip_prefix(prefix).is_some_and(|rest| is_hex(rest, 16));
    if kind.family() == Family::Work {
        // The oldest companies' corpids begin so too.
        let old =
            appid.starts_with("wx") && secret.is_some_and(|secret| secret.expose().len() == WORK_SECRET);
        return match appid {
            _ if appid.starts_with("wx") && !old => Some(text!(
                "begins like the AppID of an official account or a mini program, expected a corpid like \
                 \"ww0123456789abcdef\", or another kind than \"wecom\""
            )),
            _ if appid.starts_with("ww") && !usual("ww") => Some(text!(
                "is an unusual corpid, expected ww and 16 digits of 0-9 a-f, like \"ww0123456789abcdef\""
            )),
            _ => None,
        };
    }
    if appid.starts_with("ww") {
        return Some(text!(
            "begins like a corpid of WeCom, expected kind = \"wecom\" or an AppID like \"wx0123456789abcdef\""
        ));
    }
    (!usual("wx")).then_some(text!(
        "is an unusual AppID, expected wx and 16 digits of 0-9 a-f, like \"wx0123456789abcdef\""
    ))
}

fn check_probe(probe: &Item<String>, hosts: Hosts, report: &mut Report<'_>) {
    let path = &probe.value;
    let plain = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_-.".contains(&byte));
    if !path.starts_with('/') || !plain || path[1..].split('/').any(|part| matches!(part, "" | "." | "..")) {
        let text =
            text!("is not the plain path of an endpoint, expected one like \"{example}\"", example = PROBE);
        report.error(&probe.place, text);
    } else {
        let pattern = Pattern::new(None, catalogue::normalise(path).into_owned());
        endpoints::check(&pattern, hosts, &probe.place, report);
    }
}
