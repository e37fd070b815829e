//! The folder on disk: names, locks, and writes that happen as a whole or not at all. All of it
//! blocks.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::io::Errno;

use super::entry::{Fault, FileEntry};
use crate::observe::clock::Clock;
use crate::secret::file::{self, Links, Refused};
use crate::store::StoreError;
use crate::texts::text;

/// Entries whose change is worth being noticed by others.
const ENTRIES: &str = "entries";
/// Apart, since they come and go with each fetch.
const LEASES: &str = "leases";
const COUNTS: &str = "counts";
const LOCKS: &str = "locks";

/// A process that was stopped holds its lock; waiting for it must end before the store's own
/// timeout, so that the error names the lock.
const LOCK: Duration = Duration::from_millis(2800);
const LOCK_AGAIN: Duration = Duration::from_millis(2);
/// No entry is longer.
const LONGEST: u64 = 16 << 20;
/// Shorter-lived entries are worth nothing after a power cut, so they need not survive one.
const DURABLE: Duration = Duration::from_secs(60);
/// Files set aside that are kept of each entry.
const KEPT_DAMAGED: usize = 5;

/// A folder that processes of one machine share.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    clock: Clock,
    /// How often the disk was waited for.
    #[cfg(test)]
    synced: std::sync::atomic::AtomicUsize,
}

/// The lock of an entry is taken.
#[derive(Debug, thiserror::Error)]
#[error("{}", text!("another process holds it"))]
struct HeldElsewhere;

/// What is under a key, or why it can't be read.
pub(super) type Keyed = (String, Result<FileEntry, StoreError>);

/// The right to write an entry, across threads and processes.
pub(super) struct Locked<'f> {
    folder: &'f Folder,
    key: &'f str,
    /// Closing it ends the lock, as does the death of the process.
    _lock: File,
}

