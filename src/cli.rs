//! The command line: arguments, output and exit codes.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use wxgate::config::{Needed, Outline, parse_address};
use wxgate::server::Address;
use wxgate::texts::{Language, text};

mod admin;
mod check;
mod config_file;
mod demo;
mod failure;
mod help;
mod init;
mod key;
mod misuse;
mod new_file;
mod packaging;
mod questions;
mod quota;
mod sandbox;
mod status;
mod store;
mod table;
mod terminal;
mod top;
mod written;

use config_file::{ConfigFile, load, load_for};
use failure::Failure;
use terminal::{confirm, print};

/// A reverse proxy for WeChat's server API that holds the credentials, so that no other service has
/// to.
#[derive(Debug, Parser)]
#[command(
    version,
    max_term_width = 100,
    after_help = "Start with `wxgate demo`: it needs no configuration and no WeChat account.\n\n\
                  Exit codes: 0 success, 64 bad usage or configuration, 1 failure while running."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the proxy
    ///
    /// SIGTERM and SIGINT drain connections and exit, SIGHUP reloads the configuration.
    Serve {
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Check the configuration and print every problem
    ///
    /// Each is printed as FILE:LINE:COL: key.path: what is wrong, what was expected.
    Check {
        #[command(flatten)]
        config: ConfigFile,
        #[command(flatten)]
        online: check::Online,
    },
    /// Write a configuration file, from questions or flags
    ///
    /// On a terminal it asks for what the flags leave open; elsewhere --appid or --sandbox is
    /// required. The file passes `wxgate check` once the AppSecret is in place.
    Init(init::Init),
    /// Run a fake WeChat API to test against
    Sandbox {
        /// Listen address: HOST:PORT or unix:/path
        #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9080", value_parser = address)]
        listen: Listen,
        /// Take the accounts from this configuration file instead of the built-in ones; none is
        /// searched for
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Accept endpoints that WeChat does not have, or not for the token's kind of account,
        /// instead of responding with 40066
        #[arg(long)]
        allow_unlisted: bool,
    },
    /// Take a tour of the proxy on this machine: no configuration, no WeChat account
    Demo {
        /// Exit after the tour; the exit code is 0 only if every claim held
        #[arg(long)]
        once: bool,
    },
    /// Show how a request would be handled
    ///
    /// Uses the apps and callers of the configuration if there is one, else wxgate's defaults.
    Explain {
        /// HTTP method: GET, POST, ...
        #[arg(value_parser = method)]
        method: http::Method,
        /// Path and query, for example /cgi-bin/user/info?openid=O
        #[arg(value_parser = path)]
        path: String,
        #[command(flatten)]
        config: ConfigFile,
        /// Ignore the configuration and use the defaults
        #[arg(long, conflicts_with = "config")]
        no_config: bool,
    },
    /// Show the apps and tokens of a running proxy, or check its health
    Status {
        #[command(flatten)]
        admin: admin::Endpoint,
        /// Print the JSON response unchanged
        #[arg(long)]
        json: bool,
        /// Only check that the process is alive (/healthz), for container health checks; exits with
        /// 0 or 1, needs no token and no configuration
        #[arg(long, conflicts_with = "json")]
        healthz: bool,
        /// Only check that it accepts requests (/readyz), likewise
        #[arg(long, conflicts_with_all = ["json", "healthz"])]
        readyz: bool,
    },
    /// Make a running proxy fetch an app's token now
    Refresh {
        /// Name of the app
        app: String,
        /// Get a new token even if WeChat still returns the current one; at most 20 times a day
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        admin: admin::Endpoint,
    },
    /// Show which callers use up which of WeChat's quotas
    #[command(args_conflicts_with_subcommands = true)]
    Quota {
        #[command(subcommand)]
        action: Option<QuotaAction>,
        /// Show only this app
        app: Option<String>,
        #[command(flatten)]
        admin: admin::Endpoint,
        /// Print the JSON response unchanged
        #[arg(long)]
        json: bool,
    },
    /// Reset an app's quota counters at WeChat
    ///
    /// WeChat allows 10 resets a month of all counters of an app and 50 of single ones, those made
    /// in its console included.
    ClearQuota {
        /// Name of the app
        app: String,
        /// Reset only the counter of this endpoint, for example /cgi-bin/message/custom/send
        #[arg(value_parser = path)]
        endpoint: Option<String>,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        admin: admin::Endpoint,
    },
    /// Show what a running proxy is doing, refreshed every two seconds
    ///
    /// Prints once and exits if stdout is not a terminal.
    Top {
        #[command(flatten)]
        admin: admin::Endpoint,
    },
    /// Inspect a store, or copy it to another
    Store {
        #[command(subcommand)]
        action: store::Action,
    },
    /// Create an API key for a caller
    ///
    /// Prints the key, once, and the [[caller]] table with its hash, which is all that wxgate
    /// keeps. If stdout is not a terminal, only the table goes there, and the key to stderr or
    /// --key-file.
    Key(key::NewKey),
    /// Print shell completions, for packages
    Completions {
        /// Name of the shell
        shell: clap_complete::Shell,
    },
    /// Print the man page, for packages
    Man {
        /// Write one page per command into this directory, created if missing, instead of printing
        /// one
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
enum QuotaAction {
    /// Reset wxgate's own counters and daily budgets of an app for today, on all replicas
    ///
    /// These are the counts that `wxgate quota` shows for the app, and the `daily` budgets that its
    /// requests draw on, including those shared with other apps. It repairs wrong counts in the
    /// store. WeChat's counters are not touched: see clear-quota.
    Reset {
        /// Name of the app
        app: String,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        admin: admin::Endpoint,
    },
}

/// A listening address on the command line.
#[derive(Clone, Debug)]
struct Listen(Address);

fn address(text: &str) -> Result<Listen, String> {
    parse_address(text).map(Listen).map_err(|wrong| wrong.to_string())
}

fn method(text: &str) -> Result<http::Method, String> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return Err(text!("expected a method like GET or POST").to_string());
    }
    http::Method::from_bytes(text.to_ascii_uppercase().as_bytes()).map_err(|error| error.to_string())
}

