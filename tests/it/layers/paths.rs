//! The paths that a file names, in `use` and in its code.

use std::collections::BTreeSet;

use super::tokens::{Tokens, is_name};

/// A path as it is written, and the module in which it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) module: Vec<String>,
    pub(super) segments: Vec<String>,
}

/// One name that a `use` brings into a module.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Import {
    /// None for `as _`.
    pub(super) name: Option<String>,
    /// It can be a `pub use` in order to hand the name on.
    pub(super) public: bool,
    pub(super) path: Named,
}

/// What a file says of others.
#[derive(Debug, Default)]
pub(super) struct Paths {
    /// The file's own module, and those within it.
    pub(super) modules: Vec<Vec<String>>,
    pub(super) imports: Vec<Import>,
    /// Paths of more than one name outside of `use`.
    pub(super) paths: Vec<Named>,
    /// Every name that begins a path, so that it may stand for an import.
    pub(super) names: BTreeSet<String>,
    /// Modules below that only tests are compiled with.
    pub(super) test_modules: Vec<Vec<String>>,
}

impl Named {
    /// From the crate's root, if the path says where it begins. The program is taken for a module
    /// of the library.
    pub(super) fn absolute(&self) -> Option<Vec<String>> {
        let mut module = match self.segments[0].as_str() {
            "crate" | "wxgate" => Vec::new(),
            "self" | "super" => self.module.clone(),
            _ => return None,
        };
        let mut segments = self.segments.iter().peekable();
        while let Some(segment) = segments.next_if(|name| KEYWORDS.contains(&name.as_str())) {
            if segment == "super" {
                module.pop();
            }
        }
        module.extend(segments.cloned());
        Some(module)
    }
}

const KEYWORDS: [&str; 4] = ["crate", "wxgate", "self", "super"];

/// Reads the file of `module`.
pub(super) fn read(text: &str, module: Vec<String>) -> Paths {
    let Tokens { code, test_modules } = Tokens::of(text);
    let below = |name: &&str| [module.as_slice(), &[(*name).to_owned()]].concat();
    let mut found = Paths {
        modules: vec![module.clone()],
        test_modules: test_modules.iter().map(below).collect(),
        ..Paths::default()
    };
    let mut depth = 0;
    // Modules within the file, and how deep in braces they stand.
    let mut within: Vec<(Vec<String>, usize)> = vec![(module, 0)];
    let mut at = 0;
    while at < code.len() {
        let module = within.last().map(|(module, _)| module.clone()).unwrap_or_default();
        let before = at.checked_sub(1).map_or(";", |before| code[before]);
        match code[at..] {
            ["mod", name, "{", ..] => {
                depth += 1;
                let inner = [module.as_slice(), &[name.to_owned()]].concat();
                found.modules.push(inner.clone());
                within.push((inner, depth));
                at += 3;
            }
            ["use", next, ..] if next != "<" => {
                at += 1;
                let public = before == "pub" || before == ")";
                let mut tree = Tree { code: &code, at, module: &module, public, imports: &mut found.imports };
                tree.unfold(&mut Vec::new());
                at = tree.at;
            }
            ["{", ..] => {
                depth += 1;
                at += 1;
            }
            ["}", ..] => {
                within.pop_if(|(_, inside)| *inside == depth && depth > 0);
                depth = depth.saturating_sub(1);
                at += 1;
            }
            [name, ..] if is_name(name) && before != "." && before != "::" => {
                let mut segments = vec![name.to_owned()];
                at += 1;
                while let ["::", next, ..] = code[at..]
                    && is_name(next)
                {
                    segments.push(next.to_owned());
                    at += 2;
                }
                found.names.insert(name.to_owned());
                if segments.len() > 1 {
                    found.paths.push(Named { module, segments });
                }
            }
            _ => at += 1,
        }
    }
    found
}

/// What a `use` names.
struct Tree<'t> {
    code: &'t [&'t str],
    at: usize,
    module: &'t [String],
    public: bool,
    imports: &'t mut Vec<Import>,
}

impl<'t> Tree<'t> {
    /// Reads a path, or a group of paths in braces.
    fn unfold(&mut self, prefix: &mut Vec<String>) {
        match self.token() {
            "{" => {
                self.at += 1;
                while !matches!(self.token(), "}" | "") {
                    let depth = prefix.len();
                    self.unfold(prefix);
                    prefix.truncate(depth);
                    self.at += usize::from(self.token() == ",");
                }
                self.at += 1;
            }
            // From another crate.
            "::" => {
                self.at += 1;
                self.unfold(prefix);
            }
            name => {
                self.at += 1;
                // `{self}` in a group is the module before it.
                if name != "self" || prefix.is_empty() {
                    prefix.push(name.to_owned());
                }
                if self.token() == "::" {
                    self.at += 1;
                    self.unfold(prefix);
                } else {
                    self.import(prefix);
                }
            }
        }
    }

    fn import(&mut self, path: &[String]) {
        let mut name = path.last().cloned();
        if self.token() == "as" {
            name = self.code.get(self.at + 1).map(|name| (*name).to_owned()).filter(|name| name != "_");
            self.at += 2;
        }
        let path = Named { module: self.module.to_vec(), segments: path.to_vec() };
        self.imports.push(Import { name, public: self.public, path });
    }

    fn token(&self) -> &'t str {
        self.code.get(self.at).copied().unwrap_or_default()
    }
}

#[test]
fn groups_are_unfolded_and_paths_in_code_found() {
    let text = "
        pub(crate) use self::a::{B, c::{self, D as E}};
        use super::f::G as _;
        fn h(x: super::super::i::J) -> impl Sized + use<> { x.k(l::m::<N>(0)); wxgate::o::p() }
        mod q { fn r() { super::s() } }
        fn t() { self::u() }
    ";
    let module = vec!["v".to_owned(), "w".to_owned()];
    let found = read(text, module);
    let imports: Vec<_> = found
        .imports
        .iter()
        .map(|import| {
            let absolute = import.path.absolute().unwrap_or_default().join("::");
            (import.name.as_deref(), import.public, absolute)
        })
        .collect();
    assert_eq!(
        imports,
        [
            (Some("B"), true, "v::w::a::B".to_owned()),
            (Some("c"), true, "v::w::a::c".to_owned()),
            (Some("E"), true, "v::w::a::c::D".to_owned()),
            (None, false, "v::f::G".to_owned()),
        ]
    );
    let paths: Vec<_> = found
        .paths
        .iter()
        .map(|path| path.absolute().unwrap_or_else(|| path.segments.clone()).join("::"))
        .collect();
    assert_eq!(paths, ["i::J", "l::m", "o::p", "v::w::s", "v::w::u"]);
}
