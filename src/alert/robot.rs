//! The form of each kind of target's messages, and what its responses mean. To add a kind, add a
//! variant of [`Kind`] (`options.rs`) and an arm here.

use std::fmt::Write as _;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{Kind, Notice, Options};
use crate::observe::clock::Timestamp;
use crate::observe::hex::hex;
use crate::secret::Secret;
use crate::texts::{Language, text};

/// WeCom takes 2,048 bytes of text, the others more.
const LONGEST_TEXT: usize = 2_000;

/// A message that is ready to go.
pub(super) struct Message {
    /// With the robot's key.
    pub(super) url: Zeroizing<String>,
    pub(super) body: String,
    /// Of a web hook with a secret: `sha256=` and the body's HMAC in hex, as GitHub does it.
    pub(super) signature: Option<String>,
}

/// The message for `notices` at `now`.
pub(super) fn message(options: &Options, notices: &[Arc<Notice>], now: Timestamp) -> Message {
    let url = options.url.expose();
    let text = || text(notices, options.language);
    match (options.kind, &options.secret) {
        (Kind::Wecom, _) => plain(url, &json!({ "msgtype": "text", "text": { "content": text() } })),
        (Kind::DingTalk, secret) => {
            let mut message = plain(url, &json!({ "msgtype": "text", "text": { "content": text() } }));
            if let Some(secret) = secret {
                let sign =
                    sign(secret.expose().as_bytes(), format!("{}\n{}", now.0, secret.expose()).as_bytes());
                let query = form_urlencoded::Serializer::new(String::new())
                    .append_pair("timestamp", &now.0.to_string())
                    .append_pair("sign", &sign)
                    .finish();
                let separator = if url.contains('?') { '&' } else { '?' };
                message.url = Zeroizing::new(format!("{url}{separator}{query}"));
            }
            message
        }
        (Kind::Feishu, secret) => {
            let mut body = json!({ "msg_type": "text", "content": { "text": text() } });
            if let Some(secret) = secret {
                let seconds = now.0 / 1000;
                // Here what others sign is the key, and the signed message is empty.
                let sign = sign(format!("{seconds}\n{}", secret.expose()).as_bytes(), b"");
                body["timestamp"] = json!(seconds.to_string());
                body["sign"] = json!(sign);
            }
            plain(url, &body)
        }
        (Kind::Webhook, secret) => {
            let mut message = plain(url, &json!({ "source": "wxgate", "notices": listed(notices) }));
            message.signature = secret.as_ref().map(|secret| signature(secret, &message.body));
            message
        }
    }
}

fn plain(url: &str, body: &Value) -> Message {
    Message { url: Zeroizing::new(url.to_owned()), body: body.to_string(), signature: None }
}

fn listed(notices: &[Arc<Notice>]) -> Vec<Value> {
    let listed = |notice: &Arc<Notice>| {
        json!({
            "at": notice.at.rfc3339(),
            "app": notice.app.as_deref(),
            "topic": notice.topic,
            "kind": notice.kind,
            "caller": notice.caller.as_ref().map(|(name, _)| name),
            "caller_percent": notice.caller.as_ref().map(|(_, percent)| percent),
            "message": notice.words.to(Language::English),
            "message_zh": notice.words.to(Language::Chinese),
        })
    };
    notices.iter().map(listed).collect()
}

/// A line for each notice, as many as there is room for.
fn text(notices: &[Arc<Notice>], language: Language) -> String {
    let mut text = String::new();
    for (index, notice) in notices.iter().enumerate() {
        let line = notice.line(language);
        if text.len() + line.len() > LONGEST_TEXT {
            let _ = write!(text, "… +{}", notices.len() - index);
            break;
        }
        if index > 0 {
            text.push('\n');
        }
        text.push_str(&line);
    }
    text
}

fn sign(key: &[u8], signed: &[u8]) -> String {
    STANDARD.encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), signed))
}

fn signature(secret: &Secret, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    format!("sha256={}", hex(hmac::sign(&key, body.as_bytes())))
}

