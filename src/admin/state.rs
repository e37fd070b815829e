//! The process as the admin address tells of it.

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::view;
use crate::observe::clock::Timestamp;
use crate::observe::exposition::Exposition;
use crate::server::Address;

/// The process as the admin address tells of it.
#[derive(Debug)]
pub struct State {
    /// wxgate's version.
    pub version: &'static str,
    /// When the process began.
    pub started_at: Timestamp,
    /// What the proxy listens on; empty until it does, and not ready so long.
    pub listeners: ArcSwap<Vec<Address>>,
    /// The configured callers.
    pub callers: ArcSwap<Vec<view::Caller>>,
    /// The proxy ends: load balancers are to send nobody here.
    pub draining: watch::Sender<bool>,
    /// See [`Reloads`].
    pub reloads: watch::Sender<Reloads>,
}

/// How the configuration came to be the one in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reloads {
    /// When it was put in force, at the start or since.
    pub succeeded_at: Timestamp,
    /// What was refused after it.
    pub refused: Option<Refused>,
}

/// A configuration that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// When.
    pub at: Timestamp,
    /// The first problem, without secrets.
    pub problem: String,
    /// Problems beside it.
    pub more: usize,
}

impl Reloads {
    pub(super) fn shown(&self) -> view::Configuration {
        let refused = |refused: &Refused| view::Refused {
            at: view::time(refused.at),
            problem: refused.problem.clone(),
            more: refused.more,
        };
        let loaded_at = view::time(self.succeeded_at);
        view::Configuration { loaded_at, refused: self.refused.as_ref().map(refused) }
    }

    pub(super) fn expose(&self, out: &mut Exposition) {
        out.gauge(
            "wxgate_config_last_reload_successful",
            "Whether the last reload of the configuration was taken, 1 or 0.",
        );
        out.sample(&[], f64::from(u8::from(self.refused.is_none())));
        out.gauge(
            "wxgate_config_last_reload_success_timestamp_seconds",
            "When the configuration in force was put in force.",
        );
        out.sample(&[], self.succeeded_at.seconds());
    }
}

impl State {
    /// The state of a process that listens on nothing yet.
    pub fn new(started_at: Timestamp) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            started_at,
            listeners: ArcSwap::default(),
            callers: ArcSwap::default(),
            draining: watch::Sender::new(false),
            reloads: watch::Sender::new(Reloads { succeeded_at: started_at, refused: None }),
        }
    }

    pub(super) fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    pub(super) fn is_ready(&self) -> bool {
        !self.is_draining() && !self.listeners.load().is_empty()
    }
}
