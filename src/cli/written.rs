//! Values as a configuration file spells them.

use wxgate::observe::steering::steers;

/// A string.
pub(super) fn quoted(text: &str) -> String {
    // The crate's own spelling takes '...' where it pleases.
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            // An editor would hide it, or show its surroundings in another order.
            c if steers(c) => out += &format!("\\U{:08X}", u32::from(c)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A list of strings.
pub(super) fn list(texts: &[String]) -> String {
    let texts: Vec<_> = texts.iter().map(|text| quoted(text)).collect();
    format!("[{}]", texts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::{quoted, steers};

    #[test]
    fn any_text_is_read_back_as_it_was() {
        for text in ["shop", "", "a\"b\\c", "'", "务\n\u{7f}\u{9}", "a\u{202e}b\u{200b}\u{e0001}"] {
            let read: toml::Table = toml::from_str(&format!("a = {}", quoted(text))).expect("TOML");
            assert_eq!(read["a"].as_str(), Some(text));
            assert!(!quoted(text).contains(steers), "{text:?}");
        }
    }
}
