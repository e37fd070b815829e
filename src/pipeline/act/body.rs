//! The bodies of requests: where they come from, what of them is kept for a replay, and how they
//! leave.

use std::cell::RefCell;
use std::future::Future as _;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;
use tokio::task::JoinHandle;

use crate::message::body::Broken;
use crate::pipeline::error::Error;
use crate::pipeline::options::{Options, ReplayOptions};
use crate::upstream::Progress;

/// Bodies up to here are read whole before they are sent: they mostly came with the head.
const SMALL: u64 = 64 * 1024;
/// A body without a length stays in memory up to here, then goes to the spool file.
const SPOOL_FROM: usize = 1024 * 1024;
/// Short pieces of a kept body share pages of this size.
const PAGE: usize = 64 * 1024;
/// How much of a spool file is read at a time.
const SPOOL_CHUNK: usize = 64 * 1024;

/// What is left of `replay.memory`, for all workers. Bodies up to [`SMALL`] don't count, so that
/// most requests leave it alone.
#[derive(Debug)]
pub(crate) struct Memory(AtomicU64);

impl Memory {
    pub(crate) fn new(bytes: u64) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(bytes)))
    }

    fn reserve(self: &Arc<Self>, bytes: u64) -> Option<Reservation> {
        let take = |left: u64| left.checked_sub(bytes);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).ok()?;
        Some(Reservation { memory: Arc::clone(self), bytes })
    }
}

/// Part of the replay memory, given back on drop.
#[derive(Debug)]
pub(crate) struct Reservation {
    memory: Arc<Memory>,
    bytes: u64,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.memory.0.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

/// Where the body comes from.
pub(crate) enum Source {
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
    Spooled(Arc<std::fs::File>, u64),
}

/// What of a body was read before anything was decided by it.
#[derive(Clone)]
pub(crate) struct BodyStart {
    pub(crate) bytes: Bytes,
    /// How many bytes of the caller's they are.
    read: u64,
    /// Nothing follows.
    pub(crate) whole: bool,
}

impl BodyStart {
    /// With other bytes in the place of what was read.
    pub(crate) fn replaced(&self, bytes: Option<Vec<u8>>) -> Self {
        Self { bytes: bytes.map_or_else(|| self.bytes.clone(), Bytes::from), ..*self }
    }

    /// The body's length, of which the caller declared `length`.
    fn length_of(&self, length: u64) -> u64 {
        (length + self.bytes.len() as u64).saturating_sub(self.read)
    }
}

/// The rest of a body, behind what was read of it.
pub(crate) struct Rest {
    first: Bytes,
    body: Incoming,
}

/// A body that is kept as it passes; a replay begins with what has passed and goes on with what is
/// still to come.
pub(crate) struct Kept {
    rest: Incoming,
    passed: Vec<Bytes>,
    /// Where short pieces are kept together.
    page: BytesMut,
    length: u64,
    _memory: Reservation,
}

impl Kept {
    /// Keeps a piece. Each that hyper hands out holds on to a read buffer of at least 8 KiB: a
    /// short one is copied, or a caller that sends byte by byte would hold a thousand times what it
    /// sent.
    fn keep(&mut self, piece: Bytes) {
        let piece = if piece.len() >= PAGE / 4 {
            piece
        } else {
            if self.page.capacity() < piece.len() {
                self.page = BytesMut::with_capacity(PAGE);
            }
            self.page.extend_from_slice(&piece);
            self.page.split().freeze()
        };
        self.passed.push(piece);
    }
}

impl Source {
    /// Takes a caller's body: `declared` is its length, if there is one, `start` what was read of
    /// it.
    pub(crate) async fn of(
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
            Some(length) if length <= options.replay.max_body => match memory.reserve(length) {
                Some(memory) => {
                    let kept = Kept {
                        rest: body,
                        passed: if first.is_empty() { Vec::new() } else { vec![first] },
                        page: BytesMut::new(),
                        length,
                        _memory: memory,
                    };
                    Self::Kept(Rc::new(RefCell::new(kept)))
                }
                None => Self::Passing(Some(Box::new(Rest { first, body })), length),
            },
            Some(length) => Self::Passing(Some(Box::new(Rest { first, body })), length),
            // WeChat answers 412 to chunked requests: the length must be known first.
            None => spool(first, body, limit, &options.replay, memory).await?,
        })
    }

    /// The body for one attempt; none if it is gone.
    pub(crate) fn outgoing(&mut self, progress: &Rc<Progress>) -> Option<Outgoing> {
        Some(match self {
            Self::Empty => Outgoing::Empty,
            Self::Full { bytes, .. } => Outgoing::Full(bytes.clone()),
            Self::Kept(kept) => {
                Outgoing::Kept { kept: Rc::clone(kept), next: 0, sent: 0, progress: Rc::clone(progress) }
            }
            Self::Passing(body, length) => match body.take() {
                Some(rest) => Outgoing::Passing { rest, left: *length, progress: Rc::clone(progress) },
                None => return None,
            },
            Self::Spooled(file, length) => {
                let progress = Rc::clone(progress);
                Outgoing::Spooled {
                    file: Arc::clone(file),
                    length: *length,
                    sent: 0,
                    reading: None,
                    progress,
                }
            }
        })
    }

    /// Whether the body can be sent once more.
    pub(crate) fn is_replayable(&self) -> bool {
        !matches!(self, Self::Passing(..))
    }

    /// Whether the body goes out with the head, rather than piece by piece.
    pub(crate) fn is_at_hand(&self) -> bool {
        matches!(self, Self::Empty | Self::Full { .. })
    }

    /// Its bytes.
    pub(crate) fn length(&self) -> u64 {
        match self {
            Self::Empty => 0,
            Self::Full { bytes, .. } => bytes.len() as u64,
            Self::Kept(kept) => kept.borrow().length,
            Self::Passing(_, length) | Self::Spooled(_, length) => *length,
        }
    }
}

