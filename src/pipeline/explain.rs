//! What the pipeline would do with a request, told without sending it: the same decisions, by the same functions.

use std::rc::Rc;
use std::sync::Arc;

use http::header::HOST;
use http::{HeaderValue, Method, Request, Version};

use super::account::{Authorizer, Wanted};
use super::credential::Injected;
use super::directory::{App, Caller, Directory};
use super::error::Error;
use super::route::{Named, Placeholder, Target};
use super::ticket::Wish;
use super::token_call::Asked;
use super::user_tokens::UserTokens;
use super::{Options, credential, lease, replay, route, ticket, token_call};
use crate::message::query;
use crate::observe::clock::Clock;
use crate::observe::names::Names;
use crate::quota::limit::LimitOptions;
use crate::secret::Secret;
use crate::token::{self, Handle, Token};
use crate::upstream::Site;
use crate::wechat::Issuer;
use crate::wechat::catalogue::{self, CredentialClass, Endpoint};

/// How often one request is sent again at most, after its token was rejected.
pub const MOST_REPLAYS: u32 = replay::MOST;

/// What stands where a credential would.
const MASK: &str = "***";

/// How a request would be handled.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The app that the path's prefix names.
    pub prefix: Option<String>,
    /// WeChat's path, as sent.
    pub path: String,
    /// As catalogued; its path is `other` where it isn't.
    pub endpoint: &'static Endpoint,
    /// Names of the credentials that are taken out of the query, in their order.
    pub removed: Vec<&'static str>,
    /// The parameters that credentials are put into.
    pub injected: Vec<&'static str>,
    /// Who issued the token among them; none for a secret.
    pub issuer: Option<Issuer>,
    /// Path and query as they would reach WeChat, credentials masked; none if the proxy answers itself.
    pub sent: Option<String>,
    /// What the proxy answers with then.
    pub answer: Option<Own>,
    /// What comes of it, caller by caller.
    pub visits: Vec<Visit>,
    /// The limits that concern it, whoever of them sends it.
    pub limits: Vec<LimitOptions>,
}

/// The request, sent by one caller.
#[derive(Clone, Debug)]
pub struct Visit {
    /// Who; none is anybody without a key.
    pub caller: Option<Arc<str>>,
    /// For which app it is sent on, or why it isn't.
    pub outcome: Result<Settled, Refused>,
}

/// An app, and why this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Its name.
    pub app: Arc<str>,
    /// Its appid.
    pub appid: Arc<str>,
    /// What named it.
    pub by: NamedBy,
    /// Whose hosts it is sent to.
    pub site: Site,
}

/// What the proxy answers with by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Own {
    /// A placeholder, under this name.
    Placeholder(&'static str),
    /// A ticket that it keeps.
    Ticket,
    /// A page's signature, by such a ticket.
    Signature,
}

/// What named an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedBy {
    /// `/@NAME/`
    Prefix,
    /// The query's `from_appid`.
    FromAppid,
    /// The `appid` of a token call.
    Appid,
    /// A placeholder token.
    Placeholder,
    /// It is the only one that the caller may use.
    OnlyApp,
    /// `default = true`
    Default,
}

/// The proxy's own answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// HTTP status, unless `server.errors_as_200` is set.
    pub status: u16,
    /// The proxy's word for it; none where the answer poses as WeChat's.
    pub code: Option<&'static str>,
    /// As `errcode` in the body.
    pub errcode: i64,
    /// Why, for people.
    pub reason: String,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        let face = error.face();
        Self {
            status: face.status.as_u16(),
            code: face.code,
            errcode: face.errcode,
            reason: error.to_string(),
        }
    }
}

