//! Keys and tokens that were typed where they don't belong.

/// Shorter words are too short for a key; an appid has 18 characters.
const SHORTEST_SECRET: usize = 24;
/// What placeholder tokens begin with.
const PLACEHOLDER: &str = "wxgate-";
/// A shorter text has none of either in it.
pub const SHORTEST_REDACTED: usize = PLACEHOLDER.len();

/// `text` in pieces, of which those that may be a key or token are `*`.
pub fn redacted(text: &str) -> impl Iterator<Item = &str> {
    let is_of_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let mut rest = text;
    std::iter::from_fn(move || {
        let word = is_of_word(*rest.as_bytes().first()?);
        let end = rest.bytes().position(|byte| is_of_word(byte) != word).unwrap_or(rest.len());
        let (piece, further) = rest.split_at(end);
        rest = further;
        Some(if word && may_be_secret(piece) { "*" } else { piece })
    })
}

/// Whether a word of letters, digits, `-` and `_` may be a key or token.
pub fn may_be_secret(word: &str) -> bool {
    let has = |kind: fn(&u8) -> bool| word.as_bytes().iter().any(kind);
    word.starts_with(PLACEHOLDER)
        || word.len() >= SHORTEST_SECRET
            && has(u8::is_ascii_digit)
            && has(u8::is_ascii_alphabetic)
            && !is_rid(word)
}

/// WeChat's id of a request, which its support asks for: `65f1a2b3-0c4d5e6f-7a8b9c0d`.
fn is_rid(word: &str) -> bool {
    let is_hex = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    word.len() == 26
        && word.bytes().enumerate().all(|(at, byte)| match at {
            8 | 17 => byte == b'-',
            _ => is_hex(byte),
        })
}

#[cfg(test)]
mod tests {
    use super::redacted;

    #[test]
    fn keys_and_placeholders_are_redacted_and_all_else_stays() {
        for (text, expected) in [
            ("/@canary-key-of-orders-5d1c/cgi-bin/user/info", "/@*/cgi-bin/user/info"),
            ("/cgi-bin/x/wxgate-AQ", "/cgi-bin/x/*"),
            ("/@wx0123456789abcdef/cgi-bin/user/info", "/@wx0123456789abcdef/cgi-bin/user/info"),
            (
                "/cgi-bin/service/get_auth_info_of_a_corporation",
                "/cgi-bin/service/get_auth_info_of_a_corporation",
            ),
            (
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) 务/1",
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) 务/1",
            ),
            (
                "errcode 40001, rid: 65f1a2b3-0c4d5e6f-7a8b9c0d",
                "errcode 40001, rid: 65f1a2b3-0c4d5e6f-7a8b9c0d",
            ),
            ("key 65f1a2b3-0c4d5e6f-7a8b9c0d1", "key *"),
            ("key=6f1e0c5ad84b4cf2a9d1e7b3c5f80921;", "key=*;"),
            ("", ""),
        ] {
            assert_eq!(redacted(text).collect::<String>(), expected);
        }
    }
}
