//! WeChat's own 45009 and 45011: what comes of them for later requests.

use wxgate::observe::clock::Clock;
use wxgate::sandbox::Rate;

use crate::harness::{ADMIN_TOKEN, APPID, Answer, Gate, SHOP, SHOP_AND_GAME, Setup, caller, sandbox};
use crate::until::found;

const INFO: &str = "/cgi-bin/user/info?openid=o";
const PATH: &str = "/cgi-bin/user/info";

/// Noon in Beijing, at the beginning of a minute, so that no window ends while a test runs.
fn noon() -> Clock {
    let clock = Clock::default();
    clock.advance(clock.now().beijing_midnight().0 - 12 * 3_600_000 - clock.now().0);
    clock
}

async fn start(apps: &str) -> Gate {
    let setup = Setup { apps: apps.into(), ..Setup::default() };
    Gate::by(noon(), sandbox(), setup).await.settled().await
}

#[tokio::test]
async fn after_wechats_45009_one_request_a_minute_is_sent_on_until_one_is_taken() {
    let gate = start(SHOP).await;
    gate.sandbox.daily_limit(PATH, 1);
    assert_eq!(gate.get(INFO).await.errcode(), 0);
    let wechats = gate.get(INFO).await;
    assert_eq!((wechats.errcode(), wechats.header("x-wxgate-error")), (45009, None));
    for _ in 0..5 {
        let spared = gate.get(INFO).await;
        assert_eq!(spared.refusal(), (200, "quota_exhausted", 45009));
        let errmsg = spared.json()["errmsg"].to_string();
        assert!(errmsg.contains("WeChat itself refused /cgi-bin/user/info for app shop"), "{errmsg}");
        let retry: u64 = spared.header("retry-after").expect("a time").parse().expect("seconds");
        assert!((11 * 3600..=12 * 3600).contains(&retry), "{retry}");
    }
    assert_eq!(gate.get("/cgi-bin/get_api_domain_ip").await.errcode(), 0, "another endpoint");
    assert_eq!(gate.journal(PATH).len(), 2);
    gate.clock.advance(60_000);
    assert_eq!(gate.get(INFO).await.header("x-wxgate-error"), None, "one is sent on");
    assert_eq!(gate.get(INFO).await.refusal(), (200, "quota_exhausted", 45009));
    assert_eq!(gate.journal(PATH).len(), 3);
    gate.sandbox.daily_limit(PATH, 100);
    gate.clock.advance(60_000);
    for _ in 0..3 {
        assert_eq!(gate.get(INFO).await.errcode(), 0);
    }
    assert_eq!(gate.journal(PATH).len(), 6);
}

#[tokio::test]
async fn after_wechats_45011_one_request_in_five_seconds_is_sent_on_until_the_minute_ends() {
    let gate = start(SHOP).await;
    gate.sandbox.rate_limit(PATH, Rate { call_count: 0, refresh_second: 60 });
    assert_eq!(gate.get(INFO).await.header("x-wxgate-error"), None);
    for _ in 0..5 {
        let spared = gate.get(INFO).await;
        assert_eq!(spared.refusal(), (200, "rate_limited", 45011));
        let retry: u64 = spared.header("retry-after").expect("a time").parse().expect("seconds");
        assert!((1..=60).contains(&retry), "{retry}");
    }
    gate.clock.advance(5_000);
    assert_eq!(gate.get(INFO).await.header("x-wxgate-error"), None);
    assert_eq!(gate.get(INFO).await.header("x-wxgate-error"), Some("rate_limited"));
    gate.clock.advance(60_000);
    assert_eq!(gate.get(INFO).await.header("x-wxgate-error"), None, "another minute");
}

#[tokio::test]
async fn an_account_is_slowed_and_no_other() {
    let gate = start(SHOP_AND_GAME).await;
    gate.sandbox.daily_limit(PATH, 1);
    for _ in 0..2 {
        gate.get(&format!("/@shop{INFO}")).await;
    }
    assert_eq!(gate.get(&format!("/@shop{INFO}")).await.header("x-wxgate-error"), Some("quota_exhausted"));
    assert_eq!(gate.get(&format!("/@game{INFO}")).await.errcode(), 0);
}

#[tokio::test]
async fn an_app_may_go_on_at_full_pace() {
    let gate = start(&format!("{SHOP}slow_down = false\n")).await;
    gate.sandbox.daily_limit(PATH, 0);
    for _ in 0..3 {
        assert_eq!(gate.get(INFO).await.header("x-wxgate-error"), None);
    }
    assert_eq!(gate.journal(PATH).len(), 3);
}

#[tokio::test]
async fn counters_that_a_caller_has_cleared_end_it() {
    let orders = caller("orders", &["key-orders"], &["shop"], "allow = [\"**\", \"/cgi-bin/clear_quota\"]");
    let gate = start(&format!("{SHOP}{orders}")).await;
    gate.sandbox.daily_limit(PATH, 1);
    let ask = async || gate.get_with(INFO, &[("X-Wxgate-Key", "key-orders")]).await.errcode();
    assert_eq!([ask().await, ask().await, ask().await], [0, 45009, 45009]);
    let clear = gate.client.post(gate.url("/cgi-bin/clear_quota")).header("X-Wxgate-Key", "key-orders");
    let cleared = Answer::of(clear.body(format!("{{\"appid\":\"{APPID}\"}}"))).await;
    assert_eq!(cleared.errcode(), 0, "{cleared:?}");
    assert_eq!(ask().await, 0);
}

#[tokio::test]
async fn the_admin_address_shows_what_is_slowed_and_ends_it_by_clearing() {
    let gate = start(SHOP).await;
    gate.sandbox.daily_limit(PATH, 1);
    for _ in 0..3 {
        gate.get(INFO).await;
    }
    assert_eq!(gate.journal(PATH).len(), 2);
    let shown = async || {
        let quota = Answer::of(gate.client.get(gate.admin_url("/api/v1/quota"))).await.json();
        let mut endpoints = quota["apps"][0]["endpoints"].as_array()?.iter();
        endpoints.find(|endpoint| endpoint["endpoint"] == PATH).cloned()
    };
    let endpoint = found(|| "the endpoint among the quotas", shown).await;
    assert_eq!(
        endpoint["slowed_until"].as_str().map(|until| &until[11..19]),
        Some("16:00:00"),
        "midnight in Beijing"
    );
    let clear = gate.admin_url("/api/v1/apps/shop/clear-quota?confirm=shop");
    let cleared = Answer::of(gate.client.post(clear).bearer_auth(ADMIN_TOKEN)).await;
    assert_eq!(cleared.json()["cleared"], true, "{cleared:?}");
    assert_eq!(gate.get(INFO).await.errcode(), 0);
}
