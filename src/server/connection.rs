//! One connection, from its first byte to its close.

use std::convert::Infallible;
use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use http::HeaderValue;
use http::header::CONNECTION;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpStream, UnixStream};

use super::answer::on_the_wire;
use super::count::Count;
use super::drain::Drain;
use super::idle::Idleness;
use super::listener::Accepted;
use super::pieces::Pieces;
use super::progress::{Look, Progress};
use super::socket::{self, Linger, Socket};
use super::stream::Guarded;
use super::{Handler, Options, Peer, Refusal, Request, memory, tls};
use crate::message::body::{Body, ObservedBody, Observer};

/// What goes out.
type Answer = http::Response<ObservedBody<Pieces<Body>, Answering>>;

/// What a connection has of its worker.
pub(super) struct Seat {
    pub(super) count: Arc<Count>,
    pub(super) drain: Rc<Drain>,
    /// The next process goes on with its listener.
    pub(super) held: bool,
}

/// Serves `accepted` until it closes, the caller falls silent, or the server ends.
pub(super) async fn serve<H: Handler>(
    accepted: Accepted,
    handler: Rc<H>,
    options: Rc<Options>,
    seat: Seat,
) -> io::Result<()> {
    let Seat { count, drain, held } = seat;
    let peer = accepted.peer();
    let mut refusal = None;
    let socket = match accepted {
        Accepted::Tcp(stream, _) => Socket::Tcp(TcpStream::from_std(stream)?),
        Accepted::Unix(stream, _) => Socket::Unix(UnixStream::from_std(stream)?),
        Accepted::Tls(stream, address, tls) => {
            let opening = tls::open(TcpStream::from_std(stream)?, address, tls, options.head_timeout);
            // The largest part of what this task may have to keep.
            let socket = Box::pin(opening).await?;
            if matches!(socket, Socket::Tcp(_)) {
                refusal = Some(Refusal::NotTls);
            }
            socket
        }
    };
    let progress = Rc::new(Progress::new(count, Rc::clone(&drain), options.max_head));
    // A connection that waited to be accepted is not later than others, and on another connection
    // to a listener that is held it would be let in.
    let in_time = held || drain.is_closing();
    let mut idleness = Idleness::new(Rc::clone(&progress), Rc::clone(&options), in_time);
    let mut guarded = Guarded::new(socket, peer, Rc::clone(&progress), options, handler);
    loop {
        let mut connection = Box::new(speak(guarded, refusal));
        let ended = poll_fn(|context| {
            progress.registration.remember(context);
            match Pin::new(&mut *connection).poll(context) {
                Poll::Ready(ended) => Poll::Ready(Some(ended)),
                Poll::Pending => idleness.poll_served(context).map(|()| None),
            }
        })
        .await;
        let http1::Parts { io, read_buf, .. } = connection.into_parts();
        guarded = io.into_inner();
        if let Some(ended) = ended {
            // Boxed, like all that a parked connection would have room for in vain.
            return Box::pin(close(guarded, ended)).await;
        }
        // Empty lines before a request may be lost, and nothing else was read.
        if !read_buf.iter().all(|byte| matches!(byte, b'\r' | b'\n')) {
            return Ok(());
        }
        // What it is part of has 8 KiB.
        drop(read_buf);
        if !idleness.park(&mut guarded).await? {
            return Ok(());
        }
    }
}

/// HTTP on a socket.
fn speak<H: Handler>(
    guarded: Guarded<H>,
    refusal: Option<Refusal>,
) -> http1::Connection<TokioIo<Guarded<H>>, impl Service<Request, Response = Answer, Error = Infallible>> {
    let (handler, progress, peer) = (Rc::clone(&guarded.handler), Rc::clone(&guarded.progress), guarded.peer);
    let max_head = progress.framing.borrow().longest_head();
    let service = service_fn(move |request: Request| {
        let (handler, progress) = (Rc::clone(&handler), Rc::clone(&progress));
        async move { Ok::<_, Infallible>(dispatch(&*handler, &progress, request, peer, refusal).await) }
    });
    http1::Builder::new()
        // The socket's own deadlines tell an idle connection from a slow head; hyper's timer can't.
        .header_read_timeout(None)
        .max_header_size(max_head)
        .max_buf_size(memory::buffer(max_head))
        // One copy costs less than a second iovec for small responses.
        .writev(false)
        .serve_connection(TokioIo::new(guarded), service)
}

