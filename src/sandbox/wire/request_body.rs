//! Reads a request's body: all of it into the digest, and as much as the endpoint can use into
//! memory.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use ring::digest::{Context, SHA256};

use crate::sandbox::state::world::World;

/// Writes to the journal what came of a body, also when the caller hangs up and the reading is
/// dropped.
struct Reading<'a> {
    world: &'a World,
    seq: u64,
    length: u64,
    digest: Context,
    complete: bool,
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        let digest = self.digest.clone().finish();
        let hex = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        self.world.journal().amend(self.seq, |entry| {
            entry.body_length = self.length;
            entry.body_sha256 = Some(hex);
            entry.complete = self.complete;
        });
    }
}

/// The body ended early.
pub(in crate::sandbox) struct BrokenOff;

/// Reads to the end. Of a body longer than `limit` nothing is kept.
pub(in crate::sandbox) async fn read(
    world: &World,
    seq: u64,
    mut body: Incoming,
    limit: usize,
) -> Result<Option<Bytes>, BrokenOff> {
    let mut reading = Reading { world, seq, length: 0, digest: Context::new(&SHA256), complete: false };
    let mut kept = Some(BytesMut::new());
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return Err(BrokenOff) };
        let Ok(data) = frame.into_data() else { continue };
        reading.length += data.len() as u64;
        reading.digest.update(&data);
        kept = kept.filter(|kept| kept.len() + data.len() <= limit);
        if let Some(kept) = &mut kept {
            kept.extend_from_slice(&data);
        }
    }
    reading.complete = true;
    Ok(kept.map(BytesMut::freeze))
}
