//! One request on a connection of its own, off the hot path.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Request;
use http::header::HOST;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Origin;
use super::interim::Interim;
use super::socket::Socket;

/// A request to `origin` for `path`, which may hold a query.
pub(super) fn request(
    origin: &Origin,
    method: http::Method,
    path: &str,
    body: Bytes,
) -> Result<Request<Full<Bytes>>, http::Error> {
    Request::builder().method(method).uri(path).header(HOST, origin.authority()).body(Full::new(body))
}

/// HTTP on a socket: what sends requests, and what drives them until the connection ends.
pub(super) async fn open(socket: Socket) -> Result<(Sender, OnceConnection), hyper::Error> {
    http1::handshake(TokioIo::new(Counted { socket, interim: Interim::default() })).await
}

pub(super) type Sender = http1::SendRequest<Full<Bytes>>;
pub(super) type OnceConnection = http1::Connection<TokioIo<Counted>, Full<Bytes>>;

/// Sends `request` and has `read` make something of the response; the connection is closed then.
pub(super) async fn exchange<T, E: From<hyper::Error>>(
    socket: Socket,
    request: Request<Full<Bytes>>,
    read: impl AsyncFnOnce(http::Response<Incoming>) -> Result<T, E>,
) -> Result<T, E> {
    let (mut sender, connection) = open(socket).await?;
    let mut connection = pin!(connection);
    let mut exchange = pin!(async { read(sender.send_request(request).await?).await });
    tokio::select! {
        biased;
        read = &mut exchange => read,
        // What came before the end is still there to be read.
        _ = &mut connection => exchange.await,
    }
}

/// Reads a body of at most `most` bytes; none if it is longer.
pub(super) async fn body(mut body: Incoming, most: usize) -> Result<Option<Vec<u8>>, hyper::Error> {
    let length = body.size_hint().upper().and_then(|length| usize::try_from(length).ok());
    // All of it at once: what grows is moved, and may leave a token behind.
    let mut bytes = Vec::with_capacity(length.unwrap_or(most).min(most));
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        if bytes.len() + data.len() > most {
            return Ok(None);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Some(bytes))
}

/// A socket that fails where a host sends interim responses without end.
pub(super) struct Counted {
    socket: Socket,
    interim: Interim,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.socket).poll_read(context, buffer);
        self.interim.see(buffer.filled().get(before..).unwrap_or_default())?;
        read
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}
