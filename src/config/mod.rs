//! The configuration file: read with positions (`file.rs`), checked as a whole (`build.rs`), turned
//! into each module's own options (`tables`).
//!
//! Commands that only look at a configuration read it as an [`Outline`], which takes no secrets.
//!
//! Every problem is collected, and what can be settled here is never looked at again while requests
//! run.

mod build;
mod file;
mod load;
mod options;
mod outline;
mod passed;
mod reader;
mod tables;

pub use self::file::known_keys;
pub use self::load::environment;
pub use self::options::{AdminConfig, CallbackConfig, Config, LogConfig, LogFormat, ServerConfig};
pub use self::outline::Outline;
pub use self::passed::Passed;
pub use self::reader::address::{is_local, parse_address};
pub use self::reader::problem::{Problem, Problems, Severity};
pub use self::reader::secrets::{Needed, SecretFile, digest};
