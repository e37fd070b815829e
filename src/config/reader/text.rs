//! The file's text before it is parsed as TOML: bytes that aren't UTF-8, and characters of Chinese
//! input methods that look like TOML's own.

use std::collections::HashSet;

use super::problem::{Place, Report};
use crate::texts::{Words, words};

/// The file's text; the error is the text before the first byte that isn't UTF-8, and what is wrong
/// with that byte.
pub(in crate::config) fn decode(bytes: &[u8]) -> Result<&str, (&str, Words)> {
    let error = match std::str::from_utf8(bytes) {
        Ok(text) => return Ok(text),
        Err(error) => error,
    };
    let (before, wrong) = bytes.split_at(error.valid_up_to());
    let before = std::str::from_utf8(before).unwrap_or("");
    let utf_16 = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
    let text = if utf_16 {
        words!("the file is UTF-16, expected UTF-8: iconv -f UTF-16 -t UTF-8 OLD > NEW")
    } else {
        let byte = wrong.first().copied().unwrap_or_default();
        words!(
            "the byte {byte} is not UTF-8, expected a file in UTF-8; to convert a file in GBK (ANSI): \
             iconv -f GBK -t UTF-8 OLD > NEW",
            byte = format_args!("0x{byte:02X}")
        )
    };
    Err((before, text))
}

/// A place of a file for which the grammar has no key.
pub(in crate::config) fn syntax(file: usize, offset: usize) -> Place {
    Place { key: "syntax".to_owned(), offset, file }
}

/// Reports why a text is not TOML.
pub(in crate::config) fn report_syntax(
    file: usize,
    text: &str,
    errors: Vec<toml::de::Error>,
    report: &mut Report<'_>,
) {
    let mut explained = HashSet::new();
    for (offset, what) in look_alikes(text) {
        let place = syntax(file, offset);
        explained.insert(report.line(&place));
        report.error(&place, what);
    }
    // The crate's own rendering prints the line at fault, which may hold a secret.
    for error in errors {
        let place = syntax(file, error.span().map_or(text.len(), |span| span.start));
        if !explained.contains(&report.line(&place)) {
            // The crate speaks English alone.
            report.error(&place, words!("is not TOML: {error}", error = error.message()));
        }
    }
}

/// Characters outside strings and comments where ASCII was meant: where each is, and what to write.
/// At most one of each kind a line.
pub(in crate::config) fn look_alikes(text: &str) -> Vec<(usize, Words)> {
    let mut found: Vec<(usize, Words)> = Vec::new();
    let mut of_line: Vec<char> = Vec::new();
    let mut within: Option<&str> = None;
    let mut at = 0;
    while let Some(character) = text[at..].chars().next() {
        let rest = &text[at..];
        let mut length = character.len_utf8();
        if character == '\n' {
            of_line.clear();
            within = within.filter(|quotes| quotes.len() == 3);
        } else if let Some(quotes) = within {
            if rest.starts_with(quotes) {
                within = None;
                length = quotes.len();
            } else if character == '\\' && quotes.starts_with('"') {
                length += rest[1..].chars().next().filter(|next| *next != '\n').map_or(0, char::len_utf8);
            }
        } else if let Some(quotes) = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|q| rest.starts_with(q)) {
            within = Some(quotes);
            length = quotes.len();
        } else if character == '#' {
            length = rest.find('\n').unwrap_or(rest.len());
        } else if let Some((kind, what)) = look_alike(character) {
            if !of_line.contains(&kind) {
                of_line.push(kind);
                found.push((at, what));
            }
            if let Some(closing) = closing(character) {
                // They enclose what was meant as a string.
                let line = &rest[length..rest.find('\n').unwrap_or(rest.len())];
                let end = line.find(closing).and_then(|end| Some((end, line[end..].chars().next()?)));
                length += end.map_or(0, |(end, closing)| end + closing.len_utf8());
            }
        }
        at += length;
    }
    found
}

