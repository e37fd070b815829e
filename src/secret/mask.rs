//! Overwrites secrets in what others send: raw, percent-encoded or escaped as in JSON, any subset
//! of their bytes, and split as the bytes happen to come.

use std::ops::Range;

use bytes::Bytes;

use super::Secret;

/// A shorter one may occur by chance, and is left unchanged.
pub const SHORTEST: usize = 16;
/// How often `%` may be encoded in its turn, as in a URL within a URL.
const DEEPEST: usize = 4;
/// How many `\` may precede an escaped byte, as in JSON within JSON.
const MOST_BACKSLASHES: usize = 8;

/// `text` with `*` for each byte of each of `secrets`; none if it holds none of them.
pub fn masked<'s>(text: &[u8], secrets: impl IntoIterator<Item = &'s [u8]>) -> Option<Vec<u8>> {
    let mut clean: Option<Vec<u8>> = None;
    for secret in secrets {
        let mut from = 0;
        // One may be the beginning of another, or overlap it.
        while let Some((start, end)) = place(text, from, secret) {
            clean.get_or_insert_with(|| text.to_vec())[start..end].fill(b'*');
            from = start + 1;
        }
    }
    clean
}

/// The first occurrence of `secret` from `from` on.
pub fn place(text: &[u8], from: usize, secret: &[u8]) -> Option<(usize, usize)> {
    if text.len() < secret.len() {
        return None;
    }
    match find(text, from, secret) {
        Found::Whole { start, end } => Some((start, end)),
        Found::Nothing | Found::Cut { .. } => None,
    }
}

/// Overwrites secrets in a stream, of which it holds back what may be the beginning of one.
#[derive(Debug)]
pub struct Mask {
    secrets: Vec<Secret>,
    /// As it came.
    held: Bytes,
    /// So many bytes at its beginning are the end of a secret.
    hidden: usize,
    has_masked: bool,
}

impl Mask {
    /// For these.
    pub fn new<'s>(secrets: impl IntoIterator<Item = &'s [u8]>) -> Self {
        let secret = |secret| Secret::new(String::from_utf8_lossy(secret));
        let secrets = secrets.into_iter().map(secret).collect();
        Self { secrets, held: Bytes::new(), hidden: 0, has_masked: false }
    }

    /// How many bytes are held back.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Whether it has overwritten any.
    pub fn has_masked(&self) -> bool {
        self.has_masked
    }

    /// Takes a piece; gives what can go on.
    pub fn push(&mut self, piece: Bytes) -> Bytes {
        let mut text = if self.held.is_empty() {
            piece
        } else {
            [&std::mem::take(&mut self.held)[..], &piece[..]].concat().into()
        };
        let mut keep = text.len();
        let mut hidden: Vec<Range<usize>> = Vec::new();
        if self.hidden > 0 {
            hidden.push(0..std::mem::take(&mut self.hidden));
        }
        for secret in &self.secrets {
            let mut from = 0;
            loop {
                match find(&text, from, secret.expose().as_bytes()) {
                    Found::Whole { start, end } => {
                        hidden.push(start..end);
                        from = start + 1;
                    }
                    Found::Cut { start } => {
                        keep = keep.min(start);
                        break;
                    }
                    Found::Nothing => break,
                }
            }
        }
        self.held = text.split_off(keep);
        if hidden.is_empty() {
            return text;
        }
        self.has_masked = true;
        let begun = hidden.iter().filter(|place| place.start <= keep).map(|place| place.end).max();
        self.hidden = begun.unwrap_or_default().saturating_sub(keep);
        let mut clean = text.to_vec();
        for place in hidden {
            clean[place.start.min(keep)..place.end.min(keep)].fill(b'*');
        }
        clean.into()
    }

    /// What was held back, once nothing follows.
    pub fn finish(&mut self) -> Bytes {
        let (held, hidden) = (std::mem::take(&mut self.held), std::mem::take(&mut self.hidden));
        let clean = masked(&held, self.secrets.iter().map(|secret| secret.expose().as_bytes()));
        if clean.is_none() && hidden == 0 {
            return held;
        }
        let mut clean = clean.unwrap_or_else(|| held.to_vec());
        clean[..hidden].fill(b'*');
        clean.into()
    }
}

enum Found {
    Nothing,
    Whole {
        start: usize,
        end: usize,
    },
    /// From here to its end the text is the beginning of the secret.
    Cut {
        start: usize,
    },
}

