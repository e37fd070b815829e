//! A token as the store keeps it.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::StoreError;
use super::plausible::is_plausible;
use super::seal::{Seal, SealError};
use super::times::RECORDS_LAST;
use crate::observe::clock::Timestamp;
use crate::secret::Secret;

/// Of the text form; a higher one is not read.
const FORMAT: u32 = 1;

/// One generation of a token.
#[derive(Clone, Debug)]
pub struct Record {
    /// The token itself.
    pub value: Arc<Secret>,
    /// Grows by one with each new token.
    pub generation: u64,
    /// When WeChat handed it out.
    pub fetched_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// The order of records of the same token: the higher one is valid.
///
/// The digest settles the order of two tokens that the sides of a split numbered alike, so that all
/// holders come to agree on the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    generation: u64,
    fetched_at: Timestamp,
    digest: [u8; 32],
}

/// A record's text form: JSON, of which only the value may be sealed, so that ranks can be compared
/// without the key.
#[derive(Serialize, Deserialize)]
pub(super) struct Text<'a> {
    format: u32,
    generation: u64,
    /// Milliseconds since the epoch.
    fetched_at: i64,
    expires_at: i64,
    /// SHA-256 of the value in base64url.
    digest: String,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    value: Option<Clear<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sealed: Option<String>,
}

/// A value that isn't sealed. Borrowed from the text form, unless that spells it with escapes.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Clear<'a>(#[serde(borrow)] Cow<'a, str>);

/// What the text forms of all versions have in common.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

/// How a token's value is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Readable by whoever reads the store.
    Clear,
    /// Encrypted with the key of this identifier ([`Seal::key_id`]).
    Sealed(String),
}

impl Record {
    /// Whether this record takes the place of `other`, by (generation, fetched_at, digest).
    pub fn supersedes(&self, other: &Self) -> bool {
        self.rank() > other.rank()
    }

    /// Whether both hold the same token.
    pub fn same_token(&self, other: &Self) -> bool {
        self.value.matches(&other.value)
    }

    pub(super) fn rank(&self) -> Rank {
        Rank { generation: self.generation, fetched_at: self.fetched_at, digest: digest_of(&self.value) }
    }

    fn is_plausible(&self, key: &str) -> bool {
        is_plausible(key, self.value.expose(), self.generation, self.fetched_at, self.expires_at)
    }

    /// How long the store keeps it: what never ends must not be forgotten either.
    pub(super) fn lasts(&self) -> Option<Duration> {
        (self.expires_at != Timestamp::NEVER).then_some(RECORDS_LAST)
    }

    /// The text form of the record of `key`. What would not be believed isn't written.
    pub(super) fn encode(&self, key: &str, seal: Option<&Seal>) -> Result<Vec<u8>, StoreError> {
        if !self.is_plausible(key) {
            return Err(damaged(key));
        }
        let mut text = Text {
            format: FORMAT,
            generation: self.generation,
            fetched_at: self.fetched_at.0,
            expires_at: self.expires_at.0,
            digest: URL_SAFE_NO_PAD.encode(digest_of(&self.value)),
            value: None,
            sealed: None,
        };
        match seal.filter(|seal| seal.seals()) {
            Some(seal) => {
                let sealed = seal.seal(&text.beside(key), &self.value);
                text.sealed = Some(sealed.map_err(|source| sealed_error(key, source))?);
            }
            None => text.value = Some(Clear(self.value.expose().into())),
        }
        serde_json::to_vec(&text).map_err(|_| damaged(key))
    }
}

impl<'a> Text<'a> {
    pub(super) fn parse(key: &str, bytes: &'a [u8]) -> Result<Self, StoreError> {
        let Format { format } = serde_json::from_slice(bytes).map_err(|_| damaged(key))?;
        if format > FORMAT {
            return Err(StoreError::Format { key: key.to_owned(), format });
        }
        serde_json::from_slice(bytes).map_err(|_| damaged(key))
    }

    pub(super) fn rank(&self, key: &str) -> Result<Rank, StoreError> {
        let digest = URL_SAFE_NO_PAD.decode(&self.digest).ok().and_then(|digest| digest.try_into().ok());
        Ok(Rank {
            generation: self.generation,
            fetched_at: Timestamp(self.fetched_at),
            digest: digest.ok_or_else(|| damaged(key))?,
        })
    }

    /// Generation, time of the fetch, end.
    pub(super) fn times(&self) -> (u64, Timestamp, Timestamp) {
        (self.generation, Timestamp(self.fetched_at), Timestamp(self.expires_at))
    }

    pub(super) fn protection(&self) -> Protection {
        match &self.sealed {
            Some(sealed) => Protection::Sealed(key_id(sealed)),
            None => Protection::Clear,
        }
    }

    /// Whether it should be written again: it is in clear although there is a key, or sealed with
    /// the former one.
    pub(super) fn is_stale(&self, seal: Option<&Seal>) -> bool {
        let Some(present) = seal.and_then(Seal::key_id) else { return false };
        self.sealed.as_deref().is_none_or(|sealed| key_id(sealed) != present)
    }