/// Ends a connection on which no more HTTP is spoken.
async fn close<H: Handler>(mut guarded: Guarded<H>, ended: hyper::Result<()>) -> io::Result<()> {
    if let Err(error) = ended {
        // A caller's doing, not ours; the pipeline has logged what concerns a request.
        tracing::debug!(error = &error as &dyn std::error::Error, "connection ended with an error");
        if error.is_parse() {
            guarded.refuse_if_hyper_did_not().await?;
        }
    }
    guarded.linger().await;
    Ok(())
}

/// Tells a caller that a limit of connections is reached, and reads nothing before that. TLS would
/// have to be spoken first.
pub(super) async fn refuse<H: Handler>(accepted: Accepted, handler: &H) -> io::Result<()> {
    let peer = accepted.peer();
    let mut socket = match accepted {
        Accepted::Tcp(stream, _) => Socket::Tcp(TcpStream::from_std(stream)?),
        Accepted::Unix(stream, _) => Socket::Unix(UnixStream::from_std(stream)?),
        Accepted::Tls(..) => return Ok(()),
    };
    if let Some(answer) = handler.refuse(Refusal::Overloaded, peer) {
        // A fresh socket has room for it.
        socket.write_all(&on_the_wire(&answer)).await?;
        socket::discard(&mut socket, Linger::SHORT).await;
    }
    Ok(())
}

async fn dispatch<H: Handler>(
    handler: &H,
    progress: &Rc<Progress>,
    request: Request,
    peer: Peer,
    refusal: Option<Refusal>,
) -> Answer {
    let index = progress.dispatched.get();
    progress.dispatched.set(index + 1);
    progress.writing.set(true);
    let answering = Answering::begin(Rc::clone(progress));
    let refusal = progress.refusal(index, handler).or(refusal);
    let refused = refusal.and_then(|refusal| handler.refuse(refusal, peer));
    let refusing = refused.is_some();
    let mut response = match refused {
        Some(answer) => answer.map(Body::from),
        None if progress.late.get() => attended(progress, index, handler.late(request, peer)).await,
        None => attended(progress, index, handler.handle(request, peer)).await,
    };
    // What has not come of the body by now is not waited for.
    if refusing || progress.drain.is_leaving() || progress.framing.borrow().is_within_body_of(index) {
        progress.told.set(true);
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response.map(|body| ObservedBody::new(Pieces::of(body), answering))
}

/// Drives the `index`th request only while its caller is there: who gave up and tries again must
/// not have its message sent twice.
async fn attended<T>(progress: &Progress, index: u64, answer: impl Future<Output = T>) -> T {
    let mut answer = pin!(answer);
    let mut begun = false;
    poll_fn(|context| {
        let goes_on = std::mem::replace(&mut begun, true);
        if goes_on && progress.framing.borrow().is_followed(index) && progress.look.take() != Look::There {
            // Taken when hyper flushes, at the end of this very poll.
            progress.look.set(Look::Wanted);
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        answer.as_mut().poll(context)
    })
    .await
}

/// While it exists, a request is in flight; when hyper has taken the last of its response, the
/// connection may be idle again.
struct Answering(Rc<Progress>);

impl Answering {
    fn begin(progress: Rc<Progress>) -> Self {
        progress.answering.set(true);
        progress.count.works(|active| active + 1);
        Self(progress)
    }
}

impl Observer for Answering {}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.answering.set(false);
        if self.0.told.get() {
            self.0.registration.release();
        }
        self.0.count.works(|active| active.saturating_sub(1));
    }
}
