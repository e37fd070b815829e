//! Every form of an error that was seen in the wild.

use http_body_util::Full;
use serde_json::Value;
use wxgate::sandbox::{VARIANTS, Variant};

use super::client::{Caller, Reply};

const DEAD: &str = "/cgi-bin/user/get?access_token=89_a-token-that-nobody-ever-issued";

async fn rejected(caller: &Caller, variant: Variant, accept_encoding: Option<&str>) -> Reply {
    caller.sandbox.change(|settings| settings.error_variant = variant);
    let mut request = caller.request("GET", DEAD);
    if let Some(value) = accept_encoding {
        request = request.header("accept-encoding", value);
    }
    caller.send(request.body(Full::default()).expect("a request")).await.expect("an answer")
}

#[tokio::test]
async fn every_variant_is_a_200_that_says_40001_and_is_named() {
    let caller = Caller::new();
    let names = caller.get("/sandbox/variants").await.json();
    assert_eq!(names.as_array().map(Vec::len), Some(VARIANTS.len()));
    for variant in VARIANTS {
        assert!(names.as_array().expect("a list").contains(&serde_json::to_value(variant).expect("a name")));
        let reply = rejected(&caller, *variant, None).await;
        assert_eq!(reply.status, 200, "{variant:?}");
        assert!(reply.text().contains("40001"), "{variant:?}: {}", reply.text());
        assert_eq!(reply.header("content-encoding"), None, "{variant:?}: gzip only to those who take it");
        if *variant != Variant::NoRetHeaders {
            assert_eq!((reply.header("retkey"), reply.header("logicret")), (Some("11"), Some("40001")));
        }
    }
}

#[tokio::test]
async fn the_plain_variant_is_the_captured_one_to_the_byte() {
    let caller = Caller::new();
    let reply = rejected(&caller, Variant::Plain, None).await;
    assert_eq!(reply.body.len(), 215);
    assert_eq!(reply.header("content-length"), Some("215"));
    assert_eq!(reply.header("content-type"), Some("application/json; encoding=utf-8"));
    let text = reply.json()["errmsg"].as_str().expect("a text").to_owned();
    let (_, rid) = text.rsplit_once(" rid: ").expect("a rid");
    let groups: Vec<&str> = rid.split('-').collect();
    assert!(groups.len() == 3 && groups.iter().all(|group| group.len() == 8), "{rid}");
    let seconds = i64::from_str_radix(groups[0], 16).expect("hex");
    assert!((caller.sandbox.now() / 1000 - seconds).abs() < 100, "{rid}");
}

#[tokio::test]
async fn variants_differ_in_where_and_how_the_code_stands() {
    let caller = Caller::new();
    let text = rejected(&caller, Variant::StringCode, None).await.text();
    assert!(text.starts_with(r#"{"errcode":"40001","#), "{text}");
    let text = rejected(&caller, Variant::Spaced, None).await.text();
    assert!(text.starts_with("{\n  \"errcode\" : 40001,\n  \"errmsg\" :  \""), "{text}");
    assert_eq!(rejected(&caller, Variant::Nested, None).await.json()["base_resp"]["errcode"], 40001);
    let text = rejected(&caller, Variant::CodeLast, None).await.text();
    assert!(text.starts_with(r#"{"errmsg":"#) && text.ends_with(r#","errcode":40001}"#), "{text}");
    let json = rejected(&caller, Variant::NestedDecoy, None).await.json();
    assert_eq!((&json["detail"]["errcode"], &json["errcode"]), (&Value::from(0), &Value::from(40001)));
    let json = rejected(&caller, Variant::QuotedDecoy, None).await.json();
    assert!(json["errmsg"].as_str().is_some_and(|text| text.starts_with(r#"{"errcode":0"#)), "{json}");
    assert_eq!(rejected(&caller, Variant::ShortText, None).await.body.len(), 118);
    let json = rejected(&caller, Variant::HintText, None).await.json();
    assert!(json["errmsg"].as_str().is_some_and(|text| text.contains(" hint: [")), "{json}");
}

#[tokio::test]
async fn variants_differ_in_what_they_call_themselves() {
    let caller = Caller::new();
    for (variant, content_type) in [
        (Variant::CharsetUtf8, Some("application/json; charset=utf-8")),
        (Variant::BareType, Some("application/json")),
        (Variant::TextPlain, Some("text/plain")),
        (Variant::ImageJpeg, Some("image/jpeg")),
        (Variant::NoType, None),
    ] {
        assert_eq!(rejected(&caller, variant, None).await.header("content-type"), content_type);
    }
    let reply = rejected(&caller, Variant::NoRetHeaders, None).await;
    assert_eq!((reply.header("retkey"), reply.header("logicret")), (None, None));
    assert_eq!(rejected(&caller, Variant::Close, None).await.header("connection"), Some("close"));
}

#[tokio::test]
async fn variants_differ_in_framing() {
    let caller = Caller::new();
    for variant in [Variant::Chunked, Variant::Dribble, Variant::GzipChunked] {
        let reply = rejected(&caller, variant, None).await;
        assert_eq!(reply.header("transfer-encoding"), Some("chunked"), "{variant:?}");
        assert_eq!(reply.errcode(), 40001);
    }
    for variant in [Variant::Gzip, Variant::GzipChunked] {
        let reply = rejected(&caller, variant, Some("deflate, gzip;q=0.5")).await;
        assert_eq!(reply.header("content-encoding"), Some("gzip"));
        let plain: Value =
            serde_json::from_reader(flate2::read::GzDecoder::new(&*reply.body)).expect("JSON in gzip");
        assert_eq!(plain["errcode"], 40001);
        assert_eq!(rejected(&caller, variant, Some("gzip;q=0, br")).await.header("content-encoding"), None);
    }
}

#[tokio::test]
async fn some_variants_are_no_valid_json() {
    let caller = Caller::new();
    for (variant, broken) in [
        (Variant::ControlCharacters, &b"\x01"[..]),
        (Variant::InvalidUtf8, b"\xff\xfe"),
        (Variant::Bom, b"\xef\xbb\xbf"),
    ] {
        let reply = rejected(&caller, variant, None).await;
        assert!(serde_json::from_slice::<Value>(&reply.body).is_err(), "{variant:?}");
        assert!(memchr::memmem::find(&reply.body, broken).is_some(), "{variant:?}");
        assert!(memchr::memmem::find(&reply.body, b"\"errcode\":40001").is_some(), "{variant:?}");
    }
}

#[tokio::test]
async fn a_variant_leaves_success_alone() {
    let caller = Caller::new();
    caller.sandbox.change(|settings| settings.error_variant = Variant::Nested);
    let token = caller.token().await;
    let reply = caller.get(&format!("/cgi-bin/user/get?access_token={token}")).await;
    assert_eq!(reply.json()["total"], 2);
    assert_eq!(reply.header("content-type"), Some("application/json; encoding=utf-8"));
}
