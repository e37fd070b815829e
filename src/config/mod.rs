//! The configuration file: read with positions (`file.rs`), checked as a whole, turned into each module's own options.
//!
//! Every problem is collected, and what can be settled here is never looked at again while requests run.

use std::path::Path;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

use crate::observe::trace;
use crate::secret::Secret;
use crate::{alert, callback, export, pipeline, server, store, token, upstream};

mod address;
mod alerts;
mod apps;
mod build;
mod callback_table;
mod callers;
mod egress;
mod exports;
mod file;
mod limits;
mod listeners;
mod names;
mod patterns;
mod problem;
mod reader;
mod secrets;
mod store_table;
mod tls_table;
mod trace_table;
mod units;
mod upstream_table;

pub use address::{is_local, parse_address};
pub use problem::{Problem, Problems, Severity};
pub use secrets::{SecretFile, digest};

use problem::{Place, Report};
use reader::Read;
use secrets::Secrets;

/// A configuration that was checked; every default is filled in.
#[derive(Debug)]
pub struct Config {
    /// Where callers come in.
    pub server: ServerConfig,
    /// Where operators come in.
    pub admin: AdminConfig,
    /// Where WeChat comes in.
    pub callback: CallbackConfig,
    /// How to reach WeChat: `[upstream]`, then what apps have of their own. None twice; apps name theirs by its place.
    pub upstreams: Vec<upstream::Options>,
    /// How tokens are kept; the apps are in [`Config::pipeline`].
    pub token: token::Options,
    /// Apps, callers and limits.
    pub pipeline: pipeline::Options,
    /// Where tokens are written for others.
    pub exports: Vec<export::Options>,
    /// Who is told of what.
    pub alerts: Vec<alert::Options>,
    /// Where tokens are kept beyond this process.
    pub store: store::Options,
    /// What is logged, and how.
    pub log: LogConfig,
    /// Where traces go, if anywhere.
    pub trace: Option<trace::Options>,
    /// Files that secrets and certificates were read from, to be watched for changes.
    pub secret_files: Vec<SecretFile>,
    /// What is worth a change although it works.
    pub warnings: Vec<Problem>,
}

/// Where callers come in.
#[derive(Debug)]
pub struct ServerConfig {
    /// At least one, none twice.
    pub listen: Vec<server::Address>,
    /// Threads that serve, at least one.
    pub workers: usize,
    /// How connections are treated.
    pub options: server::Options,
    /// What TCP listeners show where they speak TLS.
    pub tls: Option<server::Identity>,
}

/// Where operators come in.
#[derive(Debug)]
pub struct AdminConfig {
    /// Status page, API, metrics and health.
    pub listen: server::Address,
    /// Sent as `Authorization: Bearer`; always there if `listen` isn't local.
    pub token: Option<Arc<Secret>>,
}

/// Where WeChat comes in.
#[derive(Debug)]
pub struct CallbackConfig {
    /// None: no pushes are taken.
    pub listen: Vec<server::Address>,
    /// Whose pushes are taken.
    pub platforms: Vec<callback::PlatformOptions>,
}

/// What is logged, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// The least severe level that is written.
    pub level: tracing::Level,
    /// The form of a line.
    pub format: LogFormat,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// `Pretty` on a terminal, else `Json`.
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Pretty,
}

impl Config {
    /// Reads and checks a file, with secrets from this process's environment.
    ///
    /// # Errors
    /// Every problem of the file; the first alone where it is no TOML or can't be read.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
    pub fn load(path: &Path) -> Result<Self, Problems> {
        let name = path.display().to_string();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => Zeroizing::new(text),
            Err(error) => {
                return Err(Problems(vec![Problem {
                    file: name.into(),
                    position: None,
                    key: String::new(),
                    severity: Severity::Error,
                    text: format!("cannot be read: {error}"),
                }]));
            }
        };
        Self::parse(&text, &name, &|variable| std::env::var(variable).ok())
    }

    /// Checks the text of a file; relative paths in it start at the folder of `file_name`, and `env` looks up
    /// environment variables.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(
        text: &str,
        file_name: &str,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Problems> {
        let mut report = Report::new(file_name, text);
        let (root, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            // The crate's own rendering prints the line at fault, which may hold a secret.
            for error in errors {
                let offset = error.span().map_or(text.len(), |span| span.start);
                report.error(&Place { key: "syntax".to_owned(), offset }, error.message());
            }
            return Err(report.refuse());
        }
        let root = DeValue::Table(root.into_inner());
        let file = file::File::read(&root, &Place::default(), &mut report).unwrap_or_default();
        let mut secrets = Secrets::new(file_name, env);
        let config = build::config(file, &mut secrets, &mut report);
        let (mut config, warnings) = report.finish(config)?;
        config.secret_files = secrets.files;
        config.warnings = warnings;
        Ok(config)
    }
}

/// Every table of the file and its keys, for checks of the documentation.
pub fn known_keys() -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
    file::TABLES.into_iter()
}
