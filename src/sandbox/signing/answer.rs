//! A signed answer, or one with a defect by order.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use ring::rand::SecureRandom as _;

use super::exchange::Exchange;
use super::platform::Signer;
use super::{field, header};
use crate::sandbox::state::signing::{CertificateInForce, Defect, Demand};

/// Errors about the token itself.
const TOKEN_ERRORS: [i64; 4] = [40001, 40014, 41001, 42001];
/// How old an old answer is, in seconds.
const OLD: i64 = 600;
/// How far `_timestamp` is off.
const OFF: i64 = 3600;

/// What the answer to a signed request is sealed with.
#[derive(Debug)]
pub(in crate::sandbox) struct Seal {
    demand: Arc<Demand>,
    path: String,
    defect: Option<Defect>,
}

/// A sealed answer.
pub(in crate::sandbox) struct Sealed {
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Seal {
    pub(super) fn new(demand: Arc<Demand>, path: String) -> Self {
        Self { demand, path, defect: None }
    }

    /// The answer will have this defect.
    pub(in crate::sandbox) fn with(mut self, defect: Option<Defect>) -> Self {
        self.defect = defect;
        self
    }

    /// Whether an answer with this code is sealed.
    pub(in crate::sandbox) fn covers(&self, errcode: i64) -> bool {
        let in_clear = !self.demand.set.encrypt_token_errors && TOKEN_ERRORS.contains(&errcode);
        !in_clear && self.defect != Some(Defect::Clear)
    }

    /// Seals a JSON object; None if a key can't be used.
    pub(in crate::sandbox) fn apply(&self, json: &[u8], now: i64) -> Option<Sealed> {
        let appid = &*self.demand.set.appid;
        let mut timestamp = now.div_euclid(1000);
        if self.defect == Some(Defect::Old) {
            timestamp -= OLD;
        }
        let exchange = Exchange { path: &self.path, appid, timestamp };
        let cipher = self.demand.cipher.as_ref()?;
        let plaintext = self.plaintext(json, timestamp)?;
        let mut envelope = cipher.seal(plaintext, &exchange.associated_data(&cipher.sn))?;
        match self.defect {
            Some(Defect::Iv) => envelope.iv = flip_base64(&envelope.iv)?,
            Some(Defect::Data) => envelope.data = flip_base64(&envelope.data)?,
            Some(Defect::Authtag) => envelope.authtag = flip_base64(&envelope.authtag)?,
            _ => {}
        }
        let body = serde_json::to_vec(&envelope).ok()?;
        let mut headers = self.signatures(&exchange.signed_text(&body))?;
        let flipped = |value: &str, by: Defect| match self.defect == Some(by) {
            true => flip_last(value),
            false => value.to_owned(),
        };
        let named = flipped(appid, Defect::AppidHeader);
        let at = flipped(&timestamp.to_string(), Defect::TimestampHeader);
        headers.insert(header::APPID, HeaderValue::try_from(named).ok()?);
        headers.insert(header::TIMESTAMP, HeaderValue::try_from(at).ok()?);
        Some(Sealed { headers, body: body.into() })
    }

    /// The object with the three fields of the protocol before its own.
    fn plaintext(&self, json: &[u8], timestamp: i64) -> Option<Vec<u8>> {
        let own = json.iter().position(|byte| *byte == b'{').and_then(|at| json.get(at + 1..))?;
        let mut nonce = [0; 16];
        ring::rand::SystemRandom::new().fill(&mut nonce).ok()?;
        let appid = match self.defect {
            Some(Defect::Appid) => "wx0000000000others",
            _ => &self.demand.set.appid,
        };
        let timestamp = match self.defect {
            Some(Defect::Timestamp) => timestamp - OFF,
            _ => timestamp,
        };
        let mut head = format!(
            "{{\"{}\":\"{}\",\"{}\":{},\"{}\":{timestamp}",
            field::NONCE,
            STANDARD.encode(nonce),
            field::APPID,
            serde_json::Value::from(appid),
            field::TIMESTAMP,
        );
        if let Some(Defect::Padding(bytes)) = self.defect {
            head.push_str(",\"padding\":\"");
            head.extend(std::iter::repeat_n('x', bytes));
            head.push('"');
        }
        if own.trim_ascii_start().first() != Some(&b'}') {
            head.push(',');
        }
        Some([head.as_bytes(), own].concat())
    }

    fn signatures(&self, text: &[u8]) -> Option<HeaderMap> {
        let [first, second] = &self.demand.signers;
        let (current, former) = match self.demand.set.certificate {
            CertificateInForce::First => (first, None),
            CertificateInForce::Changing => (second, Some(first)),
            CertificateInForce::Second => (second, None),
        };
        let mut headers = HeaderMap::new();
        let mut sign = |signer: &Signer, serial: HeaderName, signature: HeaderName| {
            let mut bytes = signer.sign(text)?;
            if self.defect == Some(Defect::Signature) {
                flip(&mut bytes);
            }
            let number = match self.defect {
                Some(Defect::Serial) => "00000000000000000000000000000000",
                _ => signer.serial,
            };
            headers.insert(serial, HeaderValue::from_static(number));
            if self.defect != Some(Defect::NoSignature) {
                headers.insert(signature, HeaderValue::try_from(STANDARD.encode(&bytes)).ok()?);
            }
            Some(())
        };
        sign(current, header::SERIAL, header::SIGNATURE)?;
        if let Some(former) = former {
            sign(former, header::FORMER_SERIAL, header::FORMER_SIGNATURE)?;
        }
        Some(headers)
    }
}

fn flip(bytes: &mut [u8]) {
    if let Some(byte) = bytes.last_mut() {
        *byte ^= 1;
    }
}

fn flip_base64(text: &str) -> Option<String> {
    let mut bytes = STANDARD.decode(text).ok()?;
    flip(&mut bytes);
    Some(STANDARD.encode(bytes))
}

/// For text in ASCII whose last character is a letter or digit.
fn flip_last(text: &str) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    if let Some(last) = characters.last_mut() {
        *last = char::from_u32(u32::from(*last) ^ 1).unwrap_or('0');
    }
    characters.into_iter().collect()
}
