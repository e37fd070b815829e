use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use ring::aead::{Aad, Nonce};
use ring::signature::{RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use serde_json::Value;

use super::wire::{RESERVED, TIMESTAMP, additional_data, signed_text};
use super::{BadKey, Certificate, Keys, OwnKey, SharedKey, Signed, Unmergeable, Unverified, merge};
use crate::observe::certificate;
use crate::observe::clock::Timestamp;
use crate::secret::Secret;

/// WeChat's published example: a request and its response, with the keys but for the private one.
const VECTORS: &str = include_str!("../../../tests/tools/signing/signing-vectors.json");
const OWN_KEY: &[u8] = include_bytes!("../../../tests/tools/signing/app.key");
const PATH: &str = "/wxa/getuserriskrank";

fn vectors() -> Value {
    serde_json::from_str(VECTORS).expect("JSON")
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer}"))
}

fn seconds(value: &Value, pointer: &str) -> i64 {
    value.pointer(pointer).and_then(Value::as_i64).expect("a number")
}

fn keys(vectors: &Value) -> Keys {
    let shared = Secret::new(text(vectors, "/aes_key"));
    let shared = SharedKey::new(&shared, text(vectors, "/aes_key_sn")).expect("AES-256");
    let certificate = text(vectors, "/platform_certificate_pem").as_bytes();
    let platform = Certificate::new(certificate, text(vectors, "/platform_certificate_sn"));
    let own = OwnKey::new(OWN_KEY).expect("RSA");
    Keys::new(text(vectors, "/appid").into(), shared, own, vec![platform.expect("RSA")])
}

fn answered(vectors: &Value) -> HeaderMap {
    headers(&[
        ("wechatmp-appid", text(vectors, "/appid")),
        ("wechatmp-timestamp", &seconds(vectors, "/answer/timestamp").to_string()),
        ("wechatmp-serial", text(vectors, "/platform_certificate_sn")),
        ("wechatmp-signature", text(vectors, "/answer/signature")),
    ])
}

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let line = |(name, value): &(&'static str, &str)| {
        (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"))
    };
    lines.iter().map(line).collect()
}

fn open(keys: &Keys, headers: &HeaderMap, body: &[u8], now: i64) -> Result<String, Unverified> {
    let signed = Signed::of(headers).expect("signed");
    let opened = keys.open(PATH, signed, body, Timestamp(now * 1000))?;
    Ok(String::from_utf8(opened.body).expect("text"))
}

#[test]
fn the_published_response_is_verified_and_decrypted() {
    let vectors = vectors();
    let (keys, headers) = (keys(&vectors), answered(&vectors));
    let (at, body) = (seconds(&vectors, "/answer/timestamp"), text(&vectors, "/answer/body").as_bytes());
    let opened = open(&keys, &headers, body, at + 300).expect("WeChat's");
    let opened: Value = serde_json::from_str(&opened).expect("JSON");
    let mut expected = vectors["plaintext_of_the_answer"].clone();
    for name in RESERVED {
        expected.as_object_mut().expect("an object").remove(name);
    }
    assert_eq!(opened, expected);
}

#[test]
fn what_is_changed_in_the_published_response_is_noticed() {
    let vectors = vectors();
    let keys = keys(&vectors);
    let (at, body) = (seconds(&vectors, "/answer/timestamp"), text(&vectors, "/answer/body"));
    let with = |name: &'static str, value: &str| {
        let mut headers = answered(&vectors);
        headers.insert(name, HeaderValue::from_str(value).expect("a value"));
        open(&keys, &headers, body.as_bytes(), at)
    };
    assert_eq!(with("wechatmp-appid", "wx0000000000000001"), Err(Unverified::OtherAccount));
    assert_eq!(with("wechatmp-timestamp", &(at + 1).to_string()), Err(Unverified::Signature));
    assert_eq!(with("wechatmp-timestamp", "now"), Err(Unverified::Missing(TIMESTAMP)));
    let unknown = Unverified::UnknownCertificate("0123".to_owned());
    assert_eq!(with("wechatmp-serial", "0123"), Err(unknown));
    let hidden = Unverified::UnknownCertificate("?".to_owned());
    for serial in ["a-token_in-place-of-a-number", &"0".repeat(65)] {
        assert_eq!(with("wechatmp-serial", serial), Err(hidden.clone()));
    }
    assert_eq!(with("wechatmp-signature", "AAAA"), Err(Unverified::Signature));
    assert_eq!(with("wechatmp-signature", "?"), Err(Unverified::Signature));
    let headers = answered(&vectors);
    for now in [at - 302, at + 302] {
        assert_eq!(open(&keys, &headers, body.as_bytes(), now), Err(Unverified::Time));
    }
    let changed = body.replacen("HExs", "HExt", 1);
    assert_eq!(open(&keys, &headers, changed.as_bytes(), at), Err(Unverified::Signature));
    for name in ["wechatmp-appid", "wechatmp-timestamp", "wechatmp-serial"] {
        let mut headers = answered(&vectors);
        headers.remove(name);
        assert_eq!(
            open(&keys, &headers, body.as_bytes(), at),
            Err(Unverified::Missing(HeaderName::from_static(name)))
        );
    }
}

