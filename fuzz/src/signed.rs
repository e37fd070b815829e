//! A request that is signed: what is encrypted has the fields of body and query and no others, or there is none. Nothing but
//! what the platform signed is taken for its response.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use serde_json::{Map, Value};
use wxgate::observe::clock::Timestamp;
use wxgate::secret::Secret;
use wxgate::wechat::signing::{Certificate, Keys, OwnKey, SharedKey, Signed, merge};

const VECTORS: &str = include_str!("../../tests/tools/signing/signing-vectors.json");
const OWN_KEY: &[u8] = include_bytes!("../../tests/tools/signing/app.key");
const PATH: &str = "/wxa/getuserriskrank";

/// The query, a line end, the body.
pub fn run(bytes: &[u8]) {
    let vectors: Value = serde_json::from_str(VECTORS).expect("JSON");
    let text = |pointer: &str| vectors.pointer(pointer).and_then(Value::as_str).expect("text");
    let certificate =
        Certificate::new(text("/platform_certificate_pem").as_bytes(), text("/platform_certificate_sn"));
    let keys = Keys::new(
        text("/appid").into(),
        SharedKey::new(&Secret::new(text("/aes_key")), text("/aes_key_sn")).expect("AES-256"),
        OwnKey::new(OWN_KEY).expect("RSA"),
        vec![certificate.expect("RSA")],
    );
    let at = vectors["answer"]["timestamp"].as_i64().expect("seconds");
    let headers: HeaderMap = [
        ("wechatmp-appid", text("/appid")),
        ("wechatmp-timestamp", &at.to_string()),
        ("wechatmp-serial", text("/platform_certificate_sn")),
        ("wechatmp-signature", text("/answer/signature")),
    ]
    .into_iter()
    .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value")))
    .collect();
    let now = Timestamp(at * 1000);
    let signed = Signed::of(&headers).expect("signed");
    let opened = keys.open(PATH, signed, bytes, now).is_ok();
    assert_eq!(opened, bytes == text("/answer/body").as_bytes());

    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (query, body) = bytes.split_at(end);
    let (query, body) = (String::from_utf8_lossy(query), body.get(1..).unwrap_or_default());
    let Ok(fields) = merge(body, &query) else { return };
    let sealed = keys.seal(PATH, &fields, now).expect("sealed");
    let bound = format!("https://api.weixin.qq.com{PATH}|{}|{at}|{}", text("/appid"), text("/aes_key_sn"));
    let mut found = decrypted(&sealed.body, text("/aes_key"), &bound);
    for name in ["_n", "_appid", "_timestamp"] {
        assert!(found.remove(name).is_some(), "{name}");
    }
    assert_eq!(found, expected(body, &query));
}

fn decrypted(body: &[u8], key: &str, bound: &str) -> Map<String, Value> {
    let body: Value = serde_json::from_slice(body).expect("JSON");
    let part = |name: &str| STANDARD.decode(body[name].as_str().expect("text")).expect("base64");
    let key = UnboundKey::new(&AES_256_GCM, &STANDARD.decode(key).expect("base64")).expect("32 bytes");
    let nonce = Nonce::try_assume_unique_for_key(&part("iv")).expect("12 bytes");
    let mut data = [part("data"), part("authtag")].concat();
    let plain = LessSafeKey::new(key).open_in_place(nonce, Aad::from(bound), &mut data).expect("decrypted");
    serde_json::from_slice(plain).expect("an object")
}

fn expected(body: &[u8], query: &str) -> Map<String, Value> {
    let body = std::str::from_utf8(body).expect("text");
    let body = body.strip_prefix('\u{feff}').unwrap_or(body).trim();
    let mut fields: Map<String, Value> = match body {
        "" => Map::new(),
        object => serde_json::from_str(object).expect("an object"),
    };
    let pairs = form_urlencoded::parse(query.as_bytes());
    fields.extend(pairs.map(|(name, value)| (name.into_owned(), Value::from(Cow::into_owned(value)))));
    fields
}
