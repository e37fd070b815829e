//! Keys in PEM, as `openssl` writes them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;

/// An RSA public key of either form, as PKCS #1 wants it, which is what ring takes.
pub(in crate::sandbox) fn public_key(pem: &str) -> Option<Vec<u8>> {
    if let Some(key) = block(pem, "RSA PUBLIC KEY") {
        return Some(key);
    }
    // SubjectPublicKeyInfo (RFC 5280): the algorithm, then the key in a bit string, whose first
    // byte counts the bits that are left over.
    let info = block(pem, "PUBLIC KEY")?;
    let (fields, _) = element(&info, SEQUENCE)?;
    let (_, rest) = element(fields, SEQUENCE)?;
    let (bits, _) = element(rest, BIT_STRING)?;
    bits.strip_prefix(&[0]).map(<[u8]>::to_vec)
}

/// A private key in PKCS #8.
pub(super) fn private_key(pem: &str) -> Option<Vec<u8>> {
    block(pem, "PRIVATE KEY")
}

fn block(pem: &str, label: &str) -> Option<Vec<u8>> {
    let (_, rest) = pem.split_once(&format!("-----BEGIN {label}-----"))?;
    let (inside, _) = rest.split_once(&format!("-----END {label}-----"))?;
    let packed: String = inside.split_ascii_whitespace().collect();
    STANDARD.decode(packed).ok()
}

/// The content of the DER element that comes first, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let rest = der.strip_prefix(&[tag])?;
    let (&first, rest) = rest.split_first()?;
    // From 128 on, the first byte says how many bytes the length has.
    let (length, rest) = match usize::from(first) {
        short @ ..0x80 => (short, rest),
        long => {
            let (digits, rest) = rest.split_at_checked(long - 0x80)?;
            let length = digits.iter().try_fold(0_usize, |length, digit| {
                length.checked_mul(256).map(|length| length + usize::from(*digit))
            });
            (length?, rest)
        }
    };
    rest.split_at_checked(length)
}
