//! `wxgate explain`: how a request would be handled, for people.

use http::Method;

use super::layout::Sheet;
use crate::api::{Explained, ExplainedRow};
use crate::config::{Config, Outline, Problems};
use crate::message::path;
use crate::pipeline::Options;
use crate::pipeline::explain::{
    AnsweredBy, Explanation, LONGEST_ERROR, LocalResponse, MOST_REPLAYS, NamedBy, Refused, Sent, Settled,
    explain as plan, request,
};
use crate::quota::limit::{LimitOptions, Mode};
use crate::texts::{Text, text};
use crate::token;
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

/// What requests are handled by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules<'a> {
    /// Apps, callers and limits.
    pub(super) pipeline: &'a Options,
    /// When tokens are fetched.
    pub(super) token: &'a token::Options,
    /// WeChat's hosts, which the apps name by their places.
    pub(super) upstreams: &'a [upstream::Options],
    /// Secrets are not at hand.
    pub(super) lacks_secrets: bool,
}

impl<'a> From<&'a Outline> for Rules<'a> {
    fn from(outline: &'a Outline) -> Self {
        let Outline { pipeline, token, upstreams, lacks_secrets, .. } = outline;
        Self { pipeline, token, upstreams, lacks_secrets: *lacks_secrets }
    }
}

/// How `method` on `target`, a path with or without query, would be handled under `config`; without
/// one the defaults hold and no app and no caller is known. Lines of at most 80 columns.
///
/// # Errors
/// Never: the problems would be those of the built-in defaults.
pub fn explain(method: &Method, target: &str, config: Option<&Outline>) -> Result<String, Problems> {
    let target = path::fold(target);
    let (sheet, _) = match config {
        Some(config) => sheet(method, target, target, config.into(), false, None),
        None => {
            let built_in = defaults(target)?;
            sheet(method, target, &without_prefix(target), (&built_in).into(), true, None)
        }
    };
    let mut headline = Sheet::new(0, 0);
    headline.row("", format_args!("{method} {shown}", shown = without_query(target)));
    Ok(format!("{}{}", headline.finish(), sheet.finish()))
}

/// The same under the rules in force, for the admin address: of `caller` alone, `anonymous` being
/// those without a key, or of each caller.
pub(super) fn explained(method: &Method, target: &str, rules: Rules<'_>, caller: Option<&str>) -> Explained {
    let target = path::fold(target);
    let (sheet, refused) = sheet(method, target, target, rules, false, caller);
    let row = |(label, text)| ExplainedRow { label, text };
    Explained {
        method: method.to_string(),
        path: without_query(target).to_owned(),
        refused: refused.map(Into::into),
        rows: sheet.rows().into_iter().map(row).collect(),
    }
}

/// What there is to say, and why the request is refused if it is. `there` is what is planned in
/// place of `target`, and `blank` that there is no configuration.
fn sheet(
    method: &Method,
    target: &str,
    there: &str,
    rules: Rules<'_>,
    blank: bool,
    only: Option<&str>,
) -> (Sheet, Option<Refused>) {
    let mut sheet = Sheet::new(2, 12);
    let planned = request(method, there).and_then(|request| plan(rules.pipeline, rules.token, request));
    let refused = match planned {
        Err(refused) => {
            sheet.row(text!("refused"), refusal(&refused));
            Some(refused)
        }
        Ok(plan) if plan.greets => {
            sheet.row(text!("endpoint"), text!("wxgate's own, not WeChat's"));
            sheet.row(text!("callers"), text!("anybody, with or without an API key"));
            sheet.row(text!("sent"), text!("nothing: wxgate responds itself, with a line of text"));
            None
        }
        Ok(mut plan) => {
            if let Some(only) = only {
                keep(&mut plan, only);
            }
            let refused = plan.visits.first().and_then(|visit| visit.outcome.as_ref().err()).cloned();
            let shown = Shown { config: rules, method, plan, blank };
            shown.app(&mut sheet, prefix(target));
            shown.endpoint(&mut sheet);
            shown.credential(&mut sheet);
            shown.callers(&mut sheet);
            if shown.plan.settled().is_some() {
                shown.limits(&mut sheet);
                shown.replay(&mut sheet);
                shown.response(&mut sheet);
            }
            refused.filter(|_| shown.plan.settled().is_none())
        }
    };
    if rules.lacks_secrets && has_placeholder(target) {
        let note = text!(
            "secrets are missing here; without the app's secret, a placeholder token cannot be verified"
        );
        sheet.row(text!("note"), note);
    }
    (sheet, refused)
}

