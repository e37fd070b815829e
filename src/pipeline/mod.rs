//! A request's way through the proxy. `Pipeline::run` is the one to read first.

mod access;
mod account;
mod body;
mod credential;
mod directory;
mod error;
pub mod explain;
mod forward;
mod held;
mod inspect;
mod lease;
mod limit;
mod metrics;
mod options;
mod own;
mod replay;
mod report;
mod route;
mod ticket;
mod token_call;
mod user_tokens;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::request::Parts;
use http::{Method, Response as HttpResponse, StatusCode};
use tokio::time::Instant;

use self::account::{Account, Authorizers, Kept, Wanted};
use self::body::{Memory, Outgoing};
use self::credential::Injected;
use self::directory::{Directory, Known};
use self::error::{Error, Statuses};
use self::forward::Sending;
use self::held::{Held, InForce};
use self::inspect::Finding;
pub use self::metrics::CallerRequests;
use self::metrics::Metrics;
pub use self::options::{AppOptions, CallerOptions, Options, OwnCredential, ReplayOptions};
use self::report::{Report, Reporter};
use self::route::{Named, Placeholder, Target};
use self::token_call::{Asked, TokenCall};
use self::user_tokens::UserTokens;
use crate::message::body::Body;
use crate::message::headers;
use crate::observe::access_log::AccessLog;
use crate::observe::clock::Clock;
use crate::observe::exposition::Exposition;
use crate::observe::trace::Tracer;
use crate::quota::Quota;
use crate::quota::limit::Limits;
use crate::server::{Handler, Peer, Refusal, Request, Response};
use crate::token::Manager;
use crate::upstream::{Answer, Gauges, Patience, Pool, Start, Upstream};
use crate::wechat::errcode::Proof;

/// What all workers share: the directory in force, and the counts.
pub struct Gate {
    in_force: ArcSwap<InForce>,
    metrics: Arc<Metrics>,
    memory: Arc<Memory>,
    manager: Manager,
    limits: Limits,
    user_tokens: UserTokens,
    quota: Quota,
    clock: Clock,
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate").finish_non_exhaustive()
    }
}

impl Gate {
    /// The gate for `workers` pipelines. `manager` keeps the tokens of the apps in `options`, which name their upstreams
    /// by their places in `upstreams`; `quota` counts what its callers spend, and `limits` keeps them to those in
    /// `options`.
    pub fn new(
        options: Options,
        upstreams: Vec<Arc<Upstream>>,
        manager: Manager,
        quota: Quota,
        limits: Limits,
        clock: Clock,
        workers: usize,
    ) -> Arc<Self> {
        let metrics = Arc::new(Metrics::new(workers, Arc::clone(quota.names())));
        let memory = Memory::new(options.replay.memory);
        let at_work = limits.configure(&options.limits);
        let credentials = |name: &str| manager.credentials(name);
        let directory = Directory::new(options, &at_work, credentials, quota.names(), None, clock.now());
        let in_force = ArcSwap::from_pointee(InForce { directory, upstreams });
        let user_tokens = UserTokens::default();
        Arc::new(Self { in_force, metrics, memory, manager, limits, user_tokens, quota, clock })
    }

    /// Puts other options in force, for requests that come from now on.
    pub fn reload(&self, options: Options, upstreams: Vec<Arc<Upstream>>) {
        let former = self.in_force.load();
        let now = self.clock.now();
        let credentials = |name: &str| self.manager.credentials(name);
        let names = self.quota.names();
        let limits = self.limits.configure(&options.limits);
        let directory = Directory::new(options, &limits, credentials, names, Some(&former.directory), now);
        self.in_force.store(Arc::new(InForce { directory, upstreams }));
    }

    /// What became of each caller's requests.
    pub fn callers(&self) -> Vec<CallerRequests> {
        self.metrics.callers()
    }

    /// Adds the pipeline's metrics to a scrape.
    pub fn expose(&self, out: &mut Exposition) {
        self.metrics.expose(out);
    }
}

/// One worker's pipeline.
#[derive(Debug)]
pub struct Pipeline {
    gate: Arc<Gate>,
    current: RefCell<Rc<Held>>,
    authorizers: Authorizers,
    gauges: Arc<Gauges>,
    memory: Arc<Memory>,
    reporter: Rc<Reporter>,
}

