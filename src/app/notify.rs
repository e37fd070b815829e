//! Notifies the service manager (`sd_notify`): ready, reloading, stopping, alive.

use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::time::Duration;

use sd_notify::NotifyState;

use crate::config;
use crate::texts::text;

/// The socket that the service manager reads, if one started this process.
const SOCKET: &str = "NOTIFY_SOCKET";
/// States that are queued while it takes none.
const WAITING: usize = 16;
/// The longest that the process waits for it before it exits.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Notifies the service manager, if there is one.
#[derive(Debug)]
pub(super) struct ServiceManager {
    /// To a thread of its own, since a manager may hang.
    states: Option<SyncSender<Vec<NotifyState<'static>>>>,
    /// Closed when everything was sent.
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
                    let states = format_args!("{states:?}");
                    tracing::warn!(
                        error,
                        "{}",
                        text!("could not notify the service manager: {states}", states)
                    );
                }
            }
        })?;
        let watchdog = sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero());
        Ok(Self { states: Some(states), told, watchdog })
    }

    /// How long it waits for a sign of life before it kills the process, if it does.
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
        // `Type=notify-reload` requires it.
        states.extend(NotifyState::monotonic_usec_now());
        self.tell(states);
    }

    /// It shuts down.
    pub(super) fn stopping(&self) {
        self.tell(vec![NotifyState::Stopping]);
    }

    /// All workers respond.
    pub(super) fn well(&self) {
        self.tell(vec![NotifyState::Watchdog]);
    }

    fn tell(&self, states: Vec<NotifyState<'static>>) {
        if let Some(way) = &self.states {
            // If so many are queued already, one more says nothing new.
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
