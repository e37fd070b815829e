//! Values encrypted at rest: whoever reads the store's disk or Redis learns no token.
//!
//! A sealed value is `KEYID.BASE64URL(nonce, ciphertext, tag)`, by AES-256-GCM with a random nonce.
//! The fields in clear next to it (the entry's key, generation, times) are authenticated with it,
//! so that values can't be exchanged.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};
use zeroize::Zeroizing;

use crate::observe::hex::hex;
use crate::secret::Secret;
use crate::texts::text;

/// Bytes of a key.
const KEY: usize = 32;

/// The keys of a store, and what its records must fulfil.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// Seals what is written; without it values are written in clear.
    present: Option<Arc<Key>>,
    /// Opens what others seal already, or sealed before.
    former: Option<Arc<Key>>,
    /// Records in clear are accepted although there is a key.
    accept_unsealed: bool,
}

struct Key {
    /// The beginning of the key's SHA-256 in hex; tells keys apart, and nothing about them.
    id: String,
    aead: LessSafeKey,
}

/// Why something can't be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// A configured key isn't one.
    #[error("{}", text!("is not a key, expected 32 random bytes in base64 or hex: openssl rand -base64 32"))]
    NoKey,
    /// Whoever wrote it may not have the key.
    #[error("{}", text!("it is in clear although store.seal_key is set"))]
    Unsealed,
    /// The value was sealed with a key that is neither the present nor the former one.
    #[error("{}", text!("it is sealed with the key {id}, which is not configured", id = .0))]
    UnknownKey(String),
    /// The value or what is authenticated with it was changed.
    #[error("{}", text!("the seal is broken"))]
    Broken,
    /// The operating system returned no random bytes.
    #[error("{}", text!("the operating system returned no random bytes"))]
    Random,
}

impl Seal {
    /// Seals with `present`, opens what was sealed with either.
    ///
    /// # Errors
    /// One of them isn't 32 bytes in base64 or hex.
    pub fn new(present: &Secret, former: Option<&Secret>) -> Result<Self, SealError> {
        let former = former.map(Key::new).transpose()?.map(Arc::new);
        Ok(Self { present: Some(Arc::new(Key::new(present)?)), former, accept_unsealed: false })
    }

    /// Opens what was sealed with `former`, and seals nothing: for replicas next to others that
    /// begin to seal.
    ///
    /// # Errors
    /// It isn't 32 bytes in base64 or hex.
    pub fn former_alone(former: &Secret) -> Result<Self, SealError> {
        Ok(Self { present: None, former: Some(Arc::new(Key::new(former)?)), accept_unsealed: false })
    }

    /// The same keys, but records in clear are accepted and sealed.
    #[must_use]
    pub fn accepting_unsealed(&self) -> Self {
        Self { accept_unsealed: true, ..self.clone() }
    }

    /// Whether records in clear are accepted although there is a key.
    pub fn accepts_unsealed(&self) -> bool {
        self.accept_unsealed
    }

    /// The identifier of the key that seals, if one does.
    pub fn key_id(&self) -> Option<&str> {
        self.present.as_ref().map(|key| key.id.as_str())
    }

    /// The identifier of the former key.
    pub fn former_key_id(&self) -> Option<&str> {
        self.former.as_ref().map(|key| key.id.as_str())
    }

    /// Whether what is written is sealed.
    pub(super) fn seals(&self) -> bool {
        self.present.is_some()
    }

    /// Whether records may be in clear.
    pub(super) fn believes_unsealed(&self) -> bool {
        self.accept_unsealed || !self.seals()
    }

    /// Whether accepted records may have to be sealed again.
    pub(super) fn changes(&self) -> bool {
        self.seals() && (self.accept_unsealed || self.former.is_some())
    }

    pub(super) fn seal(&self, beside: &str, value: &Secret) -> Result<String, SealError> {
        let present = self.present.as_ref().ok_or(SealError::Unsealed)?;
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| SealError::Random)?;
        let mut text = value.expose().as_bytes().to_vec();
        let aad = Aad::from(beside.as_bytes());
        let sealed =
            present.aead.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut text);
        sealed.map_err(|_| SealError::Broken)?;
        let mut bytes = nonce.to_vec();
        bytes.append(&mut text);
        Ok(format!("{}.{}", present.id, URL_SAFE_NO_PAD.encode(bytes)))
    }

    pub(super) fn open(&self, beside: &str, sealed: &str) -> Result<Secret, SealError> {
        let (id, text) = sealed.split_once('.').ok_or(SealError::Broken)?;
        let mut keys = self.present.iter().chain(&self.former);
        let Some(key) = keys.find(|key| key.id == id) else {
            return Err(SealError::UnknownKey(id.to_owned()));
        };
        let mut bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).map_err(|_| SealError::Broken)?);
        let (nonce, text) = bytes.split_at_mut_checked(NONCE_LEN).ok_or(SealError::Broken)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::Broken)?;
        let plain = key.aead.open_in_place(nonce, Aad::from(beside.as_bytes()), text);
        let plain = plain.map_err(|_| SealError::Broken)?;
        let plain = std::str::from_utf8(plain).map_err(|_| SealError::Broken)?;
        Ok(Secret::new(plain))
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
        assert_eq!(first.open("shop 7", &sealed).expect("opens").expose(), "t0ken");
        assert!(matches!(first.open("shop 8", &sealed), Err(SealError::Broken)));
        assert!(matches!(seal(SECOND, None).open("shop 7", &sealed), Err(SealError::UnknownKey(_))));
        assert_ne!(sealed, first.seal("shop 7", &Secret::new("t0ken")).expect("sealed"), "the nonce");
    }

    #[test]
    fn after_a_rotation_the_former_key_still_opens() {
        let sealed = seal(FIRST, None).seal("k", &Secret::new("t")).expect("sealed");
        let rotated = seal(SECOND, Some(FIRST));
        assert!(rotated.open("k", &sealed).is_ok());
        let anew = rotated.seal("k", &Secret::new("t")).expect("sealed");
        assert!(anew.starts_with(rotated.key_id().expect("it seals")) && rotated.open("k", &anew).is_ok());
        assert!(Seal::former_alone(&Secret::new(SECOND)).expect("a key").open("k", &anew).is_ok());
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
