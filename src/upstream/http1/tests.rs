use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::{BadTarget, Body, Fault, Head, HeadReader, Piece, RequestHead};

/// A response as it was read: its head, its body, and what is left behind it.
type Read = Result<(Head, Vec<u8>, Vec<u8>), Fault>;

/// Reads what comes in these pieces, and then the end of the connection.
fn read_pieces<'p>(to_head: bool, pieces: impl IntoIterator<Item = &'p [u8]>) -> Read {
    let mut pieces = pieces.into_iter();
    let mut input = BytesMut::new();
    let mut reader = HeadReader::new(to_head);
    let mut head = loop {
        if let Some(head) = reader.read(&mut input)? {
            break head;
        }
        input.extend_from_slice(pieces.next().ok_or(Fault::Closed)?);
    };
    let mut whole = Vec::new();
    loop {
        match head.body.next(&mut input)? {
            Piece::Data(data) => {
                assert!(!data.is_empty());
                whole.extend_from_slice(&data);
            }
            Piece::End => break,
            Piece::Awaited => match pieces.next() {
                Some(piece) => input.extend_from_slice(piece),
                None => head.body.close()?,
            },
        }
    }
    assert!(head.body.has_ended());
    assert_eq!(head.body.left(), Some(0));
    head.goes_on &= head.body.goes_on();
    for piece in pieces {
        input.extend_from_slice(piece);
    }
    Ok((head, whole, input.to_vec()))
}

/// Reads it whole, split in two at each place, and byte by byte: always the same.
fn read_to(to_head: bool, bytes: &[u8]) -> Read {
    let whole = read_pieces(to_head, [bytes]);
    let same = |split: &Read, how: &str| match (&whole, split) {
        (Ok((head, body, rest)), Ok((other, others_body, others_rest))) => {
            assert_eq!((head.status, &head.headers), (other.status, &other.headers), "{how}");
            assert_eq!((head.goes_on, body, rest), (other.goes_on, others_body, others_rest), "{how}");
        }
        (Err(fault), Err(other)) => assert_eq!(fault, other, "{how}"),
        (one, other) => panic!("{how}: {one:?}, {other:?}"),
    };
    for at in 1..bytes.len() {
        same(&read_pieces(to_head, [&bytes[..at], &bytes[at..]]), &format!("split at {at}"));
    }
    same(&read_pieces(to_head, bytes.chunks(1)), "byte by byte");
    whole
}

fn read(text: &str) -> Read {
    read_to(false, text.as_bytes())
}

#[test]
fn a_response_ends_where_its_framing_says() {
    for (text, body, rest, goes_on) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "{}", "", true),
        ("HTTP/1.1 200 OK\r\ncontent-length:2\r\n\r\n{}surplus", "{}", "surplus", true),
        ("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "", "", true),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}", "{}", "", false),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: x, CLOSE\r\n\r\n{}", "{}", "", false),
        ("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", "{}", "", false),
        ("HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: Keep-Alive\r\n\r\n{}", "{}", "", true),
        ("HTTP/1.1 200 OK\r\n\r\nuntil the end", "until the end", "", false),
        ("HTTP/1.0 200 OK\r\n\r\nuntil the end", "until the end", "", false),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nuntil the end", "until the end", "", false),
        ("HTTP/1.1 204 No Content\r\n\r\nHTTP", "", "HTTP", true),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "", "", true),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\nX", "{}", "X", true),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", "{}", "", true),
        // Read by its chunks, but never trusted with another request (RFC 9112, 6.3).
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
            "{}",
            "",
            false,
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}", "{}", "", false),
    ] {
        let (head, read_body, read_rest) = read(text).unwrap_or_else(|fault| panic!("{text:?}: {fault}"));
        assert_eq!(read_body, body.as_bytes(), "{text:?}");
        assert_eq!(read_rest, rest.as_bytes(), "{text:?}");
        assert_eq!(head.goes_on, goes_on, "{text:?}");
        assert!(head.headers.get_all("content-length").iter().count() <= 1, "{text:?}");
        assert!(!head.headers.contains_key("transfer-encoding"), "{text:?}");
    }
}

