//! What the attempts at WeChat have come to.

use std::cell::Cell;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use http::StatusCode;
use tokio::time::Instant;

use super::inspect::Finding;
use super::signers::SignedOutcome;
use crate::observe::trace::{Attempt, Trace};
use crate::pipeline::code::Code;
use crate::pipeline::error::Error;
use crate::token::Verdict;

/// What a request's attempts at WeChat have come to so far. Kept where it outlives the exchange: a
/// caller that hangs up ends the one, and is still to be reported.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    /// Of the token that was sent last.
    pub(crate) generation: Option<u64>,
    /// WeChat's last one.
    pub(crate) errcode: Option<i64>,
    /// WeChat's id of the request, where it told of an error.
    pub(crate) rid: Option<String>,
    /// The address that WeChat refused.
    pub(crate) refused_address: Option<IpAddr>,
    /// WeChat rejected a token that wasn't found to be dead.
    pub(crate) disputed: bool,
    /// The errcode of a response that is still on its way, once it has come.
    late: Option<Rc<Cell<Option<i64>>>>,
    /// How often the request was sent again with another token.
    pub(crate) replays: u32,
    /// The last of the replays was rejected too.
    pub(crate) replay_rejected: bool,
    /// Waiting for WeChat, all attempts together; zero where there was none.
    pub(crate) upstream: Duration,
    /// When the one that has not ended began.
    under_way: Option<Instant>,
    /// What each signed response was taken for.
    pub(crate) signed: Vec<SignedOutcome>,
    pub(crate) trace: Trace,
}

impl Attempts {
    pub(crate) fn traced(trace: Trace) -> Self {
        Self { trace, ..Self::default() }
    }

    /// One that carries a token of this generation begins.
    pub(super) fn begin(&mut self, generation: Option<u64>, sent_at: Instant) {
        self.generation = generation;
        self.under_way = Some(sent_at);
    }

    /// The caller closed the connection: what is under way has ended. How long it was waited for,
    /// if anything was.
    pub(crate) fn cut_off(&mut self) -> Option<Duration> {
        let waited = self.under_way.take()?.elapsed();
        self.upstream += waited;
        Some(waited)
    }

    /// One that began at `sent_at` brought a response.
    pub(super) fn answered(&mut self, sent_at: Instant, status: StatusCode, finding: &Finding) {
        self.errcode = finding.errcode;
        self.rid.clone_from(&finding.rid);
        self.refused_address = finding.address;
        let status = Some(status.as_u16());
        self.ended(sent_at, Attempt { status, errcode: finding.errcode, code: None });
    }

    /// The response goes on before it said anything: where its errcode is to be put.
    pub(super) fn is_late(&mut self) -> Rc<Cell<Option<i64>>> {
        Rc::clone(self.late.insert(Rc::default()))
    }

    /// The errcode that came as the response went on.
    pub(crate) fn late_errcode(&self) -> Option<i64> {
        self.late.as_ref()?.get()
    }

    /// One that began at `sent_at` failed.
    pub(super) fn failed(&mut self, sent_at: Instant, error: &Error) {
        let code = error.view().code.map(Code::as_str);
        self.ended(sent_at, Attempt { code, ..Attempt::default() });
    }

    fn ended(&mut self, sent_at: Instant, attempt: Attempt) {
        self.under_way = None;
        self.upstream += sent_at.elapsed();
        self.trace.attempted(sent_at, attempt);
    }

    /// WeChat rejected the token of the last one.
    pub(super) fn rejected(&mut self) {
        self.replay_rejected = self.replays > 0;
    }

    /// What came of that: it is valid, or isn't known to be dead.
    pub(super) fn judged(&mut self, verdict: &Verdict) {
        self.disputed |= matches!(verdict, Verdict::ReplayAfter(..) | Verdict::PassOn);
    }

    /// Another token is tried.
    pub(super) fn replay(&mut self) {
        self.replays += 1;
        self.replay_rejected = false;
    }
}
