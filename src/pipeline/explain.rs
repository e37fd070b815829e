//! What the pipeline would do with a request, told without sending it: the same plan, caller by
//! caller.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

use http::header::HOST;
use http::{HeaderMap, HeaderValue, Method, Request, Version};

use super::act::{self, Injected};
use super::code::Code;
use super::directory::{Authenticated, Caller, Directory};
use super::error::{self, Error};
use super::options::{ErrorStatus, Options};
pub use super::plan::NamedBy;
use super::plan::{
    Authorizer, BodyFields, CredentialPlan, Draft, Facts, Head, Identity, Opening, Placeholder, Plan,
    RequestTarget, Then, TicketUse, may_be_for, split_prefix,
};
use super::user_tokens::UserTokens;
use crate::message::credential::ends_a_name;
use crate::message::query;
use crate::observe::clock::Clock;
use crate::observe::names::Names;
use crate::quota::limit::LimitOptions;
use crate::secret::Secret;
use crate::server::Peer;
use crate::texts::{Words, words};
use crate::token::{self, Handle, Token};
use crate::upstream::Site;
use crate::wechat::Issuer;
use crate::wechat::catalogue::{self, Endpoint};

/// How often one request is sent again at most, after its token was rejected.
pub const MOST_REPLAYS: u32 = act::MOST_REPLAYS;
/// So many bytes of a response are looked through for an errcode.
pub const LONGEST_ERROR: u64 = act::LONGEST_ERROR as u64;

/// Explained requests come from this machine.
const PEER: Peer = Peer::Tcp(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0));
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
    /// wxgate responds by itself, whoever the caller is: there are no visits.
    pub greets: bool,
    /// What comes of it, caller by caller.
    pub visits: Vec<Visit>,
    /// The limits that apply to it, whichever of the callers sends it.
    pub limits: Vec<LimitOptions>,
}

/// The request, sent by one caller.
#[derive(Clone, Debug)]
pub struct Visit {
    /// As the hosts of the app know it, as far as that was settled.
    pub endpoint: &'static Endpoint,
    /// Who; none is anybody without a key.
    pub caller: Option<Arc<str>>,
    /// What is done with it, or why it is refused.
    pub outcome: Result<Settled, Refused>,
}

/// What is done with a request that isn't refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The app's name.
    pub app: Arc<str>,
    /// Its appid, or that of the account for which it acts.
    pub appid: Arc<str>,
    /// What named it.
    pub by: NamedBy,
    /// Whose hosts it is sent to.
    pub site: Site,
    /// As the app's hosts know it.
    pub endpoint: &'static Endpoint,
    /// Who responds.
    pub answered_by: AnsweredBy,
}

/// Who responds to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnsweredBy {
    /// WeChat.
    Wechat(Sent),
    /// The proxy by itself, with this.
    Local(LocalResponse),
}

/// What reaches WeChat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Path and query, credentials masked.
    pub path_and_query: String,
    /// Names of what is taken out of the query, in its order.
    pub removed: Vec<&'static str>,
    /// The parameters that credentials are put into.
    pub injected: Vec<&'static str>,
    /// Who issued the token among them; none for a secret.
    pub issuer: Option<Issuer>,
    /// It is signed and encrypted, and the query's other parameters go into the body.
    pub signed: bool,
}

impl Explanation {
    /// What is done for the first caller who isn't refused.
    pub fn settled(&self) -> Option<&Settled> {
        self.visits.iter().find_map(|visit| visit.outcome.as_ref().ok())
    }
}

impl Settled {
    /// What reaches WeChat; nothing if wxgate responds by itself.
    pub fn sent(&self) -> Option<&Sent> {
        match &self.answered_by {
            AnsweredBy::Wechat(sent) => Some(sent),
            AnsweredBy::Local(_) => None,
        }
    }
}

/// What wxgate responds with by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalResponse {
    /// A placeholder, under this name.
    Placeholder(&'static str),
    /// The real token, which this caller may lease.
    Lease,
    /// A ticket that it keeps.
    Ticket,
    /// A page's signature, by such a ticket.
    Signature,
}

/// The proxy's own error response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// HTTP status.
    pub status: u16,
    /// The proxy's word for it; none where the response poses as WeChat's.
    pub code: Option<&'static str>,
    /// As `errcode` in the body.
    pub errcode: i64,
    /// Why, for people.
    pub reason: Words,
}

impl Refused {
    /// Where these `statuses` hold.
    fn new(error: &Error, statuses: ErrorStatus) -> Self {
        let view = error.view();
        Self {
            status: error.status(statuses).as_u16(),
            code: view.code.map(Code::as_str),
            errcode: view.errcode,
            reason: Words::of(|| error.to_string()),
        }
    }
}

