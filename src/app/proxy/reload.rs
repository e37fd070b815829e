//! Another configuration without a restart: SIGHUP, the admin API, a secret file or an included one
//! that changed.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::{OwnedMutexGuard, oneshot};

use super::core::{Core, Fixed, Hosts};
use super::{included_files, secret_files};
use crate::admin::{Refused, Reloads};
use crate::api;
use crate::app::apps;
use crate::app::links::asking;
use crate::config::{Config, Problems, SecretFile, Severity, Watched};
use crate::observe::chain::Chain;
use crate::pipeline::{self, AppOptions};
use crate::texts::{Words, text};
use crate::upstream::Trusted;
use crate::upstream::tls::TlsError;

/// For reading all the files, some of which may be on a network share.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why no configuration was read.
#[derive(Debug, thiserror::Error)]
enum NotRead {
    #[error(
        "{}",
        text!(
            "it, or a file that it names, could not be read within {seconds} s, or an earlier reload is still reading; \
             a file system may hang: reload again once it responds",
            seconds = PATIENCE.as_secs()
        )
    )]
    Late,
    #[error("{}", text!("could not start the thread that reads it"))]
    Thread(#[source] io::Error),
    #[error("{}", text!("the thread that read it panicked"))]
    Lost,
}

/// What was read, and the right to apply it.
struct Reading {
    /// Reloads apply in the order in which they read: an older file must not come last.
    turn: OwnedMutexGuard<()>,
    /// The secret files before the rest was read.
    seen: Vec<SecretFile>,
    /// The included ones.
    watched: Watched,
    read: Result<(Config, Result<Trusted, TlsError>), Problems>,
}

impl Core {
    /// Reads the configuration and applies it. A bad one is rejected, and the current one stays.
    pub(super) async fn reload(&self) -> Result<(), String> {
        let reading = tokio::select! {
            biased;
            reading = self.read() => reading,
            () = self.clock.sleep(PATIENCE) => Err(NotRead::Late),
        };
        // Held until everything is applied.
        let (_turn, seen, read) = match reading {
            Ok(Reading { turn, seen, watched, read }) => (Some(turn), Some((seen, watched)), Ok(read)),
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
            tracing::error!(
                "{}",
                text!("new configuration rejected, keeping the current one: {problems}", problems)
            );
            // The same contents would be rejected again and again.
            if let Some((seen, watched)) = seen {
                self.secret_files.send_replace(seen);
                self.watched.send_replace(watched);
            }
        }
        let at = self.clock.now();
        self.admin.state.reloads.send_modify(|reloads| match &applied {
            Ok(()) => {
                let files = included_files::shown(&self.included.load(), &reloads.files, at);
                *reloads = Reloads { succeeded_at: at, refused: None, files };
            }
            Err(problems) => {
                let (problem, more) = first_of.unwrap_or_else(|| (Words::untranslated(problems.clone()), 0));
                reloads.refused = Some(Refused { at, problem, more });
            }
        });
        applied
    }

    /// Reads all the files, one reload after the other: if a file system hangs, one thread hangs
    /// with it, however often a reload is requested.
    async fn read(&self) -> Result<Reading, NotRead> {
        let turn = Arc::clone(&self.reloading).lock_owned().await;
        let (source, files) = (Arc::clone(&self.source), self.secret_files.borrow().clone());
        let (watched, included) = (self.watched.borrow().clone(), self.included.load_full());
        let (tell, told) = oneshot::channel();
        let read = move || {
            // Digested before they are used: what changes while they are read must count as a
            // change.
            let seen = secret_files::seen(&files);
            let watched = watched.look();
            let read = source(&included).map(|config| {
                let trusted = Trusted::read(&config.upstreams);
                (config, trusted)
            });
            // If it took too long, nobody receives it, and the next reload has its turn.
            let _ = tell.send(Reading { turn, seen, watched, read });
        };
        // Not on a thread of the runtime, whose shutdown would wait for it.
        thread::Builder::new().name("reload".to_owned()).spawn(read).map_err(NotRead::Thread)?;
        told.await.map_err(|_| NotRead::Lost)
    }

