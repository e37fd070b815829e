//! The outcome of a push: the response's status, the log line, the count.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::StatusCode;
use parking_lot::Mutex;

use super::delivery::{DELIVERY, NotTaken};
use super::replay::Refused;
use crate::observe::exposition::Exposition;
use crate::observe::remote::Remote;
use crate::texts::text;
use crate::wechat::callback::Rejected;

/// A longer push is refused; a ticket's is under 1 KiB.
pub const LONGEST_BODY: usize = 64 * 1024;

/// The outcome of a push, or of WeCom's verification request.
#[derive(Debug, thiserror::Error)]
pub(super) enum Outcome {
    #[error("{}", text!("accepted"))]
    Success,
    #[error("{}", text!("WeCom verified the callback URL"))]
    Echo,
    #[error(transparent)]
    Rejected(#[from] Rejected),
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("{}", text!("it could not be saved"))]
    NotTaken(#[source] NotTaken),
    #[error("{}", text!("it could not be saved within {time}", time = format_args!("{DELIVERY:?}")))]
    NotTakenInTime,
    #[error("{}", text!("it is longer than {limit} bytes", limit = LONGEST_BODY))]
    TooLong,
    #[error("{}", text!("its body took too long to arrive"))]
    TooSlow,
    #[error("{}", text!("the connection was closed before the end of its body"))]
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

    /// The sender is not told why a push is rejected.
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

    /// One line per push. A warning if the configuration or this machine is at fault, not for what
    /// anyone can send.
    pub(super) fn log(&self, app: &str, event: &str, remote: Remote) {
        let (outcome, error) = (self.label(), self as &dyn std::error::Error);
        match self {
            Self::Success | Self::Echo => {
                tracing::info!(app, event, outcome, %remote, "{}", text!("callback accepted"));
            }
            Self::Rejected(Rejected::Unsigned | Rejected::Signature)
            | Self::TooLong
            | Self::TooSlow
            | Self::Broken => {
                tracing::info!(app, event, outcome, %remote, error, "{}", text!("callback refused"));
            }
            Self::Rejected(Rejected::Cipher | Rejected::Receiver | Rejected::Content)
            | Self::Refused(_)
            | Self::NotTaken(_)
            | Self::NotTakenInTime => {
                tracing::warn!(app, event, outcome, %remote, error, "{}", text!("callback refused"));
            }
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
