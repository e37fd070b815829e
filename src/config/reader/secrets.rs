//! Fetches secrets from where the file says that they are.

use std::collections::HashMap;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::problem::{Place, Report, looks_like_secret};
use super::values::{Item, SecretSource};
use crate::secret::Secret;
use crate::secret::file::{self, Links, Refused};
use crate::texts::{Words, text, words};

/// A longer file does not hold a secret.
const LONGEST_SECRET: u64 = 4096;

/// A file that a secret or a certificate was read from, and what was in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretFile {
    /// Where it is.
    pub path: PathBuf,
    /// SHA-256 of its contents, line end and all.
    pub digest: [u8; 32],
}

/// Which secrets must be there for a configuration to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needed {
    /// All that it names.
    All,
    /// Those of `[store]`.
    OfStore,
    /// None.
    Nothing,
}

/// What was in the files that a file's secrets and certificates are in.
pub(in crate::config) type Remembered = HashMap<PathBuf, Arc<Zeroizing<Vec<u8>>>>;

/// What the secrets of one file of the configuration are read from.
struct Origin<'a> {
    /// Where its relative paths start.
    folder: PathBuf,
    /// What was read, where the files themselves may have changed since.
    remembered: Option<&'a Remembered>,
    read: Remembered,
}

/// The places that secrets come from.
pub(in crate::config) struct Secrets<'a> {
    /// Of each file of the configuration, by the number that its places have.
    origins: Vec<Origin<'a>>,
    env: &'a dyn Fn(&str) -> Option<String>,
    needed: Needed,
    /// Files that were read, or that were missing.
    pub files: Vec<SecretFile>,
    /// Some that aren't needed are not there.
    pub lacking: bool,
}

impl<'a> Secrets<'a> {
    /// Relative paths start at the folder of the configuration file, as nginx and Prometheus have
    /// it.
    pub(in crate::config) fn new(
        config_file: &Path,
        env: &'a dyn Fn(&str) -> Option<String>,
        needed: Needed,
    ) -> Self {
        let mut secrets = Self { origins: Vec::new(), env, needed, files: Vec::new(), lacking: false };
        secrets.include(config_file, None);
        secrets
    }

    /// Another file of the configuration; with what its secrets were where that stays in force.
    pub(in crate::config) fn include(&mut self, file: &Path, remembered: Option<&'a Remembered>) {
        let folder = file.parent().map(Path::to_owned).unwrap_or_default();
        self.origins.push(Origin { folder, remembered, read: Remembered::new() });
    }

    /// What was in the files of the secrets of one file of the configuration.
    pub(in crate::config) fn read_for(&mut self, file: usize) -> Remembered {
        self.origins.get_mut(file).map(|origin| std::mem::take(&mut origin.read)).unwrap_or_default()
    }

    /// Whether what a file names was checked when it was taken: that something is gone since
    /// changes nothing.
    pub(in crate::config) fn stays(&self, place: &Place) -> bool {
        self.origins.get(place.file).is_some_and(|origin| origin.remembered.is_some())
    }

    /// Whether it is a fault that the one at `place` isn't there.
    fn misses(&mut self, place: &Place) -> bool {
        let misses = match self.needed {
            Needed::All => true,
            Needed::OfStore => place.key.starts_with("store."),
            Needed::Nothing => false,
        };
        self.lacking |= !misses;
        misses
    }

    /// The path of a file that the configuration names.
    pub(in crate::config) fn path(&self, named: &Item<String>) -> PathBuf {
        let folder = self.origins.get(named.place.file).map(|origin| &*origin.folder);
        folder.unwrap_or_else(|| Path::new("")).join(&named.value)
    }

    /// As [`Secrets::resolve`], but with an empty secret in place of one that isn't needed: what
    /// matters is that the app has one.
    pub(in crate::config) fn resolve_or_stand_in(
        &mut self,
        source: &Item<SecretSource>,
        report: &mut Report<'_>,
    ) -> Option<Arc<Secret>> {
        let stand_in = self.needed != Needed::All;
        self.resolve(source, report).or_else(|| stand_in.then(|| Arc::new(Secret::new(""))))
    }

    /// The secret; reports why there is none, unless it isn't needed.
    pub(in crate::config) fn resolve(
        &mut self,
        source: &Item<SecretSource>,
        report: &mut Report<'_>,
    ) -> Option<Arc<Secret>> {
        let (plain, place, origin) = match &source.value {
            SecretSource::Clear(secret) => {
                warn_of_clear(&source.place, report);
                (Zeroizing::new(secret.expose().to_owned()), &source.place, words!("the secret"))
            }
            SecretSource::Env(name) => {
                (self.variable(name, report)?, &name.place, variable_name(&name.value))
            }
            SecretSource::File(path) => (self.file(path, report)?, &path.place, file_name(&path.value)),
        };
        check(&plain, &origin, place, report)?;
        Some(Arc::new(Secret::new(plain.as_str())))
    }

    /// The text of a private key in PEM; reports why there is none, unless it isn't needed.
    pub(in crate::config) fn resolve_pem(
        &mut self,
        source: &Item<SecretSource>,
        report: &mut Report<'_>,
    ) -> Option<Zeroizing<Vec<u8>>> {
        match &source.value {
            SecretSource::Clear(secret) => {
                warn_of_clear(&source.place, report);
                Some(Zeroizing::new(secret.expose().as_bytes().to_vec()))
            }
            SecretSource::Env(name) => {
                self.variable(name, report).map(|text| Zeroizing::new(text.as_bytes().to_vec()))
            }
            SecretSource::File(path) => {
                let pem = self.pem(path, report)?;
                self.warn_of_others(path, report);
                Some(pem)
            }
        }
    }

