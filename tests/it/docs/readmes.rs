//! The READMEs are what a stranger reads first: short.

use super::tree::Tree;

pub(super) const READMES: [&str; 2] = ["README.md", "README.zh-CN.md"];
const LINES: usize = 200;
const BYTES: usize = 14 << 10;

fn long(tree: &Tree) -> Vec<String> {
    let pages = READMES.into_iter().filter_map(|name| tree.page(name));
    let sizes = pages.map(|page| (&page.name, page.text.lines().count(), page.text.len()));
    let beyond = sizes.filter(|(_, lines, bytes)| *lines > LINES || *bytes > BYTES);
    beyond
        .map(|(name, lines, bytes)| format!("{name}: {lines} lines of {LINES}, {bytes} bytes of {BYTES}"))
        .collect()
}

#[test]
fn the_readmes_are_short() {
    let tree = Tree::real();
    assert!(READMES.into_iter().all(|name| tree.page(name).is_some()));
    tree.holds("the READMEs", long);
}

#[test]
fn a_long_readme_is_found() {
    let lines = "\n".repeat(201);
    let bytes = "配".repeat(4779);
    let tree = Tree::of(&[("README.md", &lines), ("README.zh-CN.md", &bytes), ("docs/en/a.md", &lines)]);
    assert_eq!(
        long(&tree),
        [
            "README.md: 201 lines of 200, 201 bytes of 14336",
            "README.zh-CN.md: 1 lines of 200, 14337 bytes of 14336"
        ]
    );
}
