//! An answer that is still going out when its request is decided.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::Report;
use crate::message::body::Broken;
use crate::quota::Outcome;

/// A streamed answer, reported when it ends.
pub(super) struct Reported {
    pub(super) stream: Pin<Box<dyn http_body::Body<Data = Bytes, Error = Broken>>>,
    pub(super) report: Report,
    pub(super) ended: bool,
}

impl http_body::Body for Reported {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let frame = self.stream.as_mut().poll_frame(context);
        match &frame {
            Poll::Ready(Some(Ok(frame))) => {
                self.report.bytes_out += frame.data_ref().map_or(0, |data| data.len() as u64);
                self.ended = self.stream.is_end_stream();
            }
            Poll::Ready(None) => self.ended = true,
            Poll::Ready(Some(Err(error))) => {
                self.ended = true;
                self.report.outcome = Outcome::Failed;
                self.report.cause = Some(error.to_string().into());
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

impl Drop for Reported {
    fn drop(&mut self) {
        if !self.ended && !self.stream.is_end_stream() {
            self.report.outcome = Outcome::Failed;
            self.report.cause = Some("the caller hung up within the answer".into());
        }
    }
}
