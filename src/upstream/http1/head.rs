//! The head of a response, and of those before it.

use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use httparse::ParserConfig;

use super::body::Body;
use super::fault::Fault;
use super::framing::{FramingFields, members};

/// The longest head of a response.
pub const LONGEST_HEAD: usize = 16 * 1024;
/// As many as hyper takes.
const MOST_FIELDS: usize = 100;
/// Responses before the response (1xx) of which a host may send some and must not send them for
/// ever.
const MOST_INTERIM: u8 = 16;

/// The head of a response.
#[derive(Debug)]
pub struct Head {
    /// The status; 101 or at least 200.
    pub status: StatusCode,
    /// The fields that don't end with this connection (RFC 9110, 7.6.1).
    pub headers: HeaderMap,
    /// What the body was coded with for its way, besides in chunks: the members of
    /// `Transfer-Encoding`.
    pub codings: Vec<Bytes>,
    /// The connection can serve another request after this one.
    pub goes_on: bool,
    /// What reads the body.
    pub body: Body,
}

/// Finds the head of one response.
#[derive(Debug)]
pub struct HeadReader {
    to_head: bool,
    /// So many bytes have no end of a head in them.
    searched: usize,
    interim: u8,
    /// Nothing that has come so far ends the connection with this response.
    goes_on: bool,
}

impl HeadReader {
    /// Of the response to a request, of HEAD if `to_head`.
    pub fn new(to_head: bool) -> Self {
        Self { to_head, searched: 0, interim: 0, goes_on: true }
    }

    /// Takes the head out of `input`, once it is there; those before it are dropped.
    ///
    /// # Errors
    /// It can't be understood, or in two ways.
    pub fn read(&mut self, input: &mut BytesMut) -> Result<Option<Head>, Fault> {
        loop {
            let Some(end) = self.find_end(input)? else { return Ok(None) };
            self.searched = 0;
            let head = input.split_to(end).freeze();
            let mut parsed = parse(&head, self.to_head)?;
            self.goes_on &= parsed.goes_on;
            if !parsed.status.is_informational() || parsed.status == StatusCode::SWITCHING_PROTOCOLS {
                parsed.goes_on = self.goes_on;
                return Ok(Some(parsed));
            }
            self.interim += 1;
            if self.interim > MOST_INTERIM {
                return Err(Fault::TooManyInterim(MOST_INTERIM));
            }
        }
    }

    /// Where the head ends: behind its first empty line. Others refuse an empty line before it, and
    /// lines that a line feed alone ends.
    fn find_end(&mut self, input: &[u8]) -> Result<Option<usize>, Fault> {
        let unsearched = input.get(self.searched..).unwrap_or_default();
        for at in memchr::memchr_iter(b'\n', unsearched) {
            let end = self.searched + at + 1;
            let is_empty = match input.get(end.saturating_sub(3)..end) {
                Some([before, b'\r', _]) => *before == b'\n',
                line => {
                    self.goes_on = false;
                    matches!(line, Some([_, b'\n', _]))
                }
            };
            if is_empty {
                if end > LONGEST_HEAD {
                    break;
                }
                return Ok(Some(end));
            }
        }
        if input.len() >= LONGEST_HEAD {
            return Err(Fault::HeadTooLong(LONGEST_HEAD));
        }
        // An end may be cut in two.
        self.searched = input.len();
        Ok(None)
    }
}

fn parse(head: &Bytes, to_head: bool) -> Result<Head, Fault> {
    let mut fields = [const { MaybeUninit::uninit() }; MOST_FIELDS];
    let mut response = httparse::Response::new(&mut []);
    let parsed = ParserConfig::default().parse_response_with_uninit_headers(&mut response, head, &mut fields);
    let (Ok(httparse::Status::Complete(_)), Some(code), Some(version)) =
        (parsed, response.code, response.version)
    else {
        return Err(Fault::Head(parsed.err().unwrap_or(httparse::Error::NewLine)));
    };
    let status = StatusCode::from_u16(code).map_err(|_| Fault::Head(httparse::Error::Status))?;
    let mut framing = FramingFields::default();
    let mut headers = HeaderMap::with_capacity(response.headers.len());
    let mut named: Vec<&[u8]> = Vec::new();
    let mut codings = Vec::new();
    for field in &*response.headers {
        match Role::of(field.name) {
            Role::OfMessage => {}
            Role::Length => {
                framing.content_length(field.value)?;
                if headers.contains_key(CONTENT_LENGTH) {
                    continue;
                }
            }
            Role::Coding => {
                framing.transfer_encoding(field.value)?;
                codings.extend(members(field.value).map(|member| head.slice_ref(member)));
                continue;
            }
            Role::Connection => {
                framing.connection(field.value);
                named.extend(members(field.value).filter(|member| !is_usual(member)));
                continue;
            }
            Role::OfConnection => continue,
        }
        let name = HeaderName::from_bytes(field.name.as_bytes());
        let name = name.map_err(|_| Fault::Head(httparse::Error::HeaderName))?;
        let value = HeaderValue::from_maybe_shared(head.slice_ref(field.value));
        headers.append(name, value.map_err(|_| Fault::Head(httparse::Error::HeaderValue))?);
    }
    for name in named.into_iter().filter_map(|name| HeaderName::from_bytes(name).ok()) {
        // Framing isn't the connection's to drop: the caller would wait for the end of the body.
        if name != CONTENT_LENGTH {
            headers.remove(name);
        }
    }
    if framing.is_coded() {
        headers.remove(CONTENT_LENGTH);
    }
    codings.retain(|coding| !coding.eq_ignore_ascii_case(b"chunked"));
    if status.is_informational() {
        let goes_on = framing.goes_on(version == 0);
        return Ok(Head { status, headers, codings, goes_on, body: Body::empty() });
    }
    let (framing, goes_on) = framing.decide(status, to_head, version == 0)?;
    Ok(Head { status, headers, codings, goes_on, body: Body::framed(framing) })
}

fn is_usual(option: &[u8]) -> bool {
    option.eq_ignore_ascii_case(b"keep-alive") || option.eq_ignore_ascii_case(b"close")
}

/// Whom a field is for.
#[derive(Clone, Copy)]
enum Role {
    OfMessage,
    Length,
    Coding,
    Connection,
    /// It ends with the connection.
    OfConnection,
}

impl Role {
    fn of(name: &str) -> Self {
        // By length first, since most names have another one.
        let (known, role) = match name.len() {
            2 => (&["te"][..], Self::OfConnection),
            7 => (&["trailer", "upgrade"][..], Self::OfConnection),
            10 if name.eq_ignore_ascii_case("connection") => return Self::Connection,
            10 => (&["keep-alive"][..], Self::OfConnection),
            14 => (&["content-length"][..], Self::Length),
            16 => (&["proxy-connection"][..], Self::OfConnection),
            17 => (&["transfer-encoding"][..], Self::Coding),
            18 => (&["proxy-authenticate"][..], Self::OfConnection),
            19 => (&["proxy-authorization"][..], Self::OfConnection),
            _ => return Self::OfMessage,
        };
        if known.iter().any(|known| name.eq_ignore_ascii_case(known)) { role } else { Self::OfMessage }
    }
}
