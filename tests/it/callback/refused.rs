//! What isn't a push of the platform's: one answer, and nothing is handed on.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use wxgate::wechat::callback::{Rejected, open};

use super::platform::{MALL, OTHER, Platform, Push, SUITE, event, now};
use super::receiver::{Receiver, forbidden, success};

const BOMB: &str = "<!DOCTYPE xml [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\">\
                    <!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;\">]>";

async fn refused(receiver: &Receiver, push: &Push, outcome: &str) {
    let before = receiver.counted("mall", "none", outcome);
    assert_eq!(receiver.post(push).await, forbidden(), "{outcome}: {}", push.body);
    assert_eq!(receiver.counted("mall", "none", outcome), before + 1, "{outcome}\n{}", receiver.metrics());
    assert!(receiver.arrived().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_signature() {
    let receiver = Receiver::start();
    let good = MALL.ticket("1", "t");
    let with = |from: &str, to: &str| {
        let query = good.query.replace(from, to);
        assert_ne!(query, good.query);
        Push { query, ..good.clone() }
    };
    let signature = good.query.rsplit('=').next().expect("a signature").to_owned();
    for query in [
        with("nonce=1", "nonce=2"),
        with("timestamp=1", "timestamp=2"),
        with(&signature, &"0".repeat(40)),
        with(&signature, &signature[1..]),
        with(&signature, &signature.to_uppercase()),
        with(&signature, ""),
    ] {
        refused(&receiver, &query, "wrong_signature").await;
    }
    let forged = Platform { token: "guessed", ..MALL };
    refused(&receiver, &forged.ticket("1", "t"), "wrong_signature").await;
    for query in [
        with("&nonce=1", ""),
        with("timestamp", "time"),
        with("msg_signature", "signature2"),
        with("nonce=1", "nonce=1&nonce=1"),
        Push { query: String::new(), ..good.clone() },
    ] {
        refused(&receiver, &query, "unsigned").await;
    }
    assert_eq!(receiver.post(&good).await, success(), "none of it counts as a repetition");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_for_somebody_else() {
    let receiver = Receiver::start();
    let text = event("AppId", MALL.id, "unauthorized", "<AuthorizerAppid>wx1</AuthorizerAppid>");
    for id in [OTHER.id, "", "wx00000000000000a", "wx00000000000000aaa"] {
        let push = MALL.push_encrypted(now(), "1", &MALL.encrypt_for(id, &text));
        refused(&receiver, &push, "wrong_receiver").await;
    }
    let half_right = Platform { aes_key: OTHER.aes_key, ..MALL };
    refused(&receiver, &half_right.ticket("1", "t"), "wrong_key").await;
    let other = Push { path: "/callback/mall".into(), ..OTHER.ticket("1", "t") };
    refused(&receiver, &other, "wrong_signature").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_and_malicious_envelopes() {
    let receiver = Receiver::start();
    let good = MALL.ticket("1", "t");
    let encrypted = good.body.split("CDATA[").nth(2).and_then(|rest| rest.split(']').next()).expect("there");
    let body = |body: String| Push { body, ..good.clone() };
    for envelope in [
        String::new(),
        "{}".to_owned(),
        good.body.replace("</xml>", ""),
        good.body.replace("</Encrypt>", "</encrypt>"),
        good.body.replace("Encrypt", "Encrypted"),
        format!("<xml><Encrypt>{encrypted}</Encrypt><Encrypt>{encrypted}</Encrypt></xml>"),
        format!("{BOMB}{}", good.body),
        format!("{BOMB}<xml><Encrypt>&c;</Encrypt></xml>"),
        format!("<!DOCTYPE xml SYSTEM \"http://127.0.0.1/x\">{}", good.body),
        format!("{}x{}", "<x>".repeat(5000), "</x>".repeat(5000)),
    ] {
        refused(&receiver, &body(envelope), "unsigned").await;
    }
    let plain = format!("<?xml version=\"1.0\"?><xml><Encrypt>\n{encrypted}\n</Encrypt></xml>");
    assert_eq!(receiver.post(&body(plain)).await, success());
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_and_malicious_contents() {
    let receiver = Receiver::start();
    let good = event(
        "AppId",
        MALL.id,
        "component_verify_ticket",
        "<ComponentVerifyTicket>t</ComponentVerifyTicket>",
    );
    for text in [
        String::new(),
        "success".to_owned(),
        good.replace("</xml>", ""),
        good.replace("InfoType>", "MsgType>"),
        good.replace("ComponentVerifyTicket>", "Ticket>"),
        good.replace(">t<", "><"),
        good.replace("CreateTime", "Time"),
        good.replace("<CreateTime>", "<CreateTime>-"),
        good.replace("<xml>", "<xml><InfoType>unauthorized</InfoType>"),
        good.replace(">t<", ">&c;<"),
        format!("{BOMB}{}", good.replace(">t<", ">&c;<")),
        format!("{BOMB}{good}"),
        event("AppId", MALL.id, "authorized", "<AuthorizerAppid>wx1</AuthorizerAppid>"),
    ] {
        refused(&receiver, &MALL.push("1", &text), "no_event").await;
    }
    assert_eq!(receiver.post(&MALL.push("1", &good)).await, success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_ciphertext_that_is_none() {
    let receiver = Receiver::start();
    let whole =
        MALL.encrypt(&event("AppId", MALL.id, "unauthorized", "<AuthorizerAppid>a</AuthorizerAppid>"));
    let text = b"0123456789abcdef\0\0\0\x01x";
    let padded = |padding: &dyn Fn(usize) -> Vec<u8>| MALL.encrypt_padded(text.to_vec(), padding);
    let mut half_block = STANDARD.decode(&whole).expect("base64");
    half_block.truncate(half_block.len() - 16);
    for encrypted in [
        "====",
        &whole[..whole.len() - 1],
        &whole[4..],
        &whole.replace('=', ""),
        &format!("{whole}{whole}"),
        &STANDARD.encode(half_block),
        &STANDARD.encode([7; 32]),
        &padded(&|missing| vec![0; missing]),
        &padded(&|missing| [vec![1; missing - 1], vec![2]].concat()),
        &padded(&|missing| vec![33; missing]),
        // Padding alone, and a text longer than what there is.
        &MALL.encrypt_padded(Vec::new(), |_| vec![32; 32]),
        &MALL.encrypt_padded(b"0123456789abcdef\xff\xff\xff\xffx".to_vec(), |n| {
            vec![u8::try_from(n).expect("short"); n]
        }),
    ] {
        refused(&receiver, &MALL.push_encrypted(now(), "1", encrypted), "wrong_key").await;
    }
    refused(&receiver, &MALL.push_encrypted(now(), "1", ""), "wrong_key").await;
}

#[test]
fn no_byte_of_a_push_can_be_changed() {
    let push = MALL.ticket("1", "ticket@@@abcdef");
    let key = MALL.key();
    assert!(open(&key, &push.query, push.body.as_bytes()).is_ok());
    let encrypted = push.body.split("CDATA[").nth(2).and_then(|rest| rest.split(']').next()).expect("there");
    let cipher = STANDARD.decode(encrypted).expect("base64");
    for at in 0..cipher.len() {
        for bit in 0..8 {
            let mut cipher = cipher.clone();
            cipher[at] ^= 1 << bit;
            let changed = STANDARD.encode(cipher);
            let body = push.body.replace(encrypted, &changed);
            let opened = open(&key, &push.query, body.as_bytes());
            assert_eq!(opened.unwrap_err(), Rejected::Signature, "byte {at}, bit {bit}");
            // Whoever has the token but not the key can sign, and learns nothing but that it is
            // refused.
            let resigned = MALL.push_encrypted(now(), "1", &changed);
            if let Ok(opened) = open(&key, &resigned.query, resigned.body.as_bytes()) {
                assert!(at < 16, "byte {at}, bit {bit}: {opened:?}");
            }
        }
    }
    for at in 0..push.body.len() {
        let mut body = push.body.clone().into_bytes();
        body[at] = b'<';
        // Layout may change; what is signed may not.
        if let Ok(opened) = open(&key, &push.query, &body) {
            assert_eq!(opened.event.name(), "component_verify_ticket");
            assert!(!encrypted.is_empty() && String::from_utf8_lossy(&body).contains(encrypted));
        }
        let _ = open(&key, &push.query, &push.body.as_bytes()[..at]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_sent_as_a_question_is_not_decrypted_for_the_sender() {
    let receiver = Receiver::start();
    let encrypted = MALL.encrypt(&event(
        "AppId",
        MALL.id,
        "component_verify_ticket",
        "<ComponentVerifyTicket>t</ComponentVerifyTicket>",
    ));
    assert_eq!(receiver.get(&MALL.question("1", &encrypted)).await, forbidden());
    for echo in ["", "<x>", "a b", "票", &"1".repeat(65)] {
        let question = SUITE.question("1", &SUITE.encrypt(echo));
        assert_eq!(receiver.get(&question).await, forbidden(), "{echo}");
    }
    let forged = Platform { token: "guessed", ..SUITE };
    assert_eq!(receiver.get(&forged.question("1", &SUITE.encrypt("1"))).await, forbidden());
    assert_eq!(receiver.get(&Push { query: String::new(), ..MALL.ticket("1", "t") }).await, forbidden());
    let question = SUITE.question("2", &SUITE.encrypt("1"));
    receiver.clock.advance(601_000 + 1000);
    assert_eq!(receiver.get(&question).await, forbidden());
}

#[tokio::test(flavor = "multi_thread")]
async fn other_methods() {
    let receiver = Receiver::start();
    for method in ["PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"] {
        let method = method.parse().expect("a method");
        assert_eq!(receiver.send(method, &MALL.ticket("1", "t")).await, (405, String::new()));
    }
    assert_eq!(receiver.send(reqwest::Method::HEAD, &MALL.ticket("1", "t")).await.0, 405);
    assert!(receiver.arrived().is_empty());
}
