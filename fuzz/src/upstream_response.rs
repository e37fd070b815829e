//! WeChat's answers, and requests to WeChat: an answer is the same however its bytes come in, none
//! of them is handed out twice or made up, and a request is read as what was written.
//!
//! The input is a byte of choices, and the answer; its lines are the parts of a request too.

use bytes::BytesMut;
use http::{HeaderName, HeaderValue, Method};
use wxgate::upstream::http1::{Fault, Head, HeadReader, Piece, RequestHead};

/// As many splits of an input are tried.
const SPLITS: usize = 32;

/// What a response was read as.
#[derive(Debug, PartialEq, Eq)]
struct Read {
    status: u16,
    fields: Vec<(String, Vec<u8>)>,
    codings: Vec<Vec<u8>>,
    goes_on: bool,
    length: Option<u64>,
    body: Vec<u8>,
    /// Behind it.
    rest: Vec<u8>,
}

pub fn run(bytes: &[u8]) {
    let Some((choices, bytes)) = bytes.split_first() else { return };
    let bytes = &bytes[..bytes.len().min(40_000)];
    let to_head = choices & 1 == 1;
    let whole = read(to_head, [bytes]);
    let step = bytes.len() / SPLITS + 1;
    for at in (usize::from(choices >> 1) % step..bytes.len()).step_by(step) {
        assert_eq!(whole, read(to_head, [&bytes[..at], &bytes[at..]]), "split at {at}");
    }
    assert_eq!(whole, read(to_head, bytes.chunks(1)), "byte by byte");
    if let Ok(read) = whole {
        is_sound(&read, bytes, to_head);
    }
    write(bytes, to_head);
}

/// Reads what comes in these pieces, and then the end of the connection.
fn read<'p>(to_head: bool, pieces: impl IntoIterator<Item = &'p [u8]>) -> Result<Read, Fault> {
    let mut pieces = pieces.into_iter();
    let mut input = BytesMut::new();
    let mut reader = HeadReader::new(to_head);
    let Head { status, headers, codings, goes_on, mut body } = loop {
        if let Some(head) = reader.read(&mut input)? {
            break head;
        }
        input.extend_from_slice(pieces.next().ok_or(Fault::Closed)?);
    };
    let length = body.left();
    let mut whole = Vec::new();
    loop {
        match body.next(&mut input)? {
            Piece::Data(data) => {
                assert!(!data.is_empty(), "a piece without a byte");
                whole.extend_from_slice(&data);
            }
            Piece::End => break,
            Piece::Awaited => {
                assert!(!body.has_ended());
                match pieces.next() {
                    Some(piece) => input.extend_from_slice(piece),
                    None => body.close()?,
                }
            }
        }
    }
    assert!(body.has_ended() && body.left() == Some(0));
    pieces.for_each(|piece| input.extend_from_slice(piece));
    let goes_on = goes_on && body.goes_on();
    let fields = headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect();
    let codings = codings.iter().map(|coding| coding.to_vec()).collect();
    Ok(Read { status: status.as_u16(), fields, codings, goes_on, length, body: whole, rest: input.to_vec() })
}

fn is_sound(read: &Read, bytes: &[u8], to_head: bool) {
    let Read { status, fields, goes_on, length, body, rest, .. } = read;
    assert!(*status == 101 || (200..1000).contains(status));
    let (read, behind) = bytes.split_at_checked(bytes.len() - rest.len()).expect("no byte is made up");
    assert_eq!(rest, behind, "surplus bytes are the last ones");
    assert!(body.len() < read.len());
    match length {
        Some(length) => {
            assert_eq!(body.len() as u64, *length);
            assert!(read.ends_with(body));
        }
        // In chunks, or until the connection closes.
        None => assert!(*goes_on || rest.is_empty() || read.ends_with(b"\n")),
    }
    let count = |wanted: &str| fields.iter().filter(|(name, _)| name == wanted).count();
    for name in ["connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade"] {
        assert_eq!(count(name), 0, "{name} is of the connection");
    }
    assert!(count("content-length") <= 1);
    if to_head || [204, 304].contains(status) {
        assert!(body.is_empty());
    }
}

/// Writes a request out of these bytes' lines: its target, and its fields.
fn write(bytes: &[u8], to_head: bool) {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let (target, method) =
        (lines.next().unwrap_or_default(), if to_head { Method::HEAD } else { Method::POST });
    // What the lines hold beyond fields is what nobody can make a field of.
    let fields: Vec<_> = lines
        .filter_map(|line| {
            let at = line.iter().position(|byte| *byte == b':')?;
            let name = HeaderName::from_bytes(&line[..at]).ok()?;
            Some((name, HeaderValue::from_bytes(line[at + 1..].trim_ascii()).ok()?))
        })
        .take(90)
        .collect();
    let mut out = b"before".to_vec();
    let Ok(mut head) = RequestHead::begin(&mut out, &method, target) else {
        assert_eq!(out, b"before");
        return;
    };
    for (name, value) in &fields {
        head.field(name, value);
    }
    let length = bytes.len().is_multiple_of(2).then_some(bytes.len() as u64);
    head.end(length);

    let out = out.strip_prefix(b"before").expect("nothing before it is touched");
    let mut storage = [httparse::EMPTY_HEADER; 100];
    let mut parsed = httparse::Request::new(&mut storage);
    match parsed.parse(out) {
        Ok(status) => assert_eq!(status, httparse::Status::Complete(out.len())),
        // It hands targets on as text.
        Err(error) => {
            assert!(error == httparse::Error::Token && str::from_utf8(target).is_err(), "{error}");
            return;
        }
    }
    assert_eq!(parsed.method, Some(method.as_str()));
    assert_eq!(parsed.path.map(str::as_bytes), Some(target));
    assert_eq!(parsed.version, Some(1));
    let length = length.map(|length| length.to_string());
    let length = length.as_ref().map(|length| ("content-length", length.as_bytes()));
    let written = fields.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).chain(length);
    assert!(written.eq(parsed.headers.iter().map(|field| (field.name, field.value))), "{:?}", parsed.headers);
}
