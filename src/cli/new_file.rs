//! Files that a command makes: never in the place of another, and nobody else may read them.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::failure::Failure;

/// A failure if there is something at `path`, a link that leads nowhere included: for before the
/// work whose result goes there.
pub(super) fn refuse_existing(path: &Path) -> Result<(), Failure> {
    if path.symlink_metadata().is_ok() { Err(exists(path)) } else { Ok(()) }
}

/// Writes `text` to a new file.
pub(super) fn create(path: &Path, text: &str) -> Result<(), Failure> {
    let cannot =
        |what: &str, error: io::Error| Failure::run(format!("cannot {what} {}: {error}", path.display()));
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = opened.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => exists(path),
        _ => cannot("create", error),
    })?;
    file.write_all(text.as_bytes()).map_err(|error| cannot("write", error))
}

fn exists(path: &Path) -> Failure {
    Failure::usage(format!("{} exists already, expected the name of a new file", path.display()))
}