fn broke_off(source: &hyper::Error) -> Error {
    Error::Malformed(format!("the request's body broke off: {source}").into())
}

/// Reads a body until it has more than `limit` bytes, or to its end.
pub(crate) async fn read_start(body: &mut Incoming, limit: usize) -> Result<BodyStart, Error> {
    let mut bytes = BytesMut::new();
    let mut whole = false;
    while bytes.len() <= limit && !whole {
        match body.frame().await {
            Some(frame) => {
                let data = frame.map_err(|error| broke_off(&error))?.into_data().unwrap_or_default();
                bytes.extend_from_slice(&data);
            }
            None => whole = true,
        }
    }
    Ok(BodyStart { read: bytes.len() as u64, bytes: bytes.freeze(), whole })
}

/// Reads a body of known, small length.
async fn collect(mut body: Incoming, length: u64) -> Result<Bytes, Error> {
    let mut first = Bytes::new();
    let mut joined = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let data = frame.map_err(|error| broke_off(&error))?.into_data().unwrap_or_default();
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

/// Reads a body of unknown length, into memory or, when that gets long or scarce, into a file.
async fn spool(
    first: Bytes,
    mut body: Incoming,
    limit: u64,
    options: &ReplayOptions,
    memory: &Arc<Memory>,
) -> Result<Source, Error> {
    let mut collected = BytesMut::from(first);
    let mut reservation = None;
    let mut file: Option<(File, u64)> = None;
    while let Some(frame) = body.frame().await {
        let data = frame.map_err(|error| broke_off(&error))?.into_data().unwrap_or_default();
        let so_far = file.as_ref().map_or(collected.len() as u64, |(_, written)| *written);
        if so_far + data.len() as u64 > limit {
            return Err(Error::BodyTooLarge { limit });
        }
        if let Some((file, written)) = &mut file {
            file.write_all(&data).await.map_err(Error::Spool)?;
            *written += data.len() as u64;
            continue;
        }
        collected.extend_from_slice(&data);
        if collected.len() as u64 <= SMALL {
            continue;
        }
        if reservation.is_none() {
            reservation = memory.reserve(SPOOL_FROM as u64);
        }
        if collected.len() > SPOOL_FROM || reservation.is_none() {
            let mut spooled = create(&options.spool_dir).map_err(Error::Spool)?;
            spooled.write_all(&collected).await.map_err(Error::Spool)?;
            file = Some((spooled, collected.len() as u64));
            collected = BytesMut::new();
            reservation = None;
        }
    }
    match file {
        Some((mut file, written)) => {
            file.flush().await.map_err(Error::Spool)?;
            Ok(Source::Spooled(Arc::new(file.into_std().await), written))
        }
        None if collected.is_empty() => Ok(Source::Empty),
        None => Ok(Source::Full { bytes: collected.freeze(), _memory: reservation }),
    }
}

/// An unlinked file of mode 0600: gone with the process, whatever ends it.
fn create(folder: &Path) -> io::Result<File> {
    tempfile::tempfile_in(folder).map(File::from_std)
}

/// A piece of the spool file. By position: an attempt that was given up may still be reading.
fn read_at(file: &std::fs::File, at: u64) -> io::Result<Bytes> {
    let mut chunk = vec![0; SPOOL_CHUNK];
    let count = file.read_at(&mut chunk, at)?;
    if count == 0 {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the spool file is shorter than what was written",
        ));
    }
    chunk.truncate(count);
    Ok(chunk.into())
}

