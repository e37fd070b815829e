//! Raw editing of the query: credentials out and in, every other byte as it was.

use bytes::Bytes;

use super::parameter::{parameters, split};
use crate::message::credential::{CredentialParam, SECRETS, secrets_in};
use crate::message::percent::Decoded;
use crate::secret::encoded::encoded;

/// `path?query` with `inject` at the end, whose value is encoded; for a query that holds no token.
pub fn append(path: &str, query: Option<&str>, inject: Option<(CredentialParam, &str)>) -> Bytes {
    let query = query.unwrap_or_default();
    let injected_len = inject.map_or(0, |(param, value)| param.name().len() + 2 + value.len());
    let query_len = if query.is_empty() { 0 } else { query.len() + 1 };
    let mut out = Out::new(path, query_len + injected_len);
    if !query.is_empty() {
        out.put(query);
    }
    if let Some((param, value)) = inject {
        out.put_token(param, value);
    }
    out.finish()
}

/// `path?query` without the caller's credentials, however their names are spelt, and with `inject`,
/// whose value is encoded: where the first of them stood, else at the end.
///
/// All other bytes stay as they were, empty parameters included; there is no `?` if nothing follows
/// it.
pub fn rewrite(path: &str, query: Option<&str>, mut inject: Option<(CredentialParam, &str)>) -> Bytes {
    let injected_len = inject.map_or(0, |(param, value)| param.name().len() + 2 + value.len());
    let mut out = Out::new(path, query.map_or(0, str::len) + 1 + injected_len);
    for parameter in parameters(query) {
        if parameter.token.is_none() {
            out.put(parameter.text);
        } else if let Some((param, value)) = inject.take() {
            out.put_token(param, value);
        }
    }
    if let Some((param, value)) = inject {
        out.put_token(param, value);
    }
    out.finish()
}

/// `path?query` without the caller's credentials and secrets, and with each of `params` set: where
/// its first spelling stood, else at the end; further spellings go. A secret stands for any of
/// them. For endpoints that are called once per login, not per request.
pub fn set(path: &str, query: Option<&str>, params: &[(&str, &str)]) -> Bytes {
    let mut missing = params.to_vec();
    let mut out = Out::new(path, 0);
    for parameter in parameters(query).filter(|parameter| parameter.token.is_none()) {
        let name = split(parameter.text).0;
        let is_secret = secrets_in(parameter.text.as_bytes()).next().is_some();
        let is_meant =
            |known: &str| is_secret && SECRETS.contains(&known) || Decoded(name.as_bytes()).eq(known.bytes());
        if let Some(at) = missing.iter().position(|(known, _)| is_meant(known)) {
            let (name, value) = missing.remove(at);
            out.put_param(name, &encoded(value));
        } else if !is_secret && !params.iter().any(|(known, _)| is_meant(known)) {
            out.put(parameter.text);
        }
    }
    for (name, value) in missing {
        out.put_param(name, &encoded(value));
    }
    out.finish()
}

/// A path and query in the making.
struct Out {
    bytes: Vec<u8>,
    /// Length of the path.
    path: usize,
    separator: u8,
}

impl Out {
    /// With room for so much of a query and its separators: where that is exact, the conversion to
    /// `Bytes` needs no second allocation.
    fn new(path: &str, query_length: usize) -> Self {
        let mut bytes = Vec::with_capacity(path.len() + query_length);
        bytes.extend_from_slice(path.as_bytes());
        Self { bytes, path: path.len(), separator: b'?' }
    }

