//! Raw editing of the query: credentials out and in, every other byte as it was.
//!
//! Nothing is decoded and encoded again: signatures and upload tickets in a query don't survive
//! that.

use std::borrow::Cow;
use std::sync::LazyLock;

use bytes::Bytes;
use memchr::memmem::Finder;

/// A query parameter that carries one of WeChat's credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CredentialParam {
    /// The app's own token, and the user's OAuth token.
    AccessToken,
    /// A third-party platform's.
    ComponentAccessToken,
    /// A WeCom suite's.
    SuiteAccessToken,
    /// A WeCom service provider's.
    ProviderAccessToken,
    /// Cloud hosting's, which WeChat takes in place of the first two.
    CloudbaseAccessToken,
}

/// What each name ends with; a query without it and without `%` holds no credential.
const COMMON_END: &[u8] = b"access_token";
/// Length of the longest name.
const LONGEST_NAME: usize = 22;

static COMMON_END_FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(COMMON_END));

impl CredentialParam {
    /// The parameter's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::AccessToken => "access_token",
            Self::ComponentAccessToken => "component_access_token",
            Self::SuiteAccessToken => "suite_access_token",
            Self::ProviderAccessToken => "provider_access_token",
            Self::CloudbaseAccessToken => "cloudbase_access_token",
        }
    }

    /// The one whose name is `name`.
    pub fn named(name: &str) -> Option<Self> {
        Self::from_name(name.as_bytes())
    }

    fn from_name(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"access_token" => Self::AccessToken,
            b"component_access_token" => Self::ComponentAccessToken,
            b"suite_access_token" => Self::SuiteAccessToken,
            b"provider_access_token" => Self::ProviderAccessToken,
            b"cloudbase_access_token" => Self::CloudbaseAccessToken,
            _ => return None,
        })
    }

    /// The credential whose name a raw `name=value` segment spells.
    fn of_segment(segment: &str) -> Option<Self> {
        Self::spelled(split(segment).0.as_bytes())
    }

    /// The one whose name decodes once from `name`.
    pub(super) fn spelled(name: &[u8]) -> Option<Self> {
        if memchr::memchr(b'%', name).is_none() {
            return Self::from_name(name);
        }
        let mut decoded = [0; LONGEST_NAME];
        let mut length = 0;
        for byte in Decoded(name) {
            *decoded.get_mut(length)? = byte;
            length += 1;
        }
        Self::from_name(decoded.get(..length)?)
    }
}

/// Every credential in the query, by any spelling of its name that decodes to it once, with its
/// decoded value.
pub fn credentials(query: &str) -> impl Iterator<Item = (CredentialParam, Cow<'_, str>)> {
    segments(Some(query))
        .filter_map(|segment| Some((CredentialParam::of_segment(segment)?, decode(split(segment).1))))
}

/// All other parameters, by name and value decoded.
pub fn others(query: &str) -> impl Iterator<Item = Cow<'_, str>> {
    segments(Some(query)).filter(|segment| CredentialParam::of_segment(segment).is_none()).map(decode)
}

/// The raw parameters. No token has a `?` in it, so a `?` behind one was typed for an `&`, and a
/// parameter follows it.
fn segments(query: Option<&str>) -> impl Iterator<Item = &str> {
    let mut rest = query;
    std::iter::from_fn(move || {
        let left = rest?;
        let mut end = memchr::memchr(b'&', left.as_bytes()).unwrap_or(left.len());
        if let Some(at) = memchr::memchr(b'?', &left.as_bytes()[..end])
            && CredentialParam::of_segment(&left[..end]).is_some()
        {
            end = at;
        }
        rest = left.get(end + 1..);
        Some(&left[..end])
    })
}

