//! A body that is kept for a replay as it passes.

use bytes::Bytes;
use hyper::body::Incoming;

use super::memory::Reservation;

/// A body is kept in pages of this size, whatever the pieces that it comes in: each piece holds on
/// to a read buffer that may be many times as long, and a caller may send byte by byte.
const PAGE: usize = 32 * 1024;

/// A body that is kept as it passes; a replay begins with what has passed and goes on with what is
/// still to come.
pub(crate) struct Kept {
    pub(super) rest: Incoming,
    pub(super) passed: Pages,
    _memory: Reservation,
}

impl Kept {
    /// The body of `length` bytes that begins with `first`.
    pub(super) fn new(first: &[u8], rest: Incoming, length: u64, memory: Reservation) -> Self {
        let mut passed = Pages { full: Vec::new(), page: Vec::new(), length };
        passed.keep(first);
        Self { rest, passed, _memory: memory }
    }

    /// Of the whole body.
    pub(super) fn length(&self) -> u64 {
        self.passed.length
    }
}

/// What has passed of a body.
#[derive(Debug, Default)]
pub(super) struct Pages {
    full: Vec<Bytes>,
    /// The one that isn't full.
    page: Vec<u8>,
    /// Of the whole body.
    length: u64,
}

impl Pages {
    /// Keeps a piece.
    pub(super) fn keep(&mut self, mut piece: &[u8]) {
        while !piece.is_empty() {
            if self.page.is_empty() {
                let left = usize::try_from(self.length.saturating_sub(self.bytes()));
                self.page.reserve_exact(left.map_or(PAGE, |left| left.min(PAGE)));
            }
            let (now, later) = piece.split_at((PAGE - self.page.len()).min(piece.len()));
            self.page.extend_from_slice(now);
            piece = later;
            if self.page.len() == PAGE {
                self.full.push(std::mem::take(&mut self.page).into());
            }
        }
    }

    /// How many there are.
    pub(super) fn bytes(&self) -> u64 {
        (self.full.len() * PAGE + self.page.len()) as u64
    }

    /// What has passed from the byte at `from` on, as far as it lies in one page.
    pub(super) fn piece(&self, from: u64) -> Bytes {
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        match self.full.get(from / PAGE) {
            Some(page) => page.slice(from % PAGE..),
            None => Bytes::copy_from_slice(self.page.get(from % PAGE..).unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{PAGE, Pages};

    #[test]
    fn pieces_of_any_size_are_kept_in_pages_that_take_no_more_than_their_bytes() {
        let body: Vec<u8> = (0..25_000_u32).flat_map(u32::to_le_bytes).collect();
        for size in [1, 7, 16_384, PAGE, PAGE + 1, body.len()] {
            let mut pages = Pages { length: body.len() as u64, ..Pages::default() };
            for piece in body.chunks(size) {
                pages.keep(piece);
            }
            assert_eq!(pages.bytes(), body.len() as u64);
            assert_eq!((pages.full.len(), pages.page.capacity()), (body.len() / PAGE, body.len() % PAGE));
            for from in [0, 1, PAGE - 1, PAGE, 3 * PAGE, body.len() - 1] {
                let mut read = Vec::new();
                while from + read.len() < body.len() {
                    read.extend_from_slice(&pages.piece((from + read.len()) as u64));
                }
                assert!(read == body[from..], "from {from} in pieces of {size}");
            }
        }
    }
}