    /// The record, and whether it should be written again.
    pub(super) fn open(self, key: &str, seal: Option<&Seal>) -> Result<(Record, bool), StoreError> {
        let (rank, stale) = (self.rank(key)?, self.is_stale(seal));
        let value = match (&self.value, &self.sealed, seal) {
            (Some(_), None, Some(seal)) if !seal.believes_unsealed() => {
                return Err(sealed_error(key, SealError::Unsealed));
            }
            (Some(Clear(value)), None, _) => Secret::new(&**value),
            (None, Some(sealed), Some(seal)) => {
                let opened = seal.open(&self.beside(key), sealed);
                opened.map_err(|source| sealed_error(key, source))?
            }
            (None, Some(sealed), None) => {
                return Err(sealed_error(key, SealError::UnknownKey(key_id(sealed))));
            }
            _ => return Err(damaged(key)),
        };
        if digest_of(&value) != rank.digest {
            return Err(damaged(key));
        }
        let record = Record {
            value: Arc::new(value),
            generation: self.generation,
            fetched_at: Timestamp(self.fetched_at),
            expires_at: Timestamp(self.expires_at),
        };
        if !record.is_plausible(key) {
            return Err(damaged(key));
        }
        Ok((record, stale))
    }

    /// What the seal authenticates besides the value.
    fn beside(&self, key: &str) -> String {
        format!("{key} {} {} {}", self.generation, self.fetched_at, self.expires_at)
    }
}

fn key_id(sealed: &str) -> String {
    sealed.split('.').next().unwrap_or_default().to_owned()
}

fn damaged(key: &str) -> StoreError {
    StoreError::Damaged { key: key.to_owned() }
}

fn sealed_error(key: &str, source: SealError) -> StoreError {
    StoreError::Sealed { key: key.to_owned(), source }
}

fn digest_of(value: &Secret) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, value.expose().as_bytes()).as_ref());
    bytes
}

#[cfg(test)]
pub(super) fn record(value: &str, generation: u64, fetched_at: i64) -> Record {
    Record {
        value: Arc::new(Secret::new(value)),
        generation,
        fetched_at: Timestamp(fetched_at),
        expires_at: Timestamp(fetched_at + 7_200_000),
    }
}

#[cfg(test)]
mod tests {
    use super::{Text, record};
    use crate::store::StoreError;

    #[test]
    fn the_generation_counts_before_the_time_of_the_fetch() {
        assert!(record("a", 2, 0).supersedes(&record("b", 1, 9)));
        assert!(!record("b", 1, 9).supersedes(&record("a", 2, 0)));
        assert!(record("a", 2, 9).supersedes(&record("b", 2, 0)));
    }

    #[test]
    fn of_two_tokens_numbered_alike_exactly_one_supersedes_the_other() {
        let (a, b) = (record("a", 1, 0), record("b", 1, 0));
        assert_ne!(a.supersedes(&b), b.supersedes(&a));
        assert!(!a.supersedes(&a));
    }

    #[test]
    fn a_record_survives_its_text_form() {
        let bytes = record("t-1", 7, 5).encode("k", None).expect("encoded");
        let (read, stale) = Text::parse("k", &bytes).and_then(|text| text.open("k", None)).expect("reads");
        assert!(read.same_token(&record("t-1", 0, 0)) && !stale);
        assert_eq!((read.generation, read.fetched_at.0, read.expires_at.0), (7, 5, 7_200_005));
    }

    #[test]
    fn a_value_that_is_json_itself_survives_its_text_form() {
        let key = "authorization_code:wxc:1";
        let value = r#"["wx1",{"name":"a\\b \u6d4b"}]"#;
        let bytes = record(value, 1, 5).encode(key, None).expect("encoded");
        let (read, _) = Text::parse(key, &bytes).and_then(|text| text.open(key, None)).expect("reads");
        assert_eq!(read.value.expose(), value);
    }

    #[test]
    fn what_is_damaged_or_newer_than_us_is_not_believed() {
        let good = String::from_utf8(record("t-1", 7, 5).encode("k", None).expect("encoded")).expect("JSON");
        let read = |text: &str| Text::parse("k", text.as_bytes()).and_then(|text| text.open("k", None));
        for (from, to) in
            [("t-1", "t-2"), ("\"value\"", "\"velue\""), ("}", ""), ("\"digest\":\"", "\"digest\":\"x")]
        {
            let bad = good.replace(from, to);
            assert!(matches!(read(&bad), Err(StoreError::Damaged { .. })), "{bad}");
        }
        let newer = good.replace("\"format\":1", "\"format\":2");
        assert!(matches!(read(&newer), Err(StoreError::Format { format: 2, .. })));
        assert!(matches!(read(r#"{"format":3,"else":[]}"#), Err(StoreError::Format { format: 3, .. })));
    }
}
