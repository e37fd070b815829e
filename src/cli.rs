//! The command line: arguments, output and exit codes.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use wxgate::config::{Config, parse_address};
use wxgate::server::Address;

mod admin;
mod failure;
mod quota;
mod sandbox;
mod status;
mod store;
mod top;

use failure::Failure;

/// The parts that commands run, each called in one place.
mod parts {
    use std::io::IsTerminal as _;
    use std::path::Path;
    use std::time::Duration;

    use wxgate::config::Config;
    use wxgate::demo::Show;
    use wxgate::server::Address;

    use super::failure::Failure;

    /// Between two steps of the tour, for whoever watches it.
    const READING: Duration = Duration::from_millis(450);

    /// Serves until a signal ends it; `path` is read again on SIGHUP.
    pub(super) async fn serve(config: Config, path: &Path) -> Result<(), Failure> {
        wxgate::app::serve(config, path.to_owned()).await.map_err(|error| Failure::Run(error.into()))
    }

    /// Serves the fake WeChat; the accounts are those of `config`, else made-up ones.
    pub(super) async fn sandbox(listen: Address, config: Option<Config>) -> Result<(), Failure> {
        super::sandbox::run(listen, config.as_ref()).await
    }

    /// Runs the tour; goes on serving unless `once`.
    pub(super) async fn demo(once: bool) -> Result<(), Failure> {
        let pause = if std::io::stdout().is_terminal() { READING } else { Duration::ZERO };
        let held = wxgate::demo::run(once, Show { colour: super::colour(), pause }).await;
        match held.map_err(|error| Failure::Run(error.into()))? {
            wxgate::demo::Outcome::Held => Ok(()),
            wxgate::demo::Outcome::Failed(steps) => {
                Err(Failure::Run(format!("{steps} of the tour's steps did not hold").into()))
            }
        }
    }

    /// How a request would be handled, as text to print.
    pub(super) fn explain(
        method: &http::Method,
        path: &str,
        config: Option<&Config>,
    ) -> Result<String, Failure> {
        Ok(wxgate::app::explain(method, path, config)?)
    }

    /// Fetches a token for each app and prints what came of it; a failure if one got none.
    pub(super) async fn check_online(config: Config, rotate: bool) -> Result<(), Failure> {
        let told = wxgate::app::online(&config, rotate).await.map_err(|error| Failure::Run(error.into()))?;
        super::print(&told.text)?;
        match told.failed {
            0 => Ok(()),
            1 => Err(Failure::Run("1 app got no token".into())),
            failed => Err(Failure::Run(format!("{failed} apps got no token").into())),
        }
    }
}

