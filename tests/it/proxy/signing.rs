//! Accounts that switched on API security: callers send and get plain JSON.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::task::JoinSet;
use wxgate::sandbox::{
    Action, CertificateInForce, Defect, Entry, Fault, PLATFORM_CERTIFICATES, SignedEndpoints, Signing,
};

use super::alerts::{Robot, alert};
use super::bad_input::wire::{Scripted, TOKEN, read_body};
use crate::harness::{APPID, Answer, Gate, Setup, sandbox};
use crate::signed_call::{AES_KEY, AES_KEY_SN, PUBLIC_KEY};
use crate::until::until;

const RISK: &str = "/wxa/getuserriskrank";

/// What the sandbox demands of the shop.
fn demand() -> Signing {
    Signing::new(APPID, AES_KEY, AES_KEY_SN, PUBLIC_KEY)
}

/// The shop with these certificates of the sandbox's, and more keys of its signing.
fn shop(certificates: &[usize], more: &str) -> String {
    let file = |index: &usize| {
        let name = ["first", "second"][*index];
        format!("{}/src/sandbox/signing/platform/{name}.crt", env!("CARGO_MANIFEST_DIR"))
    };
    let files: Vec<String> = certificates.iter().map(file).collect();
    let serials: Vec<&str> = certificates.iter().map(|index| PLATFORM_CERTIFICATES[*index].serial).collect();
    format!(
        "{}[app.signing]\naes_key = {{ env = \"SIGNING_KEY\" }}\naes_key_sn = \"{AES_KEY_SN}\"\n\
         private_key = {{ env = \"SIGNING_PEM\" }}\nplatform_certificate = {files:?}\n\
         platform_certificate_sn = {serials:?}\n{more}\n",
        crate::harness::SHOP
    )
}

/// A proxy for a shop that signs, before a WeChat that demands it.
async fn gate(demand: Signing, more: &str) -> Gate {
    let sandbox = sandbox();
    sandbox.demand_signing(demand).expect("good keys");
    Gate::before(sandbox, Setup { apps: shop(&[0], more), ..Setup::default() }).await
}

/// What reached WeChat by the latest request for `path`.
fn seen(gate: &Gate, path: &str) -> Entry {
    gate.journal(path).pop().expect("a request")
}

