//! Every Markdown file of the repository, or of a test's folder.

use std::path::{Path, PathBuf};

use super::page::Page;

/// What is built, installed or fetched, and none of ours.
const FOREIGN: [&str; 4] = ["target", ".git", "node_modules", "corpus"];

pub(super) struct Tree {
    pub(super) root: PathBuf,
    pub(super) pages: Vec<Page>,
    /// Keeps a test's folder as long as the tree.
    _folder: Option<tempfile::TempDir>,
}

impl Tree {
    /// The repository.
    pub(super) fn real() -> Self {
        Self::read(Path::new(env!("CARGO_MANIFEST_DIR")), None)
    }

    /// A folder with these files.
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let root = folder.path().to_owned();
        Self::read(&root, Some(folder))
    }

    fn read(root: &Path, folder: Option<tempfile::TempDir>) -> Self {
        let mut names = Vec::new();
        names_in(root, "", &mut names);
        names.sort();
        let text = |name: &String| std::fs::read_to_string(root.join(name)).unwrap();
        let pages = names.iter().map(|name| Page::parse(name, &text(name))).collect();
        Self { root: root.to_owned(), pages, _folder: folder }
    }

    pub(super) fn page(&self, name: &str) -> Option<&Page> {
        self.pages.iter().find(|page| page.name == name)
    }

    /// The names of the pages in a folder, without the folder.
    pub(super) fn names_under<'t>(&'t self, folder: &'t str) -> impl Iterator<Item = &'t str> {
        self.pages.iter().filter_map(move |page| page.name.strip_prefix(folder)?.strip_prefix('/'))
    }

    /// The pages that tell people how to use wxgate: both READMEs and both books.
    pub(super) fn guides(&self) -> impl Iterator<Item = &Page> {
        self.pages.iter().filter(|page| {
            let book = page.name.starts_with("docs/") && !page.name.ends_with("/SUMMARY.md");
            book || page.name == "README.md" || page.name == "README.zh-CN.md"
        })
    }

    /// Fails with all that a rule finds.
    #[track_caller]
    pub(super) fn holds(&self, what: &str, rule: impl Fn(&Self) -> Vec<String>) {
        let found = rule(self);
        assert!(found.is_empty(), "{what}: {} to mend\n{}", found.len(), found.join("\n"));
    }
}

fn names_in(root: &Path, folder: &str, names: &mut Vec<String>) {
    for entry in std::fs::read_dir(root.join(folder)).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        if entry.file_type().unwrap().is_dir() {
            if !FOREIGN.contains(&&*name) {
                names_in(root, &path, names);
            }
        } else if name.ends_with(".md") {
            names.push(path);
        }
    }
}