/// A reverse proxy for WeChat's server API that holds the credentials, so that no other service has to.
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
    /// Check a configuration file and print every problem
    ///
    /// Each is printed as FILE:LINE:COL: key.path: what is wrong, what would be right.
    Check {
        #[command(flatten)]
        config: ConfigFile,
        /// Also fetch a token for each app, never by force, and explain WeChat's refusals
        #[arg(long)]
        online: bool,
        /// Fetch for apps in classic mode too, which ends the token that is in use
        #[arg(long, requires = "online")]
        rotate: bool,
    },
    /// Run a fake WeChat API, to test apps against
    Sandbox {
        /// Where to listen: HOST:PORT or unix:/path
        #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9080", value_parser = address)]
        listen: Listen,
        /// Take the accounts from this configuration file
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Show what the proxy does, on this machine alone: no configuration, no WeChat account
    Demo {
        /// End after the tour; the exit code is 0 only if every step held
        #[arg(long)]
        once: bool,
    },
    /// Say how a request would be handled
    Explain {
        /// GET, POST, ...
        #[arg(value_parser = method)]
        method: http::Method,
        /// The path with its query, like /cgi-bin/user/info?openid=O
        #[arg(value_parser = path)]
        path: String,
        /// With the apps and callers of this configuration file
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Show the apps and tokens of a running proxy
    Status {
        #[command(flatten)]
        admin: admin::Endpoint,
        /// Print the proxy's answer as it is
        #[arg(long)]
        json: bool,
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
    Quota {
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
    /// WeChat allows 10 times a month for all counters of an app and 50 times for single ones, its console's included.
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
}

#[derive(Debug, Args)]
struct ConfigFile {
    /// The configuration file
    #[arg(long = "config", value_name = "FILE")]
    path: PathBuf,
}

/// A listening address on the command line.
#[derive(Clone, Debug)]
struct Listen(Address);

fn address(text: &str) -> Result<Listen, String> {
    parse_address(text).map(Listen)
}

fn method(text: &str) -> Result<http::Method, String> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return Err("expected a method like GET or POST".to_owned());
    }
    http::Method::from_bytes(text.to_ascii_uppercase().as_bytes()).map_err(|error| error.to_string())
}

fn path(text: &str) -> Result<String, String> {
    if text.starts_with('/') {
        Ok(text.to_owned())
    } else {
        Err("expected WeChat's own path, beginning with /, without scheme and host".to_owned())
    }
}

/// Runs the command that the process was started with.
pub(crate) fn run() -> ExitCode {
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
        Command::Serve { config } => block_on(parts::serve(load(&config.path)?, &config.path)),
        Command::Check { config, online, rotate } => check(&config.path, online, rotate),
        Command::Sandbox { listen, config } => {
            let config = config.as_deref().map(load).transpose()?;
            block_on(parts::sandbox(listen.0, config))
        }
        Command::Demo { once } => block_on(parts::demo(once)),
        Command::Explain { method, path, config } => {
            let config = config.as_deref().map(load).transpose()?;
            print(&parts::explain(&method, &path, config.as_ref())?)
        }
        Command::Status { admin, json } => block_on(async {
            let answer = admin::Client::new(&admin)?.status().await?;
            if json { print(&answer) } else { print(&status::render(&answer)?) }
        }),
        Command::Refresh { app, force, admin } => {
            block_on(async { print(&admin::Client::new(&admin)?.refresh(&app, force).await?) })
        }
        Command::Quota { app, admin, json } => block_on(async {
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
    }
}

/// The configuration; its warnings go to stderr.
fn load(path: &Path) -> Result<Config, Failure> {
    let config = Config::load(path)?;
    for warning in &config.warnings {
        let _ = writeln!(std::io::stderr(), "{warning}");
    }
    Ok(config)
}

fn check(path: &Path, online: bool, rotate: bool) -> Result<(), Failure> {
    let config = load(path)?;
    let count = |number: usize, word: &str| format!("{number} {word}{}", if number == 1 { "" } else { "s" });
    print(&format!(
        "{}: ok, {}, {}\n",
        path.display(),
        count(config.pipeline.apps.len(), "app"),
        count(config.pipeline.callers.len(), "caller"),
    ))?;
    if online { block_on(parts::check_online(config, rotate)) } else { Ok(()) }
}

/// Runs the control plane on this thread; what serves requests has threads of its own.
/// For files that are being written when all else has ended.
const LAST_WRITES: Duration = Duration::from_secs(1);

fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Run(error.into()))?;
    let done = runtime.block_on(future);
    // Dropped, it would wait without end for a disk that hangs.
    runtime.shutdown_timeout(LAST_WRITES);
    done
}

/// Asks on the terminal; where nobody can answer, it says how to do without.
fn confirm(question: &str) -> Result<(), Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::Usage(format!("{question} Nobody can be asked here: add --yes.").into()));
    }
    print(&format!("{question} [y/N] "))?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(|error| Failure::Run(error.into()))?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Failure::Run("nothing was done".into())),
    }
}

/// Whether stdout takes colour: a terminal, and nobody who said no (<https://no-color.org>).
fn colour() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty())
}

/// Writes to stdout; a reader that left early (`| head`) is no failure.
fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::Run(error.into())),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
