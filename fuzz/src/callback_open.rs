//! No push is taken unless it is signed, and what is signed is read without a panic. The first line of the input is the query.

use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use aes::cipher::{Array, BlockModeEncrypt as _, KeyIvInit as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use wxgate::secret::Secret;
use wxgate::wechat::callback::{AesKey, Key, Rejected, open, open_echo};

const RAW_KEY: [u8; 32] = *b"0123456789abcdef0123456789abcdef";
const RECEIVER: &[u8] = b"wx0123456789abcdef";

static KEY: LazyLock<Key> = LazyLock::new(|| Key {
    token: Arc::new(Secret::new("token")),
    aes_key: Arc::new(AesKey::parse(STANDARD.encode(RAW_KEY).trim_end_matches('=')).expect("a key")),
    receive_id: "wx0123456789abcdef".into(),
});

fn encrypt(mut plain: Vec<u8>) -> String {
    plain.resize(plain.len().next_multiple_of(16), 0);
    let iv = Array::try_from(&RAW_KEY[..16]).expect("16 bytes");
    let (blocks, _) = Array::slice_as_chunks_mut(&mut plain);
    cbc::Encryptor::<aes::Aes256>::new(&Array::from(RAW_KEY), &iv).encrypt_blocks(blocks);
    STANDARD.encode(plain)
}

fn sign(encrypted: &str) -> String {
    let mut parts = ["token", "1700000000", "1", encrypted];
    parts.sort_unstable();
    let mut query = "timestamp=1700000000&nonce=1&msg_signature=".to_owned();
    for byte in digest(&SHA1_FOR_LEGACY_USE_ONLY, parts.concat().as_bytes()).as_ref() {
        write!(query, "{byte:02x}").expect("a string takes everything");
    }
    query
}

pub fn run(input: &[u8]) {
    let at = input.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let query = std::str::from_utf8(&input[..at]).unwrap_or_default();
    let bytes = input.get(at + 1..).unwrap_or_default();
    // As it comes: nobody guesses a signature.
    let refused = open(&KEY, query, bytes).expect_err("unsigned");
    assert!(matches!(refused, Rejected::Unsigned | Rejected::Signature), "{refused:?}");
    assert!(open_echo(&KEY, query).is_err());

    // Signed: as ciphertext, as plain text with its padding, and as an event.
    let sealed = |encrypted: &str| {
        let body = format!("<xml><Encrypt>{encrypted}</Encrypt></xml>");
        open(&KEY, &sign(encrypted), body.as_bytes())
    };
    let _ = sealed(&STANDARD.encode(bytes));
    let _ = sealed(&encrypt(bytes.to_vec()));
    let length = u32::try_from(bytes.len()).expect("short").to_be_bytes();
    let mut plain = [b"0123456789abcdef", &length[..], bytes, RECEIVER].concat();
    let padding = 32 - plain.len() % 32;
    plain.resize(plain.len() + padding, u8::try_from(padding).expect("up to 32"));
    match sealed(&encrypt(plain)) {
        Ok(push) => {
            assert!(std::str::from_utf8(bytes).is_ok_and(|text| text.contains("InfoType")), "{push:?}");
        }
        Err(rejected) => assert_eq!(rejected, Rejected::Content),
    }
}