    fn put(&mut self, text: &str) {
        self.bytes.push(self.separator);
        self.separator = b'&';
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn put_param(&mut self, name: &str, value: &str) {
        self.put(name);
        self.bytes.push(b'=');
        self.bytes.extend_from_slice(value.as_bytes());
    }

    fn put_token(&mut self, param: CredentialParam, value: &str) {
        self.put_param(param.name(), value);
    }

    fn finish(mut self) -> Bytes {
        if self.bytes.len() == self.path + 1 {
            self.bytes.truncate(self.path);
        }
        Bytes::from(self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{encoded, rewrite, set};
    use crate::message::credential::CredentialParam::{AccessToken, ComponentAccessToken};
    use crate::message::query::{MayHold, credentials, get, others};

    fn with_token(query: &str) -> String {
        String::from_utf8(rewrite("/p", Some(query), Some((AccessToken, "NEW"))).to_vec()).expect("ASCII")
    }

    fn without(query: &str) -> String {
        String::from_utf8(rewrite("/p", Some(query), None).to_vec()).expect("ASCII")
    }

    #[test]
    fn the_token_takes_the_place_of_the_first_credential() {
        for (query, expected) in [
            ("access_token=OLD", "/p?access_token=NEW"),
            ("access_token=OLD&a=1", "/p?access_token=NEW&a=1"),
            ("a=1&access_token=OLD&b=2", "/p?a=1&access_token=NEW&b=2"),
            ("a=1&access_token=OLD", "/p?a=1&access_token=NEW"),
            ("a=1&access_token=X&b=2&access_token=Y", "/p?a=1&access_token=NEW&b=2"),
            ("component_access_token=X&b=2&access_token=Y", "/p?access_token=NEW&b=2"),
            ("access_token", "/p?access_token=NEW"),
            ("&access_token=&", "/p?&access_token=NEW&"),
            ("access_token=OLD?type=image", "/p?access_token=NEW&type=image"),
            ("access_token?type=image", "/p?access_token=NEW&type=image"),
            ("?access_token=OLD?type=image", "/p?access_token=NEW&type=image"),
            ("?access_token?type=image", "/p?access_token=NEW&type=image"),
            ("access_token=OLD?a=1?b&c=2", "/p?access_token=NEW&a=1?b&c=2"),
            ("access_token=X?access_token=Y?type=image", "/p?access_token=NEW&type=image"),
            ("access_token=OLD%3Fa=1&url=x?access_token", "/p?access_token=NEW&url=x?access_token"),
            // A misspelt one goes as well, whole, and gives its place.
            ("Access_Token=X&a=1&access_token=Y", "/p?access_token=NEW&a=1"),
            ("a=1;access_token=X&b=2", "/p?access_token=NEW&b=2"),
            ("a=1&amp;access_token=X&b=2", "/p?a=1&access_token=NEW&b=2"),
            ("a=1;b;access-token=X?c=3;access.token=Y&d", "/p?access_token=NEW&d"),
            ("a=1;b;access-token=X?c=3?d", "/p?access_token=NEW&c=3?d"),
            ("access_token=X;type=image", "/p?access_token=NEW"),
        ] {
            assert_eq!(with_token(query), expected, "{query}");
        }
    }

    #[test]
    fn a_set_parameter_stands_where_its_first_spelling_stood() {
        let params = [("appid", "wx1"), ("secret", "s+1")];
        for (query, expected) in [
            (None, "/p?appid=wx1&secret=s%2B1"),
            (Some("secret=K&js_code=%61&appid=A"), "/p?secret=s%2B1&js_code=%61&appid=wx1"),
            (Some("%73ecret=K&a&&secret=L&access_token=T"), "/p?secret=s%2B1&a&&appid=wx1"),
            (Some("Secret=K&my_secret=L"), "/p?secret=s%2B1&my_secret=L&appid=wx1"),
            (Some("a&b;secret=K&app.secret=L&Access_Token=T"), "/p?a&secret=s%2B1&appid=wx1"),
            (Some("secret[]=K&AppId=x"), "/p?secret=s%2B1&AppId=x&appid=wx1"),
        ] {
            assert_eq!(set("/p", query, &params), expected, "{query:?}");
        }
        // The secret is in the form.
        assert_eq!(set("/p", Some("SECRET=K&a=1"), &params[..1]), "/p?a=1&appid=wx1");
        assert_eq!(set("/p", Some("secret=K"), &[]), "/p");
    }

    #[test]
    fn the_token_is_appended_where_no_credential_stood() {
        for (query, expected) in [
            ("", "/p?access_token=NEW"),
            ("openid=O", "/p?openid=O&access_token=NEW"),
            ("a&&b", "/p?a&&b&access_token=NEW"),
            ("a=%E4%BD%A0+%2f", "/p?a=%E4%BD%A0+%2f&access_token=NEW"),
            ("x=access_token=y", "/p?x=access_token=y&access_token=NEW"),
            ("my_access_token=y", "/p?my_access_token=y&access_token=NEW"),
            ("%2561ccess_token=y", "/p?%2561ccess_token=y&access_token=NEW"),
            ("a=1?access_token=X", "/p?a=1?access_token=X&access_token=NEW"),
            ("a?access_token=X", "/p?a?access_token=X&access_token=NEW"),
            ("a=1;b=access_token", "/p?a=1;b=access_token&access_token=NEW"),
        ] {
            assert_eq!(with_token(query), expected, "{query}");
        }
        assert_eq!(rewrite("/p", None, Some((AccessToken, "NEW"))), "/p?access_token=NEW");
    }

    #[test]
    fn every_spelling_of_a_credential_is_removed() {
        for query in [
            "access_token=x",
            "%61ccess_token=x",
            "access%5Ftoken=x",
            "%61%63%63%65%73%73%5f%74%6f%6b%65%6e=x",
            "component_access_token=x",
            "suite_access_token=x",
            "provider%5Faccess_token=x",
            "cloudbase_access_token=x",
            "ACCESS_TOKEN=x",
            "access.token=x",
            "access_token%00=x",
            "access%20token=x",
            "access+token=x",
            "access_token[]=x",
            "access_token?=x",
            "access?token=x",
            "?access_token=x",
            "amp;access_token=x",
            "Suite-Access-Token",
            "z;component.access.token",
        ] {
            assert_eq!(without(query), "/p", "{query}");
            assert_eq!(without(&format!("a=1&{query}&b=2")), "/p?a=1&b=2", "{query}");
            assert_eq!(
                credentials(query).map(|(_, value)| value.len()).collect::<Vec<_>>(),
                [query.ends_with('x') as usize]
            );
            assert!(MayHold::of(query).tokens && MayHold::of(&format!("openid=O&{query}")).tokens, "{query}");
        }
    }

    #[test]
    fn nothing_left_means_no_question_mark() {
        assert_eq!(without(""), "/p");
        assert_eq!(without("access_token=x&access_token=y"), "/p");
        assert_eq!(without("access_token=x&"), "/p");
        assert_eq!(rewrite("/p", None, None), "/p");
    }

    #[test]
    fn an_injected_value_cannot_add_a_parameter() {
        let value = encoded("a&b=c d%\u{4f60}-._~");
        let out = rewrite("/p", None, Some((ComponentAccessToken, &value)));
        assert_eq!(out, "/p?component_access_token=a%26b%3Dc%20d%25%E4%BD%A0-._~");
    }

    #[test]
    fn only_an_exact_name_is_no_other_parameter() {
        let found = |query| others(query).map(String::from).collect::<Vec<_>>();
        assert_eq!(found("access%5ftoken=T&a=%41&Access_Token=T"), ["a=A", "Access_Token=T"]);
        assert_eq!(
            found("access_token=T;access_token=U&b;access_token=V"),
            [";access_token=U", "b;access_token=V"]
        );
        assert_eq!(found("access_token=T?amp;access_token=U"), ["amp;access_token=U"]);
    }

    #[test]
    fn ordinary_queries_hold_no_credential() {
        for query in
            ["", "openid=oAccess_token&lang=zh_CN", "next_openid=&count=1", "a=secret&b;c=d", "js_token=1"]
        {
            assert_eq!(MayHold::of(query), MayHold::default(), "{query}");
        }
        let found = MayHold::of("access_token=T?secret=K");
        assert!(found.tokens && found.secrets);
        for query in ["secret=x", "a=1;Secret", "app-secret[]=1", "%73ecret=1"] {
            let found = MayHold::of(query);
            assert!(!found.tokens && found.secrets, "{query}");
            assert_eq!(found.encoded, query.contains('%'), "{query}");
        }
        for query in ["from_appid=wx1", "a=1&from_appid", "b;from_appid=wx1", "&from_appid=&c"] {
            assert!(MayHold::of(query).app, "{query}");
        }
    }

    fn query() -> impl Strategy<Value = String> {
        let name = prop_oneof![
            Just("access_token".to_owned()),
            Just("%61ccess_token".to_owned()),
            Just("component_access%5Ftoken".to_owned()),
            Just("suite_access_token".to_owned()),
            "[._ +;]{0,2}ACCESS[-_.]{0,2}(%00)?token(%5B|\\[)?",
            "[a-zA-Z_%+;]{0,6}",
            "%[0-9a-fA-Gg]{0,3}",
            "[ -%'->@-~]{0,12}",
        ];
        let segment = prop_oneof![
            name.clone(),
            // Without a `?`, which a form parser has no rule for.
            (name, "[ -%'->@-~]{0,8}").prop_map(|(name, value)| format!("{name}={value}")),
        ];
        proptest::collection::vec(segment, 0..8).prop_map(|segments| segments.join("&"))
    }

    fn pairs(query: &str) -> Vec<(String, String)> {
        form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }

    /// As a form parser finds it, which knows of no `;`.
    fn holds_token(segment: &str) -> bool {
        segment.split(';').any(|piece| {
            let name = piece.split('=').next().unwrap_or_default();
            let name = pairs(name).into_iter().next().unwrap_or_default().0;
            let letters: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
            let prefix = letters.to_ascii_lowercase();
            prefix
                .strip_suffix("accesstoken")
                .is_some_and(|kind| ["", "component", "suite", "provider", "cloudbase"].contains(&kind))
        })
    }

    proptest! {
        #[test]
        fn rewriting_takes_out_what_a_form_parser_finds(query in query(), token in "[ -~]{1,20}") {
            let out = rewrite("/p", Some(&query), Some((AccessToken, &encoded(&token))));
            let out = std::str::from_utf8(&out).expect("ASCII");
            let out = out.strip_prefix("/p?").expect("a query");
            let injected = pairs(out).into_iter().find(|(name, _)| name == "access_token");
            prop_assert_eq!(injected, Some(("access_token".to_owned(), token)));
            let mut seen: Vec<_> = out.split('&').collect();
            let at = seen.iter().position(|segment| holds_token(segment)).expect("a token");
            let before: Vec<_> = query.split('&').filter(|_| !query.is_empty()).collect();
            let place = before.iter().position(|segment| holds_token(segment)).unwrap_or(before.len());
            prop_assert_eq!(at, place);
            seen.remove(at);
            let kept: Vec<_> = before.into_iter().filter(|segment| !holds_token(segment)).collect();
            prop_assert_eq!(seen, kept);
        }

        #[test]
        fn nothing_is_found_where_nothing_may_be(query in query()) {
            prop_assert!(MayHold::of(&query).tokens || credentials(&query).next().is_none());
            let found = query.split('&').filter(|segment| holds_token(segment)).count();
            prop_assert_eq!(credentials(&query).count(), found);
        }

        #[test]
        fn looking_up_agrees_with_a_form_parser(query in query(), name in "[a-z_%]{1,4}") {
            let expected = pairs(&query).into_iter().find(|(n, _)| *n == name).map(|(_, v)| v);
            prop_assert_eq!(get(&query, &name).map(String::from), expected);
        }
    }
}