#[test]
fn while_certificates_change_either_serial_will_do_and_the_new_one_is_announced() {
    let vectors = vectors();
    let keys = keys(&vectors);
    let (at, body) = (seconds(&vectors, "/answer/timestamp"), text(&vectors, "/answer/body"));
    let mut headers = answered(&vectors);
    for (name, former) in [
        ("wechatmp-serial", "wechatmp-serial-deprecated"),
        ("wechatmp-signature", "wechatmp-signature-deprecated"),
    ] {
        let value = headers.insert(name, HeaderValue::from_static("0f3e")).expect("a value");
        headers.insert(former, value);
    }
    let signed = Signed::of(&headers).expect("signed");
    let opened = keys.open(PATH, signed, body.as_bytes(), Timestamp(at * 1000)).expect("by the former one");
    assert_eq!(opened.announced.as_deref(), Some("0f3e"));
}

#[test]
fn the_published_request_is_read_as_ours_are_written() {
    let vectors = vectors();
    let (appid, serial) = (text(&vectors, "/appid"), text(&vectors, "/aes_key_sn"));
    let (at, body) = (seconds(&vectors, "/request/timestamp"), text(&vectors, "/request/body"));
    let pem = text(&vectors, "/public_key_of_the_request_pem");
    let key = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes()).expect("a key");
    // Behind the header of the structure.
    let key = UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, &key[24..]);
    let signature = STANDARD.decode(text(&vectors, "/request/signature")).expect("base64");
    key.verify(&signed_text(PATH, appid, at, body.as_bytes()), &signature).expect("signed as we sign");
    let plain = decrypted(&keys(&vectors), body, &additional_data(PATH, appid, at, serial));
    assert_eq!(plain["_appid"], appid);
    assert_eq!(plain["_timestamp"], at);
}

/// What a request's body says.
fn decrypted(keys: &Keys, body: &str, bound: &str) -> Value {
    let body: Value = serde_json::from_str(body).expect("JSON");
    let part = |name: &str| STANDARD.decode(body[name].as_str().expect("text")).expect("base64");
    let nonce = Nonce::try_assume_unique_for_key(&part("iv")).expect("12 bytes");
    let mut data = [part("data"), part("authtag")].concat();
    let plain = keys.shared.key.open_in_place(nonce, Aad::from(bound), &mut data).expect("decrypted");
    serde_json::from_slice(plain).expect("JSON")
}

#[test]
fn a_request_has_its_fields_a_nonce_of_its_own_and_a_signature() {
    let vectors = vectors();
    let keys = keys(&vectors);
    let now = Timestamp(1_700_000_000_999);
    let fields = merge(br#"{"openid":"o1","scene":0}"#, "client_ip=1.2.3.4").expect("an object");
    let (one, other) = (keys.seal(PATH, &fields, now), keys.seal(PATH, &fields, now));
    let mut nonces = Vec::new();
    for sealed in [one, other] {
        let sealed = sealed.expect("sealed");
        let header = |name| sealed.headers[name].to_str().expect("text");
        let (appid, signature) = (header("wechatmp-appid"), header("wechatmp-signature"));
        assert_eq!((appid, header("wechatmp-timestamp")), (&*keys.appid, "1700000000"));
        let signed = signed_text(PATH, appid, 1_700_000_000, &sealed.body);
        let public = UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, keys.own.0.public().as_ref());
        public.verify(&signed, &STANDARD.decode(signature).expect("base64")).expect("signed");
        let bound = additional_data(PATH, appid, 1_700_000_000, text(&vectors, "/aes_key_sn"));
        let mut plain = decrypted(&keys, std::str::from_utf8(&sealed.body).expect("text"), &bound);
        nonces.push(plain["_n"].take());
        let expected = serde_json::json!({
            "openid": "o1", "scene": 0, "client_ip": "1.2.3.4", "_n": null,
            "_appid": appid, "_timestamp": 1_700_000_000,
        });
        assert_eq!(plain, expected);
    }
    assert_ne!(nonces[0], nonces[1]);
}

