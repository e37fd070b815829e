//! The bodies of requests: where they come from, and what of them is kept for a replay.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use hyper::body::Incoming;

use super::ahead::{BodyStart, next_piece};
use super::kept::Kept;
use super::memory::{Memory, Reservation, SMALL};
use super::outgoing::{Outgoing, Rest};
use super::spool::{self, Spooled, Whole};
use crate::pipeline::error::Error;
use crate::pipeline::options::Options;
use crate::upstream::Progress;

/// Where the body comes from.
pub(super) enum BodySource {
    Empty,
    /// All of it, in memory.
    Full {
        bytes: Bytes,
        _memory: Option<Reservation>,
    },
    /// From the caller, kept as it passes.
    Kept(Rc<RefCell<Kept>>),
    /// From the caller, once.
    Passing(Option<Box<Rest>>, u64),
    /// From the spool file.
    Spooled(Arc<Spooled>, u64),
}

impl BodySource {
    /// Takes a caller's body: `declared` is its length, if there is one, `start` what was read of
    /// it.
    pub(super) async fn of(
        start: Option<BodyStart>,
        body: Incoming,
        declared: Option<u64>,
        options: &Options,
        memory: &Arc<Memory>,
    ) -> Result<Self, Error> {
        let limit = options.max_body;
        if declared.is_some_and(|length| length > limit) {
            return Err(Error::BodyTooLarge { limit });
        }
        let (first, declared) = match start {
            None => (Bytes::new(), declared),
            Some(start) if start.read > limit => return Err(Error::BodyTooLarge { limit }),
            Some(start) if start.whole && start.bytes.is_empty() => return Ok(Self::Empty),
            Some(start) if start.whole => return Ok(Self::Full { bytes: start.bytes, _memory: None }),
            Some(start) => {
                let declared = declared.map(|length| start.length_of(length));
                (start.bytes, declared)
            }
        };
        Ok(match declared {
            _ if body.is_end_stream() && first.is_empty() => Self::Empty,
            Some(length) if length <= SMALL && first.is_empty() => {
                Self::Full { bytes: collect(body, length).await?, _memory: None }
            }
            Some(length) => {
                let replayed = length <= options.replay.max_body;
                match replayed.then(|| memory.known.reserve(length)).flatten() {
                    Some(memory) => {
                        Self::Kept(Rc::new(RefCell::new(Kept::new(&first, body, length, memory))))
                    }
                    None => Self::Passing(Some(Box::new(Rest { first, body })), length),
                }
            }
            // Boxed, since few callers send bodies without a length.
            None => match Box::pin(spool::collect(first, body, limit, &options.replay, memory)).await? {
                Whole::Memory(bytes, _) if bytes.is_empty() => Self::Empty,
                Whole::Memory(bytes, _memory) => Self::Full { bytes, _memory },
                Whole::File(file, length) => Self::Spooled(Arc::new(file), length),
            },
        })
    }

    /// The body for one attempt; none if it is gone.
    pub(super) fn outgoing(&mut self, progress: &Rc<Progress>) -> Option<Outgoing> {
        let progress = || Rc::clone(progress);
        Some(match self {
            Self::Empty => Outgoing::Empty,
            Self::Full { bytes, .. } => Outgoing::Full(bytes.clone()),
            Self::Kept(kept) => Outgoing::Kept { kept: Rc::clone(kept), sent: 0, progress: progress() },
            Self::Passing(body, length) => {
                Outgoing::Passing { rest: body.take()?, left: *length, progress: progress() }
            }
            Self::Spooled(file, length) => Outgoing::Spooled {
                file: Arc::clone(file),
                length: *length,
                sent: 0,
                reading: None,
                progress: progress(),
            },
        })
    }

    /// Whether the body can be sent once more.
    pub(super) fn is_replayable(&self) -> bool {
        !matches!(self, Self::Passing(..))
    }

    /// Its bytes.
    pub(super) fn length(&self) -> u64 {
        match self {
            Self::Empty => 0,
            Self::Full { bytes, .. } => bytes.len() as u64,
            Self::Kept(kept) => kept.borrow().length(),
            Self::Passing(_, length) | Self::Spooled(_, length) => *length,
        }
    }
}

/// Reads a body of known, small length.
async fn collect(mut body: Incoming, length: u64) -> Result<Bytes, Error> {
    let mut first = Bytes::new();
    let mut joined = BytesMut::new();
    while let Some(data) = next_piece(&mut body).await? {
        if first.is_empty() && joined.is_empty() {
            first = data;
        } else {
            if joined.is_empty() {
                joined.reserve(usize::try_from(length).unwrap_or(0));
                joined.extend_from_slice(&std::mem::take(&mut first));
            }
            joined.extend_from_slice(&data);
        }
    }
    Ok(if joined.is_empty() { first } else { joined.freeze() })
}