/// The characters that close this quotation mark, as people mix them.
fn closing(quote: char) -> Option<&'static [char]> {
    match quote {
        '“' | '”' | '„' => Some(&['“', '”', '"', '＂']),
        '‘' | '’' => Some(&['‘', '’', '\'', '＇']),
        '「' | '『' => Some(&['」', '』']),
        '＂' => Some(&['＂', '"', '”']),
        '＇' => Some(&['＇', '\'', '’']),
        _ => None,
    }
}

/// What is wrong with a character. Characters of the same kind are reported once a line.
fn look_alike(character: char) -> Option<(char, Words)> {
    let punctuation = |plain: char| {
        (plain, words!("{character} is full-width punctuation, write {plain}", character, plain))
    };
    let bracket =
        |plain: char| (plain, words!("{character} is a full-width bracket, write {plain}", character, plain));
    Some(match character {
        '“' | '”' | '„' | '‘' | '’' | '「' | '」' | '『' | '』' | '＂' | '＇' => {
            ('"', words!("{character} is a Chinese quotation mark, write \" (as in \"shop\")", character))
        }
        '：' | '＝' => punctuation('='),
        '，' | '、' => punctuation(','),
        '。' | '．' => punctuation('.'),
        '【' | '〔' | '［' => bracket('['),
        '】' | '〕' | '］' => bracket(']'),
        '\u{3000}' | '\u{a0}' | '\u{2002}'..='\u{200a}' | '\u{202f}' => {
            (' ', words!("{code} is a blank of another kind, write a plain one", code = code(character)))
        }
        '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' => {
            ('\u{200b}', words!("{code} is an invisible character, delete it", code = code(character)))
        }
        // The full-width forms are in the order of ASCII.
        '！'..='～' => {
            let plain = char::from_u32(u32::from(character) - 0xfee0)?;
            let kind = if plain.is_ascii_alphanumeric() { 'a' } else { plain };
            (kind, words!("{character} is a full-width character, write {plain}", character, plain))
        }
        _ => return None,
    })
}

/// The code point, as Unicode writes it.
fn code(character: char) -> String {
    format!("U+{:04X}", u32::from(character))
}

#[cfg(test)]
mod tests {
    use super::{decode, look_alikes};

    #[test]
    fn look_alikes_are_found_outside_strings_and_comments_alone() {
        let found = |text: &str| {
            let told = look_alikes(text).into_iter();
            told.map(|(at, what)| format!("{at} {}", what.as_str().split(' ').next().unwrap_or_default()))
                .collect::<Vec<_>>()
        };
        assert_eq!(found("name = \"“店”，：\" # “注释”，\nx = '：'"), [""; 0]);
        assert_eq!(found("a = \"\"\"\n“x”\n\"\"\"\nb = '''\n，\n'''\n"), [""; 0]);
        assert_eq!(found("a = \"\\\"，\" "), [""; 0]);
        assert_eq!(found("name = “shop”"), ["7 “"]);
        // Nothing is reported between them; behind them it is again.
        assert_eq!(found("a = “店，#铺” ，\nb = ‘it”"), ["4 “", "21 ，", "29 ‘"]);
        assert_eq!(found("【app】\nname：“x”"), ["0 【", "6 】", "14 ：", "17 “"]);
        assert_eq!(found("a\u{3000}=\u{3000}1"), ["1 U+3000"]);
        assert_eq!(found("ｎａｍｅ = １"), ["0 ｎ"]);
        // A string ends with its line, even without a closing quote.
        assert_eq!(found("a = \"x\nb：1"), ["8 ："]);
    }

    #[test]
    fn a_file_that_is_no_utf_8_has_a_first_byte_that_is_none() {
        assert_eq!(decode("名".as_bytes()), Ok("名"));
        let (before, text) = decode(b"a = 1\nb = '\xc3\xfb'\n").expect_err("GBK");
        assert_eq!(before, "a = 1\nb = '");
        let text = text.as_str();
        assert!(text.starts_with("the byte 0xC3 ") && text.contains("iconv -f GBK"), "{text}");
        let (before, text) = decode(b"\xff\xfea\0").expect_err("UTF-16");
        assert!(before.is_empty() && text.as_str().contains("UTF-16"), "{text}");
    }
}
