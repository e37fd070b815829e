//! Fetches secrets from where the file says that they are.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::problem::{Place, Report, looks_like_secret};
use super::values::{Item, SecretSource};
use crate::secret::Secret;
use crate::secret::file::{self, Links, Refused};

const IN_CLEAR: &str =
    "is a secret in clear, move it out of the file: { env = \"NAME\" } or { file = \"PATH\" }";
/// A file longer than this is no secret.
const LONGEST_SECRET: u64 = 4096;

/// A file that a secret, or the certificate beside one, was read from, and what was in it.
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

/// The places that secrets come from.
pub(in crate::config) struct Secrets<'a> {
    folder: PathBuf,
    env: &'a dyn Fn(&str) -> Option<String>,
    needed: Needed,
    /// Files that were read.
    pub files: Vec<SecretFile>,
    /// Some that aren't needed are not there.
    pub lacking: bool,
}

impl<'a> Secrets<'a> {
    /// Relative paths start at the folder of the configuration file, as nginx and Prometheus have
    /// it.
    pub(in crate::config) fn new(
        config_file: &str,
        env: &'a dyn Fn(&str) -> Option<String>,
        needed: Needed,
    ) -> Self {
        let folder = Path::new(config_file).parent().map(Path::to_owned).unwrap_or_default();
        Self { folder, env, needed, files: Vec::new(), lacking: false }
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
    pub(in crate::config) fn path(&self, text: &str) -> PathBuf {
        self.folder.join(text)
    }

    /// As [`Secrets::resolve`]; an empty one stands in for one that isn't needed: that an app has
    /// it matters, and not what it is.
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
                report.warn(&source.place, IN_CLEAR);
                (Zeroizing::new(secret.expose().to_owned()), &source.place, "the secret".to_owned())
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
                report.warn(&source.place, IN_CLEAR);
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
            report.error(&name.place, format!("{} is not set", variable_name(&name.value)));
        }
        plain.map(Zeroizing::new)
    }

    fn file(&mut self, path: &Item<String>, report: &mut Report<'_>) -> Option<Zeroizing<String>> {
        let bytes = self.bytes(path, LONGEST_SECRET, report)?;
        self.warn_of_others(path, report);
        let Ok(text) = std::str::from_utf8(&bytes) else {
            let reason = unreadable(&io::ErrorKind::InvalidData.into());
            report.error(&path.place, format!("{} {reason}", file_name(&path.value)));
            return None;
        };
        let text = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
        Some(Zeroizing::new(text.to_owned()))
    }

    /// Warns of a file that other users of this machine can read, or write.
    pub(in crate::config) fn warn_of_others(&self, path: &Item<String>, report: &mut Report<'_>) {
        if is_open_to_others(&self.path(&path.value)).unwrap_or(false) {
            let name = file_name(&path.value);
            report.warn(&path.place, format!("{name} is open to every user of this machine, expected mode 0600 and wxgate's user as its owner"));
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
        let full = self.path(&path.value);
        match file::read(&full, longest, Links::Followed) {
            Ok(bytes) => {
                self.files.push(SecretFile { path: full, digest: digest(&bytes) });
                Some(bytes)
            }
            Err(error) => {
                if self.misses(&path.place) {
                    report.error(&path.place, format!("{} {}", file_name(&path.value), unreadable(&error)));
                }
                None
            }
        }
    }
}

/// Why a file can't be used, as the rest of a sentence that begins with its name.
pub(in crate::config) fn unreadable(error: &io::Error) -> String {
    match Refused::of(error) {
        // What a pipe gives is gone once it was read, and a reload reads it again.
        Some(Refused::NoFile) => return "is a pipe or a device, expected a regular file".to_owned(),
        Some(Refused::TooLong(longest)) => return format!("is longer than {longest} bytes"),
        None => {}
    }
    match error.kind() {
        io::ErrorKind::NotFound => "does not exist".to_owned(),
        io::ErrorKind::PermissionDenied => "may not be read by this user".to_owned(),
        io::ErrorKind::IsADirectory => "is a directory".to_owned(),
        io::ErrorKind::InvalidData => "is not UTF-8 text".to_owned(),
        _ => format!("cannot be read: {error}"),
    }
}

/// What a secret file is told by, without being kept.
pub fn digest(contents: &[u8]) -> [u8; 32] {
    let mut digest = [0; 32];
    digest.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, contents).as_ref());
    digest
}

/// Whether others may open a file: a folder on the way that is closed to them keeps them out.
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

/// A secret is one word of visible ASCII: it must fit into a query and a header as it is.
fn check(plain: &str, origin: &str, place: &Place, report: &mut Report<'_>) -> Option<()> {
    if plain.is_empty() {
        report.error(place, format!("{origin} is empty"));
        return None;
    }
    if !plain.bytes().all(|byte| byte.is_ascii_graphic()) {
        report.error(
            place,
            format!(
                "{origin} holds a blank, a line break or a non-ASCII character, expected the secret alone"
            ),
        );
        return None;
    }
    Some(())
}

/// Names a variable, unless the name may be a secret pasted in its place.
fn variable_name(name: &str) -> String {
    let plausible = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if plausible && !looks_like_secret(name) {
        format!("the environment variable {name}")
    } else {
        "the environment variable named here".to_owned()
    }
}

fn file_name(path: &str) -> String {
    if looks_like_secret(path) { "the file named here".to_owned() } else { format!("the file {path}") }
}
