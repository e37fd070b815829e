//! Responses by hand.

use super::Case;

const OK: &str = "HTTP/1.1 200 OK\r\n";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

fn cases<T: AsRef<[u8]>>(texts: impl IntoIterator<Item = T>) -> Vec<Case> {
    texts.into_iter().map(|text| Case::new(text.as_ref())).collect()
}

/// What every reader reads.
pub(super) fn well_formed() -> Vec<Case> {
    let mut all = cases([
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\nKeep-Alive: timeout=60\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: x-a, Close\r\nX-A: b\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}surplus",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 000002\r\n\r\n{}",
        "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 299 \tany words: \"here\"\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: \"x\"\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\n\r\nsurplus",
        "HTTP/1.1 200 OK\r\n\r\nuntil the end",
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\nuntil the end",
        "HTTP/1.0 200 OK\r\n\r\nuntil the end",
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\n{}",
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n\
         HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}surplus",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nuntil the end",
        "HTTP/1.1 200 OK\r\nX-Empty:\r\nX-Spaces: \t  a b \t \r\nX-Tight:c\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nSet-Cookie: c=d\r\nset-cookie: e\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\n!#$%&'*+-.^_`|~09aZ: x\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\ncOnTeNt-LeNgTh: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nX: \"quoted, \\\" : ;\"\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nX: 你好\r\nContent-Length: 2\r\n\r\n{}",
    ]);
    all.push(Case::new(&b"HTTP/1.1 200 \xc4\xe3\xba\xc3\r\nX: \xc4\xe3\xba\xc3 \x80\xff\r\nContent-Length: 3\r\n\r\n\0\xff\n"[..]));
    all.push(Case::new(format!("{OK}X: {}\r\nContent-Length: 2\r\n\r\n{{}}", "y".repeat(12_000))));
    all.push(Case::new(format!("{OK}{}Content-Length: 2\r\n\r\n{{}}", "X-N: y\r\n".repeat(90))));
    all.push(Case::new(format!("{OK}Content-Length: 9000\r\n\r\n{}", "z".repeat(9000))));
    for body in [
        "2\r\n{}\r\n0\r\n\r\n",
        "0\r\n\r\n",
        "1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
        "0000000002\r\n{}\r\n00\r\n\r\n",
        "2\r\n\r\n\r\n0\r\n\r\n",
        "1A\r\nabcdefghijklmnopqrstuvwxyz\r\n1a\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n",
        "2;a=b\r\n{}\r\n0\r\n\r\n",
        "2;a=\"b c\"\r\n{}\r\n0;d\r\n\r\n",
        "2\r\n{}\r\n0\r\nX-Sum: y\r\nX-More:\r\n\r\n",
        "2\r\n{}\r\n0\r\n\r\nsurplus",
        "2\r\n{}\r\n0\r\nX: y\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother",
    ] {
        all.push(Case::new(format!("{CHUNKED}{body}")));
    }
    all.extend(cases([
        "HTTP/1.1 200 OK\r\ntransfer-encoding:CHUNKED\r\nConnection: close\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding:   chunked \r\nTrailer: X\r\n\r\n2\r\n{}\r\n0\r\nX: y\r\n\r\n",
    ]));
    for head in [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\nConnection: close\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n",
        "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n",
    ] {
        all.push(Case::to_head(head));
    }
    all
}