#[test]
fn what_some_readers_refuse_ends_the_connection() {
    let framed = "Content-Length: 2\r\n\r\n{}";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for text in [
        format!("\r\nHTTP/1.1 200 OK\r\n{framed}"),
        format!("\nHTTP/1.1 200 OK\r\n{framed}"),
        format!("HTTP/1.1 200 OK\n{framed}"),
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\n{}".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: 2\n\r\n{}".to_owned(),
        "HTTP/1.1 200 OK\nContent-Length: 2\n\n{}".to_owned(),
        format!("HTTP/1.1 100 Continue\n\nHTTP/1.1 200 OK\r\n{framed}"),
        format!("HTTP/1.1 100 Continue\r\n\r\n\r\nHTTP/1.1 200 OK\r\n{framed}"),
        format!("HTTP/1.1 100 Continue\r\nConnection: close\r\n\r\nHTTP/1.1 200 OK\r\n{framed}"),
        format!("HTTP/1.0 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n{framed}"),
        format!("{chunked}1;a=b\r\n{{\r\n1\r\n}}\r\n0\r\n\r\n"),
        format!("{chunked}2 ;c=\"d\"\r\n{{}}\r\n0\r\n\r\n"),
        format!("{chunked}2 \t\r\n{{}}\r\n0\r\n\r\n"),
        format!("{chunked}2\r\n{{}}\r\n0;a\r\n\r\n"),
        format!("{chunked}2\r\n{{}}\r\n00\r\nA: b\r\n\r\n"),
    ] {
        let (head, body, rest) = read(&text).unwrap_or_else(|fault| panic!("{text:?}: {fault}"));
        assert_eq!((&body[..], &rest[..], head.goes_on), (&b"{}"[..], &b""[..], false), "{text:?}");
    }
}

