//! What a platform can learn nowhere else goes through, and the refresh tokens in it stay here.

use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use wxgate::observe::clock::Clock;
use wxgate::sandbox::{Action, Authorizer, Fault, Kind, Target};
use wxgate::store::{self, Location, Record, Store};

use super::bad_input::wire::logged;
use super::canned::Canned;
use super::platform::{
    AUTHORIZER_TOKEN, COMPONENT, KEY, Platform, appid, log_in, post, record, refresh_token, save,
    save_ticket, tables,
};
use crate::harness::{Answer, Gate, Setup, caller};

const INFO: &str = "/cgi-bin/component/api_get_authorizer_info";
const LIST: &str = "/cgi-bin/component/api_get_authorizer_list";

fn key(number: usize) -> String {
    format!("refresh_token:{COMPONENT}:{}", appid(number))
}

/// What an SDK does with a refresh token: it fetches the account's token, and calls with that.
async fn act_for(gate: &Gate, placeholder: &str, number: usize, refresh_token: &Value) {
    assert!(refresh_token.as_str().is_some_and(|text| text.starts_with("wxgate-")), "{refresh_token}");
    let body = json!({
        "component_appid": COMPONENT, "authorizer_appid": appid(number), "authorizer_refresh_token": refresh_token,
    });
    let path = format!("{AUTHORIZER_TOKEN}?component_access_token={placeholder}");
    let answer = post(gate, &path, &body).await;
    let token = answer.json()["authorizer_access_token"].as_str().expect("a placeholder").to_owned();
    let user = gate.get(&format!("/cgi-bin/user/info?access_token={token}&openid=o{number}")).await;
    assert_eq!(user.errcode(), 0, "{}", user.text());
    let real = gate.sandbox.token(&appid(number), Kind::Authorizer).expect("a token");
    let queries: Vec<_> = gate.journal("/cgi-bin/user/info").into_iter().map(|entry| entry.query).collect();
    assert!(queries.contains(&format!("access_token={real}&openid=o{number}")), "{queries:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_platform_lists_its_accounts_and_acts_for_those_that_the_store_lacked() {
    const ACCOUNTS: usize = 500;
    const KNOWN: usize = 3;
    let callers = caller("crm", &[KEY], &["tenants"], "");
    let platform = Platform::with(KNOWN, &callers).await;
    let gate = &platform.gate;
    for number in KNOWN..ACCOUNTS {
        gate.sandbox.authorize(Authorizer::new(COMPONENT, appid(number), refresh_token(number)));
    }
    // WeChat may show an older one than the store has, and one whose authorisation was taken back
    // and given again.
    save(&platform.store, &key(0), &record("canary-newer", 2)).await;
    save(&platform.store, &key(1), &record("", 2)).await;
    let placeholder = log_in(gate).await;
    let body = json!({ "component_appid": COMPONENT, "offset": 0, "count": 500 });
    let path = format!("{LIST}?component_access_token={placeholder}");
    let answer = post(gate, &path, &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(!answer.text().contains("canary"), "{}", answer.text());
    let told = answer.json();
    assert_eq!(told["total_count"], ACCOUNTS);
    let rows = told["list"].as_array().expect("a list");
    assert_eq!(rows.len(), ACCOUNTS);
    for (number, row) in rows.iter().enumerate() {
        assert_eq!(row["authorizer_appid"], appid(number));
        assert!(row["refresh_token"].as_str().is_some_and(|text| text.starts_with("wxgate-")), "{row}");
        assert!(row["auth_time"].is_u64(), "{row}");
        let expected = if number == 0 { "canary-newer".to_owned() } else { refresh_token(number) };
        assert_eq!(platform.refresh_token(number).await, expected, "{number}");
    }
    let token = gate.sandbox.token(COMPONENT, Kind::Component).expect("a token");
    assert_eq!(gate.only(LIST).query, format!("component_access_token={token}"));
    for number in [1, 2, 3, 499] {
        act_for(gate, &placeholder, number, &rows[number]["refresh_token"]).await;
    }
    // WeChat still takes what was taken in, and saw no placeholder.
    for entry in gate.sandbox.journal(None) {
        assert!(!format!("{entry:?}").contains("wxgate-"), "{entry:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_platform_learns_of_one_account_and_acts_for_it() {
    let callers = caller("crm", &[KEY], &["tenants"], "allow = [\"/cgi-bin/**\"]");
    let platform = Platform::with(0, &callers).await;
    let gate = &platform.gate;
    let placeholder = log_in(gate).await;
    let path = format!("{INFO}?component_access_token={placeholder}");
    let body = json!({ "component_appid": COMPONENT, "authorizer_appid": appid(7) });
    // Before the account authorised the platform, WeChat's word goes on.
    let answer = post(gate, &path, &body).await;
    assert_eq!((answer.status, answer.errcode()), (200, 61003), "{}", answer.text());
    gate.sandbox.authorize(Authorizer::new(COMPONENT, appid(7), refresh_token(7)));
    // However it is compressed or cut up, and although the platform's token has died.
    gate.sandbox.fault(Fault::new(Action::Gzip).path(INFO));
    gate.sandbox.fault(Fault::new(Action::Chunked).path(INFO));
    gate.sandbox.rotate(Target { appid: Some(COMPONENT.into()), ..Target::default() });
    let request = gate.client.post(gate.url(&path)).header("accept-encoding", "gzip").body(body.to_string());
    let answer = Answer::of(request).await;
    assert!(!answer.text().contains("canary") && answer.header("content-encoding").is_none(), "{answer:?}");
    let told = answer.json();
    assert_eq!(told["authorizer_info"]["nick_name"], "测试号");
    assert_eq!(told["authorization_info"]["authorizer_appid"], appid(7));
    assert_eq!(platform.refresh_token(7).await, refresh_token(7));
    act_for(gate, &placeholder, 7, &told["authorization_info"]["authorizer_refresh_token"]).await;
    // Nobody else may call it.
    let stranger = Answer::of(gate.client.post(gate.url(INFO)).body("{}")).await;
    assert_eq!(stranger.refusal().1, "caller_unknown", "{}", stranger.text());
}

/// A platform without callers before a WeChat that answers with the very bytes that a test gives
/// it.
async fn canned() -> (Canned, Gate, Store, tempfile::TempDir) {
    canned_with("").await
}

async fn canned_with(upstream: &str) -> (Canned, Gate, Store, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let location = Location::File(folder.path().to_owned());
    let store = Store::open(&store::Options { location, seal: None }).await.expect("a store");
    save_ticket(&store).await;
    let apps = tables(&format!("file:{}", folder.path().display()), "");
    let (canned, gate) = Canned::gate(Setup { apps, upstream: upstream.into(), ..Setup::default() }).await;
    (canned, gate, store, folder)
}

async fn ask(gate: &Gate) -> Answer {
    gate.post(&format!("/@tenants{INFO}"), "{}").await
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

#[tokio::test(flavor = "multi_thread")]
async fn all_but_refresh_tokens_goes_on_byte_for_byte() {
    let (canned, gate, store, _folder) = canned().await;
    let before = "\u{feff} {\"b\":1.50e+02 , \"a\":[ {\"x\":\"\\u6d4b\\/\", \"authorizer_appid\":\"wxa000000000000001\",\n\
                  \"refresh\\u005ftoken\" :";
    let between = ",\"z\":\"raw\u{1}control\"}], \"A\":null,\"a\":\"\",\"authorizer_refresh_token\":";
    let after = " , \"n\":12345678901234567890}\r\n";
    let text = format!("{before}\"canary-a\\/b\"{between}\"canary-nobodys\"{after}");
    for gzipped in [false, true] {
        match gzipped {
            false => canned.answer_with("Content-Type: application/json; encoding=utf-8\r\n", &text),
            true => canned.answer_with("Content-Encoding: gzip\r\n", gzip(text.as_bytes())),
        }
        let answer = ask(&gate).await;
        let body = answer.text();
        assert!(answer.status == 200 && !body.contains("canary"), "{body}");
        let rest = body.strip_prefix(&format!("{before}\"wxgate-")).unwrap_or_else(|| panic!("{body}"));
        let (_, rest) = rest.split_once('"').expect("the end of a placeholder");
        let rest = rest.strip_prefix(&format!("{between}\"wxgate-")).unwrap_or_else(|| panic!("{body}"));
        assert_eq!(rest.split_once('"').expect("the end of a placeholder").1, after);
        assert_eq!(answer.header("content-length"), Some(body.len().to_string().as_str()));
    }
    let kept = store.load(&key(1)).await.expect("the store works").expect("taken in");
    assert_eq!(kept.value.expose(), "canary-a/b");
    // What has none goes on as it came.
    for plain in [
        "{ \"errcode\" : 61007, \"errmsg\":\"x\" }",
        "{\"authorizer_refresh_token\":null}",
        "{\"refresh_token\":\"\" }",
    ] {
        canned.answer_with("", plain);
        assert_eq!(ask(&gate).await.text(), plain);
    }
    let gzipped = gzip(b"{\"errcode\":-1}");
    canned.answer_with("Content-Encoding: gzip\r\n", &gzipped);
    assert_eq!(ask(&gate).await.body, gzipped);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_in_which_refresh_tokens_cannot_be_told_from_the_rest_does_not_go_on() {
    let (canned, gate, store, _folder) = canned().await;
    let token = "\"authorizer_appid\":\"wxa000000000000001\",\"refresh_token\":\"canary\"";
    let long = |length: usize| format!("{{{token},\"x\":\"{}\"}}", "y".repeat(length));
    let fits = 1024 * 1024 - long(0).len();
    for (headers, body) in [
        ("", format!("<xml>{token}</xml>").into_bytes()),
        ("", format!("[{{{token}}}]").into_bytes()),
        ("", format!("{{{token}").into_bytes()),
        ("", format!("{{{token}}}{{}}").into_bytes()),
        ("", format!("{{'a':'b',{token}}}").into_bytes()),
        ("", b"{\"refresh_token\":[\"canary\"]}".to_vec()),
        ("", long(fits + 1).into_bytes()),
        ("Content-Encoding: gzip\r\n", gzip(long(fits + 1).as_bytes())),
        ("Content-Encoding: gzip\r\n", gzip(long(1).as_bytes())[..40].to_vec()),
        ("Content-Encoding: gzip\r\n", long(1).into_bytes()),
        ("Content-Encoding: gzip\r\n", [gzip(b"{}"), gzip(long(1).as_bytes())].concat()),
        ("Content-Encoding: br\r\n", long(1).into_bytes()),
        ("Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n", gzip(&gzip(long(1).as_bytes()))),
        ("Content-Disposition: attachment; filename=\"a\"\r\n", format!("a,{token}").into_bytes()),
    ] {
        canned.answer_with(headers, &body);
        let answer = ask(&gate).await;
        let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
        assert_eq!(
            answer.refusal(),
            (502, "upstream_failed", -70502),
            "{headers} {shown}: {}",
            answer.text()
        );
        assert!(answer.text().contains("may contain refresh tokens"), "{}", answer.text());
    }
    for status in ["500 Oops", "302 Found", "404 Not Found"] {
        let body = format!("<xml>{token}</xml>");
        canned.answer(format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        ));
        assert_eq!(ask(&gate).await.refusal(), (502, "upstream_failed", -70502), "{status}");
        let body = format!("{{{token}}}");
        canned.answer(format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        ));
        let answer = ask(&gate).await;
        assert!(
            answer.text().contains("\"wxgate-") && !answer.text().contains("canary"),
            "{}",
            answer.text()
        );
    }
    // The longest that goes on, with its length and without.
    let longest = long(fits);
    canned.answer_with("", &longest);
    assert!(ask(&gate).await.text().contains("\"wxgate-"));
    canned.answer(format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{longest}"));
    let answer = ask(&gate).await;
    assert!(answer.text().contains("\"wxgate-") && !answer.text().contains("canary"), "{}", answer.status);
    assert_eq!(
        store.load(&key(1)).await.expect("the store works").expect("taken in").value.expose(),
        "canary"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authorisation_that_was_taken_back_while_wechat_answered_stays_so() {
    let (canned, gate, store, _folder) = canned().await;
    let in_an_hour = Clock::default().now().plus(Duration::from_secs(3600));
    let later = Record { fetched_at: in_an_hour, ..record("", 3) };
    save(&store, &key(1), &later).await;
    canned.answer_with("", "{\"appid\":\"wxa000000000000001\",\"refresh_token\":\"canary\"}");
    assert!(ask(&gate).await.text().contains("\"wxgate-"));
    assert_eq!(store.load(&key(1)).await.expect("the store works").expect("there is one").value.expose(), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_awaited_whole_is_given_up_after_the_response_timeout() {
    let (canned, gate, _store, _folder) = canned_with("response_timeout = \"300ms\"").await;
    canned.answer("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"refresh_token\":");
    canned.hang();
    let answer = ask(&gate).await;
    assert_eq!(answer.refusal(), (504, "upstream_timeout", -70504), "{}", answer.text());
    let line = logged(&gate, |line| line["path"] == format!("/@tenants{INFO}")).await;
    assert!(
        line["cause"].as_str().is_some_and(|cause| cause.contains("was not complete within 300ms")),
        "{line}"
    );
}