    fn variable(&mut self, name: &Item<String>, report: &mut Report<'_>) -> Option<Zeroizing<String>> {
        let plain = (self.env)(&name.value);
        if plain.is_none() && self.misses(&name.place) {
            report.error(&name.place, text!("{origin} is not set", origin = variable_name(&name.value)));
        }
        plain.map(Zeroizing::new)
    }

    fn file(&mut self, path: &Item<String>, report: &mut Report<'_>) -> Option<Zeroizing<String>> {
        let bytes = self.bytes(path, LONGEST_SECRET, report)?;
        self.warn_of_others(path, report);
        let Ok(text) = std::str::from_utf8(&bytes) else {
            let invalid = io::ErrorKind::InvalidData.into();
            report.error(&path.place, unreadable(&file_name(&path.value), &invalid));
            return None;
        };
        let text = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
        Some(Zeroizing::new(text.to_owned()))
    }

    /// Warns of a file that other users of this machine can read, or write.
    pub(in crate::config) fn warn_of_others(&self, path: &Item<String>, report: &mut Report<'_>) {
        if is_open_to_others(&self.path(path)).unwrap_or(false) {
            let text = text!(
                "{file} is open to every user of this machine, expected mode 0600 and wxgate's user as its owner",
                file = file_name(&path.value)
            );
            report.warn(&path.place, text);
        }
    }

    /// The contents of a file of keys or certificates; reports why there are none.
    pub(in crate::config) fn pem(
        &mut self,
        path: &Item<String>,
        report: &mut Report<'_>,
    ) -> Option<Zeroizing<Vec<u8>>> {
        self.bytes(path, file::LONGEST, report)
    }

    fn bytes(
        &mut self,
        path: &Item<String>,
        longest: u64,
        report: &mut Report<'_>,
    ) -> Option<Zeroizing<Vec<u8>>> {
        let (full, origin) = (self.path(path), path.place.file);
        let remembered = self.origins.get(origin).and_then(|origin| origin.remembered);
        if let Some(bytes) = remembered.and_then(|remembered| remembered.get(&full)) {
            return Some(Zeroizing::new(bytes.to_vec()));
        }
        match file::read(&full, longest, Links::Followed) {
            Ok(bytes) => {
                self.files.push(SecretFile { path: full.clone(), digest: digest(&bytes) });
                if let Some(origin) = self.origins.get_mut(origin) {
                    origin.read.insert(full, Arc::new(bytes.clone()));
                }
                Some(bytes)
            }
            Err(error) => {
                if self.misses(&path.place) {
                    report.error(&path.place, unreadable(&file_name(&path.value), &error));
                    // Once it is there, that is a change; that it is too long is none.
                    let seen = file::read(&full, file::LONGEST, Links::Followed);
                    let digest = seen.map(|bytes| digest(&bytes)).unwrap_or_default();
                    self.files.push(SecretFile { path: full, digest });
                }
                None
            }
        }
    }
}

/// Why `file` can't be used.
pub(in crate::config) fn unreadable(file: &Words, error: &io::Error) -> Words {
    match Refused::of(error) {
        // A pipe can be read once, and a reload reads it again.
        Some(Refused::NoFile) => {
            return words!("{file} is a pipe or a device, expected a regular file", file);
        }
        Some(Refused::TooLong(limit)) => return words!("{file} is longer than {limit} bytes", file, limit),
        None => {}
    }
    match error.kind() {
        io::ErrorKind::NotFound => words!("{file} does not exist", file),
        io::ErrorKind::PermissionDenied => words!("{file} may not be read by this user", file),
        io::ErrorKind::IsADirectory => words!("{file} is a directory", file),
        io::ErrorKind::InvalidData => words!("{file} is not UTF-8 text", file),
        _ => words!("{file} cannot be read: {error}", file, error),
    }
}

fn warn_of_clear(place: &Place, report: &mut Report<'_>) {
    report.warn(
        place,
        text!("is a secret in clear, move it out of the file: {{ env = \"NAME\" }} or {{ file = \"PATH\" }}"),
    );
}

/// Identifies the contents of a secret file without keeping them.
pub fn digest(contents: &[u8]) -> [u8; 32] {
    let mut digest = [0; 32];
    digest.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, contents).as_ref());
    digest
}

/// Whether others may open a file: a folder on its path that is closed to them keeps them out.
fn is_open_to_others(path: &Path) -> io::Result<bool> {
    let path = path.canonicalize()?;
    let mode = |path: &Path| Ok::<_, io::Error>(path.metadata()?.permissions().mode());
    for folder in path.ancestors().skip(1) {
        if mode(folder)? & 0o001 == 0 {
            return Ok(false);
        }
    }
    Ok(mode(&path)? & 0o006 != 0)
}

/// A secret is one word of visible ASCII, as it goes into queries and headers.
fn check(plain: &str, origin: &Words, place: &Place, report: &mut Report<'_>) -> Option<()> {
    if plain.is_empty() {
        report.error(place, text!("{origin} is empty", origin));
        return None;
    }
    if !plain.bytes().all(|byte| byte.is_ascii_graphic()) {
        report.error(
            place,
            text!(
                "{origin} holds a blank, a line break or a non-ASCII character, expected the secret alone",
                origin
            ),
        );
        return None;
    }
    Some(())
}

/// Names a variable, unless the name may be a secret pasted in its place.
fn variable_name(name: &str) -> Words {
    let plausible = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if plausible && !looks_like_secret(name) {
        words!("the environment variable {name}", name)
    } else {
        words!("the environment variable named here")
    }
}

/// Names a file, unless the path may be a secret pasted in its place.
pub(in crate::config) fn file_name(path: &str) -> Words {
    if looks_like_secret(path) { words!("the file named here") } else { words!("the file {path}", path) }
}