#[test]
fn a_response_to_head_has_no_body_whatever_its_head_says() {
    for field in ["Content-Length: 5", "Transfer-Encoding: chunked", "X: y"] {
        let text = format!("HTTP/1.1 200 OK\r\n{field}\r\n\r\n");
        let (head, body, rest) = read_to(true, text.as_bytes()).expect("read");
        assert!(head.goes_on && body.is_empty() && rest.is_empty(), "{field}");
    }
    let (head, ..) = read_to(true, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n").expect("read");
    assert_eq!(head.headers["content-length"], "5");
    for fields in
        ["Content-Length: 5\r\nContent-Length: 5", "Content-Length: 5\r\nTransfer-Encoding: chunked"]
    {
        for (to_head, status) in [(true, 200), (false, 204), (false, 304)] {
            let (head, ..) =
                read_to(to_head, format!("HTTP/1.1 {status} \r\n{fields}\r\n\r\n").as_bytes()).expect("read");
            assert!(!head.goes_on, "{status} {fields}");
        }
    }
}

#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    for (text, fault) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x", Fault::Length),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\n{}x", Fault::Length),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\n{}", Fault::Length),
        ("HTTP/1.1 200 OK\r\nContent-Length: 000000000000000000002\r\n\r\n{}", Fault::Length),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2,\r\n\r\n{}", Fault::Length),
        ("HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n{}", Fault::Length),
        ("HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}", Fault::Length),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\n{}", Fault::Length),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2 2\r\n\r\n{}", Fault::Length),
        ("HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n{}", Fault::Length),
        ("HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\n{}", Fault::Length),
        ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Fault::Coding),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", Fault::Coding),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", Fault::Coding),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
            Fault::Coding,
        ),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\nContent-Length: 2\r\n\r\n{}", Fault::Coding),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked,\r\n\r\n0\r\n\r\n", Fault::Coding),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: \u{e9}, chunked\r\n\r\n0\r\n\r\n", Fault::Coding),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n", Fault::Coding),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding:\r\n\r\n0\r\n\r\n",
            Fault::Coding,
        ),
        ("HTTP/1.1 200 OK\r\nX : y\r\nContent-Length: 2\r\n\r\n{}", Fault::Head(httparse::Error::HeaderName)),
        ("HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n", Fault::Head(httparse::Error::HeaderName)),
        ("HTTP/1.1 99 OK\r\n\r\n", Fault::Head(httparse::Error::Status)),
        ("HTTP/2.0 200 OK\r\n\r\n", Fault::Head(httparse::Error::Version)),
        ("ICY 200 OK\r\n\r\n", Fault::Head(httparse::Error::Version)),
    ] {
        assert_eq!(read(text).expect_err(text), fault, "{text:?}");
    }
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (body, fault) in [
        ("2\n{}\r\n0\r\n\r\n", Fault::Chunk),
        ("2\r\n{}\n0\r\n\r\n", Fault::Chunk),
        ("2\r\n{}X\r\n0\r\n\r\n", Fault::Chunk),
        ("2\r\r\n{}\r\n0\r\n\r\n", Fault::Chunk),
        ("2\x0c\r\n{}\r\n0\r\n\r\n", Fault::Chunk),
        ("0x2\r\n{}\r\n0\r\n\r\n", Fault::Chunk),
        (" 2\r\n{}\r\n0\r\n\r\n", Fault::Chunk),
        ("-1\r\n{}\r\n0\r\n\r\n", Fault::Chunk),
        ("\r\n{}\r\n0\r\n\r\n", Fault::Chunk),
        ("2 2\r\n{}\r\n0\r\n\r\n", Fault::Chunk),
        ("10000000000000000\r\n{}\r\n0\r\n\r\n", Fault::Chunk),
        ("0\r\nno field\r\n\r\n", Fault::Trailers),
        ("0\r\n : y\r\n\r\n", Fault::Trailers),
        ("0\r\nX: y\0\r\n\r\n", Fault::Trailers),
        ("2\r\n{}\r\n0\r\n", Fault::Closed),
        ("2\r\n{", Fault::Closed),
    ] {
        assert_eq!(read(&format!("{chunked}{body}")).expect_err(body), fault, "{body:?}");
    }
    assert_eq!(read("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}").expect_err("cut"), Fault::Closed);
    assert_eq!(read("HTTP/1.1 200 OK\r\nContent-Le").expect_err("cut"), Fault::Closed);
}

#[test]
fn what_could_be_without_end_is_bounded() {
    let long = |text: &str| read_pieces(false, text.as_bytes().chunks(1000)).expect_err("too long");
    let ok = "HTTP/1.1 200 OK\r\n";
    assert_eq!(long(&format!("{ok}X: {}", "y".repeat(17_000))), Fault::HeadTooLong(16 * 1024));
    assert_eq!(long(&format!("{ok}X: {}\r\n\r\n", "y".repeat(16_400))), Fault::HeadTooLong(16 * 1024));
    assert_eq!(
        long(&format!("{ok}{}\r\n", "X: y\r\n".repeat(101))),
        Fault::Head(httparse::Error::TooManyHeaders)
    );
    assert_eq!(long(&"HTTP/1.1 100 Continue\r\n\r\n".repeat(17)), Fault::TooManyInterim(16));
    let chunked = format!("{ok}Transfer-Encoding: chunked\r\n\r\n");
    assert_eq!(long(&format!("{chunked}1;{}", "y".repeat(5_000))), Fault::Trailers);
    assert_eq!(
        long(&format!("{chunked}{}", format!("1;{}\r\n{{\r\n", "y".repeat(4_000)).repeat(5))),
        Fault::Trailers
    );
    assert_eq!(long(&format!("{chunked}0\r\n{}", "X: y\r\n".repeat(5_000))), Fault::Trailers);
}

