//! Calls of the control plane: token fetches and probes.
//!
//! Each has a connection of its own: a token is fetched once in two hours, and no name is
//! remembered longer than a call.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use tokio::time::{Instant, timeout_at};
use zeroize::Zeroizing;

use super::connect::{ConnectError, remedy_of_io};
use super::health::Evidence;
use super::hosts::Hosts;
use super::once;
use super::socket::Socket;
use crate::observe::chain::causes;
use crate::texts::{Words, marked, text, translated};

/// Makes the proxy's own calls to WeChat, off the hot path, to the host that requests go to as
/// well.
#[derive(Clone, Debug)]
pub struct Control {
    hosts: Arc<Hosts>,
    #[cfg(test)]
    script: Option<Scripts>,
}

/// A call: what to ask for, with credentials in the query or the body.
#[expect(missing_debug_implementations, reason = "it would print credentials")]
#[derive(Clone, Copy)]
pub enum Call<'a> {
    /// `GET path?query`
    Get {
        /// Begins with `/`.
        path: &'a str,
        /// Raw, already encoded.
        query: &'a str,
    },
    /// `POST path` with a JSON body.
    Post {
        /// Begins with `/`.
        path: &'a str,
        /// The JSON text.
        body: &'a str,
    },
    /// `POST path` with a JSON body and further headers, by which it is signed.
    Signed {
        /// Begins with `/`.
        path: &'a str,
        /// The JSON text.
        body: &'a [u8],
        /// Beside the usual ones.
        headers: &'a HeaderMap,
    },
}

/// A response, whole.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: StatusCode,
    /// What came with it.
    pub headers: HeaderMap,
    /// At most 64 KiB.
    pub body: Bytes,
}

/// Why a call got no response. Carries no URL: ours hold secrets.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// No response in time.
    #[error("{}", text!("no response within {limit}", limit = format_args!("{:?}", .0)))]
    Timeout(Duration),
    /// No connection: WeChat has seen nothing of the call.
    #[error(transparent)]
    Connect(ConnectError),
    /// The exchange failed.
    #[error("{}", text!("the request failed"))]
    Exchange(#[from] hyper::Error),
    /// The call can't be put into a request.
    #[error("{}", text!("cannot build a request from the call"))]
    Malformed(#[from] http::Error),
    /// The response is longer than any token response.
    #[error("{}", text!("the response is longer than 64 KiB"))]
    TooLong,
}

const LONGEST_ANSWER: usize = 64 * 1024;

impl CallError {
    /// What ends it, as far as the error shows, in the language of the moment.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Timeout(_) => Some(translated(marked!(
                "Check that this machine can reach the host (firewall, routes), and that token.fetch_timeout is \
                 long enough."
            ))),
            Self::TooLong => Some(translated(marked!(
                "Check that upstream.base_urls leads to WeChat and not to a web page."
            ))),
            Self::Connect(error) => error.remedy(),
            Self::Exchange(error) => {
                remedy_of_io(causes(error).find_map(|cause| cause.downcast_ref::<io::Error>())?.kind())
            }
            Self::Malformed(_) => None,
        }
    }
}

impl Control {
    pub(super) fn new(hosts: Arc<Hosts>) -> Self {
        Self {
            hosts,
            #[cfg(test)]
            script: None,
        }
    }

