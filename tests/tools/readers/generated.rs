//! Responses at random: most of them nearly well-formed.

use fastrand::Rng;

use super::Case;

/// What hostile bytes are made of.
const WORDS: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n\r\n",
    b"\n\n",
    b"\r\n ",
    b"\0",
    b" ",
    b"\t",
    b"\x0b",
    b"\x0c",
    b"\x7f",
    b"\x80",
    b"\xff",
    b"\xc2\xa0",
    b":",
    b";",
    b",",
    b"\"",
    b"\\",
    b"=",
    b"0",
    b"2",
    b"f",
    b"+",
    b"-",
    b"0x",
    b"18446744073709551616",
    b"ffffffffffffffff",
    b"0\r\n\r\n",
    b"2\r\n{}\r\n",
    b"chunked",
    b"close",
    b"keep-alive",
    b"Content-Length: 2\r\n",
    b"Content-Length: 3\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: gzip\r\n",
    b"Connection: close\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.0 ",
];

pub(super) fn response(random: &mut Rng) -> Case {
    let to_head = random.u8(..8) == 0;
    let mut bytes = Vec::new();
    for _ in 0..random.u8(..8).saturating_sub(5) {
        bytes.extend_from_slice(of(
            random,
            &["HTTP/1.1 100 Continue\r\n", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n"],
        ));
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(of(
        random,
        &[
            "HTTP/1.1 200 OK\r\n",
            "HTTP/1.1 200 OK\r\n",
            "HTTP/1.1 200 OK\r\n",
            "HTTP/1.1 200\r\n",
            "HTTP/1.1 204 No Content\r\n",
            "HTTP/1.1 304 Not Modified\r\n",
            "HTTP/1.1 404 Not Found\r\n",
            "HTTP/1.1 502 Bad Gateway\r\n",
            "HTTP/1.0 200 OK\r\n",
        ],
    ));
    let mut fields = Vec::new();
    let mut body = Vec::new();
    match random.u8(..8) {
        0..=2 => {
            body = text(random);
            fields.push(format!("Content-Length: {}", body.len()));
        }
        3..=5 => {
            let name = of(
                random,
                &[
                    "Transfer-Encoding: chunked",
                    "transfer-encoding:Chunked",
                    "Transfer-Encoding: gzip, chunked",
                ],
            );
            fields.push(String::from_utf8_lossy(name).into_owned());
            chunks(random, &mut body);
        }
        6 => body = text(random),
        _ => {
            body = text(random);
            fields
                .extend([format!("Content-Length: {}", body.len()), "Transfer-Encoding: chunked".to_owned()]);
        }
    }
    for _ in 0..random.u8(..5) {
        let field = of(
            random,
            &[
                "Server: nginx",
                "X-Empty:",
                "X:  \t a b  ",
                "Connection: keep-alive",
                "Connection: close",
                "Connection: x-a, x-b",
                "X-A: 1",
                "Keep-Alive: timeout=5",
                "Set-Cookie: a",
                "Content-Type: application/json; encoding=utf-8",
                "Trailer: X",
                "Upgrade: h2c",
                "Content-Length: 2",
                "Transfer-Encoding: chunked",
                "Transfer-Encoding:",
            ],
        );
        fields.push(String::from_utf8_lossy(field).into_owned());
    }
    random.shuffle(&mut fields);
    for field in fields {
        bytes.extend_from_slice(field.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    if !to_head || random.u8(..4) == 0 {
        bytes.extend_from_slice(&body);
    }
    if random.u8(..4) == 0 {
        bytes.extend_from_slice(WORDS[random.usize(..WORDS.len())]);
    }
    for _ in 0..random.u8(..8).saturating_sub(3) {
        change(random, &mut bytes);
    }
    Case { to_head, bytes }
}

fn of(random: &mut Rng, texts: &[&'static str]) -> &'static [u8] {
    texts[random.usize(..texts.len())].as_bytes()
}

fn text(random: &mut Rng) -> Vec<u8> {
    let length = random.usize(..40);
    (0..length).map(|_| *random.choice(b"{}\"ab01\r\n: \xff").expect("some")).collect()
}

fn chunks(random: &mut Rng, body: &mut Vec<u8>) {
    for _ in 0..random.u8(..4) {
        let data = text(random);
        if data.is_empty() {
            continue;
        }
        let extension = of(random, &["", "", "", ";a", ";a=b", ";a=\"b c\"", " ", ";", "; a=b"]);
        body.extend_from_slice(format!("{:x}", data.len()).as_bytes());
        body.extend_from_slice(extension);
        body.extend_from_slice(b"\r\n");
        body.extend_from_slice(&data);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"0\r\n");
    body.extend_from_slice(of(random, &["", "", "X: y\r\n", "X: y\r\nContent-Length: 5\r\n", "X:\r\n"]));
    body.extend_from_slice(b"\r\n");
}

fn change(random: &mut Rng, bytes: &mut Vec<u8>) {
    let at = random.usize(..=bytes.len());
    let end = random.usize(at..=bytes.len().min(at + 12));
    match random.u8(..6) {
        0 if at < bytes.len() => bytes[at] = random.u8(..),
        1 if at < bytes.len() => bytes[at] ^= 1 << random.u8(..8),
        2 => drop(bytes.drain(at..end)),
        3 => {
            let again = bytes[at..end].to_vec();
            bytes.splice(at..at, again);
        }
        4 if random.u8(..4) == 0 => bytes.truncate(at),
        _ => drop(bytes.splice(at..at, WORDS[random.usize(..WORDS.len())].iter().copied())),
    }
}
