//! Writing a file that other programs read: at any moment it is the old one or the new one, as a
//! whole.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Seek as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use memchr::memmem;
use ring::digest::{SHA256, digest};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};
use zeroize::Zeroizing;

use super::outcome::{Found, Put};
use crate::observe::hex::hex;
use crate::secret::file::{self, Links, Refused};
use crate::texts::text;
use crate::token::Token;
use crate::wechat::placeholder;

/// Another process holds the lock for as long as it writes.
const LOCK: Duration = Duration::from_millis(500);
const LOCK_AGAIN: Duration = Duration::from_millis(10);
/// Nothing that was written here is longer.
const LONGEST: u64 = 1 << 20;

/// Why a file could not be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error("{}", text!("cannot use {path}", path = .path.display()))]
    Io { path: PathBuf, source: io::Error },
    #[error("{}", text!("{path} is not a regular file", path = .0.display()))]
    NoFile(PathBuf),
    #[error("{}", text!("another process holds the lock {path}", path = .0.display()))]
    Locked(PathBuf),
    #[error("{}", text!("the writing thread failed"))]
    Lost,
}

/// A text that was written.
#[derive(Clone)]
struct Mark {
    generation: u64,
    fetched_at: i64,
    /// SHA-256 of the text in hex.
    sum: String,
}

/// A text to be written; a token is in it.
#[derive(Clone)]
pub(super) struct Text {
    /// Permissions.
    pub mode: u32,
    /// What holds the token.
    pub text: String,
    /// Also if this token is there already, since the form or the mode may differ.
    pub rewrite: bool,
}

/// Writes `text`, which holds `token`, unless it is there or a newer one is.
pub(super) async fn put(path: PathBuf, text: Text, token: Arc<Token>) -> Result<Put, FileError> {
    let give_up = Instant::now() + LOCK;
    loop {
        let (path, text, token) = (path.clone(), text.clone(), Arc::clone(&token));
        let put = spawn_blocking(move || put_blocking(&path, &text, &token)).await;
        match put.unwrap_or(Err(FileError::Lost)) {
            Err(FileError::Locked(_)) if Instant::now() < give_up => sleep(LOCK_AGAIN).await,
            done => return done,
        }
    }
}

fn put_blocking(path: &Path, text: &Text, token: &Token) -> Result<Put, FileError> {
    let Text { mode, text, rewrite } = text;
    // The lock's file remembers the latest two texts: whoever is killed before it renames leaves
    // the earlier one.
    let beside = beside(path, ".wxgate");
    let mut lock = OpenOptions::new();
    lock.read(true).write(true).create(true).truncate(false).mode(0o600);
    let mut lock = file::open(&mut lock, &beside, Links::Refused).map_err(at(&beside))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(FileError::Locked(beside)),
        Err(TryLockError::Error(error)) => return Err(at(&beside)(error)),
    }
    let marks = unless_long(file::contents(&lock, LONGEST)).map_err(at(&beside))?;
    let marks: Vec<_> = String::from_utf8_lossy(&marks).lines().filter_map(Mark::parse).collect();

    let present = match unless_long(file::read(path, LONGEST, Links::Followed)) {
        Ok(present) => Some(present),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(at(path)(error)),
    };
    let written = present.as_ref().and_then(|present| {
        let present = sum(present);
        marks.iter().find(|mark| mark.sum == present)
    });
    if let Some(mark) = written {
        let same = (mark.generation, mark.fetched_at) == (token.generation, token.fetched_at.0);
        if same && !rewrite {
            return Ok(Put::Unchanged);
        }
        // Generations restart where a store is lost, so both must be lower.
        if !same && token.generation <= mark.generation && token.fetched_at.0 <= mark.fetched_at {
            return Ok(Put::Newer);
        }
    }
    let found = match &present {
        Some(_) if written.is_some() => None,
        Some(present) if memmem::find(present, placeholder::PREFIX.as_bytes()).is_some() => {
            Some(Found::Placeholder)
        }
        // Before the first export something else may have written here.
        Some(_) if !marks.is_empty() => Some(Found::Other),
        _ => None,
    };

    let own =
        Mark { generation: token.generation, fetched_at: token.fetched_at.0, sum: sum(text.as_bytes()) };
    let marks: String = written.into_iter().chain([&own]).map(Mark::line).collect();
    lock.set_len(0).and_then(|()| lock.rewind()).map_err(at(&beside))?;
    lock.write_all(marks.as_bytes()).map_err(at(&beside))?;
    replace(path, *mode, text.as_bytes())?;
    Ok(Put::Written(found))
}

fn replace(path: &Path, mode: u32, text: &[u8]) -> Result<(), FileError> {
    let new = beside(path, ".new");
    let mut file = file::create(&new).map_err(at(&new))?;
    // As given, whatever the umask; before there is anything to read.
    file.set_permissions(fs::Permissions::from_mode(mode)).map_err(at(&new))?;
    file.write_all(text).and_then(|()| file.sync_all()).map_err(at(&new))?;
    fs::rename(&new, path).map_err(at(path))?;
    let folder = path.parent().unwrap_or_else(|| Path::new("/"));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(at(folder))
}

/// A hidden file in the same folder.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(ending);
    path.with_file_name(name)
}

fn sum(text: &[u8]) -> String {
    hex(digest(&SHA256, text))
}

/// A file that is too long to be one of ours reads as if it were empty: it is replaced as others
/// are.
fn unless_long(read: io::Result<Zeroizing<Vec<u8>>>) -> io::Result<Zeroizing<Vec<u8>>> {
    match read {
        Err(error) if matches!(Refused::of(&error), Some(Refused::TooLong(_))) => Ok(Zeroizing::default()),
        read => read,
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> FileError + '_ {
    |source| match Refused::of(&source) {
        Some(Refused::NoFile) => FileError::NoFile(path.to_owned()),
        _ if source.kind() == io::ErrorKind::IsADirectory => FileError::NoFile(path.to_owned()),
        _ => FileError::Io { path: path.to_owned(), source },
    }
}

impl Mark {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let (generation, fetched_at, sum) = (words.next()?, words.next()?, words.next()?);
        Some(Self {
            generation: generation.parse().ok()?,
            fetched_at: fetched_at.parse().ok()?,
            sum: sum.to_owned(),
        })
    }

    fn line(&self) -> String {
        format!("{} {} {}\n", self.generation, self.fetched_at, self.sum)
    }
}
