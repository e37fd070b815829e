//! The bodies of responses.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

/// Why a body ended before its end.
pub type Broken = Box<dyn std::error::Error + Send + Sync>;

/// The body of a response: whole in memory, or a stream.
#[derive(Default)]
pub enum Body {
    /// Nothing.
    #[default]
    Empty,
    /// All of it.
    Full(Bytes),
    /// As it comes.
    Stream(Pin<Box<dyn http_body::Body<Data = Bytes, Error = Broken>>>),
}

impl Body {
    /// A streamed body.
    pub fn stream(body: impl http_body::Body<Data = Bytes, Error = Broken> + 'static) -> Self {
        Self::Stream(Box::pin(body))
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        if bytes.is_empty() { Self::Empty } else { Self::Full(bytes) }
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match &mut *self {
            Self::Empty => Poll::Ready(None),
            Self::Full(_) => match std::mem::take(&mut *self) {
                Self::Full(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Self::Empty | Self::Stream(_) => Poll::Ready(None),
            },
            Self::Stream(stream) => stream.as_mut().poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Full(_) => false,
            Self::Stream(stream) => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(stream) => stream.size_hint(),
        }
    }
}

/// Is told how a body goes out.
pub trait Observer: Unpin {
    /// So many bytes went out.
    fn passed(&mut self, _bytes: u64) {}
    /// The body ended early.
    fn broke(&mut self, _error: &Broken) {}
    /// The body was dropped before its end.
    fn hung_up(&mut self) {}
}

/// A body, observed until it is dropped.
#[derive(Debug)]
pub struct ObservedBody<B: http_body::Body, O: Observer> {
    // Dropped before the observer, who then sees all that it led to.
    body: B,
    observer: O,
    ended: bool,
}

impl<B: http_body::Body, O: Observer> ObservedBody<B, O> {
    /// Has `observer` told how `body` goes out.
    pub fn new(body: B, observer: O) -> Self {
        Self { observer, body, ended: false }
    }
}

impl<B, O> http_body::Body for ObservedBody<B, O>
where
    B: http_body::Body<Data = Bytes, Error = Broken> + Unpin,
    O: Observer,
{
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = &mut *self;
        let frame = Pin::new(&mut this.body).poll_frame(context);
        match &frame {
            Poll::Ready(Some(Ok(frame))) => {
                this.observer.passed(frame.data_ref().map_or(0, |data| data.len() as u64));
            }
            Poll::Ready(Some(Err(error))) => {
                this.ended = true;
                this.observer.broke(error);
            }
            Poll::Ready(None) => this.ended = true,
            Poll::Pending => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B: http_body::Body, O: Observer> Drop for ObservedBody<B, O> {
    fn drop(&mut self) {
        if !self.ended && !self.body.is_end_stream() {
            self.observer.hung_up();
        }
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Empty => "Body::Empty",
            Self::Full(_) => "Body::Full",
            Self::Stream(_) => "Body::Stream",
        })
    }
}
