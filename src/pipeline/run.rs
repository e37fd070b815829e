//! A request's way through a worker: [`Worker::run`].

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::Response as HttpResponse;
use http_body::Body as _;
use hyper::body::Incoming;

use super::act::{
    self, BodyStart, Exchanged, Injected, Memory, Reservation, Sending, Signing, greeting, lease,
    placeholder, ticket,
};
use super::authorizers::Authorizers;
use super::error::Error;
use super::gate::Gate;
use super::inflight::{ExactPlaces, Full, Party, Place, enter};
use super::lanes::{Hatch, Job, LaneFuture, Lanes};
use super::permit;
use super::plan::{AuthInfo, BodyFields, CredentialPlan, Facts, Head, Opening, Plan, RequestTarget, Then};
use super::report::{Ids, Report, Reporter};
use super::snapshot::WorkerSnapshot;
use crate::message::body::{Body, ObservedBody};
use crate::observe::access_log::AccessLog;
use crate::observe::names::ANONYMOUS;
use crate::observe::trace::Tracer;
use crate::secret::Secret;
use crate::server::{Handler, Peer, Refusal, Request, Response};
use crate::texts::marked;
use crate::upstream::Gauges;
use crate::wechat::errcode::Proof;

/// One worker's pipeline.
#[derive(Debug)]
pub struct Pipeline {
    worker: Rc<Worker>,
    lanes: Lanes,
}

/// Serves a worker's requests.
#[derive(Debug)]
struct Worker {
    gate: Arc<Gate>,
    current: RefCell<Rc<WorkerSnapshot>>,
    /// The gate's count of reloads when that was taken.
    followed: Cell<u64>,
    authorizers: Authorizers,
    gauges: Arc<Gauges>,
    memory: Arc<Memory>,
    reporter: Rc<Reporter>,
}

impl Pipeline {
    /// The pipeline of `worker`, whose connections to WeChat `gauges` is told of. Made on the
    /// worker's own thread.
    pub fn new(gate: Arc<Gate>, gauges: Arc<Gauges>, log: &AccessLog, tracer: Tracer, worker: usize) -> Self {
        let reporter = Reporter {
            metrics: Arc::clone(&gate.metrics),
            quota: gate.quota.clone(),
            log: log.shard(worker),
            tracer,
            worker,
            clock: gate.clock.clone(),
            places: gate.turns.of_worker(),
            turns: Arc::clone(&gate.turns),
            ids: Ids::default(),
        };
        let worker = Worker {
            // Read first: a reload between the two is followed once more.
            followed: Cell::new(gate.reloads.load(Ordering::Acquire)),
            current: RefCell::new(Rc::new(WorkerSnapshot::new(gate.snapshot.load_full()))),
            authorizers: Authorizers::default(),
            gauges,
            memory: Arc::clone(&gate.memory),
            reporter: Rc::new(reporter),
            gate,
        };
        Self { worker: Rc::new(worker), lanes: Lanes::default() }
    }

    fn answer(&self, request: Request, peer: Peer, late: bool) -> LaneFuture<'_> {
        let job = Job { request, peer, late };
        self.lanes.answer(job, |hatch| Rc::clone(&self.worker).serve(hatch))
    }
}

impl Worker {
    /// Serves what comes through `hatch`, one request after the other.
    async fn serve(self: Rc<Self>, hatch: Rc<Hatch>) -> Infallible {
        loop {
            let Job { request, peer, late } = hatch.next().await;
            hatch.answer(self.respond(request, peer, late).await);
        }
    }

    /// Runs a request and reports it; one that is `late` is responded to here.
    async fn respond(&self, request: Request, peer: Peer, late: bool) -> Response {
        let snapshot = self.snapshot();
        let (parts, body) = request.into_parts();
        let head = Head::read(&parts);
        let mut report = Report::open(&self.reporter, Rc::clone(&snapshot), &head, peer);
        let decided = self.run(&snapshot, &head, body, peer, late, &mut report).await;
        if let Err(error) = &decided
            && let Some(abuse) = report.identity.abuse(error)
        {
            report.leave();
            let held = self.gate.tarpit.hold(abuse, report.remote(), &snapshot.options.trusted_proxies);
            // Boxed, since it is rare.
            Box::pin(held).await;
        }
        let mut response = report.deliver(decided, &parts.headers, snapshot.options.error_status);
        *response.body_mut() = match std::mem::take(response.body_mut()) {
            // The report follows it to its end.
            Body::Stream(stream) => Body::stream(ObservedBody::new(stream, report)),
            whole @ (Body::Empty | Body::Full(_)) => {
                report.sends(&whole);
                whole
            }
        };
        response
    }