/// A request's body on its way to WeChat.
pub(crate) enum Outgoing {
    Empty,
    Full(Bytes),
    Kept {
        kept: Rc<RefCell<Kept>>,
        next: usize,
        sent: u64,
        progress: Rc<Progress>,
    },
    Passing {
        rest: Box<Rest>,
        left: u64,
        progress: Rc<Progress>,
    },
    Spooled {
        file: Arc<std::fs::File>,
        length: u64,
        sent: u64,
        reading: Option<JoinHandle<io::Result<Bytes>>>,
        progress: Rc<Progress>,
    },
}

impl http_body::Body for Outgoing {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match &mut *self {
            Self::Empty => Poll::Ready(None),
            Self::Full(_) => match std::mem::replace(&mut *self, Self::Empty) {
                Self::Full(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
                _ => Poll::Ready(None),
            },
            Self::Kept { kept, next, sent, progress } => {
                let mut kept = kept.borrow_mut();
                if kept.passed.len() == *next {
                    match ready!(poll_data(&mut kept.rest, context)) {
                        None => return Poll::Ready(None),
                        Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                        Some(Ok(data)) => kept.keep(data),
                    }
                }
                let data = kept.passed.get(*next).cloned().unwrap_or_default();
                *next += 1;
                *sent += data.len() as u64;
                progress.moved(*sent == kept.length);
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
            Self::Passing { rest, left, progress } => {
                let data = if rest.first.is_empty() {
                    ready!(poll_data(&mut rest.body, context))
                } else {
                    Some(Ok(std::mem::take(&mut rest.first)))
                };
                if let Some(Ok(data)) = &data {
                    *left = left.saturating_sub(data.len() as u64);
                    progress.moved(*left == 0);
                }
                Poll::Ready(data.map(|data| data.map(Frame::data)))
            }
            Self::Spooled { file, length, sent, reading, progress } => {
                if sent == length {
                    return Poll::Ready(None);
                }
                let task = reading.get_or_insert_with(|| {
                    let (file, at) = (Arc::clone(file), *sent);
                    tokio::task::spawn_blocking(move || read_at(&file, at))
                });
                let read = ready!(Pin::new(task).poll(context));
                *reading = None;
                let data = read.map_err(io::Error::other).flatten()?;
                *sent += data.len() as u64;
                progress.moved(sent == length);
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Full(_) => false,
            Self::Kept { kept, sent, .. } => kept.borrow().length == *sent,
            Self::Passing { left, .. } => *left == 0,
            Self::Spooled { length, sent, .. } => length == sent,
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match self {
            Self::Empty => 0,
            Self::Full(bytes) => bytes.len() as u64,
            Self::Kept { kept, sent, .. } => kept.borrow().length - sent,
            Self::Passing { left, .. } => *left,
            Self::Spooled { length, sent, .. } => length - sent,
        })
    }
}

/// The next data of a caller's body; trailers end it.
fn poll_data(body: &mut Incoming, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
    Poll::Ready(match ready!(Pin::new(body).poll_frame(context)) {
        None => None,
        Some(Ok(frame)) => frame.into_data().ok().map(Ok),
        Some(Err(error)) => Some(Err(CallerBroke(error).into())),
    })
}

/// The caller broke off its upload; what WeChat got of it is cut short too and counts for nothing.
#[derive(Debug, thiserror::Error)]
#[error("the caller broke off its upload")]
pub(crate) struct CallerBroke(#[source] hyper::Error);
