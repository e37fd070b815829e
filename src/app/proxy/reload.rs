//! Another configuration without a restart: SIGHUP, the admin API, a secret file that changed.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::{OwnedMutexGuard, oneshot};

use super::core::{Core, Fixed};
use super::secret_files;
use crate::admin::{Refused, Reloads};
use crate::api;
use crate::app::apps;
use crate::app::links::asking;
use crate::config::{Config, Problems, SecretFile, Severity};
use crate::observe::chain::Chain;
use crate::pipeline::{self, AppOptions};
use crate::texts::Words;
use crate::upstream::Trusted;
use crate::upstream::tls::TlsError;

/// For reading all the files, a network's among them.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why there is nothing to be judged.
#[derive(Debug, thiserror::Error)]
enum NotRead {
    #[error(
        "it, or a file that it names, was not read within {PATIENCE:?}, or an earlier reload still reads: does a file \
         system hang? Reload again once it answers"
    )]
    Late,
    #[error("cannot start the thread that reads it")]
    Thread(#[source] io::Error),
    #[error("the thread that read it was lost")]
    Lost,
}

/// What was read, and the turn to put it in force.
struct Reading {
    /// Whoever read first applies first: an older file must not come last.
    turn: OwnedMutexGuard<()>,
    /// The secret files before the rest was read.
    seen: Vec<SecretFile>,
    read: Result<(Config, Result<Trusted, TlsError>), Problems>,
}

impl Core {
    /// Reads the configuration and puts it in force. A bad one is refused, and the one in force
    /// stays.
    pub(super) async fn reload(&self) -> Result<(), String> {
        let reading = tokio::select! {
            biased;
            reading = self.read() => reading,
            () = self.clock.sleep(PATIENCE) => Err(NotRead::Late),
        };
        // Held until all is in force.
        let (_turn, seen, read) = match reading {
            Ok(Reading { turn, seen, read }) => (Some(turn), Some(seen), Ok(read)),
            Err(not_read) => (None, None, Err(not_read)),
        };
        let mut first_of = None;
        let applied = match read {
            Ok(Ok((config, trusted))) => self.apply(&config, trusted),
            Ok(Err(problems)) => {
                first_of = Some(first(&problems));
                Err(problems.to_string())
            }
            Err(not_read) => Err(Chain(&not_read).to_string()),
        };
        if let Err(problems) = &applied {
            tracing::error!("configuration refused, the old one stays in force: {problems}");
            // The same contents would be refused again and again.
            if let Some(seen) = seen {
                self.secret_files.send_replace(seen);
            }
        }
        let at = self.clock.now();
        self.admin.state.reloads.send_modify(|reloads| match &applied {
            Ok(()) => *reloads = Reloads { succeeded_at: at, refused: None },
            Err(problems) => {
                let (problem, more) = first_of.unwrap_or_else(|| (Words::untranslated(problems.clone()), 0));
                reloads.refused = Some(Refused { at, problem, more });
            }
        });
        applied
    }

    /// Reads all the files, one reload after the other: where a file system hangs, one thread hangs
    /// with it, however often a reload is asked for.
    async fn read(&self) -> Result<Reading, NotRead> {
        let turn = Arc::clone(&self.reloading).lock_owned().await;
        let (source, files) = (Arc::clone(&self.source), self.secret_files.borrow().clone());
        let (tell, told) = oneshot::channel();
        let read = move || {
            // Looked at before they are used: what changes while they are read must be noticed as a
            // change.
            let seen = secret_files::seen(&files);
            let read = source().map(|config| {
                let trusted = Trusted::read(&config.upstreams);
                (config, trusted)
            });
            // If it took too long, nobody hears of it, and the next has its turn.
            let _ = tell.send(Reading { turn, seen, read });
        };
        // No runtime's own, whose end would wait for it.
        thread::Builder::new().name("reload".to_owned()).spawn(read).map_err(NotRead::Thread)?;
        told.await.map_err(|_| NotRead::Lost)
    }

