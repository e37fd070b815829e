//! A response that WeChat signed: verified, then decrypted.

use std::borrow::Cow;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName};
use ring::aead::{Aad, Nonce};
use serde::Deserialize;

use super::keys::{Certificate, Keys};
use super::wire::{
    APPID, FORMER_SERIAL, FORMER_SIGNATURE, RESERVED, SERIAL, SIGNATURE, TIMESTAMP, additional_data,
    signed_text,
};
use crate::observe::clock::Timestamp;
use crate::texts::text;
use crate::wechat::json;

/// How far WeChat's time may be from ours, as its reference code has it.
const NEAR: Duration = Duration::from_secs(300);

/// Digits of a certificate's number at most; the console's have 32.
const LONGEST_SERIAL: usize = 64;

/// What a signed response's headers say.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'h> {
    headers: &'h HeaderMap,
}

/// A response in clear.
#[derive(Debug)]
pub struct Opened {
    /// WeChat's JSON without the fields that signing adds.
    pub body: Vec<u8>,
    /// WeChat also signs with another certificate, with this number, which isn't configured: the
    /// configured one is about to be replaced.
    pub announced: Option<String>,
}

/// Why a response isn't trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// It claims success, unsigned.
    #[error("{}", text!("it is not signed and reports no error"))]
    Clear,
    /// A header is missing or not text.
    #[error("{}", text!("it lacks the header {header}", header = .0))]
    Missing(HeaderName),
    /// It is signed for another account.
    #[error("{}", text!("it is signed for another account"))]
    OtherAccount,
    /// It is too old, or from the future.
    #[error("{}", text!("its timestamp differs from this machine's clock by more than 300 s"))]
    Time,
    /// It is signed by a certificate that isn't configured.
    #[error("{}", text!("it is signed with certificate {serial}, which is not configured (app.signing.platform_certificate_sn)", serial = .0))]
    UnknownCertificate(String),
    /// The signature is wrong.
    #[error("{}", text!("its signature is wrong"))]
    Signature,
    /// The body isn't the JSON of a ciphertext.
    #[error("{}", text!("its body is not a ciphertext in WeChat's format"))]
    Format,
    /// The ciphertext doesn't decrypt.
    #[error("{}", text!("it cannot be decrypted with the configured key (app.signing.aes_key, aes_key_sn)"))]
    Decryption,
    /// What was decrypted isn't what signing makes.
    #[error("{}", text!("its plaintext is not a JSON object with _appid and _timestamp"))]
    Plaintext,
    /// It is longer than anything that is signed.
    #[error("{}", text!("it is longer than {limit} bytes", limit = .0))]
    TooLong(usize),
    /// There is not enough memory to read it.
    #[error("{}", text!("too many signed responses are being read (replay.memory)"))]
    NoMemory,
}

/// Its strings may have JSON's escapes: `/` and `=` are of base64.
#[derive(Deserialize)]
struct Ciphertext<'t> {
    #[serde(borrow)]
    iv: Cow<'t, str>,
    #[serde(borrow)]
    data: Cow<'t, str>,
    #[serde(borrow)]
    authtag: Cow<'t, str>,
}

impl<'h> Signed<'h> {
    /// What a response's headers say of its signature; none if it has none.
    pub fn of(headers: &'h HeaderMap) -> Option<Self> {
        [SIGNATURE, SERIAL, FORMER_SIGNATURE]
            .iter()
            .any(|name| headers.contains_key(name))
            .then_some(Self { headers })
    }

    fn get(self, name: HeaderName) -> Result<&'h str, Unverified> {
        let value = self.headers.get(&name).and_then(|value| value.to_str().ok());
        value.ok_or(Unverified::Missing(name))
    }
}

