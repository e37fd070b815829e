//! `wxgate explain`: how a request would be handled, for people.

use http::Method;

use super::layout::Sheet;
use crate::config::{Config, Outline, Problems};
use crate::message::path;
use crate::pipeline::explain::{
    AnsweredBy, Explanation, LONGEST_ERROR, LocalResponse, MOST_REPLAYS, NamedBy, Refused, Sent, Settled,
    explain as plan, request,
};
use crate::quota::limit::Mode;
use crate::upstream::{self, Origin, Site};
use crate::wechat::catalogue::{CredentialClass, Window};
use crate::wechat::{Family, placeholder};

/// Stands in where no configuration is given: the limits are the defaults, and the app is whichever
/// is named.
fn defaults(target: &str) -> Result<Outline, Problems> {
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let plain =
        |appid: &str| (1..=64).contains(&appid.len()) && appid.bytes().all(|b| b.is_ascii_alphanumeric());
    let named = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "appid");
    let appid = named.map(|(_, appid)| appid).filter(|appid| plain(appid));
    let appid = appid.as_deref().unwrap_or("wx0000000000000000");
    let text = format!("[[app]]\nname = 'app'\nappid = '{appid}'\nsecret = '-'\ndefault = true\n");
    Config::parse(&text, "defaults", &|_| None).map(Outline::from)
}

/// How `method` on `target`, a path with or without query, would be handled under `config`; without
/// one the defaults hold and no app and no caller is known. Lines of at most 80 columns.
///
/// # Errors
/// Never: the problems would be those of the built-in defaults.
pub fn explain(method: &Method, target: &str, config: Option<&Outline>) -> Result<String, Problems> {
    let target = path::fold(target);
    let built_in;
    let (known, target_there) = match config {
        Some(config) => (config, target.to_owned()),
        None => {
            built_in = defaults(target)?;
            (&built_in, without_prefix(target))
        }
    };
    let mut sheet = Sheet::new(2, 12);
    let told =
        request(method, &target_there).and_then(|request| plan(&known.pipeline, &known.token, request));
    match told {
        Err(refused) => sheet.row("refused", &refusal(&refused)),
        Ok(told) if told.greets => {
            sheet.row("endpoint", "wxgate's own, and none of WeChat's");
            sheet.row("callers", "anybody, with a key or without");
            sheet.row("sent", "nothing: wxgate answers by itself, with a line of text");
        }
        Ok(told) => {
            let told = Told { config: known, method, told, blank: config.is_none() };
            told.app(&mut sheet, prefix(target));
            told.endpoint(&mut sheet);
            told.credential(&mut sheet);
            told.callers(&mut sheet);
            if told.told.settled().is_some() {
                told.limits(&mut sheet);
                told.replay(&mut sheet);
                told.answer(&mut sheet);
            }
        }
    }
    if known.lacks_secrets && has_placeholder(target) {
        sheet.row(
            "note",
            "whether a placeholder token holds is told by its app's secret, and secrets are missing here",
        );
    }
    let mut headline = Sheet::new(0, 0);
    let shown = target.split_once('?').map_or(target, |(path, _)| path);
    headline.row("", &format!("{method} {shown}"));
    Ok(format!("{}{}", headline.finish(), sheet.finish()))
}

fn has_placeholder(target: &str) -> bool {
    let query = target.split_once('?').map_or("", |(_, query)| query);
    form_urlencoded::parse(query.as_bytes()).any(|(_, value)| placeholder::looks_like(&value))
}

/// The app that `/@NAME/` names.
fn prefix(target: &str) -> Option<&str> {
    target.strip_prefix("/@").and_then(|rest| rest.split(['/', '?']).next())
}

/// There is no app to look a prefix up among, and it changes nothing else.
fn without_prefix(target: &str) -> String {
    match prefix(target) {
        Some(name) => match &target[2 + name.len()..] {
            rest if rest.starts_with('/') => rest.to_owned(),
            rest => format!("/{rest}"),
        },
        None => target.to_owned(),
    }
}

