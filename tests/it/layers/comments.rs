//! How wide comments are: rustfmt wraps code, and leaves comments as they are.

use std::fs;
use std::path::Path;

const WIDTH: usize = 100;

/// Each comment line wider than that, with its place.
fn wide(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            wide(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("UTF-8");
            let lines = text.lines().enumerate();
            let lines =
                lines.filter(|(_, line)| line.trim_start().starts_with("//") && line.chars().count() > WIDTH);
            found.extend(lines.map(|(number, _)| format!("{}:{}", path.display(), number + 1)));
        }
    }
}

#[test]
fn no_comment_is_wider_than_a_hundred_columns() {
    let mut found = Vec::new();
    for folder in ["src", "tests", "benches"] {
        wide(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut found);
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
