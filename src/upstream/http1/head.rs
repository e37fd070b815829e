//! The head of a response, and of those before it.

use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, DATE, SERVER};
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
pub(in crate::upstream) const MOST_INTERIM: u8 = 16;

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
    /// So many bytes were looked at, and are the beginning of a head.
    seen: usize,
    interim: u8,
    /// Nothing that has come so far ends the connection with this response.
    goes_on: bool,
}

impl HeadReader {
    /// Of the response to a request, of HEAD if `to_head`.
    pub fn new(to_head: bool) -> Self {
        Self { to_head, seen: 0, interim: 0, goes_on: true }
    }

    /// Takes the head out of `input`, once it is there; those before it are dropped.
    ///
    /// # Errors
    /// It can't be understood, or in two ways.
    pub fn read(&mut self, input: &mut BytesMut) -> Result<Option<Head>, Fault> {
        // A head ends with a line: what comes byte by byte isn't parsed for each of them.
        while input.get(self.seen..).is_some_and(|fresh| memchr::memchr(b'\n', fresh).is_some()) {
            let mut fields = [Field::default(); MOST_FIELDS];
            let parsed = Lines::parse(input, &mut fields).or_else(|fault| is_final(fault, input))?;
            let Some(lines) = parsed else { break };
            self.seen = 0;
            let bytes = input.split_to(lines.length).freeze();
            self.goes_on &= lines.are_strict || is_strict(&bytes);
            let mut head = Head::of(&lines, bytes, self.to_head)?;
            self.goes_on &= head.goes_on;
            head.goes_on = self.goes_on;
            if !head.status.is_informational() || head.status == StatusCode::SWITCHING_PROTOCOLS {
                return Ok(Some(head));
            }
            self.interim += 1;
            if self.interim > MOST_INTERIM {
                return Err(Fault::TooManyInterim(MOST_INTERIM));
            }
        }
        if input.len() >= LONGEST_HEAD {
            return Err(Fault::HeadTooLong(LONGEST_HEAD));
        }
        self.seen = input.len();
        Ok(None)
    }
}

/// A head's lines: where their parts are in it.
struct Lines<'f> {
    status: StatusCode,
    is_http_10: bool,
    length: usize,
    /// All of them surely end as RFC 9112 says.
    are_strict: bool,
    fields: &'f [Field],
}

/// A fault in a line that isn't whole is none yet: what is refused doesn't depend on how the bytes
/// happen to come.
fn is_final<'f>(fault: Fault, input: &[u8]) -> Result<Option<Lines<'f>>, Fault> {
    let whole = memchr::memrchr(b'\n', input).map_or(0, |end| end + 1);
    match Lines::parse(&input[..whole], &mut [Field::default(); MOST_FIELDS]) {
        Err(_) => Err(fault),
        Ok(_) => Ok(None),
    }
}

/// Where name and value of a field are.
#[derive(Clone, Copy, Default)]
struct Field {
    name: (u16, u16),
    value: (u16, u16),
}

impl<'f> Lines<'f> {
    /// The lines of the head that `input` begins with, if it is whole.
    fn parse(input: &[u8], fields: &'f mut [Field; MOST_FIELDS]) -> Result<Option<Self>, Fault> {
        let mut parsed = [const { MaybeUninit::uninit() }; MOST_FIELDS];
        let mut response = httparse::Response::new(&mut []);
        let input = input.get(..LONGEST_HEAD).unwrap_or(input);
        let length = ParserConfig::default()
            .parse_response_with_uninit_headers(&mut response, input, &mut parsed)
            .map_err(Fault::Head)?;
        let (httparse::Status::Complete(length), Some(code), Some(version)) =
            (length, response.code, response.version)
        else {
            return Ok(None);
        };
        let status = StatusCode::from_u16(code).map_err(|_| Fault::Head(httparse::Error::Status))?;
        let begin = input.as_ptr().addr();
        // No head is longer than 16 KiB.
        let place = |part: &[u8]| ((part.as_ptr().addr() - begin) as u16, part.len() as u16);
        let ends_line = |part: &[u8]| {
            let end = part.as_ptr().addr().wrapping_sub(begin).wrapping_add(part.len());
            input.get(end..end.wrapping_add(2)) == Some(b"\r\n")
        };
        let reason = response.reason.unwrap_or_default();
        let mut are_strict = input.starts_with(b"HTTP") && ends_line(reason.as_bytes());
        for (field, header) in fields.iter_mut().zip(&*response.headers) {
            *field = Field { name: place(header.name.as_bytes()), value: place(header.value) };
            are_strict &= ends_line(header.value);
        }
        are_strict &= input.get(..length).is_some_and(|head| head.ends_with(b"\r\n\r\n"));
        let fields = &fields[..response.headers.len()];
        Ok(Some(Self { status, is_http_10: version == 0, length, are_strict, fields }))
    }
}

