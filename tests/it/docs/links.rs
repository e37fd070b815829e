//! Every link leads to a file that exists, every anchor to a heading.

use super::page::{At, Link, Page};
use super::tree::Tree;

/// Links to our own files that name the host lead to files as well.
const OURS: [&str; 2] =
    ["https://github.com/wxgate/wxgate/blob/main/", "https://github.com/wxgate/wxgate/tree/main/"];

fn problems(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for page in &tree.pages {
        for name in &page.undefined {
            found.push(page.tell(name.line, format_args!("[{}] is defined nowhere", name.it)));
        }
        for link in &page.links {
            if let Err(problem) = follow(tree, page, &link.it.target) {
                found.push(page.tell(link.line, format_args!("{}: {problem}", link.it.target)));
            }
            if !says_something(link) {
                found.push(page.tell(link.line, format_args!("{}: without a text", link.it.target)));
            }
        }
    }
    found
}

/// A picture without words is nothing to those who can't see it.
fn says_something(link: &At<Link>) -> bool {
    !link.it.is_image || !link.it.text.trim().is_empty()
}

fn follow(tree: &Tree, page: &Page, target: &str) -> Result<(), &'static str> {
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = match OURS.iter().find_map(|prefix| file.strip_prefix(prefix)) {
        Some(path) => path.to_owned(),
        None if file.starts_with("https://") || file.starts_with("mailto:") => return Ok(()),
        // The reader's own, as the page tells to start it.
        None if file.starts_with("http://127.0.0.1:") => return Ok(()),
        None if file.contains(':') => return Err("neither https: nor a file"),
        None if file.starts_with('/') => return Err("begins at the root, which is another one on GitHub"),
        None if file.is_empty() => page.name.clone(),
        None => join(page.folder(), file).ok_or("leaves the repository")?,
    };
    if !tree.root.join(&path).exists() {
        return Err("no such file");
    }
    match tree.page(&path) {
        _ if anchor.is_empty() => Ok(()),
        Some(page) if page.has_anchor(&decoded(anchor)) => Ok(()),
        Some(_) => Err("no such heading"),
        None => Err("an anchor in what is no page"),
    }
}

/// The path from the root of what a page in `folder` calls `file`.
fn join(folder: &str, file: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in file.split('/') {
        match part {
            "." | "" => {}
            ".." => _ = parts.pop()?,
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Browsers write Chinese anchors as `%E9%85%8D`.
fn decoded(anchor: &str) -> String {
    form_urlencoded::parse(format!("a={}", anchor.replace('+', "%2B")).as_bytes())
        .next()
        .map_or_else(String::new, |(_, value)| value.into_owned())
}

#[test]
fn links_lead_somewhere() {
    Tree::real().holds("links", problems);
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let tree = Tree::of(&[
        (
            "README.md",
            "# One\n\n## 配额（quota）\n\n[a](docs/en/a.md#b) [b](docs/en/a.md#c) [c](#one) [d](#two)\n",
        ),
        (
            "docs/en/a.md",
            "# A\n\n## B\n\n[up](../../README.md#配额quota) [enc](../../README.md#%E9%85%8D%E9%A2%9Dquota)\n\
             [out](../../../x.md) ![gone](gone.png) ![](../../x.png)\n[ref][r] [none][n] [plain]\n\
             <img src=\"lost.png\" alt=\"lost\">\n<https://example.com/> [http](http://example.com/) <http://127.0.0.1:9090/> [root](/README.md)\n\
             [ours](https://github.com/wxgate/wxgate/blob/main/README.md#one)\n\
             [not](https://github.com/wxgate/wxgate/blob/main/LOST.md) [file](../../x.png#L1)\n\n[r]: b.md\n",
        ),
        ("x.png", ""),
    ]);
    assert_eq!(
        problems(&tree),
        [
            "README.md:5: docs/en/a.md#c: no such heading",
            "README.md:5: #two: no such heading",
            "docs/en/a.md:7: [n] is defined nowhere",
            "docs/en/a.md:6: ../../../x.md: leaves the repository",
            "docs/en/a.md:6: gone.png: no such file",
            "docs/en/a.md:6: ../../x.png: without a text",
            "docs/en/a.md:7: b.md: no such file",
            "docs/en/a.md:8: lost.png: no such file",
            "docs/en/a.md:9: http://example.com/: neither https: nor a file",
            "docs/en/a.md:9: /README.md: begins at the root, which is another one on GitHub",
            "docs/en/a.md:11: https://github.com/wxgate/wxgate/blob/main/LOST.md: no such file",
            "docs/en/a.md:11: ../../x.png#L1: an anchor in what is no page",
        ]
    );
}