/// Robots return 200 in any case; the body says whether they took the message.
pub(super) fn judge(kind: Kind, status: u16, body: &[u8]) -> Result<(), String> {
    #[derive(Deserialize)]
    struct RobotResponse {
        #[serde(alias = "code", alias = "StatusCode")]
        errcode: Option<i64>,
        #[serde(alias = "msg", alias = "StatusMessage")]
        errmsg: Option<String>,
    }
    if !(200..300).contains(&status) {
        return Err(text!("it returned HTTP status {status}", status).to_string());
    }
    if kind == Kind::Webhook {
        return Ok(());
    }
    match serde_json::from_slice::<RobotResponse>(body) {
        Ok(RobotResponse { errcode: None | Some(0), .. }) => Ok(()),
        Ok(RobotResponse { errcode: Some(code), errmsg }) => {
            let errmsg = errmsg.unwrap_or_default();
            Err(text!("it returned {code}: {errmsg}", code, errmsg).to_string())
        }
        Err(_) => Err(text!("its response is not JSON").to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::super::{Notice, Options, Topic};
    use super::{Kind, LONGEST_TEXT, judge, message};
    use crate::observe::clock::Timestamp;
    use crate::secret::Secret;
    use crate::texts::Language::{Chinese, English};
    use crate::texts::{Language, Words};

    const NOW: Timestamp = Timestamp(1_599_360_473_000);

    fn used_up() -> Words {
        Words::of(|| match Language::current() {
            English => "used up",
            Chinese => "已用完",
        })
    }

    fn notices(count: usize) -> Vec<Arc<Notice>> {
        let notice = Notice {
            at: NOW,
            app: Some("shop".into()),
            topic: Topic::Quota,
            kind: "exhausted",
            caller: Some(("orders".into(), 71)),
            words: used_up(),
        };
        std::iter::repeat_with(|| Arc::new(notice.clone())).take(count).collect()
    }

    fn made(
        kind: Kind,
        secret: Option<&str>,
        language: Language,
        count: usize,
    ) -> (String, Value, Option<String>) {
        let secret = secret.map(|secret| Arc::new(Secret::new(secret)));
        let url = Arc::new(Secret::new("https://robot/send?key=k"));
        let options = Options { kind, url, secret, topics: Vec::new(), apps: Vec::new(), language };
        let message = message(&options, &notices(count), NOW);
        let body = serde_json::from_str(&message.body).expect("JSON");
        (message.url.to_string(), body, message.signature)
    }

    #[test]
    fn each_robot_gets_its_own_form() {
        let english = "[wxgate] 10:47 shop: used up";
        let (url, body, _) = made(Kind::Wecom, None, English, 1);
        assert_eq!(url, "https://robot/send?key=k");
        assert_eq!(body, json!({"msgtype": "text", "text": {"content": english}}));
        let (_, body, _) = made(Kind::Feishu, None, Chinese, 1);
        assert_eq!(body, json!({"msg_type": "text", "content": {"text": "[wxgate] 10:47 shop: 已用完"}}));
        let (_, body, signature) = made(Kind::Webhook, None, English, 2);
        assert_eq!((body["notices"].as_array().map(Vec::len), signature), (Some(2), None));
        assert_eq!(
            body["notices"][0],
            json!({"at": "2020-09-06T02:47:53.000Z", "app": "shop", "topic": "quota", "kind": "exhausted",
                   "caller": "orders", "caller_percent": 71, "message": "used up", "message_zh": "已用完"})
        );
    }

    /// The signatures are those of Python's `hmac`, by the vendors' own examples.
    #[test]
    fn robots_that_want_a_signature_get_one() {
        let (url, ..) = made(Kind::DingTalk, Some("this is secret"), English, 1);
        assert_eq!(
            url,
            "https://robot/send?key=k&timestamp=1599360473000&sign=hXZTWifRGHclNuZSKxoXc%2F%2Fsh51SWfVfRIhcdeKs63I%3D"
        );
        let (_, body, _) = made(Kind::Feishu, Some("demo"), English, 1);
        assert_eq!(
            (&body["timestamp"], &body["sign"]),
            (&json!("1599360473"), &json!("l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8="))
        );
        let (.., signature) = made(Kind::Webhook, Some("s"), English, 1);
        assert!(signature.is_some_and(|signature| signature.starts_with("sha256=") && signature.len() == 71));
    }

    #[test]
    fn what_is_too_long_is_counted_instead() {
        let (_, body, _) = made(Kind::Wecom, None, Chinese, 200);
        let text = body["text"]["content"].as_str().expect("text");
        assert!(text.len() <= LONGEST_TEXT + 10 && text.contains("… +"), "{text}");
    }

    #[test]
    fn an_answer_says_in_its_body_whether_the_message_was_taken() {
        assert_eq!(judge(Kind::Wecom, 200, br#"{"errcode":0,"errmsg":"ok"}"#), Ok(()));
        assert_eq!(judge(Kind::Feishu, 200, br#"{"StatusCode":0,"StatusMessage":"success"}"#), Ok(()));
        assert_eq!(
            judge(Kind::Feishu, 200, br#"{"code":19021,"msg":"sign match fail"}"#),
            Err("it returned 19021: sign match fail".to_owned())
        );
        assert_eq!(
            judge(Kind::DingTalk, 200, br#"{"errcode":310000,"errmsg":"keywords not in content"}"#),
            Err("it returned 310000: keywords not in content".to_owned())
        );
        assert!(judge(Kind::Wecom, 200, b"<html>").is_err());
        assert_eq!(judge(Kind::Webhook, 204, b""), Ok(()));
        assert_eq!(judge(Kind::Webhook, 500, b""), Err("it returned HTTP status 500".to_owned()));
    }
}