fn refusal(refused: &Refused) -> String {
    let status = refused.status;
    match refused.code {
        Some(code) if refused.errcode > 0 => {
            format!("{status} {code} with errcode {}: {}", refused.errcode, refused.reason)
        }
        Some(code) => format!("{status} {code}: {}", refused.reason),
        None => format!("{status} with errcode {}, in WeChat's shape: {}", refused.errcode, refused.reason),
    }
}

/// An explanation, and what it is explained with.
struct Told<'a> {
    config: &'a Outline,
    method: &'a Method,
    told: Explanation,
    /// There is no configuration.
    blank: bool,
}

impl Told<'_> {
    /// Whether it is an endpoint of wxgate's: WeChat has none below this path.
    fn is_own(&self) -> bool {
        self.told.path.starts_with("/wxgate/")
    }

    /// What reaches WeChat, for the first caller who isn't refused.
    fn sent(&self) -> Option<&Sent> {
        self.told.settled().and_then(Settled::sent)
    }

    fn is_signed(&self) -> bool {
        self.sent().is_some_and(|sent| sent.signed)
    }

    fn app(&self, sheet: &mut Sheet, prefix: Option<&str>) {
        let text = match (self.blank, prefix) {
            (true, Some(name)) => format!("{name}, named by the path's prefix (--config FILE to look it up)"),
            (true, None) => "the one that the request names; --config FILE tells which".to_owned(),
            (false, _) => {
                let mut outcomes = self.told.visits.iter().map(|visit| visit.outcome.as_ref().ok());
                match outcomes.next().flatten() {
                    Some(first) if outcomes.all(|other| other == Some(first)) => {
                        format!("{} ({}), {}", first.app, first.appid, named_by(first))
                    }
                    _ if self.told.settled().is_some() => "depends on the caller, see there".to_owned(),
                    _ => "none, see callers".to_owned(),
                }
            }
        };
        sheet.row("app", &text);
    }

    fn endpoint(&self, sheet: &mut Sheet) {
        let endpoint = self.told.endpoint;
        if self.is_own() {
            sheet.row("endpoint", "wxgate's own, and none of WeChat's");
            return;
        }
        if endpoint.id == 0 {
            sheet.row(
                "endpoint",
                "other: not in the catalogue, so its name and the request's credentials say what it wants",
            );
        } else {
            let shown = match endpoint.family {
                Family::Api => endpoint.path.to_owned(),
                family => format!("{}, which is {}'s", endpoint.path, family.host()),
            };
            sheet.row("endpoint", &shown);
        }
        if let Some(method) = endpoint.method.filter(|method| *method != self.method.as_str()) {
            sheet.row("", &format!("WeChat's SDKs call it by {method}; {} is sent on as it is", self.method));
        }
        let guarded = match (endpoint.guarded, endpoint.money) {
            (false, _) => "no",
            (true, false) => {
                "yes: it can harm the account, so only callers whose `allow` names it exactly get through"
            }
            (true, true) => "yes: it moves money, so only callers whose `allow` names it exactly get through",
        };
        sheet.row("guarded", guarded);
        if endpoint.signed {
            sheet.row("signed", "WeChat takes signed and encrypted calls of it (API 安全)");
        }
    }

    fn credential(&self, sheet: &mut Sheet) {
        if !self.is_own() {
            sheet.row("credential", self.told.endpoint.class.words());
        }
        let Some(settled) = self.told.settled() else {
            sheet.row("sent", "nothing");
            return;
        };
        if let Some(Sent { injected, issuer, .. }) = settled.sent()
            && !injected.is_empty()
        {
            let names = injected.join(" and ");
            let what = match issuer {
                Some(issuer) => format!("{names}, {}, kept fresh by wxgate", issuer.words()),
                None => format!("{names}, the app's own"),
            };
            sheet.row("injected", &what);
        }
        if let Some(Sent { removed, .. }) = settled.sent()
            && !removed.is_empty()
        {
            sheet.row("removed", &format!("{}, which the request brought", removed.join(", ")));
        }
        match &settled.answered_by {
            AnsweredBy::Wechat(sent) => {
                sheet.row("sent", &format!("{} {}", self.method, sent.path_and_query));
                if sent.signed {
                    sheet.row(
                        "",
                        "signed and encrypted (app.signing), with the rest of the query in the body",
                    );
                }
                if !self.blank {
                    self.destination(sheet);
                }
            }
            AnsweredBy::Local(with) => {
                let with = match with {
                    LocalResponse::Ticket => "a ticket that it keeps",
                    LocalResponse::Lease => "the real token",
                    LocalResponse::Signature => "the page's signature",
                    LocalResponse::Placeholder(_) => "a placeholder token",
                };
                sheet.row("sent", &format!("nothing: wxgate answers by itself, with {with}"));
            }
        }
    }

    /// Where it is sent: the preferred host, and what stands in for it.
    fn destination(&self, sheet: &mut Sheet) {
        let (upstream, site) = self.upstream();
        let urls: Vec<_> = upstream.origins_of(site).iter().map(Origin::url).collect();
        let mut text = format!("to {}", urls.join(", else "));
        if let Some(egress) = &upstream.egress {
            text += &format!(", through {egress}");
        }
        sheet.row("", &text);
    }

    /// That of the app, if the request is for one, and whose hosts it asks there.
    fn upstream(&self) -> (&upstream::Options, Site) {
        let settled = self.told.settled();
        let mut apps = self.config.pipeline.apps.iter();
        let app = settled.and_then(|settled| apps.find(|app| app.token.name == settled.app));
        let site = settled.map_or(Site::Api, |settled| settled.site);
        (&self.config.upstreams[app.map_or(0, |app| app.upstream)], site)
    }

    fn callers(&self, sheet: &mut Sheet) {
        let name = |caller: &Option<std::sync::Arc<str>>| match caller {
            Some(name) => name.to_string(),
            None if self.config.pipeline.callers.is_empty() => "anybody".to_owned(),
            None => "anybody without a key".to_owned(),
        };
        let mut label = "callers";
        let several = self.told.visits.iter().any(|visit| visit.outcome != self.told.visits[0].outcome);
        for visit in &self.told.visits {
            let text = match &visit.outcome {
                Ok(_) if self.blank => {
                    "anybody from this machine; with [[caller]]s, whose `allow` permits".into()
                }
                Ok(settled) if several => {
                    format!("{}: yes, for {}, {}", name(&visit.caller), settled.app, named_by(settled))
                }
                Ok(_) => format!("{}: yes", name(&visit.caller)),
                Err(refused) => format!("{}: no, {}", name(&visit.caller), refusal(refused)),
            };
            sheet.row(std::mem::take(&mut label), &text);
        }
    }

    fn limits(&self, sheet: &mut Sheet) {
        if self.sent().is_none() {
            return;
        }
        let pipeline = &self.config.pipeline;
        let request = humantime::format_duration(pipeline.request_timeout);
        let response = self.upstream().0.response_timeout_at(self.told.endpoint.slow);
        let response = humantime::format_duration(response);
        let key = if self.told.endpoint.slow {
            "upstream.slow_response_timeout, since WeChat may work long on this"
        } else {
            "upstream.response_timeout"
        };
        let (body, of) = match self.is_signed() {
            true => (pipeline.replay.max_body.min(pipeline.max_body), "replay.max_body, since it is signed"),
            false => (pipeline.max_body, "server.max_body"),
        };
        sheet.row(
            "limits",
            &format!(
                "body up to {} ({of}); {response} from the request's end to WeChat's answer ({key}); \
                 no attempt but the first begins after {request} of waiting (server.request_timeout)",
                size(body)
            ),
        );
        match self.told.endpoint.window {
            Some(Window::Minute) => sheet.row("", "WeChat's 45009 may be a minute's limit here"),
            Some(Window::Day) => {
                sheet.row("", "WeChat's 45009 is the day's limit here, until midnight in Beijing")
            }
            None => {}
        }
        for limit in &self.told.limits {
            let observed =
                if limit.mode == Mode::Observe { ", only counted (mode = \"observe\")" } else { "" };
            if limit.rate.is_some() {
                sheet.row("", &format!("{}, of each replica{observed}", limit.rate_text()));
            }
            if limit.daily.is_some() {
                sheet.row("", &format!("{}{observed}", limit.daily_text()));
            }
        }
    }

    fn replay(&self, sheet: &mut Sheet) {
        let endpoint = self.told.endpoint;
        if self.sent().is_none() {
            return;
        }
        if endpoint.class.token_parameter().is_some() {
            let codes = endpoint.class.codes(endpoint.family).dead;
            let codes = codes.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
            let again = match self.is_signed() {
                true => format!("the request is signed anew, at most {MOST_REPLAYS} times"),
                false => format!(
                    "the same bytes go out again, at most {MOST_REPLAYS} times; not a body over {} (replay.max_body), which \
                     streams on",
                    size(self.config.pipeline.replay.max_body)
                ),
            };
            sheet.row(
                "replay",
                &format!("yes: if WeChat rejects the token ({codes}) it is replaced and {again}"),
            );
        } else if endpoint.class == CredentialClass::None {
            sheet.row("replay", "no: there is no token that WeChat could reject");
        } else if endpoint.class == CredentialClass::UserOauth {
            sheet.row("replay", "no: the credential is the caller's own, which wxgate can't replace");
        } else {
            sheet.row("replay", "no: the secret is the configuration's, and there is no other");
        }
        let repeat = if endpoint.one_time_code {
            "no: it takes a code that is good once"
        } else if self.method == Method::GET {
            "once, if a connection that had served before closes without an answer"
        } else {
            "no: what WeChat may have seen is sent again only if it rejected the token"
        };
        sheet.row("repeat", repeat);
        if endpoint.evidence {
            sheet.row("evidence", "yes: a success here proves that the app's token lives");
        } else {
            sheet.row("evidence", "no: a success here says nothing about the app's token");
        }
    }

    fn answer(&self, sheet: &mut Sheet) {
        match self.told.settled().map(|settled| &settled.answered_by) {
            Some(AnsweredBy::Local(LocalResponse::Placeholder(field))) => {
                sheet.row(
                    "answer",
                    &format!("{field}, a placeholder that names app and caller, and expires_in"),
                );
            }
            Some(AnsweredBy::Local(LocalResponse::Ticket)) => {
                sheet.row("answer", "ticket, the one that all callers share, and expires_in");
            }
            Some(AnsweredBy::Local(LocalResponse::Lease)) => {
                sheet.row("answer", "access_token, the real one, expires_in and generation");
            }
            Some(AnsweredBy::Local(LocalResponse::Signature)) => {
                sheet.row("answer", "appId, timestamp, nonceStr and signature, for wx.config");
            }
            Some(AnsweredBy::Wechat(_)) | None => {
                if self.told.endpoint.grants {
                    sheet.row("answer", "WeChat's, with a placeholder for each refresh token in it");
                }
                self.errors(sheet);
            }
        }
    }

    /// What of WeChat's answer counts as its errcode.
    fn errors(&self, sheet: &mut Sheet) {
        let shape =
            format!("the top-level errcode of a JSON object of up to {}, status 200", size(LONGEST_ERROR));
        if self.told.endpoint.binary {
            sheet.row(
                "errors",
                &format!("{shape}, if an errmsg stands beside it: a file may be the answer here"),
            );
        } else {
            sheet.row("errors", &shape);
        }
    }
}

fn named_by(settled: &Settled) -> &'static str {
    match settled.by {
        NamedBy::Prefix => "named by the path's prefix",
        NamedBy::Header => "named by X-Wxgate-App",
        NamedBy::FromAppid => "named by the query's from_appid",
        NamedBy::Appid => "named by the query's appid",
        NamedBy::Placeholder => "named by the placeholder token",
        NamedBy::Host => "which claims the request's Host",
        NamedBy::OnlyApp => "the caller's only app",
        NamedBy::Default => "the default app",
    }
}

/// A size as the configuration spells it.
fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match UNITS.iter().find(|(unit, _)| bytes >= *unit && bytes.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{} {name}", bytes / unit),
        None => format!("{bytes} bytes"),
    }
}
