//! `wxgate check`: a configuration file, and whether WeChat takes what is in it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use wxgate::app::layout::{WIDTH, wrap};
use wxgate::config::Config;
use wxgate::texts::text;

use super::config_file::load;
use super::failure::Failure;
use super::new_file;
use super::terminal::{print, tell};

/// The longest wait for an idle connection to be closed, in seconds.
const LONGEST_IDLE: u64 = 600;

/// What else is found out, by asking WeChat.
#[derive(Debug, Args)]
pub(super) struct Online {
    /// Also fetch a token for each app, without forcing a new one, and explain WeChat's refusals
    #[arg(long)]
    pub(super) online: bool,
    /// Fetch for apps in classic mode too, which invalidates the token in use
    #[arg(long, requires = "online")]
    rotate: bool,
    /// Also measure WeChat's hosts: TLS, gzip, latency, idle timeout
    ///
    /// Sends each host a few requests without a token, which costs no quota. The report can be
    /// shared: it contains no secret, and no name, appid or address of this installation.
    #[arg(long, requires = "online")]
    probe: bool,
    /// Longest wait for an idle connection to be closed, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "probe", value_parser = idle_seconds)]
    probe_idle: u64,
    /// Write the probe's report to this new file instead of printing it
    #[arg(long, value_name = "FILE", requires = "probe")]
    report: Option<PathBuf>,
}

fn idle_seconds(text: &str) -> Result<u64, String> {
    let seconds = text.parse().ok().filter(|seconds| *seconds <= LONGEST_IDLE);
    seconds.ok_or_else(|| text!("expected 0 to {most} seconds", most = LONGEST_IDLE).to_string())
}

/// Prints what is in the file; a failure if it has problems.
pub(super) fn check(path: &Path) -> Result<Config, Failure> {
    let config = load(path)?;
    let apps = match config.pipeline.apps.len() {
        1 => text!("1 app").to_string(),
        count => text!("{count} apps", count).to_string(),
    };
    let callers = match config.pipeline.callers.iter().chain(&config.pipeline.anonymous_caller).count() {
        1 => text!("1 caller").to_string(),
        count => text!("{count} callers", count).to_string(),
    };
    let path = path.display();
    let ok = match config.included.files.len() {
        0 => text!("{path}: ok, {apps}, {callers}", path, apps, callers).to_string(),
        1 => text!("{path}: ok, with 1 included file: {apps}, {callers}", path, apps, callers).to_string(),
        files => {
            text!("{path}: ok, with {files} included files: {apps}, {callers}", path, files, apps, callers)
                .to_string()
        }
    };
    print(&format!("{ok}\n"))?;
    for line in config.notes.iter().flat_map(|note| wrap(note.as_str(), WIDTH)) {
        print(&format!("{line}\n"))?;
    }
    let memory = wxgate::app::most_memory(&config);
    let memory = memory.sum();
    print(&format!("{}\n", text!("{memory}; `wxgate serve` logs the details", memory)))?;
    Ok(config)
}

/// Fetches a token for each app and prints the results, and then those of the probe if one is
/// wanted; a failure if an app got no token or a host did not respond.
pub(super) async fn online(config: &Config, options: &Online) -> Result<(), Failure> {
    // Before minutes are spent on its contents.
    options.report.as_deref().map_or(Ok(()), new_file::refuse_existing)?;
    let told = wxgate::app::online(config, options.rotate).await.map_err(Failure::run)?;
    print(&told.text)?;
    let tokens = match told.failed {
        0 if told.unsigned == 1 => Err(Failure::run(text!("the signed call of 1 app failed").to_string())),
        0 if told.unsigned > 1 => {
            let apps = told.unsigned;
            Err(Failure::run(text!("the signed calls of {apps} apps failed", apps).to_string()))
        }
        0 => Ok(()),
        1 => Err(Failure::run(text!("1 app got no token").to_string())),
        apps => Err(Failure::run(text!("{apps} apps got no token", apps).to_string())),
    };
    // WeChat's hosts are measured even if it refused a token.
    let hosts = if options.probe { probe(config, options).await } else { Ok(()) };
    tokens.and(hosts)
}

async fn probe(config: &Config, options: &Online) -> Result<(), Failure> {
    let idle = Duration::from_secs(options.probe_idle);
    let probed = wxgate::app::probe(config, idle, tell).await.map_err(Failure::run)?;
    match &options.report {
        Some(path) => {
            new_file::create(path, &probed.report)?;
            tell(&text!("the report is in {path}", path = path.display()).to_string());
        }
        None => print(&format!("\n{}", probed.report))?,
    }
    match probed.failed {
        0 => Ok(()),
        1 => Err(Failure::run(text!("1 host did not respond").to_string())),
        hosts => Err(Failure::run(text!("{hosts} hosts did not respond", hosts).to_string())),
    }
}
