//! Reads a file, or its text, into a configuration or the list of everything wrong with it.

use std::collections::HashSet;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::build;
use super::file::File;
use super::options::Config;
use super::passed::Passed;
use super::reader::problem::{Place, Problem, Problems, Report, Severity};
use super::reader::secrets::{Needed, Secrets, unreadable};
use super::reader::text;
use super::reader::values::Read as _;
use crate::observe::clock::{Clock, Timestamp};
use crate::secret::file::{self, Links, Refused};
use crate::texts::words;

/// A variable of this process's environment; none if it isn't UTF-8.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
pub fn environment(variable: &str) -> Option<String> {
    std::env::var(variable).ok()
}

impl Config {
    /// Reads and checks a file, with secrets from this process's environment.
    ///
    /// # Errors
    /// All problems of the file; if it is not TOML or can't be read, the first one alone.
    pub fn load(path: &Path) -> Result<Self, Problems> {
        Self::load_for(path, &Passed::default())
    }

    /// The same for a process to which sockets were passed.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn load_for(path: &Path, passed: &Passed) -> Result<Self, Problems> {
        load(path, Needed::All, passed).map(|read| read.config)
    }

    /// Checks the text of a file; relative paths in it start at the folder of `file_name`, and
    /// `env` looks up environment variables.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(
        text: &str,
        file_name: &str,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Problems> {
        Self::parse_at(text, file_name, env, Clock::default().now())
    }

    /// The same as of another time: keys expire on their day.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse_at(
        text: &str,
        file_name: &str,
        env: &dyn Fn(&str) -> Option<String>,
        now: Timestamp,
    ) -> Result<Self, Problems> {
        Self::parse_with(text, file_name, env, now, &Passed::default())
    }

    /// The same for a process to which sockets were passed.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse_with(
        text: &str,
        file_name: &str,
        env: &dyn Fn(&str) -> Option<String>,
        now: Timestamp,
        passed: &Passed,
    ) -> Result<Self, Problems> {
        parse(text, file_name, env, now, Needed::All, passed).map(|read| read.config)
    }
}

/// A configuration, and whether it has all its secrets.
pub(super) struct Loaded {
    pub config: Config,
    /// Some that weren't needed are missing.
    pub lacks_secrets: bool,
}

/// As [`Config::load`], with no more secrets than are needed.
pub(super) fn load(path: &Path, needed: Needed, passed: &Passed) -> Result<Loaded, Problems> {
    let name = path.display().to_string();
    let bytes = match file::read(path, file::LONGEST, Links::Followed) {
        Ok(bytes) => bytes,
        Err(error) => {
            return Err(Problems(vec![Problem {
                file: name.into(),
                position: None,
                key: String::new(),
                severity: Severity::Error,
                text: match Refused::of(&error) {
                    Some(_) => unreadable(&words!("the file"), &error),
                    None => words!("cannot be read: {error}", error),
                },
            }]));
        }
    };
    match text::decode(&bytes) {
        Ok(text) => parse(text, &name, &environment, Clock::default().now(), needed, passed),
        Err((before, wrong)) => {
            let mut report = Report::new(&name, before);
            report.error(&text::syntax(before.len()), wrong);
            Err(report.refuse())
        }
    }
}

fn parse(
    text: &str,
    file_name: &str,
    env: &dyn Fn(&str) -> Option<String>,
    now: Timestamp,
    needed: Needed,
    passed: &Passed,
) -> Result<Loaded, Problems> {
    let mut report = Report::new(file_name, text);
    let (root, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let mut explained = HashSet::new();
        for (offset, what) in text::look_alikes(text) {
            let place = text::syntax(offset);
            explained.insert(report.line(&place));
            report.error(&place, what);
        }
        // The crate's own rendering prints the line at fault, which may hold a secret.
        for error in errors {
            let place = text::syntax(error.span().map_or(text.len(), |span| span.start));
            if !explained.contains(&report.line(&place)) {
                // The crate speaks English alone.
                report.error(&place, words!("is not TOML: {error}", error = error.message()));
            }
        }
        return Err(report.refuse());
    }
    let root = DeValue::Table(root.into_inner());
    let file = File::read(&root, &Place::default(), &mut report).unwrap_or_default();
    let mut secrets = Secrets::new(file_name, env, needed);
    let config = build::config(file, passed, &mut secrets, now, &mut report);
    let (mut config, warnings) = report.finish(config)?;
    config.secret_files = secrets.files;
    config.warnings = warnings;
    Ok(Loaded { config, lacks_secrets: secrets.lacking })
}