/// What one would read and another would not, or otherwise.
pub(super) fn hostile() -> Vec<Case> {
    let mut all = Vec::new();
    // Whole responses.
    all.extend(cases([
        "",
        "\r\n",
        "\n",
        "HTTP/1.1 200 OK",
        "HTTP/1.1 200 OK\r\n",
        "\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "\n\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "\rHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        " HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 100 Continue\r\n\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}",
        "HTTP/1.1 100 Continue\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 100 Continue\r\nContent-Length: 2\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 100 Continue\r\nContent-Length: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 100 Continue\r\nConnection: close\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.0 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 100 Continue\n\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 199 Odd\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nUpgrade: h2c\r\nConnection: upgrade\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 426 Upgrade Required\r\nUpgrade: h2c\r\nConnection: upgrade\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 099 Low\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 000 Zero\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 600 High\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 999 Highest\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200OK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1  200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1\t200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200\tOK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 2x0 OK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 -20 OK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 OK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 \r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.2 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/0.9 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.11 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/11 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "http/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTPS/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "ICY 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "RTSP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "GET / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
        "{\"errcode\":0}",
        "HTTP/1.1 200 O\x01K\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 O\0K\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 O\x7fK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 O\rK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\nContent-Length: 2\n\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\n\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\n{}",
        "HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\rContent-Length: 2\r\r{}",
        "HTTP/1.1 200 OK\r\nX: y\rContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r{}",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n \r\n{}",
        "HTTP/1.1 200 OK\r\n\tContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\n Content-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nX: a\r\n\tb\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nX: a\r\n Content-Length: 3\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length:\r\n 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length\t: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\n: 2\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nX\0: y\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nX(): y\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nX\u{e9}: y\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nX: a\x01b\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nX: a\x0bb\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nX: a\x7fb\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nX: \x0c\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nX: \u{a0}y\u{a0}\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nX: \u{85}y\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\n\u{17f}et-Cookie: y\r\nContent-Length: 2\r\n\r\n{}",
    ]));
    // Fields that frame, before a body that could be either.
    let body = "2\r\n{}\r\n0\r\n\r\n";
    for version in ["1.1", "1.0"] {
        for fields in [
            "Content-Length: 2\r\nContent-Length: 2",
            "Content-Length: 2\r\nContent-Length: 3",
            "Content-Length: 2\r\nContent-Length: 02",
            "Content-Length: 2, 2",
            "Content-Length: 2,2,2",
            "Content-Length: 2, 3",
            "Content-Length: 2,",
            "Content-Length: ,2",
            "Content-Length: 2,,2",
            "Content-Length: 2 2",
            "Content-Length: 2;3",
            "Content-Length: +2",
            "Content-Length: -2",
            "Content-Length: -0",
            "Content-Length: 0x2",
            "Content-Length: 2.0",
            "Content-Length: 1e1",
            "Content-Length: \"2\"",
            "Content-Length: two",
            "Content-Length:",
            "Content-Length: \t 2 \t",
            "Content-Length: 00000000000000000000000000000002",
            "Content-Length: 18446744073709551615",
            "Content-Length: 18446744073709551616",
            "Content-Length: 18446744073709551618",
            "Content-Length: 9223372036854775808",
            "Content-Length: 99999999999999999999999999999999",
            "Content-Length: 4294967298",
            "Content-Length: \u{664}",
            "Content-Length: 2\r\nContent-Length:",
            "Content-Length: 2\r\nX-Content-Length: 3",
            "Content-Length: 2\r\nContent_Length: 3",
            "Content-Length: 2\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r\nContent-Length: 2",
            "Transfer-Encoding: chunked\r\nContent-Length: x",
            "Transfer-Encoding: chunked\r\nContent-Length: 2\r\nContent-Length: 3",
            "Transfer-Encoding: chunked\r\nContent-Length: 12",
            "Transfer-Encoding: gzip, chunked",
            "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked, gzip",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip",
            "Transfer-Encoding: chunked, chunked",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
            "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: identity, chunked",
            "Transfer-Encoding: identity",
            "Transfer-Encoding: identity\r\nContent-Length: 2",
            "Transfer-Encoding: gzip\r\nContent-Length: 2",
            "Transfer-Encoding: chunked,",
            "Transfer-Encoding: ,chunked",
            "Transfer-Encoding: , chunked ,",
            "Transfer-Encoding: chunked;",
            "Transfer-Encoding: chunked;q=1",
            "Transfer-Encoding: chunked ; a=b",
            "Transfer-Encoding: \"chunked\"",
            "Transfer-Encoding: 'chunked'",
            "Transfer-Encoding: chunked\0",
            "Transfer-Encoding: chunked\x0b",
            "Transfer-Encoding: \x0bchunked",
            "Transfer-Encoding: chunked foo",
            "Transfer-Encoding: foo chunked",
            "Transfer-Encoding: xchunked",
            "Transfer-Encoding: chunkedx",
            "Transfer-Encoding: x-chunked",
            "Transfer-Encoding: chunk",
            "Transfer-Encoding: chun\u{212a}ed",
            "Transfer-Encoding: chunKed",
            "Transfer-Encoding:",
            "Transfer-Encoding: ,",
            "Transfer-Encoding:\r\nContent-Length: 2",
            "Transfer-Encoding: ,\r\nContent-Length: 2",
            "Transfer-Encoding:\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding : chunked",
            "Transfer-Encoding: a;b=\"c, chunked\"",
            "Transfer-Encoding: a;b=\"c\", chunked",
            "Transfer-Encoding: gzip;q=0.5, chunked",
            "X: y\r\nTransfer-Encoding\t: chunked",
            "Content-Length: 2\r\nConnection: content-length",
            "Content-Length: 2\r\nConnection: close, keep-alive",
            "Content-Length: 2\r\nConnection: keep-alive, close",
            "Content-Length: 2\r\nConnection: keep-alive\r\nConnection: close",
            "Content-Length: 2\r\nConnection: close\r\nConnection: keep-alive",
            "Content-Length: 2\r\nConnection:",
            "Content-Length: 2\r\nConnection: ,,close,,",
            "Content-Length: 2\r\nConnection: xclose",
            "Content-Length: 2\r\nConnection: closed",
            "Content-Length: 2\r\nConnection: close;x",
            "Content-Length: 2\r\nConnection: \"close\"",
            "Content-Length: 2\r\nConnection: close x",
            "Content-Length: 2\r\nConnection: x close",
            "Content-Length: 2\r\nConnection: keep-alive x",
            "Content-Length: 2\r\nConnection: Keep-Alive;close",
            "Content-Length: 2\r\nConnection: upgrade",
            "Content-Length: 2\r\nConnection: x-a\r\nX-A: b",
            "Content-Length: 2\r\nProxy-Connection: close",
            "Content-Length: 2\r\nProxy-Connection: keep-alive",
            "Content-Length: 2\r\nKeep-Alive: timeout=0",
            "Transfer-Encoding: chunked\r\nConnection: transfer-encoding",
        ] {
            let text = format!("HTTP/{version} 200 OK\r\n{fields}\r\n\r\n");
            all.push(Case::new(format!("{text}{body}")));
            all.push(Case::new(format!("{text}{{}}")));
            all.push(Case::to_head(text));
        }
    }
    // Of every status the same.
    for status in [199, 203, 204, 205, 206, 301, 304, 400, 407, 417, 502] {
        for fields in [
            "Content-Length: 2",
            "Transfer-Encoding: chunked",
            "X: y",
            "Transfer-Encoding: gzip",
            "Content-Length: x",
        ] {
            for body in ["", "{}", body] {
                all.push(Case::new(format!("HTTP/1.1 {status} \r\n{fields}\r\n\r\n{body}")));
            }
        }
    }
    for body in [
        "",
        "\r\n",
        "2",
        "2\r\n",
        "2\r\n{",
        "2\r\n{}",
        "2\r\n{}\r",
        "2\r\n{}\r\n",
        "2\r\n{}\r\n0",
        "2\r\n{}\r\n0\r\n",
        "2\r\n{}\r\n0\r\n\r",
        "2\r\n{}\r\n0\r\nX: y\r\n",
        "2\n{}\r\n0\r\n\r\n",
        "2\r{}\r\n0\r\n\r\n",
        "2\r\n{}\n0\r\n\r\n",
        "2\r\n{}0\r\n\r\n",
        "2\r\n{}\r0\r\n\r\n",
        "2\r\n{}\r\r\n0\r\n\r\n",
        "2\r\n{}x\r\n0\r\n\r\n",
        "2\r\n{}\r\n0\n\n",
        "2\r\n{}\r\n0\r\n\n",
        "2\r\n{}\r\n0\n\r\n",
        "2\r\r\n{}\r\n0\r\n\r\n",
        "2 \r\n{}\r\n0\r\n\r\n",
        "2\t\r\n{}\r\n0 \r\n\r\n",
        "2 \t \r\n{}\r\n0\r\n\r\n",
        "2\x0b\r\n{}\r\n0\r\n\r\n",
        "2\x0c\r\n{}\r\n0\r\n\r\n",
        "2\x0c;a\r\n{}\r\n0\r\n\r\n",
        "2\u{a0}\r\n{}\r\n0\r\n\r\n",
        " 2\r\n{}\r\n0\r\n\r\n",
        "\t2\r\n{}\r\n0\r\n\r\n",
        "+2\r\n{}\r\n0\r\n\r\n",
        "-2\r\n{}\r\n0\r\n\r\n",
        "0x2\r\n{}\r\n0\r\n\r\n",
        "2h\r\n{}\r\n0\r\n\r\n",
        "2 2\r\n{}\r\n0\r\n\r\n",
        "2,2\r\n{}\r\n0\r\n\r\n",
        "2_\r\n{}\r\n0\r\n\r\n",
        "g\r\n{}\r\n0\r\n\r\n",
        ";a\r\n{}\r\n0\r\n\r\n",
        "2;\r\n{}\r\n0\r\n\r\n",
        "2;;\r\n{}\r\n0\r\n\r\n",
        "2;a\r\n{}\r\n0\r\n\r\n",
        "2; a\r\n{}\r\n0\r\n\r\n",
        "2 ;a\r\n{}\r\n0\r\n\r\n",
        "2 ; a = b\r\n{}\r\n0\r\n\r\n",
        "2;a=b;c=d\r\n{}\r\n0\r\n\r\n",
        "2;a=\"b;c\"\r\n{}\r\n0\r\n\r\n",
        "2;a=\"b\\\"c\"\r\n{}\r\n0\r\n\r\n",
        "2;a=\"b\r\n{}\r\n0\r\n\r\n",
        "2;a=\"\r\n{}\r\n0\r\n\"\r\n\r\n",
        "2;a=b c\r\n{}\r\n0\r\n\r\n",
        "2;a\0\r\n{}\r\n0\r\n\r\n",
        "2;a\x01\r\n{}\r\n0\r\n\r\n",
        "2;a\x7f\r\n{}\r\n0\r\n\r\n",
        "2;\u{e9}=\u{e9}\r\n{}\r\n0\r\n\r\n",
        "2;a\n{}\r\n0\r\n\r\n",
        "2;a\rb\r\n{}\r\n0\r\n\r\n",
        "2;a\r\r\n{}\r\n0\r\n\r\n",
        "2;a=b\r\n{}\r\n0;a\r\n\r\n",
        "2;(a)\r\n{}\r\n0\r\n\r\n",
        "2;=b\r\n{}\r\n0\r\n\r\n",
        "2;a=\r\n{}\r\n0\r\n\r\n",
        "00000000000000002\r\n{}\r\n0\r\n\r\n",
        "000000000000000000000002\r\n{}\r\n0\r\n\r\n",
        "2\r\n{}\r\n0000000000000000000000000\r\n\r\n",
        "ffffffffffffffff\r\n{}\r\n0\r\n\r\n",
        "10000000000000002\r\n{}\r\n0\r\n\r\n",
        "fffffffffffffffff\r\n{}\r\n0\r\n\r\n",
        "100000002\r\n{}\r\n0\r\n\r\n",
        "8000000000000002\r\n{}\r\n0\r\n\r\n",
        "2\r\n{}\r\n0\r\nX\r\n\r\n",
        "2\r\n{}\r\n0\r\n: y\r\n\r\n",
        "2\r\n{}\r\n0\r\nX : y\r\n\r\n",
        "2\r\n{}\r\n0\r\n X: y\r\n\r\n",
        "2\r\n{}\r\n0\r\nX: y\r\n z\r\n\r\n",
        "2\r\n{}\r\n0\r\nX: y\0\r\n\r\n",
        "2\r\n{}\r\n0\r\nX: y\x01\r\n\r\n",
        "2\r\n{}\r\n0\r\nX: y\x7f\r\n\r\n",
        "2\r\n{}\r\n0\r\nX: y\rz\r\n\r\n",
        "2\r\n{}\r\n0\r\nX: y\r\r\n\r\n",
        "2\r\n{}\r\n0\r\nX: y\n\r\n",
        "2\r\n{}\r\n0\r\nX: y\n\n",
        "2\r\n{}\r\n0\r\nX: \u{e9}\r\n\r\n",
        "2\r\n{}\r\n0\r\nContent-Length: 5\r\n\r\n",
        "2\r\n{}\r\n0\r\nContent-Length: x\r\n\r\n",
        "2\r\n{}\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
        "2\r\n{}\r\n0\r\nConnection: close\r\n\r\n",
        "2\r\n{}\r\n0\r\nHost: x\r\nSet-Cookie: y\r\n\r\n",
        "2\r\n{}\r\n0\r\nHTTP/1.1 200 OK\r\n\r\n",
        "2\r\n{}\r\n0\r\nGET / HTTP/1.1\r\nX: y\r\n\r\n",
        "2\r\n{}\r\n0\r\n\r\n\r\n",
        "2\r\n{}\r\n0\r\n\r\n0\r\n\r\n",
        "0\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    ] {
        all.push(Case::new(format!("{CHUNKED}{body}")));
    }
    // At the bounds.
    for length in [16_300, 16_350, 16_384, 16_400, 40_000, 70_000] {
        all.push(Case::new(format!("{OK}X: {}\r\nContent-Length: 2\r\n\r\n{{}}", "y".repeat(length))));
        all.push(Case::new(format!("{OK}{}: y\r\nContent-Length: 2\r\n\r\n{{}}", "x".repeat(length))));
        all.push(Case::new(format!("HTTP/1.1 200 {}\r\nContent-Length: 2\r\n\r\n{{}}", "y".repeat(length))));
        all.push(Case::new(format!("{CHUNKED}2;{}\r\n{{}}\r\n0\r\n\r\n", "y".repeat(length))));
        all.push(Case::new(format!("{CHUNKED}2\r\n{{}}\r\n0\r\nX: {}\r\n\r\n", "y".repeat(length))));
    }
    for count in [95, 99, 100, 101, 128, 1000] {
        all.push(Case::new(format!("{OK}{}\r\n", "X: y\r\n".repeat(count))));
        all.push(Case::new(format!("{OK}{}\r\n", "Content-Length: 0\r\n".repeat(count))));
        all.push(Case::new(format!("{CHUNKED}2\r\n{{}}\r\n0\r\n{}\r\n", "X: y\r\n".repeat(count))));
        all.push(Case::new(format!("{CHUNKED}{}0\r\n\r\n", "1\r\nz\r\n".repeat(count))));
        all.push(Case::new(format!("{CHUNKED}{}0\r\n\r\n", "1;abcdefghijklmnop\r\nz\r\n".repeat(count))));
    }
    for count in [1, 5, 16, 17, 50] {
        let interim = "HTTP/1.1 100 Continue\r\n\r\n".repeat(count);
        all.push(Case::new(format!("{interim}{OK}Content-Length: 2\r\n\r\n{{}}")));
        all.push(Case::to_head(format!("{interim}{OK}Content-Length: 2\r\n\r\n")));
        all.push(Case::new(format!("{}{OK}Content-Length: 2\r\n\r\n{{}}", "\r\n".repeat(count))));
    }
    // To HEAD, with a body all the same.
    for text in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n{}",
        "HTTP/1.1 204 No Content\r\n\r\n{}",
    ] {
        all.push(Case::to_head(text));
    }
    // Cut at every place.
    for text in [
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n{\"\"}",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\n{\"\"\r\n1\r\n}\r\n0\r\nX: y\r\n\r\n",
    ] {
        all.extend((0..text.len()).map(|end| Case::new(&text.as_bytes()[..end])));
    }
    all
}
