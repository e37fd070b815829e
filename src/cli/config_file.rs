//! The configuration file that a command is given, or finds.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use wxgate::config::Config;

use super::failure::Failure;

/// Names a file where `--config` doesn't.
const VARIABLE: &str = "WXGATE_CONFIG";
/// Looked for in this order where neither does.
const PLACES: [&str; 2] = ["wxgate.toml", "/etc/wxgate/wxgate.toml"];

#[derive(Debug, Args)]
pub(super) struct ConfigFile {
    /// The configuration file; else WXGATE_CONFIG, wxgate.toml here, /etc/wxgate/wxgate.toml
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl ConfigFile {
    /// The file that was named, else the one that is there.
    pub(super) fn path(self) -> Result<PathBuf, Failure> {
        self.config.or_else(found).ok_or_else(none)
    }

    /// The same; none if there is none.
    pub(super) fn if_any(self) -> Option<PathBuf> {
        self.config.or_else(found)
    }
}

/// The file that the environment names, else the first that exists.
pub(super) fn found() -> Option<PathBuf> {
    let named = std::env::var_os(VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
    // One that can't be looked at is there, and reading it says why.
    let is_there = |path: &PathBuf| path.try_exists().unwrap_or(true);
    named.or_else(|| PLACES.map(PathBuf::from).into_iter().find(is_there))
}

/// That there is no configuration.
pub(super) fn none() -> Failure {
    let [here, system] = PLACES;
    let folder = std::env::current_dir().map(|folder| folder.join(here));
    let here = folder.unwrap_or_else(|_| PathBuf::from(here));
    Failure::usage(format!(
        "no configuration: --config is not given, {VARIABLE} is not set, and neither {} nor {system} exists; \
         `wxgate init` writes one",
        here.display()
    ))
}

/// The configuration; its warnings go to stderr.
pub(super) fn load(path: &Path) -> Result<Config, Failure> {
    let config = Config::load(path)?;
    for warning in &config.warnings {
        let _ = writeln!(std::io::stderr(), "{warning}");
    }
    Ok(config)
}
