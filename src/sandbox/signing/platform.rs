//! The keys that the fake signs its answers with. They are in the source, for everybody to read,
//! and worth nothing.

use std::fmt;

use ring::rand::SystemRandom;
use ring::signature::{RSA_PSS_SHA256, RsaKeyPair};

use super::pem;

/// A platform certificate (平台证书), as the console hands it out.
#[derive(Clone, Copy, Debug)]
pub struct PlatformCertificate {
    /// The console's number for it, which isn't that of X.509.
    pub serial: &'static str,
    /// The certificate, PEM.
    pub certificate: &'static str,
}

/// The certificate that is in force at first, and the one that takes its place.
pub const PLATFORM_CERTIFICATES: [PlatformCertificate; 2] = [
    PlatformCertificate {
        serial: "73616e64626f78000000000000000001",
        certificate: include_str!("platform/first.crt"),
    },
    PlatformCertificate {
        serial: "73616e64626f78000000000000000002",
        certificate: include_str!("platform/second.crt"),
    },
];

const KEYS: [&str; 2] = [include_str!("platform/first.key"), include_str!("platform/second.key")];

/// Signs with the key of one certificate.
pub(in crate::sandbox) struct Signer {
    pub(super) serial: &'static str,
    key: RsaKeyPair,
}

impl Signer {
    /// Those of [`PLATFORM_CERTIFICATES`].
    pub(in crate::sandbox) fn all() -> Option<[Self; 2]> {
        let [first, second] = KEYS.map(|key| RsaKeyPair::from_pkcs8(&pem::private_key(key)?).ok());
        let [old, new] = PLATFORM_CERTIFICATES;
        Some([Self { serial: old.serial, key: first? }, Self { serial: new.serial, key: second? }])
    }

    pub(super) fn sign(&self, text: &[u8]) -> Option<Vec<u8>> {
        let mut signature = vec![0; self.key.public().modulus_len()];
        // PSS with MGF1 and a salt as long as the digest: what WeChat calls RSAwithSHA256.
        self.key.sign(&RSA_PSS_SHA256, &SystemRandom::new(), text, &mut signature).ok()?;
        Some(signature)
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("serial", &self.serial).finish_non_exhaustive()
    }
}
