//! Which file imports which, and where that leads back to where it began.

use std::collections::{BTreeMap, BTreeSet};

use super::paths::{Import, Named, Paths, read};

/// Files that reach each other, and the imports by which they do.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Circle {
    pub(super) files: Vec<String>,
    imports: Vec<String>,
}

impl std::fmt::Display for Circle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} files import each other:", self.files.len())?;
        self.imports.iter().try_for_each(|import| write!(f, "\n    {import}"))
    }
}

/// All circles among files, given by path below `src` and text. A file imports another if it names
/// an item that is defined there. `mod x;` is no import, nor is a `pub use` whose name the file
/// doesn't say again: it only hands it on.
pub(super) fn circles(files: &[(String, String)]) -> Vec<Circle> {
    let imports = Tree::new(files).imports();
    let mut onwards: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (from, to) in imports.keys() {
        onwards.entry(from).or_default().push(to);
    }
    let reached: BTreeMap<_, _> = onwards.keys().map(|from| (*from, reachable(from, &onwards))).collect();
    let reaches = |from: &str, to: &str| reached.get(from).is_some_and(|reached| reached.contains(to));
    let mut circles = Vec::new();
    let mut seen = BTreeSet::new();
    for &file in reached.keys() {
        if !reaches(file, file) || seen.contains(file) {
            continue;
        }
        let members: BTreeSet<_> =
            reached[file].iter().copied().filter(|other| reaches(other, file)).collect();
        seen.extend(members.iter().copied());
        let inside = imports
            .iter()
            .filter(|((from, to), _)| members.contains(from.as_str()) && members.contains(to.as_str()));
        let imports = inside.map(|((from, to), items)| {
            let items: Vec<_> = items.iter().map(String::as_str).collect();
            format!("{from} uses {to}: {}", items.join(", "))
        });
        circles.push(Circle {
            imports: imports.collect(),
            files: members.into_iter().map(str::to_owned).collect(),
        });
    }
    circles
}

/// The files that aren't compiled for tests alone.
pub(super) fn without_tests(files: &[(String, String)]) -> impl Iterator<Item = &(String, String)> {
    let modules = files.iter().flat_map(|(path, text)| read(text, module_of(path)).test_modules);
    let tests: Vec<_> = modules.collect();
    files.iter().filter(move |(path, _)| !tests.iter().any(|test| module_of(path).starts_with(test)))
}

/// Items by the file that names them and the file that defines them.
type Imports = BTreeMap<(String, String), BTreeSet<String>>;

fn reachable<'i>(from: &'i str, onwards: &BTreeMap<&str, Vec<&'i str>>) -> BTreeSet<&'i str> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from];
    while let Some(next) = open.pop() {
        let nearest = onwards.get(next).into_iter().flatten();
        open.extend(nearest.filter(|to| reached.insert(**to)));
    }
    reached
}

/// The crate's modules.
struct Tree {
    files: Vec<(String, Paths)>,
    modules: BTreeMap<Vec<String>, Module>,
}

#[derive(Default)]
struct Module {
    file: String,
    /// What its imports bring in, by name. Features can give a name two meanings.
    imported: BTreeMap<String, Vec<Named>>,
}

impl Tree {
    fn new(files: &[(String, String)]) -> Self {
        let files: Vec<_> =
            without_tests(files).map(|(path, text)| (path.clone(), read(text, module_of(path)))).collect();
        let mut modules: BTreeMap<Vec<String>, Module> = BTreeMap::from([(Vec::new(), Module::default())]);
        for (file, paths) in &files {
            for module in &paths.modules {
                modules.insert(module.clone(), Module { file: file.clone(), ..Module::default() });
            }
            for Import { name, path, .. } in &paths.imports {
                if let (Some(name), Some(module)) = (name, modules.get_mut(&path.module)) {
                    module.imported.entry(name.clone()).or_default().push(path.clone());
                }
            }
        }
        Self { files, modules }
    }

    fn imports(&self) -> Imports {
        let mut imports = Imports::new();
        for (file, paths) in &self.files {
            let used = paths.imports.iter().filter(|import| {
                !import.public || import.name.as_ref().is_some_and(|name| paths.names.contains(name))
            });
            for path in used.map(|import| &import.path).chain(&paths.paths) {
                let mut found = Vec::new();
                self.find(path, 8, &mut found);
                for (defined_in, item) in found {
                    if defined_in != *file {
                        imports.entry((file.clone(), defined_in)).or_default().insert(item);
                    }
                }
            }
        }
        imports
    }

