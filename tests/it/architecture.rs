//! The page about the architecture names each module of `src/`.

use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn the_page_about_the_architecture_has_every_module() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let modules: BTreeSet<String> = std::fs::read_dir(root.join("src"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|name| !matches!(name.as_str(), "lib" | "main"))
        .collect();
    for page in ["docs/en/architecture.md", "docs/zh/architecture.md"] {
        let text = std::fs::read_to_string(root.join(page)).unwrap();
        let (_, table) = text.split_once("| `src/` |").unwrap();
        let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
        let named: BTreeSet<String> = rows.map(|row| row.split('`').nth(1).unwrap().to_owned()).collect();
        assert_eq!(named, modules, "{page}");
    }
}
