//! The forms in which WeChat's errors were seen in the wild (FACTS 2.3, 2.4), and some that a
//! peeking proxy must survive.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::answer;

/// One wire form of an error answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Variant {
    /// `{"errcode":40001,"errmsg":".. rid: .."}` as `application/json; encoding=utf-8`.
    #[default]
    Plain,
    /// The text of 2022 without the advice about stable tokens: 118 bytes for 40001.
    ShortText,
    /// ` hint: [..]` as of 2019 instead of the rid.
    HintText,
    /// `"errcode":"40001"`
    StringCode,
    /// Blanks on both sides of the colons, and newlines.
    Spaced,
    /// `{"base_resp":{"errcode":..}}`
    Nested,
    /// `errmsg` first.
    CodeLast,
    /// A nested object with `"errcode":0` stands before the real one.
    NestedDecoy,
    /// `errmsg` quotes another error's body.
    QuotedDecoy,
    /// `application/json; charset=utf-8`
    CharsetUtf8,
    /// `application/json`
    BareType,
    /// `text/plain`
    TextPlain,
    /// `image/jpeg`: what SDKs saved as a picture.
    ImageJpeg,
    /// No `Content-Type` at all.
    NoType,
    /// A length is not announced.
    Chunked,
    /// One byte a chunk.
    Dribble,
    /// Compressed where the request takes gzip.
    Gzip,
    /// Compressed and without a length.
    GzipChunked,
    /// Raw control characters in another field: invalid JSON.
    ControlCharacters,
    /// Invalid UTF-8 in another field.
    InvalidUtf8,
    /// A UTF-8 byte order mark first.
    Bom,
    /// Neither `RetKey` nor `LogicRet`.
    NoRetHeaders,
    /// `Connection: close`
    Close,
}

/// Every variant, so that a test can loop over them.
pub const ALL: &[Variant] = &[
    Variant::Plain,
    Variant::ShortText,
    Variant::HintText,
    Variant::StringCode,
    Variant::Spaced,
    Variant::Nested,
    Variant::CodeLast,
    Variant::NestedDecoy,
    Variant::QuotedDecoy,
    Variant::CharsetUtf8,
    Variant::BareType,
    Variant::TextPlain,
    Variant::ImageJpeg,
    Variant::NoType,
    Variant::Chunked,
    Variant::Dribble,
    Variant::Gzip,
    Variant::GzipChunked,
    Variant::ControlCharacters,
    Variant::InvalidUtf8,
    Variant::Bom,
    Variant::NoRetHeaders,
    Variant::Close,
];

/// What the documentation's own captures carry; not a charset parameter (FACTS 9).
pub(super) const JSON: &str = "application/json; encoding=utf-8";

impl Variant {
    /// The body of an error. `rid` is appended where the variant has one.
    pub(super) fn body(self, errcode: i64, errmsg: &str, rid: &str) -> Bytes {
        let errmsg = self.text(errcode, errmsg, rid);
        let quoted = serde_json::Value::from(errmsg).to_string();
        let plain = || format!(r#"{{"errcode":{errcode},"errmsg":{quoted}}}"#);
        match self {
            Self::StringCode => format!(r#"{{"errcode":"{errcode}","errmsg":{quoted}}}"#).into(),
            Self::Spaced => format!("{{\n  \"errcode\" : {errcode},\n  \"errmsg\" :  {quoted}\n}}\n").into(),
            Self::Nested => format!(r#"{{"base_resp":{}}}"#, plain()).into(),
            Self::CodeLast => format!(r#"{{"errmsg":{quoted},"errcode":{errcode}}}"#).into(),
            Self::NestedDecoy => format!(
                r#"{{"failed_list":[{{"errcode":0,"errmsg":"ok"}}],"detail":{{"errcode":0}},"errcode":{errcode},"errmsg":{quoted}}}"#
            )
            .into(),
            Self::ControlCharacters => with_field(b"a\x01\n\t\x1f\\\"b", &plain()),
            Self::InvalidUtf8 => with_field(b"\xe5\xbc\xff\xfe\xc0", &plain()),
            Self::Bom => [b"\xef\xbb\xbf", plain().as_bytes()].concat().into(),
            _ => plain().into(),
        }
    }

    fn text(self, errcode: i64, errmsg: &str, rid: &str) -> String {
        let short = || match errcode {
            40001 if errmsg == answer::errmsg(40001) => {
                "invalid credential, access_token is invalid or not latest"
            }
            _ => errmsg,
        };
        match self {
            Self::ShortText => format!("{} rid: {rid}", short()),
            Self::HintText => format!("{} hint: [{}]", short(), &rid.replace('-', "")[..14]),
            Self::QuotedDecoy => format!(r#"{{"errcode":0,"errmsg":"ok"}} {errmsg} rid: {rid}"#),
            _ => format!("{errmsg} rid: {rid}"),
        }
    }

    pub(super) fn content_type(self) -> Option<&'static str> {
        match self {
            Self::CharsetUtf8 => Some("application/json; charset=utf-8"),
            Self::BareType => Some("application/json"),
            Self::TextPlain => Some("text/plain"),
            Self::ImageJpeg => Some("image/jpeg"),
            Self::NoType => None,
            _ => Some(JSON),
        }
    }

    pub(super) fn chunked(self) -> bool {
        matches!(self, Self::Chunked | Self::Dribble | Self::GzipChunked)
    }

    pub(super) fn gzip(self) -> bool {
        matches!(self, Self::Gzip | Self::GzipChunked)
    }
}

/// Puts a field with these raw bytes before the others.
fn with_field(raw: &[u8], object: &str) -> Bytes {
    let rest = object.get(1..).unwrap_or_default();
    [br#"{"nickname":""#, raw, br#"","#, rest.as_bytes()].concat().into()
}

#[cfg(test)]
mod tests {
    use super::{ALL, Variant};
    use crate::sandbox::answer::errmsg;

    const RID: &str = "654df33c-64386a2f-29857782";

    #[test]
    fn the_lengths_are_those_of_the_captures() {
        assert_eq!(Variant::Plain.body(40001, errmsg(40001), RID).len(), 215);
        assert_eq!(Variant::ShortText.body(40001, errmsg(40001), RID).len(), 118);
        assert_eq!(Variant::Plain.body(42001, errmsg(42001), RID).len(), 81);
    }

    #[test]
    fn the_list_has_every_variant_once() {
        let names: std::collections::HashSet<_> = ALL.iter().collect();
        assert_eq!(names.len(), ALL.len());
        assert_eq!(ALL.last(), Some(&Variant::Close));
        assert_eq!(ALL.len(), Variant::Close as usize + 1);
    }
}