#[test]
fn responses_before_the_response_are_skipped_but_a_switch_of_protocols() {
    let text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nContent-Length: 7\r\nLink: x\r\n\r\n\
                HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    let (head, body, rest) = read(text).expect("read");
    assert_eq!((head.status.as_u16(), body, rest), (200, b"{}".to_vec(), Vec::new()));
    assert!(!head.headers.contains_key("link"));
    let (head, ..) = read("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n").expect("read");
    assert_eq!(head.status.as_u16(), 101);
}

#[test]
fn fields_of_the_connection_end_here_and_all_others_stay() {
    let text = "HTTP/1.1 200 OK\r\nConnection: close, X-Hop, content-length, bad name, \u{e9}\r\nKeep-Alive: timeout=5\r\n\
                Proxy-Authenticate: Basic\r\nProxy-Connection: x\r\nUpgrade: h2c\r\nTE: trailers\r\nTrailer: X\r\n\
                X-Hop: 1\r\nContent-Length: 2\r\nContent-Type: application/json; encoding=utf-8\r\nRetKey: 14\r\n\
                LogicRet: 42001\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nX-Empty:\r\n\r\n{}";
    let (head, ..) = read(text).expect("read");
    let mut left: Vec<_> = head.headers.keys().map(HeaderName::as_str).collect();
    left.sort_unstable();
    assert_eq!(left, ["content-length", "content-type", "logicret", "retkey", "set-cookie", "x-empty"]);
    assert_eq!(head.headers.get_all("set-cookie").iter().count(), 2);
    assert_eq!(head.headers["x-empty"], "");
    let (head, ..) =
        read("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip , chunked\r\n\r\n0\r\n\r\n").expect("read");
    assert_eq!(head.codings, [Bytes::from("gzip")]);
}

#[test]
fn the_length_is_known_where_it_was_given() {
    let left = |text: &str| {
        let mut input = BytesMut::from(text);
        HeadReader::new(false).read(&mut input).expect("read").expect("whole").body.left()
    };
    assert_eq!(left("HTTP/1.1 200 OK\r\nContent-Length: 81\r\n\r\n"), Some(81));
    assert_eq!(left("HTTP/1.1 204 No Content\r\n\r\n"), Some(0));
    assert_eq!(left("HTTP/1.1 200 OK\r\n\r\n"), None);
    assert_eq!(left("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), None);
}

#[test]
fn a_body_that_ends_with_the_connection_is_whole_then() {
    let mut body: Body = {
        let mut input = BytesMut::from("HTTP/1.1 200 OK\r\n\r\n");
        HeadReader::new(false).read(&mut input).expect("read").expect("whole").body
    };
    assert!(!body.has_ended());
    assert_eq!(body.close(), Ok(()));
    assert_eq!(body.next(&mut BytesMut::new()), Ok(Piece::End));
}

#[test]
fn a_request_is_its_line_and_its_fields() {
    let mut out = Vec::new();
    let mut head =
        RequestHead::begin(&mut out, &Method::POST, b"/cgi-bin/\xe4\xbd\xa0?a=b").expect("a target");
    let headers: HeaderMap = [("host", "api.weixin.qq.com"), ("x-empty", "")]
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .into_iter()
        .collect();
    for (name, value) in &headers {
        head.field(name, value);
    }
    head.end(Some(12));
    let expected =
        "POST /cgi-bin/你?a=b HTTP/1.1\r\nhost: api.weixin.qq.com\r\nx-empty: \r\ncontent-length: 12\r\n\r\n";
    assert_eq!(String::from_utf8(out).expect("UTF-8"), expected);
}

#[test]
fn a_target_that_could_end_its_line_is_refused() {
    for target in ["", "a", "/a b", "/a\r\nX: y", "/a\n", "/a\0", "/a\x7f", "/a\tb"] {
        let mut out = Vec::new();
        assert_eq!(
            RequestHead::begin(&mut out, &Method::GET, target.as_bytes()).err(),
            Some(BadTarget),
            "{target:?}"
        );
        assert!(out.is_empty());
    }
}
