//! Notices that a secret's or certificate's file changed: Kubernetes swaps them without a signal.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use crate::config::{SecretFile, digest};
use crate::secret::file::{self, Links};

/// How often the files are read. Kubernetes itself takes up to a minute to bring a change.
const PACE: Duration = Duration::from_secs(2);

/// Waits until one of `files` has other contents than those that were used. A file that can't be
/// read counts as unchanged: it is most likely being replaced. Only one caller looks at a time: if
/// a file system hangs, one thread hangs with it.
pub(super) async fn changed(files: &[SecretFile], looking: &Arc<Mutex<()>>) {
    if files.is_empty() {
        return std::future::pending().await;
    }
    loop {
        tokio::time::sleep(PACE).await;
        for file in files {
            // Contents, not times: a swapped symlink may keep them.
            let (path, turn) = (file.path.clone(), Arc::clone(looking).lock_owned().await);
            let seen = tokio::task::spawn_blocking(move || {
                let seen = now(&path);
                drop(turn);
                seen
            })
            .await;
            if seen.ok().flatten().is_some_and(|seen| seen != file.digest) {
                return;
            }
        }
    }
}

/// The files with what is in them now.
pub(super) fn seen(files: &[SecretFile]) -> Vec<SecretFile> {
    let look = |file: &SecretFile| match now(&file.path) {
        Some(digest) => SecretFile { path: file.path.clone(), digest },
        None => file.clone(),
    };
    files.iter().map(look).collect()
}

/// Of what is in a file, unless it can't be read.
fn now(path: &Path) -> Option<[u8; 32]> {
    file::read(path, file::LONGEST, Links::Followed).ok().map(|contents| digest(&contents))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::{SecretFile, changed, digest, seen};

    #[tokio::test]
    async fn a_swapped_symlink_is_noticed_even_if_it_was_swapped_before_anybody_looked() {
        let folder = tempfile::tempdir().expect("a folder");
        let link = folder.path().join("secret");
        std::fs::write(folder.path().join("two"), "second").expect("written");
        std::os::unix::fs::symlink(folder.path().join("two"), &link).expect("linked");
        changed(&[SecretFile { path: link, digest: digest(b"first") }], &Arc::default()).await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_seen_is_no_change_until_it_changes_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secret");
        std::fs::write(&path, "refused").expect("written");
        let gone = SecretFile { path: folder.path().join("gone"), digest: digest(b"used") };
        let known = seen(&[SecretFile { path: path.clone(), digest: digest(b"used") }, gone.clone()]);
        assert_eq!(known[1], gone);
        let looking = Arc::default();
        let changes = tokio::time::timeout(Duration::from_secs(60), changed(&known, &looking));
        changes.await.expect_err("nothing changed");
        std::fs::write(&path, "used").expect("written");
        changed(&known, &looking).await;
    }
}
