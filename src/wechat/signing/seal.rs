//! A request on its way: encrypted, then signed.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use ring::aead::{Aad, NONCE_LEN, Nonce};
use ring::rand::SecureRandom as _;
use ring::signature::RSA_PSS_SHA256;

use super::keys::Keys;
use super::merge::{Merged, push};
use super::wire::{APPID, SIGNATURE, TIMESTAMP, additional_data, signed_text};
use crate::observe::clock::Timestamp;
use crate::texts::text;

/// Random bytes of `_n`; WeChat's pages name 16 to 32.
const NONCE: usize = 16;

/// A request as WeChat gets it.
#[derive(Debug)]
pub struct Sealed {
    /// JSON with the ciphertext.
    pub body: Bytes,
    /// `Wechatmp-Appid`, `Wechatmp-TimeStamp` and `Wechatmp-Signature`.
    pub headers: HeaderMap,
}

/// The system's random source or the key failed.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("{}", text!("could not sign the request"))]
pub struct SealFailed;

impl From<ring::error::Unspecified> for SealFailed {
    fn from(_: ring::error::Unspecified) -> Self {
        Self
    }
}

impl Keys {
    /// Encrypts and signs the fields of a request for `path`. It has a nonce and a time of its own,
    /// so each attempt is sealed again.
    ///
    /// # Errors
    ///
    /// If the system has no randomness.
    pub fn seal(&self, path: &str, fields: &Merged, now: Timestamp) -> Result<Sealed, SealFailed> {
        let timestamp = now.0.div_euclid(1000);
        let mut plain = String::with_capacity(fields.0.len() + 128);
        plain.push_str(&fields.0);
        push(&mut plain, "_n", &STANDARD_NO_PAD.encode(self.random_bytes::<NONCE>()?));
        push(&mut plain, "_appid", &self.appid);
        let _ = write!(plain, ",\"_timestamp\":{timestamp}}}");
        plain.insert(0, '{');

        let iv = self.random_bytes::<NONCE_LEN>()?;
        let bound = additional_data(path, &self.appid, timestamp, &self.shared.serial);
        let mut data = plain.into_bytes();
        let nonce = Nonce::assume_unique_for_key(iv);
        let tag = self.shared.key.seal_in_place_separate_tag(nonce, Aad::from(bound), &mut data)?;
        let body = format!(
            "{{\"iv\":\"{}\",\"data\":\"{}\",\"authtag\":\"{}\"}}",
            STANDARD.encode(iv),
            STANDARD.encode(&data),
            STANDARD.encode(tag)
        );

        let mut signature = vec![0; self.own.0.public().modulus_len()];
        let text = signed_text(path, &self.appid, timestamp, body.as_bytes());
        // WeChat calls it RSAwithSHA256; it is PSS with a salt as long as the hash.
        self.own.0.sign(&RSA_PSS_SHA256, &self.random, &text, &mut signature)?;
        let mut headers = HeaderMap::with_capacity(3);
        headers.insert(APPID, HeaderValue::try_from(&*self.appid).map_err(|_| SealFailed)?);
        headers.insert(TIMESTAMP, HeaderValue::from(timestamp));
        let signature = HeaderValue::try_from(STANDARD.encode(signature));
        headers.insert(SIGNATURE, signature.map_err(|_| SealFailed)?);
        Ok(Sealed { body: body.into(), headers })
    }

    fn random_bytes<const N: usize>(&self) -> Result<[u8; N], SealFailed> {
        let mut bytes = [0; N];
        self.random.fill(&mut bytes)?;
        Ok(bytes)
    }
}
