//! Finds the refresh tokens in an answer of WeChat's, in one pass without building a tree: all
//! other bytes go on unchanged.
//!
//! The structure must be valid JSON, or a reader that takes it differently could find a token that
//! was missed here.
//! Strings may hold what WeChat puts there: raw control characters and broken UTF-8 in nicknames.

use std::borrow::Cow;
use std::ops::Range;

/// Deeper nesting is refused as invalid JSON.
const DEEPEST: usize = 64;

/// A refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<'a> {
    /// The account that it belongs to, if the object that holds it names one.
    pub appid: Option<Cow<'a, str>>,
    /// The token.
    pub token: Cow<'a, str>,
    /// Where it stands, quotes included.
    pub place: Range<usize>,
}

/// Every `refresh_token` and `authorizer_refresh_token` of `body`, in its order; none if that isn't
/// a JSON object, or one of them is neither a string nor `null`.
pub fn find(body: &[u8]) -> Option<Vec<Found<'_>>> {
    let mut reader = Reader { body, at: 0, found: Vec::new() };
    if body.starts_with(b"\xef\xbb\xbf") {
        reader.at = 3;
    }
    if reader.peek()? != b'{' {
        return None;
    }
    reader.object(DEEPEST)?;
    if reader.peek().is_some() {
        return None;
    }
    reader.found.sort_by_key(|found| found.place.start);
    Some(reader.found)
}

struct Reader<'a> {
    body: &'a [u8],
    at: usize,
    found: Vec<Found<'a>>,
}

impl<'a> Reader<'a> {
    /// The next byte that isn't blank, which is not consumed.
    fn peek(&mut self) -> Option<u8> {
        let rest = self.body.get(self.at..)?;
        let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        self.at += rest.iter().position(|byte| !blank(byte)).unwrap_or(rest.len());
        self.body.get(self.at).copied()
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        match self.peek()? {
            b'{' => self.object(depth.checked_sub(1)?),
            b'[' => self.array(depth.checked_sub(1)?),
            b'"' => self.string().map(drop),
            _ => self.scalar().map(drop),
        }
    }

    fn object(&mut self, depth: usize) -> Option<()> {
        self.expect(b'{')?;
        let (mut appid, mut tokens) = (None, Vec::new());
        if self.peek()? == b'}' {
            return self.expect(b'}');
        }
        loop {
            let (name, _) = self.string()?;
            self.expect(b':')?;
            let is_text = self.peek()? == b'"';
            match &*name {
                "authorizer_appid" | "appid" if is_text => appid = Some(self.string()?.0),
                "refresh_token" | "authorizer_refresh_token" if is_text => tokens.push(self.string()?),
                "refresh_token" | "authorizer_refresh_token" => {
                    (self.scalar()? == b"null").then_some(())?;
                }
                _ => self.value(depth)?,
            }
            if self.peek()? == b'}' {
                break;
            }
            self.expect(b',')?;
        }
        let found = |(token, place)| Found { appid: appid.clone(), token, place };
        self.found.extend(tokens.into_iter().map(found));
        self.expect(b'}')
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        self.expect(b'[')?;
        if self.peek()? == b']' {
            return self.expect(b']');
        }
        loop {
            self.value(depth)?;
            if self.peek()? == b']' {
                return self.expect(b']');
            }
            self.expect(b',')?;
        }
    }

    /// Consumes a string; what it says, and where it stands.
    fn string(&mut self) -> Option<(Cow<'a, str>, Range<usize>)> {
        self.peek();
        let start = self.at;
        self.expect(b'"')?;
        loop {
            let rest = self.body.get(self.at..)?;
            self.at += memchr::memchr2(b'"', b'\\', rest)?;
            if self.body.get(self.at) == Some(&b'"') {
                break;
            }
            self.at += 2;
        }
        let raw = self.body.get(start + 1..self.at)?;
        self.at += 1;
        let quoted = self.body.get(start..self.at)?;
        let plain = || String::from_utf8_lossy(raw);
        let text = match memchr::memchr(b'\\', raw) {
            None => plain(),
            Some(_) => serde_json::from_slice(quoted).map_or_else(|_| plain(), Cow::Owned),
        };
        Some((text, start..self.at))
    }

