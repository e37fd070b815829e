//! Just enough of Rust's grammar to see what a file names: its tokens, without comments, literals
//! and test code.

/// What a file is made of.
#[derive(Debug)]
pub(super) struct Tokens<'t> {
    /// Names, `::`, `->`, `=>`, and every other punctuation character by itself.
    pub(super) code: Vec<&'t str>,
    /// Modules in files of their own that only tests are compiled with.
    pub(super) test_modules: Vec<&'t str>,
}

impl<'t> Tokens<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        without_tests(&scan(text))
    }
}

pub(super) fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

fn scan(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment(rest),
            '"' => string(rest),
            '\'' => quoted(rest),
            c if c.is_alphanumeric() || c == '_' => {
                let name = &rest[..name_length(rest)];
                match raw_string(name, &rest[name.len()..]) {
                    Some(length) => name.len() + length,
                    None => {
                        tokens.extend(is_name(name).then_some(name));
                        name.len()
                    }
                }
            }
            c if c.is_whitespace() => c.len_utf8(),
            c => {
                let length = if ["::", "->", "=>"].iter().any(|pair| rest.starts_with(pair)) {
                    2
                } else {
                    c.len_utf8()
                };
                tokens.push(&rest[..length]);
                length
            }
        };
        rest = &rest[length..];
    }
    tokens
}

fn name_length(text: &str) -> usize {
    text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len())
}

/// They nest.
fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    at
}

fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of what follows the `r`, `br` or `cr` of a raw string.
fn raw_string(prefix: &str, rest: &str) -> Option<usize> {
    if !["r", "br", "cr"].contains(&prefix) {
        return None;
    }
    let hashes = rest.find(|c| c != '#').unwrap_or(rest.len());
    if !rest[hashes..].starts_with('"') {
        return None;
    }
    let end = format!("\"{}", &rest[..hashes]);
    let inside = hashes + 1;
    Some(rest[inside..].find(&end).map_or(rest.len(), |at| inside + at + end.len()))
}

/// A character, or a lifetime.
fn quoted(text: &str) -> usize {
    let mut inside = text[1..].char_indices();
    match inside.next() {
        Some((_, '\\')) => text[3..].find('\'').map_or(text.len(), |at| at + 4),
        Some((_, c)) if text[1 + c.len_utf8()..].starts_with('\'') => c.len_utf8() + 2,
        _ => 1 + name_length(&text[1..]),
    }
}

/// Leaves out what `#[cfg(test)]` stands on, be it an item, a field or an arm.
fn without_tests<'t>(tokens: &[&'t str]) -> Tokens<'t> {
    const ATTRIBUTE: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut code = Vec::new();
    let mut test_modules = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if !tokens[at..].starts_with(&ATTRIBUTE) {
            code.push(tokens[at]);
            at += 1;
            continue;
        }
        let from = at + ATTRIBUTE.len();
        at = from + attributed(&tokens[from..]);
        for window in tokens[from..at].windows(3) {
            if let ["mod", name, ";"] = window {
                test_modules.push(*name);
            }
        }
    }
    Tokens { code, test_modules }
}

/// How many tokens an attribute stands on.
fn attributed(tokens: &[&str]) -> usize {
    // A comma between `<` and `>` ends nothing.
    let (mut depth, mut angles) = (0_i32, 0_i32);
    for (at, token) in tokens.iter().enumerate() {
        match *token {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            "<" => angles += 1,
            ">" => angles -= 1,
            _ => {}
        }
        match *token {
            _ if depth < 0 => return at,
            "}" | ";" if depth == 0 => return at + 1,
            "," if depth == 0 && angles <= 0 => return at + 1,
            _ => {}
        }
    }
    tokens.len()
}

#[test]
fn comments_literals_and_tests_are_left_out() {
    let text = r####"
        use a::b; // c
        /* d /* e */ f */
        const G: &str = "h \" i"; const J: &[u8] = br#"k " l"#; const M: char = '\''; const N: char = 'o';
        fn p<'q>(r: &'q str) -> S { 1_u8 }
        struct T { #[cfg(test)] u: V<W, X>, y: Z }
        #[cfg(test)]
        pub(crate) mod only_tests;
        #[cfg(test)]
        #[expect(clippy::panic)]
        mod tests { fn f() { panic!() } }
        fn last() {}
    "####;
    let tokens = Tokens::of(text);
    assert_eq!(tokens.test_modules, ["only_tests"]);
    assert_eq!(
        tokens.code.join(" "),
        "use a :: b ; const G : & str = ; const J : & [ u8 ] = ; const M : char = ; const N : char = ; \
         fn p < > ( r : & str ) -> S { } struct T { y : Z } fn last ( ) { }"
    );
}