/// Only what concerns this caller; all of it where the request says by itself who sends it.
fn keep(plan: &mut Explanation, only: &str) {
    let name = (only != LimitOptions::ANONYMOUS).then_some(only);
    let is_it = |caller: Option<&str>| caller == name;
    if plan.visits.iter().any(|visit| is_it(visit.caller.as_deref())) {
        plan.visits.retain(|visit| is_it(visit.caller.as_deref()));
        plan.limits.retain(|limit| limit.concerns_caller(name));
    }
}

fn without_query(target: &str) -> &str {
    target.split_once('?').map_or(target, |(path, _)| path)
}

fn has_placeholder(target: &str) -> bool {
    let query = target.split_once('?').map_or("", |(_, query)| query);
    form_urlencoded::parse(query.as_bytes()).any(|(_, value)| placeholder::looks_like(&value))
}

/// The app that `/@NAME/` names.
fn prefix(target: &str) -> Option<&str> {
    target.strip_prefix("/@").and_then(|rest| rest.split(['/', '?']).next())
}

/// Without a configuration a prefix names no app, and it changes nothing else.
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
    let Refused { status, code, errcode, reason, .. } = refused;
    match code {
        Some(code) if *errcode > 0 => {
            text!("{status} {code} with errcode {errcode}: {reason}", status, code, errcode, reason)
                .to_string()
        }
        Some(code) => text!("{status} {code}: {reason}", status, code, reason).to_string(),
        None => {
            text!("{status} with errcode {errcode}, in WeChat's format: {reason}", status, errcode, reason)
                .to_string()
        }
    }
}

/// A plan, and what it was made with.
struct Shown<'a> {
    config: Rules<'a>,
    method: &'a Method,
    plan: Explanation,
    /// There is no configuration.
    blank: bool,
}

