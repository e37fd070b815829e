//! One host looked at closely: what it speaks, how fast, and how long it keeps a connection.
//!
//! No credential is sent, so nothing of the account's is spent or replaced.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, ACCEPT_ENCODING, HeaderMap};
use http::{HeaderValue, Method, StatusCode, Version};
use hyper::Error;
use rustls::client::Resumption;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;

use super::Origin;
use super::connect::{ConnectError, agree};
use super::once;
use super::set::Upstream;
use super::socket::Socket;

use crate::texts::text;

/// What is asked for: without a token WeChat refuses it.
pub const PATH: &str = "/cgi-bin/get_api_domain_ip";

/// Requests on the one connection.
pub const REQUESTS: usize = 5;

const LONGEST_ANSWER: usize = 64 * 1024;

/// What was seen.
#[derive(Clone, Debug)]
pub struct Sight {
    /// Its addresses, v4 and v6; none where an egress proxy resolves the name.
    pub addresses: Option<(usize, usize)>,
    /// How long TCP took, and the egress proxy if there is one.
    pub connect: Duration,
    /// TLS, where it is spoken.
    pub tls: Option<TlsSight>,
    /// The responses, at least one.
    pub answers: Vec<AnswerSight>,
    /// When it closed the idle connection.
    pub idle: Idle,
}

/// How TLS came out.
#[derive(Clone, Debug)]
pub struct TlsSight {
    /// How long the handshake took.
    pub handshake: Duration,
    /// Like `TLSv1_3`.
    pub version: String,
    /// The cipher suite.
    pub suite: String,
    /// What it chose of h2 and http/1.1.
    pub alpn: Option<String>,
    /// Its certificate, DER.
    pub certificate: Option<Vec<u8>>,
}

/// One response.
#[derive(Clone, Debug)]
pub struct AnswerSight {
    /// From the request to the response's last byte.
    pub took: Duration,
    /// Its status.
    pub status: StatusCode,
    /// Its version.
    pub version: Version,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, as it came.
    pub body: Vec<u8>,
}

/// What became of the connection once nothing was asked any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// It was closed with a response, the one of this number.
    NotKept(usize),
    /// It was closed after so long.
    Closed(Duration),
    /// It was still open after so long.
    Open(Duration),
}

/// Why there is nothing to be seen.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// No connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The exchange failed.
    #[error("{}", text!("the request failed"))]
    Exchange(#[from] Error),
    /// The request can't be made.
    #[error("{}", text!("cannot build a request from the call"))]
    Malformed(#[from] http::Error),
    /// No response in time.
    #[error("{}", text!("no response within {limit}", limit = format_args!("{:?}", .0)))]
    Timeout(Duration),
    /// The response is longer than any that is expected.
    #[error("{}", text!("the response is longer than 64 KiB"))]
    TooLong,
}

/// Looks at `origin` by the way of `upstream`; waits at most `idle` for it to close the connection.
///
/// # Errors
/// If it doesn't respond.
pub async fn look(upstream: &Upstream, origin: &Origin, idle: Duration) -> Result<Sight, LookError> {
    let connector = &upstream.connector;
    let limit = connector.options.connect_timeout;
    let late = |_| ConnectError::Timeout { host: origin.host.clone(), limit };

    let addresses = match connector.options.egress {
        Some(_) => None,
        None => connector.resolve(&origin.host, origin.port).await.ok().map(|addresses| {
            let v4 = addresses.iter().filter(|address| address.is_ipv4()).count();
            (v4, addresses.len() - v4)
        }),
    };
    let tls =
        if origin.tls { Some(timeout(limit, offer(upstream, origin)).await.map_err(late)??) } else { None };

    let began = Instant::now();
    let tcp = timeout(limit, connector.reach(origin)).await.map_err(late)??;
    let connect = began.elapsed();
    let socket = if origin.tls {
        let tls = timeout(limit, agree(&connector.tls, origin, tcp)).await.map_err(late)??;
        Socket::Tls(Box::new(tls))
    } else {
        Socket::Plain(tcp)
    };
    let (answers, idle) = ask(socket, origin, connector.options.response_timeout, idle).await?;
    Ok(Sight { addresses, connect, tls, answers, idle })
}

/// A handshake that offers all there is, on a connection of its own: who chose h2 couldn't be asked
/// by HTTP/1.1.
async fn offer(upstream: &Upstream, origin: &Origin) -> Result<TlsSight, ConnectError> {
    let mut config = (*upstream.tls).clone();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // A resumed session would be quicker, and shows the former one's certificate.
    config.resumption = Resumption::disabled();
    let tcp = upstream.connector.reach(origin).await?;
    let began = Instant::now();
    let tls = agree(&TlsConnector::from(Arc::new(config)), origin, tcp).await?;
    let (_, session) = tls.get_ref();
    Ok(TlsSight {
        handshake: began.elapsed(),
        version: session.protocol_version().map(|version| format!("{version:?}")).unwrap_or_default(),
        suite: session
            .negotiated_cipher_suite()
            .map(|suite| format!("{:?}", suite.suite()))
            .unwrap_or_default(),
        alpn: session.alpn_protocol().map(|protocol| String::from_utf8_lossy(protocol).into_owned()),
        certificate: session.peer_certificates().and_then(|chain| chain.first()).map(|own| own.to_vec()),
    })
}

/// Some requests on one connection, then silence.
async fn ask(
    socket: Socket,
    origin: &Origin,
    limit: Duration,
    idle: Duration,
) -> Result<(Vec<AnswerSight>, Idle), LookError> {
    let (mut sender, connection) = once::open(socket).await?;
    let mut connection = pin!(connection);
    let mut answers = Vec::new();
    let mut ended = false;
    while answers.len() < REQUESTS && !ended {
        let mut request = once::request(origin, Method::GET, PATH, bytes::Bytes::new())?;
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("*/*"));
        request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        let began = Instant::now();
        let exchange = async {
            let (head, body) = sender.send_request(request).await?.into_parts();
            let body = once::body(body, LONGEST_ANSWER).await?.ok_or(LookError::TooLong)?;
            Ok::<_, LookError>(AnswerSight {
                took: began.elapsed(),
                status: head.status,
                version: head.version,
                headers: head.headers,
                body,
            })
        };
        let mut exchange = pin!(timeout(limit, exchange));
        let answer = tokio::select! {
            biased;
            answer = &mut exchange => answer,
            _ = &mut connection => {
                ended = true;
                exchange.await
            }
        };
        match answer {
            Ok(Ok(answer)) => answers.push(answer),
            // A connection that is kept may end with any response.
            Ok(Err(LookError::Exchange(_))) if !answers.is_empty() => ended = true,
            Ok(Err(error)) => return Err(error),
            Err(_) => return Err(LookError::Timeout(limit)),
        }
    }
    let began = Instant::now();
    // Closing is what comes with a response: its head says so, or the end follows at once.
    if !ended && closes(&answers) {
        ended = true;
    }
    let became = if ended {
        Idle::NotKept(answers.len())
    } else if timeout(idle, &mut connection).await.is_ok() {
        Idle::Closed(began.elapsed())
    } else {
        Idle::Open(idle)
    };
    Ok((answers, became))
}

fn closes(answers: &[AnswerSight]) -> bool {
    let connection = answers.last().and_then(|answer| answer.headers.get(http::header::CONNECTION));
    connection.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"close"))
}