    /// Runs a request through the pipeline: plan, permit, act. Returns the response or the error;
    /// `respond` reports either.
    async fn run(
        &self,
        snapshot: &WorkerSnapshot,
        head: &Head<'_>,
        mut body: Incoming,
        peer: Peer,
        late: bool,
        report: &mut Report,
    ) -> Result<Response, Error> {
        let gate = &*self.gate;
        let facts = Facts { directory: snapshot, user_tokens: &gate.user_tokens, clock: &gate.clock };
        let opening = Opening::read(facts, head, peer, &mut report.identity)?;
        if let Some(greeting) = opening.greeting {
            return Ok(greeting::answer(greeting, gate.status_page.get(), peer));
        }
        if late {
            return Err(Error::Draining);
        }
        if !report.has_place {
            return Err(Full::Process.into());
        }
        let (start, strangers) = match opening.reads_ahead(body.is_end_stream()) {
            // Boxed, since few requests have a body that must be read first.
            Some(ahead) => {
                report.turn(Party::UNKNOWN, None).await?;
                let known = opening.is_shown();
                let limit = snapshot.options.max_body;
                Box::pin(self.read_start(&mut body, ahead, known, limit)).await?
            }
            None => (None, None),
        };
        let fields = match &start {
            Some(start) => opening.fields(&start.bytes, start.whole)?,
            None => BodyFields::default(),
        };
        let draft = opening.caller(&fields, &mut report.identity)?;
        // No stranger's any more.
        drop(strangers);
        let authorizer = self.authorizers.find(snapshot, &gate.manager, draft.hints()).await?;
        let account = draft.account(authorizer)?;
        let plan = draft.plan(&account, &mut report.identity)?;
        report.turn(party(&plan), account.app.places.as_ref()).await?;
        match &plan.then {
            Then::Forward(credential) => {
                permit::admit(&plan, gate.limits.slow(), &mut report.observed)?;
                let (form, code) = match &fields.auth_info {
                    Some(call) => self.auth_info(&plan, call).await?,
                    None => (act::form(&plan.target, credential), None),
                };
                let start = start.as_ref().map(|start| start.replaced(form).holding(code));
                self.forward(snapshot, &plan, credential, start, body, report).await
            }
            Then::Placeholder(asked) => {
                Ok(placeholder::answer(asked, plan.account, plan.caller, gate.clock.now()))
            }
            Then::Authorization(code) => {
                // Unlike other token calls it reaches WeChat.
                permit::admit(&plan, gate.limits.slow(), &mut report.observed)?;
                let now = gate.clock.now();
                let (appid, info) = match gate.manager.authorized(&account.app.name, code).await {
                    Ok(authorized) => authorized,
                    Err(failure) => {
                        report.attempts.errcode = failure.errcode;
                        return placeholder::refused(failure);
                    }
                };
                // By its app as well: it may have an app of its own here, or have authorised
                // another.
                let draft = draft.for_account(&format!("{appid}@{}", account.app.name));
                let authorizer = self.authorizers.find(snapshot, &gate.manager, draft.hints()).await?;
                let account = draft.account(authorizer)?;
                Ok(placeholder::authorization(&account, draft.caller, info, now))
            }
            Then::Lease(lease) => lease::answer(plan.account, lease, gate.clock.now()).await,
            Then::Ticket(wanted) => {
                ticket::answer(wanted, plan.account, &gate.manager, gate.clock.now()).await
            }
        }
    }

    /// The beginning of the body, if all of it is no longer than `limit`; and what it takes of the
    /// memory for strangers, unless its caller is `known`.
    async fn read_start(
        &self,
        body: &mut Incoming,
        ahead: usize,
        known: bool,
        limit: u64,
    ) -> Result<(Option<BodyStart>, Option<Reservation>), Error> {
        if body.size_hint().lower() > limit {
            return Err(Error::BodyTooLarge { limit });
        }
        if known {
            return Ok((Some(act::read_start(body, ahead).await?), None));
        }
        let _place = place(
            self.gate.strangers.as_ref(),
            marked!(
                "too many bodies of unknown callers are being read (server.max_inflight): send the key in a \
                 header"
            ),
        )?;
        let read = act::read_strangers_start(body, ahead, &self.memory, &self.gate.clock).await;
        read.map(|(start, reservation)| (Some(start), Some(reservation)))
    }

    /// The body of the call that takes a company's permanent code, and that code, if it is kept.
    async fn auth_info(
        &self,
        plan: &Plan<'_>,
        call: &AuthInfo,
    ) -> Result<(Option<Vec<u8>>, Option<Arc<Secret>>), Error> {
        let code = self.gate.manager.permanent_code(&plan.account.app.name, &call.corporation).await?;
        Ok((call.with(code.as_deref())?, code))
    }

