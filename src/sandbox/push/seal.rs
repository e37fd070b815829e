//! How a push is encrypted and signed.

use aes::Aes256;
use aes::cipher::{Array, BlockModeEncrypt as _, KeyIvInit as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use crate::sandbox::state::callbacks::Receiver;

/// PKCS#7 with blocks of 32 bytes.
const BLOCK: usize = 32;

pub(super) struct SealedPush {
    /// The query of the push.
    pub query: String,
    /// The `Encrypt` element, base64.
    pub encrypted: String,
}

/// Encrypts a text for a receiver and signs it. `seconds` since the Unix epoch.
pub(super) fn seal(receiver: &Receiver, text: &str, seconds: i64) -> SealedPush {
    let encrypted = encrypt(&receiver.aes_key, text, &receiver.appid);
    let (timestamp, nonce) = (seconds.to_string(), fastrand::u32(100_000_000..).to_string());
    let signature = sign(&[&receiver.token, &timestamp, &nonce, &encrypted]);
    // WeChat sends a second signature, over less.
    let plain = sign(&[&receiver.token, &timestamp, &nonce]);
    let query = format!(
        "signature={plain}&timestamp={timestamp}&nonce={nonce}&encrypt_type=aes&msg_signature={signature}"
    );
    SealedPush { query, encrypted }
}

/// 16 random bytes, the text's length, the text, the receiver's id, padding; the key's first half
/// is the IV.
fn encrypt(key: &[u8; 32], text: &str, id: &str) -> String {
    let mut plain: Vec<u8> = (0..16).map(|_| fastrand::alphanumeric() as u8).collect();
    plain.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
    plain.extend(text.as_bytes());
    plain.extend(id.as_bytes());
    let missing = BLOCK - plain.len() % BLOCK;
    plain.extend(std::iter::repeat_n(u8::try_from(missing).unwrap_or_default(), missing));
    let mut iv = [0; 16];
    iv.copy_from_slice(&key[..16]);
    let (blocks, _) = Array::slice_as_chunks_mut(&mut plain);
    cbc::Encryptor::<Aes256>::new(&Array::from(*key), &Array::from(iv)).encrypt_blocks(blocks);
    STANDARD.encode(plain)
}

/// SHA-1 over the parts in order of their bytes, in hex.
fn sign(parts: &[&str]) -> String {
    let mut parts = parts.to_vec();
    parts.sort_unstable();
    let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, parts.concat().as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
