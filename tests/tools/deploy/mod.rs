//! What `deploy/` holds for compose and Kubernetes, as far as it can be tried without an engine or
//! a cluster.

mod compose;
mod form;
mod helm;
mod kubernetes;
mod monitoring;
mod programs;
mod secrets;
mod yaml;

use std::path::{Path, PathBuf};

/// A file or folder of `deploy/`.
fn deployed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name)
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
