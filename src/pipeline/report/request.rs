//! The one place where a request is counted and logged, however it ended.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderName, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Uri};
use tokio::time::Instant;

use super::ids::Ids;
use super::metrics::{Counts, MOST_SERIES, Metrics, OTHER_CODE, Replayed, RequestKey, Source, label};
use super::refusals::{self, Example, Reason};
use super::trouble::{Ended, kind_of};
use crate::message::body::{Body, Broken, Observer};
use crate::message::headers;
use crate::message::traceparent::Traceparent;
use crate::observe::access_log::{Entry, Shard};
use crate::observe::chain::Chain;
use crate::observe::clock::{Clock, Timestamp};
use crate::observe::exemplar::Exemplar;
use crate::observe::names::{ANONYMOUS, OTHER};
use crate::observe::remote::Remote;
use crate::observe::trace::{Parent, Summary, Tracer};
use crate::pipeline::act::Attempts;
use crate::pipeline::code::Code;
use crate::pipeline::directory::{App, Caller, Directory};
use crate::pipeline::error::{self, Error};
use crate::pipeline::inflight::{ExactPlaces, Party, Place, Turns, WorkersPlaces};
use crate::pipeline::options::ErrorStatus;
use crate::pipeline::permit::Observed;
use crate::pipeline::plan::{APP_HEADER, Account, Head, Identity, split_prefix};
use crate::pipeline::snapshot::WorkerSnapshot;
use crate::quota::{Call, Outcome, Quota};
use crate::server::{Peer, Response};
use crate::texts::{Words, marked, translated};
use crate::trouble::Kind;
use crate::wechat::placeholder;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const EXPLAIN: HeaderName = HeaderName::from_static("x-wxgate-explain");
const EXPLAIN_ENDPOINT: HeaderName = HeaderName::from_static("x-wxgate-endpoint");
const EXPLAIN_GENERATION: HeaderName = HeaderName::from_static("x-wxgate-token-generation");
const EXPLAIN_REPLAYS: HeaderName = HeaderName::from_static("x-wxgate-replays");
const EXPLAIN_UPSTREAM: HeaderName = HeaderName::from_static("x-wxgate-upstream-ms");

/// nginx's status for a caller that hung up before its response; never sent.
const HUNG_UP: u16 = 499;
/// A body no longer than this goes out at once, so that what is waited for is WeChat.
const AT_ONCE: u64 = 16 * 1024;

/// Where a worker reports to.
#[derive(Debug)]
pub(crate) struct Reporter {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) quota: Quota,
    pub(crate) log: Shard,
    pub(crate) tracer: Tracer,
    pub(crate) worker: usize,
    pub(crate) clock: Clock,
    pub(crate) places: WorkersPlaces,
    pub(crate) turns: Arc<Turns>,
    pub(crate) ids: Ids,
}

impl Reporter {
    /// Responds to a connection over the limit, and counts it. No request came on it, so the access
    /// log has no line for it.
    pub(crate) fn turned_away(&self, error: &Error) -> http::Response<Bytes> {
        let mut answer = error.response(ErrorStatus::HTTP, "");
        let view = error.view();
        let status = answer.status().as_u16();
        self.metrics.counts.with(self.worker, |counts| {
            let errcode = label(Some(view.errcode));
            let key = RequestKey { app: OTHER, endpoint: 0, status, errcode, source: Source::Wxgate };
            *counts.requests.entry(key).or_default() += 1;
            if let Some(code) = view.code {
                *counts.refused.entry((OTHER, ANONYMOUS, code)).or_default() += 1;
            }
            let nobody = Reason {
                app: OTHER,
                caller: OTHER,
                endpoint: 0,
                code: view.code,
                errcode: view.errcode,
                failed: false,
                various: false,
            };
            refusals::count(&mut counts.refusals, nobody, || Example {
                method: "-".to_owned(),
                path: "-".to_owned(),
                why: Words::of(|| error.to_string()),
            });
        });
        answer.headers_mut().insert(REQUEST_ID, self.ids.next());
        answer
    }