/// `path?query` without the caller's credentials and with `inject`: where the first of them stood,
/// else at the end.
///
/// All other bytes stay as they were, empty parameters included; there is no `?` if nothing follows
/// it.
pub fn rewrite(path: &str, query: Option<&str>, inject: Option<(CredentialParam, &str)>) -> Bytes {
    let query = query.unwrap_or_default();
    let parts = Parts::of(query, inject.is_some());
    let mut inject = inject.map(|(param, value)| (param, encoded(value)));
    let injected_len = inject.as_ref().map_or(0, |(param, value)| param.name().len() + 1 + value.len());
    // The length is exact so that the conversion to `Bytes` needs no second allocation.
    let query_len = parts.kept_len + injected_len + parts.separators();
    let mut out = Vec::with_capacity(path.len() + usize::from(query_len > 0) + query_len);
    out.extend_from_slice(path.as_bytes());
    let mut separator = b'?';
    if query_len == 0 {
        return Bytes::from(out);
    }
    let mut put = |out: &mut Vec<u8>, piece: Piece<'_>| {
        out.push(separator);
        separator = b'&';
        match piece {
            Piece::Kept(bytes) => out.extend_from_slice(bytes.as_bytes()),
            Piece::Injected(param, value) => {
                out.extend_from_slice(param.name().as_bytes());
                out.push(b'=');
                out.extend_from_slice(value.as_bytes());
            }
        }
    };
    if parts.removed == 0 {
        if !query.is_empty() {
            put(&mut out, Piece::Kept(query));
        }
    } else {
        for segment in segments(Some(query)) {
            if CredentialParam::of_segment(segment).is_none() {
                put(&mut out, Piece::Kept(segment));
            } else if let Some((param, value)) = inject.take() {
                put(&mut out, Piece::Injected(param, value));
            }
        }
    }
    if let Some((param, value)) = inject {
        put(&mut out, Piece::Injected(param, value));
    }
    Bytes::from(out)
}

/// The names of an app's secret. A caller's own may be its API key.
pub const SECRETS: [&str; 2] = ["secret", "appsecret"];

/// `path?query` without the caller's credentials and secrets, and with each of `params` set: where
/// its first spelling stood, else at the end; further spellings go. For endpoints that are called
/// once per login, not per request.
pub fn set(path: &str, query: Option<&str>, params: &[(&str, &str)]) -> Bytes {
    let mut missing = params.to_vec();
    let mut pieces: Vec<Cow<'_, str>> = Vec::new();
    for segment in segments(query) {
        let name = split(segment).0;
        if CredentialParam::of_segment(segment).is_some() {
            continue;
        }
        let is_named = |known: &str| Decoded(name.as_bytes()).eq(known.bytes());
        if let Some(at) = missing.iter().position(|(known, _)| is_named(known)) {
            let (name, value) = missing.remove(at);
            pieces.push(format!("{name}={}", encoded(value)).into());
        } else if !params.iter().map(|(known, _)| *known).chain(SECRETS).any(is_named) {
            pieces.push(segment.into());
        }
    }
    pieces.extend(missing.iter().map(|(name, value)| Cow::from(format!("{name}={}", encoded(value)))));
    if pieces.is_empty() {
        return Bytes::copy_from_slice(path.as_bytes());
    }
    Bytes::from(format!("{path}?{}", pieces.join("&")))
}

enum Piece<'a> {
    Kept(&'a str),
    Injected(CredentialParam, Cow<'a, str>),
}

/// What a query is made of, counted before it is rewritten.
struct Parts {
    /// Pieces that will be written, an untouched query being one.
    written: usize,
    /// Bytes of the kept ones.
    kept_len: usize,
    /// Credentials that go.
    removed: usize,
}

impl Parts {
    fn of(query: &str, injects: bool) -> Self {
        let mut parts = Self { written: 0, kept_len: 0, removed: 0 };
        if may_hold_credential(query) {
            for segment in segments(Some(query)) {
                if CredentialParam::of_segment(segment).is_some() {
                    parts.removed += 1;
                } else {
                    parts.written += 1;
                    parts.kept_len += segment.len();
                }
            }
        }
        if parts.removed == 0 {
            parts.written = usize::from(!query.is_empty());
            parts.kept_len = query.len();
        }
        parts.written += usize::from(injects);
        parts
    }

    /// How many `&` go between the pieces.
    fn separators(&self) -> usize {
        self.written.saturating_sub(1)
    }
}

/// The decoded value of the first parameter whose decoded name is `name`.
pub fn get<'a>(query: &'a str, name: &str) -> Option<Cow<'a, str>> {
    get_all(query, name).next()
}

