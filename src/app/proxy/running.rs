//! A proxy that serves.

use std::sync::Arc;

use tokio::sync::watch;

use super::core::Core;
use super::included_files;
use super::secret_files;
use crate::observe::audit::Trail;
use crate::server::{Address, Drained, Pulse, Server};
use crate::texts::text;

/// A proxy that serves.
pub struct Running {
    pub(super) core: Arc<Core>,
    pub(super) proxy: Server,
    pub(super) admin: Server,
    pub(super) callback: Option<Server>,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running")
            .field("proxy", &self.proxy)
            .field("admin", &self.admin)
            .field("callback", &self.callback)
            .finish_non_exhaustive()
    }
}

impl Running {
    /// What the proxy listens on, with the ports that the kernel chose.
    pub fn addresses(&self) -> &[Address] {
        self.proxy.addresses()
    }

    /// The admin address.
    pub fn admin_address(&self) -> Option<&Address> {
        self.admin.addresses().first()
    }

    /// Where WeChat's pushes are taken.
    pub fn callback_addresses(&self) -> &[Address] {
        self.callback.as_ref().map_or(&[], Server::addresses)
    }

    /// Connections of callers, worker by worker.
    pub fn connections_by_worker(&self) -> Vec<usize> {
        self.proxy.connections_by_worker()
    }

    /// Reads the configuration again and applies it; what can't change without a restart is named
    /// in the log. A thread of its own reads the files, and is given up if that takes too long.
    ///
    /// # Errors
    /// What is wrong with it, in words for the operator; then the current one stays.
    pub async fn reload(&self) -> Result<(), String> {
        self.core.reload().await
    }

    /// Waits until a secret or certificate in force has changed in its file.
    pub async fn secret_changed(&self) {
        let mut files = self.core.secret_files.subscribe();
        loop {
            let watched = files.borrow_and_update().clone();
            tokio::select! {
                () = secret_files::changed(&watched, &self.core.looking) => return,
                // The core holds the sender.
                _ = files.changed() => {}
            }
        }
    }

    /// Waits until included files have changed, and no longer change.
    pub async fn included_changed(&self) {
        let mut watched = self.core.watched.subscribe();
        loop {
            let known = watched.borrow_and_update().clone();
            tokio::select! {
                () = included_files::changed(&known, &self.core.looking) => return,
                // The core holds the sender.
                _ = watched.changed() => {}
            }
        }
    }

    /// Where what operators do is kept.
    pub fn trail(&self) -> &Arc<Trail> {
        &self.core.admin.state.trail
    }

    /// The servers whose workers must stay responsive.
    pub fn pulses(&self) -> Vec<Pulse> {
        let servers = [&self.proxy, &self.admin].into_iter().chain(&self.callback);
        servers.map(Server::pulse).collect()
    }

    /// Shuts down in order: not ready, no new connections, the responses in progress, tokens, the
    /// admin address, the log.
    pub async fn drain(self) -> Drained {
        let (_never, hurry) = watch::channel(false);
        self.drain_unless(hurry).await
    }

    /// The same, but requests still in flight when `hurry` becomes true are aborted.
    pub async fn drain_unless(self, hurry: watch::Receiver<bool>) -> Drained {
        let hurried = || {
            let mut hurry = hurry.clone();
            async move {
                if hurry.wait_for(|now| *now).await.is_err() {
                    std::future::pending().await
                }
            }
        };
        let Self { core, proxy, admin, callback } = self;
        for server in [&proxy, &admin].into_iter().chain(&callback) {
            server.leave();
        }
        core.admin.state.draining.send_replace(true);
        tracing::info!("{}", text!("draining"));
        let pushes = async {
            if let Some(callback) = callback {
                callback.drain_unless(hurried()).await;
            }
        };
        let (drained, ()) = tokio::join!(proxy.drain_unless(hurried()), pushes);
        tokio::select! {
            _ = async { tokio::join!(core.manager.stop(), core.limits.drain()) } => {}
            () = hurried() => {}
        }
        tokio::select! {
            () = core.quota.stop() => {}
            () = hurried() => {}
        }
        core.watch.abort();
        core.illness.abort();
        core.looks.abort();
        core.expiry.abort();
        core.certificates.abort();
        core.alerts.stop();
        core.exporter.stop();
        admin.drain_unless(hurried()).await;
        core.traces.close().await;
        core.log.flush();
        drained
    }
}
