//! A request's body on its way out.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::Body;

use super::connection::{Connection, LONGEST_PIECE};
use super::error::Failure;
use crate::message::body::Broken;

/// The body of a request on its way to WeChat.
pub trait Payload: Body<Data = Bytes, Error = Broken> + Unpin + 'static {}

impl<B: Body<Data = Bytes, Error = Broken> + Unpin + 'static> Payload for B {}

/// What is left of a body to be sent.
pub(super) struct Upload<B> {
    body: Option<B>,
    /// Taken from the body, and to be sent.
    piece: Bytes,
    /// Declared, and not taken from the body yet.
    left: u64,
    begun: bool,
}

impl<B: Payload> Upload<B> {
    pub(super) fn new(body: B) -> Self {
        let left = body.size_hint().exact().unwrap_or(0);
        Self { body: (left > 0).then_some(body), piece: Bytes::new(), left, begun: false }
    }

    /// Whether all of it has been sent.
    pub(super) fn is_done(&self, connection: &Connection) -> bool {
        self.body.is_none() && self.piece.is_empty() && connection.is_sent()
    }

    /// Sends as much as the connection and the body's sender allow; ready when all of it is sent.
    /// A first piece that is there already goes out with the head.
    pub(super) fn poll(
        &mut self,
        connection: &mut Connection,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Failure>> {
        if !std::mem::replace(&mut self.begun, true) && self.take(context)?.is_ready() {
            connection.join(&mut self.piece);
        }
        loop {
            ready!(connection.poll_send(&mut self.piece, context)).map_err(Failure::Io)?;
            if connection.peer_closed {
                self.body = None;
                self.piece.clear();
            }
            if self.body.is_none() {
                return Poll::Ready(Ok(()));
            }
            ready!(self.take(context)?);
        }
    }

    /// Takes the next piece, where there is one.
    fn take(&mut self, context: &mut Context<'_>) -> Result<Poll<()>, Failure> {
        let Some(body) = &mut self.body else { return Ok(Poll::Ready(())) };
        let Poll::Ready(frame) = Pin::new(body).poll_frame(context) else { return Ok(Poll::Pending) };
        self.piece = match frame {
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
            Some(Err(error)) => return Err(Failure::Body(error)),
            None => return Err(Failure::Length),
        };
        debug_assert!(self.piece.len() <= LONGEST_PIECE, "what a connection holds is bounded");
        self.left = self.left.checked_sub(self.piece.len() as u64).ok_or(Failure::Length)?;
        if self.left == 0 {
            self.body = None;
        }
        Ok(Poll::Ready(()))
    }
}
