//! The keys and certificates of signing, as the console gives them.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, LessSafeKey, UnboundKey};
use ring::rand::SystemRandom;
use ring::rsa::KeyPair;
use ring::signature::{RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use crate::observe::certificate;
use crate::observe::clock::Timestamp;
use crate::secret::Secret;
use crate::texts::text;

/// Bytes of a key of SM4.
const SM4: usize = 16;
/// Bits of the shortest RSA key that is taken.
const SHORTEST_RSA: usize = 2048;

/// Why a key or certificate can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// The symmetric key isn't base64.
    #[error("{}", text!("is not base64, expected the symmetric key (对称密钥) as WeChat's console shows it"))]
    NoBase64,
    /// The symmetric key has the length of SM4's.
    #[error("{}", text!("has 16 bytes, like a key for SM4, which is not supported yet; choose AES256 in WeChat's console"))]
    Sm4,
    /// The symmetric key has another length.
    #[error("{}", text!("has {length} bytes, expected the 32 of AES256", length = .0))]
    WrongLength(usize),
    /// No PEM with a private key.
    #[error("{}", text!("holds no valid private key in PEM, expected the RSA key (非对称密钥) without a password"))]
    NoPrivateKey,
    /// A key of an elliptic curve, as SM2's is.
    #[error("{}", text!("holds a key that is not RSA (SM2 is not supported yet); choose RSA in WeChat's console"))]
    NotRsa,
    /// RSA, and unfit.
    #[error("{}", text!("holds an RSA key that cannot be used ({reason}), expected one of 2,048 to 4,096 bits", reason = .0))]
    UnfitRsa(String),
    /// No PEM with a certificate.
    #[error("{}", text!("holds no valid certificate in PEM, expected the platform certificate (平台证书) from WeChat's console"))]
    NoCertificate,
    /// More than one certificate.
    #[error("{}", text!("holds several certificates, expected only the platform certificate (平台证书)"))]
    SeveralCertificates,
    /// A certificate of a key that isn't RSA's.
    #[error("{}", text!("holds a certificate whose key is not RSA (SM2 is not supported yet); choose RSA in WeChat's console"))]
    CertificateNotRsa,
    /// The certificate is of the account's own key.
    #[error("{}", text!("holds a certificate of private_key, expected the platform certificate (平台证书) from WeChat's console"))]
    OwnCertificate,
    /// A certificate of a key that is too short.
    #[error("{}", text!("holds a certificate with an RSA key of {bits} bits, expected 2,048 or more", bits = .0))]
    ShortCertificate(usize),
}

/// The key that both sides encrypt by (对称密钥), with its number.
#[derive(Debug)]
pub struct SharedKey {
    pub(super) key: LessSafeKey,
    pub(super) serial: String,
}

impl SharedKey {
    /// Reads the key's base64.
    ///
    /// # Errors
    ///
    /// If it isn't a key of AES-256.
    pub fn new(base64: &Secret, serial: &str) -> Result<Self, BadKey> {
        let bytes = STANDARD.decode(base64.expose()).map_err(|_| BadKey::NoBase64)?;
        let bytes = Zeroizing::new(bytes);
        let wrong = |_| match bytes.len() {
            SM4 => BadKey::Sm4,
            length => BadKey::WrongLength(length),
        };
        let key = UnboundKey::new(&AES_256_GCM, &bytes).map_err(wrong)?;
        Ok(Self { key: LessSafeKey::new(key), serial: serial.to_owned() })
    }
}

/// The account's own key, which signs (非对称密钥).
#[derive(Debug)]
pub struct OwnKey(pub(super) KeyPair);

impl OwnKey {
    /// Reads a PEM file: PKCS #8 or PKCS #1.
    ///
    /// # Errors
    ///
    /// If it holds no suitable RSA key.
    pub fn new(pem: &[u8]) -> Result<Self, BadKey> {
        let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| BadKey::NoPrivateKey)?;
        let read = match &key {
            PrivateKeyDer::Pkcs8(key) => KeyPair::from_pkcs8(key.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(key) => KeyPair::from_der(key.secret_pkcs1_der()),
            _ => return Err(BadKey::NotRsa),
        };
        // Ring's text: it has no kinds of errors.
        read.map(Self).map_err(|rejected| match rejected.to_string() {
            word if word == "WrongAlgorithm" => BadKey::NotRsa,
            word => BadKey::UnfitRsa(word),
        })
    }

    /// Whether the certificate is one of this key: then it is not the platform's.
    ///
    /// # Errors
    ///
    /// If it is.
    pub fn differs_from(&self, certificate: &Certificate) -> Result<(), BadKey> {
        let same = self.0.public().as_ref() == certificate.key.as_ref();
        if same { Err(BadKey::OwnCertificate) } else { Ok(()) }
    }
}

/// The certificate that WeChat's responses are signed by (平台证书), with its number.
#[derive(Clone, Debug)]
pub struct Certificate {
    pub(super) serial: String,
    pub(super) key: UnparsedPublicKey<Vec<u8>>,
    ends: Timestamp,
}

impl Certificate {
    /// How long before its expiry a certificate is worth a warning.
    pub const ENDS_SOON: Duration = Duration::from_secs(30 * 86_400);

    /// Reads a PEM file. The number is the console's, not the certificate's own.
    ///
    /// # Errors
    ///
    /// If it holds no certificate with an RSA key.
    pub fn new(pem: &[u8], serial: &str) -> Result<Self, BadKey> {
        let der = CertificateDer::from_pem_slice(pem).map_err(|_| BadKey::NoCertificate)?;
        if CertificateDer::pem_slice_iter(pem).count() > 1 {
            return Err(BadKey::SeveralCertificates);
        }
        let ends = certificate::end(&der).ok_or(BadKey::NoCertificate)?;
        let (key, bits) = certificate::rsa_key(&der).ok_or(BadKey::CertificateNotRsa)?;
        if bits < SHORTEST_RSA {
            return Err(BadKey::ShortCertificate(bits));
        }
        let key = UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, key.to_vec());
        Ok(Self { serial: serial.to_owned(), key, ends })
    }

    /// Its number.
    pub fn serial(&self) -> &str {
        &self.serial
    }

    /// When it expires. WeChat's signatures are valid beyond that.
    pub fn ends(&self) -> Timestamp {
        self.ends
    }
}

/// All that an account's signing needs.
pub struct Keys {
    pub(super) appid: Arc<str>,
    pub(super) shared: SharedKey,
    pub(super) own: OwnKey,
    /// Two while WeChat changes them.
    pub(super) platform: Vec<Certificate>,
    pub(super) random: SystemRandom,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("appid", &self.appid).finish_non_exhaustive()
    }
}

impl Keys {
    /// Those of the account with this AppID.
    pub fn new(appid: Arc<str>, shared: SharedKey, own: OwnKey, platform: Vec<Certificate>) -> Self {
        Self { appid, shared, own, platform, random: SystemRandom::new() }
    }

    /// The account's AppID.
    pub fn appid(&self) -> &Arc<str> {
        &self.appid
    }

    /// The certificates that responses may be signed by.
    pub fn certificates(&self) -> &[Certificate] {
        &self.platform
    }
}
