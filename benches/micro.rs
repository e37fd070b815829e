//! What the proxy itself does for each request, without sockets.

#![expect(clippy::expect_used, reason = "a program for people, which ends where its setting fails")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use http::{HeaderMap, HeaderName, HeaderValue};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PSS_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use wxgate::message::credential::CredentialParam;
use wxgate::message::query::{self, MayHold};
use wxgate::observe::clock::Timestamp;
use wxgate::secret::Secret;
use wxgate::wechat::placeholder::{self, Claims, StandsFor};
use wxgate::wechat::signing::{Certificate, Keys, OwnKey, SharedKey, Signed, merge};
use wxgate::wechat::{catalogue, errcode};

/// As long as WeChat's tokens are nowadays.
const TOKEN: &str = "75_QmFzZTY0VXJsU2FmZVRva2VuT2ZPbmVIdW5kcmVkQW5kRmlmdHlDaGFyYWN0ZXJzLXdpdGhfZGFzaGVz-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";

fn query_rewrite(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("query_rewrite");
    let replaced = format!("access_token={TOKEN}&openid=oABCDEFGHIJKLMNOPQRSTUVWXYZ0&lang=zh_CN");
    for (name, query) in [
        ("append", "openid=oABCDEFGHIJKLMNOPQRSTUVWXYZ0&lang=zh_CN"),
        ("replace", replaced.as_str()),
        ("replace_misspelt", "openid=oABCDEFGHIJKLMNOPQRSTUVWXYZ0&lang=zh_CN;Access.Token=x"),
        ("replace_encoded", "%61ccess_token=x&openid=oABCDEFGHIJKLMNOPQRSTUVWXYZ0&name=%E4%BD%A0%E5%A5%BD"),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let (path, query) = (black_box("/cgi-bin/user/info"), black_box(query));
                let token = Some((CredentialParam::AccessToken, black_box(TOKEN)));
                match MayHold::of(query).tokens {
                    true => query::rewrite(path, Some(query), token),
                    false => query::append(path, Some(query), token),
                }
            });
        });
    }
}

fn errcode_scan(criterion: &mut Criterion) {
    let rejected = br#"{"errcode":40001,"errmsg":"invalid credential, access_token is invalid or not latest rid: 630b6db2-67134d6f-09abfa92"}"#;
    let user = br#"{"subscribe":1,"openid":"oABCDEFGHIJKLMNOPQRSTUVWXYZ0","nickname":"","sex":0,"language":"zh_CN","city":"","tagid_list":[128,2],"subscribe_scene":"ADD_SCENE_QR_CODE"}"#;
    let list = format!(
        "{{\"total\":100,\"data\":{{\"openid\":[{}\"o\"]}}}}",
        "\"oABCDEFGHIJKLMNOPQRSTUVWXYZ0\",".repeat(125)
    );
    let batch =
        format!("{{\"list\":[{}{{}}],\"errcode\":0}}", "{\"errcode\":0,\"errmsg\":\"ok\"},".repeat(140));
    let mut group = criterion.benchmark_group("errcode_scan");
    for (name, body) in [
        ("rejected", rejected.as_slice()),
        ("success_without_errcode", user.as_slice()),
        ("4k_without_errcode", list.as_bytes()),
        ("4k_nested_errcodes", batch.as_bytes()),
    ] {
        group.bench_function(name, |bencher| bencher.iter(|| errcode::scan(black_box(body))));
    }
}

fn route(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("route");
    for (name, path) in [
        ("hit", "/cgi-bin/message/template/send"),
        ("normalised", "/cgi-bin/Message/template/send/"),
        ("unknown", "/cgi-bin/unheard_of/endpoint"),
    ] {
        group.bench_function(name, |bencher| bencher.iter(|| catalogue::find(black_box(path)).id));
    }
}

fn placeholder_verify(criterion: &mut Criterion) {
    let secret = Secret::new("0123456789abcdef0123456789abcdef");
    let claims = Claims {
        stands_for: StandsFor::App,
        appid: "wx0123456789abcdef".into(),
        caller: "orders".into(),
        key_digest: [7; 8],
        issued_at: 1_760_000_000,
    };
    let issued = placeholder::issue(&secret, &claims);
    criterion.bench_function("placeholder_parse_and_verify", |bencher| {
        bencher.iter(|| placeholder::parse(black_box(&issued)).is_some_and(|read| read.verify(&secret)));
    });
}

/// A signed request and its response, as WeChat published them: what is done on threads apart, and
/// of it the signature alone.
fn signing(criterion: &mut Criterion) {
    let vectors = include_str!("../tests/tools/signing/signing-vectors.json");
    let vectors: serde_json::Value = serde_json::from_str(vectors).expect("JSON");
    let text = |pointer: &str| vectors.pointer(pointer).and_then(serde_json::Value::as_str).expect("text");
    let certificate = text("/platform_certificate_pem").as_bytes();
    let serial = text("/platform_certificate_sn");
    let own_key = include_bytes!("../tests/tools/signing/app.key");
    let keys = Keys::new(
        text("/appid").into(),
        SharedKey::new(&Secret::new(text("/aes_key")), text("/aes_key_sn")).expect("AES-256"),
        OwnKey::new(own_key).expect("RSA"),
        vec![Certificate::new(certificate, serial).expect("RSA")],
    );
    let seconds = vectors["answer"]["timestamp"].as_i64().expect("seconds");
    let headers: HeaderMap = [
        ("wechatmp-appid", text("/appid")),
        ("wechatmp-timestamp", &seconds.to_string()),
        ("wechatmp-serial", serial),
        ("wechatmp-signature", text("/answer/signature")),
    ]
    .into_iter()
    .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value")))
    .collect();
    let (path, now) = ("/wxa/getuserriskrank", Timestamp(seconds * 1000));
    let body = br#"{"appid":"wxba6223c06417af7b","openid":"oEWzBfmdLqhFS2mTXCo2E4Y9gJAM","scene":0,"client_ip":"127.0.0.1"}"#;

    let mut group = criterion.benchmark_group("signing");
    group.bench_function("merge", |bencher| bencher.iter(|| merge(black_box(body), black_box("a=1"))));
    let fields = merge(body, "").expect("an object");
    group.bench_function("seal", |bencher| bencher.iter(|| keys.seal(path, black_box(&fields), now)));
    let signed = Signed::of(&headers).expect("signed");
    let answer = text("/answer/body").as_bytes();
    group.bench_function("open", |bencher| {
        bencher.iter(|| keys.open(path, signed, black_box(answer), now).expect("WeChat's"));
    });
    let key = PrivateKeyDer::from_pem_slice(own_key).expect("PEM");
    let key = RsaKeyPair::from_pkcs8(key.secret_der()).expect("RSA");
    let mut signature = vec![0; key.public().modulus_len()];
    group.bench_function("rsa_alone", |bencher| {
        bencher.iter(|| key.sign(&RSA_PSS_SHA256, &SystemRandom::new(), black_box(body), &mut signature));
    });
}

criterion_group!(benches, query_rewrite, errcode_scan, route, placeholder_verify, signing);
criterion_main!(benches);