impl Folder {
    /// Creates what is missing and removes what has expired. A disk that is full or read-only is
    /// not an error: the store is down until it takes writes, which is better than a proxy that
    /// doesn't start.
    pub(super) fn open(root: &Path) -> Result<Self, StoreError> {
        let folder = Self {
            root: root.to_owned(),
            clock: Clock::default(),
            #[cfg(test)]
            synced: Default::default(),
        };
        for name in ["", ENTRIES, LEASES, COUNTS, LOCKS] {
            let path = if name.is_empty() { root.to_owned() } else { root.join(name) };
            DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(at(&path))?;
        }
        let mode = fs::metadata(root).map_err(at(root))?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let text = text!(
                "the store's folder {path} has mode {mode}; it holds tokens, expected mode 700",
                path = root.display(),
                mode = format_args!("{mode:o}")
            );
            tracing::warn!("{text}");
        }
        match folder.probe() {
            Err(error) if takes_no_writes(&error) => {}
            probed => probed.and_then(|()| folder.sweep())?,
        }
        Ok(folder)
    }

    /// The entry of `key`, if it is there and hasn't ended. A damaged one is set aside.
    pub(super) fn read(&self, key: &str) -> Result<Option<FileEntry>, StoreError> {
        match self.parse(key) {
            Err(StoreError::Damaged { .. }) => self.lock(key)?.read(),
            other => other,
        }
    }

    pub(super) fn lock<'f>(&'f self, key: &'f str) -> Result<Locked<'f>, StoreError> {
        let began = SystemTime::now();
        loop {
            if let Some(locked) = self.try_lock(key)? {
                return Ok(locked);
            }
            if began.elapsed().is_ok_and(|waited| waited < LOCK) {
                nap();
                continue;
            }
            let held = io::Error::new(io::ErrorKind::WouldBlock, HeldElsewhere);
            return Err(at(&self.lock_path(key))(held));
        }
    }

    /// The lock, unless another process holds it.
    fn try_lock<'f>(&'f self, key: &'f str) -> Result<Option<Locked<'f>>, StoreError> {
        let path = self.lock_path(key);
        let lock = file::open(private().write(true).create(true).truncate(false), &path, Links::Refused);
        let lock = lock.map_err(of(key, &path))?;
        match lock.try_lock() {
            // A sweep may have removed the file meanwhile: whoever comes next locks another one.
            Ok(()) if is_at(&lock, &path) => Ok(Some(Locked { folder: self, key, _lock: lock })),
            Ok(()) | Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(at(&path)(error)),
        }
    }

    fn lock_path(&self, key: &str) -> PathBuf {
        self.root.join(LOCKS).join(name_of(key))
    }

    /// The keys of all entries but the counts, in their order.
    pub(super) fn entry_keys(&self) -> Result<Vec<String>, StoreError> {
        let mut keys = self.keys(ENTRIES)?;
        keys.extend(self.keys(LEASES)?);
        keys.sort();
        Ok(keys)
    }

    /// What is under `keys`, as far as it is there. Damaged ones stay where they are: this is for
    /// people who look.
    pub(super) fn look(&self, keys: &[String]) -> Result<Vec<Keyed>, StoreError> {
        let mut found = Vec::with_capacity(keys.len());
        for key in keys {
            match self.parse(key) {
                Ok(entry) => found.extend(entry.map(|entry| (key.clone(), Ok(entry)))),
                Err(error) if error.means_down() => return Err(error),
                Err(error) => found.push((key.clone(), Err(error))),
            }
        }
        Ok(found)
    }

    /// When an entry was last written, by any process.
    pub(super) fn changed_at(&self) -> Option<SystemTime> {
        // Each write ends in a rename, which the folder's own time tells of.
        fs::metadata(self.root.join(ENTRIES)).and_then(|metadata| metadata.modified()).ok()
    }

    /// Whether it takes writes.
    pub(super) fn probe(&self) -> Result<(), StoreError> {
        let path = self.root.join(ENTRIES).join(format!("probe.{}", std::process::id()));
        // Enough to need a block of its own: a full disk still takes an empty file.
        let written = file::create(&path)
            .and_then(|mut file| file.write_all(&[b' '; 512]).and_then(|()| file.sync_all()));
        let removed = fs::remove_file(&path);
        written.and(removed).map_err(at(&path))
    }

    fn parse(&self, key: &str) -> Result<Option<FileEntry>, StoreError> {
        let path = self.path(key);
        let bytes = match file::read(&path, LONGEST, Links::Refused) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            // A pipe, a link, a folder, or a file of any length that was put there.
            Err(error) if Refused::of(&error).is_some() || error.kind() == io::ErrorKind::IsADirectory => {
                return Err(StoreError::Damaged { key: key.to_owned() });
            }
            Err(error) => return Err(of(key, &path)(error)),
        };
        match FileEntry::parse(&bytes) {
            Ok(entry) => Ok(Some(entry).filter(|entry| !entry.is_over(self.clock.now()))),
            Err(Fault::Damaged) => Err(StoreError::Damaged { key: key.to_owned() }),
            Err(Fault::Later(format)) => Err(StoreError::Format { key: key.to_owned(), format }),
        }
    }

    /// Removes what has ended: apps that are gone, days that are over. What another process works
    /// on is left to the next time, and what can't be used to whoever put it there.
    pub(super) fn sweep(&self) -> Result<(), StoreError> {
        for folder in [ENTRIES, LEASES, COUNTS] {
            for key in self.keys(folder)? {
                if let Some(locked) = self.try_lock_usable(&key)?
                    && let Ok(None) = self.parse(&key)
                {
                    locked.remove()?;
                }
            }
        }
        for key in self.keys(LOCKS)? {
            if !self.path(&key).exists()
                && let Some(locked) = self.try_lock_usable(&key)?
                && !self.path(&key).exists()
            {
                locked.remove_lock()?;
            }
        }
        Ok(())
    }

    fn try_lock_usable<'f>(&'f self, key: &'f str) -> Result<Option<Locked<'f>>, StoreError> {
        match self.try_lock(key) {
            Err(StoreError::Unusable { .. }) => Ok(None),
            tried => tried,
        }
    }

    fn keys(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let path = self.root.join(folder);
        let mut keys = Vec::new();
        for file in fs::read_dir(&path).map_err(at(&path))? {
            let name = file.map_err(at(&path))?.file_name();
            keys.extend(name.to_str().and_then(key_of));
        }
        Ok(keys)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        #[cfg(test)]
        self.synced.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        file.sync_all()
    }

    fn sync_parent(&self, path: &Path) -> Result<(), StoreError> {
        let Some(parent) = path.parent() else { return Ok(()) };
        File::open(parent).and_then(|folder| self.sync(&folder)).map_err(at(parent))
    }

    fn path(&self, key: &str) -> PathBuf {
        let folder = match key.split(':').next() {
            Some("lease") => LEASES,
            Some("count" | "budget") => COUNTS,
            _ => ENTRIES,
        };
        self.root.join(folder).join(name_of(key))
    }
}

