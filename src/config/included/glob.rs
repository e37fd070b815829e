//! What `include` says: a folder, and which of its files.

use std::path::{Path, PathBuf};

use crate::config::file::File;
use crate::config::reader::problem::Report;
use crate::config::reader::values::Item;
use crate::texts::{Words, text, words};

/// An entry of `include`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::config) struct Glob {
    /// Where its files are.
    pub(super) folder: PathBuf,
    /// Their name; each `*` stands for any characters.
    name: String,
}

/// A folder that can't be listed.
pub(super) struct Unlisted {
    pub folder: PathBuf,
    pub why: Words,
    /// There is a folder, and nothing is known of its files.
    pub is_fatal: bool,
}

impl Glob {
    /// Reads an entry; a relative path starts at `base`.
    fn parse(text: &str, base: &Path) -> Result<Self, Words> {
        let (folder, name) = text.rsplit_once('/').unwrap_or(("", text));
        if matches!(name, "" | "." | "..") {
            return Err(words!("names no file, expected one like \"apps.d/*.toml\""));
        }
        if folder.contains(['*', '?', '[', '{']) || name.contains(['?', '[', '{']) {
            return Err(words!(
                "has a wildcard that is not a * in the file's name, expected one like \"apps.d/*.toml\""
            ));
        }
        let folder = if text.starts_with('/') && folder.is_empty() { "/" } else { folder };
        Ok(Self { folder: base.join(folder), name: name.to_owned() })
    }

    /// Whether it stands for files whose names aren't known.
    pub(super) fn is_open(&self) -> bool {
        self.name.contains('*')
    }

    /// The file, where it names one.
    pub(super) fn path(&self) -> PathBuf {
        self.folder.join(&self.name)
    }

    /// Whether a file of its folder is meant. Hidden ones are where that is written: editors and
    /// Kubernetes keep their own there.
    pub(super) fn matches(&self, name: &str) -> bool {
        let hidden = name.starts_with('.') && !self.name.starts_with('.');
        !hidden && is_like(&self.name, name)
    }
}

/// Whether a name is like a pattern in which each `*` stands for any characters.
fn is_like(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.split_once(part) {
            Some((_, behind)) => rest = behind,
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// What `include` of a file says, without what is wrong in it.
pub(super) fn globs(file: &File, base: &Path) -> Vec<Glob> {
    items(file).iter().filter_map(|item| Glob::parse(&item.value, base).ok()).collect()
}

/// Reports entries that are wrong, and those that lead nowhere: `unlisted` folders could not be
/// read.
pub(super) fn check(file: &File, base: &Path, unlisted: &[Unlisted], report: &mut Report<'_>) {
    for Item { value, place } in items(file) {
        let glob = match Glob::parse(value, base) {
            Ok(glob) => glob,
            Err(wrong) => {
                report.error(place, wrong);
                continue;
            }
        };
        match unlisted.iter().find(|unlisted| unlisted.folder == glob.folder) {
            Some(Unlisted { why, is_fatal: true, .. }) => report.error(place, why.clone()),
            Some(Unlisted { why, .. }) => report.warn(place, why.clone()),
            None if !glob.is_open() && glob.path().symlink_metadata().is_err() => {
                let file = glob.path();
                report.warn(place, text!("the file {file} does not exist", file = file.display()));
            }
            None => {}
        }
    }
}

fn items(file: &File) -> &[Item<String>] {
    file.include.item().map_or(&[], |item| &item.value.0)
}

#[cfg(test)]
mod tests {
    use super::{Glob, Path, is_like};

    #[test]
    fn a_star_stands_for_any_characters_of_the_name() {
        for (pattern, name, like) in [
            ("*.toml", "a.toml", true),
            ("*.toml", ".toml", true),
            ("*.toml", "a.toml~", false),
            ("*.toml", "a.toml.swp", false),
            ("a*b*c", "abc", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "acb", false),
            ("ab*ba", "aba", false),
            ("shop.toml", "shop.toml", true),
            ("shop.toml", "shop.toml2", false),
            ("*", "", true),
            ("**", "a", true),
        ] {
            assert_eq!(is_like(pattern, name), like, "{pattern} {name}");
        }
    }

    #[test]
    fn hidden_files_are_meant_where_the_pattern_says_so() {
        let glob = |text| Glob::parse(text, Path::new("/etc/wxgate")).expect("a pattern");
        assert!(!glob("apps.d/*").matches("..data") && !glob("*.toml").matches(".a.toml"));
        assert!(glob("apps.d/.*").matches(".a.toml"));
        assert_eq!(glob("apps.d/*").folder, Path::new("/etc/wxgate/apps.d"));
        assert_eq!(glob("*").folder, Path::new("/etc/wxgate/"));
        assert_eq!(glob("/*").folder, Path::new("/"));
    }

    #[test]
    fn a_wildcard_anywhere_else_is_refused() {
        for wrong in ["", "apps.d/", "apps.d/..", "*/a.toml", "apps.d/**/a.toml", "a?.toml", "[ab].toml"] {
            assert!(Glob::parse(wrong, Path::new("/")).is_err(), "{wrong}");
        }
    }
}
