//! A caller that signs.

use http_body_util::Full;
use serde_json::Value;
use wxgate::sandbox::{OFFICIAL_ACCOUNT, PLATFORM_CERTIFICATES, Signing};

use crate::sandbox::client::{Caller, Reply};
use crate::signed_call::{AES_KEY, AES_KEY_SN, Letter, PUBLIC_KEY, Platform, Sealed};

/// An endpoint that supports it.
pub(super) const RISK: &str = "/wxa/getuserriskrank";

pub(super) struct Client {
    pub(super) caller: Caller,
    pub(super) token: String,
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
        Self { caller, token }
    }

    pub(super) fn now(&self) -> i64 {
        self.caller.sandbox.now() / 1000
    }

    /// A letter of now.
    pub(super) fn letter(&self, path: &str, fields: &Value) -> Letter {
        Letter::new(path, OFFICIAL_ACCOUNT, self.now(), fields)
    }

    pub(super) async fn send(&self, letter: &Letter) -> Reply {
        send(&self.caller, &letter.seal(&self.token)).await
    }

    /// Seals, sends and opens.
    pub(super) async fn call(&self, path: &str, fields: &Value) -> Value {
        let reply = self.send(&self.letter(path, fields)).await;
        self.open(path, &reply).unwrap_or_else(|wrong| panic!("{wrong}: {}", reply.text()))
    }

    /// What an answer says, by the first platform certificate; or what is wrong with it.
    pub(super) fn open(&self, path: &str, reply: &Reply) -> Result<Value, &'static str> {
        platform(0).open(path, OFFICIAL_ACCOUNT, self.now(), &reply.headers, &reply.body)
    }
}

/// What the client knows of the sandbox's platform by one of its certificates.
pub(super) fn platform(certificate: usize) -> Platform<'static> {
    let known = PLATFORM_CERTIFICATES[certificate];
    Platform { serial: known.serial, certificate: known.certificate, aes_key: AES_KEY }
}

pub(super) async fn send(caller: &Caller, sealed: &Sealed) -> Reply {
    let request = caller.request("POST", &sealed.target()).header("content-type", "application/json");
    let request = sealed.headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
    caller.send(request.body(Full::from(sealed.body.clone())).expect("a request")).await.expect("an answer")
}
