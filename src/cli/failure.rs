//! Why a command failed.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

use wxgate::app::{ServeError, StartError};
use wxgate::config::Problems;
use wxgate::observe::chain::Chain;

/// Bad usage or configuration (`EX_USAGE` of sysexits.h).
pub(super) const USAGE: u8 = 64;

/// Why a command failed; prints with all its causes.
#[derive(Debug)]
pub(super) enum Failure {
    /// The arguments are wrong; exit code 64.
    Usage(Box<dyn Error>),
    /// The configuration is wrong; exit code 64.
    Configuration(Problems),
    /// It failed while running; exit code 1.
    Run(Box<dyn Error>),
}

impl Failure {
    /// The arguments are wrong.
    pub(super) fn usage(error: impl Into<Box<dyn Error>>) -> Self {
        Self::Usage(error.into())
    }

    /// It failed while running.
    pub(super) fn run(error: impl Into<Box<dyn Error>>) -> Self {
        Self::Run(error.into())
    }

    /// The proxy did not start, or failed.
    pub(super) fn of_serve(error: ServeError) -> Self {
        match error {
            // A key of the configuration decides about it.
            ServeError::Start(StartError::Unsealed(_)) => Self::usage(error),
            ServeError::Start(_) | ServeError::Log(_) | ServeError::Signal(_) | ServeError::Stuck(_) => {
                Self::run(error)
            }
        }
    }

    /// The exit code of the process.
    pub(super) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) | Self::Configuration(_) => ExitCode::from(USAGE),
            Self::Run(_) => ExitCode::FAILURE,
        }
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::Configuration(problems)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configuration(problems) => problems.fmt(f),
            Self::Usage(error) | Self::Run(error) => write!(f, "wxgate: {}", Chain(&**error)),
        }
    }
}