impl Head {
    /// Makes the head out of its bytes.
    fn of(lines: &Lines<'_>, head: Bytes, to_head: bool) -> Result<Self, Fault> {
        let part = |(begin, length): (u16, u16)| usize::from(begin)..usize::from(begin) + usize::from(length);
        let mut framing = FramingFields::default();
        let mut headers = HeaderMap::with_capacity(lines.fields.len());
        let mut named = Vec::new();
        let mut codings = Vec::new();
        for field in lines.fields {
            let (name, place) = (&head[part(field.name)], part(field.value));
            let value = &head[place.clone()];
            match Role::of(name) {
                Role::OfMessage => {}
                Role::Length => {
                    if !framing.content_length(value)? {
                        continue;
                    }
                }
                Role::Coding => {
                    framing.transfer_encoding(value)?;
                    codings.extend(members(value).map(|member| head.slice_ref(member)));
                    continue;
                }
                Role::Connection => {
                    named.extend(framing.connection(value));
                    continue;
                }
                Role::OfConnection => continue,
            }
            let value = HeaderValue::from_maybe_shared(head.slice(place));
            headers.append(header_name(name)?, value.map_err(|_| Fault::Head(httparse::Error::HeaderValue))?);
        }
        for name in named.into_iter().filter_map(|name| HeaderName::from_bytes(name).ok()) {
            // Framing isn't the connection's to drop: the caller would wait for the end of the
            // body.
            if name != CONTENT_LENGTH {
                headers.remove(name);
            }
        }
        if framing.is_coded() {
            headers.remove(CONTENT_LENGTH);
        }
        codings.retain(|coding| !coding.eq_ignore_ascii_case(b"chunked"));
        if lines.status.is_informational() {
            let goes_on = framing.goes_on(lines.is_http_10);
            return Ok(Self { status: lines.status, headers, codings, goes_on, body: Body::empty() });
        }
        let (framing, goes_on) = framing.decide(lines.status, to_head, lines.is_http_10)?;
        Ok(Self { status: lines.status, headers, codings, goes_on, body: Body::framed(framing) })
    }
}

/// Whether a head begins with its first line, and all of them end as RFC 9112 says. Others refuse
/// an empty line before it, and lines that a line feed alone ends.
fn is_strict(head: &[u8]) -> bool {
    let bare = |at: usize| at == 0 || head[at - 1] != b'\r';
    head.starts_with(b"HTTP") && !memchr::memchr_iter(b'\n', head).any(bare)
}

/// The name of a field. Those that WeChat's responses have, as it spells them, cost one comparison.
fn header_name(name: &[u8]) -> Result<HeaderName, Fault> {
    Ok(match name {
        b"Content-Type" => CONTENT_TYPE,
        b"Content-Length" => CONTENT_LENGTH,
        b"Date" => DATE,
        b"Server" => SERVER,
        other => HeaderName::from_bytes(other).map_err(|_| Fault::Head(httparse::Error::HeaderName))?,
    })
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
    fn of(name: &[u8]) -> Self {
        // As WeChat spells them first: that is one comparison.
        let is = |usual: &[u8]| name == usual || name.eq_ignore_ascii_case(usual);
        // By length, since most names have another one.
        match name.len() {
            2 if is(b"TE") => Self::OfConnection,
            7 if is(b"Trailer") || is(b"Upgrade") => Self::OfConnection,
            10 if is(b"Connection") => Self::Connection,
            10 if is(b"Keep-Alive") => Self::OfConnection,
            14 if is(b"Content-Length") => Self::Length,
            16 if is(b"Proxy-Connection") => Self::OfConnection,
            17 if is(b"Transfer-Encoding") => Self::Coding,
            18 if is(b"Proxy-Authenticate") => Self::OfConnection,
            19 if is(b"Proxy-Authorization") => Self::OfConnection,
            _ => Self::OfMessage,
        }
    }
}
