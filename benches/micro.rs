//! What the proxy itself does for each request, without sockets.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use wxgate::message::credential::CredentialParam;
use wxgate::message::query::{self, MayHold};
use wxgate::secret::Secret;
use wxgate::wechat::placeholder::{self, Claims, StandsFor};
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

criterion_group!(benches, query_rewrite, errcode_scan, route, placeholder_verify);
criterion_main!(benches);
