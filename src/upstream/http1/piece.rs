//! A piece of a body.

use bytes::{Bytes, BytesMut};

/// What comes next of a body.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// These bytes, at least one.
    Data(Bytes),
    /// Nothing yet: more must come from the connection.
    Awaited,
    /// Nothing more: it has ended.
    End,
}

/// As much of `left` bytes as has come.
pub(super) fn take(left: &mut u64, input: &mut BytesMut) -> Bytes {
    let length = usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
    *left -= length as u64;
    input.split_to(length).freeze()
}
