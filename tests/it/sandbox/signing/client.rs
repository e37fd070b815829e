//! What an app does that signs its calls itself.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::Full;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PSS_2048_8192_SHA256, RSA_PSS_SHA256, RsaKeyPair, UnparsedPublicKey};
use serde_json::{Value, json};
use wxgate::sandbox::{OFFICIAL_ACCOUNT, PLATFORM_CERTIFICATES, Signing};

use crate::sandbox::client::{Caller, Reply};

pub(super) const AES_KEY: &str = "otUpngOjU+nVQaWJIC3D/yMLV17RKaP6t4Ot9tbnzLY=";
pub(super) const AES_KEY_SN: &str = "fa05fe1e5bcc79b81ad5ad4b58acf787";
pub(super) const PUBLIC_KEY: &str = include_str!("../../../tools/signing/app.pub");
const PRIVATE_KEY: &str = include_str!("../../../tools/signing/app.key");

/// An endpoint that supports it.
pub(super) const RISK: &str = "/wxa/getuserriskrank";

pub(super) struct Client {
    pub(super) caller: Caller,
    pub(super) token: String,
    key: RsaKeyPair,
}

/// What a request says, before it is sealed.
#[derive(Clone)]
pub(super) struct Letter {
    pub(super) path: String,
    pub(super) appid: String,
    pub(super) timestamp: i64,
    pub(super) plaintext: String,
}

/// A request as it is sent.
#[derive(Clone)]
pub(super) struct Sealed {
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

/// The demand that the client can meet.
pub(super) fn demand() -> Signing {
    Signing::new(OFFICIAL_ACCOUNT, AES_KEY, AES_KEY_SN, PUBLIC_KEY)
}

impl Client {
    /// With a token of an app that demands signed calls.
    pub(super) async fn new(signing: Signing) -> Self {
        let caller = Caller::new();
        caller.sandbox.demand_signing(signing).expect("good keys");
        let token = caller.token().await;
        let key = RsaKeyPair::from_pkcs8(&der(PRIVATE_KEY)).expect("a key");
        Self { caller, token, key }
    }

    /// A letter of now, with these fields of the endpoint's.
    pub(super) fn letter(&self, path: &str, fields: &Value) -> Letter {
        let timestamp = self.caller.sandbox.now() / 1000;
        let nonce = STANDARD.encode(std::array::from_fn::<u8, 16, _>(|_| fastrand::u8(..)));
        let mut plaintext = json!({"_n": nonce, "_appid": OFFICIAL_ACCOUNT, "_timestamp": timestamp});
        for (name, value) in fields.as_object().expect("an object") {
            plaintext[name] = value.clone();
        }
        Letter {
            path: path.to_owned(),
            appid: OFFICIAL_ACCOUNT.to_owned(),
            timestamp,
            plaintext: plaintext.to_string(),
        }
    }

    pub(super) fn seal(&self, letter: &Letter) -> Sealed {
        let url = format!("https://api.weixin.qq.com{}", letter.path);
        let iv: [u8; 12] = std::array::from_fn(|_| fastrand::u8(..));
        let mut data = letter.plaintext.clone().into_bytes();
        let aad = format!("{url}|{}|{}|{AES_KEY_SN}", letter.appid, letter.timestamp);
        let nonce = Nonce::assume_unique_for_key(iv);
        let tag = aes(AES_KEY).seal_in_place_separate_tag(nonce, Aad::from(aad), &mut data).expect("sealed");
        let [iv, data, authtag] = [&iv[..], &data, tag.as_ref()].map(|part| STANDARD.encode(part));
        let body = json!({"iv": iv, "data": data, "authtag": authtag}).to_string();
        let mut sealed = Sealed {
            path: letter.path.clone(),
            query: format!("access_token={}", self.token),
            headers: vec![
                ("Wechatmp-Appid", letter.appid.clone()),
                ("Wechatmp-TimeStamp", letter.timestamp.to_string()),
            ],
            body,
        };
        let signature = self.sign(&sealed);
        sealed.headers.push(("Wechatmp-Signature", signature));
        sealed
    }

    /// The signature of what a request says in its head and body now.
    pub(super) fn sign(&self, sealed: &Sealed) -> String {
        let [(_, appid), (_, timestamp), ..] = &*sealed.headers else { panic!("two headers") };
        let text = format!("https://api.weixin.qq.com{}\n{appid}\n{timestamp}\n{}", sealed.path, sealed.body);
        let mut signature = vec![0; self.key.public().modulus_len()];
        let random = SystemRandom::new();
        self.key.sign(&RSA_PSS_SHA256, &random, text.as_bytes(), &mut signature).expect("signed");
        STANDARD.encode(signature)
    }

