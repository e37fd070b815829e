//! What an app does that signs its calls itself, from WeChat's pages; for tests, without a
//! connection.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PSS_2048_8192_SHA256, RSA_PSS_SHA256, RsaKeyPair, UnparsedPublicKey};
use serde_json::{Value, json};

/// The symmetric key that WeChat published.
pub const AES_KEY: &str = "otUpngOjU+nVQaWJIC3D/yMLV17RKaP6t4Ot9tbnzLY=";
pub const AES_KEY_SN: &str = "fa05fe1e5bcc79b81ad5ad4b58acf787";
/// An app's key, PEM; public and worthless.
pub const PRIVATE_KEY: &str = include_str!("tools/signing/app.key");
pub const PUBLIC_KEY: &str = include_str!("tools/signing/app.pub");

/// What a request says, before it is sealed.
#[derive(Clone)]
pub struct Letter {
    pub path: String,
    pub appid: String,
    pub timestamp: i64,
    pub plaintext: String,
}

/// A request as it is sent.
#[derive(Clone)]
pub struct Sealed {
    pub path: String,
    pub query: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

impl Letter {
    /// With these fields of the endpoint's.
    pub fn new(path: &str, appid: &str, timestamp: i64, fields: &Value) -> Self {
        let nonce = STANDARD.encode(std::array::from_fn::<u8, 16, _>(|_| fastrand::u8(..)));
        let mut plaintext = json!({"_n": nonce, "_appid": appid, "_timestamp": timestamp});
        for (name, value) in fields.as_object().expect("an object") {
            plaintext[name] = value.clone();
        }
        Self { path: path.to_owned(), appid: appid.to_owned(), timestamp, plaintext: plaintext.to_string() }
    }

    pub fn seal(&self, token: &str) -> Sealed {
        let url = format!("https://api.weixin.qq.com{}", self.path);
        let iv: [u8; 12] = std::array::from_fn(|_| fastrand::u8(..));
        let mut data = self.plaintext.clone().into_bytes();
        let aad = Aad::from(format!("{url}|{}|{}|{AES_KEY_SN}", self.appid, self.timestamp));
        let nonce = Nonce::assume_unique_for_key(iv);
        let tag = aes(AES_KEY).seal_in_place_separate_tag(nonce, aad, &mut data).expect("sealed");
        let [iv, data, authtag] = [&iv[..], &data, tag.as_ref()].map(|part| STANDARD.encode(part));
        let mut sealed = Sealed {
            path: self.path.clone(),
            query: format!("access_token={token}"),
            headers: vec![
                ("Wechatmp-Appid", self.appid.clone()),
                ("Wechatmp-TimeStamp", self.timestamp.to_string()),
                ("Wechatmp-Signature", String::new()),
            ],
            body: json!({"iv": iv, "data": data, "authtag": authtag}).to_string(),
        };
        sealed.sign();
        sealed
    }
}

impl Sealed {
    /// Signs what it says in its head and body now.
    pub fn sign(&mut self) {
        let [(_, appid), (_, timestamp), ..] = &*self.headers else { panic!("two headers") };
        let text = format!("https://api.weixin.qq.com{}\n{appid}\n{timestamp}\n{}", self.path, self.body);
        let key = RsaKeyPair::from_pkcs8(&der(PRIVATE_KEY)).expect("a key");
        let mut signature = vec![0; key.public().modulus_len()];
        key.sign(&RSA_PSS_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).expect("signed");
        self.headers[2].1 = STANDARD.encode(signature);
    }

    pub fn target(&self) -> String {
        format!("{}?{}", self.path, self.query)
    }
}

/// What an app knows of the platform.
pub struct Platform<'a> {
    pub serial: &'a str,
    pub certificate: &'a str,
    pub aes_key: &'a str,
}

impl Platform<'_> {
    /// Checks what WeChat's page says to check, in its order.
    pub fn open(
        &self,
        path: &str,
        appid: &str,
        now: i64,
        headers: &http::HeaderMap,
        body: &[u8],
    ) -> Result<Value, &'static str> {
        let url = format!("https://api.weixin.qq.com{path}");
        let body = str::from_utf8(body).expect("UTF-8");
        let header = |name| headers.get(name).map(|value| value.to_str().expect("ASCII"));
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
        let text = format!("{url}\n{appid}\n{timestamp}\n{body}");
        let certificate = der(self.certificate);
        let key = UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, key_of(&certificate));
        key.verify(text.as_bytes(), &signature).map_err(|_| "signature")?;

        let parts: Value = serde_json::from_str(body).expect("JSON");
        let [iv, mut data, tag] = ["iv", "data", "authtag"]
            .map(|part| STANDARD.decode(parts[part].as_str().expect("text")).expect("base64"));
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
        if fields.remove("_timestamp").expect("a time").as_i64() != timestamp.parse().ok() {
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