fn counted(outcome: &str) -> String {
    format!("wxgate_signed_total{{app=\"shop\",outcome=\"{outcome}\"}}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_request_is_signed_on_its_way_and_its_response_comes_in_clear() {
    let gate = gate(demand(), "").await;
    let body =
        r#"{ "openid": "o1", "n": 12345678901234567890.10, "text": "中\u4e2d\n", "deep": {"a": [1, null]} }"#;
    let answer = gate.post(&format!("{RISK}?client_ip=1.2.3.4&q=%E4%B8%AD"), body).await;
    assert_eq!((answer.status, answer.errcode()), (200, 0), "{}", answer.text());
    for name in ["_n", "_appid", "_timestamp"] {
        assert!(answer.json().get(name).is_none(), "{}", answer.text());
    }
    assert_eq!(answer.header("content-length"), Some(&*answer.body.len().to_string()));
    assert!(!answer.headers.keys().any(|name| name.as_str().starts_with("wechatmp")), "{:?}", answer.headers);

    let entry = seen(&gate, RISK);
    let plain = entry.plaintext.expect("signed");
    let merged =
        format!("{},\"client_ip\":\"1.2.3.4\",\"q\":\"中\",\"_n\":\"", body.trim_end_matches('}').trim_end());
    assert!(plain.starts_with(&merged), "{plain}");
    assert!(entry.query.starts_with("access_token=") && !entry.query.contains('&'), "{}", entry.query);
    assert_eq!(gate.metric(&counted("verified")).await, 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_body_is_an_object_of_the_query_alone() {
    let gate = gate(demand(), "").await;
    let answer = gate.post(&format!("{RISK}?openid=o1"), "").await;
    assert_eq!(answer.errcode(), 0, "{}", answer.text());
    let plain: Value = serde_json::from_str(&seen(&gate, RISK).plaintext.expect("signed")).expect("JSON");
    assert_eq!(plain["openid"], "o1");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_object_is_refused_and_reaches_nobody() {
    let gate = gate(demand(), "").await.settled().await;
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(13 << 20));
    for (query, body, text) in [
        ("", "[1]", "the body is not a JSON object"),
        ("", "a=1", "the body is not a JSON object"),
        ("?a=1", r#"{"a":1}"#, "a is given twice"),
        ("", r#"{"_appid":"x"}"#, "_appid is added by signing"),
        ("?_n=1", "", "_n is added by signing"),
        ("", &*long, "replay.max_body"),
    ] {
        let answer = gate.post(&format!("{RISK}{query}"), body.to_owned()).await;
        let code =
            if body.len() > 100 { (413, "body_too_large", -70413) } else { (400, "bad_request", -70400) };
        assert_eq!(answer.refusal(), code, "{}", answer.text());
        assert!(answer.text().contains(text), "{}", answer.text());
    }
    assert_eq!(gate.journal(RISK).len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn gets_uploads_and_what_a_caller_signs_itself_go_as_they_are() {
    let gate = gate(demand(), "endpoints = \"all\"").await;
    assert_eq!(gate.get("/cgi-bin/user/info?openid=o1").await.errcode(), 0);
    let multipart = [("content-type", "multipart/form-data; boundary=b")];
    let part =
        "--b\r\nContent-Disposition: form-data; name=\"media\"; filename=\"a.jpg\"\r\n\r\nx\r\n--b--\r\n";
    let upload = gate.client.post(gate.url("/cgi-bin/media/upload?type=image"));
    let upload = Answer::of(upload.header(multipart[0].0, multipart[0].1).body(part)).await;
    assert_eq!(upload.errcode(), 0, "{}", upload.text());
    let own = gate.client.post(gate.url(RISK)).header("wechatmp-appid", APPID).body("{\"openid\":\"o1\"}");
    let own = Answer::of(own).await;
    assert!((40230..=40240).contains(&own.errcode()), "WeChat's own word: {}", own.text());
    for path in ["/cgi-bin/user/info", "/cgi-bin/media/upload", RISK] {
        assert_eq!(seen(&gate, path).plaintext, None, "{path}");
    }
    let headers = seen(&gate, RISK).headers;
    assert!(headers.contains(&("wechatmp-appid".to_owned(), APPID.to_owned())), "{headers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn which_endpoints_are_signed_is_for_the_configuration_to_say() {
    let open = Signing { endpoints: SignedEndpoints::All, ..demand() };
    for (more, signed, plain) in [
        ("", RISK, Some("/cgi-bin/menu/create")),
        ("endpoints = \"supported\"", RISK, Some("/cgi-bin/menu/create")),
        ("endpoints = \"all\"", "/cgi-bin/menu/create", None),
        ("endpoints = [\"/cgi-bin/menu/**\"]", "/cgi-bin/menu/create", Some(RISK)),
    ] {
        let gate = gate(open.clone(), more).await;
        let body = r#"{"button":[{"type":"click","name":"News","key":"news"}],"openid":"o1"}"#;
        assert_eq!(gate.post(signed, body).await.errcode(), 0, "{more}");
        assert!(seen(&gate, signed).plaintext.is_some(), "{more}");
        if let Some(plain) = plain {
            assert!(gate.post(plain, body).await.errcode() > 0, "{more}: the sandbox demands it there");
            assert_eq!(seen(&gate, plain).plaintext, None, "{more}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_token_is_replaced_and_the_request_sealed_anew() {
    for encrypt_token_errors in [false, true] {
        let gate = gate(Signing { encrypt_token_errors, ..demand() }, "").await;
        assert_eq!(gate.post(RISK, r#"{"openid":"warm"}"#).await.errcode(), 0);
        gate.sandbox.rotate(APPID);
        let answer = gate.post(RISK, r#"{"openid":"o1"}"#).await;
        assert_eq!(answer.errcode(), 0, "{}", answer.text());
        assert_eq!(answer.header("x-wxgate-replays"), Some("1"));
        let entries = gate.journal(RISK);
        let plain = |entry: &Entry| entry.plaintext.clone().expect("signed");
        let [.., first, second] = &entries[..] else { panic!("{}", entries.len()) };
        assert_ne!(plain(first), plain(second), "another nonce");
        assert_eq!(gate.sandbox.repeated_nonces(APPID), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_verify_is_neither_handed_on_nor_sent_again() {
    let gate = gate(demand(), "").await;
    assert_eq!(gate.post(RISK, r#"{"openid":"warm"}"#).await.errcode(), 0);
    let mut times = 0.0;
    for (defect, why) in [
        (Defect::Clear, "not signed"),
        (Defect::Serial, "not configured"),
        (Defect::Old, "by more than 300 s"),
        (Defect::Iv, "cannot be decrypted"),
        (Defect::Data, "cannot be decrypted"),
        (Defect::Authtag, "cannot be decrypted"),
        (Defect::Signature, "signature is wrong"),
        (Defect::AppidHeader, "another account"),
        (Defect::TimestampHeader, ""),
        (Defect::NoSignature, "lacks the header wechatmp-signature"),
        (Defect::Appid, "another account"),
        (Defect::Timestamp, "by more than 300 s"),
        (Defect::Padding(17 << 20), "longer than 16777216 bytes"),
    ] {
        let before = gate.journal(RISK).len();
        gate.sandbox.fault(Fault::new(Action::SignedAnswer { defect }).times(1));
        let answer = gate.post(RISK, r#"{"openid":"o1"}"#).await;
        assert_eq!(answer.refusal(), (502, "answer_unverified", -70502), "{defect:?}: {}", answer.text());
        let text = answer.text();
        assert!(text.contains("do not send it again") && text.contains(why), "{defect:?}: {text}");
        assert!(!text.contains("risk_rank"), "{defect:?}: {text}");
        assert_eq!(gate.journal(RISK).len(), before + 1, "{defect:?}");
        times += 1.0;
        assert_eq!(gate.metric(&counted("unverified")).await, times, "{defect:?}");
    }
    assert_eq!(gate.post(RISK, r#"{"openid":"o1"}"#).await.errcode(), 0, "all is well again");
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_of_the_signature_and_pictures_come_in_clear() {
    let gate = gate(Signing { aes_key_sn: "another".to_owned(), ..demand() }, "").await;
    let answer = gate.post(RISK, r#"{"openid":"o1"}"#).await;
    assert_eq!((answer.status, answer.errcode()), (200, 40235), "{}", answer.text());
    assert_eq!(gate.metric(&counted("clear")).await, 1.0);

    gate.sandbox.demand_signing(demand()).expect("good keys");
    let picture = gate.post("/wxa/getwxacodeunlimit", r#"{"scene":"a=1"}"#).await;
    assert_eq!(picture.status, 200);
    assert!(
        picture.body.starts_with(b"\xff\xd8") || picture.body.starts_with(b"\x89PNG"),
        "{}",
        picture.text()
    );
    assert!(seen(&gate, "/wxa/getwxacodeunlimit").plaintext.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unsigned_answer_with_another_status_goes_on_without_the_token_and_is_no_rejection() {
    for (status, body) in [
        ("400 Bad Request", format!("<html>{TOKEN}")),
        ("404 Not Found", format!("not found ?access_token={TOKEN}")),
        ("500 Internal Server Error", format!("{{\"errcode\":40001,\"errmsg\":\"{TOKEN}\"}}")),
    ] {
        let wechat = Scripted::start(move |_, head, mut stream| {
            let body = body.clone();
            async move {
                read_body(&mut stream, &head).await;
                let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len());
                let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
                None
            }
        })
        .await;
        let gate = wechat.gate(Setup { apps: shop(&[0], ""), ..Setup::default() }).await;
        let answer = gate.post(RISK, "{}").await;
        assert_eq!(Some(answer.status), status.split(' ').next().and_then(|code| code.parse().ok()));
        assert!(answer.text().contains("***") && !answer.text().contains(TOKEN), "{}", answer.text());
        assert_eq!(wechat.requests(), 1, "{status}");
        wechat.assert_over(&gate).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_refused_body_says_is_quoted_nowhere() {
    let gate = gate(demand(), "").await;
    let answer = gate.post(RISK, format!("\"PLAINTEXT-{}\"", "x".repeat(1000))).await;
    assert_eq!(answer.refusal(), (400, "bad_request", -70400), "{}", answer.text());
    let name = "n".repeat(500);
    let twice = gate.post(&format!("{RISK}?{name}=1&{name}=2"), "").await;
    for text in [answer.text(), twice.text()] {
        assert!(text.len() < 600 && !text.contains("PLAINTEXT"), "{text}");
    }
    assert!(!gate.log.text().contains("PLAINTEXT"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_certificates_fails_no_request() {
    let gate = gate(demand(), "").await;
    let ask = async || gate.post(RISK, r#"{"openid":"o1"}"#).await.errcode();
    assert_eq!(ask().await, 0);
    let with = |certificate| Signing { certificate, ..demand() };
    gate.sandbox.demand_signing(with(CertificateInForce::Changing)).expect("good keys");
    assert_eq!(ask().await, 0, "by the former one");
    gate.reload("", &shop(&[0, 1], "")).await;
    assert_eq!(ask().await, 0, "by the new one");
    gate.sandbox.demand_signing(with(CertificateInForce::Second)).expect("good keys");
    assert_eq!(ask().await, 0, "by the new one alone");
    gate.reload("", &shop(&[1], "")).await;
    assert_eq!(ask().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn wxgates_own_question_for_a_quota_is_signed_too() {
    let gate = gate(demand(), "").await;
    assert_eq!(gate.post(RISK, r#"{"openid":"o1"}"#).await.errcode(), 0);
    let asked = "/cgi-bin/openapi/quota/get";
    gate.clock.advance(60_000);
    until(|| "a question", async || !gate.journal(asked).is_empty()).await;
    let plain: Value = serde_json::from_str(&seen(&gate, asked).plaintext.expect("signed")).expect("JSON");
    assert_eq!(plain["cgi_path"], json!(RISK));
    until(
        || "its answer",
        async || {
            let quota = Answer::of(gate.client.get(gate.admin_url("/api/v1/quota?app=shop"))).await;
            quota.text().contains(RISK)
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_told_when_wechat_begins_to_sign_by_another_certificate_and_before_one_ends() {
    let hook = Robot::start(&[""]).await;
    let sandbox = sandbox();
    let changing = Signing { certificate: CertificateInForce::Changing, ..demand() };
    sandbox.demand_signing(changing).expect("good keys");
    let apps = format!("{}{}", shop(&[0], ""), alert("webhook", &hook, "on = [\"configuration\"]"));
    let gate = Gate::before(sandbox, Setup { apps, ..Setup::default() }).await;
    assert_eq!(gate.post(RISK, r#"{"openid":"o1"}"#).await.errcode(), 0);
    gate.clock.advance(60_000);
    let heard = hook.messages(1).await;
    let notice = &heard[0].body["notices"][0];
    assert_eq!(
        (&notice["topic"], &notice["kind"]),
        (&json!("configuration"), &json!("certificate_announced"))
    );
    let next = PLATFORM_CERTIFICATES[1].serial;
    for language in ["message", "message_zh"] {
        assert!(notice[language].as_str().is_some_and(|text| text.contains(next)), "{notice}");
    }
    // The sandbox's certificates hold for a hundred years.
    gate.clock.advance(100 * 365 * 86_400_000);
    let heard = hook.messages(2).await;
    let notices: Vec<_> =
        heard.iter().flat_map(|heard| heard.body["notices"].as_array().cloned()).flatten().collect();
    let ends = notices.iter().find(|notice| notice["kind"] == "certificate_ends").expect("told");
    assert!(
        ends["message"].as_str().is_some_and(|text| text.contains(PLATFORM_CERTIFICATES[0].serial)),
        "{ends}"
    );
    let announced = notices.iter().filter(|notice| notice["kind"] == "certificate_announced");
    assert_eq!(announced.count(), 1, "once: {notices:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_signed_requests_at_once_are_all_answered_and_share_no_nonce() {
    many(1_000).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a minute: the long form of the one before, in which tokens die"]
async fn ten_thousand_signed_requests_are_all_answered_and_share_no_nonce() {
    many(10_000).await;
}

/// So many of 64 callers, while the token dies every five seconds.
async fn many(requests: usize) {
    let gate = Arc::new(gate(demand(), "").await);
    assert_eq!(gate.post(RISK, r#"{"openid":"warm"}"#).await.errcode(), 0);
    let mut callers = JoinSet::new();
    for caller in 0..64 {
        let gate = Arc::clone(&gate);
        callers.spawn(async move {
            for request in 0..requests.div_ceil(64) {
                let answer = gate.post(RISK, format!("{{\"openid\":\"o{caller}-{request}\"}}")).await;
                assert_eq!(answer.errcode(), 0, "{}", answer.text());
            }
        });
    }
    let (rotating, mut rotations) = (Arc::clone(&gate), JoinSet::new());
    rotations.spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(5)).await;
            rotating.sandbox.rotate(APPID);
        }
    });
    while let Some(caller) = callers.join_next().await {
        caller.expect("no failure");
    }
    assert_eq!(gate.sandbox.repeated_nonces(APPID), 0);
}
