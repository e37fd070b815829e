//! Whose a `file:` store is. Other users could not open files that root creates there, not even the
//! lock that reading takes.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::store::Location;
use crate::texts::text;

/// The store belongs to another user than root, who runs this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{}",
    text!(
        "{folder} belongs to user {owner}, who could not open files created by root: run this with sudo -u '#{owner}'",
        folder = .folder.display(),
        owner = .owner
    )
)]
pub struct Foreign {
    /// Where it is.
    pub folder: PathBuf,
    /// The uid of its owner.
    pub owner: u32,
}

/// An error if this process is root's and the folder, or something in it, isn't.
///
/// Other users are stopped by the modes of the files; to them the folder may belong to another user
/// (a volume of Kubernetes is root's, and open to a group).
pub(super) fn refuse_foreign(location: &Location) -> Result<(), Foreign> {
    let Location::File(folder) = location else { return Ok(()) };
    match other_owner(folder) {
        Some(owner) if rustix::process::geteuid().is_root() => Err(Foreign { folder: folder.clone(), owner }),
        _ => Ok(()),
    }
}

/// An owner other than root, of the folder or of what is in it.
fn other_owner(folder: &Path) -> Option<u32> {
    let within = folder.read_dir().into_iter().flatten().filter_map(|entry| entry.ok()?.metadata().ok());
    let mut owners = folder.metadata().into_iter().chain(within).map(|metadata| metadata.uid());
    owners.find(|owner| *owner != 0)
}
