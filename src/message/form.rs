//! Raw editing of a form body (`application/x-www-form-urlencoded`): credentials out and in, every
//! other byte as it was, in whatever encoding it is.

use std::borrow::Cow;
use std::ops::Range;

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};

use super::credential::{CredentialParam, secrets_in};
use super::percent::{Decoded, decode_bytes as decode};
use crate::secret::encoded::encoded;

/// How much of a form is searched: a field that begins later stays as it is.
const LOOKED_THROUGH: usize = 64 * 1024;
/// How much of a longer form must be read to know the fields that begin before that limit.
pub const READ_AHEAD: usize = LOOKED_THROUGH + 1024;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Whether a body with these headers is a form, if it looks like one too ([`Form::read`]). Where
/// there are several types, it is unknown which one counts.
pub fn is_declared(headers: &HeaderMap) -> bool {
    let is_form = |value: &[u8]| {
        let mut types = value.split(|byte| *byte == b',');
        types.any(|one| {
            let name = one.split(|byte| *byte == b';').next().unwrap_or_default();
            name.trim_ascii().eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
        })
    };
    let plain = |value: &[u8]| value.trim_ascii().eq_ignore_ascii_case(b"identity");
    headers.get_all(CONTENT_TYPE).iter().any(|value| is_form(value.as_bytes()))
        && headers.get_all(CONTENT_ENCODING).iter().all(|value| plain(value.as_bytes()))
}

/// What a text begins with, behind a byte order mark and white space.
pub fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text).trim_ascii_start()
}

/// A form, or its beginning.
#[derive(Clone, Copy, Debug)]
pub struct Form<'a> {
    body: &'a [u8],
    /// Nothing follows.
    whole: bool,
}

/// A field of it.
struct Field<'a> {
    place: Range<usize>,
    name: &'a [u8],
    value: &'a [u8],
    /// What follows it was read too.
    ended: bool,
}

impl<'a> Form<'a> {
    /// The form in `body`; `whole` means that nothing follows. None if it is JSON, XML or a quoted
    /// text under a form's type.
    pub fn read(body: &'a [u8], whole: bool) -> Option<Self> {
        match without_mark(body).first() {
            Some(b'{' | b'[' | b'<' | b'"') => None,
            _ => Some(Self { body, whole }),
        }
    }

    fn fields(self) -> impl Iterator<Item = Field<'a>> {
        let body = self.body;
        let mut next = Some(body.len() - without_mark(body).len());
        std::iter::from_fn(move || {
            let start = next.filter(|start| *start < LOOKED_THROUGH)?;
            let rest = body.get(start..)?;
            let separator = memchr::memchr(b'&', rest).map(|at| start + at);
            next = separator.map(|at| at + 1);
            let place = start..separator.unwrap_or(body.len());
            let text = body.get(place.clone())?;
            let (name, value) = match memchr::memchr(b'=', text) {
                Some(at) => (&text[..at], &text[at + 1..]),
                None => (text.trim_ascii_end(), &[][..]),
            };
            Some(Field { place, name, value, ended: separator.is_some() || self.whole })
        })
    }

    /// Every credential among the fields, by any spelling of its name that decodes to it once, with
    /// its decoded value.
    pub fn credentials(self) -> impl Iterator<Item = (CredentialParam, Cow<'a, str>)> {
        self.fields().filter_map(|field| Some((field.credential()?, decode(field.value))))
    }

    /// Whether the end of a credential, of a field with one of these names, or where there are such
    /// names of a secret, was not read.
    pub fn is_cut_within(self, names: &[&str]) -> bool {
        let sought = |field: &Field<'_>| {
            let set =
                || names.iter().any(|name| field.is_named(name)) || self.secrets_of(field).next().is_some();
            field.credential().is_some() || !names.is_empty() && set()
        };
        self.fields().any(|field| !field.ended && sought(&field))
    }

    /// All other fields, by name and value decoded.
    pub fn others(self) -> impl Iterator<Item = Cow<'a, str>> {
        let others = self.fields().filter(|field| field.credential().is_none());
        others.map(move |field| decode(&self.body[field.place]))
    }

    /// The decoded values of all that a server may take for a secret, without the white space at
    /// their ends.
    pub fn secrets(self) -> impl Iterator<Item = String> {
        let values = self.fields().flat_map(move |field| self.secrets_of(&field));
        values.map(|value| decode(value).trim_end().to_owned())
    }

    fn secrets_of(self, field: &Field<'_>) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        secrets_in(&self.body[field.place.clone()])
    }

    /// The decoded value of the first field whose decoded name is `name`, without the white space
    /// at its end.
    pub fn get(self, name: &str) -> Option<String> {
        self.get_all(name).next()
    }

    /// The same of all fields of that name.
    pub fn get_all(self, name: &str) -> impl Iterator<Item = String> {
        let named = self.fields().filter(move |field| field.is_named(name));
        named.map(|field| decode(field.value).trim_end().to_owned())
    }

    /// The form without its credentials, and with each of `params` set where the first field of its
    /// name stands; further fields of that name are dropped, and, if any is set, whatever else a
    /// server may take for a secret. None if that leaves it unchanged.
    pub fn rewrite(self, params: &[(&str, &str)]) -> Option<Vec<u8>> {
        let mut fields = self.fields().peekable();
        let start = fields.peek()?.place.start;
        let mut out = Vec::with_capacity(self.body.len() + 64);
        out.extend_from_slice(&self.body[..start]);
        let (mut changed, mut first, mut end) = (false, true, start);
        let mut set: Vec<&str> = Vec::new();
        for field in fields {
            end = field.place.end;
            let param = params.iter().find(|(name, _)| field.is_named(name));
            let goes = match param {
                Some((name, _)) => set.contains(name),
                None => {
                    let secret = || !params.is_empty() && self.secrets_of(&field).next().is_some();
                    field.credential().is_some() || secret()
                }
            };
            if goes {
                changed = true;
                continue;
            }
            if !first {
                out.push(b'&');
            }
            first = false;
            match param {
                Some((name, value)) => {
                    changed = true;
                    set.push(name);
                    out.extend_from_slice(name.as_bytes());
                    out.push(b'=');
                    out.extend_from_slice(encoded(value).as_bytes());
                }
                None => out.extend_from_slice(&self.body[field.place]),
            }
        }
        let behind = &self.body[end..];
        out.extend_from_slice(if first { behind.strip_prefix(b"&").unwrap_or(behind) } else { behind });
        changed.then_some(out)
    }
}