#[test]
fn a_body_goes_on_byte_for_byte_with_the_query_behind_it() {
    for (body, query, merged) in [
        ("", "", ""),
        ("{}", "", ""),
        (" { } ", "a=1", r#""a":"1""#),
        ("\u{feff}{\"a\":1}\r\n", "", r#""a":1"#),
        (
            r#"{"n":12345678901234567890.10e2,"b":{"a":[1, 2]}}"#,
            "",
            r#""n":12345678901234567890.10e2,"b":{"a":[1, 2]}"#,
        ),
        (r#"{"z":1,"a":"\u4e2d"}"#, "q=%E4%B8%AD+%22&empty=", r#""z":1,"a":"\u4e2d","q":"中 \"","empty":"""#),
    ] {
        let found = merge(body.as_bytes(), query).map(|merged| merged.0);
        assert_eq!(found.expect("an object"), merged, "{body} {query}");
    }
}

#[test]
fn what_makes_no_object_with_a_name_for_each_field_is_refused() {
    let refused = |body: &str, query: &str| match merge(body.as_bytes(), query) {
        Err(error) => error.to_string(),
        Ok(merged) => panic!("{body} {query} became {}", merged.0),
    };
    for body in
        ["[]", "1", "null", "{", "{\"a\":1}}", "{\"a\":}", "{a:1}", "{\"a\":1,}", "a=1", "{\"a\":NaN}"]
    {
        assert!(refused(body, "").starts_with("the body is not a JSON object (line 1, column "), "{body}");
    }
    assert_eq!(refused(r#"{"a":1}"#, "a=1"), "a is given twice in query and body together");
    assert_eq!(refused(r#"{"\u0061":1}"#, "a=1"), "a is given twice in query and body together");
    assert_eq!(refused("", "a=1&a=1"), "a is given twice in query and body together");
    for name in RESERVED {
        assert_eq!(refused(&format!("{{\"{name}\":1}}"), ""), format!("{name} is added by signing"));
        assert_eq!(refused("", &format!("{name}=1")), format!("{name} is added by signing"));
    }
    assert_eq!(refused("", "a=%ff"), "a query parameter is not UTF-8");
    assert!(matches!(merge(b"{\"a\":\"\xff\"}", ""), Err(Unmergeable::NotUtf8)));
}

#[test]
fn keys_that_do_not_fit_say_what_they_are() {
    let shared = |bytes: &[u8]| {
        SharedKey::new(&Secret::new(STANDARD.encode(bytes)), "1").map(drop).expect_err("refused")
    };
    assert_eq!(shared(&[0; 16]), BadKey::Sm4);
    assert_eq!(shared(&[0; 24]), BadKey::WrongLength(24));
    assert_eq!(SharedKey::new(&Secret::new("no base64"), "1").map(drop), Err(BadKey::NoBase64));
    assert_eq!(OwnKey::new(b"").map(drop), Err(BadKey::NoPrivateKey));
    let curve = rcgen::KeyPair::generate().expect("a key");
    assert_eq!(OwnKey::new(curve.serialize_pem().as_bytes()).map(drop), Err(BadKey::NotRsa));
    assert_eq!(8 * OwnKey::new(OWN_KEY).expect("RSA").0.public().modulus_len(), 2048);
    assert_eq!(Certificate::new(OWN_KEY, "1").map(drop), Err(BadKey::NoCertificate));
    let parameters = rcgen::CertificateParams::new(vec!["shop.example".to_owned()]).expect("a name");
    let signed = parameters.self_signed(&curve).expect("signed").pem();
    assert_eq!(Certificate::new(signed.as_bytes(), "1").map(drop), Err(BadKey::CertificateNotRsa));
}

#[test]
fn the_published_certificate_has_its_end_and_a_key_of_2048_bits() {
    let vectors = vectors();
    let pem = text(&vectors, "/platform_certificate_pem").as_bytes();
    let der = CertificateDer::from_pem_slice(pem).expect("a certificate");
    assert_eq!(certificate::rsa_key(&der).map(|(_, bits)| bits), Some(2048));
    let certificate = Certificate::new(pem, "1").expect("RSA");
    assert_eq!(certificate.ends().rfc3339(), "2027-09-04T08:39:22.000Z");
}

#[test]
fn base64_with_escapes_of_json_is_read() {
    let keys = keys(&vectors());
    let now = Timestamp(1_700_000_000_000);
    let sealed = keys.seal(PATH, &merge(b"{}", "").expect("an object"), now).expect("sealed");
    let body = std::str::from_utf8(&sealed.body).expect("text").replace('/', "\\/").replace('=', "\\u003d");
    let plain = keys.decrypt(PATH, 1_700_000_000, body.as_bytes());
    assert!(plain.expect("decrypted").starts_with(b"{\"_n\":"));
}
