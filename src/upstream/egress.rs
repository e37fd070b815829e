//! The proxy that stands between here and WeChat, where only its address is whitelisted.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use zeroize::Zeroizing;

use super::origin::host_and_port;
use crate::secret::Secret;
use crate::texts::{Words, marked, text, translated, words};

/// An egress proxy. Prints without credentials.
#[derive(Clone)]
pub struct Egress {
    /// What it speaks.
    pub protocol: Protocol,
    /// Host name or address, an IPv6 one without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// User name and password, where it asks for them.
    pub credentials: Option<(String, Arc<Secret>)>,
}

/// What an egress proxy speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP `CONNECT` (RFC 9110, 9.3.6) with Basic authentication.
    Http,
    /// SOCKS 5 (RFC 1928) with user name and password (RFC 1929).
    Socks5,
}

/// Why a proxy made no connection.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// Nothing responds at its address.
    #[error("{}", text!("it is unreachable"))]
    Unreachable(#[source] io::Error),
    /// It closed the connection before its response.
    #[error("{}", text!("it closed the connection early"))]
    Broken(#[source] io::Error),
    /// It wants credentials, or others.
    #[error("{}", text!("it rejected the credentials: {answer}", answer = .0))]
    Denied(Words),
    /// It can't or won't connect to the host.
    #[error("{}", text!("it does not connect to {host}: {answer}", host = .host, answer = .answer))]
    Refused {
        /// The host, or the address that `upstream.resolve` gives for it.
        host: String,
        /// Its status, or what its code means.
        answer: Words,
    },
    /// It speaks another protocol.
    #[error("{}", text!("it does not respond as {protocol} proxies do", protocol = .0))]
    Foreign(&'static str),
}

/// Where the proxy is to connect to.
#[derive(Clone, Debug)]
pub(super) enum Destination {
    Name(String),
    Address(IpAddr),
}

/// A proxy's response to CONNECT is a few lines.
const LONGEST_HEAD: usize = 16 * 1024;

impl Egress {
    /// Has the proxy at the other end of `stream` connect to `destination`; what follows on the
    /// stream is the host's.
    pub(super) async fn open(
        &self,
        stream: &mut TcpStream,
        destination: &Destination,
        port: u16,
    ) -> Result<(), EgressError> {
        match self.protocol {
            Protocol::Http => self.connect(stream, destination, port).await,
            Protocol::Socks5 => self.socks(stream, destination, port).await,
        }
    }

    async fn connect(
        &self,
        stream: &mut TcpStream,
        destination: &Destination,
        port: u16,
    ) -> Result<(), EgressError> {
        let authority = host_and_port(&destination.to_string(), port);
        let mut request = Zeroizing::new(format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n"));
        if let Some((user, password)) = &self.credentials {
            let pair = Zeroizing::new(format!("{user}:{}", password.expose()));
            let basic = Zeroizing::new(STANDARD.encode(pair.as_bytes()));
            request.push_str("Proxy-Authorization: Basic ");
            request.push_str(&basic);
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        stream.write_all(request.as_bytes()).await.map_err(EgressError::Broken)?;
        let status = status(&read_head(stream).await?).ok_or(EgressError::Foreign("HTTP"))?;
        let answer = words!("status {status}", status);
        match status {
            200..300 => Ok(()),
            401 | 407 => Err(EgressError::Denied(answer)),
            _ => Err(EgressError::Refused { host: destination.to_string(), answer }),
        }
    }

    async fn socks(
        &self,
        stream: &mut TcpStream,
        destination: &Destination,
        port: u16,
    ) -> Result<(), EgressError> {
        const VERSION: u8 = 5;
        const OPEN: u8 = 0;
        const BY_PASSWORD: u8 = 2;
        const NONE_FITS: u8 = 0xff;
        let foreign = || EgressError::Foreign("SOCKS 5");
        let greeting: &[u8] = match self.credentials {
            None => &[VERSION, 1, OPEN],
            Some(_) => &[VERSION, 2, OPEN, BY_PASSWORD],
        };
        let [version, method] = ask(stream, greeting).await?;
        if version != VERSION {
            return Err(foreign());
        }
        match (method, &self.credentials) {
            (OPEN, _) => {}
            (BY_PASSWORD, Some((user, password))) => {
                let mut login = Zeroizing::new(vec![1]);
                for text in [user.as_str(), password.expose()] {
                    // The configuration refuses longer ones.
                    login.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
                    login.extend_from_slice(text.as_bytes());
                }
                let [_, status] = ask(stream, &login).await?;
                if status != 0 {
                    return Err(EgressError::Denied(words!("status {status}", status)));
                }
            }
            (NONE_FITS, _) => return Err(EgressError::Denied(words!("no acceptable methods"))),
            _ => return Err(foreign()),
        }
        let mut request = vec![VERSION, 1, 0];
        match destination {
            Destination::Address(IpAddr::V4(ip)) => {
                request.push(1);
                request.extend_from_slice(&ip.octets());
            }
            Destination::Address(IpAddr::V6(ip)) => {
                request.push(4);
                request.extend_from_slice(&ip.octets());
            }
            Destination::Name(name) => {
                request.extend_from_slice(&[3, u8::try_from(name.len()).unwrap_or(u8::MAX)]);
                request.extend_from_slice(name.as_bytes());
            }
        }
        request.extend_from_slice(&port.to_be_bytes());
        let [version, reply, _, kind] = ask(stream, &request).await?;
        if version != VERSION {
            return Err(foreign());
        }
        if reply != 0 {
            return Err(EgressError::Refused { host: destination.to_string(), answer: socks_reply(reply) });
        }
        let bound = match kind {
            1 => 4,
            4 => 16,
            3 => usize::from(stream.read_u8().await.map_err(EgressError::Broken)?),
            _ => return Err(foreign()),
        };
        let mut rest = vec![0; bound + 2];
        stream.read_exact(&mut rest).await.map_err(EgressError::Broken)?;
        Ok(())
    }
}

/// Sends `bytes` and reads a response of `N`.
async fn ask<const N: usize>(stream: &mut TcpStream, bytes: &[u8]) -> Result<[u8; N], EgressError> {
    let mut answer = [0; N];
    stream.write_all(bytes).await.map_err(EgressError::Broken)?;
    stream.read_exact(&mut answer).await.map_err(EgressError::Broken)?;
    Ok(answer)
}

/// Reads a head and nothing beyond: hosts speak when they are spoken to, so nothing can follow it
/// yet.
async fn read_head(stream: &mut TcpStream) -> Result<Vec<u8>, EgressError> {
    let mut head = Vec::new();
    loop {
        if stream.read_buf(&mut head).await.map_err(EgressError::Broken)? == 0 {
            return Err(EgressError::Broken(io::ErrorKind::UnexpectedEof.into()));
        }
        if head.ends_with(b"\r\n\r\n") {
            return Ok(head);
        }
        if head.len() > LONGEST_HEAD {
            return Err(EgressError::Foreign("HTTP"));
        }
        // What a refusal says after its head is of no use, and its connection is dropped.
        if memchr::memmem::find(&head, b"\r\n\r\n").is_some() {
            return match status(&head) {
                Some(200..300) => Err(EgressError::Foreign("HTTP")),
                _ => Ok(head),
            };
        }
    }
}

fn status(head: &[u8]) -> Option<u16> {
    let line = head.split(|byte| *byte == b'\r').next()?;
    let rest = line.strip_prefix(b"HTTP/1.")?.get(2..5)?;
    std::str::from_utf8(rest).ok()?.parse().ok()
}

fn socks_reply(code: u8) -> Words {
    match code {
        1 => words!("general failure"),
        2 => words!("not allowed by its rules"),
        3 => words!("network unreachable"),
        4 => words!("host unreachable"),
        5 => words!("connection refused"),
        6 => words!("TTL expired"),
        7 => words!("command not supported"),
        8 => words!("address type not supported"),
        _ => words!("unknown code {code}", code),
    }
}

impl EgressError {
    /// Whether another host may be reached all the same: it isn't the proxy itself that fails.
    pub(super) fn concerns_host(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }

    /// What ends it, in the language of the moment.
    pub fn remedy(&self) -> &'static str {
        translated(match self {
            Self::Unreachable(_) | Self::Broken(_) => marked!(
                "Check that the proxy runs, that host and port in egress_proxy are right, and that the firewall \
                 lets this machine connect."
            ),
            Self::Denied(_) => {
                marked!("Set the proxy's user name in egress_proxy and its password in egress_password.")
            }
            Self::Refused { .. } => marked!(
                "Check that the proxy's rules allow this host and port, and that the proxy itself can reach it."
            ),
            Self::Foreign(_) => marked!(
                "Check whether the proxy speaks HTTP or SOCKS 5, and start egress_proxy with http:// or \
                 socks5:// accordingly."
            ),
        })
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(ip) => ip.fmt(f),
        }
    }
}

/// The URL without credentials.
impl fmt::Display for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.protocol {
            Protocol::Http => "http",
            Protocol::Socks5 => "socks5",
        };
        write!(f, "{scheme}://{}", host_and_port(&self.host, self.port))
    }
}

impl fmt::Debug for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Egress({self})")
    }
}

impl PartialEq for Egress {
    fn eq(&self, other: &Self) -> bool {
        let same = match (&self.credentials, &other.credentials) {
            (None, None) => true,
            (Some((user, password)), Some((other_user, other_password))) => {
                user == other_user && password.matches(other_password)
            }
            _ => false,
        };
        same && (self.protocol, &self.host, self.port) == (other.protocol, &other.host, other.port)
    }
}

impl Eq for Egress {}
