//! Types that a layer defines, so that grep finds each by its name.

use std::collections::BTreeMap;

use super::circles;
use super::tokens::{Tokens, is_name};

const DEFINING: [&str; 5] = ["struct", "enum", "trait", "type", "union"];

/// The types that a file defines, associated types and those of tests excepted.
fn defined<'t>(code: &[&'t str]) -> Vec<&'t str> {
    let mut found = Vec::new();
    // For each open brace, whether it is an `impl`'s or a `trait`'s.
    let mut blocks = Vec::new();
    let mut is_associating = false;
    for (at, token) in code.iter().enumerate() {
        match *token {
            "impl" | "trait" if begins_item(code, at) => is_associating = true,
            ";" => is_associating = false,
            "{" => blocks.push(std::mem::take(&mut is_associating)),
            "}" => {
                blocks.pop();
            }
            _ => {}
        }
        let is_associated = *token == "type" && blocks.last() == Some(&true);
        if let Some(name) = code.get(at + 1)
            && DEFINING.contains(token)
            && begins_item(code, at)
            && name.starts_with(char::is_uppercase)
            && !is_associated
        {
            found.push(*name);
        }
    }
    found
}

/// Whether a keyword begins an item: it may stand in an expression, or within a type.
fn begins_item(code: &[&str], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|before| code.get(before));
    before.is_none_or(|before| {
        ["{", "}", ";", "]", ")", "unsafe", "pub", "auto"].contains(before) || *before == "=>"
    }) && code.get(at + 1).is_some_and(|next| is_name(next) || *next == "<")
}

#[test]
fn no_type_name_is_defined_twice_within_a_layer() {
    let sources = super::all_sources();
    let mut places: BTreeMap<(String, &str), Vec<&str>> = BTreeMap::new();
    for (path, text) in circles::without_tests(&sources) {
        for name in defined(&Tokens::of(text).code) {
            places.entry((super::owner(path), name)).or_default().push(path);
        }
    }
    let twice = places.iter().filter(|(_, places)| places.len() > 1);
    let twice: Vec<_> =
        twice.map(|((layer, name), places)| format!("{layer}: {name} in {}", places.join(", "))).collect();
    assert!(twice.is_empty(), "{}", twice.join("\n"));
}

#[test]
fn a_types_name_is_found_where_it_is_defined() {
    let text = "
        pub struct A; enum B<T> { C } pub(crate) type D = E; unsafe trait F { type G; fn f() -> impl H; }
        impl<T> F for A { type G = (); fn f() { struct I; let x: J = 1; type_of(K) } }
        macro_rules! m { () => { struct L; } } #[derive(N)] union M { a: u8 }
        #[cfg(test)] mod tests { struct P; }
    ";
    assert_eq!(defined(&Tokens::of(text).code), ["A", "B", "D", "F", "I", "L", "M"]);
}
