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
//! | `wire` | names of headers and fields, and what a signature is of |

mod keys;
mod merge;
mod open;
mod seal;
#[cfg(test)]
mod tests;
mod wire;

pub use keys::{BadKey, Certificate, Keys, OwnKey, SharedKey};
pub use merge::{Merged, Unmergeable, merge};
pub use open::{Opened, Signed, Unverified};
pub use seal::{SealFailed, Sealed};
pub use wire::is_header;
