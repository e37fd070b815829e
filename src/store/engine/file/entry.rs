//! An entry as a file: one line with a digest of the rest, then the bytes.
//!
//! `wxgate-store FORMAT SHA256 WRITTEN LASTS`, then a line feed and the value. The digest, in hex,
//! is of all the rest.

use std::time::Duration;

use ring::digest::{SHA256, digest};

use crate::observe::clock::Timestamp;
use crate::observe::hex::hex;

const MAGIC: &str = "wxgate-store";
const FORMAT: u32 = 1;
/// In place of a duration: for ever.
const FOR_EVER: &str = "-";

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileEntry {
    pub value: Vec<u8>,
    pub written_at: Timestamp,
    pub lasts: Option<Duration>,
}

/// Why a file is not read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is not what was written.
    Damaged,
    /// A later version of wxgate wrote it.
    Later(u32),
}

impl FileEntry {
    pub(super) fn encode(&self) -> Vec<u8> {
        let lasts = self.lasts.map_or_else(|| FOR_EVER.to_owned(), |lasts| lasts.as_millis().to_string());
        let times = format!("{} {lasts}", self.written_at.0);
        let digest = digest_of(&times, &self.value);
        let mut bytes = format!("{MAGIC} {FORMAT} {digest} {times}\n").into_bytes();
        bytes.extend_from_slice(&self.value);
        bytes
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        let end = memchr::memchr(b'\n', bytes).ok_or(Fault::Damaged)?;
        let (head, value) = (&bytes[..end], &bytes[end + 1..]);
        let head = std::str::from_utf8(head).map_err(|_| Fault::Damaged)?;
        let rest = head.strip_prefix(MAGIC).and_then(|rest| rest.strip_prefix(' ')).ok_or(Fault::Damaged)?;
        let (format, rest) = rest.split_once(' ').ok_or(Fault::Damaged)?;
        match format.parse() {
            Ok(FORMAT) => {}
            Ok(later) if later > FORMAT => return Err(Fault::Later(later)),
            _ => return Err(Fault::Damaged),
        }
        let (digest, times) = rest.split_once(' ').ok_or(Fault::Damaged)?;
        if digest != digest_of(times, value) {
            return Err(Fault::Damaged);
        }
        let (written_at, lasts) = times.split_once(' ').ok_or(Fault::Damaged)?;
        let lasts = match lasts {
            FOR_EVER => None,
            lasts => Some(Duration::from_millis(lasts.parse().map_err(|_| Fault::Damaged)?)),
        };
        let written_at = Timestamp(written_at.parse().map_err(|_| Fault::Damaged)?);
        Ok(Self { value: value.to_vec(), written_at, lasts })
    }

    /// How long it is good from `now`; `None`: for ever.
    ///
    /// One that was written in the future tells of a clock that was set back. It may last twice as
    /// long then, and not longer: a lease of seconds must not last for hours, and a record of a
    /// month must not vanish.
    pub(super) fn left(&self, now: Timestamp) -> Option<Duration> {
        let lasts = self.lasts?;
        let ahead = self.written_at.since(now);
        if ahead > lasts {
            Some(Duration::ZERO)
        } else {
            Some(lasts.saturating_sub(now.since(self.written_at)))
        }
    }

    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.left(now).is_some_and(|left| left.is_zero())
    }
}

fn digest_of(times: &str, value: &[u8]) -> String {
    let mut text = format!("{FORMAT} {times}\n").into_bytes();
    text.extend_from_slice(value);
    hex(digest(&SHA256, &text))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Fault, FileEntry};
    use crate::observe::clock::Timestamp;

    fn entry(lasts: Option<u64>) -> FileEntry {
        let lasts = lasts.map(Duration::from_secs);
        FileEntry { value: b"a\nvalue".to_vec(), written_at: Timestamp(1_000_000), lasts }
    }

    #[test]
    fn an_entry_survives_its_file_and_no_change_of_it_is_trusted() {
        for entry in [entry(None), entry(Some(4)), FileEntry { value: Vec::new(), ..entry(None) }] {
            let bytes = entry.encode();
            assert_eq!(FileEntry::parse(&bytes), Ok(entry));
            for at in 0..bytes.len() {
                assert!(FileEntry::parse(&bytes[..at]).is_err(), "cut at {at}");
                let mut changed = bytes.clone();
                changed[at] ^= 1;
                assert!(FileEntry::parse(&changed).is_err(), "changed at {at}");
            }
            assert!(FileEntry::parse(&[bytes.as_slice(), b"\0"].concat()).is_err(), "longer");
        }
        assert_eq!(FileEntry::parse(b"wxgate-store 2 what ever\n"), Err(Fault::Later(2)));
        assert_eq!(FileEntry::parse(b""), Err(Fault::Damaged));
    }

    #[test]
    fn a_clock_set_back_stretches_nothing_by_more_than_its_own_length() {
        let at = |seconds: i64| Timestamp(1_000_000 + seconds * 1000);
        assert!(!entry(Some(4)).is_over(at(3)) && entry(Some(4)).is_over(at(4)));
        assert!(!entry(Some(4)).is_over(at(-4)) && entry(Some(4)).is_over(at(-5)));
        assert!(!entry(Some(30 * 86_400)).is_over(at(-86_400)));
        assert!(!entry(None).is_over(at(i64::MAX / 10_000)));
    }
}
