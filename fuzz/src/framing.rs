//! Through a real socket: where a strict reader finds requests, the server hands these on and no others, and where a body could
//! end in two places it hands on nothing.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, LazyLock, Mutex};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use wxgate::config::Config;
use wxgate::server::{Address, Handler, Listener, Peer, Refusal, Request, Response, Server};

/// Method and target, body.
type Seen = (String, Vec<u8>);

struct Place {
    address: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    _server: Server,
    _runtime: tokio::runtime::Runtime,
}

static PLACE: LazyLock<Place> = LazyLock::new(|| {
    let text = "[server]\nhead_timeout = '200ms'\nidle_timeout = '200ms'\nbody_timeout = '200ms'\n\
                [[app]]\nname = 'a'\nappid = 'wx0000000000000001'\nsecret = { env = 'S' }\n";
    let config = Config::parse(text, "fuzz.toml", &|_| Some("secret".to_owned())).expect("a configuration");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
    let server = {
        let (seen, _entered) = (Arc::clone(&seen), runtime.enter());
        let listener = Listener::bind(&Address::Tcp("127.0.0.1:0".to_owned())).expect("a port");
        let options = config.server.options;
        Server::start("fuzz", vec![listener], options, 1, move |_| Notes(Arc::clone(&seen)))
            .expect("a server")
    };
    let address = server.addresses()[0].to_string();
    Place { address, seen, _server: server, _runtime: runtime }
});

/// Notes every request that came whole.
struct Notes(Arc<Mutex<Vec<Seen>>>);

impl Handler for Notes {
    async fn handle(&self, request: Request, _: Peer) -> Response {
        let line = format!("{} {}", request.method(), request.uri());
        if let Ok(body) = request.into_body().collect().await {
            self.0.lock().expect("unpoisoned").push((line, body.to_bytes().to_vec()));
        }
        Response::new("ok".into())
    }

    fn refuse(&self, _: Refusal, _: Peer) -> Option<http::Response<Bytes>> {
        Some(http::Response::new(Bytes::new()))
    }
}

/// What a strict reader makes of the bytes.
struct Strict {
    requests: Vec<Seen>,
    /// Nothing may be handed on behind these.
    ends: bool,
}

fn strict(mut bytes: &[u8]) -> Strict {
    let mut requests = Vec::new();
    let ends = loop {
        match next(bytes) {
            Next::Request(line, body, rest) => {
                requests.push((line, body));
                bytes = rest;
            }
            Next::End => break true,
            Next::Unsure => break false,
        }
    };
    Strict { requests, ends }
}

enum Next<'a> {
    Request(String, Vec<u8>, &'a [u8]),
    /// No request begins here that is whole, or its body could end in two places.
    End,
    /// Others may be more lenient.
    Unsure,
}

fn next(bytes: &[u8]) -> Next<'_> {
    if bytes.is_empty() {
        return Next::End;
    }
    let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else { return Next::Unsure };
    let (head, mut rest) = (&bytes[..end], &bytes[end + 4..]);
    let Ok(head) = std::str::from_utf8(head) else { return Next::Unsure };
    let mut lines = head.split("\r\n");
    let line = lines.next().unwrap_or_default();
    let plain = |text: &str, more: &str| {
        !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || more.as_bytes().contains(&byte))
    };
    let Some((method, target)) = line.strip_suffix(" HTTP/1.1").and_then(|line| line.split_once(' ')) else {
        return Next::Unsure;
    };
    if !["GET", "POST"].contains(&method) || !target.starts_with('/') || !plain(target, "/_.?=&-") {
        return Next::Unsure;
    }
    let (mut lengths, mut codings, mut count) = (Vec::new(), Vec::new(), 0);
    for line in lines {
        count += 1;
        let Some((name, value)) = line.split_once(':') else { return Next::Unsure };
        let printable = value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
        if !plain(name, "-") || !printable || count > 50 {
            return Next::Unsure;
        }
        match &*name.to_ascii_lowercase() {
            "content-length" => lengths.push(value.trim()),
            "transfer-encoding" => codings.push(value.trim()),
            "connection" | "expect" | "upgrade" => return Next::Unsure,
            _ => {}
        }
    }
    let body = match (&lengths[..], &codings[..]) {
        ([], []) => Vec::new(),
        ([length], [])
            if length.len() < 8 && plain(length, "") && length.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            let length: usize = length.parse().expect("digits");
            let Some((body, behind)) = rest.split_at_checked(length) else { return Next::End };
            rest = behind;
            body.to_vec()
        }
        ([], [coding]) if coding.eq_ignore_ascii_case("chunked") => match chunks(&mut rest) {
            Some(body) => body,
            None => return Next::Unsure,
        },
        _ => return Next::End,
    };
    Next::Request(format!("{method} {target}"), body, rest)
}

fn chunks(rest: &mut &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = memchr::memmem::find(rest, b"\r\n").filter(|end| (1..6).contains(end))?;
        let digits = std::str::from_utf8(&rest[..end])
            .ok()
            .filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()))?;
        let size = usize::from_str_radix(digits, 16).ok()?;
        let (chunk, behind) = rest[end + 2..].split_at_checked(size)?;
        body.extend_from_slice(chunk);
        *rest = behind.strip_prefix(b"\r\n")?;
        if size == 0 {
            return Some(body);
        }
    }
}

pub fn run(bytes: &[u8]) {
    let bytes = &bytes[..bytes.len().min(60_000)];
    let place = &*PLACE;
    let expected = strict(bytes);
    place.seen.lock().expect("unpoisoned").clear();
    let mut stream = TcpStream::connect(&place.address).expect("connected");
    // A server that has closed already is no failure.
    let _ = stream.write_all(bytes);
    let _ = stream.read_to_end(&mut Vec::new());
    let seen = place.seen.lock().expect("unpoisoned");
    let count = expected.requests.len();
    assert_eq!(seen.get(..count), Some(&expected.requests[..]), "{seen:?}");
    if expected.ends {
        assert_eq!(seen.len(), count, "{seen:?}");
    }
}
