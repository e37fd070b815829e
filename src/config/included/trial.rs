//! One try to make a configuration of the main file and a choice of included ones.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::account::Added;
use super::folder::Fault;
use super::glob::{self, Glob, Unlisted};
use crate::config::build;
use crate::config::file::{AccountFile, File};
use crate::config::options::Config;
use crate::config::passed::Passed;
use crate::config::reader::problem::{Located, Place, Problems, Report, Severity, Stranger};
use crate::config::reader::secrets::{Needed, Remembered, SecretFile, Secrets};
use crate::config::reader::text::{report_syntax, syntax};
use crate::config::reader::values::Read as _;
use crate::observe::clock::Timestamp;
use crate::texts::text;

/// What else a configuration depends on.
#[derive(Clone, Copy)]
pub(in crate::config) struct Outside<'a> {
    pub env: &'a dyn Fn(&str) -> Option<String>,
    pub now: Timestamp,
    pub needed: Needed,
    pub passed: &'a Passed,
}

/// The main file.
pub(in crate::config) struct Main<'t> {
    pub(super) name: &'t str,
    text: &'t str,
    root: DeValue<'t>,
}

/// An included file as it is tried.
pub(super) struct Part<'t> {
    pub path: &'t Path,
    pub text: &'t str,
    pub fault: Option<&'t Fault>,
    /// Its secrets as they were, of one that stays in force.
    pub remembered: Option<&'t Remembered>,
}

/// What came of it.
pub(super) struct Trial {
    pub config: Config,
    /// By file: 0 is the main one, then come the parts.
    pub problems: Vec<Located>,
    pub strangers: Vec<Stranger>,
    /// What each part adds, and what its secrets were.
    pub read: Vec<(Added, Remembered)>,
    pub secret_files: Vec<SecretFile>,
    pub lacks_secrets: bool,
    /// Where the apps of the parts stand: file, line and column.
    pub positions: HashMap<(usize, String), (usize, usize)>,
}

impl<'t> Main<'t> {
    /// Parses the text.
    ///
    /// # Errors
    /// Why it is not TOML.
    pub(in crate::config) fn parse(name: &'t str, text: &'t str) -> Result<Self, Problems> {
        let (root, errors) = DeTable::parse_recoverable(text);
        if errors.is_empty() {
            return Ok(Self { name, text, root: DeValue::Table(root.into_inner()) });
        }
        let mut report = Report::new(name, text);
        report_syntax(0, text, errors, &mut report);
        Err(report.refuse())
    }

    /// What it includes.
    pub(super) fn globs(&self) -> Vec<Glob> {
        let mut report = Report::new(self.name, self.text);
        let file = File::read(&self.root, &Place::default(), &mut report).unwrap_or_default();
        glob::globs(&file, self.folder())
    }

    fn folder(&self) -> &Path {
        Path::new(self.name).parent().unwrap_or_else(|| Path::new(""))
    }
}

impl Trial {
    /// Makes a configuration, whatever is wrong with it.
    pub(super) fn run(
        main: &Main<'_>,
        unlisted: &[Unlisted],
        parts: &[Part<'_>],
        outside: Outside<'_>,
    ) -> Self {
        let mut report = Report::new(main.name, main.text);
        let mut secrets = Secrets::new(Path::new(main.name), outside.env, outside.needed);
        let mut file = File::read(&main.root, &Place::default(), &mut report).unwrap_or_default();
        glob::check(&file, main.folder(), unlisted, &mut report);
        let mut added = Vec::with_capacity(parts.len());
        let mut positions = HashMap::new();
        for part in parts {
            let number = report.include(shown(part.path), part.text);
            secrets.include(part.path, part.remembered);
            let of_part = add(number, part, &mut file, &mut report);
            for app in &of_part.apps {
                let place = Place { offset: app.offset, ..Place::of_file(number) };
                if let Some(position) = report.position(&place) {
                    positions.insert((number, app.name.clone()), position);
                }
            }
            added.push(of_part);
        }
        let config = build::config(file, outside.passed, &mut secrets, outside.now, &mut report);
        let read = added.into_iter().enumerate();
        let read = read.map(|(index, added)| (added, secrets.read_for(index + 1))).collect();
        let (problems, strangers) = report.finish();
        let Secrets { files: secret_files, lacking: lacks_secrets, .. } = secrets;
        Self { config, problems, strangers, read, secret_files, lacks_secrets, positions }
    }

    /// Whether the configuration can be used.
    pub(super) fn is_good(&self) -> bool {
        self.errors().next().is_none()
    }

    /// The errors, without the warnings.
    pub(super) fn errors(&self) -> impl Iterator<Item = &Located> {
        self.problems.iter().filter(|(_, problem)| problem.severity == Severity::Error)
    }

    /// Why the configuration is refused.
    pub(super) fn refuse(self) -> Problems {
        Problems(self.problems.into_iter().map(|(_, problem)| problem).collect())
    }
}

/// A path as it is shown.
pub(super) fn shown(path: &Path) -> Arc<str> {
    path.display().to_string().into()
}

/// Adds the tables of a part to the file; what that adds.
fn add(number: usize, part: &Part<'_>, file: &mut File, report: &mut Report<'_>) -> Added {
    match part.fault {
        Some(Fault::Unreadable(why)) => {
            report.error_of_file(number, why.clone());
            return Added::default();
        }
        Some(Fault::Encoding(why)) => {
            report.error(&syntax(number, part.text.len()), why.clone());
            return Added::default();
        }
        None => {}
    }
    if part.text.trim().is_empty() {
        // A write that failed leaves an empty file: no account goes for that.
        let text = text!("the file is empty, expected [[app]]; to take its accounts out, remove it");
        report.error_of_file(number, text);
        return Added::default();
    }
    let (root, errors) = DeTable::parse_recoverable(part.text);
    if !errors.is_empty() {
        report_syntax(number, part.text, errors, report);
        return Added::default();
    }
    let root = root.into_inner();
    let added = Added::of(&root);
    if let Some(tables) = AccountFile::read(&DeValue::Table(root), &Place::of_file(number), report) {
        file.add(tables);
    }
    added
}

/// The secret files of several trials: those that came last are the ones that count.
pub(super) fn together(all: Vec<SecretFile>) -> Vec<SecretFile> {
    let mut last: HashMap<PathBuf, usize> = HashMap::new();
    for (index, file) in all.iter().enumerate() {
        last.insert(file.path.clone(), index);
    }
    let is_last = |(index, file): &(usize, SecretFile)| last.get(&file.path) == Some(index);
    all.into_iter().enumerate().filter(is_last).map(|(_, file)| file).collect()
}
