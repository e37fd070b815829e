//! The pages that code, configurations and alerts point at exist, with the heading that they name.

use std::path::Path;

use super::tree::Tree;

/// What users get to see: messages, comments of configurations, alerts.
const FOLDERS: [&str; 3] = ["src", "config", "deploy"];

/// The text files below a folder, each with its path from the root.
fn texts(root: &Path, folder: &str, texts: &mut Vec<(String, String)>) {
    let Ok(entries) = std::fs::read_dir(root.join(folder)) else { return };
    for entry in entries.map(Result::unwrap) {
        let path = format!("{folder}/{}", entry.file_name().into_string().unwrap());
        if entry.file_type().unwrap().is_dir() {
            self::texts(root, &path, texts);
        } else if let Ok(text) = std::fs::read_to_string(entry.path()) {
            texts.push((path, text));
        }
    }
}

/// `docs/en/page.md#heading`, wherever it stands in a line.
fn pointers(line: &str) -> impl Iterator<Item = (&str, &str)> {
    line.match_indices("docs/").filter_map(|(at, _)| {
        let rest = &line[at..];
        let (path, behind) = rest.split_at(rest.find(".md")? + 3);
        let is_path = path.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_'));
        let anchor = behind.strip_prefix('#').unwrap_or_default();
        let end = anchor.find(|c: char| !c.is_alphanumeric() && c != '-' && c != '_').unwrap_or(anchor.len());
        is_path.then_some((path, &anchor[..end]))
    })
}

fn problems(tree: &Tree) -> Vec<String> {
    let mut all = Vec::new();
    FOLDERS.into_iter().for_each(|folder| texts(&tree.root, folder, &mut all));
    all.sort();
    let mut found = Vec::new();
    for (name, text) in &all {
        for (number, line) in text.lines().enumerate() {
            for (path, anchor) in pointers(line) {
                let page = tree.page(path);
                if !page.is_some_and(|page| anchor.is_empty() || page.has_anchor(anchor)) {
                    found.push(format!("{name}:{}: there is no {path} #{anchor}", number + 1));
                }
            }
        }
    }
    found
}

#[test]
fn pages_that_code_and_configurations_point_at_exist() {
    Tree::real().holds("pointers to pages", problems);
}

#[test]
fn a_pointer_to_no_page_or_no_heading_is_found() {
    let tree = Tree::of(&[
        ("docs/en/a.md", "# A\n\n## One two\n"),
        ("src/a/b.rs", "// docs/en/a.md\n\"see docs/en/b.md, please\"\n"),
        ("config/c.toml", "# docs/en/a.md#one-two, docs/en/a.md#three.\n"),
        (
            "deploy/d.yml",
            "url: \"https://github.com/wxgate/wxgate/blob/main/docs/en/a.md#one-two\"\ndocs/ and a.md\n",
        ),
        ("benches/e", "docs/en/c.md\n"),
    ]);
    assert_eq!(
        problems(&tree),
        ["config/c.toml:1: there is no docs/en/a.md #three", "src/a/b.rs:2: there is no docs/en/b.md #",]
    );
}
