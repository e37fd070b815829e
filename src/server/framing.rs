//! A second pair of eyes on where requests begin.
//!
//! hyper drops a Content-Length that stands beside a Transfer-Encoding, and one of two equal
//! Content-Lengths, before a handler can see them. Both are the stuff of request smuggling (RFC
//! 9112, 6.3), so the bytes are watched on their way in: just enough to find each head, count its
//! framing headers and skip its body. A transfer coding other than `chunked` is ambiguous too:
//! hyper would take the coded bytes for the body.

use memchr::memchr;

/// Follows the requests of one connection through its bytes.
#[derive(Debug, Default)]
pub(super) struct Framing {
    place: Place,
    /// The line in the making when a read ended within it; only its beginning matters.
    partial: Vec<u8>,
    head: Head,
    heads: u64,
    ambiguous: Option<u64>,
    /// The last request line has bytes in its target that no URL may have.
    raw_target: bool,
    /// Empty lines have come behind the last request.
    trailed: bool,
}

/// Where in the stream of messages the last byte stood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Place {
    /// Between two requests.
    #[default]
    Between,
    /// Within a head.
    Head,
    /// Within a body of known length: bytes left.
    Length(u64),
    /// At a line that gives a chunk's size.
    ChunkSize,
    /// Within a chunk: bytes left, with the line end behind it.
    Chunk(u64),
    /// In the trailers of a chunked body.
    Trailers,
    /// Lost, or past an ambiguous head: the connection ends soon.
    Lost,
}

#[derive(Debug, Default)]
struct Head {
    lengths: u32,
    length: u64,
    encodings: u32,
    /// A framing header has a value that others may read differently.
    odd: bool,
}

/// No framing header and no chunk's size is longer; a longer line is cut here.
const LONGEST_LINE: usize = 256;

impl Framing {
    pub(super) fn place(&self) -> Place {
        self.place
    }

    /// Whether the `index`th request of the connection, counted from 0, or one before it, was
    /// framed ambiguously.
    pub(super) fn is_ambiguous(&self, index: u64) -> bool {
        self.ambiguous.is_some_and(|first| first <= index)
    }

    /// Whether the last request line is one but for bytes that must be percent-encoded.
    pub(super) fn has_raw_target(&self) -> bool {
        self.raw_target
    }

    /// Whether anything has come behind the `index`th request.
    pub(super) fn is_followed(&self, index: u64) -> bool {
        let next = index + 1;
        self.heads > next || (self.heads == next && (self.trailed || self.place == Place::Head))
    }

    /// Whether the body of the `index`th request has not come whole, or its end can't be told.
    pub(super) fn is_within_body_of(&self, index: u64) -> bool {
        self.heads == index + 1 && !matches!(self.place, Place::Between | Place::Head)
    }

    /// Takes note of bytes just read.
    pub(super) fn observe(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match &mut self.place {
                Place::Lost => return,
                Place::Length(left) | Place::Chunk(left) => {
                    let step = (*left).min(bytes.len() as u64);
                    *left -= step;
                    let done = *left == 0;
                    bytes = bytes.get(usize::try_from(step).unwrap_or(usize::MAX)..).unwrap_or_default();
                    if done {
                        self.place = match self.place {
                            Place::Chunk(_) => Place::ChunkSize,
                            _ => Place::Between,
                        };
                    }
                }
                Place::Between | Place::Head | Place::ChunkSize | Place::Trailers => {
                    let Some(end) = memchr(b'\n', bytes) else {
                        // Half an empty line begins no head.
                        match self.place {
                            Place::Between if bytes == b"\r" => self.trailed = self.heads > 0,
                            Place::Between => self.place = Place::Head,
                            _ => {}
                        }
                        self.keep(bytes);
                        return;
                    };
                    let (line, rest) = bytes.split_at(end);
                    bytes = rest.get(1..).unwrap_or_default();
                    if self.partial.is_empty() {
                        self.line(line);
                    } else {
                        self.keep(line);
                        let whole = std::mem::take(&mut self.partial);
                        self.line(&whole);
                    }
                }
            }
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = LONGEST_LINE.saturating_sub(self.partial.len());
        self.partial.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn line(&mut self, line: &[u8]) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match self.place {
            // Empty lines before a request line are skipped (RFC 9112, 2.2).
            Place::Between if line.is_empty() => self.trailed = self.heads > 0,
            Place::Between => {
                self.raw_target = is_raw(line);
                self.place = Place::Head;
            }
            Place::Head if line.is_empty() => self.end_of_head(),
            Place::Head => self.head.note(line),
            Place::ChunkSize => {
                self.place = match chunk_size(line) {
                    Some(0) => Place::Trailers,
                    Some(size) => Place::Chunk(size.saturating_add(2)),
                    None => {
                        // Where the next head begins is unknown, so none can be vouched for.
                        self.ambiguous.get_or_insert(self.heads);
                        Place::Lost
                    }
                }
            }
            Place::Trailers if line.is_empty() => self.place = Place::Between,
            Place::Trailers | Place::Length(_) | Place::Chunk(_) | Place::Lost => {}
        }
    }

    fn end_of_head(&mut self) {
        let head = std::mem::take(&mut self.head);
        self.place = if head.odd || head.lengths + head.encodings > 1 {
            self.ambiguous.get_or_insert(self.heads);
            Place::Lost
        } else if head.encodings == 1 {
            Place::ChunkSize
        } else if head.length > 0 {
            Place::Length(head.length)
        } else {
            Place::Between
        };
        self.heads += 1;
        self.trailed = false;
    }
}