    fn apply(&self, config: &Config, trusted: Result<Trusted, TlsError>) -> Result<(), String> {
        if self.exposed && config.pipeline.callers.is_empty() && !config.pipeline.anonymous {
            // The file's own listeners may be local, but those that are bound are not.
            let problem = text!(
                "wxgate listens on an address that other machines reach, which requires [[caller]] or `server.anonymous = \
                 true`; restart it to listen elsewhere"
            );
            return Err(problem.to_string());
        }
        self.keep_a_default(&config.pipeline)?;
        let waiting = self.fixed.changed(&Fixed::of(config));
        if !waiting.is_empty() {
            let keys = waiting.join(", ");
            tracing::warn!(
                "{}",
                text!("changes that require a restart: {keys}; everything else was applied", keys)
            );
        }
        let upstreams = trusted.and_then(|trusted| self.upstreams.configure(&config.upstreams, trusted));
        let upstreams = upstreams.map_err(|error| chain(&error))?;
        // Tokens first: a request must find a token task for every app that the directory names.
        let tokens = apps::token_apps(config, &upstreams);
        self.clients.store(Arc::new(asking::clients(&tokens, &config.pipeline)));
        self.manager.reconfigure(tokens, config.token.clone());
        self.quota.configure(apps::quota_apps(config));
        self.alerts.configure(config.alerts.clone());
        self.exporter.configure(config.exports.clone(), &self.manager);
        self.gate.reload(config.pipeline.clone(), upstreams);
        self.hosts.store(Arc::new(Hosts::of(config)));
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
        self.watched.send_replace(config.included.watched.clone());
        let before = self.included.swap(Arc::new(config.included.clone()));
        included_files::log(&config.included.changes(&before));
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
        for note in &config.notes {
            tracing::info!("{note}");
        }
        tracing::info!(apps = config.pipeline.apps.len(), "{}", text!("configuration reloaded"));
        Ok(())
    }

    /// Rejects options that would lose the default app, unless they say so: a single app is the
    /// default by itself, and would stop being it once a second one is added.
    fn keep_a_default(&self, options: &pipeline::Options) -> Result<(), String> {
        let Some((name, identity)) = self.gate.default_app() else { return Ok(()) };
        if options.default_app().is_some() {
            return Ok(());
        }
        let is_it = |app: &&AppOptions| app.token.name == name || app.token.identity() == identity;
        let problem = match options.apps.iter().find(is_it) {
            Some(app) if app.default == Some(false) => return Ok(()),
            Some(app) => text!(
                "app {name} serves requests that name no app, and there would be no default any more: add `default = true` \
                 to the [[app]] named {new_name}, or `default = false` for no default",
                name,
                new_name = app.token.name
            )
            .to_string(),
            None => {
                let names: Vec<_> = options.apps.iter().map(|app| &*app.token.name).collect();
                text!(
                    "app {name} serves requests that name no app, and there would be no default any more: add `default = \
                     true` to one of the [[app]] {names}; for no default, set `default = false` for {name} before \
                     you remove it",
                    name,
                    names = names.join(", ")
                )
                .to_string()
            }
        };
        Err(problem)
    }
}

/// The first problem for which the configuration is rejected, and how many more there are.
fn first(problems: &Problems) -> (Words, usize) {
    let mut errors = problems.0.iter().filter(|problem| problem.severity == Severity::Error);
    let first = errors.next().map(|problem| Words::of(|| problem.to_string())).unwrap_or_default();
    (first, errors.count())
}

/// Which file that the configuration names can't be used.
fn chain(error: &TlsError) -> String {
    format!("upstream.ca_file: {}", Chain(error))
}
