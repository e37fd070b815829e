//! A body that came too slowly for the peek: it goes on, and is looked at as it passes.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::Instant;

use super::inspect::{self, LONGEST_ERROR};
use crate::message::body::{Body, Broken};
use crate::token::{Handle, Rejection};
use crate::wechat::Issuer;
use crate::wechat::catalogue::Endpoint;
use crate::wechat::errcode::Proof;

/// What a response says that came too late for a replay.
pub(super) struct Look {
    pub(super) gzip: bool,
    pub(super) endpoint: &'static Endpoint,
    /// Where the report finds the errcode.
    pub(super) errcode: Rc<Cell<Option<i64>>>,
    /// Whom a dead token is told to, and what: all but the errcode.
    pub(super) token: Option<(Handle, Issuer, Rejection)>,
}

impl Look {
    fn judge(self, bytes: &[u8]) {
        let finding = inspect::judge(bytes, self.gzip, self.endpoint);
        self.errcode.set(finding.errcode);
        let Some((handle, issuer, rejection)) = self.token else { return };
        if let (Proof::Dead, Some(errcode)) = (finding.proof(issuer), finding.errcode) {
            let rejection = Rejection { errcode, received_at: Instant::now(), ..rejection };
            // No request waits for the result; the next caller needs it.
            tokio::task::spawn_local(async move { handle.rejected(rejection).await });
        }
    }
}

/// A body with its beginning under a look.
pub(super) struct Late {
    body: Body,
    seen: Vec<u8>,
    look: Option<Box<Look>>,
}

impl Late {
    pub(super) fn new(body: Body, look: Box<Look>) -> Self {
        Self { body, seen: Vec::new(), look: Some(look) }
    }

    /// Takes the next of it, `last` if nothing follows.
    fn see(&mut self, data: &[u8], last: bool) {
        let Some(look) = &self.look else { return };
        let room = LONGEST_ERROR - self.seen.len();
        self.seen.extend_from_slice(data.get(..room).unwrap_or(data));
        let decided = self.seen.len() == LONGEST_ERROR || !inspect::may_be_error(&self.seen, look.gzip);
        if (decided || last)
            && let Some(look) = self.look.take()
        {
            look.judge(&std::mem::take(&mut self.seen));
        }
    }
}

impl http_body::Body for Late {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        let last = self.body.is_end_stream();
        match &frame {
            Some(Ok(frame)) => self.see(frame.data_ref().map_or(&[], |data| data), last),
            None => self.see(&[], true),
            Some(Err(_)) => self.look = None,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
