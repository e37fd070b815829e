//! The configuration file: read with positions (`file.rs`), checked as a whole (`build.rs`), turned
//! into each module's own options (`tables`).
//!
//! Accounts may stand in files of their own (`included`): at a reload one that is broken stays as
//! it was.
//!
//! Commands that only inspect a configuration read it as an [`Outline`], which requires no secrets.
//!
//! All problems are collected, and what can be decided here is not checked again per request.

mod build;
mod file;
mod included;
mod load;
mod options;
mod outline;
mod passed;
mod reader;
mod tables;

pub use self::file::known_keys;
pub use self::included::{FileChange, Included, IncludedFile, Watched};
pub use self::load::environment;
pub use self::options::{AdminConfig, CallbackConfig, Config, LogConfig, LogFormat, ServerConfig};
pub use self::outline::Outline;
pub use self::passed::Passed;
pub use self::reader::address::{is_local, parse_address};
pub use self::reader::problem::{Problem, Problems, Severity};
pub use self::reader::secrets::{Needed, SecretFile, digest};
