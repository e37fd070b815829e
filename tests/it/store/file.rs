//! The folder: its modes, its damage, and other processes in it.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use wxgate::secret::Secret;
use wxgate::store::{Location, Options, Refusal, Saved, Seal, Store, StoreError};

use super::contract::{load, record, save};
use crate::until::until;

const ENTRY: &str = "entries/access_token%3Astable%3Awx1";

async fn try_open(folder: &Path) -> Result<Store, StoreError> {
    Store::open(&Options { location: Location::File(folder.to_owned()), seal: None }).await
}

async fn open(folder: &Path) -> Store {
    try_open(folder).await.expect("it opens")
}

/// All files and folders below, and their modes.
fn modes(folder: &Path) -> Vec<(PathBuf, u32)> {
    let mut modes = vec![(folder.to_owned(), mode(folder))];
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            modes.extend(self::modes(&path));
        } else {
            modes.push((path.clone(), mode(&path)));
        }
    }
    modes
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_may_read_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("new/store");
    let store = open(&root).await;
    save(&store, &record("t", 1, 0)).await;
    store.lease("k", "a", Duration::from_secs(60)).await.expect("asked").expect("free");
    store.add(20_000, &[("a", 1)]).await.expect("added");
    let modes = modes(&root);
    assert!(modes.len() > 8, "{modes:?}");
    for (path, mode) in modes {
        assert_eq!(mode, if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_saved_is_there_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    save(&open(folder.path()).await, &record("t", 7, 0)).await;
    assert_eq!(load(&open(folder.path()).await).await, Some((7, "t".to_owned())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_set_aside_and_not_used() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path()).await;
    let path = folder.path().join(ENTRY);
    save(&store, &record("t", 7, 0)).await;
    let good = std::fs::read(&path).expect("saved");
    let mut flipped = good.clone();
    let last = flipped.len() - 3;
    flipped[last] ^= 4;
    let damages =
        [&b""[..], &good[..good.len() - 1], &good[..20], &flipped, b"{\"access_token\":\"t\"}", &[0; 4096]];
    for (times, damaged) in damages.into_iter().enumerate() {
        std::fs::write(&path, damaged).expect("written");
        assert_eq!(load(&store).await, None, "{damaged:?}");
        assert!(!path.exists());
        let aside = |name: &str| name.starts_with("access_token%3Astable%3Awx1.damaged-");
        let names = std::fs::read_dir(folder.path().join("entries")).expect("a folder");
        let names = names.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
        assert_eq!(names.filter(|name| aside(name)).count(), (times + 1).min(5));
        assert_eq!(store.problem(), None, "one entry doesn't tell of the store");
        assert!(store.list().await.expect("listed").is_empty());
        save(&store, &record("t", 7, 0)).await;
        assert_eq!(load(&store).await, Some((7, "t".to_owned())));
        // The name of a file that is set aside has the time in it.
        sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_file_in_the_place_of_an_entry_is_damage_and_holds_nobody_up() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(open(folder.path()).await);
    let path = folder.path().join(ENTRY);
    let pipe = |path: &Path| {
        assert!(Command::new("mkfifo").arg(path).status().expect("mkfifo runs").success());
    };
    let huge = |path: &Path| {
        let file = std::fs::File::create(path).expect("created");
        file.set_len(3 << 30).expect("it grows");
    };
    let inner = |path: &Path| std::fs::create_dir(path).expect("created");
    let elsewhere = folder.path().join("elsewhere");
    std::fs::write(&elsewhere, "untouched").expect("written");
    let link = |path: &Path| symlink(&elsewhere, path).expect("linked");
    let damages: [&dyn Fn(&Path); 4] = [&pipe, &huge, &inner, &link];
    for damage in damages {
        damage(&path);
        let store = open(folder.path()).await;
        assert_eq!(load(&store).await, None);
        assert!(!path.exists(), "it was set aside");
        assert_eq!(store.problem(), None, "one entry doesn't tell of the store");
        save(&store, &record("t", 7, 0)).await;
        assert_eq!(load(&store).await, Some((7, "t".to_owned())));
        std::fs::remove_file(&path).expect("removed");
        // The name of a file that is set aside has the time in it.
        sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_link_is_followed_where_the_store_writes() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path()).await;
    save(&store, &record("t", 1, 0)).await;
    let (victim, missing) = (folder.path().join("victim"), folder.path().join("missing"));
    std::fs::write(&victim, "untouched").expect("written");
    let probe = folder.path().join(format!("entries/probe.{}", std::process::id()));
    symlink(&victim, folder.path().join(format!("{ENTRY}.new"))).expect("linked");
    symlink(&victim, &probe).expect("linked");
    symlink(&missing, folder.path().join("locks/access_token%3Astable%3Awx2")).expect("linked");
    save(&store, &record("u", 2, 0)).await;
    assert_eq!(load(&store).await, Some((2, "u".to_owned())));
    // Which probes the folder.
    drop(open(folder.path()).await);
    assert!(!probe.exists());
    assert!(matches!(
        store.save("access_token:stable:wx2", &record("t", 1, 0)).await,
        Err(StoreError::Unusable { .. })
    ));
    assert_eq!(std::fs::read_to_string(&victim).expect("there"), "untouched");
    assert!(!missing.exists());
    assert_eq!(store.problem(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_cannot_be_opened_tells_of_itself_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path()).await;
    save(&store, &record("t", 1, 0)).await;
    // As a file of another user's is, which root's tests can't make.
    let locks = folder.path().join("locks");
    for name in ["access_token%3Astable%3Awx2", "count%3A20000", "lease%3Ak"] {
        std::fs::create_dir(locks.join(name)).expect("created");
    }
    let key = "access_token:stable:wx2";
    for _ in 0..3 {
        let saved = store.save(key, &record("t", 1, 0)).await;
        assert!(matches!(saved, Err(StoreError::Unusable { .. })), "{saved:?}");
        assert!(store.add(20_000, &[("a", 1)]).await.is_err());
        assert!(store.lease("k", "a", Duration::from_secs(60)).await.is_err());
    }
    assert_eq!(store.problem(), None);
    assert_eq!(load(&store).await, Some((1, "t".to_owned())));
    let refused = store.refused();
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!((refused[0].key.as_str(), refused[0].reason), (key, Refusal::Damaged));
    // Nor does it keep a process from starting.
    drop(open(folder.path()).await);
    std::fs::remove_dir(locks.join("access_token%3Astable%3Awx2")).expect("removed");
    assert!(matches!(store.save(key, &record("t", 1, 0)).await, Ok(Saved::Saved)));
    assert!(store.refused().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_later_version_wrote_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path()).await;
    let path = folder.path().join(ENTRY);
    std::fs::write(&path, "wxgate-store 2 of a later version\n").expect("written");
    let key = "access_token:stable:wx1";
    assert!(matches!(store.load(key).await, Err(StoreError::Format { format: 2, .. })));
    assert!(matches!(store.save(key, &record("t", 7, 0)).await, Err(StoreError::Format { .. })));
    assert_eq!(store.problem(), None);
    assert!(std::fs::read_to_string(&path).expect("there").contains("later version"));
    open(folder.path()).await;
    assert!(path.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_cannot_be_read_hides_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path()).await;
    save(&store, &record("t", 7, 0)).await;
    let later = folder.path().join("entries/access_token%3Astable%3Awx2");
    std::fs::write(&later, "wxgate-store 2 of a later version\n").expect("written");
    let keys = ["access_token:stable:wx2", "access_token:stable:wx1"];
    let loaded = store.load_all(&keys).await.expect("the folder is well");
    assert!(matches!(loaded[0], Err(StoreError::Format { format: 2, .. })), "{loaded:?}");
    assert!(matches!(&loaded[1], Ok(Some(record)) if record.generation == 7), "{loaded:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    std::fs::write(&file, "").expect("written");
    for path in [file.join("store"), PathBuf::from("/proc/wxgate")] {
        let error = try_open(&path).await.expect_err("not usable");
        assert!(error.chain().to_string().contains(path.to_str().expect("UTF-8")), "{}", error.chain());
    }
}

/// Takes a file's lock in another process and keeps it.
fn hold(path: &Path) -> std::process::Child {
    let script = "import fcntl,sys\nf=open(sys.argv[1],'a')\nfcntl.flock(f,fcntl.LOCK_EX)\nprint('held',flush=True)\nsys.stdin.read()";
    let mut child = Command::new("python3")
        .args(["-c", script, path.to_str().expect("UTF-8")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 runs");
    let mut line = String::new();
    let out = child.stdout.as_mut().expect("piped");
    std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line).expect("a line");
    assert_eq!(line, "held\n");
    child
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_hangs_with_a_lock_holds_up_nobody_for_long() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path()).await;
    save(&store, &record("t", 1, 0)).await;
    let mut holder = hold(&folder.path().join("locks/access_token%3Astable%3Awx1"));
    let refused = store.save("access_token:stable:wx1", &record("u", 2, 0)).await;
    assert!(matches!(refused, Err(StoreError::File { .. })), "{refused:?}");
    holder.kill().expect("killed");
    holder.wait().expect("ended");
    let saves = async || store.save("access_token:stable:wx1", &record("u", 2, 0)).await.is_ok();
    until(|| "a store whose lock ended with its process", saves).await;
    assert_eq!(load(&store).await, Some((2, "u".to_owned())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_starts_while_the_first_one_is_at_work() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path()).await;
    save(&store, &record("t", 1, 0)).await;
    store.add(20_785, &[("a", 1)]).await.expect("added");
    let mut holders = ["count%3A20785", "access_token%3Astable%3Awx1"]
        .map(|name| hold(&folder.path().join("locks").join(name)));
    let second = try_open(folder.path()).await.expect("what is locked is left alone");
    for holder in &mut holders {
        holder.kill().expect("killed");
        holder.wait().expect("ended");
    }
    assert_eq!(load(&second).await, Some((1, "t".to_owned())));
}

#[tokio::test(flavor = "multi_thread")]
async fn counters_that_wait_for_another_process_say_nothing_of_the_store() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path()).await;
    let mut holder = hold(&folder.path().join("locks/count%3A20000"));
    assert!(store.add(20_000, &[("a", 1)]).await.is_err());
    assert_eq!(store.problem(), None);
    holder.kill().expect("killed");
    holder.wait().expect("ended");
    assert_eq!(store.add(20_000, &[("b", 1)]).await.expect("added"), [Some(1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn locks_of_what_has_ended_are_removed() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path()).await;
    save(&store, &record("t", 1, 0)).await;
    let lease = store.lease("k", "a", Duration::from_secs(60)).await.expect("asked").expect("free");
    store.release(&lease).await.expect("asked");
    store.replace_note("n", None, b"1", Duration::from_millis(1)).await.expect("noted");
    let locks = || {
        let names = std::fs::read_dir(folder.path().join("locks")).expect("a folder");
        let names = names.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    };
    assert_eq!(locks(), ["access_token%3Astable%3Awx1", "lease%3Ak", "note%3An"]);
    let ended = async || store.note("n").await.expect("asked").is_none();
    until(|| "the end of the note", ended).await;
    open(folder.path()).await;
    assert_eq!(locks(), ["access_token%3Astable%3Awx1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_fails_is_a_store_that_is_down_until_it_takes_writes() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path()).await;
    save(&store, &record("t", 1, 0)).await;
    let (entries, away) = (folder.path().join("entries"), folder.path().join("away"));
    std::fs::rename(&entries, &away).expect("renamed");
    std::fs::write(&entries, "no folder").expect("written");
    assert!(store.save("access_token:stable:wx1", &record("u", 2, 0)).await.is_err());
    let problem = store.problem().expect("down").to_string();
    assert!(problem.contains(entries.to_str().expect("UTF-8")), "{problem}");
    std::fs::remove_file(&entries).expect("removed");
    std::fs::rename(&away, &entries).expect("renamed");
    let saves = async || store.save("access_token:stable:wx1", &record("u", 2, 0)).await.is_ok();
    until(|| "a store that heals", saves).await;
    assert_eq!(load(&store).await, Some((2, "u".to_owned())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_without_the_seal_key_lays_nothing_over_what_the_others_sealed() {
    let folder = tempfile::tempdir().expect("a folder");
    let key = Secret::new("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
    let seal = Some(Arc::new(Seal::new(&key, None).expect("a key")));
    let location = Location::File(folder.path().to_owned());
    let sealed = Store::open(&Options { location, seal }).await.expect("it opens");
    save(&sealed, &record("sealed", 1, 0)).await;
    let keyless = open(folder.path()).await;
    let newer = keyless.save("access_token:stable:wx1", &record("in-clear", 2, 1)).await;
    assert!(matches!(newer, Err(StoreError::Sealed { .. })), "{newer:?}");
    assert_eq!(load(&sealed).await, Some((1, "sealed".to_owned())));
    // Once it has ended it is of no use to anybody.
    let much_later = record("in-clear", 2, 7_200_001);
    keyless.save("access_token:stable:wx1", &much_later).await.expect("saved");
}
