//! Where the body of a response ends (RFC 9112, 6.3), and whether the connection goes on after it.

use http::StatusCode;

use super::fault::Fault;

/// How the end of a body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Length(u64),
    Chunked,
    UntilClose,
}

/// What the fields of a head say of the body and the connection.
#[derive(Debug, Default)]
pub(super) struct FramingFields {
    /// Of `Content-Length`.
    length: Option<u64>,
    /// There were several.
    repeated: bool,
    coded: bool,
    chunked: bool,
    close: bool,
    keep_alive: bool,
}

impl FramingFields {
    /// Takes a `Content-Length`; false if it is one too many. Several that are equal count as one;
    /// not a list in one field, which RFC 9110, 8.6, forbids to hand on.
    pub(super) fn content_length(&mut self, value: &[u8]) -> Result<bool, Fault> {
        let is_first = self.length.is_none();
        let length = number(value).ok_or(Fault::Length)?;
        self.repeated |= !is_first;
        if self.length.replace(length).is_some_and(|other| other != length) {
            return Err(Fault::Length);
        }
        Ok(is_first)
    }

    /// Takes a `Transfer-Encoding`.
    pub(super) fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), Fault> {
        for member in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            // Whatever follows was applied to chunks, whose end could not be found. What is no
            // coding some skip, and others take for one that they don't know.
            if self.chunked || member.is_empty() || !member.is_ascii() {
                return Err(Fault::Coding);
            }
            self.coded = true;
            self.chunked = member.eq_ignore_ascii_case(b"chunked");
        }
        Ok(())
    }

    /// Takes a `Connection`; gives the fields that it names.
    pub(super) fn connection<'v>(&mut self, value: &'v [u8]) -> Vec<&'v [u8]> {
        let mut named = Vec::new();
        if value == b"keep-alive" {
            self.keep_alive = true;
            return named;
        }
        for member in members(value) {
            match member {
                _ if member.eq_ignore_ascii_case(b"close") => self.close = true,
                _ if member.eq_ignore_ascii_case(b"keep-alive") => self.keep_alive = true,
                name => named.push(name),
            }
        }
        named
    }

    /// Whether the body has a transfer coding, so that any `Content-Length` is to be dropped.
    pub(super) fn is_coded(&self) -> bool {
        self.coded
    }

    /// Whether the connection goes on after this head.
    pub(super) fn goes_on(&self, is_http_10: bool) -> bool {
        !self.close && (!is_http_10 || self.keep_alive)
    }

    /// Where the body ends of a response with `status`, to HEAD if `to_head`; and whether the
    /// connection can serve another request.
    pub(super) fn decide(
        &self,
        status: StatusCode,
        to_head: bool,
        is_http_10: bool,
    ) -> Result<(Framing, bool), Fault> {
        // A length together with a coding, or a second one, is how responses are smuggled: the next
        // request doesn't go where this one went.
        let unsure = self.repeated || (self.coded && self.length.is_some());
        let goes_on = self.goes_on(is_http_10) && !unsure;
        if to_head || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
            return Ok((Framing::Length(0), goes_on));
        }
        // RFC 9112, 6.1: faulty in HTTP/1.0, where chunks may have been forwarded without notice.
        if self.coded && is_http_10 {
            return Err(Fault::Coding);
        }
        Ok(match self.length {
            _ if self.chunked => (Framing::Chunked, goes_on),
            Some(length) if !self.coded => (Framing::Length(length), goes_on),
            _ => (Framing::UntilClose, false),
        })
    }
}

/// The members of a comma-separated list.
pub(super) fn members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|member| !member.is_empty())
}

/// Digits alone, no more than a number can have: no sign, no white space.
fn number(digits: &[u8]) -> Option<u64> {
    if !(1..=20).contains(&digits.len()) {
        return None;
    }
    digits.iter().try_fold(0u64, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}
