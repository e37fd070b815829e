//! A signed request: whether it must be one, and what it says.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{PAD, STANDARD};
use base64::engine::{DecodePaddingMode, GeneralPurpose};
use bytes::Bytes;
use http::{HeaderMap, HeaderName};
use ring::signature::{RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::Value;

use super::answer::Seal;
use super::exchange::Exchange;
use super::{field, header, supported};
use crate::sandbox::answer::Answer;
use crate::sandbox::call::Call;
use crate::sandbox::state::signing::Demand;
use crate::sandbox::state::world::World;

/// Bodies of signed requests are kept up to this many bytes.
pub(in crate::sandbox) const LONGEST: usize = 16 * 1024 * 1024;
/// Requests made longer ago or later than this are expired, in seconds. WeChat's value is unknown;
/// its reference code takes answers within this time.
const TOLERANCE: i64 = 300;

/// What a request said under its seal.
pub(in crate::sandbox) struct Opened {
    /// The plaintext as it came.
    pub plaintext: String,
    /// The call as the endpoint sees it.
    pub call: Call,
    /// What the answer is to be sealed with.
    pub seal: Seal,
}

/// Whether a head announces a signed request.
pub(in crate::sandbox) fn is_signed(headers: &HeaderMap) -> bool {
    headers.contains_key(header::SIGNATURE)
}

/// Opens a request that must be signed; None if it needn't be. `Err` is the refusal, which comes in
/// clear.
pub(in crate::sandbox) fn open(
    world: &World,
    headers: &HeaderMap,
    call: &Call,
) -> Result<Option<Opened>, Answer> {
    let value = |name: HeaderName| {
        headers.get(name).and_then(|value| value.to_str().ok()).filter(|value| !value.is_empty())
    };
    let named = value(header::APPID);
    let Some(demand) = demanded(world, call, named) else { return Ok(None) };
    let refuse = |errcode| Err(Answer::error(errcode));

    let Some(signature) = value(header::SIGNATURE) else {
        return refuse(if supported::is_intracity(&call.path) { 934_011 } else { 40232 });
    };
    let timestamp = value(header::TIMESTAMP).ok_or_else(|| Answer::error(40231))?;
    let appid = named.ok_or_else(|| Answer::error(40233))?;
    if demand.set.demand_serial && value(header::SERIAL).is_none() {
        return refuse(40230);
    }
    if !world.state().accounts.knows(appid) {
        return refuse(40236);
    }
    if appid != demand.set.appid {
        return refuse(40237);
    }
    let second = call.now.div_euclid(1000);
    let timestamp =
        timestamp.parse::<i64>().ok().filter(|at| at.abs_diff(second) <= TOLERANCE.unsigned_abs());
    let timestamp = timestamp.ok_or_else(|| Answer::error(40240))?;
    let public_key = demand.public_key.as_deref().ok_or_else(|| Answer::error(40239))?;
    let cipher = demand.cipher.as_ref().ok_or_else(|| Answer::error(40238))?;

    // All other parameters belong under the seal.
    let [(parameter, _)] = &*call.query else { return refuse(40234) };
    if parameter != "access_token" {
        return refuse(40234);
    }
    let exchange = Exchange { path: &call.path, appid, timestamp };
    let body = call.body.as_deref().ok_or_else(|| Answer::error(40235))?;
    if !verifies(public_key, &exchange.signed_text(body), signature) {
        return refuse(40234);
    }
    let plaintext = cipher.open(body, &exchange.associated_data(&cipher.sn));
    let plaintext = plaintext.and_then(|bytes| String::from_utf8(bytes).ok());
    let plaintext = plaintext.ok_or_else(|| Answer::error(40235))?;
    let inner = inner_call(call, &plaintext, &exchange, |nonce| {
        demand.use_nonce(nonce, timestamp, second - TOLERANCE) || !demand.set.refuse_repeated_nonces
    })?;
    let seal = Seal::new(Arc::clone(&demand), call.path.clone());
    Ok(Some(Opened { plaintext, call: inner, seal }))
}

/// The demand of the app that a call is made for: the one that its token belongs to, or if
/// nobody's, the one that it names.
fn demanded(world: &World, call: &Call, named: Option<&str>) -> Option<Arc<Demand>> {
    // Uploads can't be signed.
    let is_upload = call.content_type.to_ascii_lowercase().starts_with("multipart/");
    if !call.is_post() || is_upload {
        return None;
    }
    let state = world.state();
    let (_, token) = call.credential()?;
    let owner = state.tokens.find(token, call.now).map(|found| found.owner.appid);
    let demand = state.signing.get(owner.as_deref().or(named)?)?;
    demand.covers(&call.path).then(|| Arc::clone(demand))
}

fn verifies(public_key: &[u8], text: &[u8], signature: &str) -> bool {
    let key = UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, public_key);
    let signature = STANDARD.decode(signature);
    signature.is_ok_and(|signature| key.verify(text, &signature).is_ok())
}

/// The plaintext must say the same as the headers; what else it says is the call's.
fn inner_call(
    call: &Call,
    plaintext: &str,
    exchange: &Exchange<'_>,
    use_nonce: impl FnOnce(&str) -> bool,
) -> Result<Call, Answer> {
    let parsed = serde_json::from_str(plaintext).ok();
    let Some(Value::Object(mut fields)) = parsed else { return Err(Answer::error(40235)) };
    let [nonce, appid, timestamp] =
        [field::NONCE, field::APPID, field::TIMESTAMP].map(|name| fields.remove(name));
    if appid.as_ref().and_then(Value::as_str) != Some(exchange.appid) {
        return Err(Answer::error(40237));
    }
    if timestamp.as_ref().and_then(Value::as_i64) != Some(exchange.timestamp) {
        return Err(Answer::error(40235));
    }
    let nonce = nonce.as_ref().and_then(Value::as_str).filter(|nonce| is_nonce(nonce));
    if !nonce.is_some_and(use_nonce) {
        return Err(Answer::error(40235));
    }
    let mut query = call.query.clone();
    let texts = fields.iter().filter_map(|(name, value)| Some((name, value.as_str()?)));
    query.extend(texts.map(|(name, value)| (name.clone(), value.to_owned())));
    let body = Some(Bytes::from(Value::Object(fields).to_string()));
    Ok(Call { query, body, ..call.clone() })
}

/// 16 to 32 random bytes in base64. WeChat's example has no padding, and bits behind its last byte.
fn is_nonce(nonce: &str) -> bool {
    let lenient =
        PAD.with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true);
    let bytes = GeneralPurpose::new(&base64::alphabet::STANDARD, lenient).decode(nonce);
    bytes.is_ok_and(|bytes| (16..=32).contains(&bytes.len()))
}
