//! What accounts that a platform acts for have besides their tokens: tickets, signatures, and what
//! WeChat says of their quotas.

use std::time::Duration;

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use serde_json::Value;
use wxgate::sandbox::{Action, Callback, Fault, Kind, PlatformEvent};

use super::platform::{AUTHORIZER_TOKEN, COMPONENT, Platform, appid, record, save};
use crate::harness::{ADMIN_TOKEN, Answer, Gate, at_once};
use crate::until::{found, until};

const TICKET: &str = "/cgi-bin/ticket/getticket";
const PAGE: &str = "https://shop.example.com/";
const SIGN: &str = "wxgate/jssdk/signature?url=https%3A%2F%2Fshop.example.com%2F";

/// A platform with accounts, whose pages are signed.
async fn signing(accounts: usize) -> Platform {
    Platform::with(accounts, "jssdk_hosts = [\"shop.example.com\"]\n").await
}

fn sha1(text: &str) -> String {
    let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn assert_signed(signed: &Value, appid: &str, ticket: &str) {
    assert_eq!(signed["appId"], appid, "{signed}");
    let (nonce, timestamp) = (signed["nonceStr"].as_str().expect("a nonce"), &signed["timestamp"]);
    let text = format!("jsapi_ticket={ticket}&noncestr={nonce}&timestamp={timestamp}&url={PAGE}");
    assert_eq!(signed["signature"], sha1(&text), "{signed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accounts_ticket_is_fetched_once_with_its_token_and_signs_its_pages() {
    let platform = signing(2).await;
    let gate = &platform.gate;
    let path = format!("/@{}{TICKET}?access_token=mine&type=jsapi", appid(0));
    let answers = at_once(30, |_| Answer::of(gate.client.get(gate.url(&path)))).await;
    let first = answers[0].json();
    assert_eq!(first["errcode"], 0, "{first}");
    assert!(answers.iter().all(|answer| answer.json()["ticket"] == first["ticket"]));
    let token = gate.sandbox.token(&appid(0), Kind::Authorizer).expect("a token");
    assert_eq!(gate.only(TICKET).query, format!("type=jsapi&access_token={token}"));
    let ticket = first["ticket"].as_str().expect("a ticket");

    // By both of its names.
    for name in [appid(0), format!("{}@{COMPONENT}", appid(0))] {
        assert_signed(&gate.get(&format!("/@{name}/{SIGN}")).await.json(), &appid(0), ticket);
    }
    assert_eq!(gate.journal(TICKET).len(), 1);

    // Another account's and another kind's are others.
    let other = gate.get(&format!("/@{}/{SIGN}", appid(1))).await.json();
    assert_eq!(other["appId"], appid(1));
    let card = gate.get(&format!("/@{}{TICKET}?type=wx_card", appid(0))).await.json();
    assert!(card["ticket"].is_string() && card["ticket"] != first["ticket"], "{card}");
    assert_eq!((gate.journal(TICKET).len(), gate.journal(AUTHORIZER_TOKEN).len()), (3, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accounts_ticket_is_shared_through_the_store_under_its_platforms_name() {
    let platform = signing(1).await;
    let key = format!("jsapi_ticket:{COMPONENT}:{}", appid(0));
    let now = platform.gate.clock.now();
    let others = wxgate::store::Record {
        fetched_at: now,
        expires_at: now.plus(Duration::from_secs(3_600)),
        ..record("canary-ticket-of-a-replica", 1)
    };
    save(&platform.store, &key, &others).await;
    let path = format!("/@{}{TICKET}?type=jsapi", appid(0));
    let answer = platform.gate.get(&path).await.json();
    assert_eq!(answer["ticket"], "canary-ticket-of-a-replica");
    assert!(platform.gate.journal(TICKET).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accounts_dead_token_is_replaced_for_its_ticket() {
    let platform = signing(1).await;
    let gate = &platform.gate;
    let user = format!("/@{}/cgi-bin/user/info?openid=o", appid(0));
    assert_eq!(gate.get(&user).await.errcode(), 0);
    gate.sandbox.rotate(&appid(0));
    let answer = gate.get(&format!("/@{}/{SIGN}", appid(0))).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!((gate.journal(AUTHORIZER_TOKEN).len(), gate.journal(TICKET).len()), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_without_tickets_is_told_what_wechat_said() {
    let platform = signing(1).await;
    let gate = &platform.gate;
    gate.sandbox.fault(Fault::new(Action::Errcode { errcode: 48001, errmsg: None }).path(TICKET));
    let answer = gate.get(&format!("/@{}/{SIGN}", appid(0))).await;
    assert_eq!(answer.refusal().1, "token_unavailable");
    assert!(answer.text().contains("48001"), "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_left_has_no_signature_any_more() {
    let (token, aes_key) = ("token", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG");
    let callback = format!(
        "jssdk_hosts = [\"shop.example.com\"]\ncallback_token = \"{token}\"\n\
         callback_aes_key = \"{aes_key}\"\n[callback]\nlisten = [\"127.0.0.1:0\"]\n"
    );
    let platform = Platform::with(1, &callback).await;
    let gate = &platform.gate;
    let path = format!("/@{}/{SIGN}", appid(0));
    assert_eq!(gate.get(&path).await.status, 200);
    let url = format!("http://{}/callback/tenants", gate.running.callback_addresses()[0]);
    let (appid, token, aes_key) = (COMPONENT.into(), token.into(), aes_key.into());
    gate.sandbox.set_callback(Callback { appid, url, token, aes_key }).expect("an address");
    let left = PlatformEvent::Unauthorized { authorizer_appid: super::platform::appid(0) };
    let told = gate.sandbox.occur(COMPONENT, left).expect("it happens");
    // A machine with its hands full may be too slow for it once.
    let taken = async || {
        let receipt = gate.sandbox.push(COMPONENT, &told).await.expect("pushed").expect("a callback");
        (receipt.status, &*receipt.body) == (200, "success")
    };
    until(|| "a push that is taken", taken).await;
    let answer = gate.get(&path).await;
    assert_eq!(answer.refusal().1, "token_unavailable");
    assert!(answer.text().contains("revoked"), "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_signed_by_the_platforms_hosts_alone() {
    let platform = signing(1).await;
    let other = format!("/@{}/wxgate/jssdk/signature?url=https%3A%2F%2Fother.example.com%2F", appid(0));
    assert_eq!(platform.gate.get(&other).await.refusal().1, "caller_forbidden");
    // The platform itself is no account that has pages.
    let answer = platform.gate.get(&format!("/@tenants/{SIGN}")).await;
    assert_eq!(answer.refusal().1, "bad_request", "{}", answer.text());
    assert!(answer.text().contains("/@APPID/"), "{}", answer.text());
    let without = Platform::with(1, "").await;
    let answer = without.gate.get(&format!("/@{}/{SIGN}", appid(0))).await;
    assert_eq!(answer.refusal().1, "endpoint_forbidden");
    assert!(answer.text().contains("jssdk_hosts"), "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_tickets_are_one_series_whatever_their_number() {
    let platform = signing(3).await;
    for number in 0..3 {
        assert_eq!(platform.gate.get(&format!("/@{}/{SIGN}", appid(number))).await.status, 200);
    }
    let metrics = platform.gate.metrics().await;
    let series: Vec<_> = metrics.lines().filter(|line| line.contains("kind=\"jsapi_ticket\"")).collect();
    let fetched = series.iter().filter(|line| line.starts_with("wxgate_token_refresh_total{app=\"tenants\""));
    let fetched: Vec<_> = fetched.filter(|line| line.ends_with(" 3")).collect();
    assert!(fetched.len() == 1 && !metrics.contains(&appid(0)), "{series:?}");
}

const ASK: &str = "/cgi-bin/openapi/quota/get";
const INFO: &str = "/cgi-bin/user/info";

/// What `/api/v1/quota` says of accounts.
async fn quotas(gate: &Gate) -> Vec<Value> {
    let request = gate.client.get(gate.admin_url("/api/v1/quota")).bearer_auth(ADMIN_TOKEN);
    let answer = Answer::of(request).await.json();
    answer["accounts"].as_array().expect("a list").clone()
}

/// Has the clock run until `check` holds of what is said of accounts.
async fn told(gate: &Gate, what: &str, check: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let mut seconds = 0;
    let look = async || {
        let told = quotas(gate).await;
        if check(&told) {
            return Some(told);
        }
        if seconds < 60 {
            seconds += 1;
            gate.clock.advance(1_000);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        None
    };
    found(|| what, look).await
}

async fn call(gate: &Gate, account: usize, times: usize) {
    for _ in 0..times {
        let answer = gate.get(&format!("/@{}{INFO}?openid=o", appid(account))).await;
        assert_eq!(answer.errcode(), 0, "{}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accounts_quota_is_asked_for_with_its_own_token() {
    let platform = Platform::with(2, "").await;
    let gate = &platform.gate;
    gate.sandbox.daily_limit(INFO, 1_000);
    call(gate, 0, 3).await;
    call(gate, 1, 1).await;
    let is_asked = |account: &Value| account["endpoints"][0]["limit"] == 1_000;
    let told = told(gate, "figures of both", |told| told.len() == 2 && told.iter().all(is_asked)).await;
    for (account, calls) in told.iter().zip([3, 1]) {
        let endpoint = &account["endpoints"][0];
        assert_eq!((&account["app"], &account["problem"]), (&"tenants".into(), &Value::Null));
        assert_eq!((&account["calls_today"], &endpoint["used"]), (&calls.into(), &calls.into()), "{account}");
        assert_eq!(endpoint["remaining"], 1_000 - calls);
    }
    let tokens: Vec<_> =
        (0..2).map(|number| gate.sandbox.token(&appid(number), Kind::Authorizer).expect("a token")).collect();
    let asked: Vec<_> = gate.journal(ASK).into_iter().filter_map(|entry| entry.access_token).collect();
    assert!(asked.len() == 2 && tokens.iter().all(|token| asked.contains(token)), "{asked:?}");
    // What was let through since is added.
    call(gate, 1, 4).await;
    let told = quotas(gate).await;
    assert_eq!((&told[0]["account"], &told[0]["endpoints"][0]["used"]), (&appid(1).into(), &5.into()));

    let metrics = gate.metrics().await;
    for line in [
        format!("wxgate_account_calls_today{{app=\"tenants\",account=\"{}\"}} 5\n", appid(1)),
        format!(
            "wxgate_account_quota_remaining{{app=\"tenants\",account=\"{}\",endpoint=\"{INFO}\"}} 997\n",
            appid(0)
        ),
    ] {
        assert!(metrics.contains(&line), "{line} is missing in\n{metrics}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_refuses_is_asked_once_a_day() {
    let platform = Platform::with(1, "").await;
    let gate = &platform.gate;
    gate.sandbox.fault(Fault::new(Action::Errcode { errcode: 61007, errmsg: None }).path(ASK));
    call(gate, 0, 1).await;
    let refused = |told: &[Value]| told.first().is_some_and(|account| account["problem"].is_string());
    let told = told(gate, "a problem", refused).await;
    assert!(told[0]["problem"].as_str().is_some_and(|problem| problem.contains("61007")), "{told:?}");
    for _ in 0..5 {
        gate.clock.advance(600_000);
        gate.sandbox.advance(600_000);
        call(gate, 0, 1).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(gate.journal(ASK).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_busiest_fifty_accounts_are_asked_about_and_labelled() {
    let platform = Platform::with(52, "").await;
    let gate = &platform.gate;
    for account in 0..52 {
        call(gate, account, if account < 2 { 1 } else { 2 }).await;
    }
    let asked = |told: &[Value]| told.iter().all(|account| account["endpoints"][0]["asked_at"].is_string());
    let told = told(gate, "figures of fifty", |told| told.len() == 50 && asked(told)).await;
    assert!(told.iter().all(|account| account["account"] != appid(0) && account["account"] != appid(1)));
    assert_eq!(gate.journal(ASK).len(), 50);
    let metrics = gate.metrics().await;
    let calls: Vec<_> =
        metrics.lines().filter(|line| line.starts_with("wxgate_account_calls_today{")).collect();
    assert_eq!(calls.len(), 51);
    assert!(calls.contains(&"wxgate_account_calls_today{app=\"tenants\",account=\"other\"} 2"), "{calls:?}");
}
