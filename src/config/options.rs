//! A configuration that was checked: the options of each module.

use std::sync::Arc;

use super::included::Included;
use super::reader::problem::Problem;
use super::reader::secrets::SecretFile;
use crate::observe::access_log::Lines;
use crate::observe::trace;
use crate::secret::Secret;
use crate::texts::{Language, Words};
use crate::{alert, callback, export, pipeline, server, store, token, upstream};

/// A configuration that was checked; every default is filled in.
#[derive(Debug)]
pub struct Config {
    /// Where callers come in.
    pub server: ServerConfig,
    /// Where operators come in.
    pub admin: AdminConfig,
    /// Where WeChat comes in.
    pub callback: CallbackConfig,
    /// How to reach WeChat: `[upstream]`, then what apps have of their own. None twice; apps name
    /// theirs by its place.
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
    pub trace: Option<trace::Collector>,
    /// Files that secrets and certificates were read from, to be watched for changes.
    pub secret_files: Vec<SecretFile>,
    /// Files that `include` names.
    pub included: Included,
    /// What is worth a change although it works.
    pub warnings: Vec<Problem>,
    /// What holds because nothing else is written, where that matters.
    pub notes: Vec<Words>,
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
    /// The language of its message; none: the environment's.
    pub language: Option<Language>,
    /// Which requests have a line, whatever the level.
    pub access: Lines,
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
