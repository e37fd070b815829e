//! Reading a file in whose place there may be something else: a pipe or a device must not block,
//! and a huge file must not fill the memory.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;
use zeroize::Zeroizing;

use crate::texts::text;

/// Bytes of a configuration, or of a file of certificates or keys; a longer file is refused.
pub const LONGEST: u64 = 1 << 20;

/// What a symlink in the file's place leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// To its target, as in the mounts of Kubernetes.
    Followed,
    /// To an error: others write to the folder.
    Refused,
}

/// Why a file that is there was not read; the source of an [`io::Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A pipe, a socket, a device, or a symlink where none is followed.
    #[error("{}", text!("it is not a regular file"))]
    NoFile,
    /// More than was allowed, in bytes.
    #[error("{}", text!("it is longer than {limit} bytes", limit = .0))]
    TooLong(u64),
}

impl Refused {
    /// The reason in an error of this module.
    pub fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }
}

impl From<Refused> for io::Error {
    fn from(refused: Refused) -> Self {
        Self::other(refused)
    }
}

/// The contents of a regular file.
///
/// # Errors
/// It can't be opened or read, or it is [`Refused`].
pub fn read(path: &Path, longest: u64, links: Links) -> io::Result<Zeroizing<Vec<u8>>> {
    contents(&open(OpenOptions::new().read(true), path, links)?, longest)
}

/// Opens a regular file with `options`, without waiting for the other end of a pipe.
///
/// # Errors
/// It can't be opened, or it is [`Refused`].
pub fn open(options: &mut OpenOptions, path: &Path, links: Links) -> io::Result<File> {
    let flags = match links {
        Links::Followed => OFlags::NONBLOCK,
        Links::Refused => OFlags::NONBLOCK | OFlags::NOFOLLOW,
    };
    let file = options.custom_flags(flags.bits().cast_signed()).open(path).map_err(|error| {
        // A socket, or a pipe without a reader; a link.
        let no_file = error.raw_os_error() == Some(Errno::NXIO.raw_os_error())
            || links == Links::Refused && error.raw_os_error() == Some(Errno::LOOP.raw_os_error());
        if no_file { Refused::NoFile.into() } else { error }
    })?;
    let kind = file.metadata()?.file_type();
    if kind.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if kind.is_file() { Ok(file) } else { Err(Refused::NoFile.into()) }
}

/// A new file at `path`, for this user alone. What a killed process left there is removed; so is a
/// link, which isn't followed.
///
/// # Errors
/// It can't be created, or what is there can't be removed.
pub fn create(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// What is in an open file, from its position.
///
/// # Errors
/// It can't be read, or it is [`Refused`].
pub fn contents(file: &File, longest: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    let length = file.metadata()?.len();
    if length > longest {
        return Err(Refused::TooLong(longest).into());
    }
    // Room to spare: what grows is moved, and leaves a copy behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(length).unwrap_or(0) + 64));
    // It may grow meanwhile, and those of /proc have no length.
    file.take(longest + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > longest {
        return Err(Refused::TooLong(longest).into());
    }
    Ok(bytes)
}
