//! The names of headers and fields, and what a signature is of.

use std::fmt::Write as _;

use http::HeaderName;

/// What a signed URL begins with, whatever host it goes to: it is part of what is signed.
pub(super) const ORIGIN: &str = "https://api.weixin.qq.com";
/// The headers of signing.
pub(super) const APPID: HeaderName = HeaderName::from_static("wechatmp-appid");
pub(super) const TIMESTAMP: HeaderName = HeaderName::from_static("wechatmp-timestamp");
pub(super) const SERIAL: HeaderName = HeaderName::from_static("wechatmp-serial");
pub(super) const SIGNATURE: HeaderName = HeaderName::from_static("wechatmp-signature");
/// Those of the certificate that is being replaced.
pub(super) const FORMER_SERIAL: HeaderName = HeaderName::from_static("wechatmp-serial-deprecated");
pub(super) const FORMER_SIGNATURE: HeaderName = HeaderName::from_static("wechatmp-signature-deprecated");
/// The fields that signing adds to an object.
pub(super) const RESERVED: [&str; 3] = ["_n", "_appid", "_timestamp"];

/// Whether a (lower-case) name is one of the headers of signing, also with `_` for `-`.
pub fn is_header(name: &str) -> bool {
    matches!(name.as_bytes(), [b'w', b'e', b'c', b'h', b'a', b't', b'm', b'p', b'-' | b'_', ..])
}

/// What is encrypted is bound to this.
pub(super) fn additional_data(path: &str, appid: &str, timestamp: i64, serial: &str) -> String {
    format!("{ORIGIN}{path}|{appid}|{timestamp}|{serial}")
}

/// What is signed: `body` is the ciphertext in its JSON.
pub(super) fn signed_text(path: &str, appid: &str, timestamp: i64, body: &[u8]) -> Vec<u8> {
    let mut head = String::with_capacity(ORIGIN.len() + path.len() + appid.len() + 24);
    let _ = write!(head, "{ORIGIN}{path}\n{appid}\n{timestamp}\n");
    let mut text = head.into_bytes();
    text.extend_from_slice(body);
    text
}
