//! How much of a server's responses is read: reading stops where a response exceeds what wxgate can
//! have asked for, before any of it is kept.
//!
//! Only the framing is checked (RESP2 has five kinds of values); the client parses the contents.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::texts::text;

/// Bytes of one string, far more than any record, note or counter has.
pub(super) const LONGEST_STRING: usize = 64 << 10;
/// Keys that are asked for at once.
pub(super) const MOST_KEYS: usize = 500;
/// Elements of an array, except for a response to MGET, which has one for each key.
const MOST_ELEMENTS: u64 = 20_000;
/// Elements of all arrays in a response.
const MOST_IN_ALL: u64 = 2 * MOST_ELEMENTS;
/// Arrays within arrays.
const DEEPEST: usize = 8;
/// Bytes of a response: as many keys as are asked for at once, each with the longest string.
const LARGEST_ANSWER: u64 = (MOST_KEYS * (LONGEST_STRING + 32)) as u64;
/// Characters of a number, white space included.
const LONGEST_NUMBER: usize = 24;

/// What is wrong with a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Excess {
    #[error("{}", text!("a response is not RESP2"))]
    Garbage,
    #[error("{}", text!("a response has a string of more than {limit} bytes", limit = LONGEST_STRING))]
    String,
    #[error("{}", text!("a response has an array of more than {limit} elements", limit = .0))]
    Elements(u64),
    #[error("{}", text!("a response has arrays nested more than {limit} deep", limit = DEEPEST))]
    Depth,
    #[error("{}", text!("a response has more than {bytes} bytes or {elements} elements", bytes = LARGEST_ANSWER, elements = MOST_IN_ALL))]
    Answer,
}

/// A connection on which no more is read than wxgate can have asked for.
pub(super) struct Bounded<S> {
    stream: S,
    asked: Asked,
    answers: Answers,
}

impl<S> Bounded<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, asked: Asked::default(), answers: Answers::default() }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let Self { asked, answers, .. } = &mut *self;
        let read = buffer.filled().get(before..).unwrap_or_default();
        let judged = answers.see(read, asked);
        Poll::Ready(judged.map_err(|excess| io::Error::new(io::ErrorKind::InvalidData, excess)))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        self.asked.see(bytes.get(..written).unwrap_or_default());
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Where in a value the next byte is.
#[derive(Debug, Default)]
enum Within {
    #[default]
    Kind,
    /// Behind its first byte, so far; numbers are kept.
    Line { kind: u8, length: usize, number: [u8; LONGEST_NUMBER], return_seen: bool },
    /// In a string, with so many bytes to come, the line's end included.
    String { left: u64 },
}

/// A part of what is said on a connection.
#[derive(Debug, PartialEq, Eq)]
enum Part<'b> {
    /// An array of so many elements begins.
    Array(u64),
    /// Some bytes of a string.
    Bytes(&'b [u8]),
    /// A value that is not an array has ended.
    End,
}

/// Cuts what is said into parts.
#[derive(Debug, Default)]
struct Cutter(Within);

impl Cutter {
    /// The next part of `bytes`, and what follows it; none where they end before.
    fn next<'b>(&mut self, bytes: &'b [u8]) -> Result<Option<(Part<'b>, &'b [u8])>, Excess> {
        let mut rest = bytes;
        loop {
            match &mut self.0 {
                Within::Kind => {
                    let Some((kind, behind)) = rest.split_first() else { return Ok(None) };
                    if !b"+-:$*".contains(kind) {
                        return Err(Excess::Garbage);
                    }
                    let number = [0; LONGEST_NUMBER];
                    self.0 = Within::Line { kind: *kind, length: 0, number, return_seen: false };
                    rest = behind;
                }
                Within::Line { kind, length, number, return_seen } => {
                    let Some((byte, behind)) = rest.split_first() else { return Ok(None) };
                    rest = behind;
                    if *return_seen && *byte == b'\n' {
                        let (kind, text) = (*kind, number.get(..*length - 1).unwrap_or_default());
                        let number = match kind {
                            b'+' | b'-' => 0,
                            _ => parse(text)?,
                        };
                        self.0 = Within::Kind;
                        match (kind, u64::try_from(number)) {
                            // Behind a string is the end of a line, too.
                            (b'$', Ok(size)) if size <= LONGEST_STRING as u64 => {
                                self.0 = Within::String { left: size + 2 };
                            }
                            (b'$', Ok(_)) => return Err(Excess::String),
                            (b'*', Ok(elements)) if elements > 0 => {
                                return Ok(Some((Part::Array(elements), rest)));
                            }
                            _ => return Ok(Some((Part::End, rest))),
                        }
                    } else {
                        if let Some(place) = number.get_mut(*length) {
                            *place = *byte;
                        } else if !b"+-".contains(kind) {
                            return Err(Excess::Garbage);
                        } else if *length > LONGEST_STRING {
                            return Err(Excess::String);
                        }
                        *length += 1;
                        *return_seen = *byte == b'\r';
                    }
                }
                Within::String { left: 0 } => {
                    self.0 = Within::Kind;
                    return Ok(Some((Part::End, rest)));
                }
                Within::String { left } => {
                    let take = rest.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    if take == 0 {
                        return Ok(None);
                    }
                    let (bytes, behind) = rest.split_at(take);
                    *left -= take as u64;
                    return Ok(Some((Part::Bytes(bytes), behind)));
                }
            }
        }
    }
}

