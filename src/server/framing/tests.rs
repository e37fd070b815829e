use super::{Arriving, Fault, Framing, Position};

const LONGEST_HEAD: usize = 500;

/// The same bytes whole and byte by byte.
fn watch(bytes: &[u8]) -> Framing {
    let mut whole = Framing::new(LONGEST_HEAD);
    whole.observe(bytes);
    let mut single = Framing::new(LONGEST_HEAD);
    for byte in bytes {
        single.observe(std::slice::from_ref(byte));
    }
    assert_eq!(whole.place, single.place);
    assert_eq!(whole.heads, single.heads);
    assert_eq!(whole.fault, single.fault);
    assert_eq!(whole.body, single.body);
    whole
}

#[test]
fn a_length_beside_a_transfer_encoding_is_ambiguous_in_either_order() {
    for head in [
        "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n",
        "POST / HTTP/1.1\ncontent-length: 3\ncontent-length: 3\n\n",
    ] {
        assert_eq!(watch(head.as_bytes()).fault(0), Some(Fault::Ambiguous), "{head}");
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
        let framing = watch(format!("POST / HTTP/1.1\r\n{line}\r\n\r\n").as_bytes());
        assert_eq!(framing.fault(0), Some(Fault::Ambiguous), "{line}");
    }
    let framing = watch(b"POST / HTTP/1.1\r\nTransfer-Encoding:\tChunked \r\n\r\n");
    assert_eq!(framing.fault(0), None);
}

#[test]
fn empty_lines_between_requests_are_no_progress() {
    let request = b"GET / HTTP/1.1\r\n\r\n";
    for before in [&b""[..], request] {
        for blank in [&b"\r\n"[..], b"\n", b"\r", b"\r\n\r\n\n", b"\n\r"] {
            let mut framing = Framing::new(LONGEST_HEAD);
            framing.observe(before);
            assert!(!framing.observe(blank), "{blank:?}");
        }
        for more in [&b"G"[..], request, b"\r\n\r\nG", b"\r\nGET / HTTP/1.1\r\n\r\n\r\n"] {
            let mut framing = Framing::new(LONGEST_HEAD);
            framing.observe(before);
            assert!(framing.observe(more), "{more:?}");
        }
    }
    let mut framing = Framing::new(LONGEST_HEAD);
    framing.observe(b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n");
    assert!(framing.observe(b"\r\n"), "a body");
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
    assert_eq!(framing.place(), Position::Head);
    assert_eq!(framing.fault(u64::MAX), None);
}

#[test]
fn a_request_before_an_ambiguous_one_is_not_blamed() {
    let framing =
        watch(b"GET /a HTTP/1.1\r\n\r\nPOST /b HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx");
    assert_eq!((framing.fault(0), framing.fault(1)), (None, Some(Fault::Ambiguous)));
}

#[test]
fn after_a_chunk_size_that_cannot_be_read_no_request_is_vouched_for() {
    let long = format!("{}5", "0".repeat(super::LONGEST_LINE));
    for size in ["zz", "", &long] {
        let framing =
            watch(format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{size}\r\n").as_bytes());
        assert_eq!(framing.place(), Position::Lost);
        assert_eq!((framing.fault(0), framing.fault(1)), (None, Some(Fault::Ambiguous)), "{size}");
    }
}

#[test]
fn an_extension_of_a_chunk_may_be_long() {
    for length in super::LONGEST_LINE - 5..super::LONGEST_LINE + 5 {
        let extension = "x".repeat(length);
        let post = format!(
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;{extension}\r\nabcde\r\n0;{extension}\r\n\r\n"
        );
        let framing = watch(format!("{post}{post}").as_bytes());
        assert_eq!(
            (framing.heads, framing.place(), framing.fault(2)),
            (2, Position::Between, None),
            "{length}"
        );
        assert_eq!(framing.body().1.came, 7, "{length}");
    }
}

#[test]
fn a_head_may_have_its_limit_and_no_byte_more() {
    let get = |bytes: usize| format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(bytes - 23));
    let (longest, longer) = (get(LONGEST_HEAD), get(LONGEST_HEAD + 1));
    assert_eq!(longest.len(), LONGEST_HEAD);
    let framing = watch(format!("{longest}{longest}{longer}").as_bytes());
    assert_eq!((framing.fault(1), framing.fault(2)), (None, Some(Fault::HeadTooLong)));
    // One that isn't whole and has no room for its end.
    for unended in ["x", "X: a\n", "\r\n"] {
        let many = unended.repeat(LONGEST_HEAD);
        let framing = watch(&many.as_bytes()[..LONGEST_HEAD]);
        assert_eq!(framing.fault(0), Some(Fault::HeadTooLong), "{unended:?}");
        assert_eq!(watch(&many.as_bytes()[..LONGEST_HEAD - 1]).fault(0), None, "{unended:?}");
    }
    // Neither bodies nor trailers are heads.
    let post = format!(
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n400\r\n{}\r\n0\r\n{}\r\n",
        "x".repeat(0x400),
        "X: a\r\n".repeat(100)
    );
    assert_eq!(watch(format!("{post}{post}").as_bytes()).fault(u64::MAX), None);
}

#[test]
fn a_length_that_cannot_be_is_no_ambiguity() {
    for length in ["18446744073709551615", "18446744073709551614", "99999999999999999999999"] {
        let framing = watch(format!("POST / HTTP/1.1\r\nContent-Length: {length}\r\n\r\nabc").as_bytes());
        assert_eq!(framing.fault(0), Some(Fault::BodyTooLong), "{length}");
    }
    for size in ["ffffffffffffffff", "FFFFFFFFFFFFFFFE;x", "100000000000000000000"] {
        let framing =
            watch(format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{size}\r\nx").as_bytes());
        assert_eq!(framing.fault(0), Some(Fault::BodyTooLong), "{size}");
    }
}

#[test]
fn what_has_come_of_a_body_is_known() {
    let framing = watch(b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nabc");
    assert_eq!(framing.body(), (1, Arriving { length: Some(5), came: 3, chunk: 0 }));
    let framing = watch(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\nff;x=y\r\nbc");
    assert_eq!(framing.body(), (1, Arriving { length: None, came: 5, chunk: 255 }));
    assert_eq!((framing.chunk_of(0), framing.chunk_of(1)), (Some(255), None));
}
