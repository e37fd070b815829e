//! The included files that are in force.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::account::Added;
use super::folder::{self, Digests};
use super::glob::Glob;
use crate::config::reader::problem::Problem;
use crate::config::reader::secrets::Remembered;

/// The included files of a configuration, by name.
#[derive(Clone, Debug, Default)]
pub struct Included {
    /// Those that add something, or should.
    pub files: Vec<IncludedFile>,
    /// Where to look for changes.
    pub watched: Watched,
    /// Name and identity of the app of requests that name none.
    pub(super) default_app: Option<(Arc<str>, Arc<str>)>,
}

/// An included file.
#[derive(Clone, Debug)]
pub struct IncludedFile {
    /// As `include` names it.
    pub path: Arc<str>,
    /// Why what is in the file now is not in force; its accounts are as they were.
    pub problem: Option<Problem>,
    /// How many other problems it has.
    pub more: usize,
    pub(super) kept: Option<Arc<Kept>>,
}

/// What of a file is in force.
pub(super) struct Kept {
    pub path: PathBuf,
    /// It may hold secrets.
    pub text: Arc<Zeroizing<String>>,
    pub secrets: Remembered,
    pub added: Added,
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("path", &self.path).field("added", &self.added).finish_non_exhaustive()
    }
}

/// What became of a file in a reload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileChange {
    /// It is in force.
    Taken {
        /// The file.
        path: Arc<str>,
        /// Apps that it adds.
        added: Vec<String>,
        /// Apps that it had already, with other options.
        changed: Vec<String>,
        /// Apps that it has no longer.
        removed: Vec<String>,
    },
    /// It is gone, and so are its apps.
    Gone {
        /// The file.
        path: Arc<str>,
        /// Its apps.
        removed: Vec<String>,
    },
    /// It is broken, and its apps are as they were.
    Rejected {
        /// The first problem.
        problem: Problem,
        /// How many others there are.
        more: usize,
    },
}

/// Where included files are looked for, and what was found there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    pub(super) main: PathBuf,
    pub(super) globs: Vec<Glob>,
    pub(super) seen: Digests,
}

impl Watched {
    /// Whether there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.globs.is_empty()
    }

    /// What is found there now. Reads all the files.
    #[must_use]
    pub fn look(&self) -> Self {
        Self { seen: folder::read(&self.globs, &self.main).digests(), ..self.clone() }
    }
}

impl IncludedFile {
    /// The names of its apps that are in force.
    pub fn apps(&self) -> Vec<String> {
        self.kept.as_ref().map(|kept| kept.added.app_names()).unwrap_or_default()
    }

    /// Whether the text that is in force is this one.
    pub(super) fn is_as(&self, text: &str) -> bool {
        self.kept.as_ref().is_some_and(|kept| kept.text.as_str() == text)
    }

    pub(super) fn added(&self) -> Option<&Added> {
        self.kept.as_ref().map(|kept| &kept.added)
    }
}

impl Included {
    /// What became of each file since `former`; files with which nothing happened are left out.
    pub fn changes(&self, former: &Self) -> Vec<FileChange> {
        let [before, now] = [former, self]
            .map(|all| all.files.iter().map(|file| (&*file.path, file)).collect::<HashMap<_, _>>());
        let of_file = |file: &IncludedFile| change(file, before.get(&*file.path).copied());
        let gone = former.files.iter().filter(|file| !now.contains_key(&*file.path));
        let gone = gone.map(|file| FileChange::Gone { path: Arc::clone(&file.path), removed: file.apps() });
        self.files.iter().filter_map(of_file).chain(gone).collect()
    }
}

fn change(file: &IncludedFile, former: Option<&IncludedFile>) -> Option<FileChange> {
    if let Some(problem) = &file.problem {
        return Some(FileChange::Rejected { problem: problem.clone(), more: file.more });
    }
    let kept = file.kept.as_ref()?;
    if former.is_some_and(|former| former.problem.is_none() && former.is_as(&kept.text)) {
        return None;
    }
    let (none, present) = (Added::default(), &kept.added);
    let before = former.and_then(IncludedFile::added).unwrap_or(&none);
    let names = |of: &Added, wanted: &dyn Fn(&str) -> bool| -> Vec<String> {
        of.app_names().into_iter().filter(|name| wanted(name)).collect()
    };
    let differs = |name: &str| match (before.app(name), present.app(name)) {
        (Some(one), Some(other)) => !one.is_same(other),
        _ => false,
    };
    Some(FileChange::Taken {
        path: Arc::clone(&file.path),
        added: names(present, &|name| before.app(name).is_none()),
        changed: names(present, &differs),
        removed: names(before, &|name| present.app(name).is_none()),
    })
}