fn parse(text: &[u8]) -> Result<i64, Excess> {
    std::str::from_utf8(text).ok().and_then(|text| text.trim().parse().ok()).ok_or(Excess::Garbage)
}

/// What the responses may hold, by what was asked.
#[derive(Debug, Default)]
struct Asked {
    cutter: Cutter,
    /// Arguments of the present command, and how many of them are still to come.
    arguments: u64,
    left: u64,
    /// How the command's name begins.
    name: Vec<u8>,
    /// How many elements an array may have in the response to each pending command.
    limits: VecDeque<u64>,
    /// What is written can't be followed.
    lost: bool,
}

impl Asked {
    fn see(&mut self, mut bytes: &[u8]) {
        while !self.lost {
            match self.cutter.next(bytes) {
                Ok(Some((part, rest))) => {
                    self.take(&part);
                    bytes = rest;
                }
                Ok(None) => return,
                // A value of our own may be longer than any that is read.
                Err(_) => {
                    self.lost = true;
                    self.limits.clear();
                }
            }
        }
    }

    fn take(&mut self, part: &Part<'_>) {
        match part {
            Part::Array(arguments) => {
                (self.arguments, self.left) = (*arguments, *arguments);
                self.name.clear();
            }
            Part::Bytes(bytes) if self.left == self.arguments => self.name.extend(bytes.iter().take(8)),
            Part::Bytes(_) => {}
            Part::End => {
                self.left = self.left.saturating_sub(1);
                if self.left == 0 {
                    let is_mget = self.name.eq_ignore_ascii_case(b"MGET\r\n");
                    self.limits.push_back(if is_mget { self.arguments - 1 } else { MOST_ELEMENTS });
                }
            }
        }
    }
}

/// What was read of the responses.
#[derive(Debug, Default)]
struct Answers {
    cutter: Cutter,
    /// Elements that are still to come, of each array that is open.
    open: Vec<u64>,
    /// Of the current response.
    begun: bool,
    limit: u64,
    bytes: u64,
    elements: u64,
}

impl Answers {
    fn see(&mut self, mut bytes: &[u8], asked: &mut Asked) -> Result<(), Excess> {
        loop {
            if !self.begun {
                if bytes.is_empty() {
                    return Ok(());
                }
                let limit = asked.limits.pop_front().unwrap_or(MOST_ELEMENTS);
                (self.begun, self.limit, self.bytes, self.elements) = (true, limit, 0, 0);
            }
            let Some((part, rest)) = self.cutter.next(bytes)? else {
                self.bytes += bytes.len() as u64;
                return if self.bytes > LARGEST_ANSWER { Err(Excess::Answer) } else { Ok(()) };
            };
            self.bytes += (bytes.len() - rest.len()) as u64;
            bytes = rest;
            match part {
                Part::Array(elements) if elements > self.limit => return Err(Excess::Elements(self.limit)),
                Part::Array(_) if self.open.len() == DEEPEST => return Err(Excess::Depth),
                Part::Array(elements) => {
                    self.elements += elements;
                    self.open.push(elements);
                }
                Part::Bytes(_) => {}
                Part::End => self.end(),
            }
            if self.bytes > LARGEST_ANSWER || self.elements > MOST_IN_ALL {
                return Err(Excess::Answer);
            }
        }
    }

    /// A value has ended, and with it each array whose last one it is.
    fn end(&mut self) {
        while let Some(left) = self.open.last_mut() {
            *left -= 1;
            if *left > 0 {
                return;
            }
            self.open.pop();
        }
        self.begun = false;
    }
}

#[cfg(test)]
mod tests {
    use super::{Answers, Asked, DEEPEST, Excess, LARGEST_ANSWER, LONGEST_STRING, MOST_ELEMENTS};

