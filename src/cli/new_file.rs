//! Files that a command creates: they replace no other, and only their owner may read them.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use wxgate::texts::text;

use super::failure::Failure;

/// A failure if there is something at `path`, dangling links included: to be asked before the work
/// whose result goes there.
pub(super) fn refuse_existing(path: &Path) -> Result<(), Failure> {
    if path.symlink_metadata().is_ok() { Err(exists(path)) } else { Ok(()) }
}

/// Writes `text` to a new file.
pub(super) fn create(path: &Path, text: &str) -> Result<(), Failure> {
    let unwritable = |error: io::Error| {
        Failure::run(text!("could not write {path}: {error}", path = path.display(), error).to_string())
    };
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = opened.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => exists(path),
        _ => unwritable(error),
    })?;
    file.write_all(text.as_bytes()).map_err(unwritable)
}

fn exists(path: &Path) -> Failure {
    Failure::usage(text!("{path} already exists, expected a new file", path = path.display()).to_string())
}
