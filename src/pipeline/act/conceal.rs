//! What was sent as our credential doesn't come back to a caller: WeChat, or a gateway before it,
//! may repeat the request in a redirect, an error text or a page.

use std::io::Read as _;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::concealed::Concealed;
use super::outgoing::Outgoing;
use crate::message::body::Body;
use crate::message::{location, query};
use crate::secret::mask::{self, Mask, SHORTEST};
use crate::upstream::UpstreamResponse;
use crate::wechat::catalogue::Endpoint;

/// As much as 4 KiB of gzip can unpack to.
const LONGEST_UNPACKED: u64 = 5 * 1024 * 1024;

/// The credentials that an exchange sent.
#[derive(Default)]
pub(super) struct SentCredentials {
    latest: Bytes,
    /// Of the attempts before; empty but for replays.
    earlier: Vec<Bytes>,
}

/// What becomes of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    AsItIs,
    /// Credentials in it are overwritten.
    Overwrite,
    /// It is unpacked, and credentials in it are overwritten.
    Unpack,
    /// Its contents can't be determined.
    Drop,
}

/// How a body is coded.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ContentCoding {
    None,
    Gzip,
    Other,
}

impl ContentCoding {
    pub(super) fn of(answer: &UpstreamResponse<Outgoing>) -> Self {
        let has_length = answer.length().is_some();
        if has_length && !answer.headers.contains_key(CONTENT_ENCODING) {
            return Self::None;
        }
        let content = answer.headers.get_all(CONTENT_ENCODING).iter().map(HeaderValue::as_bytes);
        let members = content.flat_map(|value| value.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
        let mut coding = Self::None;
        for member in members.chain(answer.codings.iter().map(|coding| &**coding)) {
            coding = match (member.to_ascii_lowercase().as_slice(), coding) {
                (b"" | b"identity", coding) => coding,
                (b"gzip" | b"x-gzip", Self::None) => Self::Gzip,
                _ => Self::Other,
            };
        }
        coding
    }
}

impl SentCredentials {
    /// Another attempt sends `credential`, which is empty if it is none of ours.
    pub(super) fn add(&mut self, credential: Bytes) {
        if credential.len() < SHORTEST {
            return;
        }
        let before = std::mem::replace(&mut self.latest, credential);
        if !before.is_empty() {
            self.earlier.push(before);
        }
    }

    fn each(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::once(&self.latest).chain(&self.earlier).map(|secret| &**secret)
    }

    /// `text` without any of them; none if it holds none.
    pub(super) fn masked(&self, text: &[u8]) -> Option<Vec<u8>> {
        if text.len() < self.shortest() { None } else { mask::masked(text, self.each()) }
    }

    /// What is shorter than this holds none of them.
    fn shortest(&self) -> usize {
        if self.earlier.is_empty() { self.latest.len() } else { SHORTEST }
    }

    /// What becomes of the body of a response that isn't mere content.
    pub(super) fn manner(&self, answer: &UpstreamResponse<Outgoing>, coding: ContentCoding) -> Manner {
        if self.latest.is_empty() || answer.length() == Some(0) {
            return Manner::AsItIs;
        }
        match coding {
            ContentCoding::None => Manner::Overwrite,
            ContentCoding::Gzip => Manner::Unpack,
            ContentCoding::Other if answer.status == StatusCode::OK => Manner::Overwrite,
            ContentCoding::Other => Manner::Drop,
        }
    }

    /// Whether a whole body that says that it is gzip holds one of them.
    pub(super) fn are_in_gzip(&self, bytes: &[u8]) -> bool {
        let mut mask = Mask::new(self.each());
        let mut plain = MultiGzDecoder::new(bytes).take(LONGEST_UNPACKED);
        let mut piece = [0; 4096];
        // Up to where it is damaged it can be read.
        while let Ok(length @ 1..) = plain.read(&mut piece) {
            mask.push(Bytes::copy_from_slice(&piece[..length]));
        }
        // It may be none at all.
        mask.has_masked() || self.masked(bytes).is_some()
    }

    /// Overwrites them in a response's headers; a `Location` loses the parameter.
    pub(super) fn conceal(&self, headers: &mut HeaderMap) {
        if self.latest.is_empty() {
            return;
        }
        let shortest = self.shortest();
        for (name, value) in headers.iter_mut().filter(|(_, value)| value.len() >= shortest) {
            let clean = match *name == LOCATION {
                true => location::without(value.as_bytes(), self.each()),
                false => self.masked(value.as_bytes()),
            };
            if let Some(clean) = clean {
                *value = HeaderValue::from_maybe_shared(Bytes::from(clean))
                    .unwrap_or_else(|_| HeaderValue::from_static(""));
            }
        }
    }

    /// A body that still holds them, without them; `headers` are its own.
    pub(super) fn conceal_in(&self, manner: Manner, body: Body, headers: &mut HeaderMap) -> Body {
        let mask = || Mask::new(self.each());
        match manner {
            Manner::AsItIs => body,
            Manner::Overwrite => Body::stream(Concealed::new(body, mask())),
            Manner::Unpack | Manner::Drop => {
                headers.remove(CONTENT_LENGTH);
                headers.remove(CONTENT_ENCODING);
                match manner {
                    Manner::Unpack => Body::stream(Concealed::packed(body, mask())),
                    _ => Body::Empty,
                }
            }
        }
    }
}

/// A redirect may repeat the query of its request, with any token in it.
pub(super) fn conceal_redirect(headers: &mut HeaderMap, endpoint: &Endpoint) {
    let Some(location) = headers.get(LOCATION) else { return };
    let clean = location.to_str().ok().and_then(|text| {
        let (path, query) = text.split_once('?')?;
        // A login's query is of no use elsewhere.
        let kept = if endpoint.secret_parameter().is_some() { None } else { Some(query) };
        let rewritten = query::rewrite(path, kept, None);
        (rewritten.len() < text.len()).then(|| HeaderValue::from_maybe_shared(rewritten).ok())
    });
    match clean {
        None => {}
        Some(Some(clean)) => {
            headers.insert(LOCATION, clean);
        }
        Some(None) => {
            headers.remove(LOCATION);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::SentCredentials;

    #[test]
    fn the_tokens_of_the_attempts_before_are_concealed_too() {
        let mut sent = SentCredentials::default();
        for credential in ["the-first-token-of-them", "", "short", "the-second-token-of-them"] {
            sent.add(Bytes::from(credential));
        }
        let clean = sent.masked(b"the-first-token-of-them the-second-token-of-them short");
        let (first, second) = ("*".repeat(23), "*".repeat(24));
        assert_eq!(clean.map(Bytes::from), Some(format!("{first} {second} short").into()));
        assert_eq!(SentCredentials::default().masked(b"the-first-token-of-them"), None);
    }
}
