//! The bodies that the fake sends: in steps, cut short, without a length, or made up as they go.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use http_body::{Frame, SizeHint};
use tokio::time::Sleep;

use crate::message::body::Broken;

const BLOCK: u64 = 64 * 1024;
/// What was written before a cut needs a turn of the connection to reach the kernel.
const FLUSH: Duration = Duration::from_millis(20);

/// Where a body comes from.
#[derive(Debug)]
pub(in crate::sandbox) enum Source {
    Bytes(Bytes),
    Blob { at: u64, length: u64 },
}

impl Source {
    fn left(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Blob { at, length } => length - at,
        }
    }

    fn take(&mut self, most: u64) -> Bytes {
        let size = self.left().min(most);
        match self {
            Self::Bytes(bytes) => bytes.split_to(usize::try_from(size).unwrap_or(usize::MAX)),
            Self::Blob { at, .. } => {
                let block = blob_part(*at, size);
                *at += size;
                block
            }
        }
    }
}

/// Bytes of the deterministic blob, which is the same for every length but for its end.
fn blob_part(at: u64, size: u64) -> Bytes {
    let skip = usize::try_from(at % 8).unwrap_or(0);
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let mut block = BytesMut::with_capacity(size + 16);
    let mut word = at / 8;
    while block.len() < size + skip {
        // SplitMix64 of the position.
        let mut mixed = word.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        block.put_u64_le(mixed ^ (mixed >> 31));
        word += 1;
    }
    block.freeze().slice(skip..skip + size)
}

/// The bytes that `media_id=blob-{length}` downloads, in blocks.
pub fn blob(length: u64) -> impl Iterator<Item = Bytes> {
    let mut source = Source::Blob { at: 0, length };
    std::iter::from_fn(move || (source.left() > 0).then(|| source.take(BLOCK)))
}

/// The digest of [`blob`] in hex.
pub(in crate::sandbox) fn blob_sha256(length: u64) -> String {
    let mut digest = ring::digest::Context::new(&ring::digest::SHA256);
    blob(length).for_each(|block| digest.update(&block));
    digest.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A body on its way out.
#[derive(Debug)]
pub(in crate::sandbox) struct Outgoing {
    source: Source,
    announced: bool,
    step: Option<(u64, Duration)>,
    cut: Option<u64>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Outgoing {
    pub(in crate::sandbox) fn new(source: Source) -> Self {
        Self { source, announced: true, step: None, cut: None, pause: None }
    }

    /// So many bytes at a time, with a pause before each step.
    pub(in crate::sandbox) fn in_steps(mut self, bytes: usize, pause: Duration) -> Self {
        self.step = Some((bytes as u64, pause));
        self
    }

    /// Breaks off after so many bytes.
    pub(in crate::sandbox) fn cut_after(mut self, bytes: u64) -> Self {
        self.cut = Some(bytes);
        self
    }

    /// Keeps its length to itself.
    pub(in crate::sandbox) fn unannounced(mut self) -> Self {
        self.announced = false;
        self
    }

    pub(in crate::sandbox) fn length(&self) -> u64 {
        self.source.left()
    }

    fn rest(&mut self, pause: Duration, context: &mut Context<'_>) -> Poll<()> {
        if pause.is_zero() {
            return Poll::Ready(());
        }
        let sleep = self.pause.get_or_insert_with(|| Box::pin(tokio::time::sleep(pause)));
        ready!(sleep.as_mut().poll(context));
        self.pause = None;
        Poll::Ready(())
    }
}

impl http_body::Body for Outgoing {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let exhausted = self.source.left() == 0;
        if self.cut.is_some_and(|left| left == 0 || exhausted) {
            ready!(self.rest(FLUSH, context));
            return Poll::Ready(Some(Err("cut short by order".into())));
        }
        if exhausted {
            return Poll::Ready(None);
        }
        let (step, pause) = self.step.unwrap_or((BLOCK, Duration::ZERO));
        ready!(self.rest(pause, context));
        let most = step.min(self.cut.unwrap_or(u64::MAX));
        let block = self.source.take(most);
        if let Some(cut) = &mut self.cut {
            *cut -= block.len() as u64;
        }
        Poll::Ready(Some(Ok(Frame::data(block))))
    }

    fn is_end_stream(&self) -> bool {
        self.cut.is_none() && self.source.left() == 0
    }

    fn size_hint(&self) -> SizeHint {
        if self.announced { SizeHint::with_exact(self.source.left()) } else { SizeHint::default() }
    }
}

/// A body that breaks before the head is flushed: hyper then closes without having sent a byte.
#[derive(Debug)]
pub(in crate::sandbox) struct ResetBody;

impl http_body::Body for ResetBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        Poll::Ready(Some(Err("reset by order".into())))
    }
}

#[cfg(test)]
mod tests {
    use super::{blob, blob_part};

    #[test]
    fn a_blob_is_the_same_however_it_is_divided() {
        let whole: Vec<u8> = blob(200_003).flatten().collect();
        assert_eq!(whole.len(), 200_003);
        let mut parts = Vec::new();
        for at in (0..200_003).step_by(777) {
            parts.extend_from_slice(&blob_part(at, 777.min(200_003 - at)));
        }
        assert_eq!(whole, parts);
    }
}
