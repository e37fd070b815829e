//! A response that is still going out when its request is decided.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::message::body::Broken;

/// Is told how a streamed body goes out.
pub(crate) trait Observer: Unpin {
    /// So many bytes went out.
    fn passed(&mut self, bytes: u64);
    /// The body broke off.
    fn broke(&mut self, error: &Broken);
    /// The body was dropped before its end.
    fn hung_up(&mut self);
}

/// A streamed body, observed until it ends.
pub(crate) struct Streamed<O: Observer> {
    pub(crate) stream: Pin<Box<dyn http_body::Body<Data = Bytes, Error = Broken>>>,
    pub(crate) observer: O,
    pub(crate) ended: bool,
}

impl<O: Observer> http_body::Body for Streamed<O> {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let frame = self.stream.as_mut().poll_frame(context);
        match &frame {
            Poll::Ready(Some(Ok(frame))) => {
                self.observer.passed(frame.data_ref().map_or(0, |data| data.len() as u64));
                self.ended = self.stream.is_end_stream();
            }
            Poll::Ready(None) => self.ended = true,
            Poll::Ready(Some(Err(error))) => {
                self.ended = true;
                self.observer.broke(error);
            }
            Poll::Pending => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.stream.size_hint()
    }
}

impl<O: Observer> Drop for Streamed<O> {
    fn drop(&mut self) {
        if !self.ended && !self.stream.is_end_stream() {
            self.observer.hung_up();
        }
    }
}
