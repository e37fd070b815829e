//! wechatpy encrypts, as the SDK that a test of WeChat's own would use; wxgate decrypts.

use std::process::Command;
use std::sync::Arc;

use wxgate::observe::clock::Timestamp;
use wxgate::secret::Secret;
use wxgate::wechat::callback::{AesKey, Event, Key, Rejected, open};

use super::venv;

const AES_KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
const SCRIPT: &str = "
import sys
from wechatpy.crypto import WeChatCrypto
token, aes_key, receiver, *texts = sys.argv[1:]
crypto = WeChatCrypto(token, aes_key, receiver)
print(*(crypto.encrypt_message(text, '1320562132', '1409735669') for text in texts), sep='\\0', end='')
";

fn key(token: &str, receiver: &str) -> Key {
    Key {
        token: Arc::new(Secret::new(token)),
        aes_key: Arc::new(AesKey::parse(AES_KEY).expect("an AES key")),
        receive_id: receiver.into(),
    }
}

fn field<'x>(xml: &'x str, name: &str) -> &'x str {
    let inner =
        xml.split(&format!("<{name}>")).nth(1).and_then(|rest| rest.split("</").next()).expect("there");
    inner.trim_start_matches("<![CDATA[").trim_end_matches("]]>")
}

#[test]
fn wechatpys_pushes_are_opened() {
    // Texts of every length modulo the padding's block.
    let tickets: Vec<_> = (0..33).map(|length| format!("ticket@@@票{}", "x".repeat(length))).collect();
    let texts = tickets.iter().map(|ticket| {
        format!(
            "<xml><AppId>wx1</AppId><CreateTime>1409735668</CreateTime><InfoType>component_verify_ticket</InfoType>\
             <ComponentVerifyTicket>{ticket}</ComponentVerifyTicket></xml>"
        )
    });
    let output = Command::new(venv::python())
        .args(["-c", SCRIPT, "spamtest", AES_KEY, "wx2c2769f8efd9abc2"])
        .args(texts)
        .output()
        .expect("it ran");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let envelopes = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(envelopes.split('\0').count(), tickets.len());
    for (envelope, ticket) in envelopes.split('\0').zip(&tickets) {
        let query = format!(
            "timestamp={}&nonce={}&msg_signature={}",
            field(envelope, "TimeStamp"),
            field(envelope, "Nonce"),
            field(envelope, "MsgSignature")
        );
        let open = |key: &Key| open(key, &query, envelope.as_bytes());
        let push = open(&key("spamtest", "wx2c2769f8efd9abc2")).expect("opened");
        assert_eq!(push.sent, Timestamp(1_409_735_669_000));
        let Event::VerifyTicket { ticket: found, .. } = &push.event else { panic!("{push:?}") };
        assert_eq!(found.expose(), ticket);
        assert_eq!(open(&key("spamtest", "wx2c2769f8efd9abc3")).unwrap_err(), Rejected::Receiver);
        assert_eq!(open(&key("hamtest", "wx2c2769f8efd9abc2")).unwrap_err(), Rejected::Signature);
    }
}
