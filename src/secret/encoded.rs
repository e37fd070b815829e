//! A text percent-encoded for a query (RFC 3986, 2.3): here, since a token goes there with each
//! request.

use std::borrow::Cow;

fn is_unreserved_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() | (byte == b'-') | (byte == b'.') | (byte == b'_') | (byte == b'~')
}

/// Whether `value` needs no encoding in a query.
pub(crate) fn is_unreserved(value: &str) -> bool {
    // Every byte is looked at, whatever the first ones are: so the compiler can compare many at
    // once.
    value.bytes().fold(true, |plain, byte| plain & is_unreserved_byte(byte))
}

/// `value` percent-encoded for a query.
pub(crate) fn encoded(value: &str) -> Cow<'_, str> {
    if is_unreserved(value) {
        return Cow::Borrowed(value);
    }
    let digit = |nibble: u8| char::from(b"0123456789ABCDEF"[usize::from(nibble)]);
    let mut out = String::with_capacity(value.len() * 3);
    for byte in value.bytes() {
        if is_unreserved_byte(byte) {
            out.push(char::from(byte));
        } else {
            out.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    Cow::Owned(out)
}
