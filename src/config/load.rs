//! Reads a file, or its text, into a configuration or the list of everything wrong with it.

use std::path::Path;

use super::included::{Included, Main, Outside, settle};
use super::options::Config;
use super::passed::Passed;
use super::reader::problem::{Problem, Problems, Report, Severity};
use super::reader::secrets::{Needed, unreadable};
use super::reader::text;
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
        load(path, None, Needed::All, passed).map(|read| read.config)
    }

    /// The same while a configuration is in force: of its `included` files one that is broken now
    /// stays as it was.
    ///
    /// # Errors
    /// All problems of the main file, or that it has with files in force.
    pub fn reload_for(path: &Path, passed: &Passed, included: &Included) -> Result<Self, Problems> {
        load(path, Some(included), Needed::All, passed).map(|read| read.config)
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
        let outside = Outside { env, now, needed: Needed::All, passed };
        parse(text, file_name, None, outside).map(|read| read.config)
    }

    /// As [`Config::parse`] while a configuration with these `included` files is in force.
    ///
    /// # Errors
    /// As [`Config::reload_for`].
    pub fn parse_again(
        text: &str,
        file_name: &str,
        env: &dyn Fn(&str) -> Option<String>,
        included: &Included,
    ) -> Result<Self, Problems> {
        let (now, passed) = (Clock::default().now(), &Passed::default());
        let outside = Outside { env, now, needed: Needed::All, passed };
        parse(text, file_name, Some(included), outside).map(|read| read.config)
    }
}

/// A configuration, and whether it has all its secrets.
pub(super) struct Loaded {
    pub config: Config,
    /// Some that weren't needed are missing.
    pub lacks_secrets: bool,
}

/// As [`Config::load`], with no more secrets than are needed.
pub(super) fn load(
    path: &Path,
    included: Option<&Included>,
    needed: Needed,
    passed: &Passed,
) -> Result<Loaded, Problems> {
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
        Ok(text) => {
            let outside = Outside { env: &environment, now: Clock::default().now(), needed, passed };
            parse(text, &name, included, outside)
        }
        Err((before, wrong)) => {
            let mut report = Report::new(&name, before);
            report.error(&text::syntax(0, before.len()), wrong);
            Err(report.refuse())
        }
    }
}

fn parse(
    text: &str,
    file_name: &str,
    included: Option<&Included>,
    outside: Outside<'_>,
) -> Result<Loaded, Problems> {
    let main = Main::parse(file_name, text)?;
    let (config, lacks_secrets) = settle(&main, included, outside)?;
    Ok(Loaded { config, lacks_secrets })
}
