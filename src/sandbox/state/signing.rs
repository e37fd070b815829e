//! Which apps demand signed and encrypted calls, by which keys, and which nonces they have used.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::sandbox::signing::cipher::Cipher;
use crate::sandbox::signing::pem;
use crate::sandbox::signing::platform::Signer;
use crate::sandbox::signing::supported;
use crate::texts::text;

/// So many nonces are remembered before those that are too old to matter are forgotten.
const NONCES: usize = 65_536;

/// An app that demands signed and encrypted calls (API 安全), as its console has it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signing {
    /// The app, or authorizer.
    pub appid: String,
    /// The symmetric key (对称密钥), base64 of 32 bytes; None: the app has none, 40238.
    #[serde(default)]
    pub aes_key: Option<String>,
    /// The symmetric key's number.
    #[serde(default)]
    pub aes_key_sn: String,
    /// The app's public key (非对称密钥), RSA, PEM; None: the app has none, 40239.
    #[serde(default)]
    pub public_key: Option<String>,
    /// Which endpoints demand it.
    #[serde(default)]
    pub endpoints: SignedEndpoints,
    /// Which platform certificate answers are signed by.
    #[serde(default)]
    pub certificate: CertificateInForce,
    /// A rejected token is answered encrypted like everything else. What WeChat does is unknown.
    #[serde(default)]
    pub encrypt_token_errors: bool,
    /// A nonce that was used before is refused. What WeChat does is unknown.
    #[serde(default)]
    pub refuse_repeated_nonces: bool,
    /// Requests without `Wechatmp-Serial` are refused; WeChat's reference code sends none.
    #[serde(default)]
    pub demand_serial: bool,
}

/// The endpoints that demand signed calls; always POST alone, and no uploads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignedEndpoints {
    /// Those that are known to support it at WeChat.
    #[default]
    Supported,
    /// Every endpoint that is called with a token.
    All,
}

/// Which of [`PLATFORM_CERTIFICATES`](crate::sandbox::PLATFORM_CERTIFICATES) is in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CertificateInForce {
    /// The first.
    #[default]
    First,
    /// The second, with the first beside it in the headers that end in `-Deprecated`.
    Changing,
    /// The second.
    Second,
}

/// Something that is wrong with a signed answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Defect {
    /// It isn't signed and encrypted at all.
    Clear,
    /// `Wechatmp-Serial` names an unknown certificate.
    Serial,
    /// It was made ten minutes ago, and says so everywhere.
    Old,
    /// A bit of `iv` is flipped; the signature is of what is sent, as with the next two.
    Iv,
    /// A bit of `data` is flipped.
    Data,
    /// A bit of `authtag` is flipped.
    Authtag,
    /// A bit of the signature is flipped.
    Signature,
    /// A bit of `Wechatmp-Appid` is flipped.
    AppidHeader,
    /// A bit of `Wechatmp-TimeStamp` is flipped.
    TimestampHeader,
    /// There is no signature.
    NoSignature,
    /// `_appid` is another account's.
    Appid,
    /// `_timestamp` is an hour off.
    Timestamp,
    /// The plaintext is so many bytes longer.
    Padding(usize),
}

/// A key that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum BadKey {
    /// The symmetric key.
    #[error("{}", text!("`aes_key` is not the base64 of 32 bytes"))]
    Aes,
    /// The app's public key.
    #[error("{}", text!("`public_key` is not an RSA public key in PEM"))]
    Public,
    /// One of the sandbox's own.
    #[error("{}", text!("a key of the platform could not be read"))]
    Platform,
}

/// What the console has, with its keys ready for use.
#[derive(Debug)]
pub(in crate::sandbox) struct Demand {
    pub set: Signing,
    pub cipher: Option<Cipher>,
    /// PKCS #1.
    pub public_key: Option<Vec<u8>>,
    pub signers: [Signer; 2],
    nonces: Arc<Mutex<Nonces>>,
}

#[derive(Debug, Default)]
struct Nonces {
    seen: HashMap<String, i64>,
    repeated: u64,
}

impl fmt::Debug for Signing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signing").field("appid", &self.appid).finish_non_exhaustive()
    }
}

impl Signing {
    /// A demand for the endpoints that are known to support it.
    pub fn new(
        appid: impl Into<String>,
        aes_key: impl Into<String>,
        aes_key_sn: impl Into<String>,
        public_key: impl Into<String>,
    ) -> Self {
        Self {
            appid: appid.into(),
            aes_key: Some(aes_key.into()),
            aes_key_sn: aes_key_sn.into(),
            public_key: Some(public_key.into()),
            endpoints: SignedEndpoints::default(),
            certificate: CertificateInForce::default(),
            encrypt_token_errors: false,
            refuse_repeated_nonces: false,
            demand_serial: false,
        }
    }
}

impl Demand {
    pub(in crate::sandbox) fn new(set: Signing) -> Result<Self, BadKey> {
        let cipher = set.aes_key.as_deref().map(|key| Cipher::new(key, &set.aes_key_sn).ok_or(BadKey::Aes));
        let public = set.public_key.as_deref().map(|key| pem::public_key(key).ok_or(BadKey::Public));
        Ok(Self {
            cipher: cipher.transpose()?,
            public_key: public.transpose()?,
            signers: Signer::all().ok_or(BadKey::Platform)?,
            nonces: Arc::default(),
            set,
        })
    }

    pub(in crate::sandbox) fn covers(&self, path: &str) -> bool {
        self.set.endpoints == SignedEndpoints::All || supported::supports(path)
    }

    /// Whether a nonce is used for the first time. `oldest` is the earliest second that is still
    /// taken.
    pub(in crate::sandbox) fn use_nonce(&self, nonce: &str, timestamp: i64, oldest: i64) -> bool {
        let mut nonces = self.nonces.lock();
        if nonces.seen.len() >= NONCES {
            nonces.seen.retain(|_, used| *used >= oldest);
        }
        let is_new = nonces.seen.insert(nonce.to_owned(), timestamp).is_none();
        nonces.repeated += u64::from(!is_new);
        is_new
    }

    pub(in crate::sandbox) fn repeated_nonces(&self) -> u64 {
        self.nonces.lock().repeated
    }
}

/// The apps that demand it.
#[derive(Debug, Default)]
pub(in crate::sandbox) struct Demands {
    by_app: HashMap<String, Arc<Demand>>,
}

impl Demands {
    /// Puts one in force, or in another's place; the app's nonces stay known.
    pub(in crate::sandbox) fn put(&mut self, mut demand: Demand) {
        if let Some(former) = self.by_app.get(&demand.set.appid) {
            demand.nonces = Arc::clone(&former.nonces);
        }
        self.by_app.insert(demand.set.appid.clone(), Arc::new(demand));
    }

    /// Whether there was one to end.
    pub(in crate::sandbox) fn end(&mut self, appid: &str) -> bool {
        self.by_app.remove(appid).is_some()
    }

    pub(in crate::sandbox) fn get(&self, appid: &str) -> Option<&Arc<Demand>> {
        self.by_app.get(appid)
    }

    pub(in crate::sandbox) fn list(&self) -> impl Iterator<Item = &Demand> {
        self.by_app.values().map(Arc::as_ref)
    }

    /// Repeated nonces count from 0 again.
    pub(in crate::sandbox) fn forget_counts(&self) {
        self.by_app.values().for_each(|demand| demand.nonces.lock().repeated = 0);
    }
}
