//! Bodies of unknown length: WeChat rejects chunked requests with 412, so all of it must be there
//! before the length is known. It is read into memory or, when that gets long or scarce, a file.

use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use hyper::body::Incoming;
use tokio::fs::File;
use tokio::io::{AsyncWriteExt as _, BufWriter};

use super::ahead::{extend, next_piece};
use super::memory::{Memory, Reservation, SMALL};
use crate::pipeline::error::Error;
use crate::pipeline::options::ReplayOptions;
use crate::texts::{marked, text};
use crate::upstream::LONGEST_PIECE;

/// A body stays in memory up to here.
const IN_MEMORY: usize = 1024 * 1024;
/// How much of a spool file is read or written at a time.
const CHUNK: usize = 16 * 1024;
const _: () = assert!(CHUNK <= LONGEST_PIECE);

/// A body that was read whole.
pub(super) enum Whole {
    Memory(Bytes, Option<Reservation>),
    File(Spooled, u64),
}

/// A body in a file: unlinked and of mode 0600, gone with the process, whatever ends it.
pub(crate) struct Spooled {
    file: std::fs::File,
    _spool: Reservation,
}

impl Spooled {
    /// A piece of it. By position: an attempt that was given up may still be reading.
    pub(super) fn read_at(&self, at: u64) -> io::Result<Bytes> {
        let mut chunk = vec![0; CHUNK];
        let count = self.file.read_at(&mut chunk, at)?;
        if count == 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                text!("the spool file is shorter than what was written to it").to_string(),
            ));
        }
        chunk.truncate(count);
        Ok(chunk.into())
    }
}

/// A spool file that is being written.
struct Spooling {
    /// Each write goes to another thread and is one of the kernel's: not for every byte of a caller
    /// that sends byte by byte.
    file: BufWriter<File>,
    length: u64,
    spool: Reservation,
}

impl Spooling {
    fn create(folder: &Path, memory: &Memory) -> Result<Self, Error> {
        let mut file = tempfile::tempfile_in(folder).map(File::from_std).map_err(Error::Spool)?;
        // It has a buffer of its own, as long as what it is given.
        file.set_max_buf_size(CHUNK);
        let file = BufWriter::with_capacity(CHUNK, file);
        Ok(Self { file, length: 0, spool: Reservation::of(&memory.spool) })
    }

    async fn write(&mut self, data: &[u8]) -> Result<(), Error> {
        if !self.spool.grow(data.len() as u64) {
            return Err(Error::Overloaded(marked!(
                "the spool folder is full (replay.spool): send the body with a Content-Length"
            )));
        }
        self.length += data.len() as u64;
        self.file.write_all(data).await.map_err(Error::Spool)
    }

    async fn finish(mut self) -> Result<Whole, Error> {
        self.file.flush().await.map_err(Error::Spool)?;
        let file = self.file.into_inner().into_std().await;
        Ok(Whole::File(Spooled { file, _spool: self.spool }, self.length))
    }
}

/// Reads a body that begins with `first`.
pub(super) async fn collect(
    first: Bytes,
    mut body: Incoming,
    limit: u64,
    options: &ReplayOptions,
    memory: &Arc<Memory>,
) -> Result<Whole, Error> {
    let mut collected = Vec::from(first);
    let mut reservation = None;
    let overflow = loop {
        let Some(data) = next_piece(&mut body).await? else {
            return Ok(Whole::Memory(collected.into(), reservation));
        };
        let length = (collected.len() + data.len()) as u64;
        if length > limit {
            return Err(Error::BodyTooLarge { limit });
        }
        if length > SMALL && reservation.is_none() {
            reservation = memory.known.reserve(IN_MEMORY as u64);
        }
        if length > IN_MEMORY as u64 || (length > SMALL && reservation.is_none()) {
            break data;
        }
        extend(&mut collected, &data, IN_MEMORY);
    };
    let mut spooling = Spooling::create(&options.spool_dir, memory)?;
    spooling.write(&collected).await?;
    drop((collected, reservation));
    spooling.write(&overflow).await?;
    drop(overflow);
    while let Some(data) = next_piece(&mut body).await? {
        if spooling.length + data.len() as u64 > limit {
            return Err(Error::BodyTooLarge { limit });
        }
        spooling.write(&data).await?;
    }
    spooling.finish().await
}

#[cfg(test)]
mod tests {
    use super::{CHUNK, Memory, Spooling, Whole};
    use crate::pipeline::options::ReplayOptions;

    #[tokio::test]
    async fn what_comes_byte_by_byte_is_written_in_long_pieces() {
        let folder = tempfile::tempdir().expect("a folder");
        let options = ReplayOptions {
            max_body: 0,
            memory: 0,
            spool: 4 * CHUNK as u64,
            spool_dir: folder.path().to_owned(),
        };
        let body: Vec<u8> = (0..2 * CHUNK + 5).map(|at| (at % 251) as u8).collect();
        let mut spooling = Spooling::create(&options.spool_dir, &Memory::new(&options)).expect("a file");
        let mut lengths = std::collections::BTreeSet::new();
        for bytes in body.chunks(512) {
            for byte in bytes {
                spooling.write(std::slice::from_ref(byte)).await.expect("written");
            }
            lengths.insert(spooling.file.get_ref().metadata().await.expect("known").len());
        }
        assert!(lengths.len() <= 3, "{lengths:?}");
        let Ok(Whole::File(spooled, length)) = spooling.finish().await else { panic!("no file") };
        let mut read = Vec::new();
        while (read.len() as u64) < length {
            read.extend_from_slice(&spooled.read_at(read.len() as u64).expect("read"));
        }
        assert!(read == body);
    }
}