    /// Consumes a number, `true`, `false` or `null`.
    fn scalar(&mut self) -> Option<&'a [u8]> {
        self.peek();
        let rest = self.body.get(self.at..)?;
        let part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        let scalar = rest.get(..rest.iter().position(|byte| !part(byte)).unwrap_or(rest.len()))?;
        let is_number = || {
            let text = std::str::from_utf8(scalar).ok()?;
            text.starts_with(|first: char| first == '-' || first.is_ascii_digit())
                .then(|| text.parse::<f64>().ok())?
        };
        if !matches!(scalar, b"true" | b"false" | b"null") {
            is_number()?;
        }
        self.at += scalar.len();
        Some(scalar)
    }
}

#[cfg(test)]
mod tests {
    use super::find;

    /// Each as (appid, token, what stands at its place).
    fn found(body: &str) -> Vec<(Option<String>, String, String)> {
        let found = find(body.as_bytes()).unwrap_or_else(|| panic!("no JSON: {body}"));
        let row = |found: super::Found<'_>| {
            let place = body[found.place].to_owned();
            (found.appid.map(Into::into), found.token.into_owned(), place)
        };
        found.into_iter().map(row).collect()
    }

    fn row(appid: Option<&str>, token: &str, place: &str) -> (Option<String>, String, String) {
        (appid.map(Into::into), token.into(), place.into())
    }

    #[test]
    fn both_names_are_found_at_any_depth_with_the_account_beside_them() {
        assert_eq!(
            found(
                r#" {"list":[{"authorizer_appid":"wx1","refresh_token":"t1","auth_time":1.50e3},
                {"refresh_token" : "t2" , "authorizer_appid" : "wx2"}],
                "a":{"authorizer_refresh_token":"t3","b":[[{"appid":"wx4","x":{"refresh_token":"t5"},
                "authorizer_refresh_token":"t4"}]]},"total_count":2} "#
            ),
            [
                row(Some("wx1"), "t1", "\"t1\""),
                row(Some("wx2"), "t2", "\"t2\""),
                row(None, "t3", "\"t3\""),
                row(None, "t5", "\"t5\""),
                row(Some("wx4"), "t4", "\"t4\""),
            ]
        );
    }

    #[test]
    fn a_name_may_be_spelled_with_escapes_and_stand_twice() {
        assert_eq!(
            found(r#"{"refresh\u005ftoken":"a\/b\"c","refresh_token":"d","refresh_token":null}"#),
            [row(None, "a/b\"c", r#""a\/b\"c""#), row(None, "d", "\"d\"")]
        );
    }

    #[test]
    fn what_only_looks_like_one_is_none() {
        for body in [
            r#"{"x":"\"refresh_token\":\"t\"","refresh_tokens":"t","y":["refresh_token","t"]}"#,
            r#"{"refresh_token":null,"authorizer_refresh_token" : null}"#,
            r#"{"errcode":61007,"errmsg":"api is unauthorized to component"}"#,
            "{}",
            "\u{feff}{\"a\":[]}",
            "{\"nick_name\":\"a\u{1}b\nc\"}",
        ] {
            assert_eq!(found(body), [], "{body}");
        }
        assert_eq!(find(b"{\"nick_name\":\"\xff\xfe\"}"), Some(vec![]));
    }

    #[test]
    fn what_others_may_read_differently_is_no_json() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100), "]".repeat(100));
        for body in [
            "",
            "null",
            "[]",
            "\"t\"",
            "<html>",
            "{",
            "{\"a\":1",
            "{\"a\":1}}",
            "{\"a\":1} {\"refresh_token\":\"t\"}",
            "{\"a\":1,}",
            "{\"a\" \"b\"}",
            "{a:1}",
            "{'refresh_token':'t'}",
            "{\"a\":[1}",
            "{\"a\":tru}",
            "{\"a\":refreshtoken}",
            "{\"a\":\"b}",
            "{\"a\":\"b\\",
            "{\"refresh_token\":1}",
            "{\"refresh_token\":[\"t\"]}",
            "{\"refresh_token\":{\"a\":\"t\"}}",
            "/* */{}",
            &deep,
        ] {
            assert_eq!(find(body.as_bytes()), None, "{body}");
        }
    }
}
