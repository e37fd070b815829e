//! WeChat's message encryption (消息加解密): SHA-1 over sorted parts, AES-256-CBC with the key's first
//! half as IV.
//!
//! Key and IV are the platform's for years, and the signature is a hash over a secret part rather
//! than a MAC. That is the protocol; what it leaves open is closed by `callback::replay`.

use std::fmt;

use aes::Aes256;
use aes::cipher::{Array, BlockModeDecrypt as _, KeyIvInit as _};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use ring::digest;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::observe::hex::hex;
use crate::secret::Secret;
use crate::texts::text;

/// An EncodingAESKey comes without its `=`, and its last character has two bits too many, which
/// needn't be zero: those of WeChat's own samples aren't.
const KEY_BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

/// Characters of an EncodingAESKey.
const KEY_CHARACTERS: usize = 43;
const KEY_LENGTH: usize = 32;
const IV_LENGTH: usize = 16;
/// PKCS#7 with blocks of 32 bytes, twice those of AES.
const PADDING_BLOCK: usize = 32;
/// Random bytes before the length.
const SALT: usize = 16;

/// A decoded EncodingAESKey (消息加解密Key).
pub struct AesKey(Zeroizing<[u8; KEY_LENGTH]>);

/// A text is not an EncodingAESKey.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", text!("is not an EncodingAESKey, expected the 43 letters and digits set with the callback URL at WeChat"))]
pub struct NoAesKey;

impl AesKey {
    /// Decodes 43 characters of base64.
    ///
    /// # Errors
    /// If they aren't that.
    pub fn parse(text: &str) -> Result<Self, NoAesKey> {
        if text.len() != KEY_CHARACTERS {
            return Err(NoAesKey);
        }
        // One byte more than the key, as the decoder's estimate requires.
        let mut decoded = Zeroizing::new([0; KEY_LENGTH + 1]);
        let length = KEY_BASE64.decode_slice(text, &mut *decoded).map_err(|_| NoAesKey)?;
        let key = decoded.get(..length).and_then(|key| <[u8; KEY_LENGTH]>::try_from(key).ok());
        key.map(|key| Self(Zeroizing::new(key))).ok_or(NoAesKey)
    }

    /// The 43 characters, for a WeChat that has to encrypt with them.
    pub fn encoded(&self) -> Secret {
        let padded = Zeroizing::new(STANDARD.encode(*self.0));
        Secret::new(padded.trim_end_matches('='))
    }
}

impl fmt::Debug for AesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AesKey(redacted)")
    }
}

/// The SHA-1 that signs a push.
///
/// The parts are joined without a separator, so a digit can move from nonce to timestamp and the
/// seal is still valid: pushes are identified by their seal, never by the nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Seal([u8; digest::SHA1_OUTPUT_LEN]);

impl Seal {
    /// Over token, timestamp, nonce and the encrypted part, whatever their order.
    pub fn of(mut parts: [&str; 4]) -> Self {
        parts.sort_unstable();
        let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
        parts.iter().for_each(|part| context.update(part.as_bytes()));
        let mut seal = [0; digest::SHA1_OUTPUT_LEN];
        seal.copy_from_slice(context.finish().as_ref());
        Self(seal)
    }

    /// Whether a `msg_signature` is this, in time that depends on its length alone.
    pub(super) fn matches(&self, hexadecimal: &str) -> bool {
        hex(self.0).as_bytes().ct_eq(hexadecimal.as_bytes()).into()
    }
}

/// What was encrypted: a text, and whom it is for.
pub(super) struct Message {
    plain: Zeroizing<Vec<u8>>,
    /// Where the text ends and the receiver begins.
    end: usize,
}

impl Message {
    /// The text; none if it is not UTF-8.
    pub(super) fn text(&self) -> Option<&str> {
        std::str::from_utf8(self.plain.get(SALT + size_of::<u32>()..self.end)?).ok()
    }

    /// Whether it is for `receive_id`, in time that depends on the lengths alone.
    pub(super) fn is_for(&self, receive_id: &str) -> bool {
        self.plain.get(self.end..).is_some_and(|receiver| receiver.ct_eq(receive_id.as_bytes()).into())
    }
}

/// Decrypts base64: 16 random bytes, the text's length in four, the text, the receiver, padding.
/// None if it isn't that.
pub(super) fn decrypt(key: &AesKey, encrypted: &str) -> Option<Message> {
    let mut plain = Zeroizing::new(STANDARD.decode(encrypted).ok()?);
    if plain.is_empty() || !plain.len().is_multiple_of(PADDING_BLOCK) {
        return None;
    }
    let (key, iv) = (Array::from(*key.0), key.0.first_chunk::<IV_LENGTH>()?);
    let mut cipher = cbc::Decryptor::<Aes256>::new(&key, &Array::from(*iv));
    let (blocks, _) = Array::slice_as_chunks_mut(&mut plain);
    cipher.decrypt_blocks(blocks);

    let padding = usize::from(*plain.last()?);
    let unpadded = plain.len().checked_sub(padding)?;
    let well_padded = plain.get(unpadded..)?.iter().all(|byte| usize::from(*byte) == padding);
    if !(1..=PADDING_BLOCK).contains(&padding) || !well_padded {
        return None;
    }
    plain.truncate(unpadded);

    let start = SALT + size_of::<u32>();
    let length = u32::from_be_bytes(*plain.get(SALT..)?.first_chunk()?);
    let end = start.checked_add(usize::try_from(length).ok()?).filter(|end| *end <= plain.len())?;
    Some(Message { plain, end })
}