impl Shown<'_> {
    /// Whether it is an endpoint of wxgate's: WeChat has none below this path.
    fn is_own(&self) -> bool {
        self.plan.path.starts_with("/wxgate/")
    }

    /// What reaches WeChat, for the first caller that isn't refused.
    fn sent(&self) -> Option<&Sent> {
        self.plan.settled().and_then(Settled::sent)
    }

    fn is_signed(&self) -> bool {
        self.sent().is_some_and(|sent| sent.signed)
    }

    fn app(&self, sheet: &mut Sheet, prefix: Option<&str>) {
        let label = text!("app");
        match (self.blank, prefix) {
            (true, Some(name)) => {
                let text = text!("{name}, named by the path's prefix (look it up with --config FILE)", name);
                sheet.row(label, text);
            }
            (true, None) => {
                sheet.row(label, text!("the one that the request names; use --config FILE to see which"));
            }
            (false, _) => {
                let mut outcomes = self.plan.visits.iter().map(|visit| visit.outcome.as_ref().ok());
                match outcomes.next().flatten() {
                    Some(first) if outcomes.all(|other| other == Some(first)) => {
                        let (app, appid, by) = (&first.app, &first.appid, named_by(first));
                        sheet.row(label, text!("{app} ({appid}), {by}", app, appid, by));
                    }
                    _ if self.plan.settled().is_some() => {
                        sheet.row(label, text!("depends on the caller, see callers"));
                    }
                    _ => sheet.row(label, text!("none, see callers")),
                }
            }
        }
    }

    fn endpoint(&self, sheet: &mut Sheet) {
        let endpoint = self.plan.endpoint;
        if self.is_own() {
            sheet.row(text!("endpoint"), text!("wxgate's own, not WeChat's"));
            return;
        }
        match endpoint.family {
            _ if endpoint.id == 0 => sheet.row(
                text!("endpoint"),
                text!("other: not in the catalogue; its name and the request's credentials decide what it requires"),
            ),
            Family::Api => sheet.row(text!("endpoint"), endpoint.path),
            family => sheet.row(
                text!("endpoint"),
                text!("{path}, on {host}", path = endpoint.path, host = family.host()),
            ),
        }
        if let Some(usual) = endpoint.method.filter(|method| *method != self.method.as_str()) {
            let method = self.method;
            sheet.row("", text!("WeChat's SDKs use {usual} here; {method} is sent unchanged", usual, method));
        }
        let guarded = match (endpoint.guarded, endpoint.money) {
            (false, _) => text!("no"),
            (true, false) => {
                text!("yes: it can harm the account; only callers whose `allow` names it exactly may call it")
            }
            (true, true) => {
                text!("yes: it moves money; only callers whose `allow` names it exactly may call it")
            }
        };
        sheet.row(text!("guarded"), guarded);
        if endpoint.signed {
            sheet.row(text!("signed"), text!("WeChat accepts signed and encrypted calls of it (API 安全)"));
        }
    }

    fn credential(&self, sheet: &mut Sheet) {
        if !self.is_own() {
            sheet.row(text!("credential"), self.plan.endpoint.class.words());
        }
        let Some(settled) = self.plan.settled() else {
            sheet.row(text!("sent"), text!("nothing"));
            return;
        };
        if let Some(Sent { injected, issuer, .. }) = settled.sent()
            && !injected.is_empty()
        {
            let names = injected.join(&text!(" and ").to_string());
            match issuer {
                Some(issuer) => {
                    let token = issuer.words();
                    sheet.row(
                        text!("injected"),
                        text!("{names}: {token}, kept fresh by wxgate", names, token),
                    );
                }
                None => sheet.row(text!("injected"), text!("{names}, the app's own", names)),
            }
        }
        if let Some(Sent { removed, .. }) = settled.sent()
            && !removed.is_empty()
        {
            sheet.row(text!("removed"), text!("{names}, sent by the caller", names = removed.join(", ")));
        }
        match &settled.answered_by {
            AnsweredBy::Wechat(sent) => {
                sheet.row(text!("sent"), format_args!("{} {}", self.method, sent.path_and_query));
                if sent.signed {
                    sheet.row(
                        "",
                        text!("signed and encrypted (app.signing), with the rest of the query in the body"),
                    );
                }
                if !self.blank {
                    self.destination(sheet);
                }
            }
            AnsweredBy::Local(with) => {
                let with = match with {
                    LocalResponse::Ticket => {
                        text!("nothing: wxgate responds itself, with a ticket that it keeps")
                    }
                    LocalResponse::Lease => text!("nothing: wxgate responds itself, with the real token"),
                    LocalResponse::Signature => {
                        text!("nothing: wxgate responds itself, with the page's signature")
                    }
                    LocalResponse::Placeholder(_) => {
                        text!("nothing: wxgate responds itself, with a placeholder token")
                    }
                };
                sheet.row(text!("sent"), with);
            }
        }
    }

    /// Where it is sent: the preferred host, and what stands in for it.
    fn destination(&self, sheet: &mut Sheet) {
        let (upstream, site) = self.upstream();
        let urls: Vec<_> = upstream.origins_of(site).iter().map(Origin::url).collect();
        let urls = urls.join(&text!(", else ").to_string());
        match &upstream.egress {
            Some(egress) => sheet.row("", text!("to {urls}, through {egress}", urls, egress)),
            None => sheet.row("", text!("to {urls}", urls)),
        }
    }

    /// That of the app, if the request is for one, and whose hosts it asks there.
    fn upstream(&self) -> (&upstream::Options, Site) {
        let settled = self.plan.settled();
        let mut apps = self.config.pipeline.apps.iter();
        let app = settled.and_then(|settled| apps.find(|app| app.token.name == settled.app));
        let site = settled.map_or(Site::Api, |settled| settled.site);
        (&self.config.upstreams[app.map_or(0, |app| app.upstream)], site)
    }

    fn callers(&self, sheet: &mut Sheet) {
        let name = |caller: &Option<std::sync::Arc<str>>| match caller {
            Some(name) => name.to_string(),
            None if self.config.pipeline.callers.is_empty() => text!("anybody").to_string(),
            None => text!("anybody without an API key").to_string(),
        };
        let mut label = text!("callers").to_string();
        let several = self.plan.visits.iter().any(|visit| visit.outcome != self.plan.visits[0].outcome);
        for visit in &self.plan.visits {
            let (label, name) = (std::mem::take(&mut label), name(&visit.caller));
            match &visit.outcome {
                Ok(_) if self.blank => sheet.row(
                    label,
                    text!("anybody on this machine; with [[caller]], those whose `allow` permits it"),
                ),
                Ok(settled) if several => {
                    let (app, by) = (&settled.app, named_by(settled));
                    sheet.row(label, text!("{name}: yes, for {app}, {by}", name, app, by));
                }
                Ok(_) => sheet.row(label, text!("{name}: yes", name)),
                Err(refused) => {
                    sheet.row(label, text!("{name}: no, {refusal}", name, refusal = refusal(refused)));
                }
            }
        }
    }

    fn limits(&self, sheet: &mut Sheet) {
        if self.sent().is_none() {
            return;
        }
        let pipeline = &self.config.pipeline;
        let body = match self.is_signed() {
            true => text!(
                "body up to {size} (replay.max_body, since it is signed)",
                size = size(pipeline.replay.max_body.min(pipeline.max_body))
            )
            .to_string(),
            false => text!("body up to {size} (server.max_body)", size = size(pipeline.max_body)).to_string(),
        };
        sheet.row(text!("limits"), body);
        let slow = self.plan.endpoint.slow;
        let time = humantime::format_duration(self.upstream().0.response_timeout_at(slow));
        let response = match slow {
            true => text!(
                "{time} from the end of the request to WeChat's response (upstream.slow_response_timeout: this may take \
                 WeChat long)",
                time
            )
            .to_string(),
            false => text!(
                "{time} from the end of the request to WeChat's response (upstream.response_timeout)",
                time
            )
            .to_string(),
        };
        sheet.row("", response);
        let time = humantime::format_duration(pipeline.request_timeout);
        sheet.row(
            "",
            text!("no further attempt begins after {time} of waiting (server.request_timeout)", time),
        );
        match self.plan.endpoint.window {
            Some(Window::Minute) => sheet.row("", text!("WeChat's 45009 may mean a limit per minute here")),
            Some(Window::Day) => {
                sheet.row("", text!("WeChat's 45009 means the daily limit here, until midnight in Beijing"))
            }
            None => {}
        }
        for limit in &self.plan.limits {
            let observed = limit.mode == Mode::Observe;
            if limit.rate.is_some() {
                let limit = limit.rate_text();
                match observed {
                    true => sheet
                        .row("", text!("{limit}, on each replica, only counted (mode = \"observe\")", limit)),
                    false => sheet.row("", text!("{limit}, on each replica", limit)),
                }
            }
            if limit.daily.is_some() {
                let limit = limit.daily_text();
                match observed {
                    true => sheet.row("", text!("{limit}, only counted (mode = \"observe\")", limit)),
                    false => sheet.row("", limit),
                }
            }
        }
    }

    fn replay(&self, sheet: &mut Sheet) {
        let endpoint = self.plan.endpoint;
        if self.sent().is_none() {
            return;
        }
        let label = text!("replay");
        if endpoint.class.token_parameter().is_some() {
            let codes = endpoint.class.codes(endpoint.family).dead;
            let codes = codes.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
            let (most, size) = (MOST_REPLAYS, size(self.config.pipeline.replay.max_body));
            match self.is_signed() {
                true => sheet.row(
                    label,
                    text!(
                        "yes: if WeChat rejects the token ({codes}), it is replaced and the request is signed again, at \
                         most {most} times",
                        codes,
                        most
                    ),
                ),
                false => sheet.row(
                    label,
                    text!(
                        "yes: if WeChat rejects the token ({codes}), it is replaced and the same bytes are sent again, at \
                         most {most} times; bodies over {size} (replay.max_body) are streamed and not replayed",
                        codes,
                        most,
                        size
                    ),
                ),
            }
        } else if endpoint.class == CredentialClass::None {
            sheet.row(label, text!("no: there is no token that WeChat could reject"));
        } else if endpoint.class == CredentialClass::UserOauth {
            sheet.row(label, text!("no: the credential is the caller's own, wxgate cannot replace it"));
        } else {
            sheet.row(label, text!("no: the secret is the configured one, there is no other"));
        }
        let repeat = if endpoint.one_time_code {
            text!("no: it takes a code that is valid only once")
        } else if self.method == Method::GET {
            text!("once, if a reused connection closes without a response")
        } else {
            text!("no: what WeChat may have seen is sent again only if it rejected the token")
        };
        sheet.row(text!("repeat"), repeat);
        let evidence = match endpoint.evidence {
            true => text!("yes: success here proves that the app's token is valid"),
            false => text!("no: success here proves nothing about the app's token"),
        };
        sheet.row(text!("evidence"), evidence);
    }

    fn response(&self, sheet: &mut Sheet) {
        let label = text!("response");
        match self.plan.settled().map(|settled| &settled.answered_by) {
            Some(AnsweredBy::Local(LocalResponse::Placeholder(field))) => sheet
                .row(label, text!("{field}, a placeholder that names app and caller, and expires_in", field)),
            Some(AnsweredBy::Local(LocalResponse::Ticket)) => {
                sheet.row(label, text!("ticket, shared by all callers, and expires_in"));
            }
            Some(AnsweredBy::Local(LocalResponse::Lease)) => {
                sheet.row(label, text!("access_token, the real one, expires_in and generation"));
            }
            Some(AnsweredBy::Local(LocalResponse::Signature)) => {
                sheet.row(label, text!("appId, timestamp, nonceStr and signature, for wx.config"));
            }
            Some(AnsweredBy::Wechat(_)) | None => {
                if self.plan.endpoint.grants {
                    sheet.row(label, text!("WeChat's, with a placeholder for each refresh token in it"));
                }
                self.errors(sheet);
            }
        }
    }

    /// What of WeChat's response counts as its errcode.
    fn errors(&self, sheet: &mut Sheet) {
        let size = size(LONGEST_ERROR);
        let errors = match self.plan.endpoint.binary {
            true => text!(
                "the top-level errcode of a JSON object of up to {size} with status 200, if it has an errmsg too: the \
                 response may be a file",
                size
            )
            .to_string(),
            false => text!("the top-level errcode of a JSON object of up to {size} with status 200", size)
                .to_string(),
        };
        sheet.row(text!("errors"), errors);
    }
}

fn named_by(settled: &Settled) -> Text<'static> {
    match settled.by {
        NamedBy::Prefix => text!("named by the path's prefix"),
        NamedBy::Header => text!("named by X-Wxgate-App"),
        NamedBy::FromAppid => text!("named by the query's from_appid"),
        NamedBy::Appid => text!("named by the query's appid"),
        NamedBy::Placeholder => text!("named by the placeholder token"),
        NamedBy::Host => text!("which claims the request's Host"),
        NamedBy::OnlyApp => text!("the caller's only app"),
        NamedBy::Default => text!("the default app"),
    }
}

/// A size as the configuration spells it.
fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match UNITS.iter().find(|(unit, _)| bytes >= *unit && bytes.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{} {name}", bytes / unit),
        None => text!("{bytes} bytes", bytes).to_string(),
    }
}