    pub(super) async fn send(&self, sealed: &Sealed) -> Reply {
        send(&self.caller, sealed).await
    }

    /// Seals, sends and opens.
    pub(super) async fn call(&self, path: &str, fields: &Value) -> Value {
        let reply = self.send(&self.seal(&self.letter(path, fields))).await;
        self.open(path, &reply).unwrap_or_else(|wrong| panic!("{wrong}: {}", reply.text()))
    }

    /// What an answer says, by the first platform certificate; or what is wrong with it.
    pub(super) fn open(&self, path: &str, reply: &Reply) -> Result<Value, &'static str> {
        let first = PLATFORM_CERTIFICATES[0];
        let platform = Platform { serial: first.serial, certificate: first.certificate, aes_key: AES_KEY };
        platform.open(path, OFFICIAL_ACCOUNT, self.caller.sandbox.now() / 1000, reply)
    }
}

pub(super) async fn send(caller: &Caller, sealed: &Sealed) -> Reply {
    let target = format!("{}?{}", sealed.path, sealed.query);
    let request = caller.request("POST", &target).header("content-type", "application/json");
    let request = sealed.headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
    caller.send(request.body(Full::from(sealed.body.clone())).expect("a request")).await.expect("an answer")
}

/// What an app knows of the platform.
pub(super) struct Platform<'a> {
    pub(super) serial: &'a str,
    pub(super) certificate: &'a str,
    pub(super) aes_key: &'a str,
}

impl Platform<'_> {
    /// Checks what WeChat's page says to check, in its order.
    pub(super) fn open(
        &self,
        path: &str,
        appid: &str,
        now: i64,
        reply: &Reply,
    ) -> Result<Value, &'static str> {
        let url = format!("https://api.weixin.qq.com{path}");
        let header = |name| reply.header(name);
        let timestamp = header("wechatmp-timestamp").ok_or("unsigned")?;
        if header("wechatmp-appid") != Some(appid) {
            return Err("appid header");
        }
        if timestamp.parse::<i64>().expect("seconds").abs_diff(now) > 300 {
            return Err("too old");
        }
        let signature = if header("wechatmp-serial") == Some(self.serial) {
            header("wechatmp-signature")
        } else if header("wechatmp-serial-deprecated") == Some(self.serial) {
            header("wechatmp-signature-deprecated")
        } else {
            return Err("serial");
        };
        let signature = STANDARD.decode(signature.ok_or("no signature")?).expect("base64");
        let text = format!("{url}\n{appid}\n{timestamp}\n{}", reply.text());
        let certificate = der(self.certificate);
        let key = UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, key_of(&certificate));
        key.verify(text.as_bytes(), &signature).map_err(|_| "signature")?;

        let [iv, mut data, tag] = ["iv", "data", "authtag"]
            .map(|part| STANDARD.decode(reply.json()[part].as_str().expect("text")).expect("base64"));
        data.extend(tag);
        let nonce = Nonce::try_assume_unique_for_key(&iv).expect("12 bytes");
        let aad = Aad::from(format!("{url}|{appid}|{timestamp}|{AES_KEY_SN}"));
        let plaintext = aes(self.aes_key).open_in_place(nonce, aad, &mut data).map_err(|_| "encryption")?;
        let mut said: Value = serde_json::from_slice(plaintext).expect("JSON");
        let fields = said.as_object_mut().expect("an object");
        fields.remove("_n").expect("a nonce");
        if fields.remove("_appid").expect("an appid") != appid {
            return Err("_appid");
        }
        if fields.remove("_timestamp").expect("a time").to_string() != timestamp {
            return Err("_timestamp");
        }
        Ok(said)
    }
}

fn aes(key: &str) -> LessSafeKey {
    let key = STANDARD.decode(key).expect("base64");
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).expect("32 bytes"))
}

fn der(pem: &str) -> Vec<u8> {
    let lines = pem.lines().skip_while(|line| !line.starts_with("-----BEGIN")).skip(1);
    let packed: String = lines.take_while(|line| !line.starts_with("-----END")).collect();
    STANDARD.decode(packed).expect("base64")
}

/// The RSA key of a certificate: what follows its algorithm, behind the head of a bit string.
fn key_of(certificate: &[u8]) -> &[u8] {
    const ALGORITHM: &[u8] = &[0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 1, 5, 0, 3, 0x82];
    let at = memchr::memmem::find(certificate, ALGORITHM).expect("an RSA key") + ALGORITHM.len();
    // Two bytes of length, and one that counts the bits left over.
    let length = usize::from(u16::from_be_bytes([certificate[at], certificate[at + 1]]));
    &certificate[at + 3..at + 2 + length]
}
