//! A request's body on its way to WeChat.

use std::cell::RefCell;
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::task::JoinHandle;

use super::kept::Kept;
use super::spool::Spooled;
use crate::message::body::Broken;
use crate::texts::text;
use crate::upstream::{LONGEST_PIECE, Progress};

/// A request's body on its way to WeChat.
pub(crate) enum Outgoing {
    Empty,
    Full(Bytes),
    Kept {
        kept: Rc<RefCell<Kept>>,
        sent: u64,
        progress: Rc<Progress>,
    },
    Passing {
        rest: Box<Rest>,
        left: u64,
        progress: Rc<Progress>,
    },
    Spooled {
        file: Arc<Spooled>,
        length: u64,
        sent: u64,
        reading: Option<JoinHandle<io::Result<Bytes>>>,
        progress: Rc<Progress>,
    },
}

/// The rest of a body, behind what was read of it.
pub(crate) struct Rest {
    /// What was read and not sent yet.
    pub(super) first: Bytes,
    pub(super) body: Incoming,
}

impl http_body::Body for Outgoing {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match &mut *self {
            Self::Empty => Poll::Ready(None),
            Self::Full(bytes) => {
                let piece = bytes.split_to(bytes.len().min(LONGEST_PIECE));
                if bytes.is_empty() {
                    *self = Self::Empty;
                }
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            Self::Kept { kept, sent, progress } => {
                let mut kept = kept.borrow_mut();
                let mut data = if *sent < kept.passed.bytes() {
                    kept.passed.piece(*sent)
                } else {
                    match ready!(poll_data(&mut kept.rest, context, progress)) {
                        None => return Poll::Ready(None),
                        Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                        Some(Ok(data)) => {
                            kept.passed.keep(&data);
                            data
                        }
                    }
                };
                data.truncate(LONGEST_PIECE);
                *sent += data.len() as u64;
                progress.moved();
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
            Self::Passing { rest, left, progress } => {
                if rest.first.is_empty() {
                    match ready!(poll_data(&mut rest.body, context, progress)) {
                        None => return Poll::Ready(None),
                        Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                        Some(Ok(data)) => rest.first = data,
                    }
                }
                let piece = rest.first.len().min(LONGEST_PIECE);
                let data = rest.first.split_to(piece);
                *left = left.saturating_sub(data.len() as u64);
                progress.moved();
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
            Self::Spooled { file, length, sent, reading, progress } => {
                if sent == length {
                    return Poll::Ready(None);
                }
                let task = reading.get_or_insert_with(|| {
                    let (file, at) = (Arc::clone(file), *sent);
                    tokio::task::spawn_blocking(move || file.read_at(at))
                });
                let read = ready!(Pin::new(task).poll(context));
                *reading = None;
                let data = read.map_err(io::Error::other).flatten()?;
                *sent += data.len() as u64;
                progress.moved();
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Full(_) => false,
            Self::Kept { kept, sent, .. } => kept.borrow().length() == *sent,
            Self::Passing { left, .. } => *left == 0,
            Self::Spooled { length, sent, .. } => length == sent,
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match self {
            Self::Empty => 0,
            Self::Full(bytes) => bytes.len() as u64,
            Self::Kept { kept, sent, .. } => kept.borrow().length() - sent,
            Self::Passing { left, .. } => *left,
            Self::Spooled { length, sent, .. } => length - sent,
        })
    }
}

/// The next data of a caller's body; trailers end it.
fn poll_data(
    body: &mut Incoming,
    context: &mut Context<'_>,
    progress: &Progress,
) -> Poll<Option<Result<Bytes, Broken>>> {
    let Poll::Ready(frame) = Pin::new(body).poll_frame(context) else {
        progress.awaits_sender();
        return Poll::Pending;
    };
    Poll::Ready(match frame {
        None => None,
        Some(Ok(frame)) => frame.into_data().ok().map(Ok),
        Some(Err(error)) => Some(Err(CallerBroke(error).into())),
    })
}

/// The caller closed the connection within its upload; what WeChat got of it is cut short too and
/// counts for nothing.
#[derive(Debug, thiserror::Error)]
#[error("{}", text!("the caller closed the connection during its upload"))]
pub(crate) struct CallerBroke(#[source] pub(super) hyper::Error);
