//! The codec, under every split of the bytes.

use bytes::BytesMut;
use wxgate::upstream::http1::{Fault, Head, HeadReader, Piece};

use super::{Case, Reading, Response};

/// As many splits of a long response are tried; of others, all.
const MOST_SPLITS: usize = 500;

pub(super) fn read(case: &Case) -> Reading {
    let whole = read_pieces(case.to_head, [&case.bytes[..]]);
    let check = |split: Reading, how: &dyn std::fmt::Display| {
        assert_eq!(whole, split, "{how}: {case}");
    };
    for at in (1..case.bytes.len()).step_by(case.bytes.len() / MOST_SPLITS + 1) {
        let (one, other) = case.bytes.split_at(at);
        check(read_pieces(case.to_head, [one, other]), &format_args!("split at {at}"));
    }
    check(read_pieces(case.to_head, case.bytes.chunks(1)), &"byte by byte");
    whole
}

fn read_pieces<'p>(to_head: bool, pieces: impl IntoIterator<Item = &'p [u8]>) -> Reading {
    try_pieces(to_head, pieces).map_or_else(Reading::refused, Reading::Read)
}

/// Reads what comes in these pieces, and then the end of the connection.
fn try_pieces<'p>(to_head: bool, pieces: impl IntoIterator<Item = &'p [u8]>) -> Result<Response, Fault> {
    let mut pieces = pieces.into_iter();
    let mut input = BytesMut::new();
    let mut reader = HeadReader::new(to_head);
    let Head { status, headers, goes_on, mut body, .. } = loop {
        if let Some(head) = reader.read(&mut input)? {
            break head;
        }
        input.extend_from_slice(pieces.next().ok_or(Fault::Closed)?);
    };
    let mut whole = Vec::new();
    loop {
        match body.next(&mut input)? {
            Piece::Data(data) => whole.extend_from_slice(&data),
            Piece::End => break,
            Piece::Awaited => match pieces.next() {
                Some(piece) => input.extend_from_slice(piece),
                None => body.close()?,
            },
        }
    }
    pieces.for_each(|piece| input.extend_from_slice(piece));
    Ok(Response {
        status: status.as_u16(),
        fields: headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect(),
        body: whole,
        rest: Some(input.to_vec()),
        goes_on: Some(goes_on && body.goes_on()),
    })
}
