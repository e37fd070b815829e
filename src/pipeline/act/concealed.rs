//! A body on its way to a caller that loses our credentials as it passes.

use std::io::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use flate2::write::GzDecoder;
use http_body::{Frame, SizeHint};

use crate::message::body::{Body, Broken};
use crate::secret::mask::Mask;

/// How gzip begins.
const MAGIC: [u8; 2] = [0x1f, 0x8b];
/// So much gzip is unpacked at a time: it may become a thousand times as much.
const SLICE: usize = 512;
/// So much of what was unpacked is worth a piece of its own.
const PIECE: usize = 16 * 1024;

/// A body without what its mask overwrites.
pub(super) struct Concealed {
    body: Body,
    mask: Mask,
    coding: GunzipState,
    /// Has come, and is still to be unpacked.
    waiting: Bytes,
    /// Nothing follows what is waiting.
    last: bool,
    ended: bool,
}

enum GunzipState {
    None,
    /// It is said to be gzip; what does not begin as gzip is passed on unchanged.
    Unproven,
    Gzip(Box<GzDecoder<Vec<u8>>>),
    /// A member has ended; what follows and is not another one is padding, which has no meaning.
    Behind,
    Padding,
}

impl Concealed {
    pub(super) fn new(body: Body, mask: Mask) -> Self {
        Self { body, mask, coding: GunzipState::None, waiting: Bytes::new(), last: false, ended: false }
    }

    /// A gzip body, which is unpacked; what only claims to be gzip is passed on unchanged.
    pub(super) fn packed(body: Body, mask: Mask) -> Self {
        Self { coding: GunzipState::Unproven, ..Self::new(body, mask) }
    }

    /// Makes something of what is waiting.
    fn advance(&mut self) -> Result<Bytes, Broken> {
        if matches!(self.coding, GunzipState::Unproven | GunzipState::Behind) {
            self.coding = match (self.waiting.starts_with(&MAGIC), &self.coding) {
                (true, _) => GunzipState::Gzip(Box::new(GzDecoder::new(Vec::new()))),
                (false, GunzipState::Behind) => GunzipState::Padding,
                (false, _) => GunzipState::None,
            };
        }
        let plain = match &mut self.coding {
            GunzipState::Gzip(member) => {
                let mut ended = false;
                while !ended && !self.waiting.is_empty() && member.get_ref().len() < PIECE {
                    let slice = self.waiting.get(..SLICE).unwrap_or(&self.waiting);
                    let taken = member.write(slice)?;
                    ended = taken == 0;
                    self.waiting.advance(taken);
                }
                if ended || self.last && self.waiting.is_empty() {
                    member.try_finish()?;
                }
                let plain = std::mem::take(member.get_mut());
                if ended {
                    self.coding = GunzipState::Behind;
                }
                plain.into()
            }
            GunzipState::None => std::mem::take(&mut self.waiting),
            GunzipState::Unproven | GunzipState::Behind | GunzipState::Padding => {
                self.waiting.clear();
                Bytes::new()
            }
        };
        let mut clean = self.mask.push(plain);
        self.ended = self.last && self.waiting.is_empty();
        let held = if self.ended { self.mask.finish() } else { Bytes::new() };
        if !held.is_empty() {
            clean = [clean, held].concat().into();
        }
        Ok(clean)
    }

    /// Whether what is waiting is too little to make something of.
    fn wants_more(&self) -> bool {
        let enough = match self.coding {
            GunzipState::Unproven | GunzipState::Behind => MAGIC.len(),
            GunzipState::None | GunzipState::Gzip(_) | GunzipState::Padding => 1,
        };
        !self.last && self.waiting.len() < enough
    }

    /// Takes what has come.
    fn take(&mut self, data: Bytes) {
        self.waiting = match self.waiting.is_empty() {
            true => data,
            false => [std::mem::take(&mut self.waiting), data].concat().into(),
        };
    }
}

impl http_body::Body for Concealed {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = &mut *self;
        while !this.ended {
            while this.wants_more() {
                match ready!(Pin::new(&mut this.body).poll_frame(context)) {
                    None => this.last = true,
                    Some(Err(error)) => {
                        this.ended = true;
                        return Poll::Ready(Some(Err(error)));
                    }
                    // Trailers end here.
                    Some(Ok(frame)) => this.take(frame.into_data().unwrap_or_default()),
                }
                this.last |= this.body.is_end_stream();
            }
            match this.advance() {
                Ok(clean) if clean.is_empty() => {}
                Ok(clean) => return Poll::Ready(Some(Ok(Frame::data(clean)))),
                Err(error) => {
                    this.ended = true;
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        let all_passed = matches!(self.coding, GunzipState::None) && self.mask.held() == 0;
        self.ended || all_passed && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.body.size_hint();
        match (&self.coding, rest.exact()) {
            (GunzipState::None, Some(rest)) => SizeHint::with_exact(rest + self.mask.held() as u64),
            _ => SizeHint::new(),
        }
    }
}