/// A request before anything is settled about it.
struct Visit<'r> {
    directory: &'r Directory,
    parts: &'r Parts,
    peer: Peer,
    target: Target<'r>,
}

/// A request with all that it goes out with.
struct Ready<'s> {
    sending: Sending<'s>,
    patience: Patience,
    injected: Injected,
}

impl Pipeline {
    /// The pipeline of `worker`, whose connections to WeChat `gauges` is told of. Made on the worker's own thread.
    pub fn new(gate: Arc<Gate>, gauges: Arc<Gauges>, log: &AccessLog, tracer: Tracer, worker: usize) -> Self {
        let reporter = Reporter {
            metrics: Arc::clone(&gate.metrics),
            quota: gate.quota.clone(),
            log: log.shard(worker),
            tracer,
            worker,
            clock: gate.clock.clone(),
        };
        Self {
            current: RefCell::new(Rc::new(Held::new(gate.in_force.load_full()))),
            authorizers: Authorizers::default(),
            gauges,
            memory: Arc::clone(&gate.memory),
            reporter: Rc::new(reporter),
            gate,
        }
    }

    /// What is in force.
    fn held(&self) -> Rc<Held> {
        let latest = self.gate.in_force.load();
        let mut current = self.current.borrow_mut();
        if !current.is(&latest) {
            *current = Rc::new(current.follow(Arc::clone(&latest)));
            self.authorizers.forget();
        }
        Rc::clone(&current)
    }

    /// Decides a request: WeChat's answer, or why there is none.
    async fn run(
        &self,
        held: &Held,
        request: Request,
        peer: Peer,
        report: &mut Report,
    ) -> Result<Response, Error> {
        let directory: &Directory = held;
        let (parts, body) = request.into_parts();
        let query = route::query(&parts.uri)?;
        let target = route::target(&parts, &query)?;
        route::check_proxied(directory, &target)?;
        report.endpoint = Some(target.endpoint);
        let by_key = route::caller_by_key(directory, &parts.headers)?;
        if let Some(asked) = token_call::asked(directory, &target) {
            let call = token_call::read(asked, target.query, body).await?;
            let visit = Visit { directory, parts: &parts, peer, target };
            return self.answer_token_call(&visit, by_key, asked, &call, report).await;
        }
        if lease::is_asked_for(&target) {
            return self.lease_token(directory, &parts, &target, by_key, report).await;
        }
        let (appid, secret) = credential::login(&target);
        let by_key = route::caller_by_secret(directory, by_key, secret.as_deref())?;
        let placeholder = route::placeholder(directory, target.query, &self.gate.clock);
        let caller = route::settle_caller(directory, by_key, &placeholder)?;
        report.admit(caller);
        if caller.is_none() {
            access::refuse_web_page(directory, &parts.headers, &target, peer)?;
        }
        route::check_confusion(&target, &placeholder)?;
        let named = Named::new(&target, &parts.headers, placeholder)?;
        let named = Named { appid: appid.as_deref(), ..named };
        let account = self.settle_account(directory, caller, &named).await?;
        let target = target.at(&account);
        report.name_account(&account, target.endpoint);
        let wanted = check(caller, &account, &parts.method, &target, &self.gate.user_tokens)?;
        if let Some(wish) = ticket::wish(&account, &parts.method, &target) {
            return ticket::answer(wish, &account, &target, self.gate.clock.now()).await;
        }
        let limits = directory.limits(caller);
        limits.check_rates(&account, &parts.method, &target, report)?;
        limit::spare(self.gate.limits.slow(), &account, &target)?;

        let sending = Sending::prepare(&parts, body, &directory.options, &self.memory).await?;
        report.bytes_in = sending.length();
        let patience = Patience::new(Rc::clone(&sending.progress), sending.timeout);
        let injected = self.inject(&wanted, &target, &sending).await?;
        limits.spend(&account, &parts.method, &target, report).await?;
        report.let_through();
        let app = account.app;
        let pool = held.pool(app, route::site(app.kind, target.endpoint), &self.gauges);
        let ready = Ready { sending, patience, injected };
        self.exchange(pool, &account, &wanted, &target, ready, report).await
    }