    fn apply(&self, config: &Config, trusted: Result<Trusted, TlsError>) -> Result<(), String> {
        if self.exposed && config.pipeline.callers.is_empty() && !config.pipeline.anonymous {
            // The file's own listeners may be local, but those that are bound are not.
            return Err(
                "a listener that other machines reach is bound, so [[caller]] or `server.anonymous = true` \
                        is needed; to listen elsewhere, restart"
                    .to_owned(),
            );
        }
        self.keep_a_default(&config.pipeline)?;
        let waiting = self.fixed.changed(&Fixed::of(config));
        if !waiting.is_empty() {
            tracing::warn!(
                "these keys have changed and take a restart: {}; all else of the new configuration is in force",
                waiting.join(", ")
            );
        }
        let upstreams = trusted.and_then(|trusted| self.upstreams.configure(&config.upstreams, trusted));
        let upstreams = upstreams.map_err(|error| chain(&error))?;
        // Tokens first: a request must find a keeper for every app that the directory names.
        let tokens = apps::token_apps(config, &upstreams);
        self.clients.store(Arc::new(asking::clients(&tokens, &config.pipeline)));
        self.manager.reconfigure(tokens, config.token.clone());
        self.quota.configure(apps::quota_apps(config));
        self.alerts.configure(config.alerts.clone());
        self.exporter.configure(config.exports.clone(), &self.manager);
        self.gate.reload(config.pipeline.clone(), upstreams);
        if let (Some(tls), Some(identity)) = (&self.tls, &config.server.tls) {
            tls.replace(identity.clone());
        }
        self.callbacks.configure(config.callback.platforms.clone());
        self.callbacks.trust(config.pipeline.trusted_proxies.clone());
        self.connections.trust(config.pipeline.trusted_proxies.clone());
        self.admin.token.store(config.admin.token.clone());
        self.admin.trusted_proxies.store(Arc::new(config.pipeline.trusted_proxies.clone()));
        self.admin.state.callers.store(Arc::new(api::Caller::all(&config.pipeline)));
        self.secret_files.send_replace(config.secret_files.clone());
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
        for note in &config.notes {
            tracing::info!("{note}");
        }
        tracing::info!(apps = config.pipeline.apps.len(), "configuration reloaded");
        Ok(())
    }

    /// Refuses options that would lose the default app, unless they say so: an only app is the
    /// default by itself, and would stop being it once a second one is added.
    fn keep_a_default(&self, options: &pipeline::Options) -> Result<(), String> {
        let Some((name, identity)) = self.gate.default_app() else { return Ok(()) };
        if options.default_app().is_some() {
            return Ok(());
        }
        let is_it = |app: &&AppOptions| app.token.name == name || app.token.identity() == identity;
        let remedy = match options.apps.iter().find(is_it) {
            Some(app) if app.default == Some(false) => return Ok(()),
            Some(app) => format!(
                "write `default = true` in the [[app]] named {}, or `default = false` if none is to be",
                app.token.name
            ),
            None => {
                let names: Vec<_> = options.apps.iter().map(|app| &*app.token.name).collect();
                format!(
                    "write `default = true` in the [[app]] that is to be it, of {}; if none is to be, say \
                     `default = false` in that of {name} before it goes",
                    names.join(", ")
                )
            }
        };
        Err(format!(
            "app {name} is the default, for requests that name no app, and there would be none any more: {remedy}"
        ))
    }
}

/// The first problem for which the configuration is refused, and how many more there are.
fn first(problems: &Problems) -> (Words, usize) {
    let mut errors = problems.0.iter().filter(|problem| problem.severity == Severity::Error);
    let first = errors.next().map(|problem| Words::of(|| problem.to_string())).unwrap_or_default();
    (first, errors.count())
}

/// What can't be used of the files that the configuration names.
fn chain(error: &TlsError) -> String {
    format!("upstream.ca_file: {}", Chain(error))
}