    /// Responds to, counts and logs what never became a request: its sender is not an SDK for
    /// WeChat, so it has a status of its own.
    pub(crate) fn refused(&self, error: &Error, remote: Remote) -> http::Response<Bytes> {
        let answer = self.turned_away(error);
        let view = error.view();
        let code = view.code;
        let request_id = answer.headers().get(REQUEST_ID);
        self.log.write(&Entry {
            time: self.clock.now(),
            remote: Some(remote),
            method: "-",
            path: "-",
            status: answer.status().as_u16(),
            errcode: Some(view.errcode),
            source: Source::Wxgate.as_str(),
            request_id: request_id.and_then(|id| id.to_str().ok()).unwrap_or_default(),
            code: code.map(Code::as_str),
            cause: Some(&error.to_string()),
            ..Entry::default()
        });
        answer
    }
}

/// What is known of one request so far. Reported once: when its response has ended, or when it is
/// dropped.
pub(crate) struct Report {
    reporter: Rc<Reporter>,
    snapshot: Rc<WorkerSnapshot>,
    started: Instant,
    method: Method,
    uri: Uri,
    remote: Remote,
    user_agent: Option<HeaderValue>,
    request_id: HeaderValue,
    traceparent: Option<Traceparent>,
    explains: bool,
    /// There was room for it to come in.
    pub(crate) has_place: bool,
    /// Whose turn it had, once it had one.
    party: Option<Party>,
    /// Its place among its app's requests, if these are limited.
    place_of_app: Option<Place>,
    /// Filled in by the plan.
    pub(crate) identity: Identity,
    /// Filled in by the limits.
    pub(crate) observed: Observed,
    /// Filled in by the exchange.
    pub(crate) attempts: Attempts,
    pub(crate) bytes_in: u64,
    bytes_out: u64,
    status: u16,
    /// Of the response as sent; none where nothing was.
    errcode: Option<i64>,
    source: Source,
    outcome: Outcome,
    code: Option<Code>,
    /// A borrowed one is a marked text.
    cause: Option<Cow<'static, str>>,
    /// What the failure shows to be wrong with WeChat.
    trouble: Option<Kind>,
}

impl Report {
    /// Opens the report of the request with this head.
    pub(crate) fn open(
        reporter: &Rc<Reporter>,
        snapshot: Rc<WorkerSnapshot>,
        head: &Head<'_>,
        peer: Peer,
    ) -> Self {
        reporter.metrics.in_flight(reporter.worker, |count| count + 1);
        let Head { parts, noted, .. } = *head;
        let headers = &parts.headers;
        let traceparent = if noted.traceparent { Traceparent::of(headers) } else { None };
        let own_id = if noted.request_id { own_id(&snapshot, headers) } else { None };
        let parent = traceparent.as_ref().map(|parent| Parent {
            trace_id: parent.trace_id(),
            span_id: parent.parent_id(),
            sampled: parent.sampled,
        });
        Self {
            has_place: reporter.places.enter(),
            party: None,
            place_of_app: None,
            attempts: Attempts::traced(reporter.tracer.begin(parent)),
            reporter: Rc::clone(reporter),
            remote: snapshot.options.trusted_proxies.remote(peer, headers),
            request_id: own_id.cloned().unwrap_or_else(|| reporter.ids.next()),
            snapshot,
            started: Instant::now(),
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            user_agent: None,
            traceparent,
            explains: noted.explain && headers.get(EXPLAIN).is_some_and(|value| value == "1"),
            identity: Identity::default(),
            observed: Observed::default(),
            bytes_in: 0,
            bytes_out: 0,
            status: HUNG_UP,
            errcode: None,
            source: Source::Wxgate,
            outcome: Outcome::Failed,
            code: None,
            cause: Some(marked!("the caller closed the connection").into()),
            trouble: None,
        }
    }

    /// Whom the request comes from.
    pub(crate) fn remote(&self) -> Remote {
        self.remote
    }

    /// Waits for its turn as a request of `party`'s, whose app has these places if they are
    /// limited.
    pub(crate) async fn turn(&mut self, party: Party, app: Option<&ExactPlaces>) -> Result<(), Error> {
        self.end_turn();
        self.place_of_app = self.reporter.turns.turn(self.reporter.worker, party, app).await?;
        self.party = Some(party);
        Ok(())
    }

    /// It is no longer in flight: what is left is its response.
    pub(crate) fn leave(&mut self) {
        self.end_turn();
        if std::mem::take(&mut self.has_place) {
            let Reporter { places, turns, .. } = &*self.reporter;
            places.leave(turns.waiting() > 0);
            turns.call();
        }
    }

