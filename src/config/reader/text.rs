//! The file's text before it is parsed as TOML: bytes that aren't UTF-8, and characters of Chinese
//! input methods that look like TOML's own.

use super::problem::Place;

/// The place of a file's first byte that isn't UTF-8, and what is wrong with it; the text before it
/// is the other half.
pub(in crate::config) fn decode(bytes: &[u8]) -> Result<&str, (&str, String)> {
    let error = match std::str::from_utf8(bytes) {
        Ok(text) => return Ok(text),
        Err(error) => error,
    };
    let (before, wrong) = bytes.split_at(error.valid_up_to());
    let before = std::str::from_utf8(before).unwrap_or("");
    let utf_16 = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
    let text = if utf_16 {
        "the file is UTF-16, expected UTF-8: iconv -f UTF-16 -t UTF-8 OLD > NEW".to_owned()
    } else {
        let byte = wrong.first().copied().unwrap_or_default();
        format!(
            "the byte 0x{byte:02X} is not UTF-8, expected the whole file in it; one in GBK (ANSI) becomes so by: \
             iconv -f GBK -t UTF-8 OLD > NEW"
        )
    };
    Err((before, text))
}

/// A place that the grammar has no name for.
pub(in crate::config) fn syntax(offset: usize) -> Place {
    Place { key: "syntax".to_owned(), offset }
}

/// Characters outside strings and comments where ASCII was meant: where each is, and what to write.
/// At most one of each kind a line.
pub(in crate::config) fn look_alikes(text: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
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

/// The characters that end what this one begins, as people mix them.
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
fn look_alike(character: char) -> Option<(char, String)> {
    let (kind, what) = match character {
        '“' | '”' | '„' | '‘' | '’' | '「' | '」' | '『' | '』' | '＂' | '＇' => {
            ('"', "is a Chinese quotation mark, write \" (as in \"shop\")".to_owned())
        }
        '：' | '＝' => ('=', "is full-width punctuation, write =".to_owned()),
        '，' | '、' => (',', "is full-width punctuation, write ,".to_owned()),
        '。' | '．' => ('.', "is full-width punctuation, write .".to_owned()),
        '【' | '〔' | '［' => ('[', "is a full-width bracket, write [".to_owned()),
        '】' | '〕' | '］' => (']', "is a full-width bracket, write ]".to_owned()),
        '\u{3000}' | '\u{a0}' | '\u{2002}'..='\u{200a}' | '\u{202f}' => {
            let code = u32::from(character);
            return Some((
                ' ',
                format!("here stands U+{code:04X}, a blank of another kind, write a plain one"),
            ));
        }
        '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' => {
            let code = u32::from(character);
            return Some(('\u{200b}', format!("here stands U+{code:04X}, which can't be seen, delete it")));
        }
        // The full-width forms are in the order of ASCII.
        '！'..='～' => {
            let plain = char::from_u32(u32::from(character) - 0xfee0)?;
            let kind = if plain.is_ascii_alphanumeric() { 'a' } else { plain };
            (kind, format!("is a full-width character, write {plain}"))
        }
        _ => return None,
    };
    Some((kind, format!("{character} {what}")))
}

#[cfg(test)]
mod tests {
    use super::{decode, look_alikes};

    #[test]
    fn look_alikes_are_found_outside_strings_and_comments_alone() {
        let found = |text: &str| {
            let told = look_alikes(text).into_iter();
            told.map(|(at, what)| format!("{at} {}", &what[..what.find(' ').unwrap_or(0)]))
                .collect::<Vec<_>>()
        };
        assert_eq!(found("name = \"“店”，：\" # “注释”，\nx = '：'"), [""; 0]);
        assert_eq!(found("a = \"\"\"\n“x”\n\"\"\"\nb = '''\n，\n'''\n"), [""; 0]);
        assert_eq!(found("a = \"\\\"，\" "), [""; 0]);
        assert_eq!(found("name = “shop”"), ["7 “"]);
        // Nothing is reported between them; behind them it is again.
        assert_eq!(found("a = “店，#铺” ，\nb = ‘it”"), ["4 “", "21 ，", "29 ‘"]);
        assert_eq!(found("【app】\nname：“x”"), ["0 【", "6 】", "14 ：", "17 “"]);
        assert_eq!(found("a\u{3000}=\u{3000}1"), ["1 here"]);
        assert_eq!(found("ｎａｍｅ = １"), ["0 ｎ"]);
        // A string ends with its line, even without a closing quote.
        assert_eq!(found("a = \"x\nb：1"), ["8 ："]);
    }

    #[test]
    fn a_file_that_is_no_utf_8_has_a_first_byte_that_is_none() {
        assert_eq!(decode("名".as_bytes()), Ok("名"));
        let (before, text) = decode(b"a = 1\nb = '\xc3\xfb'\n").expect_err("GBK");
        assert_eq!(before, "a = 1\nb = '");
        assert!(text.starts_with("the byte 0xC3 ") && text.contains("iconv -f GBK"), "{text}");
        let (before, text) = decode(b"\xff\xfea\0").expect_err("UTF-16");
        assert!(before.is_empty() && text.contains("UTF-16"), "{text}");
    }
}
