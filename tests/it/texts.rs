//! Every text that people read is there in English and Chinese.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use proc_macro2::{TokenStream, TokenTree};
use wxgate::texts::{Language, catalogue};

/// Its translations aren't of texts that are marked: the command line has a test of its own.
const HELP: &str = "help";

/// The texts that a file marks.
fn marked(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    look_through(source.parse().expect("Rust"), &mut found);
    found
}

fn look_through(tokens: TokenStream, found: &mut Vec<String>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        let TokenTree::Group(group) = token else { continue };
        if let [.., TokenTree::Ident(name), TokenTree::Punct(bang)] = &tokens[..at]
            && bang.as_char() == '!'
            && ["text", "words", "marked"].iter().any(|marks| name == marks)
            && let Some(TokenTree::Literal(english)) = group.stream().into_iter().next()
        {
            found.push(syn::parse_str::<syn::LitStr>(&english.to_string()).expect("a string").value());
        }
        look_through(group.stream(), found);
    }
}

/// The names in braces.
fn values(text: &str) -> BTreeSet<&str> {
    text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name).collect()
}

/// By module of the code, each text that its files mark.
fn marked_by_modules() -> BTreeMap<String, BTreeSet<String>> {
    let mut modules: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, source) in sources() {
        let module = path.split('/').next().unwrap_or_default().trim_end_matches(".rs").to_owned();
        if module != "texts" {
            modules.entry(module).or_default().extend(marked(&source));
        }
    }
    modules
}

fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("src can be read") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).expect("below src").to_string_lossy().into_owned();
                files.push((name, fs::read_to_string(&path).expect("UTF-8")));
            }
        }
    }
    files
}

#[test]
fn every_text_has_its_chinese_in_the_table_of_its_module() {
    let modules = marked_by_modules();
    let mut problems = Vec::new();
    for (module, texts) in &modules {
        for text in texts {
            let tables: Vec<_> = catalogue().filter(|(_, english, _)| english == text).collect();
            match tables.as_slice() {
                [] => problems.push(format!("src/texts/chinese/{module}.rs lacks {text:?}")),
                [_] => {}
                [_, more @ ..] => {
                    problems
                        .extend(more.iter().map(|(table, ..)| format!("{table}: {text:?} is there twice")));
                }
            }
        }
    }
    for (table, english, _) in catalogue().filter(|(table, ..)| *table != HELP) {
        if !modules.get(table).is_some_and(|texts| texts.contains(english)) {
            problems.push(format!("{table}: nothing in src/{table} says {english:?}"));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn a_translation_is_chinese_and_has_the_same_values() {
    for (table, english, chinese) in catalogue() {
        assert_eq!(values(english), values(chinese), "{table}: {english:?}");
        // Some differ in nothing but punctuation.
        let is_chinese = chinese.chars().any(
            |c| matches!(c, '\u{3000}'..='\u{303f}' | '\u{4e00}'..='\u{9fff}' | '\u{ff00}'..='\u{ffef}'),
        );
        assert!(is_chinese || english == chinese, "{table}: {chinese:?}");
    }
}

#[test]
fn a_marked_text_is_found_wherever_it_stands() {
    let source = r#"
        #[error("{}", text!("a {b}", b = .0))]
        enum E { A }
        fn f() { call(words!("c \
            d"), [marked!("e")]); wxgate::text!("f {{"); other!("g"); }
    "#;
    assert_eq!(marked(source), ["a {b}", "c d", "e", "f {{"]);
}

#[test]
fn a_text_is_in_the_language_of_who_prints_it() {
    let name = "a name";
    let words = wxgate::texts::words!("{name} with {{braces}}", name);
    assert_eq!(words.to_string(), "a name with {braces}");
    assert_eq!(words.to(Language::Chinese), "a name with {braces}");
    let (_, english, chinese) =
        catalogue().find(|(_, english, chinese)| english != chinese).expect("a translation");
    let shown = Language::Chinese.scope(|| wxgate::texts::translated(english));
    assert_eq!(shown, chinese);
    assert_eq!(wxgate::texts::translated(english), english);
}
