//! A service that calls WeChat: plain HTTP, a connection for each call, none of WeChat's
//! credentials.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::texts::text;

/// Why a call got no response.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The proxy could not be reached.
    #[error("{}", text!("could not connect to {address}", address = .0))]
    Connect(String, #[source] std::io::Error),
    /// The call is not a valid HTTP request.
    #[error("{}", text!("not a valid HTTP request"))]
    Request(#[from] http::Error),
    /// The connection was closed early.
    #[error("{}", text!("the connection was closed early"))]
    Exchange(#[from] hyper::Error),
}

/// A response with its whole body.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Reply {
    /// The body as JSON; null where it is none.
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// A string of the JSON body; empty where there is none.
    pub(super) fn text(&self, key: &str) -> String {
        self.json()[key].as_str().unwrap_or_default().to_owned()
    }

    /// A header's value.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// Calls by GET.
pub(super) async fn get(address: &str, target: &str) -> Result<Reply, CallError> {
    send(address, Request::builder().method(Method::GET).uri(target).body(Full::default())).await
}

/// Calls by POST.
pub(super) async fn post(
    address: &str,
    target: &str,
    content_type: &str,
    body: Bytes,
) -> Result<Reply, CallError> {
    let request = Request::builder()
        .method(Method::POST)
        .uri(target)
        .header(CONTENT_TYPE, content_type)
        .body(body.into());
    send(address, request).await
}

/// Calls by POST, with JSON and the caller's key.
pub(super) async fn post_as(address: &str, key: &str, target: &str, body: Bytes) -> Result<Reply, CallError> {
    let request = Request::builder()
        .method(Method::POST)
        .uri(target)
        .header(CONTENT_TYPE, "application/json")
        .header("x-wxgate-key", key)
        .body(body.into());
    send(address, request).await
}

async fn send(address: &str, request: http::Result<Request<Full<Bytes>>>) -> Result<Reply, CallError> {
    let mut request = request?;
    request.headers_mut().insert(HOST, http::HeaderValue::from_str(address).map_err(http::Error::from)?);
    let stream =
        TcpStream::connect(address).await.map_err(|error| CallError::Connect(address.to_owned(), error))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let exchange = async {
        let (parts, body) = sender.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        // Ends the connection, and with it the other half of the join.
        drop(sender);
        Ok(Reply { status: parts.status, headers: parts.headers, body })
    };
    let (reply, _) = tokio::join!(exchange, connection);
    reply
}
