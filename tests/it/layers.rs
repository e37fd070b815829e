//! One way down: each module of `src/` uses only modules that stand below it, and within a module
//! no file reaches itself by its imports. The table is the architecture's; the crate documentation
//! shows it to readers. Beside it, what a reader of the sources relies on: names and comments.

#![expect(clippy::expect_used, reason = "a test ends by panicking")]

#[path = "layers/circles.rs"]
mod circles;
#[path = "layers/comments.rs"]
mod comments;
#[path = "layers/names.rs"]
mod names;
#[path = "layers/paths.rs"]
mod paths;
#[path = "layers/tokens.rs"]
mod tokens;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use paths::Named;

/// Module, and which others it may use. Listed from top to bottom: a module may only name those
/// further down.
const LAYERS: &[(&str, &[&str])] = &[
    ("main", &["cli"]),
    (
        "cli",
        &[
            "demo", "app", "config", "sandbox", "api", "server", "store", "upstream", "observe", "secret",
            "texts",
        ],
    ),
    ("demo", &["app", "config", "sandbox", "server", "observe", "secret", "texts"]),
    (
        "app",
        &[
            "config", "admin", "alert", "callback", "api", "pipeline", "export", "server", "quota", "token",
            "trouble", "store", "upstream", "wechat", "message", "observe", "secret", "texts",
        ],
    ),
    (
        "config",
        &[
            "alert", "callback", "pipeline", "export", "server", "quota", "token", "store", "upstream",
            "wechat", "message", "observe", "secret", "texts",
        ],
    ),
    ("sandbox", &["server", "message", "texts"]),
    ("admin", &["api", "server", "message", "observe", "secret", "texts"]),
    ("alert", &["observe", "secret", "texts"]),
    ("callback", &["server", "wechat", "message", "observe", "secret", "texts"]),
    (
        "api",
        &[
            "pipeline", "export", "quota", "token", "trouble", "store", "upstream", "wechat", "observe",
            "texts",
        ],
    ),
    (
        "pipeline",
        &[
            "server", "quota", "token", "trouble", "upstream", "wechat", "message", "observe", "secret",
            "texts",
        ],
    ),
    ("export", &["token", "store", "wechat", "observe", "secret", "texts"]),
    ("server", &["message", "observe", "secret", "texts"]),
    ("quota", &["store", "wechat", "observe", "secret", "texts"]),
    ("token", &["store", "upstream", "wechat", "observe", "secret", "texts"]),
    ("trouble", &["observe", "texts"]),
    ("store", &["observe", "secret", "texts"]),
    ("upstream", &["message", "observe", "secret", "texts"]),
    ("wechat", &["observe", "secret", "texts"]),
    ("message", &["observe", "secret", "texts"]),
    ("observe", &["texts"]),
    ("secret", &["texts"]),
    ("texts", &[]),
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

/// The macros of `texts`, which are exported and so stand at the crate's root.
const MARKS: &[&str] = &["marked", "text", "words"];

/// A use of `crate::module::item` by a file.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Use {
    module: String,
    item: Option<String>,
}

fn violations(files: &[(String, String)]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in circles::without_tests(files) {
        let owner = owner(path);
        let Some((_, allowed)) = LAYERS.iter().find(|(module, _)| *module == owner) else {
            if owner != "lib" {
                found.push(format!("{path}: {owner} has no place in the layers"));
            }
            continue;
        };
        for used in uses(path, text) {
            let is_exported_macro = owner == "texts" && MARKS.contains(&used.module.as_str());
            if used.module == owner || is_exported_macro {
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

/// What a file uses of others, by top-level module.
fn uses(path: &str, text: &str) -> BTreeSet<Use> {
    let read = paths::read(text, circles::module_of(path));
    let named = read.imports.iter().map(|import| &import.path).chain(&read.paths);
    let mut uses = BTreeSet::new();
    for mut path in named.filter_map(Named::absolute).map(Vec::into_iter) {
        uses.extend(path.next().map(|module| Use { module, item: path.next() }));
    }
    uses
}

/// All files by path below `src`.
fn all_sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &root, &mut files);
    assert!(files.len() > 50, "only {} files were found", files.len());
    files
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
    let found = violations(&all_sources());
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn no_file_reaches_itself_by_its_imports() {
    let found: Vec<_> = circles::circles(&all_sources()).iter().map(ToString::to_string).collect();
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
