//! Each book's page of metrics lists every metric of the code, and no page names another one.

use std::collections::BTreeSet;
use std::path::Path;

use super::page::Page;
use super::tree::Tree;

const LISTS: [&str; 2] = ["docs/en/metrics.md", "docs/zh/metrics.md"];

/// What a histogram's name is followed by.
const PARTS: [&str; 3] = ["_bucket", "_sum", "_count"];

/// The names in `text` that begin with `wxgate_`.
fn names(text: &str) -> BTreeSet<String> {
    let is_of_a_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let words = text.split(|c: char| !is_of_a_name(c) && !c.is_ascii_uppercase());
    // Behind it a file's name has a version.
    let is_name = |word: &&str| {
        word.strip_prefix("wxgate_").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()))
    };
    words.filter(is_name).map(str::to_owned).collect()
}

/// The metrics of the code.
fn exposed() -> BTreeSet<String> {
    let mut source = String::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut source);
    source.split('"').filter(|text| text.starts_with("wxgate_")).flat_map(names).collect()
}

fn sources(folder: &Path, out: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            out.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

/// The metrics that a page names, with the line of each.
fn named(page: &Page) -> Vec<(usize, String)> {
    let spans = page.spans.iter().map(|span| (span.line, &span.it));
    let queried = page.blocks.iter().filter(|block| matches!(block.it.language(), "sh" | "promql"));
    let texts = spans.chain(queried.map(|block| (block.line, &block.it.text)));
    texts.flat_map(|(line, text)| names(text).into_iter().map(move |name| (line, name))).collect()
}

fn problems(tree: &Tree, exposed: &BTreeSet<String>) -> Vec<String> {
    let mut found = Vec::new();
    for list in LISTS {
        match tree.page(list) {
            None => found.push(format!("{list}: missing")),
            Some(page) => {
                let listed: BTreeSet<String> = named(page).into_iter().map(|(_, name)| name).collect();
                found.extend(exposed.difference(&listed).map(|name| format!("{list}: {name} isn't listed")));
            }
        }
    }
    for page in tree.guides() {
        for (line, name) in named(page) {
            let whole = PARTS.into_iter().find_map(|part| name.strip_suffix(part)).unwrap_or(&name);
            if !exposed.contains(&name) && !exposed.contains(whole) {
                found.push(page.tell(line, format_args!("there is no metric {name}")));
            }
        }
    }
    found
}

#[test]
fn every_metric_is_listed_and_every_named_metric_exists() {
    let exposed = exposed();
    assert!(exposed.len() > 10, "{exposed:?}");
    Tree::real().holds("metrics", |tree| problems(tree, &exposed));
}

#[test]
fn a_metric_that_is_not_listed_or_does_not_exist_is_found() {
    let exposed = ["wxgate_calls_total", "wxgate_seconds"].map(str::to_owned).into();
    let tree = Tree::of(&[
        ("docs/en/metrics.md", "`wxgate_calls_total{app}` `wxgate_seconds_bucket`\n"),
        (
            "docs/zh/metrics.md",
            "| `wxgate_calls_total` |\n| - |\n| `wxgate_seconds` |\n\n`wxgate_lost` wxgate_prose `/var/lib/wxgate` `wxgate_0.1.0_amd64.deb`\n\n\
             ```sh run\ngrep wxgate_call_total\n```\n```js run\nwxgate_name\n```\n",
        ),
    ]);
    assert_eq!(
        problems(&tree, &exposed),
        [
            "docs/en/metrics.md: wxgate_seconds isn't listed",
            "docs/zh/metrics.md:5: there is no metric wxgate_lost",
            "docs/zh/metrics.md:7: there is no metric wxgate_call_total",
        ]
    );
}
