//! One request's way through the fake: journal, faults, decision, wire form.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::request::Parts;
use hyper::body::Incoming;

use super::answer::Answer;
use super::call::{self, Call};
use super::paths::{PROBE, issues_app_token};
use super::signing::answer::Seal;
use super::state::faults::{Action, Plan, When};
use super::state::journal::{Entry, Framing};
use super::state::world::World;
use super::wire::{reply, request_body};
use super::{control, endpoints, signing};
use crate::server::{Handler, Peer, Refusal, Request, Response};

/// Answers as WeChat does, and under `/sandbox/` to its operator.
pub(super) struct Wechat {
    world: Arc<World>,
}

impl Wechat {
    pub(super) fn new(world: Arc<World>) -> Self {
        Self { world }
    }

    async fn answer(&self, parts: &Parts, body: Incoming, peer: Peer) -> Response {
        let path = parts.uri.path();
        let mut entry = entry(&self.world, parts, peer);
        let (plan, settings) = {
            let mut state = self.world.state();
            let token = entry.access_token.as_deref();
            let found = token.and_then(|token| state.tokens.find(token, entry.time_ms));
            entry.appid = found.map(|found| found.owner.appid);
            entry.unlisted =
                !endpoints::is_listed(&state, path, entry.access_token.as_deref(), entry.time_ms);
            (state.faults.plan(path), state.settings.clone())
        };
        let arrived_us = entry.at_us;
        let seq = self.world.arrive(entry, settings.journal_limit);
        let takes_gzip = takes_gzip(parts);
        let reply = |answer: Answer, seal: Option<Seal>| {
            let (status, errcode) = (answer.status.as_u16(), answer.errcode());
            let generic = answer.is_generic();
            self.world.journal().amend(seq, |entry| {
                entry.status = Some(status);
                entry.errcode = Some(errcode);
                entry.generic = generic;
                entry.took_us = Some(self.world.elapsed_us().saturating_sub(arrived_us));
            });
            let seal = seal.map(|seal| seal.with(plan.defect)).filter(|seal| seal.covers(errcode));
            let now = self.world.clock.now();
            reply::respond(answer, settings.error_variant, &plan, takes_gzip, now, seal.as_ref())
        };

        if plan.reset == Some(When::BeforeBody) {
            return reply::reset();
        }
        if let Some(errcode) = plan.early {
            return reply(Answer::error(errcode), None);
        }
        let limit = match signing::request::is_signed(&parts.headers) {
            true => signing::request::LONGEST,
            false => endpoints::body_limit(path, settings.media_limit),
        };
        let Ok(body) = request_body::read(&self.world, seq, body, limit).await else {
            return reply(Answer::page(StatusCode::BAD_REQUEST), None);
        };
        if plan.silence {
            return std::future::pending().await;
        }
        let (answer, seal) = self.decide(parts, peer, body, &plan, seq);
        if !plan.latency.is_zero() {
            tokio::time::sleep(plan.latency).await;
        }
        if plan.reset.is_some() {
            return reply::reset();
        }
        reply(answer, seal)
    }

    /// What is answered, and what it is to be sealed with.
    fn decide(
        &self,
        parts: &Parts,
        peer: Peer,
        body: Option<Bytes>,
        plan: &Plan,
        seq: u64,
    ) -> (Answer, Option<Seal>) {
        let call = Call::new(parts, peer, body, self.world.clock.now());
        self.count(&call);
        self.name_app(seq, &call);
        // FACTS 9: WeChat takes no chunked request.
        if framing(parts) == Framing::Chunked {
            return (Answer::empty(StatusCode::PRECONDITION_FAILED), None);
        }
        match signing::request::open(&self.world, &parts.headers, &call) {
            Err(refusal) => (refusal, None),
            Ok(None) => (self.carry_out(&call, plan), None),
            Ok(Some(opened)) => {
                self.world.journal().amend(seq, |entry| entry.plaintext = Some(opened.plaintext));
                (self.carry_out(&opened.call, plan), Some(opened.seal))
            }
        }
    }

    fn carry_out(&self, call: &Call, plan: &Plan) -> Answer {
        match &plan.instead {
            None => endpoints::answer(&mut self.world.state(), call),
            Some(Action::Html { status }) => Answer::page(status_code(*status)),
            Some(Action::Status { status }) => Answer::empty(status_code(*status)),
            Some(Action::Errcode { errcode, errmsg: Some(errmsg) }) => {
                Answer::error_with(*errcode, errmsg.clone())
            }
            Some(Action::Errcode { errcode, errmsg: None }) => Answer::error(*errcode),
            Some(Action::AlwaysReject) => Answer::error(40001),
            Some(_) => Answer::empty(StatusCode::OK),
        }
    }

    /// Notes for which app a token or a login is.
    fn name_app(&self, seq: u64, call: &Call) {
        if (issues_app_token(&call.path) || call.path.starts_with("/sns/"))
            && let Some(appid) = endpoints::appid_of(call)
        {
            self.world.journal().amend(seq, |entry| entry.appid = Some(appid));
        }
    }

    fn count(&self, call: &Call) {
        if call.path == PROBE {
            let owner = call
                .param("access_token")
                .and_then(|token| self.world.state().tokens.find(token, call.now))
                .map(|found| found.owner.appid);
            self.world.journal().count(owner.as_deref(), |counts| counts.probes += 1);
        }
        if issues_app_token(&call.path) {
            let forced = call.json().is_some_and(|body| endpoints::asks_force(&body));
            self.world.journal().count(endpoints::appid_of(call).as_deref(), |counts| {
                counts.fetches += 1;
                counts.forces += u64::from(forced);
            });
        }
    }
}

impl Handler for Wechat {
    async fn handle(&self, request: Request, peer: Peer) -> Response {
        let (parts, body) = request.into_parts();
        if parts.uri.path().starts_with("/sandbox") {
            return control::http::handle(&self.world, &parts, body).await;
        }
        self.answer(&parts, body, peer).await
    }

    fn refuse(&self, refusal: Refusal, _: Peer) -> Option<http::Response<Bytes>> {
        let mut response = http::Response::new(Bytes::new());
        *response.status_mut() = StatusCode::BAD_REQUEST;
        (refusal == Refusal::AmbiguousFraming).then_some(response)
    }
}

fn entry(world: &World, parts: &Parts, peer: Peer) -> Entry {
    let parameters = call::query(parts);
    Entry {
        seq: 0,
        time_ms: world.clock.now(),
        at_us: world.elapsed_us(),
        peer: match peer {
            Peer::Tcp(address) => address.to_string(),
            Peer::Unix(_) => "unix".to_owned(),
        },
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect(),
        access_token: call::credential(&parameters).map(|(_, value)| value.to_owned()),
        appid: None,
        unlisted: false,
        generic: false,
        body_length: 0,
        body_sha256: None,
        plaintext: None,
        framing: framing(parts),
        complete: false,
        status: None,
        errcode: None,
        took_us: None,
    }
}

fn framing(parts: &Parts) -> Framing {
    if parts.headers.contains_key(TRANSFER_ENCODING) {
        Framing::Chunked
    } else if parts.headers.contains_key(CONTENT_LENGTH) {
        Framing::Length
    } else {
        Framing::None
    }
}

fn takes_gzip(parts: &Parts) -> bool {
    let values = parts.headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        name.trim().eq_ignore_ascii_case("gzip")
            && !matches!(weight.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000")
    })
}

fn status_code(status: u16) -> StatusCode {
    StatusCode::from_u16(status)
        .ok()
        .filter(|status| status.as_u16() >= 200)
        .unwrap_or(StatusCode::BAD_GATEWAY)
}
