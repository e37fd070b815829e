//! Nothing that wasn't issued verifies.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wxgate::secret::Secret;
use wxgate::wechat::placeholder::{PREFIX, issue, parse};

fuzz_target!(|text: &str| {
    let secret = Secret::new("0123456789abcdef0123456789abcdef");
    for text in [text.to_owned(), format!("{PREFIX}{text}")] {
        if let Some(read) = parse(&text) {
            assert_eq!(read.verify(&secret), issue(&secret, read.claims()) == text);
        }
    }
});
