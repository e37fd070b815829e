//! WeChat's own 45009 and 45011: what comes of them for later requests.

use std::time::Duration;

use wxgate::sandbox::{Action, App, AppKind, Fault, Options, Sandbox};

use crate::harness::{ADMIN_TOKEN, APPID, Answer, Gate, SECRET, SHOP, SHOP_AND_GAME, Setup, caller};
use crate::until::found;

const INFO: &str = "/cgi-bin/user/info?openid=o";
const PATH: &str = "/cgi-bin/user/info";

async fn start(apps: &str) -> Gate {
    let setup = Setup { apps: apps.into(), ..Setup::default() };
    Gate::with(setup).await.settled().await
}

fn refusing(errcode: i64, errmsg: &str, path: &str) -> Fault {
    Fault::new(Action::Errcode { errcode, errmsg: Some(errmsg.into()) }).path(path)
}

/// Seconds until the next one is sent on, as a refusal of wxgate's says.
fn retry_after(answer: &Answer) -> u64 {
    answer.header("retry-after").expect("a time").parse().expect("seconds")
}

/// What each second's request came to, until the one that WeChat takes: seconds at which one was
/// sent on, and the last of them. The clock runs by itself too, so a second is a little more than
/// that.
async fn sent_on(gate: &Gate, url: &str, taken_from: u64) -> Vec<u64> {
    let mut seconds = Vec::new();
    for second in 1..=300 {
        gate.clock.advance(1_000);
        if second == taken_from {
            gate.sandbox.end_faults();
        }
        let answer = gate.get(url).await;
        if answer.header("x-wxgate-error").is_none() {
            seconds.push(second);
            if answer.errcode() == 0 {
                return seconds;
            }
        }
    }
    panic!("WeChat takes it from second {taken_from} on; sent on were {seconds:?}");
}

/// Has WeChat refuse again until there is a minute between two that are sent on: what follows takes
/// less.
async fn slow_down(gate: &Gate, call: impl AsyncFn()) {
    for _ in 0..6 {
        gate.clock.advance(60_000);
        call().await;
    }
}

#[tokio::test]
async fn after_wechats_45009_or_45011_single_requests_are_sent_on_at_growing_intervals_until_one_is_taken() {
    for (errcode, code) in [(45009, "quota_exhausted"), (45011, "rate_limited")] {
        let gate = start(SHOP).await;
        gate.sandbox.fault(refusing(errcode, "reach max api minute quota limit", PATH));
        let wechats = gate.get(INFO).await;
        assert_eq!((wechats.errcode(), wechats.header("x-wxgate-error")), (errcode, None));
        let spared = gate.get(INFO).await;
        assert_eq!(spared.refusal(), (429, code, errcode));
        assert!((1..=2).contains(&retry_after(&spared)), "{spared:?}");
        let errmsg = spared.json()["errmsg"].to_string();
        for part in ["WeChat's own limit (errcode ", "reach max api minute quota limit", "app.slow_down"] {
            assert!(errmsg.contains(part), "{part}: {errmsg}");
        }
        assert_eq!(gate.get("/cgi-bin/get_api_domain_ip").await.errcode(), 0, "another endpoint");
        // After 2, 4 and 8 seconds; the next one comes after 16.
        assert_eq!(sent_on(&gate, INFO, 10).await.len(), 3);
        for _ in 0..3 {
            assert_eq!(gate.get(INFO).await.errcode(), 0, "at full pace");
        }
        assert_eq!(gate.journal(PATH).len(), 7);
    }
}

