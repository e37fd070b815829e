//! Values sealed at rest: whoever reads the store's disk or Redis learns no token.
//!
//! A sealed value is `KEYID.BASE64URL(nonce, ciphertext, tag)`, by AES-256-GCM with a random nonce.
//! What stands in clear beside it (the entry's key, generation, times) is authenticated with it, so
//! that no value passes for another.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};
use zeroize::Zeroizing;

use crate::observe::hex::hex;
use crate::secret::Secret;

/// Bytes of a key.
const KEY: usize = 32;

/// The keys of a store: the present one, and the former one while values sealed with it remain.
#[derive(Debug, PartialEq, Eq)]
pub struct Seal {
    present: Key,
    former: Option<Key>,
}

struct Key {
    /// The beginning of the key's SHA-256 in hex; tells keys apart, and nothing about them.
    id: String,
    aead: LessSafeKey,
}

/// What was opened.
#[derive(Debug)]
pub(super) struct Opened {
    pub value: Secret,
    /// Sealed with the former key.
    pub stale: bool,
}

/// Why something can't be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// A configured key isn't one.
    #[error("is no key, expected 32 random bytes in base64 or hex: openssl rand -base64 32")]
    NoKey,
    /// The value was sealed with a key that is neither the present nor the former one.
    #[error("sealed with the key {0}, which isn't configured")]
    UnknownKey(String),
    /// The value or what stands beside it was changed.
    #[error("the seal is broken")]
    Broken,
    /// The machine gave no random bytes.
    #[error("the system gave no random bytes")]
    Random,
}

impl Seal {
    /// Seals with `present`, opens what was sealed with either.
    ///
    /// # Errors
    /// One of them isn't 32 bytes in base64 or hex.
    pub fn new(present: &Secret, former: Option<&Secret>) -> Result<Self, SealError> {
        Ok(Self { present: Key::new(present)?, former: former.map(Key::new).transpose()? })
    }

    /// The identifier of the key that seals.
    pub fn key_id(&self) -> &str {
        &self.present.id
    }

    /// The identifier of the former key.
    pub(super) fn former_key_id(&self) -> Option<&str> {
        self.former.as_ref().map(|key| key.id.as_str())
    }

    pub(super) fn seal(&self, beside: &str, value: &Secret) -> Result<String, SealError> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| SealError::Random)?;
        let mut text = value.expose().as_bytes().to_vec();
        let aad = Aad::from(beside.as_bytes());
        let sealed =
            self.present.aead.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut text);
        sealed.map_err(|_| SealError::Broken)?;
        let mut bytes = nonce.to_vec();
        bytes.append(&mut text);
        Ok(format!("{}.{}", self.present.id, URL_SAFE_NO_PAD.encode(bytes)))
    }

    pub(super) fn open(&self, beside: &str, sealed: &str) -> Result<Opened, SealError> {
        let (id, text) = sealed.split_once('.').ok_or(SealError::Broken)?;
        let keys = [Some(&self.present), self.former.as_ref()];
        let Some(key) = keys.into_iter().flatten().find(|key| key.id == id) else {
            return Err(SealError::UnknownKey(id.to_owned()));
        };
        let mut bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).map_err(|_| SealError::Broken)?);
        let (nonce, text) = bytes.split_at_mut_checked(NONCE_LEN).ok_or(SealError::Broken)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::Broken)?;
        let plain = key.aead.open_in_place(nonce, Aad::from(beside.as_bytes()), text);
        let plain = plain.map_err(|_| SealError::Broken)?;
        let plain = std::str::from_utf8(plain).map_err(|_| SealError::Broken)?;
        Ok(Opened { value: Secret::new(plain), stale: key.id != self.present.id })
    }
}

impl Key {
    fn new(text: &Secret) -> Result<Self, SealError> {
        let bytes = key_bytes(text.expose()).ok_or(SealError::NoKey)?;
        let unbound = UnboundKey::new(&AES_256_GCM, &bytes).map_err(|_| SealError::NoKey)?;
        let id = hex(&digest(&SHA256, &bytes).as_ref()[..4]);
        Ok(Self { id, aead: LessSafeKey::new(unbound) })
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Key {}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.id)
    }
}

fn key_bytes(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let bytes = match text.len() {
        64 => (0..KEY).map(|n| u8::from_str_radix(text.get(2 * n..2 * n + 2)?, 16).ok()).collect(),
        _ => STANDARD.decode(text).or_else(|_| URL_SAFE_NO_PAD.decode(text)).ok(),
    };
    bytes.map(Zeroizing::new).filter(|bytes| bytes.len() == KEY)
}

#[cfg(test)]
mod tests {
    use super::{Seal, SealError};
    use crate::secret::Secret;

    const FIRST: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const SECOND: &str = "1f1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100";

    fn seal(present: &str, former: Option<&str>) -> Seal {
        Seal::new(&Secret::new(present), former.map(Secret::new).as_ref()).expect("keys")
    }

    #[test]
    fn what_was_sealed_opens_with_the_same_key_and_the_same_surroundings_alone() {
        let first = seal(FIRST, None);
        let sealed = first.seal("shop 7", &Secret::new("t0ken")).expect("sealed");
        assert!(!sealed.contains("t0ken"));
        assert_eq!(first.open("shop 7", &sealed).expect("opens").value.expose(), "t0ken");
        assert!(matches!(first.open("shop 8", &sealed), Err(SealError::Broken)));
        assert!(matches!(seal(SECOND, None).open("shop 7", &sealed), Err(SealError::UnknownKey(_))));
        assert_ne!(sealed, first.seal("shop 7", &Secret::new("t0ken")).expect("sealed"), "the nonce");
    }

    #[test]
    fn after_a_rotation_the_former_key_still_opens() {
        let sealed = seal(FIRST, None).seal("k", &Secret::new("t")).expect("sealed");
        let rotated = seal(SECOND, Some(FIRST));
        assert!(rotated.open("k", &sealed).expect("opens").stale);
        let anew = rotated.seal("k", &Secret::new("t")).expect("sealed");
        assert!(!rotated.open("k", &anew).expect("opens").stale);
    }

    #[test]
    fn any_changed_byte_breaks_the_seal() {
        let first = seal(FIRST, None);
        let sealed = first.seal("k", &Secret::new("t0ken")).expect("sealed");
        for at in 9..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).expect("ASCII");
            assert!(first.open("k", &changed).is_err(), "{at}");
        }
        assert!(first.open("k", "").is_err() && first.open("k", &sealed[..12]).is_err());
    }

    #[test]
    fn a_key_is_thirty_two_bytes_in_base64_or_hex() {
        for text in [
            "",
            "short",
            &FIRST[..40],
            &SECOND[..62],
            "zz1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100",
        ] {
            assert!(matches!(Seal::new(&Secret::new(text), None), Err(SealError::NoKey)), "{text}");
        }
    }
}
