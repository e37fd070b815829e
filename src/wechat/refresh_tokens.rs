//! Finds the refresh tokens in WeChat's response: all other bytes are passed on unchanged.

use std::borrow::Cow;
use std::ops::Range;

use super::json::{DEEPEST, Reader};

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
    let mut reader = Reader::new(body);
    let mut found = Vec::new();
    object(&mut reader, DEEPEST, &mut found)?;
    found.sort_by_key(|found: &Found<'_>| found.place.start);
    reader.has_ended().then_some(found)
}

fn object<'a>(reader: &mut Reader<'a>, depth: usize, found: &mut Vec<Found<'a>>) -> Option<()> {
    let (mut appid, mut tokens) = (None, Vec::new());
    reader.object(|reader, name, _| {
        let is_text = reader.peek()? == b'"';
        match &*name {
            "authorizer_appid" | "appid" if is_text => appid = Some(reader.string()?.0),
            "refresh_token" | "authorizer_refresh_token" if is_text => tokens.push(reader.string()?),
            "refresh_token" | "authorizer_refresh_token" => {
                (reader.scalar()? == b"null").then_some(())?;
            }
            _ => reader.value(depth, &mut |reader, depth| object(reader, depth, found))?,
        }
        Some(())
    })?;
    found.extend(tokens.into_iter().map(|(token, place)| Found { appid: appid.clone(), token, place }));
    Some(())
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
