//! A second pair of eyes on where requests begin.
//!
//! hyper drops a Content-Length next to a Transfer-Encoding, and one of two equal Content-Lengths,
//! before a handler can see them. Both are the stuff of request smuggling (RFC 9112, 6.3), so the
//! bytes are watched on their way in: just enough to find each head, count its framing headers and
//! skip its body. A transfer coding other than `chunked` is ambiguous too: hyper would take the
//! coded bytes for the body.

use memchr::{memchr, memchr_iter};

/// Follows the requests of one connection through its bytes.
#[derive(Debug)]
pub(super) struct Framing {
    longest_head: usize,
    place: Position,
    /// The line in the making when a read ended within it; only its beginning matters.
    partial: Vec<u8>,
    head: Head,
    heads: u64,
    /// The first request that can't be served. What follows isn't looked at.
    fault: Option<(u64, Fault)>,
    body: Arriving,
    /// The last request line has bytes in its target that no URL may have.
    raw_target: bool,
    /// Empty lines have come behind the last request.
    trailed: bool,
}

/// Where in the stream of messages the last byte stood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Position {
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

/// Why a request can't be served, however well hyper could read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Where it ends can be read in two ways.
    Ambiguous,
    HeadTooLong,
    /// It says that its body, or a chunk of it, is longer than any can be.
    BodyTooLong,
}

/// A request's body on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Arriving {
    /// None where it comes in chunks.
    pub(super) length: Option<u64>,
    pub(super) came: u64,
    /// The size of the latest chunk.
    chunk: u64,
}

#[derive(Debug, Default)]
struct Head {
    bytes: usize,
    lengths: u32,
    length: u64,
    encodings: u32,
    /// A framing header has a value that others may read differently.
    odd: bool,
}

/// No framing header and no chunk's size is longer; a longer line is cut here.
const LONGEST_LINE: usize = 256;

/// hyper takes no longer one.
const LONGEST_BODY: u64 = u64::MAX - 2;

impl Framing {
    /// Of a connection on which no head may be longer than this.
    pub(super) fn new(longest_head: usize) -> Self {
        Self {
            longest_head,
            place: Position::default(),
            partial: Vec::new(),
            head: Head::default(),
            heads: 0,
            fault: None,
            body: Arriving::default(),
            raw_target: false,
            trailed: false,
        }
    }

    pub(super) fn longest_head(&self) -> usize {
        self.longest_head
    }

    pub(super) fn place(&self) -> Position {
        self.place
    }

    /// Whether the `index`th request comes next, and nothing but empty lines has come of it.
    pub(super) fn awaits(&self, index: u64) -> bool {
        self.place == Position::Between && self.heads == index
    }

    /// Why the `index`th request of the connection, counted from 0, or one before it, can't be
    /// served.
    pub(super) fn fault(&self, index: u64) -> Option<Fault> {
        self.fault.filter(|(first, _)| *first <= index).map(|(_, fault)| fault)
    }

    /// The size of the chunk of the `index`th request within which the last byte stood.
    pub(super) fn chunk_of(&self, index: u64) -> Option<u64> {
        (self.heads == index + 1 && matches!(self.place, Position::Chunk(_))).then_some(self.body.chunk)
    }

    /// Which request came last, and what has come of its body.
    pub(super) fn body(&self) -> (u64, Arriving) {
        (self.heads, self.body)
    }

    /// Whether the last request line is one but for bytes that must be percent-encoded.
    pub(super) fn has_raw_target(&self) -> bool {
        self.raw_target
    }

    /// Whether anything has come behind the `index`th request.
    pub(super) fn is_followed(&self, index: u64) -> bool {
        let next = index + 1;
        self.heads > next || (self.heads == next && (self.trailed || self.place == Position::Head))
    }

    /// Whether the body of the `index`th request has not come whole, or its end can't be told.
    pub(super) fn is_within_body_of(&self, index: u64) -> bool {
        self.heads == index + 1 && !matches!(self.place, Position::Between | Position::Head)
    }

    /// Takes note of bytes just read; whether they are more than empty lines before a request.
    pub(super) fn observe(&mut self, bytes: &[u8]) -> bool {
        let (before, heads) = (self.place, self.heads);
        self.follow(bytes);
        (before, heads) != (Position::Between, self.heads) || self.place != Position::Between
    }

