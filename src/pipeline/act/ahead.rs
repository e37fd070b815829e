//! Reads of a body what must be known before anything is decided by it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use super::memory::{Memory, Reservation};
use crate::observe::chain::Chain;
use crate::observe::clock::Clock;
use crate::pipeline::error::Error;
use crate::secret::Secret;
use crate::server::BodyFault;
use crate::texts::{marked, words};

/// How long it may take in all, as long as its caller is unknown.
const PATIENCE: Duration = Duration::from_secs(10);

/// What of a body was read before anything was decided by it.
#[derive(Clone)]
pub(crate) struct BodyStart {
    pub(crate) bytes: Bytes,
    /// How many bytes of the caller's they are.
    pub(super) read: u64,
    /// Nothing follows.
    pub(crate) whole: bool,
    /// A secret of ours in it.
    pub(super) secret: Option<Arc<Secret>>,
}

impl BodyStart {
    /// With other bytes in the place of what was read.
    pub(crate) fn replaced(&self, bytes: Option<Vec<u8>>) -> Self {
        Self { bytes: bytes.map_or_else(|| self.bytes.clone(), Bytes::from), ..self.clone() }
    }

    /// With this secret of ours in it.
    pub(crate) fn holding(self, secret: Option<Arc<Secret>>) -> Self {
        Self { secret, ..self }
    }

    /// The body's length, of which the caller declared `length`.
    pub(super) fn length_of(&self, length: u64) -> u64 {
        (length + self.bytes.len() as u64).saturating_sub(self.read)
    }
}

/// Reads a body of a known caller until it has more than `limit` bytes, or to its end.
pub(crate) async fn read_start(body: &mut Incoming, limit: usize) -> Result<BodyStart, Error> {
    read(body, limit, |_| Ok(())).await
}

/// The same for an unknown caller: in so much time, and in the memory that there is for strangers,
/// which is held until the reservation is dropped.
pub(crate) async fn read_strangers_start(
    body: &mut Incoming,
    limit: usize,
    memory: &Memory,
    clock: &Clock,
) -> Result<(BodyStart, Reservation), Error> {
    let mut reservation = Reservation::of(&memory.strangers);
    let reserve = |more| match reservation.grow(more) {
        true => Ok(()),
        false => Err(Error::Overloaded(marked!(
            "too many bodies of unknown callers are being read (replay.memory): send the key in a header"
        ))),
    };
    let start = tokio::select! {
        biased;
        start = read(body, limit, reserve) => start?,
        () = clock.sleep(PATIENCE) => {
            return Err(Error::BadRequest(words!(
                "the body took more than 10 s to name its caller: send the key in a header"
            )));
        }
    };
    Ok((start, reservation))
}

async fn read(
    body: &mut Incoming,
    limit: usize,
    reserve: impl FnMut(u64) -> Result<(), Error>,
) -> Result<BodyStart, Error> {
    let (bytes, whole) = read_on(Vec::new(), body, limit, reserve).await?;
    Ok(BodyStart { read: bytes.len() as u64, bytes: bytes.into(), whole, secret: None })
}

/// Appends what follows of a body to `bytes`, until these are more than `limit` or nothing follows,
/// and says whether nothing does. `reserve` is asked for the memory that this takes.
pub(super) async fn read_on(
    mut bytes: Vec<u8>,
    body: &mut Incoming,
    limit: usize,
    mut reserve: impl FnMut(u64) -> Result<(), Error>,
) -> Result<(Vec<u8>, bool), Error> {
    while bytes.len() <= limit {
        let Some(data) = next_piece(body).await? else { return Ok((bytes, true)) };
        reserve(room_for(&bytes, data.len(), limit) as u64)?;
        extend(&mut bytes, &data, limit);
    }
    Ok((bytes, false))
}

/// The next data of a body; trailers are dropped.
pub(super) async fn next_piece(body: &mut Incoming) -> Result<Option<Bytes>, Error> {
    match body.frame().await {
        None => Ok(None),
        Some(Ok(frame)) => Ok(Some(frame.into_data().unwrap_or_default())),
        Some(Err(error)) => Err(broke_off(&error)),
    }
}

/// Why a caller's body did not come whole.
pub(super) fn broke_off(source: &hyper::Error) -> Error {
    match BodyFault::of(source) {
        Some(BodyFault::TooLong { limit }) => Error::BodyTooLarge { limit },
        Some(fault) => Error::Malformed(words!("the request body is incomplete: {cause}", cause = fault)),
        None => Error::Malformed(words!("the request body is incomplete: {cause}", cause = Chain(source))),
    }
}

/// The body came too slowly for WeChat, which responded with this status.
pub(super) fn too_slow(status: StatusCode) -> Error {
    Error::Malformed(words!("the request body came too slowly, WeChat responded with {status}", status))
}

/// By how many bytes a buffer is to grow for `more`: it doubles, but not beyond `most` without
/// need, so that what it takes is known.
fn room_for(bytes: &Vec<u8>, more: usize, most: usize) -> usize {
    let needed = bytes.len() + more;
    if needed <= bytes.capacity() {
        return 0;
    }
    needed.max((2 * bytes.capacity()).min(most)) - bytes.capacity()
}

/// Appends to a buffer that grows by what [`room_for`] says.
pub(super) fn extend(bytes: &mut Vec<u8>, data: &[u8], most: usize) {
    let room = room_for(bytes, data.len(), most);
    if room > 0 {
        bytes.reserve_exact(bytes.capacity() + room - bytes.len());
    }
    bytes.extend_from_slice(data);
}
