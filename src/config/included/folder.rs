//! The files that are there now.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::glob::{Glob, Unlisted};
use crate::config::reader::secrets::{digest, unreadable};
use crate::config::reader::text::decode;
use crate::secret::file::{self, Links};
use crate::texts::{Words, words};

/// What each file held, by its digest; none of one that couldn't be read.
pub(super) type Digests = BTreeMap<PathBuf, Option<[u8; 32]>>;

/// A file that is there.
pub(super) struct Present {
    /// As `include` names it.
    pub path: PathBuf,
    /// Its text, or what can be read of it.
    pub text: Arc<Zeroizing<String>>,
    /// Why it is no text, or no file.
    pub fault: Option<Fault>,
    digest: Option<[u8; 32]>,
}

/// Why a file can't be used.
pub(super) enum Fault {
    /// The first byte behind the text isn't UTF-8.
    Encoding(Words),
    /// It can't be read.
    Unreadable(Words),
}

/// What the entries of `include` stand for.
#[derive(Default)]
pub(super) struct Listing {
    /// By name, none twice.
    pub files: Vec<Present>,
    /// Folders that can't be listed.
    pub unlisted: Vec<Unlisted>,
}

impl Listing {
    pub(super) fn digests(&self) -> Digests {
        self.files.iter().map(|file| (file.path.clone(), file.digest)).collect()
    }
}

/// Lists and reads the files; `main` isn't among them.
pub(super) fn read(globs: &[Glob], main: &Path) -> Listing {
    let mut listing = Listing::default();
    // Two entries may name a folder in two ways.
    let mut known: BTreeMap<PathBuf, PathBuf> = BTreeMap::new();
    let itself = main.parent().and_then(|folder| real(folder).ok()).zip(main.file_name());
    let itself = itself.map(|(folder, name)| folder.join(name));
    for glob in globs {
        let paths = real(&glob.folder).and_then(|folder| Ok((list(glob)?, folder)));
        match paths {
            Ok((names, folder)) => {
                let paths = names.into_iter().map(|name| (folder.join(&name), glob.folder.join(&name)));
                for (real, path) in paths.filter(|(real, _)| Some(real) != itself.as_ref()) {
                    known.entry(real).or_insert(path);
                }
            }
            Err(error) => {
                let why = words!("the folder {folder}", folder = glob.folder.display());
                listing.unlisted.push(Unlisted {
                    folder: glob.folder.clone(),
                    why: unreadable(&why, &error),
                    is_fatal: error.kind() != io::ErrorKind::NotFound,
                });
            }
        }
    }
    listing.files = known.into_values().filter_map(present).collect();
    listing.files.sort_by(|one, other| one.path.cmp(&other.path));
    listing
}

fn real(folder: &Path) -> io::Result<PathBuf> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    folder.canonicalize()
}

/// The names that an entry stands for.
fn list(glob: &Glob) -> io::Result<Vec<String>> {
    let folder = real(&glob.folder)?;
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        // A name that isn't UTF-8 can't be written in `include`, and a `*` stands for characters.
        names.extend(entry?.file_name().into_string().ok().filter(|name| glob.matches(name)));
    }
    Ok(names)
}

/// What is in a file; none if there is none any more.
fn present(path: PathBuf) -> Option<Present> {
    let fault = |error: &io::Error| Some(Fault::Unreadable(unreadable(&words!("the file"), error)));
    match file::read(&path, file::LONGEST, Links::Followed) {
        Ok(bytes) => {
            let (text, fault) = match decode(&bytes) {
                Ok(text) => (text, None),
                Err((before, wrong)) => (before, Some(Fault::Encoding(wrong))),
            };
            let text = Arc::new(Zeroizing::new(text.to_owned()));
            Some(Present { path, text, fault, digest: Some(digest(&bytes)) })
        }
        // A link that leads nowhere is still there.
        Err(error) if error.kind() == io::ErrorKind::NotFound && path.symlink_metadata().is_err() => None,
        Err(error) => {
            let fault = fault(&error);
            Some(Present { path, text: Arc::default(), fault, digest: None })
        }
    }
}
