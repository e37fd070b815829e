//! wxgate's signing, read by the fake in Python.

use serde_json::{Value, json};

use super::{APPID, Fake, SECRET};
use crate::harness::{Answer, Gate, Setup, sandbox};
use crate::signed_call::AES_KEY_SN;

/// What is called: bodies and queries of all kinds, and what the fake must read of them.
const CALLS: [(&str, &str, &str); 20] = [
    ("/wxa/getuserriskrank", r#"{"appid":"a","scene":0}"#, r#""appid":"a","scene":0"#),
    ("/cgi-bin/message/custom/send", r#"{"text":{"content":"中文 😀"}}"#, r#""text":{"content":"中文 😀"}"#),
    ("/cgi-bin/message/subscribe/send", r#"{"n":12345678901234567890}"#, r#""n":12345678901234567890"#),
    ("/cgi-bin/message/wxopen/updatablemsg/send", r#"{"n":1.10e-7}"#, r#""n":1.10e-7"#),
    ("/cgi-bin/openapi/quota/get", r#"{"cgi_path":"\/x"}"#, r#""cgi_path":"\/x""#),
    ("/cgi-bin/soter/verify_signature", r#"{"a":"\u4e2d\ud83d\ude00"}"#, r#""a":"\u4e2d\ud83d\ude00""#),
    ("/cgi-bin/wxaapp/createwxaqrcode", r#"{"a": [ 1 , 2 ] }"#, r#""a": [ 1 , 2 ]"#),
    ("/datacube/getweanalysisappiduserportrait", "", ""),
    ("/wxa/business/checkencryptedmsg", "{}", ""),
    ("/wxa/business/getuserphonenumber", r#"{"code":null}"#, r#""code":null"#),
    ("/wxa/business/performance/boot?a=1", "", r#""a":"1""#),
    ("/wxa/devplugin?q=%E4%B8%AD+%26", r#"{"b":true}"#, r#""b":true,"q":"中 &""#),
    ("/wxa/getpluginopenpid?x=%22%5C", "", r#""x":"\"\\""#),
    ("/wxa/getwxadevinfo?empty=", r#"{"a":""}"#, r#""a":"","empty":"""#),
    ("/wxa/media_check_async?a=1&b=2", r#"{"c":3}"#, r#""c":3,"a":"1","b":"2""#),
    ("/wxa/msg_sec_check", "\u{feff}{\"a\":1}\r\n", r#""a":1"#),
    ("/wxa/plugin", r#"{"":{"":[]}}"#, r#""":{"":[]}"#),
    ("/wxa/servicemarket", r#"{"-0":-0,"big":1e40}"#, r#""-0":-0,"big":1e40"#),
    ("/wxaapi/log/jserr_list", r#"{"a":"\u0000\t"}"#, r#""a":"\u0000\t""#),
    ("/wxaapi/newtmpl/addtemplate", r#"{"line":"a\r\nb"}"#, r#""line":"a\r\nb""#),
];

async fn gate(fake: &Fake, folder: &tempfile::TempDir) -> Gate {
    let file = folder.path().join("platform.pem");
    std::fs::write(&file, &fake.ready.certificate).expect("written");
    let apps = format!(
        "[[app]]\nname = \"signed\"\nappid = \"{APPID}\"\nsecret = \"{SECRET}\"\nkind = \"mini_program\"\n\
         [app.signing]\naes_key = {{ env = \"SIGNING_KEY\" }}\naes_key_sn = \"{AES_KEY_SN}\"\n\
         private_key = {{ env = \"SIGNING_PEM\" }}\nplatform_certificate = {file:?}\n\
         platform_certificate_sn = \"{}\"\n",
        fake.ready.serial
    );
    Gate::before(sandbox(), Setup { apps, upstream_url: Some(fake.url("")), ..Setup::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_endpoints_are_read_as_they_were_sent() {
    let fake = Fake::start(false);
    let folder = tempfile::tempdir().expect("a folder");
    let gate = gate(&fake, &folder).await;
    for (target, body, members) in CALLS {
        let answer = gate.post(target, body).await;
        assert_eq!((answer.status, answer.errcode()), (200, 0), "{target}: {}", answer.text());
        let text = answer.text();
        let echo = text.strip_prefix(r#"{"errcode":0,"errmsg":"ok","echo":{"#).expect("an echo");
        let (read, _) = echo.split_once(r#""_n":"#).expect("signed");
        let comma = if members.is_empty() { "" } else { "," };
        assert_eq!(read, format!("{members}{comma}"), "{target}");
    }
    let stats = fake.stats().await;
    assert_eq!((&stats["errors"], &stats["repeated_nonces"]), (&json!({}), &json!(0)), "{stats}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_a_mebibyte_comes_back_whole_and_a_dead_token_is_replaced() {
    let fake = Fake::start(false);
    let folder = tempfile::tempdir().expect("a folder");
    let gate = gate(&fake, &folder).await;
    let long = "中".repeat((1 << 20) / 3);
    let body = json!({ "text": long }).to_string();
    fake.rotate().await;
    let answer = gate.post("/wxa/msg_sec_check", body).await;
    assert_eq!(answer.errcode(), 0);
    let answer: Value = answer.json();
    assert_eq!(answer["echo"]["text"], long);
    let stats = fake.stats().await;
    assert_eq!(stats["repeated_nonces"], 0, "{stats}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_get_is_not_signed() {
    let fake = Fake::start(false);
    let folder = tempfile::tempdir().expect("a folder");
    let gate = gate(&fake, &folder).await;
    let answer = Answer::of(gate.client.get(gate.url("/cgi-bin/express/business/account/getall"))).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}
