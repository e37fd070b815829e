//! How answers to signed requests are signed, and what can be wrong with them by order.

use serde_json::{Value, json};
use wxgate::sandbox::{Action, CertificateInForce, Defect, Fault, OFFICIAL_ACCOUNT, Signing, Variant};

use super::client::{Client, RISK, demand, platform};
use crate::signed_call::{AES_KEY, Platform};

#[test]
fn the_client_reads_the_answer_that_wechat_published() {
    let vectors: Value =
        serde_json::from_str(include_str!("../../../tools/signing/signing-vectors.json")).expect("JSON");
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let (appid, serial) = (text(&vectors["appid"]), text(&vectors["platform_certificate_sn"]));
    let answer = &vectors["answer"];
    let timestamp = answer["timestamp"].as_i64().expect("seconds");
    let mut headers = http::HeaderMap::new();
    for (name, value) in [
        ("wechatmp-appid", appid.clone()),
        ("wechatmp-timestamp", timestamp.to_string()),
        ("wechatmp-serial", serial.clone()),
        ("wechatmp-signature", text(&answer["signature"])),
    ] {
        headers.insert(name, value.parse().expect("a value"));
    }
    let platform = Platform {
        serial: &serial,
        certificate: &text(&vectors["platform_certificate_pem"]),
        aes_key: AES_KEY,
    };
    let said =
        platform.open(RISK, &appid, timestamp, &headers, text(&answer["body"]).as_bytes()).expect("signed");
    assert_eq!((&said["errcode"], &said["risk_rank"]), (&json!(0), &json!(0)));
}

#[tokio::test]
async fn what_is_no_json_comes_in_clear() {
    let client = Client::new(demand()).await;
    let reply = client.send(&client.letter("/wxa/getwxacode", &json!({"path": "index"}))).await;
    assert_eq!((reply.header("content-type"), reply.header("wechatmp-appid")), (Some("image/jpeg"), None));
    assert!(reply.body.starts_with(b"\xff\xd8"));
    let error = client.call("/wxa/getwxacode", &json!({"page": "missing"})).await;
    assert_eq!(error["errcode"], 41030);
}

#[tokio::test]
async fn errors_keep_their_form_under_the_seal() {
    let client = Client::new(demand()).await;
    let path = "/cgi-bin/message/custom/send";
    for variant in [Variant::Plain, Variant::Spaced, Variant::Bom, Variant::CodeLast] {
        client.caller.sandbox.change(|settings| settings.error_variant = variant);
        assert_eq!(client.call(path, &json!({})).await["errcode"], 40003, "{variant:?}");
    }
    client.caller.sandbox.fault(Fault::new(Action::Errcode { errcode: 45011, errmsg: None }));
    assert_eq!(client.call(RISK, &json!({})).await["errcode"], 45011);
}

#[tokio::test]
async fn while_the_certificate_changes_either_signature_holds() {
    let client = Client::new(demand()).await;
    for (certificate, by_first, by_second) in [
        (CertificateInForce::First, true, false),
        (CertificateInForce::Changing, true, true),
        (CertificateInForce::Second, false, true),
    ] {
        client.caller.sandbox.demand_signing(Signing { certificate, ..demand() }).expect("good keys");
        let reply = client.send(&client.letter(RISK, &json!({}))).await;
        let opens = |by: usize| {
            platform(by).open(RISK, OFFICIAL_ACCOUNT, client.now(), &reply.headers, &reply.body).is_ok()
        };
        assert_eq!((opens(0), opens(1)), (by_first, by_second), "{certificate:?}");
    }
}

#[tokio::test]
async fn an_answer_has_the_defect_that_was_ordered_and_no_other() {
    let client = Client::new(demand()).await;
    for (defect, found) in [
        (Defect::Clear, "unsigned"),
        (Defect::Serial, "serial"),
        (Defect::Old, "too old"),
        (Defect::Iv, "encryption"),
        (Defect::Data, "encryption"),
        (Defect::Authtag, "encryption"),
        (Defect::Signature, "signature"),
        (Defect::AppidHeader, "appid header"),
        (Defect::TimestampHeader, "signature"),
        (Defect::NoSignature, "no signature"),
        (Defect::Appid, "_appid"),
        (Defect::Timestamp, "_timestamp"),
    ] {
        client.caller.sandbox.fault(Fault::new(Action::SignedAnswer { defect }).times(1));
        let reply = client.send(&client.letter(RISK, &json!({}))).await;
        assert_eq!(client.open(RISK, &reply), Err(found), "{defect:?}: {}", reply.text());
        assert!(defect != Defect::Clear || reply.errcode() == 0);
    }
    client
        .caller
        .sandbox
        .fault(Fault::new(Action::SignedAnswer { defect: Defect::Padding(3 << 20) }).times(1));
    let answer = client.call(RISK, &json!({})).await;
    assert_eq!(answer["padding"].as_str().expect("text").len(), 3 << 20);
    assert_eq!(client.call(RISK, &json!({})).await["errcode"], 0, "and then all is well again");
}