    fn follow(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match &mut self.place {
                Position::Lost => return,
                Position::Length(left) | Position::Chunk(left) => {
                    let step = (*left).min(bytes.len() as u64);
                    *left -= step;
                    self.body.came += step;
                    let done = *left == 0;
                    bytes = bytes.get(usize::try_from(step).unwrap_or(usize::MAX)..).unwrap_or_default();
                    if done {
                        self.place = match self.place {
                            Position::Chunk(_) => Position::ChunkSize,
                            _ => Position::Between,
                        };
                    }
                }
                Position::Head if self.partial.is_empty() => bytes = self.lines_of_head(bytes),
                Position::Between | Position::Head | Position::ChunkSize | Position::Trailers => {
                    let in_head = matches!(self.place, Position::Between | Position::Head);
                    let Some(end) = memchr(b'\n', bytes) else {
                        // Half an empty line begins no head.
                        match self.place {
                            Position::Between if bytes == b"\r" => self.trailed = self.heads > 0,
                            Position::Between => self.place = Position::Head,
                            _ => {}
                        }
                        self.keep(bytes);
                        if in_head {
                            self.lengthen(bytes.len());
                        }
                        return;
                    };
                    if in_head {
                        self.head.bytes += end + 1;
                    }
                    let (line, rest) = bytes.split_at(end);
                    bytes = rest.get(1..).unwrap_or_default();
                    if self.partial.is_empty() {
                        self.line(line);
                    } else {
                        self.keep(line);
                        let whole = std::mem::take(&mut self.partial);
                        self.line(&whole);
                    }
                    // Of no effect where the head has ended.
                    self.lengthen(0);
                }
            }
        }
    }

    /// Follows a head from the beginning of a line, as far as it has come; what comes behind it.
    fn lines_of_head<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let mut start = 0;
        for end in memchr_iter(b'\n', bytes) {
            let line = bytes.get(start..end).unwrap_or_default();
            start = end + 1;
            match line {
                [] | [b'\r'] => {
                    self.head.bytes += start;
                    self.end_of_head();
                    return bytes.get(start..).unwrap_or_default();
                }
                // Few lines are looked at further.
                [b'c' | b'C' | b't' | b'T', ..] => self.head.note(line.strip_suffix(b"\r").unwrap_or(line)),
                _ => {}
            }
        }
        let rest = bytes.get(start..).unwrap_or_default();
        self.keep(rest);
        self.lengthen(bytes.len());
        &[]
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = LONGEST_LINE.saturating_sub(self.partial.len());
        self.partial.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// Notes so many bytes more of a head that isn't whole.
    fn lengthen(&mut self, bytes: usize) {
        self.head.bytes += bytes;
        if self.head.bytes >= self.longest_head {
            let index = self.heads;
            self.heads += 1;
            self.head = Head::default();
            self.fail(index, Fault::HeadTooLong);
        }
    }

    fn fail(&mut self, index: u64, fault: Fault) {
        self.fault.get_or_insert((index, fault));
        self.place = Position::Lost;
    }

    fn line(&mut self, line: &[u8]) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match self.place {
            // Empty lines before a request line are skipped (RFC 9112, 2.2).
            Position::Between if line.is_empty() => self.trailed = self.heads > 0,
            Position::Between => {
                self.raw_target = is_raw(line);
                self.place = Position::Head;
            }
            Position::Head if line.is_empty() => self.end_of_head(),
            Position::Head => self.head.note(line),
            Position::ChunkSize => match chunk_size(line) {
                Some(0) => self.place = Position::Trailers,
                Some(size) if size > LONGEST_BODY => self.fail(self.heads - 1, Fault::BodyTooLong),
                Some(size) => {
                    self.body.chunk = size;
                    self.place = Position::Chunk(size.saturating_add(2));
                }
                // Where the next head begins is unknown, so none can be vouched for.
                None => self.fail(self.heads, Fault::Ambiguous),
            },
            Position::Trailers if line.is_empty() => self.place = Position::Between,
            Position::Trailers | Position::Length(_) | Position::Chunk(_) | Position::Lost => {}
        }
    }

    fn end_of_head(&mut self) {
        let head = std::mem::take(&mut self.head);
        let index = self.heads;
        self.heads += 1;
        self.trailed = false;
        self.body = Arriving { length: (head.encodings == 0).then_some(head.length), came: 0, chunk: 0 };
        if head.bytes > self.longest_head {
            return self.fail(index, Fault::HeadTooLong);
        }
        if head.odd || head.lengths + head.encodings > 1 {
            return self.fail(index, Fault::Ambiguous);
        }
        if head.length > LONGEST_BODY {
            return self.fail(index, Fault::BodyTooLong);
        }
        self.place = if head.encodings == 1 {
            Position::ChunkSize
        } else if head.length > 0 {
            Position::Length(head.length)
        } else {
            Position::Between
        };
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

/// Whether a request line has a `"`, `<` or `>`, or bytes that are not UTF-8: other bytes hyper
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

/// Digits alone: no sign, no list. More than fits stands for the most that does.
fn number(value: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(value.trim_ascii()).ok()?;
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}

/// The same in hexadecimal, before an extension.
fn chunk_size(line: &[u8]) -> Option<u64> {
    let digits = line.split(|byte| matches!(byte, b';' | b' ' | b'\t')).next()?;
    let digits = std::str::from_utf8(digits).ok()?;
    // More of them may have been cut. An extension may be: nothing depends on it.
    let is_number =
        (1..LONGEST_LINE).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_number.then(|| u64::from_str_radix(digits, 16).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
