//! A body in chunks (RFC 9112, 7.1).

use bytes::{Buf as _, BytesMut};
use http::{HeaderName, HeaderValue};

use super::fault::Fault;
use super::piece::{Piece, take};

/// The longest line of a chunk's size, or of the trailers.
const LONGEST_LINE: usize = 4 * 1024;
/// All extensions and trailers of a body together.
const MOST_ASIDE: usize = 16 * 1024;

/// Reads a body in chunks. Extensions and trailers are dropped.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    place: ChunkState,
    /// So many bytes of the line have no end in them.
    searched: usize,
    /// Bytes of extensions and trailers.
    aside: usize,
}

#[derive(Debug, Default)]
enum ChunkState {
    #[default]
    Size,
    /// Bytes left of a chunk.
    Data(u64),
    /// At the line end behind a chunk.
    DataEnd,
    Trailers,
    End,
}

impl Chunks {
    pub(super) fn next(&mut self, input: &mut BytesMut) -> Result<Piece, Fault> {
        loop {
            match &mut self.place {
                ChunkState::End => return Ok(Piece::End),
                ChunkState::Size => {
                    let Some(line) = self.line(input)? else { return Ok(Piece::Awaited) };
                    let (size, rest) = size(&line).ok_or(Fault::Chunk)?;
                    self.put_aside(rest)?;
                    self.place = if size == 0 { ChunkState::Trailers } else { ChunkState::Data(size) };
                }
                ChunkState::Data(_) if input.is_empty() => return Ok(Piece::Awaited),
                ChunkState::Data(left) => {
                    let data = take(left, input);
                    if *left == 0 {
                        self.place = ChunkState::DataEnd;
                    }
                    return Ok(Piece::Data(data));
                }
                ChunkState::DataEnd => match input.get(..2) {
                    Some(b"\r\n") => {
                        input.advance(2);
                        self.place = ChunkState::Size;
                    }
                    None if input.first().is_none_or(|first| *first == b'\r') => return Ok(Piece::Awaited),
                    _ => return Err(Fault::Chunk),
                },
                ChunkState::Trailers => {
                    let Some(line) = self.line(input)? else { return Ok(Piece::Awaited) };
                    if line.is_empty() {
                        self.place = ChunkState::End;
                    } else {
                        self.put_aside(line.len())?;
                        is_field(&line).then_some(()).ok_or(Fault::Trailers)?;
                    }
                }
            }
        }
    }

    pub(super) fn have_ended(&self) -> bool {
        matches!(self.place, ChunkState::End)
    }

    /// Whether there was nothing but chunks: no extensions, no trailers, no white space.
    pub(super) fn are_plain(&self) -> bool {
        self.aside == 0
    }

    /// Takes a line without its end. A line feed alone ends none: others would read on.
    fn line(&mut self, input: &mut BytesMut) -> Result<Option<BytesMut>, Fault> {
        let unsearched = input.get(self.searched..).unwrap_or_default();
        let Some(at) = memchr::memchr(b'\n', unsearched) else {
            self.searched = input.len();
            return if input.len() > LONGEST_LINE { Err(Fault::Trailers) } else { Ok(None) };
        };
        let mut line = input.split_to(std::mem::take(&mut self.searched) + at);
        input.advance(1);
        if line.len() > LONGEST_LINE {
            return Err(Fault::Trailers);
        }
        let end = memchr::memchr(b'\r', &line).filter(|at| at + 1 == line.len()).ok_or(Fault::Chunk)?;
        line.truncate(end);
        Ok(Some(line))
    }

    fn put_aside(&mut self, bytes: usize) -> Result<(), Fault> {
        self.aside += bytes;
        if self.aside > MOST_ASIDE { Err(Fault::Trailers) } else { Ok(()) }
    }
}

/// The size at the beginning of a line, and how many bytes of extensions follow it.
fn size(line: &[u8]) -> Option<(u64, usize)> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (digits, rest) = line.split_at(digits);
    let is_extension = || rest.iter().find(|byte| !b" \t".contains(byte)).is_none_or(|first| *first == b';');
    if !(1..=16).contains(&digits.len()) || !is_extension() {
        return None;
    }
    let size = u64::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?;
    Some((size, rest.len()))
}

/// Whether a line of the trailers has a name and a value.
fn is_field(line: &[u8]) -> bool {
    let Some((name, value)) = memchr::memchr(b':', line).and_then(|at| line.split_at_checked(at)) else {
        return false;
    };
    HeaderName::from_bytes(name).is_ok() && HeaderValue::from_bytes(value).is_ok()
}
