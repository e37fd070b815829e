//! What WeChat does to an event before it pushes it, written from its documentation.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use aes::cipher::{Array, BlockModeEncrypt as _, KeyIvInit as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use wxgate::callback::PlatformOptions;
use wxgate::secret::Secret;
use wxgate::wechat::callback::{AesKey, Key};

/// A platform, as WeChat knows it.
#[derive(Clone, Copy)]
pub struct Platform {
    pub name: &'static str,
    pub id: &'static str,
    pub token: &'static str,
    pub aes_key: &'static str,
}

pub const MALL: Platform = Platform {
    name: "mall",
    id: "wx00000000000000aa",
    token: "mall-token",
    aes_key: "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
};
pub const OTHER: Platform = Platform {
    name: "other-platform",
    id: "wx00000000000000bb",
    token: "other-token",
    aes_key: "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789abcdefg",
};
pub const SUITE: Platform = Platform {
    name: "suite",
    id: "ww4asffe99e54c0f4c",
    token: "suite-token",
    aes_key: "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG",
};

/// A push on its way.
#[derive(Clone)]
pub struct Push {
    pub path: String,
    pub query: String,
    pub body: String,
}

/// Seconds since the epoch.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs()
}

impl Platform {
    pub fn key(&self) -> Key {
        Key {
            token: Arc::new(Secret::new(self.token)),
            aes_key: Arc::new(AesKey::parse(self.aes_key).expect("an AES key")),
            receive_id: self.id.into(),
        }
    }

    pub fn options(&self) -> PlatformOptions {
        PlatformOptions { name: self.name.into(), key: self.key() }
    }

    pub fn encrypt(&self, text: &str) -> String {
        self.encrypt_for(self.id, text)
    }

    /// Base64 of AES-256-CBC over salt, length, text, receiver and padding.
    pub fn encrypt_for(&self, receiver: &str, text: &str) -> String {
        let length = u32::try_from(text.len()).expect("a length").to_be_bytes();
        let plain = [b"0123456789abcdef".as_slice(), &length, text.as_bytes(), receiver.as_bytes()].concat();
        self.encrypt_padded(plain, |missing| vec![u8::try_from(missing).expect("up to 32"); missing])
    }

    pub fn encrypt_padded(&self, mut plain: Vec<u8>, padding: impl Fn(usize) -> Vec<u8>) -> String {
        plain.extend(padding(32 - plain.len() % 32));
        let key = base64::engine::GeneralPurpose::new(
            &base64::alphabet::STANDARD,
            base64::engine::GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
        )
        .decode(format!("{}=", self.aes_key))
        .expect("base64");
        let iv = Array::try_from(&key[..16]).expect("16 bytes");
        let key = Array::try_from(key.as_slice()).expect("32 bytes");
        let (blocks, rest) = Array::slice_as_chunks_mut(&mut plain);
        assert!(rest.is_empty());
        cbc::Encryptor::<aes::Aes256>::new(&key, &iv).encrypt_blocks(blocks);
        STANDARD.encode(plain)
    }

    pub fn sign(&self, sent: u64, nonce: &str, encrypted: &str) -> String {
        let sent = sent.to_string();
        let mut parts = [self.token, &sent, nonce, encrypted];
        parts.sort_unstable();
        let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, parts.concat().as_bytes());
        let signature: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        // WeChat sends a second signature, over less.
        format!("signature=0&timestamp={sent}&nonce={nonce}&encrypt_type=aes&msg_signature={signature}")
    }

    pub fn push_encrypted(&self, sent: u64, nonce: &str, encrypted: &str) -> Push {
        Push {
            path: format!("/callback/{}", self.name),
            query: self.sign(sent, nonce, encrypted),
            body: format!(
                "<xml>\n  <AppId><![CDATA[{}]]></AppId>\n  <Encrypt><![CDATA[{encrypted}]]></Encrypt>\n</xml>",
                self.id
            ),
        }
    }

    pub fn push(&self, nonce: &str, text: &str) -> Push {
        self.push_encrypted(now(), nonce, &self.encrypt(text))
    }

    pub fn ticket(&self, nonce: &str, ticket: &str) -> Push {
        let id = self.id;
        let fields = format!("<ComponentVerifyTicket>{ticket}</ComponentVerifyTicket>");
        self.push(nonce, &event("AppId", id, "component_verify_ticket", &fields))
    }

    pub fn question(&self, nonce: &str, encrypted: &str) -> Push {
        let echo: String = form_urlencoded::byte_serialize(encrypted.as_bytes()).collect();
        Push {
            path: format!("/callback/{}", self.name),
            query: format!("{}&echostr={echo}", self.sign(now(), nonce, encrypted)),
            body: String::new(),
        }
    }
}

/// An event of the platform `id`, made now.
pub fn event(owner: &str, id: &str, info_type: &str, fields: &str) -> String {
    event_of(now(), owner, id, info_type, fields)
}

/// An event that was made at this time.
pub fn event_of(made: u64, owner: &str, id: &str, info_type: &str, fields: &str) -> String {
    let time = if owner == "SuiteId" { "TimeStamp" } else { "CreateTime" };
    format!(
        "<xml><{owner}><![CDATA[{id}]]></{owner}><InfoType> <![CDATA[{info_type}]]></InfoType>\
         <{time}>{made} </{time}>{fields}</xml>"
    )
}
