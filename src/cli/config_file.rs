//! The configuration file that a command is given, or finds.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use wxgate::config::{Config, Passed};
use wxgate::texts::text;

use super::failure::Failure;

/// Names a file where `--config` doesn't.
const VARIABLE: &str = "WXGATE_CONFIG";
/// Looked for in this order where neither does.
const PLACES: [&str; 2] = ["wxgate.toml", "/etc/wxgate/wxgate.toml"];

#[derive(Debug, Args)]
pub(super) struct ConfigFile {
    /// Configuration file; default: WXGATE_CONFIG, ./wxgate.toml, /etc/wxgate/wxgate.toml
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl ConfigFile {
    /// The file that was named, else the one that is there.
    pub(super) fn path(self) -> Result<PathBuf, Failure> {
        named_or_found(self.config)
    }

    /// The same; none if there is none.
    pub(super) fn if_any(self) -> Result<Option<PathBuf>, Failure> {
        self.config.map_or_else(found, |named| Ok(Some(named)))
    }
}

/// The file that was named, else the one that is there.
pub(super) fn named_or_found(named: Option<PathBuf>) -> Result<PathBuf, Failure> {
    named.map_or_else(found, |named| Ok(Some(named)))?.ok_or_else(none)
}

/// The file that the environment names, else the first that exists.
fn found() -> Result<Option<PathBuf>, Failure> {
    let named = std::env::var_os(VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
    if named.is_some() {
        return Ok(named);
    }
    for place in PLACES.map(Path::new) {
        match place.try_exists() {
            Ok(true) => return Ok(Some(place.to_owned())),
            Ok(false) => {}
            // Going on could take another file than the one that is meant.
            Err(error) => {
                let path = absolute(place);
                let problem = text!(
                    "could not look for a configuration at {path}: {error}; use --config FILE",
                    path = path.display(),
                    error
                );
                return Err(Failure::usage(problem.to_string()));
            }
        }
    }
    Ok(None)
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The failure if there is no configuration.
fn none() -> Failure {
    let [here, system] = PLACES;
    let here = absolute(Path::new(here));
    let problem = text!(
        "no configuration: --config is not given, {variable} is not set, and neither {here} nor {system} exists; \
         `wxgate init` writes one",
        variable = VARIABLE,
        here = here.display(),
        system
    );
    Failure::usage(problem.to_string())
}

/// The configuration; its warnings go to stderr.
pub(super) fn load(path: &Path) -> Result<Config, Failure> {
    load_for(path, &Passed::default())
}

/// The same for a process to which sockets were passed.
pub(super) fn load_for(path: &Path, passed: &Passed) -> Result<Config, Failure> {
    let config = Config::load_for(path, passed)?;
    for warning in &config.warnings {
        let _ = writeln!(std::io::stderr(), "{warning}");
    }
    Ok(config)
}