/// What would become of `method` on `target` (path and query) under `options`. The request is taken to come from this
/// machine, with no header but `Host: localhost`.
///
/// # Errors
/// Where nobody's request of this kind is let through, whatever the key.
pub fn explain(
    options: &Options,
    tokens: &token::Options,
    method: &Method,
    target: &str,
) -> Result<Explanation, Refused> {
    let directory = directory(options, tokens);
    let request = Request::builder()
        .method(method)
        .uri(target)
        .version(Version::HTTP_11)
        .header(HOST, HeaderValue::from_static("localhost"))
        .body(());
    let not_http = |_| Error::BadRequest("this is no HTTP/1.1 request target".into());
    let (parts, ()) = request.map_err(not_http)?.into_parts();
    let query = route::query(&parts.uri)?;
    let target = route::target(&parts, &query)?;
    route::check_proxied(&directory, &target)?;
    if lease::is_asked_for(&target) {
        return Err(Error::CallerForbidden(
            "this is wxgate's lease endpoint: it hands the token to callers with lease_token = true".into(),
        )
        .into());
    }
    let placeholder = route::placeholder(&directory, target.query, &Clock::default());
    route::check_confusion(&target, &placeholder)?;

    let call = token_call::asked(&directory, &target);
    let by_id = call.map(|call| call.id).or_else(|| target.endpoint.secret_parameter().map(|_| "appid"));
    let appid = by_id.and_then(|name| query::get(target.query?, name)).filter(|appid| !appid.is_empty());
    let placeholder = if call.is_some() { Placeholder::Absent } else { placeholder };
    let named = Named { appid: appid.as_deref(), ..Named::new(&target, &parts.headers, placeholder)? };
    let authorizer = Authorizer::assumed(&directory, &named, options, tokens);

    let visits: Vec<_> = visitors(&directory, &named)
        .map(|caller| {
            let seen = visit(&directory, caller, method, &target, &named, authorizer.clone(), call);
            (caller.map(|caller| Arc::clone(&caller.name)), seen)
        })
        .collect();
    let first = visits.iter().find_map(|(_, seen)| seen.as_ref().ok());
    let endpoint = first.map_or(target.endpoint, |seen| seen.endpoint);
    let untouched = endpoint.class == CredentialClass::UserOauth;
    let brought = target.query.filter(|_| !untouched && call.is_none()).into_iter();
    let brought = brought.flat_map(query::credentials).map(|(parameter, _)| parameter.name());
    let passing: Vec<_> = visits
        .iter()
        .filter_map(|(caller, seen)| Some((caller.as_deref(), &*seen.as_ref().ok()?.settled.app)))
        .collect();
    let path = catalogue::normalise(target.path);
    let concerns = |limit: &&LimitOptions| {
        let app = |app: &str| limit.app.as_deref().is_none_or(|only| only == app);
        limit.concerns_endpoint(method, &path)
            && passing.iter().any(|(caller, of)| app(of) && limit.concerns_caller(*caller))
    };
    Ok(Explanation {
        limits: options.limits.iter().filter(concerns).cloned().collect(),
        prefix: target.prefix.map(str::to_owned),
        path: target.path.to_owned(),
        endpoint,
        removed: target.from_appid.map(|_| route::CLOUD_RUN_APP).into_iter().chain(brought).collect(),
        injected: first.map(|seen| seen.injected.clone()).unwrap_or_default(),
        issuer: first.and_then(|seen| seen.issuer),
        sent: match first {
            Some(seen) => seen.sent.clone(),
            None => call.is_none().then(|| masked(&credential::without(&target, &Wanted::Nothing))),
        },
        answer: first.and_then(|seen| seen.answer),
        visits: visits
            .into_iter()
            .map(|(caller, seen)| Visit {
                caller,
                outcome: seen.map(|seen| seen.settled).map_err(Refused::from),
            })
            .collect(),
    })
}

/// The directory of a proxy that doesn't run.
fn directory(options: &Options, tokens: &token::Options) -> Directory {
    let clock = Clock::default();
    let credentials = |name: &str| {
        let app = options.apps.iter().find(|app| &*app.token.name == name)?;
        Some(Handle::unkept(&app.token, tokens, &clock))
    };
    Directory::new(options.clone(), &[], credentials, &Names::default(), None, clock.now())
}

/// Who may be asking: everybody, or the one whom a placeholder names.
fn visitors<'d>(directory: &'d Directory, named: &Named<'d, '_>) -> impl Iterator<Item = Option<&'d Caller>> {
    let known = match &named.placeholder {
        Placeholder::Holds { known, .. } => Some(known.map(|known| known.caller)),
        Placeholder::Absent | Placeholder::Void(_) => None,
    };
    let anonymous = directory.admits_anonymous().then_some(None);
    let all = directory.callers.iter().map(Some).chain(anonymous).filter(move |_| known.is_none());
    known.into_iter().chain(all)
}