fn path(text: &str) -> Result<String, String> {
    if text.starts_with('/') {
        Ok(text.to_owned())
    } else {
        Err(text!("expected WeChat's own path, beginning with /, without scheme and host").to_string())
    }
}

/// Runs the command that the process was started with.
pub(crate) fn run() -> ExitCode {
    Language::of_environment().make_default();
    let cli = match parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { failure::USAGE } else { 0 };
            misuse::print(&error);
            return ExitCode::from(code);
        }
    };
    match execute(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(std::io::stderr(), "{failure}");
            failure.exit_code()
        }
    }
}

/// The arguments of this process; help and errors are in its language.
fn parse() -> Result<Cli, clap::Error> {
    let mut command = help::localised(Cli::command());
    let mut matches = command.try_get_matches_from_mut(std::env::args_os())?;
    Cli::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
}

fn execute(command: Command) -> Result<(), Failure> {
    match command {
        Command::Serve { config } => {
            // Before any secret is read.
            let undumpable = wxgate::app::forbid_dumps();
            // Before there are threads.
            let sockets = wxgate::app::Sockets::of_environment().map_err(Failure::usage)?;
            let path = config.path()?;
            let loaded = load_for(&path, &sockets.addresses())?;
            block_on(async {
                wxgate::app::serve(loaded, path, sockets, undumpable).await.map_err(Failure::of_serve)
            })
        }
        Command::Check { config, online } => {
            let loaded = check::check(&config.path()?)?;
            if online.online { block_on(check::online(&loaded, &online)) } else { Ok(()) }
        }
        Command::Init(init) => init::run(init),
        Command::Sandbox { listen, config, allow_unlisted } => {
            let config = config.as_deref().map(load).transpose()?;
            block_on(sandbox::run(listen.0, config.as_ref(), allow_unlisted))
        }
        Command::Demo { once } => block_on(demo::run(once)),
        Command::Explain { method, path: target, config, no_config } => {
            let path = if no_config { None } else { config.if_any()? };
            let config = path.map(|path| Outline::load(&path, Needed::Nothing)).transpose()?;
            print(&wxgate::app::explain(&method, &target, config.as_ref())?)
        }
        Command::Status { admin, healthz: true, .. } => {
            block_on(async { print(&admin::health(&admin, "/healthz").await?) })
        }
        Command::Status { admin, readyz: true, .. } => {
            block_on(async { print(&admin::health(&admin, "/readyz").await?) })
        }
        Command::Status { admin, json, .. } => block_on(async {
            let answer = admin::Client::new(&admin)?.status().await?;
            if json { print(&answer) } else { print(&status::render(&answer)?) }
        }),
        Command::Refresh { app, force, admin } => {
            block_on(async { print(&admin::Client::new(&admin)?.refresh(&app, force).await?) })
        }
        Command::Quota { action: Some(QuotaAction::Reset { app, yes, admin }), .. } => block_on(async {
            if !yes {
                confirm(&quota::resetting(&app))?;
            }
            print(&admin::Client::new(&admin)?.reset_quota(&app).await?)
        }),
        Command::Quota { action: None, app, admin, json } => block_on(async {
            let answer = admin::Client::new(&admin)?.quota(app.as_deref()).await?;
            if json { print(&answer) } else { print(&quota::render(&answer, app.as_deref())?) }
        }),
        Command::ClearQuota { app, endpoint, yes, admin } => block_on(async {
            let client = admin::Client::new(&admin)?;
            if !yes {
                confirm(&quota::clearing(&client.get("/api/v1/quota").await?, &app, endpoint.as_deref())?)?;
            }
            print(&client.clear_quota(&app, endpoint.as_deref()).await?)
        }),
        Command::Top { admin } => block_on(async { top::run(&admin::Client::new(&admin)?).await }),
        Command::Store { action } => block_on(store::run(action)),
        Command::Key(new) => key::run(new),
        Command::Completions { shell } => packaging::completions(shell, Cli::command()),
        Command::Man { dir } => packaging::man(dir, Cli::command()),
    }
}

/// For files that are still being written at the end.
const LAST_WRITES: Duration = Duration::from_secs(1);

/// Runs the control plane on this thread; requests are served on threads of their own.
fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(Failure::run)?;
    let done = runtime.block_on(future);
    // When dropped, it would wait forever for a disk that hangs.
    runtime.shutdown_timeout(LAST_WRITES);
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