    /// Where what `path` names is defined, and its name; nothing if that is a module, or in another
    /// crate. Imports on the way are followed, but not for ever.
    fn find(&self, path: &Named, hops: usize, found: &mut Vec<(String, String)>) {
        let absolute = path.absolute();
        let (mut module, segments) =
            absolute.map_or_else(|| (path.module.clone(), path.segments.clone()), |path| (Vec::new(), path));
        for (at, name) in segments.iter().enumerate() {
            let Some(Module { file, imported }) = self.modules.get(&module) else { return };
            let below = [module.as_slice(), std::slice::from_ref(name)].concat();
            let rest = &segments[at + 1..];
            let imported = imported.get(name);
            // A module and an item can have the same name.
            if self.modules.contains_key(&below) && !(rest.is_empty() && imported.is_some()) {
                module = below;
                continue;
            }
            if let Some(imported) = imported {
                for import in imported.iter().filter(|_| hops > 0) {
                    let segments = [import.segments.as_slice(), rest].concat();
                    self.find(&Named { module: import.module.clone(), segments }, hops - 1, found);
                }
            // At the root stand modules, and macros that are exported.
            } else if at > 0 {
                found.push((file.clone(), name.clone()));
            }
            return;
        }
    }
}

/// The module that a file is. Both roots are the same: that of the library only declares.
pub(super) fn module_of(path: &str) -> Vec<String> {
    let path = path.strip_suffix(".rs").unwrap_or(path);
    let mut module: Vec<_> = path.split('/').map(str::to_owned).collect();
    let root = module.len() == 1 && matches!(module[0].as_str(), "lib" | "main");
    if root || module.last().is_some_and(|name| name == "mod") {
        module.pop();
    }
    module
}

#[test]
fn seeded_circles_are_found() {
    let seeded = |files: &[(&str, &str)]| {
        let files: Vec<_> =
            files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        circles(&files).iter().map(Circle::to_string).collect::<Vec<_>>()
    };

    // By `use`, by a path in code, over a third file; what isn't part of it stays out.
    assert_eq!(
        seeded(&[
            ("a/mod.rs", "mod b; mod c; mod d; mod e;"),
            ("a/b.rs", "use crate::a::c::C; pub struct B;"),
            ("a/c.rs", "use super::{d, e::E}; pub struct C; fn c() { d::run() }"),
            ("a/d.rs", "pub(super) fn run() { super::b::B::new() }"),
            ("a/e.rs", "pub struct E;"),
        ]),
        [
            "3 files import each other:\n    a/b.rs uses a/c.rs: C\n    a/c.rs uses a/d.rs: run\n    a/d.rs uses a/b.rs: B"
        ]
    );
    // A child that uses what its parent defines, while the parent uses the child.
    let child = "use super::Parent; pub(super) struct Child;";
    assert_eq!(
        seeded(&[("a.rs", "mod b; use b::Child; pub struct Parent;"), ("a/b.rs", child)]),
        ["2 files import each other:\n    a.rs uses a/b.rs: Child\n    a/b.rs uses a.rs: Parent"]
    );
    let parent = "mod b; pub use b::Child; pub struct Parent;";
    assert!(seeded(&[("a/mod.rs", parent), ("a/b.rs", child)]).is_empty(), "only handed on");
    let parent = format!("{parent} fn f() -> Child {{}}");
    assert_eq!(seeded(&[("a/mod.rs", &parent), ("a/b.rs", child)]).len(), 1);
    // Followed to where the item is defined, over as many imports as there are.
    let siblings = [
        ("a/mod.rs", "mod b; mod c; pub use self::{b::B as Bee}; use c::C; fn f(_: C) {}"),
        ("a/b.rs", "use super::C; pub struct B;"),
        ("a/c.rs", "use super::Bee; pub struct C;"),
    ];
    assert_eq!(
        seeded(&siblings),
        ["2 files import each other:\n    a/b.rs uses a/c.rs: C\n    a/c.rs uses a/b.rs: B"]
    );
    // The program's modules name the library's by its name.
    assert!(
        seeded(&[("main.rs", "mod cli;"), ("cli.rs", "use wxgate::a::A;"), ("a.rs", "pub struct A;")])
            .is_empty()
    );
    // A module and a function of the same name; tests, alone or in a file.
    assert!(
        seeded(&[
            ("a/mod.rs", "mod b; mod c; #[cfg(test)] mod tests; pub use self::b::b;"),
            (
                "a/b.rs",
                "use super::c; pub fn b() { c::c() } #[cfg(test)] mod tests { use super::super::c::C; }"
            ),
            ("a/c.rs", "pub struct C; pub fn c() {} #[cfg(test)] use super::b;"),
            ("a/tests.rs", "use super::b; pub fn t() {}"),
        ])
        .is_empty()
    );
}