/// What becomes of one caller's request.
struct Seen {
    settled: Settled,
    endpoint: &'static Endpoint,
    injected: Vec<&'static str>,
    issuer: Option<Issuer>,
    sent: Option<String>,
    answer: Option<Own>,
}

fn visit<'d>(
    directory: &'d Directory,
    caller: Option<&'d Caller>,
    method: &Method,
    target: &Target<'_>,
    named: &Named<'d, '_>,
    authorizer: Option<Rc<Authorizer>>,
    call: Option<Asked>,
) -> Result<Seen, Error> {
    let account = route::settle_account(directory, caller, named, authorizer)?;
    let app = account.app;
    let target = target.at(&account);
    let settled = Settled {
        app: Arc::clone(&app.name),
        appid: account.authorizer.as_ref().map_or(&app.appid, |authorizer| &authorizer.appid).clone(),
        by: named_by(directory, caller, named, app),
        site: route::site(app.kind, target.endpoint),
    };
    let seen = Seen {
        settled,
        endpoint: target.endpoint,
        injected: Vec::new(),
        issuer: None,
        sent: None,
        answer: None,
    };
    if let Some(asked) = call {
        token_call::check_has(asked, &account)?;
        return Ok(Seen { answer: Some(Own::Placeholder(asked.issuer.field())), ..seen });
    }
    let wanted = super::check(caller, &account, method, &target, &UserTokens::default())?;
    match ticket::wish(&account, method, &target) {
        Some(Wish::Ticket(_)) => return Ok(Seen { answer: Some(Own::Ticket), ..seen }),
        Some(Wish::Signature(_)) => return Ok(Seen { answer: Some(Own::Signature), ..seen }),
        None => {}
    }
    let (injected, issuer, request) = match &wanted {
        Wanted::Token(kept) => {
            let now = Clock::default().now();
            let mask =
                Token { value: Arc::new(Secret::new(MASK)), generation: 1, fetched_at: now, expires_at: now };
            let request = credential::inject(&target, kept.param, &mask);
            (vec![kept.param.name()], Some(kept.issuer), request)
        }
        Wanted::Secret([(id, _), (secret, _)]) => {
            (vec![*secret, *id], None, credential::without(&target, &wanted))
        }
        Wanted::Nothing | Wanted::AsSent => (Vec::new(), None, credential::without(&target, &wanted)),
    };
    Ok(Seen { injected, issuer, sent: Some(masked(&request)), ..seen })
}

fn named_by(directory: &Directory, caller: Option<&Caller>, named: &Named<'_, '_>, app: &App) -> NamedBy {
    let only = caller.and_then(|caller| caller.only_app(directory));
    match named {
        Named { prefix: Some(_), .. } => NamedBy::Prefix,
        Named { from_appid: Some(_), .. } => NamedBy::FromAppid,
        Named { appid: Some(_), .. } => NamedBy::Appid,
        Named { placeholder: Placeholder::Holds { .. }, .. } => NamedBy::Placeholder,
        _ if only.is_some_and(|only| std::ptr::eq(only, app)) => NamedBy::OnlyApp,
        _ => NamedBy::Default,
    }
}

/// What reaches WeChat, fit to be printed.
fn masked(injected: &Injected) -> String {
    let text = String::from_utf8_lossy(&injected.path_and_query);
    let Some((path, query)) = text.split_once('?') else { return text.into_owned() };
    let mask = |parameter: &str| {
        let secret = query::credentials(parameter).next().is_some()
            || ["secret", "appsecret", "refresh_token"]
                .iter()
                .any(|name| query::get(parameter, name).is_some());
        match parameter.split_once('=') {
            Some((name, _)) if secret => format!("{name}={MASK}"),
            _ => parameter.to_owned(),
        }
    };
    let query: Vec<_> = query.split('&').map(mask).collect();
    format!("{path}?{}", query.join("&"))
}
