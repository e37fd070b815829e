//! The process as the admin address tells of it.

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::view;
use crate::observe::clock::Timestamp;
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
    /// The proxy takes no new requests and ends.
    pub draining: watch::Sender<bool>,
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
        }
    }

    pub(super) fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    pub(super) fn is_ready(&self) -> bool {
        !self.is_draining() && !self.listeners.load().is_empty()
    }
}