    /// Whether both lead to the same hosts by the same way.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.hosts, &other.hosts)
    }

    /// Makes one call; `timeout` bounds it from connecting to the response's last byte.
    pub async fn call(&self, call: Call<'_>, timeout: Duration) -> Result<Answer, CallError> {
        #[cfg(test)]
        if let Some(Scripts(script)) = &self.script {
            let answer = tokio::time::timeout(timeout, script(call.into())).await;
            return answer.unwrap_or(Err(CallError::Timeout(timeout)));
        }
        let deadline = Instant::now() + timeout;
        let mut host = self.hosts.choose();
        let socket = loop {
            match timeout_at(deadline, self.hosts.connect(host)).await {
                Ok(Ok(socket)) => break socket,
                Ok(Err(error)) => match self.hosts.after(host, &error) {
                    Some(next) => host = next,
                    None => return Err(CallError::Connect(error)),
                },
                Err(_) => {
                    self.hosts.failed(host, Evidence::Silent(timeout));
                    return Err(CallError::Timeout(timeout));
                }
            }
        };
        let began = Instant::now();
        let answer = timeout_at(deadline, self.exchange(host, socket, call)).await;
        let answer = answer.unwrap_or(Err(CallError::Timeout(timeout)));
        match &answer {
            Ok(answer) => self.hosts.answered(host, answer.status, began),
            Err(CallError::Timeout(limit)) => self.hosts.failed(host, Evidence::Silent(*limit)),
            Err(CallError::Exchange(error)) => {
                self.hosts.failed(host, Evidence::Broken(Words::of(|| error.to_string())));
            }
            Err(CallError::Connect(_) | CallError::Malformed(_) | CallError::TooLong) => {}
        }
        answer
    }

    async fn exchange(&self, host: usize, socket: Socket, call: Call<'_>) -> Result<Answer, CallError> {
        let origin = self.hosts.origin(host);
        let mut request = match call {
            Call::Get { path, query } => {
                once::request(origin, Method::GET, &format!("{path}?{query}"), Bytes::new())?
            }
            Call::Post { path, body } => {
                once::request(origin, Method::POST, path, wiped(body.as_bytes().to_vec()))?
            }
            Call::Signed { path, body, headers } => {
                let mut request = once::request(origin, Method::POST, path, wiped(body.to_vec()))?;
                request.headers_mut().extend(headers.clone());
                request
            }
        };
        if request.method() == Method::POST {
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("*/*"));
        once::exchange(socket, request, async |answer| {
            let (head, body) = answer.into_parts();
            match once::body(body, LONGEST_ANSWER).await? {
                Some(body) => Ok(Answer { status: head.status, headers: head.headers, body: wiped(body) }),
                None => Err(CallError::TooLong),
            }
        })
        .await
    }
}

/// Bytes that may hold a credential, overwritten once they are no longer referenced.
fn wiped(bytes: Vec<u8>) -> Bytes {
    Bytes::from_owner(Zeroizing::new(bytes))
}

#[cfg(test)]
impl Control {
    /// For tests in which nothing may be called: no call arrives anywhere.
    pub(crate) fn nowhere() -> Self {
        let second = Duration::from_secs(1);
        let options = super::Options {
            origins: vec![super::Origin { tls: false, host: "127.0.0.1".to_owned(), port: 0 }],
            all_sites: true,
            connect_timeout: second,
            response_timeout: second,
            slow_response_timeout: second,
            body_timeout: second,
            pool_idle: second,
            pool_age: second,
            egress: None,
            ca_file: None,
            resolve: std::collections::HashMap::new(),
        };
        let upstreams = super::Upstreams::new(super::Resolver::default(), Vec::new());
        let options = [options];
        let trusted = super::Trusted::read(&options).expect("no certificates to be read");
        let upstreams = upstreams.configure(&options, trusted).expect("TLS");
        upstreams[0].control(super::Site::Api)
    }

    /// With responses of a test's own, and no network.
    pub(crate) fn scripted(script: Arc<Script>) -> Self {
        Self { script: Some(Scripts(script)), ..Self::nowhere() }
    }
}

/// Responds to a call.
#[cfg(test)]
pub(crate) type Script = dyn Fn(Scripted) -> std::pin::Pin<Box<dyn Future<Output = Result<Answer, CallError>> + Send>>
    + Send
    + Sync;

#[cfg(test)]
#[derive(Clone)]
struct Scripts(Arc<Script>);

#[cfg(test)]
impl std::fmt::Debug for Scripts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scripts")
    }
}

/// A call as a script sees it.
#[cfg(test)]
#[derive(Default)]
pub(crate) struct Scripted {
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) body: String,
}

#[cfg(test)]
impl From<Call<'_>> for Scripted {
    fn from(call: Call<'_>) -> Self {
        match call {
            Call::Get { path, query } => {
                Self { path: path.to_owned(), query: query.to_owned(), ..Self::default() }
            }
            Call::Post { path, body } => {
                Self { path: path.to_owned(), body: body.to_owned(), ..Self::default() }
            }
            Call::Signed { path, body, .. } => {
                let body = String::from_utf8_lossy(body).into_owned();
                Self { path: path.to_owned(), body, ..Self::default() }
            }
        }
    }
}
