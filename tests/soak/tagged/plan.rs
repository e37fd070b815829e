//! What the upstream does with a request.

use fastrand::Rng;

use super::tag::Tag;

/// All that can happen, by name.
pub const KINDS: &[&str] = &[
    "good",
    "answer before the answer",
    "until the end",
    "bodyless status",
    "trickle",
    "cut and closed",
    "cut and reset",
    "surplus bytes",
    "smuggled answer",
    "body after an answer to HEAD",
    "closed after the answer",
    "reset after the answer",
    "closed without an answer",
    "reset without an answer",
    "early answer and closed",
    "early answer and read on",
    "malformed",
    "closed when connected",
];

/// What is done with a request.
pub struct Plan {
    pub kind: &'static str,
    pub bytes: Vec<u8>,
    /// Of the request.
    pub body: Reading,
    /// In small pieces, with pauses.
    pub trickle: bool,
    pub end: End,
    pub promise: Promise,
}

/// When the request's body is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    Before,
    After,
    Never,
}

/// What becomes of the connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum End {
    GoesOn,
    Closed,
    Reset,
}

/// What the caller is to get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// The answer, whole.
    Answer,
    /// Anything but the answer, whole.
    NoAnswer,
    /// Either.
    None,
}

/// A response in the making.
struct Response {
    head: String,
    body: Vec<u8>,
}

impl Response {
    fn new(tag: Tag, status: &str) -> Self {
        let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nX-Tag: {tag}\r\n");
        Self { head, body: Vec::new() }
    }

    /// With the tag's body, framed in some way.
    fn framed(tag: Tag, random: &mut Rng) -> Self {
        let mut response = Self::new(tag, "200 OK");
        let body = tag.answer();
        match random.u8(..5) {
            0 | 1 => {
                response.head += "Transfer-Encoding: chunked\r\n";
                response.body = chunks(&body, random);
            }
            _ => {
                response.head += &format!("Content-Length: {}\r\n", body.len());
                response.body = body;
            }
        }
        response
    }

    fn bytes(mut self, to_head: bool) -> Vec<u8> {
        self.head += "\r\n";
        let mut bytes = self.head.into_bytes();
        if !to_head {
            bytes.extend_from_slice(&self.body);
        }
        bytes
    }
}