/// The decoded values of all parameters whose decoded name is `name`.
pub fn get_all<'a>(query: &'a str, name: &str) -> impl Iterator<Item = Cow<'a, str>> {
    let named = query.split('&').map(split).filter(|(raw, _)| Decoded(raw.as_bytes()).eq(name.bytes()));
    named.map(|(_, value)| decode(value))
}

/// Takes the parameters with the name that `name` finds out of a query, by any spelling that
/// decodes to it once: their decoded values, and what is left, byte for byte. None if there is no
/// such parameter.
pub fn take<'a>(query: &'a str, name: &Finder<'_>) -> Option<(Vec<Cow<'a, str>>, String)> {
    let is_named = |segment: &str| Decoded(split(segment).0.as_bytes()).eq(name.needle().iter().copied());
    let may_be_named =
        name.find(query.as_bytes()).is_some() || memchr::memchr(b'%', query.as_bytes()).is_some();
    if !may_be_named || !query.split('&').any(is_named) {
        return None;
    }
    let (taken, kept): (Vec<_>, Vec<_>) = query.split('&').partition(|segment| is_named(segment));
    Some((taken.into_iter().map(|segment| decode(split(segment).1)).collect(), kept.join("&")))
}

/// Most names that [`keys`] shows.
const MAX_KEYS: usize = 20;
/// Longest name that [`keys`] shows.
const MAX_KEY: usize = 40;
/// Longest one without a `=`: a longer one may be a token pasted into the URL.
const MAX_BARE_KEY: usize = 24;

/// The parameters' names for a log line, joined by `,`; never a value.
///
/// What can't be a parameter's name (too long, or too long without a `=`) is shown as `?`, as is
/// each character that isn't printable ASCII; names past the twentieth are shown as `...`.
pub fn keys(query: &str) -> String {
    let mut shown = String::new();
    let segments = query.split('&').filter(|segment| !segment.is_empty());
    for (index, segment) in segments.enumerate() {
        if index > 0 {
            shown.push(',');
        }
        if index == MAX_KEYS {
            shown.push_str("...");
            break;
        }
        let name = split(segment).0;
        let limit = if segment.contains('=') { MAX_KEY } else { MAX_BARE_KEY };
        if name.len() > limit {
            shown.push('?');
        } else {
            let printable = |c: char| if c.is_ascii_graphic() && c != ',' { c } else { '?' };
            shown.extend(name.chars().map(printable));
        }
    }
    shown
}

/// Whether a look for credentials may find one; most queries of services have none.
pub fn may_hold_credential(query: &str) -> bool {
    let query = query.as_bytes();
    COMMON_END_FINDER.find(query).is_some() || memchr::memchr(b'%', query).is_some()
}

/// Raw name and value; a segment without `=` is all name.
fn split(segment: &str) -> (&str, &str) {
    segment.split_once('=').unwrap_or((segment, ""))
}

fn decode(raw: &str) -> Cow<'_, str> {
    if memchr::memchr2(b'%', b'+', raw.as_bytes()).is_none() {
        return Cow::Borrowed(raw);
    }
    let bytes: Vec<u8> = Decoded(raw.as_bytes()).collect();
    Cow::Owned(
        String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()),
    )
}

/// The bytes of one form-decoding: `+` is a space, a `%` without two hexadecimal digits stands for
/// itself.
pub(super) struct Decoded<'a>(pub(super) &'a [u8]);

impl Iterator for Decoded<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        if first == b'%'
            && let [high, low, rest @ ..] = rest
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            self.0 = rest;
            return Some(high << 4 | low);
        }
        self.0 = rest;
        Some(if first == b'+' { b' ' } else { first })
    }
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() | (byte == b'-') | (byte == b'.') | (byte == b'_') | (byte == b'~')
}