fn find(text: &[u8], mut from: usize, secret: &[u8]) -> Found {
    let [first, ..] = secret else { return Found::Nothing };
    if secret.len() < SHORTEST {
        return Found::Nothing;
    }
    while let Some(at) = memchr::memchr3(*first, b'%', b'\\', text.get(from..).unwrap_or_default()) {
        let start = from + at;
        match match_at(&text[start..], secret) {
            Match::Whole(length) => return Found::Whole { start, end: start + length },
            Match::Cut => return Found::Cut { start },
            Match::No => from = start + 1,
        }
    }
    Found::Nothing
}

enum Match {
    No,
    /// The text ends before the secret does.
    Cut,
    /// So many bytes of the text.
    Whole(usize),
}

/// Whether `text` begins with `secret`.
fn match_at(text: &[u8], secret: &[u8]) -> Match {
    if text.starts_with(secret) {
        return Match::Whole(secret.len());
    }
    let mut at = 0;
    for byte in secret {
        match spelled(*byte, &text[at..]) {
            Match::Whole(length) => at += length,
            other => return other,
        }
    }
    Match::Whole(at)
}

/// Whether `text` begins with a spelling of `byte`.
fn spelled(byte: u8, text: &[u8]) -> Match {
    let escaped = match text.first() {
        None => return Match::Cut,
        Some(b'%') => percent_encoded(byte, text),
        Some(b'\\') => escaped(byte, text),
        Some(_) => Match::No,
    };
    match escaped {
        Match::No if text.first() == Some(&byte) => Match::Whole(1),
        escaped => escaped,
    }
}

/// `%41`, also `%2541`.
fn percent_encoded(byte: u8, text: &[u8]) -> Match {
    let mut at = 1;
    for _ in 0..DEEPEST {
        let rest = text.get(at..).unwrap_or_default();
        match hex(byte, rest) {
            Match::Whole(length) => return Match::Whole(at + length),
            Match::Cut => return Match::Cut,
            Match::No if rest.starts_with(b"25") => at += 2,
            Match::No if b"25".starts_with(rest) => return Match::Cut,
            Match::No => return Match::No,
        }
    }
    Match::No
}

/// `\u0041`, and `\/` of what JSON's strings may have so.
fn escaped(byte: u8, text: &[u8]) -> Match {
    let backslashes = text.iter().take(MOST_BACKSLASHES).take_while(|byte| **byte == b'\\').count();
    let rest = &text[backslashes..];
    let prefix = rest.iter().zip(b"u00").take_while(|(one, other)| one == other).count();
    match rest.first() {
        None => Match::Cut,
        Some(next) if *next == byte && matches!(byte, b'/' | b'"') => Match::Whole(backslashes + 1),
        _ if prefix == 3 => match hex(byte, &rest[3..]) {
            Match::Whole(length) => Match::Whole(backslashes + 3 + length),
            other => other,
        },
        _ if prefix == rest.len() => Match::Cut,
        _ => Match::No,
    }
}

