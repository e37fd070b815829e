//! What WeChat pushes to a third-party platform, and WeCom to a suite: a signed and encrypted
//! event.
//!
//! The signature is checked first: nothing is decrypted before, so there is no padding oracle.

use std::sync::Arc;

use crate::observe::clock::Timestamp;
use crate::secret::Secret;
use crate::texts::text;

mod crypto;
mod event;
mod xml;

pub use self::crypto::{AesKey, NoAesKey, Seal};
pub use self::event::Event;
use self::event::seconds;
use self::xml::Fields;

/// What a platform and WeChat agreed on at open.weixin.qq.com (WeCom: open.work.weixin.qq.com).
#[derive(Clone, Debug)]
pub struct Key {
    /// 消息校验Token: what signs.
    pub token: Arc<Secret>,
    /// 消息加解密Key: what encrypts.
    pub aes_key: Arc<AesKey>,
    /// Whom pushes are for: the platform's appid, or the suite's id.
    pub receive_id: Arc<str>,
}

/// A push that WeChat signed.
#[derive(Debug)]
pub struct Push {
    /// What happened.
    pub event: Event,
    /// When WeChat signed it.
    pub sent: Timestamp,
    /// Identifies the push.
    pub seal: Seal,
}

/// Why a push is rejected. All get the same response; the difference is for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// Not all parts of the signature are there.
    #[error("{}", text!("msg_signature, timestamp, nonce or the encrypted part is missing, given twice or malformed"))]
    Unsigned,
    /// Not signed with the platform's token.
    #[error("{}", text!("the signature is wrong: it is not from WeChat, or the token set here differs from the one set at WeChat"))]
    Signature,
    /// Not encrypted with the platform's key.
    #[error("{}", text!("the signature is right but the content can't be decrypted: the EncodingAESKey set here differs from the one set at WeChat"))]
    Cipher,
    /// Signed and encrypted, but for another receiver.
    #[error("{}", text!("it is for another platform"))]
    Receiver,
    /// Signed and encrypted, but not an event of this callback.
    #[error("{}", text!("it is not an event of a third-party platform or a suite"))]
    Content,
}

/// The parameters that are signed along.
struct SignedParameters<'q> {
    signature: &'q str,
    timestamp: &'q str,
    nonce: &'q str,
}

/// The longest echo; WeCom's are numbers of 19 digits.
const LONGEST_ECHO: usize = 64;

/// Opens a push: verifies the signature, decrypts, and reads the event.
///
/// `query` is the request's, `body` its XML envelope. Whether the push is new and of today is the
/// caller's to check.
///
/// # Errors
/// See [`Rejected`].
pub fn open(key: &Key, query: &str, body: &[u8]) -> Result<Push, Rejected> {
    let parameters = parameters(query);
    let signed = SignedParameters::of(&parameters)?;
    let envelope = std::str::from_utf8(body).ok().and_then(Fields::read).ok_or(Rejected::Unsigned)?;
    let encrypted = envelope.get("Encrypt").ok_or(Rejected::Unsigned)?;
    let seal = signed.verify(key, encrypted)?;
    let sent = signed.sent()?;
    let message = crypto::decrypt(&key.aes_key, encrypted).ok_or(Rejected::Cipher)?;
    if !message.is_for(&key.receive_id) {
        return Err(Rejected::Receiver);
    }
    let event = message.text().and_then(Fields::read).and_then(|fields| Event::read(&fields));
    Ok(Push { event: event.ok_or(Rejected::Content)?, sent, seal })
}

/// Opens WeCom's check that this address is the suite's: returns the response, and when the check
/// was sent.
///
/// The receiver isn't compared: here WeCom names the provider's corpid instead of the suite
/// (github.com/w7corp/easywechat/issues/1300). Only an echo comes back, letters and digits:
/// otherwise anyone who saw a push could have it decrypted by sending it as a check, since both are
/// signed alike.
///
/// # Errors
/// See [`Rejected`].
pub fn open_echo(key: &Key, query: &str) -> Result<(String, Timestamp), Rejected> {
    let parameters = parameters(query);
    let signed = SignedParameters::of(&parameters)?;
    let encrypted = single(&parameters, "echostr").ok_or(Rejected::Unsigned)?;
    signed.verify(key, encrypted)?;
    let sent = signed.sent()?;
    let message = crypto::decrypt(&key.aes_key, encrypted).ok_or(Rejected::Cipher)?;
    let echo = message.text().ok_or(Rejected::Content)?;
    let plain = echo.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if echo.is_empty() || echo.len() > LONGEST_ECHO || !plain {
        return Err(Rejected::Content);
    }
    Ok((echo.to_owned(), sent))
}

type Parameters = Vec<(String, String)>;

fn parameters(query: &str) -> Parameters {
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

/// The value of a parameter that is there once.
fn single<'q>(parameters: &'q Parameters, name: &str) -> Option<&'q str> {
    let mut values = parameters.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
    values.next().filter(|_| values.next().is_none())
}

impl<'q> SignedParameters<'q> {
    fn of(parameters: &'q Parameters) -> Result<Self, Rejected> {
        let part = |name| single(parameters, name).ok_or(Rejected::Unsigned);
        Ok(Self { signature: part("msg_signature")?, timestamp: part("timestamp")?, nonce: part("nonce")? })
    }

    fn verify(&self, key: &Key, encrypted: &str) -> Result<Seal, Rejected> {
        let parts = [key.token.expose(), self.timestamp, self.nonce, encrypted];
        let seal = Seal::of(parts);
        if seal.matches(self.signature) { Ok(seal) } else { Err(Rejected::Signature) }
    }

    fn sent(&self) -> Result<Timestamp, Rejected> {
        seconds(self.timestamp).map(|sent| Timestamp(0).plus(sent)).ok_or(Rejected::Unsigned)
    }
}

#[cfg(test)]
mod tests;