/// A request for `target`, a path with or without query, with no header but `Host: localhost`.
///
/// # Errors
/// The target can't be one of a request.
pub fn request(method: &Method, target: &str) -> Result<Request<()>, Refused> {
    let request = Request::builder()
        .method(method)
        .uri(target)
        .version(Version::HTTP_11)
        .header(HOST, HeaderValue::from_static("localhost"))
        .body(());
    let bad = |_| Error::BadRequest(words!("this is not a valid HTTP/1.1 request target"));
    request.map_err(bad).map_err(|error| Refused::new(&error, ErrorStatus::HTTP))
}

/// What would become of `request` under `options`. It is taken to come from this machine, and from
/// each of the callers that it can be of: its headers show no key.
///
/// # Errors
/// Why the request is refused, whichever caller sends it: its request line, or what it says as a
/// token
/// call.
pub fn explain(
    options: &Options,
    tokens: &token::Options,
    request: Request<()>,
) -> Result<Explanation, Refused> {
    let directory = directory(options, tokens);
    let (user_tokens, clock) = (UserTokens::default(), Clock::default());
    let facts = Facts { directory: &directory, user_tokens: &user_tokens, clock: &clock };
    let (parts, ()) = request.into_parts();
    let (_, path) = split_prefix(parts.uri.path());
    let statuses = error::statuses(options.error_status, &parts.method, path);
    let refused = |identity: &Identity, error| Refused::new(&identity.refusal(error), statuses);
    let head = Head::read(&parts);
    let mut identity = Identity::default();
    let opening = Opening::read(facts, &head, PEER, &mut identity);
    let opening = opening.map_err(|error| refused(&identity, error))?;
    let target = opening.target;
    if opening.greeting.is_some() {
        return Ok(Explanation {
            prefix: target.prefix.map(str::to_owned),
            path: target.path.to_owned(),
            endpoint: target.endpoint,
            greets: true,
            visits: Vec::new(),
            limits: Vec::new(),
        });
    }
    let fields = opening.fields(b"", true).map_err(|error| refused(&identity, error))?;

    let visits: Vec<_> = visitors(&facts, &target, &parts.headers)
        .into_iter()
        .map(|(caller, shown)| {
            let mut identity = identity;
            let outcome = visit(&opening.shown_by(shown), &fields, &mut identity, options, tokens);
            Visit {
                endpoint: identity.endpoint.unwrap_or(target.endpoint),
                caller: caller.map(|caller| Arc::clone(&caller.name)),
                outcome: outcome.map_err(|error| refused(&identity, error)),
            }
        })
        .collect();
    let passing: Vec<_> = visits
        .iter()
        .filter_map(|visit| Some((visit.caller.as_deref(), &*visit.outcome.as_ref().ok()?.app)))
        .collect();
    let limits = limits(options, &parts.method, target.path, &passing);
    let told = visits.iter().find(|visit| visit.outcome.is_ok()).or_else(|| visits.first());
    Ok(Explanation {
        prefix: target.prefix.map(str::to_owned),
        path: target.path.to_owned(),
        endpoint: told.map_or(target.endpoint, |visit| visit.endpoint),
        greets: false,
        visits,
        limits,
    })
}

/// The directory of a proxy that doesn't run.
fn directory(options: &Options, tokens: &token::Options) -> Directory {
    let clock = Clock::default();
    let credentials = |name: &str| {
        let app = options.apps.iter().find(|app| &*app.token.name == name)?;
        Some(Handle::without_task(&app.token, tokens, &clock))
    };
    Directory::new(options.clone(), &[], credentials, &Names::default(), None, clock.now())
}

/// Who may be asking, and with whose key: each caller, or the one whom a placeholder names, who
/// needs none.
fn visitors<'d>(
    facts: &Facts<'d>,
    target: &RequestTarget<'_>,
    headers: &HeaderMap,
) -> Vec<(Option<&'d Caller>, Option<Authenticated<'d>>)> {
    if let Ok(Placeholder::Holds { caller, .. }) = Placeholder::read(facts, target, Some(headers)) {
        return vec![(caller.map(|caller| caller.who), None)];
    }
    let anonymous = facts.directory.admits_anonymous().then_some((None, None));
    let callers = facts.directory.callers.iter().map(|caller| (Some(caller), caller.authenticated()));
    callers.chain(anonymous).collect()
}

/// What becomes of one caller's request.
fn visit(
    opening: &Opening<'_, '_>,
    fields: &BodyFields<'_>,
    identity: &mut Identity,
    options: &Options,
    tokens: &token::Options,
) -> Result<Settled, Error> {
    let draft = opening.caller(fields, identity)?;
    let account = draft.account(assumed(&draft, options, tokens))?;
    let plan = draft.plan(&account, identity)?;
    let app = account.app;
    Ok(Settled {
        app: Arc::clone(&app.name),
        appid: account.authorizer.as_ref().map_or(&app.appid, |authorizer| &authorizer.appid).clone(),
        by: account.named_by,
        site: account.site(plan.target.endpoint),
        endpoint: plan.target.endpoint,
        answered_by: answered_by(&plan),
    })
}

