//! Another configuration without a restart: SIGHUP, the admin API, a secret file that changed.

use std::sync::{Arc, Weak};

use super::{Core, views};
use crate::admin;
use crate::config::{Config, Problems};
use crate::server::{self, Address};
use crate::upstream;

/// Reads the configuration anew.
pub type Source = Arc<dyn Fn() -> Result<Config, Problems> + Send + Sync>;

/// What takes a restart to change.
#[derive(PartialEq)]
pub(super) struct Fixed {
    listen: Vec<Address>,
    workers: usize,
    server: server::Options,
    admin: Address,
    upstream: upstream::Options,
}

impl Fixed {
    pub(super) fn of(config: &Config) -> Self {
        Self {
            listen: config.server.listen.clone(),
            workers: config.server.workers,
            server: config.server.options.clone(),
            admin: config.admin.listen.clone(),
            upstream: config.upstream.clone(),
        }
    }
}

impl Core {
    /// Tokens first: a request must find a keeper for every app that the directory names.
    pub(super) fn reload(&self, config: &Config) {
        if Fixed::of(config) != self.fixed {
            tracing::warn!(
                "[server], [admin] listen and [upstream] take a restart to change; all else of the new configuration is in force"
            );
        }
        let apps = config.pipeline.apps.iter().map(|app| app.token.clone()).collect();
        self.manager.reconfigure(apps, config.token.clone());
        self.gate.reload(config.pipeline.clone());
        self.admin.token.store(config.admin.token.clone());
        self.admin.state.callers.store(Arc::new(views::callers(&config.pipeline)));
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
        tracing::info!(apps = config.pipeline.apps.len(), "configuration reloaded");
    }

    /// Reads and applies; a bad file is refused and the configuration in force stays.
    pub(super) fn reload_from(&self, source: &Source) -> Result<(), String> {
        match source() {
            Ok(config) => {
                self.reload(&config);
                Ok(())
            }
            Err(problems) => {
                tracing::error!("configuration refused, the old one stays in force: {problems}");
                Err(problems.to_string())
            }
        }
    }
}

/// The admin API's reload.
pub(super) fn on_demand(core: Weak<Core>, source: Source) -> admin::Reload {
    Arc::new(move || {
        let (core, source) = (core.clone(), Arc::clone(&source));
        Box::pin(async move {
            match core.upgrade() {
                Some(core) => core.reload_from(&source),
                None => Err("the proxy ends".to_owned()),
            }
        })
    })
}
