//! The tables and keys of the configuration that stand in backticks exist.

use wxgate::config::known_keys;

use super::page::Page;
use super::tree::Tree;

/// What alerts to robots begin with.
const MESSAGE: &str = "[wxgate]";

/// What files are called, which else look like keys.
const FILES: [&str; 6] = ["md", "rs", "toml", "json", "yaml", "sock"];

/// What is wrong with a span, if it names a table or a key: `[server]`, `server.listen`,
/// `server.listen = []`, `default = true`.
fn judge(span: &str) -> Option<Result<(), String>> {
    let is_name = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_' || c == b'.')
    };
    let bare = |table: &'static str| table.trim_matches(['[', ']']);
    if let Some(table) = span.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let inner = table.trim_matches(['[', ']']);
        let is_table =
            span != MESSAGE && is_name(inner) && inner.starts_with(|c: char| c.is_ascii_lowercase());
        return is_table.then(|| {
            let known = known_keys().any(|(known, _)| known == span);
            known.then_some(()).ok_or_else(|| format!("there is no table {span}"))
        });
    }
    let (name, is_set) = match span.split_once(" = ") {
        Some((name, _)) => (name, true),
        None => (span, false),
    };
    if !is_name(name) {
        return None;
    }
    if let Some((table, key)) = name.rsplit_once('.') {
        if FILES.contains(&key) {
            return None;
        }
        let (_, keys) = known_keys().find(|(known, _)| !known.is_empty() && bare(known) == table)?;
        let known = keys.contains(&key) || known_keys().any(|(known, _)| bare(known) == name);
        return Some(known.then_some(()).ok_or_else(|| format!("{table} has no key {key}")));
    }
    let known = known_keys().any(|(_, keys)| keys.contains(&name));
    is_set.then(|| known.then_some(()).ok_or_else(|| format!("no table has a key {name}")))
}

fn judged(page: &Page) -> impl Iterator<Item = (usize, Result<(), String>)> {
    page.spans.iter().filter_map(|span| Some((span.line, judge(&span.it)?)))
}

fn problems(tree: &Tree) -> Vec<String> {
    let told = tree.guides().flat_map(|page| {
        judged(page).filter_map(|(line, judgement)| Some(page.tell(line, judgement.err()?)))
    });
    told.collect()
}

#[test]
fn configuration_keys_exist() {
    let tree = Tree::real();
    assert!(tree.guides().map(|page| judged(page).count()).sum::<usize>() > 100);
    tree.holds("keys of the configuration", problems);
}

#[test]
fn a_key_that_does_not_exist_is_found() {
    let tree = Tree::of(&[(
        "README.md",
        "`[server]` `[[app]]` `[[app.export]]` `server.listen` `server.tls` `default = true` `app.upstream.egress_proxy = \"direct\"`\n\
         `api.weixin.qq.com` `[1]` `listen` `store.rs` `[a-z]`\n\n\
         `[sevrer]` `[app]` `server.lisen` `defualt = true` `app.sercet = 1`\n",
    )]);
    assert_eq!(
        problems(&tree),
        [
            "README.md:4: there is no table [sevrer]",
            "README.md:4: there is no table [app]",
            "README.md:4: server has no key lisen",
            "README.md:4: no table has a key defualt",
            "README.md:4: app has no key sercet",
        ]
    );
}
