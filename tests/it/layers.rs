//! One way down: each module of `src/` uses only modules that stand below it. The table is the architecture's; the crate
//! documentation shows it to readers.

#![expect(clippy::expect_used, reason = "a test ends by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Module, and which others it may use. Listed from top to bottom: a module may only name those further down.
const LAYERS: &[(&str, &[&str])] = &[
    ("main", &["cli"]),
    ("cli", &["demo", "app", "config", "sandbox", "server", "store", "upstream", "observe", "secret"]),
    ("demo", &["app", "config", "sandbox", "server", "observe", "secret"]),
    (
        "app",
        &[
            "config", "admin", "alert", "callback", "pipeline", "export", "server", "quota", "token",
            "store", "upstream", "wechat", "message", "observe", "secret",
        ],
    ),
    (
        "config",
        &[
            "alert", "callback", "pipeline", "export", "server", "quota", "token", "store", "upstream",
            "wechat", "message", "observe", "secret",
        ],
    ),
    ("sandbox", &["server", "message"]),
    ("admin", &["server", "token", "message", "observe", "secret"]),
    ("alert", &["observe", "secret"]),
    ("callback", &["server", "wechat", "message", "observe", "secret"]),
    ("pipeline", &["server", "quota", "token", "upstream", "wechat", "message", "observe", "secret"]),
    ("export", &["token", "store", "wechat", "observe", "secret"]),
    ("server", &["message", "observe", "secret"]),
    ("quota", &["store", "wechat", "observe", "secret"]),
    ("token", &["store", "upstream", "wechat", "observe", "secret"]),
    ("store", &["observe", "secret"]),
    ("upstream", &["message", "observe", "secret"]),
    ("wechat", &["observe", "secret"]),
    ("message", &["observe", "secret"]),
    ("observe", &[]),
    ("secret", &[]),
];

/// What a module may use of another only in part.
const NARROW: &[(&str, &str, &[&str])] = &[
    // A fake must not share the bug that it is there to find.
    ("sandbox", "message", &["body"]),
    // `status` and `refresh` reach an admin address behind TLS.
    ("cli", "upstream", &["tls"]),
    // Exports go to a Redis of their own; the store is the tokens'.
    ("export", "store", &["redis"]),
    // Token calls go by the control client; the hot path's pool is not theirs.
    ("token", "upstream", &["control"]),
];

/// A use of `crate::module::item` by a file.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Use {
    module: String,
    item: Option<String>,
}

fn violations(files: &[(String, String)]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in files {
        let owner = owner(path);
        let Some((_, allowed)) = LAYERS.iter().find(|(module, _)| *module == owner) else {
            if owner != "lib" {
                found.push(format!("{path}: {owner} has no place in the layers"));
            }
            continue;
        };
        for used in uses(text) {
            if used.module == owner {
                continue;
            }
            let narrow = NARROW.iter().find(|(from, to, _)| *from == owner && *to == used.module);
            let in_part = narrow
                .is_none_or(|(_, _, items)| used.item.as_deref().is_some_and(|item| items.contains(&item)));
            if !allowed.contains(&used.module.as_str()) || !in_part {
                let item = used.item.map(|item| format!("::{item}")).unwrap_or_default();
                found.push(format!("{path}: {owner} uses {}{item}", used.module));
            }
        }
    }
    found
}

/// The top-level module that a file belongs to.
fn owner(path: &str) -> String {
    let first = path.split('/').next().unwrap_or_default();
    first.strip_suffix(".rs").unwrap_or(first).to_owned()
}

/// Every `crate::a::b` and `wxgate::a::b` of a source text, with the groups of `use` unfolded.
fn uses(text: &str) -> BTreeSet<Use> {
    // Tests may look at whatever they like.
    let tested = text.split("#[cfg(test)]").next().unwrap_or_default();
    let uncommented: Vec<_> =
        tested.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let code = uncommented.join("\n");
    let mut uses = BTreeSet::new();
    for root in ["crate::", "wxgate::"] {
        for (start, _) in code.match_indices(root) {
            let before = code[..start].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
                continue;
            }
            unfold(&code[start + root.len()..], &mut Vec::new(), &mut uses);
        }
    }
    uses
}

/// Reads a path, or a group of paths in braces; returns what follows it.
fn unfold<'t>(text: &'t str, prefix: &mut Vec<String>, uses: &mut BTreeSet<Use>) -> &'t str {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = rest.trim_start();
            if let Some(after) = rest.strip_prefix('}') {
                return after;
            }
            if rest.is_empty() {
                return rest;
            }
            let depth = prefix.len();
            rest = unfold(rest, prefix, uses);
            prefix.truncate(depth);
            rest = rest.trim_start();
            // `name as other`, and whatever else stands before the comma.
            let end = rest.find([',', '}']).unwrap_or(rest.len());
            rest = rest[end..].trim_start_matches(',');
        }
    }
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    prefix.push(name.to_owned());
    match rest.strip_prefix("::") {
        Some(deeper) if prefix.len() < 2 => unfold(deeper, prefix, uses),
        _ => {
            let item = prefix.get(1).filter(|item| *item != "self").cloned();
            uses.insert(Use { module: prefix[0].clone(), item });
            rest
        }
    }
}

fn sources(folder: &Path, root: &Path, files: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).expect("src can be read") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, root, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).expect("below src").to_string_lossy().into_owned();
            files.push((name, fs::read_to_string(&path).expect("UTF-8")));
        }
    }
}

#[test]
fn every_file_uses_only_the_layers_below_its_own() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &root, &mut files);
    assert!(files.len() > 50, "only {} files were found", files.len());
    let found = violations(&files);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_table_itself_points_down_only() {
    for (place, (module, allowed)) in LAYERS.iter().enumerate() {
        for used in *allowed {
            let below = LAYERS.iter().position(|(other, _)| other == used).expect("in the table");
            assert!(below > place, "{module} may not use {used}, which stands above it");
        }
    }
}

#[test]
fn a_seeded_violation_is_found() {
    let seeded = |path: &str, text: &str| violations(&[(path.to_owned(), text.to_owned())]);
    assert_eq!(
        seeded("store/file.rs", "use crate::token::Token;"),
        ["store/file.rs: store uses token::Token"]
    );
    assert_eq!(
        seeded("message/query.rs", "use crate::{secret::Secret, wechat::{errcode, placeholder}};"),
        [
            "message/query.rs: message uses wechat::errcode",
            "message/query.rs: message uses wechat::placeholder"
        ]
    );
    assert_eq!(
        seeded("sandbox/mod.rs", "fn f() { crate::message::query::get(a, b) }"),
        ["sandbox/mod.rs: sandbox uses message::query"]
    );
    assert_eq!(seeded("utils.rs", ""), ["utils.rs: utils has no place in the layers"]);
    assert!(seeded("sandbox/mod.rs", "use crate::server::{Handler, Request}; // crate::token").is_empty());
    assert!(seeded("pipeline/mod.rs", "use crate::token::{self, Token};").is_empty());
}
