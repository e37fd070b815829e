//! What becomes of a push: the answer's status, the log line, the count.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::StatusCode;
use parking_lot::Mutex;

use super::delivery::{DELIVERY, NotTaken};
use super::replay::Refused;
use crate::observe::exposition::Exposition;
use crate::observe::remote::Remote;
use crate::wechat::callback::Rejected;

/// A longer push is refused; a ticket's is under 1 KiB.
pub const LONGEST_BODY: usize = 64 * 1024;

/// How a push, or WeCom's question, ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Outcome {
    #[error("taken")]
    Success,
    #[error("WeCom asked whether this is the suite's address")]
    Echo,
    #[error(transparent)]
    Rejected(#[from] Rejected),
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("could not be kept")]
    NotTaken(#[source] NotTaken),
    #[error("could not be kept within {DELIVERY:?}")]
    NotTakenInTime,
    #[error("is longer than {LONGEST_BODY} bytes")]
    TooLong,
    #[error("its body took too long")]
    TooSlow,
    #[error("the connection ended within its body")]
    Broken,
}

impl Outcome {
    /// The label of metrics.
    fn label(&self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Echo => "echo",
            Self::Rejected(Rejected::Unsigned) => "unsigned",
            Self::Rejected(Rejected::Signature) => "wrong_signature",
            Self::Rejected(Rejected::Cipher) => "wrong_key",
            Self::Rejected(Rejected::Receiver) => "wrong_receiver",
            Self::Rejected(Rejected::Content) => "no_event",
            Self::Refused(Refused::Stale) => "stale",
            Self::Refused(Refused::Replayed) => "replayed",
            Self::Refused(Refused::Full) => "full",
            Self::NotTaken(_) => "not_taken",
            Self::NotTakenInTime => "not_taken_in_time",
            Self::TooLong => "too_long",
            Self::TooSlow => "too_slow",
            Self::Broken => "broken",
        }
    }

    /// What rejects a push is not told to whoever sent it.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Success | Self::Echo => StatusCode::OK,
            Self::Rejected(_) | Self::Refused(Refused::Stale | Refused::Replayed) => StatusCode::FORBIDDEN,
            Self::Refused(Refused::Full) | Self::NotTaken(_) | Self::NotTakenInTime => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken => StatusCode::BAD_REQUEST,
        }
    }

    /// One line for each push. A warning where the configuration or this machine is at fault: what
    /// anybody can send is none.
    pub(super) fn log(&self, app: &str, event: &str, remote: Remote) {
        let (outcome, error) = (self.label(), self as &dyn std::error::Error);
        match self {
            Self::Success | Self::Echo => tracing::info!(app, event, outcome, %remote, "callback"),
            Self::Rejected(Rejected::Unsigned | Rejected::Signature)
            | Self::TooLong
            | Self::TooSlow
            | Self::Broken => tracing::info!(app, event, outcome, %remote, error, "callback refused"),
            Self::Rejected(Rejected::Cipher | Rejected::Receiver | Rejected::Content)
            | Self::Refused(_)
            | Self::NotTaken(_)
            | Self::NotTakenInTime => tracing::warn!(app, event, outcome, %remote, error, "callback refused"),
        }
    }
}

type Series = (Arc<str>, &'static str, &'static str);

/// Counts of outcomes.
#[derive(Debug, Default)]
pub(super) struct Counts(Mutex<BTreeMap<Series, u64>>);

impl Counts {
    pub(super) fn add(&self, app: &Arc<str>, event: &'static str, outcome: &Outcome) {
        let mut counts = self.0.lock();
        *counts.entry((Arc::clone(app), event, outcome.label())).or_default() += 1;
    }

    pub(super) fn expose(&self, out: &mut Exposition) {
        out.counter("wxgate_callbacks_total", "Requests to a platform's callback address.");
        for ((app, event, outcome), count) in &*self.0.lock() {
            out.sample(&[("app", app), ("event", event), ("outcome", outcome)], *count as f64);
        }
    }
}