/// The account that a request means, taken to have authorised the platform that it names, else the
/// first; without a task that keeps its token.
fn assumed(draft: &Draft<'_, '_>, options: &Options, tokens: &token::Options) -> Option<Rc<Authorizer>> {
    let directory = draft.directory();
    let name = Authorizer::name_in(directory, draft.hints())?;
    let (appid, platform) = Authorizer::parts(&name);
    // Few corpids look like appids.
    let platforms = directory.platforms(platform).filter(|app| may_be_for(app, appid));
    let platforms = platforms.filter(|app| draft.hints().may_mean(app));
    let platform = platforms.min_by_key(|app| !app.kind.is_platform())?;
    let app = options.apps.iter().find(|app| app.token.name == platform.name)?;
    let (_, token) = Handle::without_task(&app.token, tokens, &Clock::default()).into_iter().next()?;
    Some(Rc::new(Authorizer { appid: appid.into(), platform: platform.index, token }))
}

fn answered_by(plan: &Plan<'_>) -> AnsweredBy {
    AnsweredBy::Local(match &plan.then {
        Then::Forward(credential) => return AnsweredBy::Wechat(sent(&plan.target, credential)),
        Then::Placeholder(asked) => LocalResponse::Placeholder(asked.issuer.field()),
        Then::Authorization(_) => LocalResponse::Placeholder(plan.account.app.acts_by().field()),
        Then::Lease(_) => LocalResponse::Lease,
        Then::Ticket(TicketUse::HandOut(_)) => LocalResponse::Ticket,
        Then::Ticket(TicketUse::Sign(..)) => LocalResponse::Signature,
    })
}

fn sent(whole: &RequestTarget<'_>, credential: &CredentialPlan<'_>) -> Sent {
    let signed = matches!(credential, CredentialPlan::Token(token) if token.signing.is_some());
    let target = if signed { &whole.without_query() } else { whole };
    let (injected, issuer, request) = match credential {
        CredentialPlan::Token(token) => {
            let now = Clock::default().now();
            let mask =
                Token { value: Arc::new(Secret::new(MASK)), generation: 1, fetched_at: now, expires_at: now };
            (vec![token.param.name()], Some(token.issuer), act::inject(target, token.param, &mask))
        }
        CredentialPlan::Secret([(id, _), (secret, _)]) => {
            (vec![*secret, *id], None, act::without(target, credential))
        }
        CredentialPlan::Nothing | CredentialPlan::AsSent => {
            (Vec::new(), None, act::without(target, credential))
        }
    };
    let untouched = matches!(credential, CredentialPlan::AsSent);
    let brought = whole.query.filter(|_| !untouched).into_iter().flat_map(query::credentials);
    let brought = brought.map(|(parameter, _)| parameter.name());
    let removed = target.from_appid.map(|_| query::CLOUD_RUN_APP).into_iter().chain(brought).collect();
    Sent { path_and_query: masked(&request), removed, injected, issuer, signed }
}

/// The limits that apply to one of the callers that are let through to the app named with them.
fn limits(
    options: &Options,
    method: &Method,
    path: &str,
    passing: &[(Option<&str>, &str)],
) -> Vec<LimitOptions> {
    let path = catalogue::normalise(path);
    let applies = |limit: &&LimitOptions| {
        let app = |app: &str| limit.app.as_deref().is_none_or(|only| only == app);
        limit.concerns_endpoint(method, &path)
            && passing.iter().any(|(caller, of)| app(of) && limit.concerns_caller(*caller))
    };
    options.limits.iter().filter(applies).cloned().collect()
}

/// What reaches WeChat, fit to be printed.
fn masked(injected: &Injected) -> String {
    let text = String::from_utf8_lossy(&injected.path_and_query);
    let Some((path, query)) = text.split_once('?') else { return text.into_owned() };
    let mask = |parameter: &str| {
        let secret = query::credentials(parameter).next().is_some()
            || query::secrets(parameter).next().is_some()
            || query::get(parameter, "refresh_token").is_some();
        // A device's token too, of which wxgate knows no more than the name.
        match parameter.split_once('=') {
            Some((name, _)) if secret || ends_a_name(name) => format!("{name}={MASK}"),
            _ => parameter.to_owned(),
        }
    };
    let query: Vec<_> = query.split('&').map(mask).collect();
    format!("{path}?{}", query.join("&"))
}
