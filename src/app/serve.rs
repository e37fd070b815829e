//! `wxgate serve`: a proxy from its configuration to its last signal.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::activation::Sockets;
use super::files;
use super::memory::most_memory;
use super::notify::ServiceManager;
use super::proxy::{Running, StartError, Surroundings, start};
use super::signals::Termination;
use super::watch;
use crate::config::{Config, LogConfig, LogFormat};
use crate::observe::access_log::AccessLog;
use crate::observe::audit::Audit;
use crate::observe::clock::Clock;
use crate::observe::log::{self, AlreadySet, Format};
use crate::server::Address;
use crate::texts::{Language, text};
use crate::upstream::Resolver;

/// Why `serve` failed.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// It did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The log can't be set up.
    #[error(transparent)]
    Log(#[from] AlreadySet),
    /// Signals can't be caught.
    #[error("{}", text!("could not install signal handlers"))]
    Signal(#[source] io::Error),
    /// A worker of this name no longer serves requests.
    #[error("{}", text!("{worker} is stuck", worker = .0))]
    Stuck(String),
}

/// Serves `config`, read from `path`, on `sockets` until SIGTERM or SIGINT; SIGHUP and changed
/// secret or included files reload it. `undumpable` says how [`forbid_dumps`](super::forbid_dumps)
/// went, before there was a log.
pub async fn serve(
    config: Config,
    path: PathBuf,
    sockets: Sockets,
    undumpable: io::Result<()>,
) -> Result<(), ServeError> {
    let options = log_options(&config.log);
    let started = AccessLog::start(
        options.format.is_json(),
        config.log.access,
        config.server.workers,
        Box::new(io::stdout()),
    );
    let log = Arc::new(started.map_err(StartError::Thread)?);
    log::init(&options, log.messages())?;
    // What is printed once the log has ended is the terminal's again.
    let terminal = Language::current();
    options.language.make_default();
    if let Err(error) = undumpable {
        tracing::warn!(
            %error,
            "{}",
            text!(
                "could not make the process undumpable: a core dump may contain secrets, and other programs of this \
                 user may read them"
            )
        );
    }
    let ended = serve_until_signalled(&config, path, sockets, Arc::clone(&log)).await;
    log.close();
    terminal.make_default();
    ended
}

async fn serve_until_signalled(
    config: &Config,
    path: PathBuf,
    sockets: Sockets,
    log: Arc<AccessLog>,
) -> Result<(), ServeError> {
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    for note in &config.notes {
        tracing::info!("{note}");
    }
    let most = most_memory(config);
    tracing::info!(most_memory_bytes = most.bytes(), "{most}");
    files::raise_limit(config);
    let signals = Signals {
        end: Termination::catch().map_err(ServeError::Signal)?,
        hang_up: signal(SignalKind::hangup()).map_err(ServeError::Signal)?,
    };
    let manager = ServiceManager::of_environment().map_err(StartError::Thread)?;
    let passed = sockets.addresses();
    for address in passed.server.iter().chain(&passed.admin).chain(&passed.callback) {
        tracing::info!(%address, "{}", text!("using a socket of the service manager instead of the configured one"));
    }
    let surroundings = Surroundings {
        clock: Clock::default(),
        log,
        source: Arc::new(move |included| Config::reload_for(&path, &passed, included)),
        resolver: Resolver::default(),
        sockets,
    };
    let has_tls = config.server.tls.is_some();
    let running = start(config, surroundings).await?;
    for address in running.addresses() {
        let tls = has_tls && matches!(address, Address::Tcp(_));
        tracing::info!(%address, tls, "{}", text!("listening"));
    }
    if let Some(address) = running.admin_address() {
        tracing::info!(%address, "{}", text!("admin listening"));
    }
    for address in running.callback_addresses() {
        tracing::info!(%address, "{}", text!("callback listening"));
    }
    manager.ready();
    let pulses = running.pulses();
    // Until the end: a drain waits for the workers.
    let stuck = watch::stuck(&pulses, manager.watchdog(), || manager.well());
    tokio::select! {
        () = until_signalled(running, signals, &manager) => Ok(()),
        worker = stuck => {
            tracing::error!(
                worker,
                silent_s = watch::STUCK.as_secs(),
                "{}",
                text!("a worker is stuck and its callers get no response: wxgate exits, to be restarted")
            );
            Err(ServeError::Stuck(worker))
        }
    }
}

/// The signals that the process receives.
struct Signals {
    end: Termination,
    hang_up: Signal,
}

async fn until_signalled(running: Running, mut signals: Signals, manager: &ServiceManager) {
    loop {
        let asked = tokio::select! {
            () = signals.end.wait() => break,
            _ = signals.hang_up.recv() => Some(Audit::begin(None, "reload").kept_in(running.trail())),
            () = running.secret_changed() => {
                tracing::info!("{}", text!("a secret or certificate file changed, reloading"));
                None
            }
            () = running.included_changed() => {
                tracing::info!("{}", text!("an included file changed, reloading"));
                None
            }
        };
        manager.reloading();
        // Its problems are in the log.
        let reloaded = tokio::select! {
            reloaded = running.reload() => reloaded,
            // Its files may be on a network share that hangs.
            () = signals.end.wait() => break,
        };
        manager.ready();
        match asked {
            Some(audit) if reloaded.is_ok() => audit.done(),
            Some(audit) => audit.failed(text!("the configuration was rejected").to_string()),
            None => {}
        }
    }
    manager.stopping();
    let (hurry, hurried) = tokio::sync::watch::channel(false);
    let impatient = async {
        signals.end.wait().await;
        tracing::warn!("{}", text!("second signal: aborting requests in flight"));
        hurry.send_replace(true);
        std::future::pending().await
    };
    let drained = tokio::select! {
        drained = running.drain_unless(hurried) => drained,
        never = impatient => never,
    };
    tracing::info!(cut_off = drained.cut_off, "{}", text!("stopped"));
}

fn log_options(config: &LogConfig) -> log::Options {
    let format = match config.format {
        LogFormat::Auto => Format::Auto,
        LogFormat::Json => Format::Json,
        LogFormat::Pretty => Format::Pretty,
    };
    let language = config.language.unwrap_or_else(Language::of_environment);
    log::Options { format, language, level: config.level.into() }
}
