//! What the service manager is told (`sd_notify`): ready, reloading, stopping, and that all is well.

use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::time::Duration;

use sd_notify::NotifyState;

use crate::config;

/// The socket that the service manager reads, if one started this process.
const SOCKET: &str = "NOTIFY_SOCKET";
/// States that wait while it takes none.
const WAITING: usize = 16;
/// The longest that the end of the process waits for it.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Tells the service manager, if there is one.
#[derive(Debug)]
pub(super) struct ServiceManager {
    /// To a thread of its own, since a manager that hangs takes nothing.
    states: Option<SyncSender<Vec<NotifyState<'static>>>>,
    /// Hangs up when all is told.
    told: Receiver<()>,
    watchdog: Option<Duration>,
}

impl ServiceManager {
    /// The one that the environment names.
    pub(super) fn of_environment() -> std::io::Result<Self> {
        let (telling, told) = channel();
        if config::environment(SOCKET).is_none_or(|socket| socket.is_empty()) {
            return Ok(Self { states: None, told, watchdog: None });
        }
        let (states, waiting) = sync_channel::<Vec<NotifyState<'static>>>(WAITING);
        std::thread::Builder::new().name("notify".to_owned()).spawn(move || {
            let _telling = telling;
            for states in waiting {
                if let Err(error) = sd_notify::notify(&states) {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "the service manager cannot be told how wxgate is: {states:?}");
                }
            }
        })?;
        let watchdog = sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero());
        Ok(Self { states: Some(states), told, watchdog })
    }

    /// How long it waits for a sign of life before it ends the process, if it does.
    pub(super) fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// wxgate serves.
    pub(super) fn ready(&self) {
        self.tell(vec![NotifyState::Ready]);
    }

    /// It reads its configuration; [`ready`](Self::ready) follows.
    pub(super) fn reloading(&self) {
        let mut states = vec![NotifyState::Reloading];
        // Without it `Type=notify-reload` waits in vain.
        states.extend(NotifyState::monotonic_usec_now());
        self.tell(states);
    }

    /// It ends.
    pub(super) fn stopping(&self) {
        self.tell(vec![NotifyState::Stopping]);
    }

    /// All of it moves.
    pub(super) fn well(&self) {
        self.tell(vec![NotifyState::Watchdog]);
    }

    fn tell(&self, states: Vec<NotifyState<'static>>) {
        if let Some(way) = &self.states {
            // Where so many wait already, one more tells nothing new.
            let _ = way.try_send(states);
        }
    }
}

impl Drop for ServiceManager {
    fn drop(&mut self) {
        if self.states.take().is_some() {
            let _ = self.told.recv_timeout(LAST_WORDS);
        }
    }
}