    /// Answers a call for a token with a placeholder.
    async fn answer_token_call(
        &self,
        visit: &Visit<'_>,
        by_key: Option<Known<'_>>,
        asked: Asked,
        call: &TokenCall,
        report: &mut Report,
    ) -> Result<Response, Error> {
        let Visit { directory, parts, peer, target } = visit;
        let placeholder = match asked.by.is_some() {
            true => route::placeholder(directory, target.query, &self.gate.clock),
            false => Placeholder::Absent,
        };
        let known = match &placeholder {
            Placeholder::Holds { known, .. } => by_key.or(*known),
            Placeholder::Void(reason) if by_key.is_none() => return Err(Error::PlaceholderExpired(reason)),
            _ => token_call::caller(directory, by_key, call)?,
        };
        let caller = known.map(|known| known.caller);
        report.admit(caller);
        if caller.is_none() {
            access::refuse_web_page(directory, &parts.headers, target, *peer)?;
        }
        let named = Named::new(target, &parts.headers, placeholder)?;
        let several =
            call.appid.as_deref().filter(|id| directory.app(id).is_none() && directory.has_appid(id));
        let appid =
            call.authorizer.as_deref().or_else(|| call.appid.as_deref().filter(|_| several.is_none()));
        let named = Named { appid, ..named };
        let account = self.settle_account(directory, caller, &named).await?;
        if call.appid.as_deref().is_some_and(|id| !account.is_meant_by(id)) {
            return Err(Error::BadRequest("the call is for another app than the request names".into()));
        }
        report.name_account(&account, target.endpoint);
        token_call::check_has(asked, &account)?;
        let now = self.gate.clock.now();
        match &call.code {
            Some(code) => match self.gate.manager.authorized(&account.app.name, code).await {
                Ok((appid, info)) => {
                    let named = Named { appid: Some(&appid), ..named };
                    let account = self.settle_account(directory, caller, &named).await?;
                    Ok(token_call::authorization(&account, known, info, now))
                }
                Err(failure) => Ok(token_call::refused(&failure)),
            },
            None => Ok(token_call::answer(asked, &account, known, now)),
        }
    }

    /// Hands the account's token to a caller that may have it.
    async fn lease_token(
        &self,
        directory: &Directory,
        parts: &Parts,
        target: &Target<'_>,
        by_key: Option<Known<'_>>,
        report: &mut Report,
    ) -> Result<Response, Error> {
        let known = lease::permit(by_key, &parts.method, !directory.callers.is_empty())?;
        report.admit(Some(known.caller));
        let named = Named::new(target, &parts.headers, Placeholder::Absent)?;
        let account = self.settle_account(directory, Some(known.caller), &named).await?;
        report.name_account(&account, target.endpoint);
        lease::answer(&account, target, self.gate.clock.now()).await
    }