impl Keys {
    /// Verifies and decrypts the response to a request for `path`.
    ///
    /// # Errors
    ///
    /// Unless all of it is as WeChat makes it, for this account, now.
    pub fn open(
        &self,
        path: &str,
        signed: Signed<'_>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Opened, Unverified> {
        if signed.get(APPID)? != &*self.appid {
            return Err(Unverified::OtherAccount);
        }
        let timestamp = signed.get(TIMESTAMP)?;
        let timestamp = timestamp.parse().map_err(|_| Unverified::Missing(TIMESTAMP))?;
        near(timestamp, now)?;
        let (certificate, signature, announced) = self.signer(signed)?;
        let signature = STANDARD.decode(signature).map_err(|_| Unverified::Signature)?;
        let text = signed_text(path, &self.appid, timestamp, body);
        certificate.key.verify(&text, &signature).map_err(|_| Unverified::Signature)?;
        let plain = self.decrypt(path, timestamp, body)?;
        Ok(Opened { body: self.strip(&plain, now)?, announced })
    }

    /// The certificate to verify by, with its signature: while WeChat changes them there are two.
    fn signer<'s>(&self, signed: Signed<'s>) -> Result<(&Certificate, &'s str, Option<String>), Unverified> {
        let known = |serial: &str| self.platform.iter().find(|known| known.serial == serial);
        let serial = signed.get(SERIAL)?;
        if let Some(certificate) = known(serial) {
            return Ok((certificate, signed.get(SIGNATURE)?, None));
        }
        let former = signed.get(FORMER_SERIAL).ok().and_then(known);
        // It is shown to people: a number, and nothing else that a header can hold.
        let number = (serial.len() <= LONGEST_SERIAL && serial.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .then(|| serial.to_owned());
        let unknown = || Unverified::UnknownCertificate(number.clone().unwrap_or_else(|| "?".to_owned()));
        let former = former.ok_or_else(unknown)?;
        Ok((former, signed.get(FORMER_SIGNATURE)?, number))
    }

    pub(super) fn decrypt(&self, path: &str, timestamp: i64, body: &[u8]) -> Result<Vec<u8>, Unverified> {
        let cipher: Ciphertext<'_> = serde_json::from_slice(body).map_err(|_| Unverified::Format)?;
        let decoded = |text: &str| STANDARD.decode(text).map_err(|_| Unverified::Format);
        let nonce = Nonce::try_assume_unique_for_key(&decoded(&cipher.iv)?);
        let nonce = nonce.map_err(|_| Unverified::Format)?;
        let mut data = decoded(&cipher.data)?;
        data.extend(decoded(&cipher.authtag)?);
        let bound = additional_data(path, &self.appid, timestamp, &self.shared.serial);
        let opened = self.shared.key.open_in_place(nonce, Aad::from(bound), &mut data);
        let length = opened.map_err(|_| Unverified::Decryption)?.len();
        data.truncate(length);
        Ok(data)
    }

    /// The object without the fields that signing adds, which must be right.
    fn strip(&self, plain: &[u8], now: Timestamp) -> Result<Vec<u8>, Unverified> {
        let members = json::members(plain).ok_or(Unverified::Plaintext)?;
        let value = |name: &str| {
            let member = members.iter().find(|member| member.name == name);
            member.map(|member| &plain[member.value.clone()]).ok_or(Unverified::Plaintext)
        };
        let appid: String = serde_json::from_slice(value("_appid")?).map_err(|_| Unverified::Plaintext)?;
        if appid != *self.appid {
            return Err(Unverified::OtherAccount);
        }
        near(serde_json::from_slice(value("_timestamp")?).map_err(|_| Unverified::Plaintext)?, now)?;
        let kept = members.iter().filter(|member| !RESERVED.contains(&&*member.name));
        let kept: Vec<_> = kept.map(|member| &plain[member.whole.clone()]).collect();
        Ok([b"{", &*kept.join(&b","[..]), b"}"].concat())
    }
}

fn near(timestamp: i64, now: Timestamp) -> Result<(), Unverified> {
    let at = Timestamp(timestamp.saturating_mul(1000));
    // Of the same second either way.
    let far = at.since(now).max(now.since(at)) > NEAR + Duration::from_secs(1);
    if far { Err(Unverified::Time) } else { Ok(()) }
}