    fn end_turn(&mut self) {
        self.place_of_app = None;
        if let Some(party) = self.party.take() {
            self.reporter.turns.end(self.reporter.worker, party);
        }
    }

    /// WeChat gets it.
    pub(crate) fn let_through(&self, account: &Account<'_>) {
        let app = self.app().map_or(OTHER, |app| app.label);
        let caller = self.caller().map_or(ANONYMOUS, |caller| caller.label);
        let endpoint = self.identity.endpoint.map_or(0, |endpoint| endpoint.id);
        self.reporter.quota.begin(self.reporter.worker, app, caller, endpoint);
        if let Some(authorizer) = account.authorizer.as_ref().filter(|_| account.app.kind.is_platform()) {
            self.reporter.quota.begin_for(self.reporter.worker, app, &authorizer.appid, endpoint);
        }
    }

    /// The response to the caller whose request had `headers`, with those that the proxy adds; what
    /// it turned out to be is noted.
    pub(crate) fn deliver(
        &mut self,
        decided: Result<Response, Error>,
        headers: &HeaderMap,
        configured: ErrorStatus,
    ) -> Response {
        let mut response = match decided {
            Ok(response) => {
                let code = self.attempts.errcode.unwrap_or(0);
                let fine = code == 0 && response.status().as_u16() < 400;
                self.errcode = Some(code);
                if self.went_to_wechat() {
                    self.source = Source::Wechat;
                }
                self.outcome = if fine { Outcome::Ok } else { Outcome::WechatError };
                self.cause = None;
                response
            }
            Err(error) => {
                let error = self.identity.refusal(error);
                let view = error.view();
                self.attempts.errcode = None;
                self.errcode = Some(view.errcode);
                self.code = view.code;
                if error.refuses_caller() {
                    self.user_agent = headers.get(USER_AGENT).cloned();
                }
                self.outcome = if error.is_failure() { Outcome::Failed } else { Outcome::Refused };
                self.trouble = error.trouble();
                self.cause = Some(Chain(&error).to_string().into());
                self.count_refusal(&error, view.code, view.errcode);
                let (_, path) = split_prefix(self.uri.path());
                let statuses = error::statuses(configured, &self.method, path);
                error.response(statuses, &self.about()).map(Body::from)
            }
        };
        self.status = response.status().as_u16();
        let headers = response.headers_mut();
        headers.insert(REQUEST_ID, self.request_id.clone());
        if self.explains {
            self.explain(headers);
        }
        response
    }

    /// Counts it among the refusals that the status page shows.
    fn count_refusal(&self, error: &Error, code: Option<Code>, errcode: i64) {
        let refused = Reason {
            app: self.app().map_or(OTHER, |app| app.label),
            caller: match self.caller() {
                Some(caller) => caller.label,
                None if self.identity.admitted => ANONYMOUS,
                None => OTHER,
            },
            endpoint: self.identity.endpoint.map_or(0, |endpoint| endpoint.id),
            code,
            errcode,
            failed: self.outcome == Outcome::Failed,
            various: false,
        };
        let example = || Example {
            method: error::quoted(self.method.as_str()),
            path: error::quoted(self.path()),
            why: Words::of(|| refusals::shortened(Chain(error).to_string())),
        };
        let count = |counts: &mut Counts| refusals::count(&mut counts.refusals, refused, example);
        self.reporter.metrics.counts.with(self.reporter.worker, count);
    }

    /// The response goes out with this body, which is in memory.
    pub(crate) fn sends(&mut self, body: &Body) {
        self.bytes_out = http_body::Body::size_hint(body).lower();
    }

    fn went_to_wechat(&self) -> bool {
        !self.attempts.upstream.is_zero()
    }

    /// What a refusal is about, as far as it is settled; nothing as long as the caller isn't.
    fn about(&self) -> String {
        let Some(caller) = self.caller_name() else { return String::new() };
        let app = self.app().map(|app| format!(", app {}", app.name)).unwrap_or_default();
        let method = error::quoted(self.method.as_str());
        let path = match self.identity.endpoint.map(|endpoint| endpoint.path) {
            Some(known) if known == self.path() => known.into(),
            _ => error::quoted(self.path()),
        };
        format!(" [caller {caller}{app}, {method} {path}]")
    }