    async fn settle_account<'d>(
        &self,
        directory: &'d Directory,
        caller: Option<&'d directory::Caller>,
        named: &Named<'d, '_>,
    ) -> Result<Account<'d>, Error> {
        let authorizer = self.authorizers.find(directory, &self.gate.manager, named).await?;
        route::settle_account(directory, caller, named, authorizer)
    }

    /// Sends the request, and again with another token where WeChat rejects the one it had.
    async fn exchange(
        &self,
        pool: &Rc<Pool<Outgoing>>,
        account: &Account<'_>,
        wanted: &Wanted<'_>,
        target: &Target<'_>,
        ready: Ready<'_>,
        report: &mut Report,
    ) -> Result<Response, Error> {
        let Ready { mut sending, patience, mut injected } = ready;
        let mut replayed_alive = false;
        loop {
            let generation = injected.generation;
            report.generation = generation;
            let sent_at = Instant::now();
            let attempt = attempt(pool, target, injected.path_and_query, &mut sending, &patience).await;
            report.attempted(sent_at, &attempt);
            let (mut answer, finding) = attempt?;
            report.errcode = finding.errcode;
            report.rid.clone_from(&finding.rid);
            let taken = answer.status == StatusCode::OK;
            limit::heed(self.gate.limits.slow(), account, target, taken, finding.errcode);
            if target.endpoint.is_of_users()
                && let (Start::Whole(bytes), None | Some(0)) = (&finding.start, finding.errcode)
            {
                self.gate.user_tokens.learn(target.path, target.query, bytes);
            }
            if answer.status.is_redirection() && !matches!(wanted, Wanted::AsSent) {
                credential::conceal(&mut answer.headers, target.endpoint);
            }
            let (Wanted::Token(kept), Some(generation)) = (wanted, generation) else {
                return Ok(respond(answer, finding.start));
            };
            let proof = finding.proof(kept.issuer);
            if proof != Proof::Dead {
                if proof == Proof::Alive && target.endpoint.evidence && answer.status == StatusCode::OK {
                    kept.handle.succeeded(generation, sent_at);
                }
                return Ok(respond(answer, finding.start));
            }
            let rejection = replay::rejection(generation, target, &finding, sent_at, replayed_alive);
            let wechats_own = respond(answer, finding.start);
            if report.replays > 0 {
                report.rejected();
            }
            let verdict = kept.handle.rejected(rejection).await;
            let may = sending.is_replayable() && report.replays < replay::MOST;
            match replay::decide(verdict, may, &patience).await? {
                replay::Decision::PassOn => return Ok(wechats_own),
                replay::Decision::Again { with, alive } => {
                    replayed_alive = alive;
                    injected = credential::inject(target, kept.param, &with);
                    report.replay();
                }
            }
        }
    }

    /// The path and query for WeChat, with the credential that the endpoint wants.
    async fn inject(
        &self,
        wanted: &Wanted<'_>,
        target: &Target<'_>,
        sending: &Sending<'_>,
    ) -> Result<Injected, Error> {
        let Wanted::Token(Kept { handle, param, .. }) = *wanted else {
            return Ok(credential::without(target, wanted));
        };
        if sending.is_replayable() {
            if let Some(injected) = handle.read(|token| credential::inject(target, param, token)) {
                return Ok(injected);
            }
            return Ok(credential::inject(target, param, &*handle.obtain().await?));
        }
        // What can't be sent twice must not begin with a token that is about to end.
        let token = handle.obtain().await?;
        Ok(credential::inject(target, param, &*handle.freshen(token).await))
    }
}

/// One attempt: sends the request and finds out what the answer is.
async fn attempt(
    pool: &Rc<Pool<Outgoing>>,
    target: &Target<'_>,
    path_and_query: Bytes,
    sending: &mut Sending<'_>,
    patience: &Patience,
) -> Result<(Answer<Outgoing>, Finding), Error> {
    let mut answer = forward::send(pool, sending, path_and_query, patience, target.endpoint).await?;
    let finding = inspect::inspect(&mut answer, target.endpoint).await?;
    Ok((answer, finding))
}

/// Everything that a request can be refused for once caller and account are settled; else what it gets.
fn check<'a>(
    caller: Option<&directory::Caller>,
    account: &'a Account<'_>,
    method: &Method,
    target: &Target<'_>,
    user_tokens: &UserTokens,
) -> Result<Wanted<'a>, Error> {
    access::permit(caller, method, target)?;
    let wanted = account.wanted(target.endpoint)?;
    credential::check_own(account.app, &wanted, target, user_tokens)?;
    Ok(wanted)
}

/// WeChat's answer for the caller.
fn respond(mut answer: Answer<Outgoing>, start: Start) -> Response {
    let mut response = HttpResponse::new(Body::Empty);
    *response.status_mut() = answer.status;
    let mut headers = std::mem::take(&mut answer.headers);
    headers::response(&mut headers);
    *response.headers_mut() = headers;
    *response.body_mut() = match start {
        Start::Whole(bytes) => {
            answer.finish();
            Body::from(bytes)
        }
        Start::Part(bytes) => Body::stream(answer.into_stream(bytes)),
    };
    response
}

impl Handler for Pipeline {
    /// Runs a request and reports it.
    async fn handle(&self, request: Request, peer: Peer) -> Response {
        let held = self.held();
        let mut report = Report::open(&self.reporter, Rc::clone(&held), &request);
        let decided = self.run(&held, request, peer, &mut report).await;
        report.deliver(decided, Statuses::of(&held.options))
    }

    fn refuse(&self, refusal: Refusal, _peer: Peer) -> Option<HttpResponse<Bytes>> {
        let error = Error::from(refusal);
        Some(self.reporter.refused(&error, Statuses::of(&self.held().options)))
    }
}
