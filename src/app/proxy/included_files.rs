//! Included files: notices that they changed, and tells what became of them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use crate::admin::{IncludedFile, Refused};
use crate::config::{FileChange, Included, Watched};
use crate::observe::clock::Timestamp;
use crate::texts::{Words, text};

/// How often the files are read, and how long they must stay as they are.
const PACE: Duration = Duration::from_secs(2);

/// Waits until what is found is not what `known` says, and has been the same for a while: whoever
/// writes several files should be done. Only one caller looks at a time.
pub(super) async fn changed(known: &Watched, looking: &Arc<Mutex<()>>) {
    if known.is_empty() {
        return std::future::pending().await;
    }
    let mut last = None;
    loop {
        tokio::time::sleep(PACE).await;
        let (watched, turn) = (known.clone(), Arc::clone(looking).lock_owned().await);
        let look = tokio::task::spawn_blocking(move || {
            let found = watched.look();
            drop(turn);
            found
        });
        let Ok(found) = look.await else { continue };
        if found == *known {
            last = None;
        } else if last.as_ref() == Some(&found) {
            return;
        } else {
            last = Some(found);
        }
    }
}

/// The files as the admin address shows them; one that is still rejected is so since it was.
pub(super) fn shown(included: &Included, before: &[IncludedFile], at: Timestamp) -> Vec<IncludedFile> {
    let rejected = |path: &Arc<str>| before.iter().find(|file| file.path == *path)?.rejected.as_ref();
    let file = |file: &crate::config::IncludedFile| IncludedFile {
        path: Arc::clone(&file.path),
        apps: file.apps(),
        rejected: file.problem.as_ref().map(|problem| Refused {
            at: rejected(&file.path).map_or(at, |before| before.at),
            problem: Words::of(|| problem.to_string()),
            more: file.more,
        }),
    };
    included.files.iter().map(file).collect()
}

/// Writes what became of the files to the log.
pub(super) fn log(changes: &[FileChange]) {
    for change in changes {
        match change {
            FileChange::Taken { path, added, changed, removed } => tracing::info!(
                file = %path,
                added = added.join(","),
                changed = changed.join(","),
                removed = removed.join(","),
                "{}",
                text!("included file taken")
            ),
            FileChange::Gone { path, removed } => tracing::info!(
                file = %path,
                removed = removed.join(","),
                "{}",
                text!("included file is gone, and its accounts are")
            ),
            FileChange::Rejected { problem, more } => {
                let (line, column) = problem.position.unzip();
                tracing::error!(
                    file = %problem.file,
                    line,
                    column,
                    error = %problem,
                    more,
                    "{}",
                    text!("included file rejected, keeping its accounts")
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::time::{Instant, sleep, timeout};

    use super::{PACE, changed};
    use crate::config::{Config, Watched};

    const APP: &str = "[[app]]\nname = 'a'\nappid = 'wx0000000000000001'\nsecret = { env = 'S' }\n";

    fn watched(folder: &Path) -> Watched {
        std::fs::write(folder.join("a.app"), APP).expect("written");
        let main = folder.join("wxgate.toml");
        let env = |_: &str| Some("s3cret".to_owned());
        let config = Config::parse("include = '*.app'", main.to_str().expect("UTF-8"), &env);
        config.unwrap_or_else(|problems| panic!("{problems}")).included.watched
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_counts_once_nobody_writes_any_more() {
        let folder = tempfile::tempdir().expect("a folder");
        let (known, looking) = (watched(folder.path()), Arc::default());
        let began = Instant::now();
        let write = async {
            for piece in 0..20 {
                std::fs::write(folder.path().join("b.app"), &APP[..piece]).expect("written");
                sleep(Duration::from_millis(1500)).await;
            }
            sleep(Duration::from_secs(600)).await;
        };
        tokio::select! {
            () = changed(&known, &looking) => {}
            () = write => panic!("it was written, and nobody noticed"),
        }
        let took = began.elapsed();
        assert!(took > Duration::from_millis(19 * 1500) + PACE && took < Duration::from_secs(40), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_as_it_was_again_is_no_change() {
        let folder = tempfile::tempdir().expect("a folder");
        let (known, looking) = (watched(folder.path()), Arc::default());
        let come_and_go = async {
            // Every second look finds it.
            sleep(PACE / 2).await;
            for _ in 0..10 {
                std::fs::write(folder.path().join("b.app"), APP).expect("written");
                sleep(PACE).await;
                std::fs::remove_file(folder.path().join("b.app")).expect("removed");
                sleep(PACE).await;
            }
        };
        tokio::select! {
            () = changed(&known, &looking) => panic!("nothing stayed"),
            () = come_and_go => {}
        }
        timeout(PACE * 10, changed(&known, &looking)).await.expect_err("all is as it was");
    }
}
