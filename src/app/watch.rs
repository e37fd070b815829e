//! Notices that a secret's file changed: Kubernetes swaps them without a signal.

use std::path::PathBuf;
use std::time::Duration;

use ring::digest::{SHA256, digest};

/// How often the files are read. Kubernetes itself takes up to a minute to bring a change.
const PACE: Duration = Duration::from_secs(2);

/// Waits until one of `files` has other contents than when this was called. A file that can't be read counts as
/// unchanged: it is most likely being replaced.
pub(super) async fn changed(files: &[PathBuf]) {
    if files.is_empty() {
        return std::future::pending().await;
    }
    let known = fingerprints(files).await;
    loop {
        tokio::time::sleep(PACE).await;
        let now = fingerprints(files).await;
        let differs = known.iter().zip(&now).any(|(known, now)| now.is_some() && now != known);
        if differs {
            return;
        }
    }
}

async fn fingerprints(files: &[PathBuf]) -> Vec<Option<[u8; 32]>> {
    let mut fingerprints = Vec::with_capacity(files.len());
    for file in files {
        // Contents, not times: a swapped symlink may keep them.
        let fingerprint = tokio::fs::read(file).await.ok().and_then(|contents| {
            let contents = zeroize::Zeroizing::new(contents);
            <[u8; 32]>::try_from(digest(&SHA256, &contents).as_ref()).ok()
        });
        fingerprints.push(fingerprint);
    }
    fingerprints
}

#[cfg(test)]
mod tests {
    use super::changed;

    #[tokio::test]
    async fn a_swapped_symlink_is_noticed() {
        let folder = tempfile::tempdir().expect("a folder");
        let link = folder.path().join("secret");
        for (name, text) in [("one", "first"), ("two", "second")] {
            std::fs::write(folder.path().join(name), text).expect("written");
        }
        std::os::unix::fs::symlink(folder.path().join("one"), &link).expect("linked");
        let files = [link.clone()];
        let swap = async {
            tokio::task::yield_now().await;
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            std::os::unix::fs::symlink(folder.path().join("two"), folder.path().join("new")).expect("linked");
            std::fs::rename(folder.path().join("new"), &link).expect("swapped");
        };
        tokio::join!(changed(&files), swap);
    }
}