/// Two hexadecimal digits, in either case.
fn hex(byte: u8, text: &[u8]) -> Match {
    let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble)];
    for (at, expected) in [digit(byte >> 4), digit(byte & 15)].into_iter().enumerate() {
        match text.get(at) {
            None => return Match::Cut,
            Some(digit) if digit.to_ascii_lowercase() == expected => {}
            Some(_) => return Match::No,
        }
    }
    Match::Whole(2)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::{Mask, masked};

    const SECRET: &str = "refreshtoken@/0_-Z";

    fn clean(text: &str) -> Option<String> {
        masked(text.as_bytes(), [SECRET.as_bytes()]).map(|clean| String::from_utf8(clean).expect("UTF-8"))
    }

    /// The same, as it passes in pieces.
    fn passed(text: &[u8], secret: &str, pieces: &[usize]) -> Vec<u8> {
        let mut mask = Mask::new([secret.as_bytes()]);
        let (mut out, mut rest) = (Vec::new(), text);
        for size in pieces.iter().cycle() {
            let (piece, behind) = rest.split_at(rest.len().min(*size));
            out.extend_from_slice(&mask.push(Bytes::copy_from_slice(piece)));
            rest = behind;
            if rest.is_empty() {
                break;
            }
        }
        out.extend_from_slice(&mask.finish());
        out
    }

    #[test]
    fn every_spelling_is_overwritten() {
        for spelled in [
            "refreshtoken@/0_-Z",
            "refreshtoken%40%2F0_-Z",
            "refreshtoken%40%2f0_-Z",
            "refreshtoken%2540%252F0_-Z",
            "%72efreshtoken@/0_-Z",
            "refreshtoken@/0_-%5A",
            "refreshtoken@\\/0_-Z",
            "refreshtoken@\\\\\\/0_-Z",
            "\\u0072efreshtoken\\u0040\\u002f0_-Z",
            "refresh\\u0074oken%40\\/0_-Z",
        ] {
            let hidden = "*".repeat(spelled.len());
            assert_eq!(
                clean(&format!("a{spelled}{spelled}%")),
                Some(format!("a{hidden}{hidden}%")),
                "{spelled}"
            );
        }
        for text in
            ["", "refreshtoken@/0_-", "refreshtoken@/0_-z", "%", "\\u0072efreshtoken@/0_-%5B", "refresh%"]
        {
            assert_eq!(clean(text), None, "{text}");
        }
        assert_eq!(masked(b"too short", [&b"short"[..], b""]), None);
    }

    #[test]
    fn a_secret_within_another_or_beside_it_leaves_nothing_of_either() {
        let (short, long, behind) =
            ("token-of-the-shop-1", "token-of-the-shop-12345678", "shop-1234567890-and-more");
        for (text, hidden) in [
            ("a token-of-the-shop-12345678 b", "a ************************** b"),
            ("a token-of-the-shop-123 b", "a *******************23 b"),
            ("a token-of-the-shop-1", "a *******************"),
            ("token-of-the-shop-1234567890-and-more b", "************************************* b"),
            ("token-of-the-shop-1234567890-and", "**************************90-and"),
            ("abababababababababab-", "********************-"),
        ] {
            let secrets = [short, long, behind, "ababababababababab"].map(str::as_bytes);
            for secrets in [secrets, [secrets[3], secrets[2], secrets[1], secrets[0]]] {
                let whole = masked(text.as_bytes(), secrets)
                    .map(|clean| String::from_utf8_lossy(&clean).into_owned());
                assert_eq!(whole.as_deref(), Some(hidden), "{text}");
                for size in 1..=text.len() {
                    let mut mask = Mask::new(secrets);
                    let pieces =
                        text.as_bytes().chunks(size).map(|piece| mask.push(Bytes::copy_from_slice(piece)));
                    let mut passed = pieces.collect::<Vec<_>>().concat();
                    passed.extend_from_slice(&mask.finish());
                    assert_eq!(String::from_utf8_lossy(&passed), hidden, "{text} in pieces of {size}");
                    assert!(mask.has_masked(), "{text} in pieces of {size}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn however_it_comes_it_is_overwritten_and_all_else_stays(
            secret in "[a-zA-Z0-9_@/.~-]{16,40}",
            around in proptest::collection::vec("[ -~]{0,12}|%[0-9a-f]{1,4}|[\\\\]{1,3}u00", 1..5),
            spelling in proptest::collection::vec(0_usize..6, 1..40),
            cut in any::<proptest::sample::Index>(),
            sizes in proptest::collection::vec(1_usize..40, 1..5),
        ) {
            let spelled: String = secret.bytes().zip(spelling.iter().cycle()).map(|(byte, spelling)| {
                match spelling {
                    0 => format!("%{byte:02X}"),
                    1 => format!("%25{byte:02x}"),
                    2 => format!("\\u00{byte:02x}"),
                    _ => char::from(byte).to_string(),
                }
            }).collect();
            // The beginning of one, then one in each gap.
            let beginning = &spelled[..cut.index(spelled.len())];
            let text = format!("{beginning}! {}", around.join(&format!(" {spelled} ")));
            let hidden = format!("{beginning}! {}", around.join(&format!(" {} ", "*".repeat(spelled.len()))));
            prop_assume!(!beginning.contains(&secret));
            let whole = masked(text.as_bytes(), [secret.as_bytes()]);
            prop_assert_eq!(String::from_utf8_lossy(whole.as_deref().unwrap_or(text.as_bytes())), &*hidden);
            let passed = passed(text.as_bytes(), &secret, &sizes);
            prop_assert_eq!(String::from_utf8_lossy(&passed), hidden);
        }
    }
}
