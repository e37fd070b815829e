//! `wxgate check`: a configuration file, and whether WeChat takes what is in it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use wxgate::app::layout::{WIDTH, wrap};
use wxgate::config::Config;

use super::config_file::load;
use super::failure::Failure;
use super::new_file;
use super::terminal::{print, tell};

/// What else is found out, by asking WeChat.
#[derive(Debug, Args)]
pub(super) struct Online {
    /// Also fetch a token for each app, never by force, and explain WeChat's refusals
    #[arg(long)]
    pub(super) online: bool,
    /// Fetch for apps in classic mode too, which ends the token that is in use
    #[arg(long, requires = "online")]
    rotate: bool,
    /// Also measure WeChat's hosts: TLS, gzip, latency, when they close idle connections
    ///
    /// Each is asked a few times without a token, which costs no quota. Prints a report that can be
    /// given to others: it holds no secret, and no name, appid or address of this installation.
    #[arg(long, requires = "online")]
    probe: bool,
    /// The longest to wait for an idle connection to be closed, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "probe", value_parser = clap::value_parser!(u64).range(0..=600))]
    probe_idle: u64,
    /// Write the probe's report to this file, which must not exist, instead of printing it
    #[arg(long, value_name = "FILE", requires = "probe")]
    report: Option<PathBuf>,
}

/// Says what is in the file; a failure if it has problems.
pub(super) fn check(path: &Path) -> Result<Config, Failure> {
    let config = load(path)?;
    let count = |number: usize, word: &str| format!("{number} {word}{}", if number == 1 { "" } else { "s" });
    print(&format!(
        "{}: ok, {}, {}\n",
        path.display(),
        count(config.pipeline.apps.len(), "app"),
        count(config.pipeline.callers.iter().chain(&config.pipeline.anonymous_caller).count(), "caller"),
    ))?;
    for line in config.notes.iter().flat_map(|note| wrap(note.as_str(), WIDTH)) {
        print(&format!("{line}\n"))?;
    }
    let memory = wxgate::app::most_memory(&config);
    print(&format!("{}; `wxgate serve` logs the parts\n", memory.sum()))?;
    Ok(config)
}

/// Fetches a token for each app and prints what came of it, and then of the probe if one is wanted;
/// a failure if an app got no token or a host no answer.
pub(super) async fn online(config: &Config, options: &Online) -> Result<(), Failure> {
    // Before minutes are spent on what goes there.
    options.report.as_deref().map_or(Ok(()), new_file::refuse_existing)?;
    let told = wxgate::app::online(config, options.rotate).await.map_err(Failure::run)?;
    print(&told.text)?;
    let tokens = match told.failed {
        0 if told.unsigned == 1 => Err(Failure::run("1 app's signed call failed")),
        0 if told.unsigned > 1 => {
            Err(Failure::run(format!("the signed calls of {} apps failed", told.unsigned)))
        }
        0 => Ok(()),
        1 => Err(Failure::run("1 app got no token")),
        failed => Err(Failure::run(format!("{failed} apps got no token"))),
    };
    // That WeChat refuses a token is no reason not to measure its hosts.
    let hosts = if options.probe { probe(config, options).await } else { Ok(()) };
    tokens.and(hosts)
}

async fn probe(config: &Config, options: &Online) -> Result<(), Failure> {
    let idle = Duration::from_secs(options.probe_idle);
    let probed = wxgate::app::probe(config, idle, tell).await.map_err(Failure::run)?;
    match &options.report {
        Some(path) => {
            new_file::create(path, &probed.report)?;
            tell(&format!("the report is in {}", path.display()));
        }
        None => print(&format!("\n{}", probed.report))?,
    }
    match probed.failed {
        0 => Ok(()),
        1 => Err(Failure::run("1 host gave no answer")),
        failed => Err(Failure::run(format!("{failed} hosts gave no answer"))),
    }
}
