//! Finds the top-level `errcode` of a response, in one pass, without building a tree.
//!
//! WeChat's bodies may be invalid JSON (raw control characters and broken UTF-8 in nicknames), an
//! `errcode` may stand anywhere in them, and batch endpoints nest one per item, which must not
//! count.

use std::sync::LazyLock;

use memchr::memmem::Finder;

/// What a response says about its success.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// The top-level `errcode`, or that of a top-level `base_resp` (the device API); none is
    /// success as well.
    pub errcode: Option<i64>,
    /// An `errmsg` comes with that `errcode`: an uploaded file seldom has both.
    pub errmsg: bool,
}

/// A string is looked through byte by byte so far.
const SHORT: usize = 16;
/// The bytes that end what stands outside strings and brackets.
const ENDS_WORD: [bool; 256] = {
    let mut table = [false; 256];
    let ends = b"\"{[}],: \t\r\n";
    let mut at = 0;
    while at < ends.len() {
        table[ends[at] as usize] = true;
        at += 1;
    }
    table
};

static ERRCODE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("errcode"));

/// Reads a body, or the first part of one: what stands before the cut counts, but not a number that
/// the cut may have shortened.
///
/// Of a key that stands twice the last counts, as for every JSON parser in use. Keys are compared
/// as bytes: an `errcode` spelled with escapes isn't seen.
pub fn scan(body: &[u8]) -> Scan {
    if let Some(usual) = usual(body) {
        return usual;
    }
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let mut cursor = Cursor { rest: body };
    // One search settles long responses without a code; most of those with one begin with it.
    let has_code = || body.starts_with(b"{\"errcode\"") || ERRCODE.find(body).is_some();
    if cursor.peek() != Some(b'{') || !has_code() {
        return Scan::default();
    }
    let (own, nested) = cursor.object(Level::Top);
    if own.errcode.is_some() { own } else { nested }
}

/// What an answer says that begins as nearly all do, `{"errcode":0,"errmsg":`, and has the word
/// nowhere else: then no other key of it matters.
fn usual(body: &[u8]) -> Option<Scan> {
    let mut rest = body.strip_prefix(b"{\"errcode\":")?;
    let mut code = 0;
    let mut digits = 0;
    while let [digit @ b'0'..=b'9', behind @ ..] = rest {
        code = code * 10 + i64::from(digit - b'0');
        digits += 1;
        rest = behind;
        if digits > 9 {
            return None;
        }
    }
    let text = rest.strip_prefix(b",\"errmsg\":\"").filter(|_| digits > 0)?;
    ERRCODE.find(text).is_none().then_some(Scan { errcode: Some(code), errmsg: true })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Top,
    BaseResp,
}

struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// Reads an object as far as it goes: what it says itself, and what its `base_resp` says.
    fn object(&mut self, level: Level) -> (Scan, Scan) {
        let mut own = Scan::default();
        let mut nested = Scan::default();
        self.skip();
        if self.peek() == Some(b'}') {
            self.skip();
            return (own, nested);
        }
        while self.peek() == Some(b'"') {
            let Some(key) = self.string() else { break };
            if self.peek() != Some(b':') {
                break;
            }
            self.skip();
            match key {
                b"errcode" => own.errcode = self.integer(),
                b"errmsg" => {
                    own.errmsg = self.peek().is_some();
                    self.value();
                }
                b"base_resp" if level == Level::Top && self.peek() == Some(b'{') => {
                    nested = self.object(Level::BaseResp).0;
                }
                _ => self.value(),
            }
            match self.peek() {
                Some(b',') => self.skip(),
                Some(b'}') => {
                    self.skip();
                    break;
                }
                _ => break,
            }
        }
        (own, nested)
    }

    /// The next byte that isn't blank, which is not consumed.
    fn peek(&mut self) -> Option<u8> {
        while let [b' ' | b'\t' | b'\r' | b'\n', rest @ ..] = self.rest {
            self.rest = rest;
        }
        self.rest.first().copied()
    }

    /// Consumes one byte.
    fn skip(&mut self) {
        self.rest = self.rest.get(1..).unwrap_or_default();
    }

    /// Consumes a string from its opening quote on; its raw content, none if it has no end.
    fn string(&mut self) -> Option<&'a [u8]> {
        self.skip();
        let text = self.rest;
        let ends = |byte: &u8| matches!(byte, b'"' | b'\\');
        // Most keys and values are over before the longer search would have begun.
        let short = text.get(..SHORT).unwrap_or(text);
        let mut at = short.iter().position(ends).unwrap_or(short.len());
        loop {
            at += match text.get(at) {
                Some(byte) if ends(byte) => 0,
                _ => memchr::memchr2(b'"', b'\\', text.get(at..)?)?,
            };
            if text.get(at) == Some(&b'"') {
                self.rest = text.get(at + 1..).unwrap_or_default();
                return text.get(..at);
            }
            at += 2;
        }
    }

    /// Consumes a value; its number if it is a whole number or a string that holds one.
    fn integer(&mut self) -> Option<i64> {
        match self.peek()? {
            b'"' => match self.string() {
                Some(text) => std::str::from_utf8(text).ok()?.trim().parse().ok(),
                None => {
                    self.rest = &[];
                    None
                }
            },
            b'{' | b'[' => {
                self.value();
                None
            }
            _ => {
                let number = self.scalar();
                match number {
                    // At the very end of what was read the next digit may be missing.
                    _ if self.rest.is_empty() => None,
                    [digit @ b'0'..=b'9'] => Some(i64::from(digit - b'0')),
                    _ => std::str::from_utf8(number).ok()?.parse().ok(),
                }
            }
        }
    }

    /// Consumes a number, `true`, `false`, `null`, or whatever stands in their place.
    fn scalar(&mut self) -> &'a [u8] {
        let text = self.rest;
        let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n');
        let end = text.iter().position(ends).unwrap_or(text.len());
        self.rest = text.get(end..).unwrap_or_default();
        text.get(..end).unwrap_or_default()
    }

    /// Consumes a value of any kind; to the end of the body if it has none.
    fn value(&mut self) {
        let mut depth = 0_usize;
        loop {
            match self.peek() {
                None => return,
                Some(b'"') => {
                    if self.string().is_none() {
                        self.rest = &[];
                        return;
                    }
                }
                Some(b'{' | b'[') => {
                    self.skip();
                    depth += 1;
                }
                Some(b'}' | b']') => {
                    if depth == 0 {
                        return;
                    }
                    self.skip();
                    depth -= 1;
                }
                Some(b',' | b':') => {
                    if depth == 0 {
                        return;
                    }
                    self.skip();
                }
                Some(_) => self.word(),
            }
            if depth == 0 {
                return;
            }
        }
    }

    /// Consumes what stands outside strings and brackets; always at least one byte.
    fn word(&mut self) {
        let ends = |byte: &u8| ENDS_WORD[usize::from(*byte)];
        let end = self.rest.iter().position(ends).unwrap_or(self.rest.len());
        self.rest = self.rest.get(end..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::{Scan, scan};

    fn found(errcode: i64, errmsg: bool) -> Scan {
        Scan { errcode: Some(errcode), errmsg }
    }

    #[test]
    fn bodies_seen_in_the_wild_are_understood() {
        for (body, expected) in [
            (
                r#"{"errcode":40001,"errmsg":"invalid credential, access_token is invalid or not latest rid: 630b6db2-67134d6f-09abfa92"}"#,
                40001,
            ),
            (
                r#"{"errcode":40001,"errmsg":"invalid credential, access_token is invalid or not latest, could get access_token by getStableAccessToken, more details at https://mmbizurl.cn/s/JtxxFh33r rid: 654df33c-64386a2f-29857782"}"#,
                40001,
            ),
            (
                r#"{"errcode":40001,"errmsg":"invalid credential, access_token is invalid or not latest hint: [113faa02934469]"}"#,
                40001,
            ),
            (r#"{"errcode":42001,"errmsg":"access_token expired rid: 606b2c0a-0d7b5ab7-58e1b4d7"}"#, 42001),
            ("{\n  \"errcode\" : 40001,\n  \"errmsg\" :  \"invalid credential\"}", 40001),
            (
                r#"{"errcode":40164,"errmsg":"invalid ip 114.221.21.30 ipv6 ::ffff:114.221.21.30, not in whitelist rid: 658cff8e-7783352d-44cb33e5"}"#,
                40164,
            ),
            (r#"{"errcode":40125,"errmsg":"invalid appsecret, rid: 66b5fb8f-5e3c0071-3d7f539a"}"#, 40125),
            (
                r#"{"errcode":45009,"errmsg":"reach max api daily quota limit rid: 617682e0-09059ac5-34a8e2ea"}"#,
                45009,
            ),
            (r#"{"errcode":61023,"errmsg":"refresh_token is invalid hint: [Oto2JA02774731]"}"#, 61023),
            (
                r#"{"errcode":40082,"errmsg":"invalid suite_acccess_token or provider_access_token, hint: [..], from ip: .., more info at https://open.work.weixin.qq.com/devtool/query?e=40082"}"#,
                40082,
            ),
            (r#"{"base_resp":{"errcode":40001,"errmsg":"invalid credential"}}"#, 40001),
        ] {
            assert_eq!(scan(body.as_bytes()), found(expected, true), "{body}");
        }
    }

    #[test]
    fn every_form_of_the_code_counts() {
        for (body, expected) in [
            (r#"{"errcode":"40001"}"#, 40001),
            (r#"{"errcode":" 40001 "}"#, 40001),
            (r#"{"errcode":-1}"#, -1),
            (r#"{"errcode":"-40001"}"#, -40001),
            (r#"{"errcode":0}"#, 0),
            ("\u{feff}{\"errcode\":40014}", 40014),
            (r#"{"base_resp":{},"errcode":40001}"#, 40001),
            (" \r\n\t{ \"errcode\"\n:\t42001\r\n}", 42001),
            (r#"{"a":[1,{"b":"}"}],"c":"\\","errcode":40001}"#, 40001),
            (r#"{"errcode":0,"errcode":40001}"#, 40001),
            (r#"{"base_resp":{"errcode":40001},"errcode":0}"#, 0),
            (r#"{"base_resp":{"x":{"errcode":1},"errcode":40001}}"#, 40001),
            (r#"{"a":nonsense,"errcode":40001}"#, 40001),
            (r#"{"a":,"errcode":40001}"#, 40001),
        ] {
            assert_eq!(scan(body.as_bytes()), found(expected, false), "{body}");
        }
    }

    #[test]
    fn what_is_no_top_level_code_never_counts() {
        for body in [
            "",
            "   ",
            "\u{feff}",
            "errcode",
            r#"[{"errcode":40001}]"#,
            r#""errcode":40001"#,
            r#"{"list":[{"errcode":40001,"errmsg":"x"}]}"#,
            r#"{"item":{"errcode":40001,"errmsg":"x"}}"#,
            r#"{"item":{"base_resp":{"errcode":40001}}}"#,
            r#"{"base_resp":[{"errcode":40001}]}"#,
            r#"{"content":"{\"errcode\":40001}"}"#,
            r#"{"content":"\\\"errcode\":40001"}"#,
            r#"{"a":"errcode","b":40001}"#,
            r#"{"xerrcode":40001,"errcodes":40001,"Errcode":40001}"#,
            r#"{"errcode":null}"#,
            r#"{"errcode":true}"#,
            r#"{"errcode":40001.5}"#,
            r#"{"errcode":99999999999999999999}"#,
            r#"{"errcode":[40001]}"#,
            r#"{"errcode":"text"}"#,
            r#"{"errcode"}"#,
            r#"{"errcode"40001}"#,
            "GIF89a{\"errcode\":40001}",
        ] {
            assert_eq!(scan(body.as_bytes()).errcode, None, "{body}");
        }
    }

    #[test]
    fn an_errmsg_counts_only_beside_the_code() {
        assert_eq!(scan(br#"{"errmsg":"x","errcode":40001}"#), found(40001, true));
        assert_eq!(scan(br#"{"item":{"errmsg":"x"},"errcode":40001}"#), found(40001, false));
        assert_eq!(scan(br#"{"errmsg":"x","base_resp":{"errcode":40001}}"#), found(40001, false));
        assert_eq!(scan(br#"{"errcode":40001,"base_resp":{"errcode":1,"errmsg":"x"}}"#), found(40001, false));
    }

    #[test]
    fn invalid_json_in_nicknames_hides_nothing() {
        assert_eq!(scan(b"{\"nickname\":\"\x01\n\xff\xfe\xc3\",\"errcode\":40001}").errcode, Some(40001));
    }

    #[test]
    fn what_stands_before_the_cut_counts() {
        assert_eq!(scan(br#"{"errcode":40001,"errmsg":"invalid cre"#), found(40001, true));
        assert_eq!(scan(br#"{"errcode":40001,"list":[{"a":"#), found(40001, false));
        assert_eq!(scan(br#"{"errcode":40001,"a"#), found(40001, false));
        assert_eq!(scan(br#"{"errcode":40001 "#), found(40001, false));
        assert_eq!(scan(br#"{"errcode":4000"#).errcode, None, "the cut may have taken a digit");
        assert_eq!(scan(br#"{"errcode":"4000"#).errcode, None);
        assert_eq!(scan(br#"{"errcode":"#).errcode, None);
        assert_eq!(scan(br#"{"errcode"#).errcode, None);
        assert_eq!(scan(br#"{"a\"#).errcode, None);
    }

    /// What a strict parser says of the same body.
    fn oracle(body: &Value) -> Scan {
        let number = |value: Option<&Value>| match value {
            Some(Value::Number(number)) => number.as_i64(),
            Some(Value::String(text)) => text.trim().parse().ok(),
            _ => None,
        };
        let of = |value: &Value| Scan {
            errcode: number(value.get("errcode")),
            errmsg: value.get("errmsg").is_some(),
        };
        let own = of(body);
        match body.get("base_resp") {
            _ if own.errcode.is_some() || !body.is_object() => own,
            Some(nested) if nested.is_object() => of(nested),
            _ => Scan::default(),
        }
    }

    fn json() -> impl Strategy<Value = Value> {
        let key = prop_oneof![
            Just("errcode".to_owned()),
            Just("errmsg".to_owned()),
            Just("base_resp".to_owned()),
            ".{0,6}"
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            prop_oneof![Just(40001_i64), any::<i64>()].prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            prop_oneof![Just("40001".to_owned()), Just("\\\"errcode\":1".to_owned()), ".{0,12}"]
                .prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 6, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::vec((key.clone(), inner), 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn valid_json_is_read_as_a_parser_reads_it(body in json(), pretty in any::<bool>()) {
            let text = if pretty { serde_json::to_string_pretty(&body) } else { serde_json::to_string(&body) };
            let scan = scan(text.expect("serialises").as_bytes());
            let expected = oracle(&body);
            prop_assert_eq!(scan.errcode, expected.errcode);
            if scan.errcode.is_some() {
                prop_assert_eq!(scan.errmsg, expected.errmsg);
            }
        }

        #[test]
        fn a_cut_never_makes_up_a_code(body in json(), cut in any::<proptest::sample::Index>()) {
            let text = body.to_string();
            let seen = scan(&text.as_bytes()[..cut.index(text.len() + 1)]);
            let nested = body.get("base_resp").map(oracle).and_then(|scan| scan.errcode);
            let whole = oracle(&body).errcode;
            prop_assert!(seen.errcode.is_none() || seen.errcode == whole || seen.errcode == nested);
        }

        #[test]
        fn garbage_never_panics(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = scan(&body);
            let _ = scan(&[b"{\"errcode\"", &body[..]].concat());
        }
    }
}