impl Locked<'_> {
    /// As [`Folder::read`].
    pub(super) fn read(&self) -> Result<Option<FileEntry>, StoreError> {
        match self.folder.parse(self.key) {
            Err(StoreError::Damaged { .. }) => {
                self.set_aside()?;
                Ok(None)
            }
            other => other,
        }
    }

    /// Writes a new file and renames it into place, so that the old one or the new one is there at
    /// any moment.
    pub(super) fn write(&self, value: &[u8], lasts: Option<Duration>) -> Result<(), StoreError> {
        let path = self.folder.path(self.key);
        // One name, since there is one writer: what a killed process leaves is written over.
        let new = path.with_extension("new");
        let entry = FileEntry { value: value.to_vec(), written_at: self.folder.clock.now(), lasts };
        // A second of the counters is worth no wait for a slow disk; budgets are counted apart.
        let durable = lasts.is_none_or(|lasts| lasts > DURABLE) && !self.key.starts_with("count:");
        let mut file = file::create(&new).map_err(of(self.key, &new))?;
        file.write_all(&entry.encode()).map_err(at(&new))?;
        if durable {
            // Else a power cut may leave the name with an empty file.
            self.folder.sync(&file).map_err(at(&new))?;
        }
        fs::rename(&new, &path).map_err(at(&path))?;
        if durable { self.folder.sync_parent(&path) } else { Ok(()) }
    }

    pub(super) fn remove(&self) -> Result<(), StoreError> {
        remove(&self.folder.path(self.key))
    }

    fn remove_lock(self) -> Result<(), StoreError> {
        remove(&self.folder.lock_path(self.key))
    }

    /// Kept for whoever looks for the cause; the entry is absent from now on.
    fn set_aside(&self) -> Result<(), StoreError> {
        let path = self.folder.path(self.key);
        let aside = path.with_extension(format!("damaged-{}", self.folder.clock.now().0));
        fs::rename(&path, &aside).map_err(at(&path))?;
        let text = text!(
            "an entry of the store is damaged and ignored; {path} was moved to {aside}",
            path = path.display(),
            aside = aside.display()
        );
        tracing::error!("{text}");
        self.forget_old_damage(&path);
        self.folder.sync_parent(&path)
    }

    fn forget_old_damage(&self, path: &Path) {
        let Some(parent) = path.parent() else { return };
        let begins = format!("{}.damaged-", name_of(self.key));
        let names = fs::read_dir(parent).into_iter().flatten().flatten().map(|file| file.file_name());
        let mut aside: Vec<_> = names.filter(|name| name.to_string_lossy().starts_with(&begins)).collect();
        aside.sort();
        for name in aside.iter().rev().skip(KEPT_DAMAGED) {
            // Leftover files are not a reason to fail.
            let _ = fs::remove_file(parent.join(name));
        }
    }
}

/// Files are for this user alone.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(path)(error)),
        _ => Ok(()),
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    let id = |metadata: io::Result<fs::Metadata>| metadata.ok().map(|of| (of.dev(), of.ino()));
    let there = id(fs::metadata(path));
    there.is_some() && there == id(file.metadata())
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> StoreError + '_ {
    |source| StoreError::File { path: path.to_owned(), source }
}

