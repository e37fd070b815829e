//! Responses in pieces that a connection's write buffer has room for.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::memory::PIECE;

/// A body whose data come in pieces of at most [`PIECE`] bytes: hyper copies each whole, however
/// much of those before it the caller has left unread.
#[derive(Debug)]
pub(super) struct Pieces<B> {
    body: B,
    rest: Bytes,
}

impl<B> Pieces<B> {
    pub(super) fn of(body: B) -> Self {
        Self { body, rest: Bytes::new() }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Pieces<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = &mut *self;
        if this.rest.is_empty() {
            let frame = ready!(Pin::new(&mut this.body).poll_frame(context));
            match frame.map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) if data.len() > PIECE => this.rest = data,
                Some(Ok(Ok(data))) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Some(Ok(Err(frame))) => return Poll::Ready(Some(Ok(frame))),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
        let piece = this.rest.split_to(this.rest.len().min(PIECE));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.body.size_hint();
        let rest = self.rest.len() as u64;
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + rest);
        }
        hint.set_lower(hint.lower() + rest);
        hint
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http_body::Body as _;
    use http_body_util::{BodyExt as _, Full};

    use super::{PIECE, Pieces};

    #[tokio::test]
    async fn a_long_answer_comes_in_pieces_and_whole() {
        for length in [0, 1, PIECE, PIECE + 1, 5 * PIECE + 7] {
            let whole: Bytes = (0..length).map(|at| (at % 251) as u8).collect();
            let mut pieces = Pieces::of(Full::new(whole.clone()));
            let mut seen = Vec::new();
            loop {
                assert_eq!(pieces.size_hint().exact(), Some((length - seen.len()) as u64));
                assert_eq!(pieces.is_end_stream(), seen.len() == length);
                let Some(frame) = pieces.frame().await else { break };
                let piece = frame.expect("a frame").into_data().expect("data");
                assert!(piece.len() <= PIECE);
                seen.extend_from_slice(&piece);
            }
            assert_eq!(seen, whole, "{length}");
        }
    }
}
