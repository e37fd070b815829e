//! All that is remembered together, and who may lock it.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;
use tokio::time::Instant;

use super::accounts::Accounts;
use super::callbacks::Callbacks;
use super::clock::Clock;
use super::companies::Companies;
use super::faults::Faults;
use super::journal::{Entry, Journal};
use super::library::Library;
use super::media::Media;
use super::quota::Quota;
use super::settings::Settings;
use super::signing::Demands;
use super::stale_node::Lags;
use super::tags::Tags;
use super::tickets::{PushedTickets, Ticket};
use super::tokens::Tokens;
use super::users::Users;

/// What endpoints read and change.
#[derive(Debug, Default)]
pub(in crate::sandbox) struct State {
    pub settings: Settings,
    pub accounts: Accounts,
    pub companies: Companies,
    pub callbacks: Callbacks,
    pub pushed_tickets: PushedTickets,
    pub tokens: Tokens,
    pub lags: Lags,
    pub quota: Quota,
    pub faults: Faults,
    pub signing: Demands,
    pub users: Users,
    pub media: Media,
    pub library: Library,
    pub menus: HashMap<String, Bytes>,
    pub tags: Tags,
    pub tickets: HashMap<(String, String), Ticket>,
    pub last_message: u64,
}

/// What the workers and the control handle share.
#[derive(Debug)]
pub(in crate::sandbox) struct World {
    pub clock: Clock,
    pub started: Instant,
    // Never held across an await; the journal's lock is taken alone, or after the state's.
    state: Mutex<State>,
    journal: Mutex<Journal>,
    arrivals: watch::Sender<u64>,
}

impl World {
    pub(in crate::sandbox) fn new(state: State) -> Arc<Self> {
        Arc::new(Self {
            clock: Clock::default(),
            started: Instant::now(),
            state: Mutex::new(state),
            journal: Mutex::default(),
            arrivals: watch::Sender::new(0),
        })
    }

    /// Real time since the start, microseconds.
    pub(in crate::sandbox) fn elapsed_us(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    pub(in crate::sandbox) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    pub(in crate::sandbox) fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock()
    }

    /// Takes a request into the journal; gives its number.
    pub(in crate::sandbox) fn arrive(&self, entry: Entry, limit: usize) -> u64 {
        let seq = self.journal().arrive(entry, limit);
        self.arrivals.send_replace(seq);
        seq
    }

    /// Tells of every arrival.
    pub(in crate::sandbox) fn arrivals(&self) -> watch::Receiver<u64> {
        self.arrivals.subscribe()
    }

    /// Forgets journal, counts, faults and lag; with `all` everything but the accounts, their
    /// secrets and where pushes go.
    pub(in crate::sandbox) fn forget(&self, all: bool) {
        let mut state = self.state();
        state.faults.clear();
        state.lags.clear();
        state.signing.forget_counts();
        if all {
            let mut accounts = std::mem::take(&mut state.accounts);
            accounts.forget();
            let mut companies = std::mem::take(&mut state.companies);
            companies.forget();
            let callbacks = std::mem::take(&mut state.callbacks);
            *state = State { accounts, companies, callbacks, ..State::default() };
        }
        self.journal().clear();
    }
}