/// The same for what belongs to the entry `key`. If the folder itself works and the file belongs to
/// another user, is a folder, or is on a bad block, only this entry is affected.
fn of<'p>(key: &'p str, path: &'p Path) -> impl FnOnce(io::Error) -> StoreError + 'p {
    use io::ErrorKind::{IsADirectory, PermissionDenied};
    move |source| {
        let alone = Refused::of(&source).is_some()
            || matches!(source.kind(), PermissionDenied | IsADirectory)
            || source.raw_os_error() == Some(Errno::IO.raw_os_error());
        if alone && fs::symlink_metadata(path).is_ok() {
            StoreError::Unusable { key: key.to_owned(), path: path.to_owned(), source }
        } else {
            at(path)(source)
        }
    }
}

/// Whether it is the disk that takes none, rather than the folder from this user.
fn takes_no_writes(error: &StoreError) -> bool {
    use io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    let StoreError::File { source, .. } = error else { return false };
    matches!(source.kind(), StorageFull | QuotaExceeded | ReadOnlyFilesystem)
}

#[expect(clippy::disallowed_methods, reason = "on a thread for blocking work, which nothing else waits for")]
fn nap() {
    std::thread::sleep(LOCK_AGAIN);
}

/// A file's name for a key: what is neither letter nor digit, nor `_` or `-`, is percent-encoded.
/// So no key leaves the folder, and a `.` is always ours.
fn name_of(key: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    let encode = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    key.bytes().map(encode).collect()
}

/// The key of a file; `None` if it isn't an entry's.
fn key_of(name: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let (byte, after) = match (first, tail) {
            (b'.', _) => return None,
            (b'%', [high, low, tail @ ..]) => {
                let digits = [*high, *low];
                (u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?, tail)
            }
            (byte, tail) => (byte, tail),
        };
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;
    use std::time::Duration;

    use super::{Folder, at, key_of, name_of, takes_no_writes};

    #[test]
    fn a_disk_that_takes_no_writes_is_told_from_a_folder_of_another_users() {
        let path = std::path::Path::new("/x");
        // ENOSPC, EDQUOT, EROFS; EACCES, ENOENT.
        for (code, expected) in [(28, true), (122, true), (30, true), (13, false), (2, false)] {
            let error = at(path)(std::io::Error::from_raw_os_error(code));
            assert_eq!(takes_no_writes(&error), expected, "{code}");
        }
    }

    #[test]
    fn counters_never_wait_for_the_disk_and_budgets_and_tokens_do() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = Folder::open(root.path()).expect("it opens");
        let days = Some(Duration::from_secs(3 * 86_400));
        for (key, synced) in [("count:20000", 0), ("budget:20000", 2), ("access_token:stable:wx1", 2)] {
            let before = folder.synced.load(Ordering::Relaxed);
            folder.lock(key).expect("free").write(b"{}", days).expect("written");
            assert_eq!(folder.synced.load(Ordering::Relaxed) - before, synced, "{key}");
        }
    }

    #[test]
    fn a_lock_whose_file_was_removed_meanwhile_is_none() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = Folder::open(root.path()).expect("it opens");
        let first = folder.lock("k").expect("free");
        std::thread::scope(|scope| {
            let second = scope.spawn(|| {
                let second = folder.lock("k").expect("free in the end");
                let third = folder.try_lock("k").expect("asked");
                (second, third.is_none())
            });
            assert!(folder.try_lock("k").expect("asked").is_none());
            first.remove_lock().expect("removed");
            let (second, others_wait) = second.join().expect("no panic");
            assert!(others_wait);
            drop(second);
        });
    }

    #[test]
    fn no_key_leaves_the_folder_and_each_has_its_own_file() {
        for key in ["access_token:stable:wx1", "../../etc/passwd", "a.new", "ä/%41", ".", ""] {
            let name = name_of(key);
            assert!(!name.contains(['/', '.']), "{name}");
            assert_eq!(key_of(&name).as_deref(), Some(key));
        }
        assert_eq!(key_of("a.new"), None);
        assert_eq!(key_of("a.damaged-1"), None);
    }
}
