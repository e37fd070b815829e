//! The command line: arguments, output and exit codes.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory as _, Parser, Subcommand};
use wxgate::config::{Needed, Outline, parse_address};
use wxgate::server::Address;
use wxgate::texts::{Language, text};

mod admin;
mod check;
mod config_file;
mod demo;
mod failure;
mod init;
mod key;
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
                  Exit codes: 0 ok, 64 bad usage or configuration, 1 failure while running."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the proxy
    ///
    /// SIGTERM and SIGINT drain and end it, SIGHUP reloads the configuration.
    Serve {
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Check the configuration and print every problem
    ///
    /// Each is printed as FILE:LINE:COL: key.path: what is wrong, what would be right.
    Check {
        #[command(flatten)]
        config: ConfigFile,
        #[command(flatten)]
        online: check::Online,
    },
    /// Write a configuration file, from questions or flags
    ///
    /// On a terminal it asks for what isn't given; elsewhere --appid or --sandbox must be. What it
    /// writes passes `wxgate check` once the AppSecret is where it says.
    Init(init::Init),
    /// Run a fake WeChat API, to test apps against
    Sandbox {
        /// Where to listen: HOST:PORT or unix:/path
        #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9080", value_parser = address)]
        listen: Listen,
        /// Take the accounts from this configuration file, instead of made-up ones; only if it is
        /// named here
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Answer endpoints that WeChat doesn't have, or not for the token's kind of account, as if
        /// it had them, instead of with 40066
        #[arg(long)]
        allow_unlisted: bool,
    },
    /// Show what the proxy does, on this machine alone: no configuration, no WeChat account
    Demo {
        /// End after the tour; the exit code is 0 only if every step held
        #[arg(long)]
        once: bool,
    },
    /// Say how a request would be handled
    ///
    /// With the apps and callers of the configuration, if there is one; else with wxgate's defaults.
    Explain {
        /// GET, POST, ...
        #[arg(value_parser = method)]
        method: http::Method,
        /// The path with its query, like /cgi-bin/user/info?openid=O
        #[arg(value_parser = path)]
        path: String,
        #[command(flatten)]
        config: ConfigFile,
        /// Without a configuration, even where there is one
        #[arg(long, conflicts_with = "config")]
        no_config: bool,
    },
    /// Show the apps and tokens of a running proxy, or whether it is well
    Status {
        #[command(flatten)]
        admin: admin::Endpoint,
        /// Print the proxy's answer as it is
        #[arg(long)]
        json: bool,
        /// Only ask whether the process runs (/healthz), as a container's health check; exit code 0
        /// or 1, no token and no configuration needed
        #[arg(long, conflicts_with = "json")]
        healthz: bool,
        /// Only ask whether it takes requests (/readyz), likewise
        #[arg(long, conflicts_with_all = ["json", "healthz"])]
        readyz: bool,
    },
    /// Have a running proxy fetch an app's token
    Refresh {
        /// The app's name
        app: String,
        /// Replace a token that WeChat still returns; at most 20 times a day
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        admin: admin::Endpoint,
    },
    /// Show who spends which of WeChat's quotas, by a running proxy
    #[command(args_conflicts_with_subcommands = true)]
    Quota {
        #[command(subcommand)]
        action: Option<QuotaAction>,
        /// Only this app's
        app: Option<String>,
        #[command(flatten)]
        admin: admin::Endpoint,
        /// Print the proxy's answer as it is
        #[arg(long)]
        json: bool,
    },
    /// Have WeChat's counters of an app begin anew
    ///
    /// WeChat allows 10 times a month for all counters of an app and 50 times for single ones, its
    /// console's included.
    ClearQuota {
        /// The app's name
        app: String,
        /// Only the counter of this endpoint, like /cgi-bin/message/custom/send
        #[arg(value_parser = path)]
        endpoint: Option<String>,
        /// Don't ask before
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        admin: admin::Endpoint,
    },
    /// Show what a running proxy is doing, every two seconds anew
    ///
    /// Where stdout is no terminal it prints once and ends.
    Top {
        #[command(flatten)]
        admin: admin::Endpoint,
    },
    /// Look into a store, or move to another
    Store {
        #[command(subcommand)]
        action: store::Action,
    },
    /// Make an API key for a caller
    ///
    /// Prints the key, once, and the [[caller]] table with its hash, which is all that wxgate keeps.
    /// Where stdout is no terminal the table alone goes there, and the key to stderr or --key-file.
    Key(key::NewKey),
    /// Print a shell's completions, for packages
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the man page, for packages
    Man {
        /// Write a page for each command into this folder, instead of one to stdout; it is created
        /// if it isn't there
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
enum QuotaAction {
    /// Have wxgate's own counters and budgets of an app begin anew today, on all replicas
    ///
    /// That is what `wxgate quota` counts of the app, and the `daily` budgets that its requests draw
    /// on, those that it shares with other apps included. It heals what somebody else wrote into the
    /// store. WeChat's counters stay as they are: see clear-quota.
    Reset {
        /// The app's name
        app: String,
        /// Don't ask before
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
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { failure::USAGE } else { 0 };
            // Nothing can be done about a closed stderr.
            let _ = error.print();
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

/// For files that are being written when all else has ended.
const LAST_WRITES: Duration = Duration::from_secs(1);

/// Runs the control plane on this thread; what serves requests has threads of its own.
fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(Failure::run)?;
    let done = runtime.block_on(future);
    // Dropped, it would wait without end for a disk that hangs.
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