    /// Sends the request to WeChat with `credential`, and tells those who watch what came of it.
    async fn forward(
        &self,
        snapshot: &WorkerSnapshot,
        plan: &Plan<'_>,
        credential: &CredentialPlan<'_>,
        start: Option<BodyStart>,
        body: Incoming,
        report: &mut Report,
    ) -> Result<Response, Error> {
        let Plan { head, ref target, account, .. } = *plan;
        let options = &snapshot.options;
        let alone;
        let (sending, target) = match credential.keys() {
            None => (Sending::prepare(head, start, body, options, &self.memory).await?, target),
            Some(keys) => {
                alone = target.without_query();
                let limit = options.replay.max_body;
                // Boxed, since few requests are signed.
                let signing = Box::pin(Signing::read(keys, &self.gate.signers, target, start, body, limit));
                let (signing, body) = signing.await?;
                (Sending::signed(head, signing, body, options), &alone)
            }
        };
        report.bytes_in = sending.length();
        let injected = inject(credential, target, &sending).await?;
        permit::spend(plan, &mut report.observed).await?;
        report.let_through(account);
        let asked_at = target.endpoint.grants.then(|| self.gate.clock.now());
        let grants = self.gate.grants.as_ref().filter(|_| target.endpoint.grants);
        let _place = place(grants, marked!("too many responses with refresh tokens are being read at once"))?;
        let pool = snapshot.pool(account.app, account.site(target.endpoint), &self.gauges);
        let exchanged =
            act::exchange(pool, target, credential, sending, injected, &mut report.attempts).await?;
        self.learn(plan, credential, &exchanged);
        match asked_at {
            None => Ok(exchanged.response),
            Some(asked_at) => {
                let (manager, now) = (&self.gate.manager, self.gate.clock.now());
                Box::pin(act::grants::keep(exchanged.response, plan, manager, asked_at, now)).await
            }
        }
    }

    /// What WeChat's response tells of limits, of users' tokens, and of the token that it was sent
    /// with.
    fn learn(&self, plan: &Plan<'_>, credential: &CredentialPlan<'_>, exchanged: &Exchanged) {
        let Exchanged { response, finding, generation, sent_at } = exchanged;
        let endpoint = plan.target.endpoint;
        permit::learn(self.gate.limits.slow(), plan, exchanged);
        if endpoint.is_of_users() && matches!(finding.errcode, None | Some(0)) {
            match response.body() {
                Body::Full(body) => self.gate.user_tokens.learn(plan.target.path, plan.target.query, body),
                Body::Empty => self.gate.user_tokens.learn(plan.target.path, plan.target.query, &[]),
                Body::Stream(_) => {}
            }
        }
        if let (CredentialPlan::Token(token), Some(generation)) = (credential, generation)
            && endpoint.evidence
            && exchanged.is_ok()
            && finding.proof(token.issuer) == Proof::Alive
        {
            token.handle.succeeded(*generation, *sent_at);
        }
    }

    /// The configuration in force.
    fn snapshot(&self) -> Rc<WorkerSnapshot> {
        let reloads = self.gate.reloads.load(Ordering::Acquire);
        let mut current = self.current.borrow_mut();
        if self.followed.replace(reloads) != reloads {
            *current = Rc::new(current.follow(self.gate.snapshot.load_full()));
            self.authorizers.forget();
        }
        Rc::clone(&current)
    }
}

fn party(plan: &Plan<'_>) -> Party {
    let caller = plan.caller.map_or(ANONYMOUS, |caller| caller.who.label);
    Party { app: plan.account.app.label, caller }
}

/// One of `places`, if they are counted; `full` says that all are taken.
fn place(places: Option<&ExactPlaces>, full: &'static str) -> Result<Option<Place>, Error> {
    enter(places).ok_or(Error::Overloaded(full))
}

/// The path and query for WeChat, with the credential that the plan says.
async fn inject(
    credential: &CredentialPlan<'_>,
    target: &RequestTarget<'_>,
    sending: &Sending<'_>,
) -> Result<Injected, Error> {
    let CredentialPlan::Token(token) = credential else { return Ok(act::without(target, credential)) };
    if sending.is_replayable() {
        if let Some(injected) = token.handle.read(|held| act::inject(target, token.param, held)) {
            return Ok(injected);
        }
        return Ok(act::inject(target, token.param, &*token.handle.obtain().await?));
    }
    // What can't be sent twice must not begin with a token that is about to end.
    let held = token.handle.obtain().await?;
    Ok(act::inject(target, token.param, &*token.handle.freshen(held).await))
}

impl Handler for Pipeline {
    fn handle(&self, request: Request, peer: Peer) -> impl Future<Output = Response> {
        self.answer(request, peer, false)
    }

    fn late(&self, request: Request, peer: Peer) -> impl Future<Output = Response> {
        self.answer(request, peer, true)
    }

    fn longest_body(&self) -> u64 {
        self.worker.gate.snapshot.load().directory.options.max_body
    }

    fn refuse(&self, refusal: Refusal, peer: Peer) -> Option<HttpResponse<Bytes>> {
        let error = Error::from(refusal);
        Some(match refusal {
            // There may be any number of these.
            Refusal::Overloaded => self.worker.reporter.turned_away(&error),
            _ => self.worker.reporter.refused(&error, peer.remote()),
        })
    }
}