#[tokio::test]
async fn a_45009_that_is_a_minutes_ends_with_it() {
    let gate = start(SHOP).await;
    let path = "/wxa/getwxacodeunlimit";
    let ask = async || gate.post(path, r#"{"scene":"a"}"#).await;
    let limit = gate.sandbox.fault(refusing(45009, "minute limit", path));
    assert_eq!(ask().await.errcode(), 45009);
    gate.clock.advance(8_000);
    gate.sandbox.end_fault(limit);
    let answer = ask().await;
    assert_eq!((answer.header("x-wxgate-error"), answer.header("content-type")), (None, Some("image/jpeg")));
    assert_eq!(ask().await.header("content-type"), Some("image/jpeg"));
}

#[tokio::test]
async fn retry_after_says_when_the_next_one_is_sent_on() {
    let gate = start(SHOP).await;
    gate.sandbox.fault(refusing(45009, "reach max api daily quota limit", PATH));
    gate.get(INFO).await;
    for longest in [2, 4, 8, 16, 32, 60, 60] {
        let spared = gate.get(INFO).await;
        assert_eq!(spared.refusal(), (429, "quota_exhausted", 45009));
        let seconds = retry_after(&spared);
        assert!((longest - 1..=longest).contains(&seconds), "{seconds} of {longest}");
        let sent = gate.journal(PATH).len();
        gate.clock.advance(i64::try_from(seconds).expect("few") * 1_000);
        assert_eq!(gate.get(INFO).await.header("x-wxgate-error"), None, "who comes then is sent on");
        assert_eq!(gate.journal(PATH).len(), sent + 1);
    }
}

#[tokio::test]
async fn a_limit_that_comes_back_within_a_minute_begins_at_the_last_interval() {
    let gate = start(SHOP).await;
    gate.sandbox.fault(refusing(45011, "too fast", PATH));
    gate.get(INFO).await;
    sent_on(&gate, INFO, 10).await;
    gate.clock.advance(30_000);
    gate.sandbox.fault(refusing(45011, "too fast", PATH));
    assert_eq!(gate.get(INFO).await.header("x-wxgate-error"), None);
    assert!((7..=8).contains(&retry_after(&gate.get(INFO).await)));
}

#[tokio::test]
async fn a_business_error_shows_that_the_limit_is_over() {
    let gate = start(SHOP).await;
    gate.sandbox.fault(refusing(45009, "minute limit", PATH).times(1));
    gate.get(INFO).await;
    gate.clock.advance(2_000);
    gate.sandbox.fault(refusing(43101, "user refuse to accept the msg", PATH));
    for _ in 0..3 {
        assert_eq!(gate.get(INFO).await.errcode(), 43101);
    }
}

#[tokio::test]
async fn a_users_own_45011_at_a_login_slows_nobody_else() {
    let gate = start(SHOP).await;
    let paths = ["/sns/jscode2session", "/sns/oauth2/access_token"];
    for path in paths {
        gate.sandbox.fault(refusing(45011, "api minute-quota reach limit", path).times(1));
        for code in ["first", "second", "third"] {
            let answer = gate.get(&format!("{path}?js_code={code}&code={code}")).await;
            assert_eq!(answer.header("x-wxgate-error"), None, "{path} {code}");
        }
        assert_eq!(gate.journal(path).len(), 3);
    }
}

const WECOM: &str = r#"
[[app]]
name = "corp"
appid = "ww0000000000000001"
secret = { env = "SHOP_SECRET" }
kind = "wecom"
default = true
"#;

#[tokio::test]
async fn a_robot_that_is_too_fast_silences_no_other_and_its_key_is_shown_nowhere() {
    let sandbox = Sandbox::start(Options {
        apps: vec![App::new("ww0000000000000001", SECRET, AppKind::Wecom)],
        ..Options::default()
    });
    let setup = Setup { apps: WECOM.into(), ..Setup::default() };
    let gate = Gate::before(sandbox.expect("the sandbox starts"), setup).await.settled().await;
    for path in ["/cgi-bin/webhook/send", "/cgi-bin/webhook/upload_media"] {
        let ask = async |key: &str| gate.post(&format!("{path}?key=canary-robot-{key}"), "{}").await;
        let limit = gate.sandbox.fault(refusing(45009, "api freq out of limit by canary-robot-a", path));
        assert_eq!(ask("a").await.errcode(), 45009);
        slow_down(&gate, async || assert_eq!(ask("a").await.header("x-wxgate-error"), None)).await;
        gate.sandbox.end_fault(limit);
        for robot in ["b", "c"] {
            assert_eq!(ask(robot).await.header("x-wxgate-error"), None, "{path} {robot}");
        }
        let spared = ask("a").await;
        assert_eq!(spared.refusal(), (429, "quota_exhausted", 45009));
        let text = spared.text();
        assert!(text.contains("for this robot") && text.contains("api freq out of limit"), "{text}");
        assert!(!text.contains("canary"), "{text}");
        assert_eq!(gate.journal(path).len(), 9);
    }
    let shown = format!("{}{}{}", gate.metrics().await, gate.status().await, gate.log.text());
    assert!(!shown.contains("canary-robot"), "{shown}");
}

#[tokio::test]
async fn an_account_is_slowed_and_no_other() {
    let gate = start(SHOP_AND_GAME).await;
    gate.sandbox.daily_limit(PATH, 1);
    for _ in 0..2 {
        gate.get(&format!("/@shop{INFO}")).await;
    }
    slow_down(&gate, async || assert_eq!(gate.get(&format!("/@shop{INFO}")).await.errcode(), 45009)).await;
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
    slow_down(&gate, async || assert_eq!(gate.get(INFO).await.errcode(), 45009)).await;
    let shown = async || {
        let quota = Answer::of(gate.client.get(gate.admin_url("/api/v1/quota"))).await.json();
        let mut endpoints = quota["apps"][0]["endpoints"].as_array()?.iter();
        endpoints.find(|endpoint| endpoint["endpoint"] == PATH).cloned()
    };
    let endpoint = found(|| "the endpoint among the quotas", shown).await;
    let now = gate.clock.now();
    let next = endpoint["slowed_until"].as_str().expect("when the next call is sent on");
    assert!(
        (now.rfc3339()..=now.plus(Duration::from_secs(60)).rfc3339()).contains(&next.to_owned()),
        "{next}"
    );
    let clear = gate.admin_url("/api/v1/apps/shop/clear-quota?confirm=shop");
    let cleared = Answer::of(gate.client.post(clear).bearer_auth(ADMIN_TOKEN)).await;
    assert_eq!(cleared.json()["cleared"], true, "{cleared:?}");
    assert_eq!(gate.get(INFO).await.errcode(), 0);
}
