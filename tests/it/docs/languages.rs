//! Both languages show the same: headings, tables, blocks, and what stands in backticks.

use std::collections::BTreeSet;

use super::page::{Block, Page};
use super::readmes::READMES;
use super::tree::Tree;

fn problems(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for english in tree.guides() {
        let other = match &*english.name {
            "README.md" => READMES[1].to_owned(),
            name => match name.strip_prefix("docs/en/") {
                Some(page) => format!("docs/zh/{page}"),
                None => continue,
            },
        };
        // That there is one is the book's business.
        if let Some(chinese) = tree.page(&other) {
            compare(english, chinese, &mut found);
        }
    }
    found
}

fn compare(english: &Page, chinese: &Page, found: &mut Vec<String>) {
    let levels = |page: &Page| -> Vec<_> { page.headings.iter().map(|at| (at.line, at.it.level)).collect() };
    differ("heading", &levels(english), &levels(chinese), chinese, found);
    let tables = |page: &Page| -> Vec<_> { page.tables.iter().map(|at| (at.line, at.it)).collect() };
    differ("table of rows and columns", &tables(english), &tables(chinese), chinese, found);
    let blocks = |page: &Page| -> Vec<_> { page.blocks.iter().map(|at| (at.line, code(&at.it))).collect() };
    differ("block", &blocks(english), &blocks(chinese), chinese, found);
    let spans = |page: &Page| -> BTreeSet<String> { page.spans.iter().map(|at| at.it.clone()).collect() };
    for (page, only) in [
        (english, spans(english).difference(&spans(chinese)).cloned().collect::<Vec<_>>()),
        (chinese, spans(chinese).difference(&spans(english)).cloned().collect()),
    ] {
        for span in only {
            let line = page.spans.iter().find(|at| at.it == span).map_or(1, |at| at.line);
            found.push(page.tell(line, format_args!("`{span}` is in one language alone")));
        }
    }
}

/// Tells the first that differs.
fn differ<T: PartialEq + std::fmt::Debug>(
    what: &str,
    english: &[(usize, T)],
    chinese: &[(usize, T)],
    page: &Page,
    found: &mut Vec<String>,
) {
    for at in 0..english.len().max(chinese.len()) {
        let (one, other) = (english.get(at), chinese.get(at));
        if one.map(|one| &one.1) != other.map(|other| &other.1) {
            let line = other.map_or(1, |other| other.0);
            let shown = |side: Option<&(usize, T)>| {
                side.map_or_else(|| "none".to_owned(), |side| format!("{:?}", side.1))
            };
            let [one, other] = [shown(one), shown(other)];
            found.push(page.tell(line, format_args!("{what} {}: {one} in English, here {other}", at + 1)));
            return;
        }
    }
}

/// A block without what may be translated: comments, the labels of a picture, the words of an
/// output.
fn code(block: &Block) -> (String, Vec<String>) {
    let info = block.info.clone().unwrap_or_default();
    let lines = block.text.lines().map(|line| match block.language() {
        "text" | "mermaid" => String::new(),
        "js" | "java" | "go" | "php" | "csharp" | "kotlin" | "ts" => uncommented(line, "//"),
        _ => uncommented(line, "#"),
    });
    (info, lines.collect())
}

/// The line up to a comment: the sign at its beginning or behind a blank.
fn uncommented(line: &str, sign: &str) -> String {
    let at =
        line.match_indices(sign).map(|(at, _)| at).find(|at| line[..*at].trim_end().len() < *at || *at == 0);
    line[..at.unwrap_or(line.len())].trim_end().to_owned()
}

#[test]
fn both_languages_show_the_same() {
    let tree = Tree::real();
    assert!(tree.guides().count() > 40);
    tree.holds("the two languages", problems);
}

#[test]
fn what_is_in_one_language_alone_is_found() {
    let same = "\n| a | b |\n| - | - |\n| `c` | d |\n\n```toml parsed\n[server] # what\na = 1\n```\n";
    let tree = Tree::of(&[
        ("README.md", &format!("# A\n{same}\n```mermaid\na --> b\n```\n")),
        ("README.zh-CN.md", &format!("# 甲\n{}\n```mermaid\n甲 --> 乙\n```\n", same.replace("what", "什么"))),
        ("docs/en/a.md", &format!("# A\n\n## B\n{same}\n`one`\n")),
        (
            "docs/zh/a.md",
            &format!(
                "# A\n\n### B\n{}\n`two`\n",
                same.replace("| `c` | d |\n", "").replace("a = 1", "a = 2")
            ),
        ),
        ("docs/en/b.md", "```sh run\ntrue\n```\n"),
        ("docs/zh/b.md", "```sh untried\ntrue\n```\n\n```text\n\n```\n"),
    ]);
    assert_eq!(
        problems(&tree),
        [
            "docs/zh/a.md:3: heading 2: 2 in English, here 3",
            "docs/zh/a.md:5: table of rows and columns 1: (2, 2) in English, here (1, 2)",
            "docs/zh/a.md:8: block 1: (\"toml parsed\", [\"[server]\", \"a = 1\"]) in English, here (\"toml parsed\", [\"[server]\", \"a = 2\"])",
            "docs/en/a.md:7: `c` is in one language alone",
            "docs/en/a.md:14: `one` is in one language alone",
            "docs/zh/a.md:13: `two` is in one language alone",
            "docs/zh/b.md:1: block 1: (\"sh run\", [\"true\"]) in English, here (\"sh untried\", [\"true\"])",
        ]
    );
}