    /// Without what follows a `&` typed for the `?`, which may be a credential.
    fn path(&self) -> &str {
        let path = self.uri.path();
        // No path of the catalogue has one.
        if self.identity.endpoint.is_some_and(|endpoint| endpoint.path == path) {
            return path;
        }
        let end = memchr::memchr2(b'&', b'=', path.as_bytes()).unwrap_or(path.len());
        path.get(..end).unwrap_or_default()
    }

    fn caller(&self) -> Option<&Caller> {
        self.identity.caller.and_then(|index| self.snapshot.callers.get(index))
    }

    fn app(&self) -> Option<&App> {
        self.identity.app.and_then(|index| self.snapshot.apps.get(index))
    }

    fn explain(&self, headers: &mut HeaderMap) {
        let mut put = |name: HeaderName, text: String| {
            if let Ok(value) = HeaderValue::try_from(text) {
                headers.insert(name, value);
            }
        };
        if let Some(app) = self.app() {
            put(APP_HEADER, app.name.to_string());
        }
        if let Some(endpoint) = self.identity.endpoint {
            put(EXPLAIN_ENDPOINT, endpoint.path.to_owned());
        }
        if let Some(generation) = self.attempts.generation {
            put(EXPLAIN_GENERATION, generation.to_string());
        }
        put(EXPLAIN_REPLAYS, self.attempts.replays.to_string());
        put(EXPLAIN_UPSTREAM, format!("{:.1}", self.attempts.upstream.as_secs_f64() * 1000.0));
    }

    fn request_id(&self) -> &str {
        self.request_id.to_str().unwrap_or_default()
    }

    fn trace_id(&self) -> Option<&str> {
        self.attempts.trace.id().or_else(|| self.traceparent.as_ref().map(Traceparent::trace_id))
    }

    fn count(&self, taken: Duration, waited: Option<Duration>, request_id: &str, now: Timestamp) {
        let app = self.app().map_or(OTHER, |app| app.label);
        let caller = self.caller().map_or(ANONYMOUS, |caller| caller.label);
        let endpoint = self.identity.endpoint.map_or(0, |endpoint| endpoint.id);
        let call = Call {
            app,
            endpoint,
            outcome: self.outcome,
            errcode: label(self.attempts.errcode),
            replays: self.attempts.replays,
            generation: self.attempts.generation.unwrap_or(0),
            taken,
            upstream: self.attempts.upstream,
        };
        self.reporter.quota.end(self.reporter.worker, &call);
        let errcode = match self.source {
            Source::Wechat => call.errcode,
            Source::Wxgate => label(self.errcode),
        };
        let mut key = RequestKey { app, endpoint, status: self.status, errcode, source: self.source };
        self.reporter.metrics.counts.with(self.reporter.worker, |counts| {
            if counts.requests.len() >= MOST_SERIES && !counts.requests.contains_key(&key) {
                key = RequestKey { endpoint: 0, errcode: OTHER_CODE, ..key };
            }
            *counts.requests.entry(key).or_default() += 1;
            *counts.callers.entry((app, caller, self.outcome)).or_default() += 1;
            if self.went_to_wechat() {
                let durations = counts.durations.entry((app, key.endpoint)).or_default();
                let bucket = durations.request.observe(taken);
                let exemplar = Exemplar::new(request_id, self.trace_id(), taken.as_secs_f64(), now);
                durations.exemplars.keep(bucket, exemplar);
                durations.upstream.observe(self.attempts.upstream);
                if let Some(kind) = self.trouble(waited) {
                    counts.trouble((app, key.endpoint), kind, self.attempts.refused_address);
                }
            }
            if self.attempts.replays > 0 {
                let last = match self.outcome {
                    Outcome::Failed => Replayed::Failed,
                    _ if self.attempts.replay_rejected => Replayed::Rejected,
                    _ => Replayed::Ok,
                };
                *counts.replays.entry((app, last)).or_default() += 1;
                if self.attempts.replays > 1 {
                    *counts.replays.entry((app, Replayed::Rejected)).or_default() +=
                        u64::from(self.attempts.replays - 1);
                }
            }
            for outcome in &self.attempts.signed {
                *counts.signed.entry((app, *outcome)).or_default() += 1;
            }
            for code in self.observed.codes() {
                *counts.observed.entry((app, caller, code)).or_default() += 1;
            }
            if let (Outcome::Refused, Some(code)) = (self.outcome, self.code) {
                *counts.refused.entry((app, caller, code)).or_default() += 1;
            }
        });
    }

