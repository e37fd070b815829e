//! Nothing that wasn't issued verifies.

use wxgate::secret::Secret;
use wxgate::wechat::placeholder::{PREFIX, issue, parse};

pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let secret = Secret::new("0123456789abcdef0123456789abcdef");
    for text in [text.to_owned(), format!("{PREFIX}{text}")] {
        if let Some(read) = parse(&text) {
            assert_eq!(read.verify(&secret), issue(&secret, read.claims()) == text);
        }
    }
}
