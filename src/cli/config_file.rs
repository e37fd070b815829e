//! The configuration file that a command is given.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use wxgate::config::Config;

use super::failure::Failure;

#[derive(Debug, Args)]
pub(super) struct ConfigFile {
    /// The configuration file
    #[arg(long = "config", value_name = "FILE")]
    pub(super) path: PathBuf,
}

/// The configuration; its warnings go to stderr.
pub(super) fn load(path: &Path) -> Result<Config, Failure> {
    let config = Config::load(path)?;
    for warning in &config.warnings {
        let _ = writeln!(std::io::stderr(), "{warning}");
    }
    Ok(config)
}