    /// What was wrong with WeChat, if anything was.
    fn trouble(&self, waited: Option<Duration>) -> Option<Kind> {
        kind_of(&Ended {
            failed: self.trouble,
            status: if self.source == Source::Wechat { self.status } else { 0 },
            errcode: self.attempts.errcode,
            disputed: self.attempts.disputed,
            given_up: waited,
            slow: self.bytes_in > AT_ONCE || self.identity.endpoint.is_none_or(|endpoint| endpoint.slow),
        })
    }

    fn caller_name(&self) -> Option<&str> {
        match self.caller() {
            Some(caller) => Some(&*caller.name),
            None => self.identity.admitted.then_some("anonymous"),
        }
    }

    fn end_trace(&mut self) {
        let trace = std::mem::take(&mut self.attempts.trace);
        self.reporter.tracer.end(trace, || Summary {
            method: self.method.as_str(),
            endpoint: self.identity.endpoint.map(|endpoint| endpoint.path),
            app: self.app().map(|app| &*app.name),
            caller: self.caller_name(),
            status: self.status,
            errcode: self.attempts.errcode,
            replays: self.attempts.replays,
            request_id: self.request_id(),
            code: self.code.map(Code::as_str),
            failed: self.outcome == Outcome::Failed,
        });
    }

    fn log(&self, taken: Duration, request_id: &str, now: Timestamp) {
        let refused = self.user_agent.as_ref().filter(|_| self.outcome == Outcome::Refused);
        let agent = refused.map(|agent| String::from_utf8_lossy(agent.as_bytes()));
        self.reporter.log.write(&Entry {
            time: now,
            app: self.app().map(|app| &*app.name),
            caller: self.caller_name(),
            remote: Some(self.remote),
            method: self.method.as_str(),
            path: self.path(),
            query: self.uri.query(),
            endpoint: self.identity.endpoint.map(|endpoint| endpoint.path),
            status: self.status,
            errcode: self.errcode,
            source: self.source.as_str(),
            rid: self.attempts.rid.as_deref(),
            request_id,
            trace_id: self.trace_id(),
            replays: self.attempts.replays,
            duration: taken,
            upstream: self.went_to_wechat().then_some(self.attempts.upstream),
            bytes_in: Some(self.bytes_in),
            bytes_out: Some(self.bytes_out),
            code: self.code.map(Code::as_str),
            cause: self.cause.as_ref().map(shown),
            user_agent: agent.as_deref(),
        });
    }
}

impl Observer for Report {
    fn passed(&mut self, bytes: u64) {
        self.bytes_out += bytes;
    }

    fn broke(&mut self, error: &Broken) {
        self.outcome = Outcome::Failed;
        self.cause = Some(error.to_string().into());
        self.trouble = Some(Kind::Unreachable);
    }

    fn hung_up(&mut self) {
        self.outcome = Outcome::Failed;
        self.cause = Some(marked!("the caller closed the connection within the response").into());
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        let taken = self.started.elapsed();
        let waited = self.attempts.cut_off();
        if let Some(code) = self.attempts.late_errcode() {
            (self.attempts.errcode, self.errcode) = (Some(code), Some(code));
            if code != 0 && self.outcome == Outcome::Ok {
                self.outcome = Outcome::WechatError;
            }
        }
        self.reporter.metrics.in_flight(self.reporter.worker, |count| count.saturating_sub(1));
        self.leave();
        let now = self.reporter.clock.now();
        let request_id = self.request_id();
        self.count(taken, waited, request_id, now);
        self.log(taken, request_id, now);
        self.end_trace();
    }
}

/// A cause in the language of the log.
#[expect(clippy::ptr_arg, reason = "what is borrowed is a marked constant")]
fn shown<'c>(cause: &'c Cow<'static, str>) -> &'c str {
    match cause {
        Cow::Borrowed(marked) => translated(marked),
        Cow::Owned(text) => text,
    }
}

/// The caller's own id if it sent a sane one, and no key or placeholder by mistake: it is logged.
fn own_id<'r>(directory: &Directory, headers: &'r HeaderMap) -> Option<&'r HeaderValue> {
    let id = headers::request_id(headers)?.as_bytes();
    let is_key = || !directory.callers.is_empty() && directory.caller_with_key(id).is_some();
    if placeholder::is_within(id) || is_key() { None } else { headers.get(REQUEST_ID) }
}
