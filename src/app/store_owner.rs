//! Whose a `file:` store is. What root writes there nobody else could open afterwards, not even the
//! lock that a look takes.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::store::Location;

/// The store is another user's than root, who runs this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} belongs to user {owner}, who could not open what root leaves there: run this by sudo -u '#{owner}'",
    .folder.display()
)]
pub struct Foreign {
    /// Where it is.
    pub folder: PathBuf,
    /// The number of its user.
    pub owner: u32,
}

/// An error if this process is root's and the folder, or something in it, isn't.
///
/// Anybody else is stopped by the modes of what is there; that the folder itself is another's is no
/// fault then (a volume of Kubernetes is root's, and open to a group).
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