pub(super) fn encoded(value: &str) -> Cow<'_, str> {
    // Every byte is looked at, whatever the first ones are: so the compiler can compare many at
    // once.
    if value.bytes().fold(true, |plain, byte| plain & is_unreserved(byte)) {
        return Cow::Borrowed(value);
    }
    let digit = |nibble: u8| char::from(b"0123456789ABCDEF"[usize::from(nibble)]);
    let mut out = String::with_capacity(value.len() * 3);
    for byte in value.bytes() {
        if is_unreserved(byte) {
            out.push(char::from(byte));
        } else {
            out.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use memchr::memmem::Finder;
    use proptest::prelude::*;

    use super::CredentialParam::{AccessToken, ComponentAccessToken};
    use super::{CredentialParam, credentials, get, keys, rewrite, set, take};

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
            ("access_token=OLD?a=1?b&c=2", "/p?access_token=NEW&a=1?b&c=2"),
            ("access_token=X?access_token=Y?type=image", "/p?access_token=NEW&type=image"),
            ("access_token=OLD%3Fa=1&url=x?access_token", "/p?access_token=NEW&url=x?access_token"),
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
            (Some("Secret=K&my_secret=L"), "/p?Secret=K&my_secret=L&appid=wx1&secret=s%2B1"),
        ] {
            assert_eq!(set("/p", query, &params), expected, "{query:?}");
        }
    }

    #[test]
    fn the_token_is_appended_where_no_credential_stood() {
        for (query, expected) in [
            ("", "/p?access_token=NEW"),
            ("openid=O", "/p?openid=O&access_token=NEW"),
            ("a&&b", "/p?a&&b&access_token=NEW"),
            ("a=%E4%BD%A0+%2f", "/p?a=%E4%BD%A0+%2f&access_token=NEW"),
            ("Access_Token=x", "/p?Access_Token=x&access_token=NEW"),
            ("a;access_token=x", "/p?a;access_token=x&access_token=NEW"),
            ("x=access_token=y", "/p?x=access_token=y&access_token=NEW"),
            ("my_access_token=y", "/p?my_access_token=y&access_token=NEW"),
            ("%2561ccess_token=y", "/p?%2561ccess_token=y&access_token=NEW"),
        ] {
            assert_eq!(with_token(query), expected, "{query}");
        }
        assert_eq!(rewrite("/p", None, Some((AccessToken, "NEW"))), "/p?access_token=NEW");
    }

    #[test]
    fn every_spelling_that_decodes_once_to_a_credential_is_removed() {
        for query in [
            "access_token=x",
            "%61ccess_token=x",
            "access%5Ftoken=x",
            "access%5ftoken=x",
            "%61%63%63%65%73%73%5f%74%6f%6b%65%6e",
            "component_access_token=x",
            "suite_access_token=x",
            "provider%5Faccess_token=x",
            "cloudbase_access_token=x",
        ] {
            assert_eq!(without(query), "/p", "{query}");
            assert_eq!(without(&format!("a=1&{query}&b=2")), "/p?a=1&b=2", "{query}");
            assert_eq!(credentials(query).count(), 1, "{query}");
        }
    }

    #[test]
    fn nothing_left_means_no_question_mark() {
        assert_eq!(without(""), "/p");
        assert_eq!(without("access_token=x&access_token=y"), "/p");
        assert_eq!(rewrite("/p", None, None), "/p");
    }

    #[test]
    fn an_injected_value_cannot_add_a_parameter() {
        let out = rewrite("/p", None, Some((ComponentAccessToken, "a&b=c d%\u{4f60}-._~")));
        assert_eq!(out, "/p?component_access_token=a%26b%3Dc%20d%25%E4%BD%A0-._~");
    }

    #[test]
    fn values_are_decoded_once() {
        let query = "openid=O%2541&access_token=T%2B+x&openid=second&bad=%zz%e4&flag";
        assert_eq!(get(query, "openid").as_deref(), Some("O%41"));
        assert_eq!(get(query, "bad").as_deref(), Some("%zz\u{fffd}"));
        assert_eq!(get(query, "flag").as_deref(), Some(""));
        assert_eq!(get(query, "nothing"), None);
        let found: Vec<_> = credentials(query).collect();
        assert_eq!(found, [(AccessToken, "T+ x".into())]);
    }

    #[test]
    fn a_taken_parameter_leaves_the_other_bytes_as_they_were() {
        let name = Finder::new("from_appid");
        for (query, values, left) in [
            ("from_appid=wx1", &["wx1"][..], ""),
            ("a=%61+&from_appid=w%781&b&&c=", &["wx1"], "a=%61+&b&&c="),
            ("%66rom_appid=wx1&x=1&from_appid=wx2", &["wx1", "wx2"], "x=1"),
            ("from_appid&a=1", &[""], "a=1"),
        ] {
            let (taken, kept) = take(query, &name).expect(query);
            assert_eq!(
                (taken, &*kept),
                (values.iter().map(|value| (*value).into()).collect(), left),
                "{query}"
            );
        }
        for query in
            ["", "a=from_appid", "my_from_appid=wx1", "From_appid=wx1", "%2566rom_appid=wx1", "a=%66"]
        {
            assert_eq!(take(query, &name), None, "{query}");
        }
    }

    #[test]
    fn log_keys_hold_names_only() {
        assert_eq!(keys("access_token=SECRET&openid=O&lang=zh_CN&"), "access_token,openid,lang");
        assert_eq!(keys("flag&a%0a=1&b\u{7}\u{4f60}=2"), "flag,a%0a,b??");
        assert_eq!(keys("57_aVeryLongPastedTokenOfSomebody"), "?");
        assert_eq!(keys(&format!("{}=1", "k".repeat(41))), "?");
        assert_eq!(keys(""), "");
        let many: Vec<String> = (0..25).map(|i| format!("k{i}=v")).collect();
        assert!(keys(&many.join("&")).ends_with(",k19,..."));
    }

    fn query() -> impl Strategy<Value = String> {
        let name = prop_oneof![
            Just("access_token".to_owned()),
            Just("%61ccess_token".to_owned()),
            Just("component_access%5Ftoken".to_owned()),
            Just("suite_access_token".to_owned()),
            "[a-zA-Z_%+;]{0,6}",
            "%[0-9a-fA-Gg]{0,3}",
            "[ -%'-~]{0,12}",
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

    fn is_credential(name: &str) -> bool {
        CredentialParam::from_name(name.as_bytes()).is_some()
    }

    proptest! {
        #[test]
        fn rewriting_agrees_with_a_form_parser(query in query(), token in "[ -~]{1,20}") {
            let out = rewrite("/p", Some(&query), Some((AccessToken, &token)));
            let out = std::str::from_utf8(&out).expect("ASCII");
            let seen = pairs(out.strip_prefix("/p?").expect("a query"));
            let tokens: Vec<_> = seen.iter().filter(|(name, _)| is_credential(name)).collect();
            prop_assert_eq!(tokens, [&("access_token".to_owned(), token)]);
            let place = |pairs: &[(String, String)]| pairs.iter().position(|(name, _)| is_credential(name));
            let before = pairs(&query);
            prop_assert_eq!(place(&seen), Some(place(&before).unwrap_or(before.len())));
            let others = |pairs: Vec<(String, String)>| -> Vec<_> {
                pairs.into_iter().filter(|(name, _)| !is_credential(name)).collect()
            };
            prop_assert_eq!(others(seen), others(before));
        }

        #[test]
        fn other_bytes_stay_as_they_were(query in query()) {
            let kept: Vec<&str> = query.split('&').filter(|s| credentials(s).next().is_none()).collect();
            let out = rewrite("", Some(&query), None);
            let out = std::str::from_utf8(&out).expect("ASCII");
            prop_assert_eq!(out.strip_prefix('?').unwrap_or(out), kept.join("&"));
        }

        #[test]
        fn looking_up_agrees_with_a_form_parser(query in query(), name in "[a-z_%]{0,4}") {
            let expected = pairs(&query).into_iter().find(|(n, _)| *n == name).map(|(_, v)| v);
            // A form parser skips empty segments; an empty name is never asked for.
            prop_assume!(!name.is_empty());
            prop_assert_eq!(get(&query, &name).map(String::from), expected);
        }

        #[test]
        fn credentials_agree_with_a_form_parser(query in query()) {
            let expected: Vec<_> = pairs(&query).into_iter().filter(|(name, _)| is_credential(name)).collect();
            let found: Vec<_> =
                credentials(&query).map(|(param, value)| (param.name().to_owned(), value.into_owned())).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
