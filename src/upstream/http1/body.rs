//! The body of a response, piece by piece.

use bytes::BytesMut;

use super::chunks::Chunks;
use super::fault::Fault;
use super::framing::Framing;
use super::piece::{Piece, take};

/// Reads the body of one response.
#[derive(Debug)]
pub struct Body(Rest);

#[derive(Debug)]
enum Rest {
    Length(u64),
    /// Boxed, since few bodies come in chunks.
    Chunks(Box<Chunks>),
    UntilClose,
}

impl Body {
    pub(super) fn empty() -> Self {
        Self(Rest::Length(0))
    }

    pub(super) fn framed(framing: Framing) -> Self {
        Self(match framing {
            Framing::Length(length) => Rest::Length(length),
            Framing::Chunked => Rest::Chunks(Box::default()),
            Framing::UntilClose => Rest::UntilClose,
        })
    }

    /// Takes what comes next out of `input`.
    ///
    /// # Errors
    /// It is framed wrongly.
    pub fn next(&mut self, input: &mut BytesMut) -> Result<Piece, Fault> {
        match &mut self.0 {
            Rest::Length(0) => Ok(Piece::End),
            _ if input.is_empty() => Ok(Piece::Awaited),
            Rest::Length(left) => Ok(Piece::Data(take(left, input))),
            Rest::Chunks(chunks) => chunks.next(input),
            Rest::UntilClose => Ok(Piece::Data(input.split().freeze())),
        }
    }

    /// The connection has closed.
    ///
    /// # Errors
    /// The body is not whole.
    pub fn close(&mut self) -> Result<(), Fault> {
        match self.0 {
            Rest::UntilClose => self.0 = Rest::Length(0),
            _ if !self.has_ended() => return Err(Fault::Closed),
            _ => {}
        }
        Ok(())
    }

    /// Whether nothing more comes of it.
    pub fn has_ended(&self) -> bool {
        match &self.0 {
            Rest::Length(left) => *left == 0,
            Rest::Chunks(chunks) => chunks.have_ended(),
            Rest::UntilClose => false,
        }
    }

    /// Whether another response can follow it, as its framing goes. What comes besides chunks some
    /// refuse that others skip, and WeChat sends none of it.
    pub fn goes_on(&self) -> bool {
        self.has_ended() && !matches!(&self.0, Rest::Chunks(chunks) if !chunks.are_plain())
    }

    /// How many bytes are left of it, where that is known.
    pub fn left(&self) -> Option<u64> {
        match &self.0 {
            Rest::Length(left) => Some(*left),
            Rest::Chunks(chunks) => chunks.have_ended().then_some(0),
            Rest::UntilClose => None,
        }
    }
}
