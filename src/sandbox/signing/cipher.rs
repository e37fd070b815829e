//! AES-256-GCM as WeChat puts it on the wire.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde::{Deserialize, Serialize};

const TAG: usize = 16;

/// A body: three parts in base64.
#[derive(Serialize, Deserialize)]
pub(super) struct Envelope {
    pub iv: String,
    pub data: String,
    pub authtag: String,
}

/// An app's symmetric key, and the number that WeChat gave it.
pub(in crate::sandbox) struct Cipher {
    key: LessSafeKey,
    pub(super) sn: String,
}

impl Cipher {
    /// `key` is 32 bytes in base64, as the console shows them.
    pub(in crate::sandbox) fn new(key: &str, sn: &str) -> Option<Self> {
        let key = UnboundKey::new(&AES_256_GCM, &STANDARD.decode(key).ok()?).ok()?;
        Some(Self { key: LessSafeKey::new(key), sn: sn.to_owned() })
    }

    pub(super) fn open(&self, body: &[u8], associated_data: &[u8]) -> Option<Vec<u8>> {
        let envelope: Envelope = serde_json::from_slice(body).ok()?;
        let [iv, mut sealed, tag] = [envelope.iv, envelope.data, envelope.authtag]
            .map(|part| STANDARD.decode(part).ok())
            .into_iter()
            .collect::<Option<Vec<_>>>()?
            .try_into()
            .ok()?;
        if tag.len() != TAG {
            return None;
        }
        let nonce = Nonce::try_assume_unique_for_key(&iv).ok()?;
        sealed.extend(tag);
        let length = self.key.open_in_place(nonce, Aad::from(associated_data), &mut sealed).ok()?.len();
        sealed.truncate(length);
        Some(sealed)
    }

    pub(super) fn seal(&self, mut plaintext: Vec<u8>, associated_data: &[u8]) -> Option<Envelope> {
        let mut iv = [0; NONCE_LEN];
        ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut iv).ok()?;
        let nonce = Nonce::assume_unique_for_key(iv);
        let aad = Aad::from(associated_data);
        let tag = self.key.seal_in_place_separate_tag(nonce, aad, &mut plaintext).ok()?;
        Some(Envelope {
            iv: STANDARD.encode(iv),
            data: STANDARD.encode(plaintext),
            authtag: STANDARD.encode(tag),
        })
    }
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cipher").field("sn", &self.sn).finish_non_exhaustive()
    }
}
