//! API signing and encryption (API 安全): what WeChat asks of accounts that switched it on, as its
//! pages `getting_started/api_signature` and `framework/open-ability/api_security` describe it.
//!
//! A request's fields, of query and body, become one JSON object, which is encrypted by a key that
//! both sides have; the ciphertext is signed by the account's own key. The response comes the same
//! way, signed by the platform's.
//!
//! | file | does |
//! | --- | --- |
//! | `keys` | reads keys and certificates as the console gives them |
//! | `merge` | one JSON object of query and body |
//! | `seal` | encrypts and signs a request |
//! | `open` | verifies and decrypts a response |

mod keys;
mod merge;
mod open;
mod seal;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use http::HeaderName;

pub use keys::{BadKey, Certificate, Keys, OwnKey, SharedKey};
pub use merge::{Merged, Unmergeable, merge};
pub use open::{Opened, Signed, Unverified};
pub use seal::{SealFailed, Sealed};

/// What a signed URL begins with, whatever host it goes to: it is part of what is signed.
const ORIGIN: &str = "https://api.weixin.qq.com";
/// The headers of signing.
const APPID: HeaderName = HeaderName::from_static("wechatmp-appid");
const TIMESTAMP: HeaderName = HeaderName::from_static("wechatmp-timestamp");
const SERIAL: HeaderName = HeaderName::from_static("wechatmp-serial");
const SIGNATURE: HeaderName = HeaderName::from_static("wechatmp-signature");
/// Those of the certificate that is being replaced.
const FORMER_SERIAL: HeaderName = HeaderName::from_static("wechatmp-serial-deprecated");
const FORMER_SIGNATURE: HeaderName = HeaderName::from_static("wechatmp-signature-deprecated");
/// The fields that signing adds to an object.
const RESERVED: [&str; 3] = ["_n", "_appid", "_timestamp"];

/// Whether a (lower-case) name is one of the headers of signing.
pub fn is_header(name: &str) -> bool {
    name.starts_with("wechatmp-")
}

/// What is encrypted is bound to this.
fn additional_data(path: &str, appid: &str, timestamp: i64, serial: &str) -> String {
    format!("{ORIGIN}{path}|{appid}|{timestamp}|{serial}")
}

/// What is signed: `body` is the ciphertext in its JSON.
fn signed_text(path: &str, appid: &str, timestamp: i64, body: &[u8]) -> Vec<u8> {
    let mut head = String::with_capacity(ORIGIN.len() + path.len() + appid.len() + 24);
    let _ = write!(head, "{ORIGIN}{path}\n{appid}\n{timestamp}\n");
    let mut text = head.into_bytes();
    text.extend_from_slice(body);
    text
}
