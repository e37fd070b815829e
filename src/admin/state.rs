//! What the admin address knows about the process.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use crate::api;
use crate::observe::audit::Trail;
use crate::observe::clock::Timestamp;
use crate::observe::exposition::Exposition;
use crate::server::Address;
use crate::texts::Words;

/// What the admin address knows about the process.
#[derive(Debug)]
pub struct State {
    /// wxgate's version.
    pub version: &'static str,
    /// When the process started.
    pub started_at: Timestamp,
    /// What the proxy listens on. Empty until it does; it is not ready before.
    pub listeners: ArcSwap<Vec<Address>>,
    /// The configured callers.
    pub callers: ArcSwap<Vec<api::Caller>>,
    /// The proxy is shutting down: load balancers should send no more requests here.
    pub draining: watch::Sender<bool>,
    /// See [`Reloads`].
    pub reloads: watch::Sender<Reloads>,
    /// What operators did, or were denied.
    pub trail: Arc<Trail>,
}

/// When the current configuration was loaded, and whether a later one was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reloads {
    /// When the current one was loaded, at the start or by a reload.
    pub succeeded_at: Timestamp,
    /// The latest one, if it was refused.
    pub refused: Option<Refused>,
    /// The files that it includes.
    pub files: Vec<IncludedFile>,
}

/// A file that the configuration includes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncludedFile {
    /// As the configuration names it.
    pub path: Arc<str>,
    /// The names of its apps that are in force.
    pub apps: Vec<String>,
    /// Why what is in it now is not in force.
    pub rejected: Option<Refused>,
}

/// A configuration that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// When it was refused.
    pub at: Timestamp,
    /// The first problem, without secrets.
    pub problem: Words,
    /// How many other problems there are.
    pub more: usize,
}

impl Reloads {
    pub(super) fn shown(&self) -> api::Configuration {
        let refused = |refused: &Refused| api::RefusedConfiguration {
            at: refused.at.rfc3339(),
            problem: refused.problem.to_string(),
            more: refused.more,
        };
        let file = |file: &IncludedFile| api::IncludedFile {
            path: file.path.to_string(),
            apps: file.apps.clone(),
            rejected: file.rejected.as_ref().map(refused),
        };
        api::Configuration {
            loaded_at: self.succeeded_at.rfc3339(),
            refused: self.refused.as_ref().map(refused),
            files: self.files.iter().map(file).collect(),
        }
    }

    /// Whether a start with the files as they were read last would succeed.
    fn is_good(&self) -> bool {
        self.refused.is_none() && self.files.iter().all(|file| file.rejected.is_none())
    }

    pub(super) fn expose(&self, out: &mut Exposition) {
        out.gauge(
            "wxgate_config_last_reload_successful",
            "Whether the last reload of the configuration succeeded, with all included files, 1 or 0.",
        );
        out.sample(&[], f64::from(u8::from(self.is_good())));
        out.gauge(
            "wxgate_config_last_reload_success_timestamp_seconds",
            "When the current configuration was loaded.",
        );
        out.sample(&[], self.succeeded_at.seconds());
    }
}

impl State {
    /// The state of a process that does not listen yet.
    pub fn new(started_at: Timestamp) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            started_at,
            listeners: ArcSwap::default(),
            callers: ArcSwap::default(),
            draining: watch::Sender::new(false),
            reloads: watch::Sender::new(Reloads {
                succeeded_at: started_at,
                refused: None,
                files: Vec::new(),
            }),
            trail: Arc::default(),
        }
    }

    pub(super) fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    pub(super) fn is_ready(&self) -> bool {
        !self.is_draining() && !self.listeners.load().is_empty()
    }
}