    const OTHER: &str = "*2\r\n$4\r\nEVAL\r\n$1\r\nx\r\n";
    /// One of them looks like the beginning of something else.
    const TWO_KEYS: &str = "*3\r\n$4\r\nMGET\r\n$1\r\na\r\n$4\r\n$9\r\n\r\n";

    /// What becomes of `answers` to `commands` that come in pieces of `piece` bytes, and how many
    /// were read whole.
    fn judge(commands: &str, answers: &[u8], piece: usize) -> Result<usize, Excess> {
        let (mut asked, mut answering) = (Asked::default(), Answers::default());
        commands.as_bytes().chunks(piece).for_each(|bytes| asked.see(bytes));
        let all = asked.limits.len();
        answers.chunks(piece).try_for_each(|bytes| answering.see(bytes, &mut asked))?;
        Ok(all - asked.limits.len() - usize::from(answering.begun))
    }

    fn string(length: usize) -> String {
        format!("${length}\r\n{}\r\n", "x".repeat(length))
    }

    #[test]
    fn what_was_asked_for_is_read_however_it_is_cut() {
        let commands = [TWO_KEYS, OTHER, OTHER, OTHER, TWO_KEYS].concat();
        let answers = "*2\r\n$-1\r\n$3\r\na\r\n\r\n+OK\r\n:-12\r\n-ERR no\r\n*2\r\n$0\r\n\r\n$-1\r\n";
        for piece in [1, 2, 3, 7, 1_000] {
            assert_eq!(judge(&commands, answers.as_bytes(), piece), Ok(5), "{piece}");
        }
        for answer in [
            string(LONGEST_STRING),
            format!("+{}\r\n", "x".repeat(LONGEST_STRING)),
            format!(
                "*{MOST_ELEMENTS}\r\n{}",
                ":1\r\n".repeat(usize::try_from(MOST_ELEMENTS).expect("small"))
            ),
            format!("{}:1\r\n", "*1\r\n".repeat(DEEPEST)),
            "*0\r\n".to_owned(),
            "*-1\r\n".to_owned(),
            "*2\r\n*0\r\n*1\r\n+\r\n".to_owned(),
        ] {
            assert_eq!(judge(OTHER, answer.as_bytes(), 4_096), Ok(1), "{:.40}", answer);
        }
    }

    #[test]
    fn what_nobody_can_have_asked_for_is_not_read() {
        let elements = MOST_ELEMENTS + 1;
        let string_within = format!("*1\r\n${}\r\n", LONGEST_STRING + 1);
        let long_line = format!("-{}", "x".repeat(LONGEST_STRING + 2));
        let deep = "*1\r\n".repeat(DEEPEST + 1);
        let empty = "*0\r\n".repeat(usize::try_from(MOST_ELEMENTS).expect("small"));
        let many = format!("*3\r\n{}", format!("*{MOST_ELEMENTS}\r\n{empty}").repeat(3));
        let strings = usize::try_from(LARGEST_ANSWER).expect("small") / LONGEST_STRING + 1;
        let large = format!("*{strings}\r\n{}", string(LONGEST_STRING).repeat(strings));
        for (commands, answer, excess) in [
            (OTHER, "$4000000000\r\n", Excess::String),
            (OTHER, &string_within, Excess::String),
            (OTHER, &long_line, Excess::String),
            (OTHER, &deep, Excess::Depth),
            (OTHER, &format!("*{elements}\r\n"), Excess::Elements(MOST_ELEMENTS)),
            (OTHER, "*9223372036854775807\r\n", Excess::Elements(MOST_ELEMENTS)),
            (TWO_KEYS, "*3\r\n", Excess::Elements(2)),
            (&[OTHER, TWO_KEYS].concat(), "*1\r\n:1\r\n*3\r\n", Excess::Elements(2)),
            ("", "+OK\r\nx", Excess::Garbage),
            (OTHER, &many, Excess::Answer),
            (OTHER, &large, Excess::Answer),
            (OTHER, "HTTP/1.1 200 OK\r\n", Excess::Garbage),
            (OTHER, "%1\r\n", Excess::Garbage),
            (OTHER, "*x\r\n", Excess::Garbage),
            (OTHER, "$99999999999999999999\r\n", Excess::Garbage),
            (OTHER, ":1111111111111111111111111", Excess::Garbage),
        ] {
            for piece in [1, 4_096] {
                assert_eq!(judge(commands, answer.as_bytes(), piece), Err(excess), "{:.40}", answer);
            }
        }
    }
}