impl Head {
    fn note(&mut self, line: &[u8]) {
        match line.first() {
            Some(b'c' | b'C') => {
                if let Some(value) = value_of(line, b"content-length") {
                    self.lengths += 1;
                    match number(value) {
                        Some(length) if line.len() < LONGEST_LINE => self.length = length,
                        _ => self.odd = true,
                    }
                }
            }
            Some(b't' | b'T') => {
                if let Some(value) = value_of(line, b"transfer-encoding") {
                    self.encodings += 1;
                    self.odd |= !value.trim_ascii().eq_ignore_ascii_case(b"chunked");
                }
            }
            _ => {}
        }
    }
}

/// Whether a request line has a `"`, `<` or `>`, or bytes that are no UTF-8: other bytes hyper
/// takes.
fn is_raw(line: &[u8]) -> bool {
    // Each byte is looked at, whatever the others are: so the compiler can compare many at once.
    let is_quote = |byte: u8| (byte == b'"') | (byte == b'<') | (byte == b'>');
    if !line.iter().fold(false, |odd, byte| odd | is_quote(*byte) | !byte.is_ascii()) {
        return false;
    }
    (line.iter().any(|byte| is_quote(*byte)) || std::str::from_utf8(line).is_err())
        && (line.ends_with(b" HTTP/1.1") || line.ends_with(b" HTTP/1.0"))
}

fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (head, tail) = line.split_at_checked(name.len())?;
    if head.eq_ignore_ascii_case(name) { tail.strip_prefix(b":") } else { None }
}

/// Digits alone: no sign, no list.
fn number(value: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(value.trim_ascii()).ok()?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

fn chunk_size(line: &[u8]) -> Option<u64> {
    if line.len() >= LONGEST_LINE {
        return None;
    }
    let digits = line.split(|byte| matches!(byte, b';' | b' ' | b'\t')).next()?;
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::{Framing, Place};

    /// The same bytes whole and byte by byte.
    fn watch(bytes: &[u8]) -> Framing {
        let mut whole = Framing::default();
        whole.observe(bytes);
        let mut single = Framing::default();
        for byte in bytes {
            single.observe(std::slice::from_ref(byte));
        }
        assert_eq!(whole.place, single.place);
        assert_eq!(whole.heads, single.heads);
        assert_eq!(whole.ambiguous, single.ambiguous);
        whole
    }

    #[test]
    fn a_length_beside_a_transfer_encoding_is_ambiguous_in_either_order() {
        for head in [
            "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n",
            "POST / HTTP/1.1\ncontent-length: 3\ncontent-length: 3\n\n",
        ] {
            assert!(watch(head.as_bytes()).is_ambiguous(0), "{head}");
        }
    }

    #[test]
    fn a_framing_header_with_an_odd_value_is_ambiguous() {
        let padded = format!("Content-Length:{}12", " ".repeat(super::LONGEST_LINE - 16));
        for line in [
            "Content-Length: +3",
            "Content-Length: 3, 3",
            "Content-Length:",
            "Transfer-Encoding: gzip, chunked",
            "Transfer-Encoding: identity",
            &padded,
        ] {
            assert!(watch(format!("POST / HTTP/1.1\r\n{line}\r\n\r\n").as_bytes()).is_ambiguous(0), "{line}");
        }
        assert!(!watch(b"POST / HTTP/1.1\r\nTransfer-Encoding:\tChunked \r\n\r\n").is_ambiguous(0));
    }

    #[test]
    fn what_has_come_behind_a_request_is_noticed() {
        let request = "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc";
        for (behind, followed) in [("", false), ("\r\n", true), ("\r", true), ("G", true), (request, true)] {
            let seen = watch(format!("{request}{behind}").as_bytes());
            assert_eq!(seen.is_followed(0), followed, "{behind:?}");
            let seen = watch(format!("\r\n{request}\r\n{request}{behind}").as_bytes());
            assert_eq!((seen.is_followed(0), seen.is_followed(1)), (true, followed), "{behind:?}");
        }
    }

    #[test]
    fn pipelined_requests_are_told_apart() {
        let framing = watch(
            b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n\
              POST /b HTTP/1.1\r\nContent-Length: 40\r\n\r\n0123456789Content-Length: 1\r\n\r\n0123456789\
              POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\n\n\n\n\n\n\r\n0\r\nContent-Length: 1\r\n\r\n\
              GET /d HTTP/1.1\r\nHost",
        );
        assert_eq!(framing.heads, 3);
        assert_eq!(framing.place(), Place::Head);
        assert_eq!(framing.ambiguous, None);
    }

    #[test]
    fn a_request_before_an_ambiguous_one_is_not_blamed() {
        let framing = watch(
            b"GET /a HTTP/1.1\r\n\r\nPOST /b HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        );
        assert!(!framing.is_ambiguous(0));
        assert!(framing.is_ambiguous(1));
    }

    #[test]
    fn after_a_chunk_size_that_cannot_be_read_no_request_is_vouched_for() {
        let long = format!("5;{}", "x".repeat(super::LONGEST_LINE));
        for size in ["zz", "", &long] {
            let framing =
                watch(format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{size}\r\n").as_bytes());
            assert_eq!(framing.place(), Place::Lost);
            assert!(!framing.is_ambiguous(0) && framing.is_ambiguous(1), "{size}");
        }
    }
}
