//! What WeChat's error texts say apart from the errcode.

use crate::observe::steering::steers;

/// The address that WeChat refused, from the `errmsg`: of a 40164 `invalid ip 203.0.113.7 ipv6 ...,
/// not in whitelist`, of a 61004 `... requestIP: 203.0.113.7`, of WeCom's 60020 `..., from ip:
/// 203.0.113.7, ...`.
pub fn whitelist_address(errmsg: &str) -> Option<&str> {
    let before = ["invalid ip ", "requestIP: ", "from ip: "];
    let (_, rest) = before.iter().find_map(|before| errmsg.split_once(before))?;
    let end = rest.find(|c: char| !(c.is_ascii_hexdigit() || matches!(c, '.' | ':'))).unwrap_or(rest.len());
    let address = rest.get(..end)?;
    address.parse::<std::net::IpAddr>().is_ok().then_some(address)
}

/// The request's id in an error text, three groups of eight lower-case hexadecimal digits behind
/// `rid: `.
///
/// WeChat explains it for a week, at `openapi/rid/get`.
pub fn rid(text: &[u8]) -> Option<&str> {
    const GROUPS: usize = 3;
    const LENGTH: usize = GROUPS * 8 + GROUPS - 1;
    memchr::memmem::find_iter(text, b"rid: ").find_map(|at| {
        let rid = text.get(at + 5..at + 5 + LENGTH)?;
        let well_formed = rid.iter().enumerate().all(|(index, byte)| match index % 9 {
            8 => *byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        });
        let ends = text.get(at + 5 + LENGTH).is_none_or(|byte| !byte.is_ascii_alphanumeric());
        (well_formed && ends).then(|| std::str::from_utf8(rid).ok()).flatten()
    })
}

/// Bytes of WeChat's words that are quoted at most.
const LONGEST_WORDS: usize = 200;
/// What is as long as this is in one piece may be a token, a secret or a key; a `rid` is shorter.
const LONGEST_PIECE: usize = 32;

/// The `errmsg` of a response, fit to be quoted to others than its receiver: short, on one line,
/// and without what may be a credential.
pub fn words(answer: &[u8]) -> Option<String> {
    let answer = String::from_utf8_lossy(answer);
    let answer: serde_json::Value = serde_json::from_str(answer.trim_start_matches('\u{feff}')).ok()?;
    let errmsg = answer.get("errmsg").or_else(|| answer.get("base_resp")?.get("errmsg"))?.as_str()?;
    let mut words = String::with_capacity(errmsg.len());
    let is_of_piece = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let mut rest = errmsg;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c: char| !is_of_piece(c)).unwrap_or(rest.len());
        let (piece, behind) = rest.split_at(end.max(first.len_utf8()));
        match piece {
            piece if piece.len() >= LONGEST_PIECE => words.push_str("***"),
            piece if steers(first) => words.extend(piece.chars().map(|_| ' ')),
            piece => words.push_str(piece),
        }
        rest = behind;
    }
    let mut end = words.len().min(LONGEST_WORDS);
    while !words.is_char_boundary(end) {
        end -= 1;
    }
    words.truncate(end);
    (!words.is_empty()).then_some(words)
}