fn chunks(mut body: &[u8], random: &mut Rng) -> Vec<u8> {
    let mut bytes = Vec::new();
    let most = if random.bool() { 40 } else { 20_000 };
    while !body.is_empty() {
        let (chunk, rest) = body.split_at(random.usize(1..=most).min(body.len()));
        let extension = if random.u8(..40) == 0 { ";a=b" } else { "" };
        bytes.extend_from_slice(format!("{:x}{extension}\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
        body = rest;
    }
    bytes.extend_from_slice(b"0\r\n");
    if random.u8(..10) == 0 {
        bytes.extend_from_slice(b"X-Sum: 7\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes
}

impl Plan {
    /// For a request of `method`, with a body of `length` bytes.
    pub fn of(tag: Tag, method: &str, length: usize, random: &mut Rng) -> Self {
        let to_head = method == "HEAD";
        let response = Response::framed(tag, random);
        let mut plan = Self {
            kind: "good",
            bytes: Vec::new(),
            body: Reading::Before,
            trickle: false,
            end: End::GoesOn,
            promise: Promise::Answer,
        };
        match random.u8(..100) {
            0..=45 => plan.bytes = response.bytes(to_head),
            46..=52 => {
                plan.kind = "answer before the answer";
                for _ in 0..random.u8(1..4) {
                    let interim = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Length: 3\r\n\r\n";
                    let interim = if random.bool() { "HTTP/1.1 100 Continue\r\n\r\n" } else { interim };
                    plan.bytes.extend_from_slice(interim.as_bytes());
                }
                plan.trickle = random.bool();
                plan.bytes.extend(response.bytes(to_head));
            }
            53..=56 => {
                let mut response = Response::new(tag, "200 OK");
                response.body = tag.answer();
                plan.kind = "until the end";
                plan.bytes = response.bytes(to_head);
                plan.end = End::Closed;
            }
            57 | 58 => {
                let status = if random.bool() { "204 No Content" } else { "304 Not Modified" };
                plan.kind = "bodyless status";
                plan.bytes = Response::new(tag, status).bytes(to_head);
                if random.bool() {
                    plan.bytes.extend(smuggled(tag));
                }
            }
            59..=64 => {
                plan.kind = "trickle";
                plan.trickle = true;
                plan.bytes = response.bytes(to_head);
            }
            65..=70 => plan.cut(response.bytes(to_head), End::Closed, random),
            71..=74 => plan.cut(response.bytes(to_head), End::Reset, random),
            // What comes in a segment of its own may cross the next request: nobody could tell.
            75..=77 if tag.answer().len() < 12_000 => {
                plan.kind = "surplus bytes";
                plan.bytes = response.bytes(to_head);
                let surplus = [&b"\r\n"[..], b"0", b"\0", b"surplus", b"}\r\n\r\n"][random.usize(..5)];
                plan.bytes.extend_from_slice(surplus);
            }
            78..=81 if tag.answer().len() < 12_000 => {
                plan.kind = "smuggled answer";
                plan.bytes = response.bytes(to_head);
                plan.bytes.extend(smuggled(tag));
            }
            82..=85 if to_head => {
                plan.kind = "body after an answer to HEAD";
                plan.bytes = response.bytes(false);
                plan.bytes.truncate(12_000);
            }
            82..=85 => {
                plan.kind = "closed after the answer";
                plan.bytes = response.bytes(to_head);
                plan.end = End::Closed;
            }
            86 | 87 => {
                plan.kind = "reset after the answer";
                plan.bytes = response.bytes(to_head);
                plan.end = End::Reset;
                plan.promise = Promise::None;
            }
            88 | 89 => {
                plan.kind = "closed without an answer";
                plan.end = End::Closed;
                plan.promise = Promise::None;
            }
            90 | 91 => {
                plan.kind = "reset without an answer";
                plan.end = End::Reset;
                plan.promise = Promise::None;
            }
            92..=94 if length > 0 => {
                plan.kind = "early answer and closed";
                plan.bytes = response.bytes(to_head);
                plan.body = Reading::Never;
                plan.end = End::Closed;
                // What isn't read of a request takes the answer with it.
                plan.promise = Promise::None;
            }
            95 | 96 if length > 0 => {
                plan.kind = "early answer and read on";
                plan.bytes = response.bytes(to_head);
                plan.body = Reading::After;
            }
            97 | 98 => {
                plan.kind = "malformed";
                plan.bytes = malformed(tag, to_head, random);
                plan.promise = Promise::NoAnswer;
            }
            _ => plan.bytes = response.bytes(to_head),
        }
        plan
    }

    /// Ends before the last byte, wherever that is.
    fn cut(&mut self, mut bytes: Vec<u8>, end: End, random: &mut Rng) {
        self.kind = if end == End::Closed { "cut and closed" } else { "cut and reset" };
        bytes.truncate(random.usize(..bytes.len()));
        self.bytes = bytes;
        self.end = end;
        // To GET without a byte of an answer another attempt may have followed.
        self.promise = if self.bytes.is_empty() { Promise::None } else { Promise::NoAnswer };
        self.trickle = random.u8(..4) == 0;
    }
}

/// A whole answer to nobody, in all that callers look at another's.
fn smuggled(tag: Tag) -> Vec<u8> {
    let other = Tag(tag.0 + 90_000_000_000);
    let body = other.answer();
    let head = format!("HTTP/1.1 200 OK\r\nX-Tag: {other}\r\nContent-Length: {}\r\n\r\n", body.len());
    let mut bytes = head.into_bytes();
    bytes.extend(body);
    bytes.truncate(2000);
    bytes
}

fn malformed(tag: Tag, to_head: bool, random: &mut Rng) -> Vec<u8> {
    let (head, body) = (format!("HTTP/1.1 200 OK\r\nX-Tag: {tag}\r\n"), tag.answer());
    let length = body.len();
    // The last one is in the body, which to HEAD nobody reads.
    let head = match random.u8(..if to_head { 6 } else { 7 }) {
        0 => format!("{head}Content-Length: {length}\r\nContent-Length: {}\r\n\r\n", length + 1),
        1 => format!("{head}Content-Length: -{length}\r\n\r\n"),
        2 => format!("{head}Content-Length: {length}, 3\r\n\r\n"),
        3 => format!("{head}Transfer-Encoding: chunked, gzip\r\n\r\n"),
        4 => format!("HTTP/1.1 OK\r\nX-Tag: {tag}\r\nContent-Length: {length}\r\n\r\n"),
        5 => format!("HTTP/1.1 200 OK\r\nX-Tag : {tag}\r\nContent-Length: {length}\r\n\r\n"),
        _ => format!("{head}Transfer-Encoding: chunked\r\n\r\nxyz\r\n"),
    };
    let mut bytes = head.into_bytes();
    bytes.extend(body);
    bytes
}
