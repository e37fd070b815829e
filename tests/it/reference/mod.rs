//! The reference pages of both books: what the code knows is written into them between two marks,
//! and must stand there. `./x pages` writes it. What the code can't say (what a key is for, what to
//! do about an alert) is in `docs/reference`, in both languages; the admin API's schema is there,
//! too, whole.

mod admin;
mod alerts;
mod configuration;
mod logs;
mod metrics;
mod openapi;
mod refusals;
mod sandbox;

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

const MAKE: &str = "made by `./x pages`, don't edit";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Language {
    English,
    Chinese,
}

impl Language {
    const ALL: [Self; 2] = [Self::English, Self::Chinese];

    /// One of two texts.
    fn of<T>(self, english: T, chinese: T) -> T {
        match self {
            Self::English => english,
            Self::Chinese => chinese,
        }
    }

    fn page(self, name: &str) -> PathBuf {
        root().join("docs").join(self.of("en", "zh")).join(name)
    }

    /// A link to a page, by the title that the table of contents gives it.
    fn link(self, page: &str) -> String {
        let contents = read(&self.page("SUMMARY.md"));
        let entry = contents.lines().find(|line| line.contains(&format!("]({page})")));
        let title = entry.and_then(|entry| entry.split(['[', ']']).nth(1));
        format!("[{}]({page})", title.unwrap_or_else(|| panic!("SUMMARY.md has no {page}")))
    }

    /// Words in a list, each as code.
    fn codes<'a>(self, words: impl IntoIterator<Item = &'a str>) -> String {
        let words: Vec<_> = words.into_iter().map(|word| format!("`{word}`")).collect();
        words.join(self.of(", ", "、"))
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What a file of `docs/reference` says.
fn data<T: DeserializeOwned>(name: &str) -> T {
    let path = root().join("docs/reference").join(name);
    toml::from_str(&read(&path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The part of a page must be as `made` says in each language; with `REGENERATE` it is made so.
fn part(page: &str, name: &str, made: impl Fn(Language) -> String) {
    for language in Language::ALL {
        let path = language.page(page);
        let text = read(&path);
        let [begin, end] = [format!("<!-- begin {name}: {MAKE} -->\n"), format!("<!-- end {name} -->")];
        let (before, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("{page} has no {begin}"));
        let (_, behind) = rest.split_once(&end).unwrap_or_else(|| panic!("{page} has no {end}"));
        let wanted = format!("{before}{begin}\n{}\n\n{end}{behind}", made(language).trim());
        if std::env::var_os("REGENERATE").is_some() {
            std::fs::write(&path, &wanted).expect("the page written");
        } else {
            assert!(text == wanted, "{} is not what the code says: ./x pages", path.display());
        }
    }
}

/// Rows of a table; the first are its titles.
fn table(rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut out = String::new();
    for (at, row) in rows.into_iter().enumerate() {
        assert!(row.iter().all(|cell| !cell.contains(['|', '\n'])), "{row:?}");
        out += &format!("| {} |\n", row.join(" | ").replace("|  |", "| |"));
        if at == 0 {
            out += &format!("|{}\n", " --- |".repeat(row.len()));
        }
    }
    out
}

fn strings<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}