impl Field<'_> {
    fn credential(&self) -> Option<CredentialParam> {
        CredentialParam::spelled(self.name)
    }

    fn is_named(&self, name: &str) -> bool {
        Decoded(self.name).eq(name.bytes())
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
    use proptest::prelude::*;

    use super::{Form, LOOKED_THROUGH, is_declared};
    use crate::message::credential::CredentialParam::{self, AccessToken};

    fn form(body: &[u8]) -> Form<'_> {
        Form::read(body, true).expect("a form")
    }

    fn rewritten(body: &str, params: &[(&str, &str)]) -> Option<String> {
        form(body.as_bytes()).rewrite(params).map(|body| String::from_utf8(body).expect("UTF-8"))
    }

    #[test]
    fn the_type_and_the_coding_say_whether_it_is_a_form() {
        let declared = |types: &[&'static str], coding: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            for value in types {
                headers.append(CONTENT_TYPE, value.parse().expect("a value"));
            }
            headers.extend(coding.map(|coding| (CONTENT_ENCODING, coding.parse().expect("a value"))));
            is_declared(&headers)
        };
        let form = "application/x-www-form-urlencoded";
        for types in [
            &[form][..],
            &["APPLICATION/X-WWW-Form-Urlencoded ; charset=GBK"],
            &["application/json", form],
            &["application/json; a=b, application/x-www-form-urlencoded"],
        ] {
            assert!(declared(types, None) && declared(types, Some("identity")), "{types:?}");
            assert!(!declared(types, Some("gzip")), "{types:?}");
        }
        for types in [&[][..], &["application/json"], &["text/plain; x=application/x-www-form-urlencoded"]] {
            assert!(!declared(types, None), "{types:?}");
        }
    }

    #[test]
    fn what_begins_as_json_xml_or_a_quoted_text_is_no_form() {
        for body in ["{}", "[1]", "<xml>", "\"a=1&access_token=T\"", " \r\n{}", "\u{feff}{}", "\u{feff} ["] {
            assert!(Form::read(body.as_bytes(), true).is_none(), "{body}");
        }
        for body in ["", "a", "\u{feff}a={}", "=1"] {
            assert!(Form::read(body.as_bytes(), true).is_some(), "{body}");
        }
    }

    #[test]
    fn a_credential_goes_whole_and_all_else_stays() {
        for (body, left) in [
            ("access_token=T", ""),
            ("access_token=T\r\n", ""),
            ("access%5Ftoken=T&a=1", "a=1"),
            ("a=1&access_token=T", "a=1"),
            ("a=1&%61ccess_token=T%0A&b=+%20", "a=1&b=+%20"),
            ("a&&access_token&=&b=x=y&", "a&&=&b=x=y&"),
            ("access_token=T&suite_access_token=U&a=1", "a=1"),
            ("\u{feff}access_token=T&a=1", "\u{feff}a=1"),
            ("\r\naccess_token=T&a=1\n", "\r\na=1\n"),
        ] {
            assert_eq!(rewritten(body, &[]).as_deref(), Some(left), "{body:?}");
        }
        for body in [
            "",
            "a=1",
            "Access_Token=T",
            "access%255Ftoken=T",
            "x=access_token",
            "my_access_token=T",
            "access+token=T",
        ] {
            assert_eq!(rewritten(body, &[]), None, "{body:?}");
        }
        // GBK.
        let body = b"a=\xd5\xc5&access_token=T&b=\xc8\xfd";
        assert_eq!(form(body).rewrite(&[]).as_deref(), Some(&b"a=\xd5\xc5&b=\xc8\xfd"[..]));
    }

    #[test]
    fn a_set_field_stands_where_its_first_spelling_stood() {
        let params = [("appid", "wx1"), ("secret", "s+1")];
        for (body, expected) in [
            ("%73ecret=K&js_code=%61&appid=A", Some("secret=s%2B1&js_code=%61&appid=wx1")),
            ("secret=K&secret=L&access_token=T&a=1", Some("secret=s%2B1&a=1")),
            ("Secret=K&js_code=C", Some("js_code=C")),
            ("js_code=C&secret[]=K&a;secret=K;b&app.secret%00=K", Some("js_code=C")),
            ("my_secret=K&secrets=K&a=secret", None),
        ] {
            assert_eq!(rewritten(body, &params).as_deref(), expected, "{body}");
        }
    }

    #[test]
    fn values_are_decoded_once_and_end_before_white_space() {
        let form = form(b"appid=wx1%0d%0a&secret=a+%2541\n");
        assert_eq!(
            (form.get("appid").as_deref(), form.get("secret").as_deref()),
            (Some("wx1"), Some("a %41"))
        );
        assert_eq!(form.get("nothing"), None);
    }

    #[test]
    fn a_long_form_is_looked_through_for_64_kib() {
        let before = |bytes: usize| format!("a={}&", "x".repeat(bytes - 3));
        let text = format!("{}access_token=T&b=1", before(LOOKED_THROUGH - 1));
        let form = |whole| Form::read(text.as_bytes(), whole).expect("a form");
        assert_eq!(form(false).credentials().collect::<Vec<_>>(), [(AccessToken, "T".into())]);
        let left = form(false).rewrite(&[]).expect("a change");
        assert_eq!(left, format!("{}b=1", before(LOOKED_THROUGH - 1)).into_bytes());
        let text = format!("{}access_token=T&b=1", before(LOOKED_THROUGH));
        let form = |whole| Form::read(text.as_bytes(), whole).expect("a form");
        assert!(form(true).credentials().next().is_none() && form(true).rewrite(&[]).is_none());
    }

    #[test]
    fn a_field_without_its_end_is_told() {
        for (body, whole, cut) in [
            ("a=1&access_token=T", false, true),
            ("a=1&access_token=T", true, false),
            ("access_token=T&a", false, false),
            ("a=1&secret=s", false, true),
            ("a=1&secrets=s", false, false),
            ("a=1&Secret=s", false, true),
        ] {
            let form = Form::read(body.as_bytes(), whole).expect("a form");
            assert_eq!(form.is_cut_within(&["secret"]), cut, "{body}");
        }
    }

    proptest! {
        #[test]
        fn what_is_left_is_all_fields_but_the_credentials(
            fields in proptest::collection::vec(
                prop_oneof![
                    Just("access_token=T".to_owned()),
                    Just("component%5Faccess_token=T".to_owned()),
                    "[a-z%+;]{0,6}(=[ -%'-~]{0,8})?",
                ],
                0..8,
            ),
        ) {
            let body = fields.join("&");
            prop_assume!(Form::read(body.as_bytes(), true).is_some() && !body.starts_with(' '));
            let is_credential = |field: &&String| {
                let name = form_urlencoded::parse(field.as_bytes()).next().map(|(name, _)| name.into_owned());
                name.and_then(|name| CredentialParam::named(&name)).is_some()
            };
            let (out, kept): (Vec<_>, Vec<_>) = fields.iter().partition(is_credential);
            let kept = kept.iter().map(|field| field.as_str()).collect::<Vec<_>>().join("&");
            let left = rewritten(&body, &[]);
            prop_assert_eq!(left, (!out.is_empty()).then_some(kept));
        }
    }
}
