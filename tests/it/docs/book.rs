//! Each book's SUMMARY.md lists its pages by their titles, and both books have the same.

use super::page::Page;
use super::tree::Tree;

const BOOKS: [&str; 2] = ["docs/en", "docs/zh"];

fn problems(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for book in BOOKS {
        let name = format!("{book}/SUMMARY.md");
        match tree.page(&name) {
            Some(summary) => entries(tree, book, summary, &mut found),
            None => found.push(format!("{name}: missing")),
        }
    }
    strays(tree, &mut found);
    if let [Some(english), Some(chinese)] = BOOKS.map(|book| tree.page(&format!("{book}/SUMMARY.md"))) {
        compare(english, chinese, &mut found);
    }
    found
}

/// What the summary lists, against what there is.
fn entries(tree: &Tree, book: &str, summary: &Page, found: &mut Vec<String>) {
    let listed: Vec<&str> = summary.links.iter().map(|link| &*link.it.target).collect();
    for entry in &summary.links {
        let (target, title) = (&entry.it.target, &entry.it.text);
        if listed.iter().filter(|other| *other == target).count() > 1 {
            found.push(summary.tell(entry.line, format_args!("{target} is listed twice")));
        }
        let Some(page) = tree.page(&format!("{book}/{target}")) else {
            found.push(summary.tell(entry.line, format_args!("{target} doesn't exist")));
            continue;
        };
        let tops: Vec<_> = page.headings.iter().filter(|heading| heading.it.level == 1).collect();
        match tops[..] {
            [top] if top.it.text == *title && page.headings[0] == *top => {}
            [top] => found.push(
                page.tell(top.line, format_args!("the title is {:?}, of SUMMARY.md {title:?}", top.it.text)),
            ),
            _ => found.push(page.tell(1, format_args!("{} headings of level 1", tops.len()))),
        }
    }
    for page in tree.names_under(book).filter(|name| *name != "SUMMARY.md" && !listed.contains(name)) {
        found.push(format!("{book}/{page}: not in SUMMARY.md"));
    }
}

/// Each page stands in one of the books and has its twin in the other.
fn strays(tree: &Tree, found: &mut Vec<String>) {
    for name in tree.names_under("docs") {
        let twin = match name.split_once('/') {
            Some(("en", page)) => format!("docs/zh/{page}"),
            Some(("zh", page)) => format!("docs/en/{page}"),
            _ => {
                found.push(format!("docs/{name}: in neither book"));
                continue;
            }
        };
        if tree.page(&twin).is_none() {
            found.push(format!("docs/{name}: without {twin}"));
        }
    }
}

/// Both summaries list the same pages in the same order, under as many parts.
fn compare(english: &Page, chinese: &Page, found: &mut Vec<String>) {
    let order = |page: &Page| -> Vec<(usize, String)> {
        page.links.iter().map(|link| (link.it.depth, link.it.target.clone())).collect()
    };
    let [one, other] = [order(english), order(chinese)];
    if let Some(at) = (0..one.len().max(other.len())).find(|at| one.get(*at) != other.get(*at)) {
        let line = chinese.links.get(at).map_or(1, |link| link.line);
        let should = one.get(at).map_or("nothing", |(_, target)| target);
        found.push(chinese.tell(line, format_args!("here {} lists {should}", english.name)));
    }
    if english.headings.len() != chinese.headings.len() {
        found.push(chinese.tell(1, format_args!("not as many parts as {}", english.name)));
    }
}

#[test]
fn each_page_is_in_its_summary_under_its_title_and_has_its_twin() {
    Tree::real().holds("the books", problems);
}

#[test]
fn a_page_that_is_missing_stray_or_titled_otherwise_is_found() {
    let tree = Tree::of(&[
        (
            "docs/en/SUMMARY.md",
            "# Summary\n\n[wxgate](index.md)\n\n# Part\n\n- [A](a.md)\n  - [B](s/b.md)\n- [C](c.md)\n",
        ),
        (
            "docs/zh/SUMMARY.md",
            "# 目录\n\n[wxgate](index.md)\n\n- [甲](a.md)\n- [B](s/b.md)\n- [C](c.md)\n- [C](c.md)\n",
        ),
        ("docs/en/index.md", "# wxgate\n"),
        ("docs/zh/index.md", "# wxgate\n"),
        ("docs/en/a.md", "# A\n\n# Another\n"),
        ("docs/zh/a.md", "# 乙\n"),
        ("docs/en/s/b.md", "# B\n"),
        ("docs/zh/s/b.md", "## Late\n\n# B\n"),
        ("docs/zh/c.md", "# C\n"),
        ("docs/en/lost.md", "# Lost\n"),
        ("docs/stray.md", "# Stray\n"),
    ]);
    assert_eq!(
        problems(&tree),
        [
            "docs/en/a.md:1: 2 headings of level 1",
            "docs/en/SUMMARY.md:9: c.md doesn't exist",
            "docs/en/lost.md: not in SUMMARY.md",
            "docs/zh/a.md:1: the title is \"乙\", of SUMMARY.md \"甲\"",
            "docs/zh/s/b.md:3: the title is \"B\", of SUMMARY.md \"B\"",
            "docs/zh/SUMMARY.md:7: c.md is listed twice",
            "docs/zh/SUMMARY.md:8: c.md is listed twice",
            "docs/en/lost.md: without docs/zh/lost.md",
            "docs/stray.md: in neither book",
            "docs/zh/c.md: without docs/en/c.md",
            "docs/zh/SUMMARY.md:6: here docs/en/SUMMARY.md lists s/b.md",
            "docs/zh/SUMMARY.md:1: not as many parts as docs/en/SUMMARY.md",
        ]
    );
}
