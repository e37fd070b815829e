//! Who spends which quota: what is counted, what WeChat is asked, and who is warned.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use wxgate::observe::clock::Clock;
use wxgate::sandbox::{Action, Fault};
use wxgate::wechat::Family;
use wxgate::wechat::catalogue::{self, CredentialClass, Endpoint};

use crate::harness::{APPID, Gate, SHOP, SHOP_AND_GAME, Setup, at_once, caller, sandbox, sha256};

const ASK: &str = "/cgi-bin/openapi/quota/get";
const INFO: &str = "/cgi-bin/user/info";
/// Longer than anything here takes.
const LOST: Duration = Duration::from_secs(30);

/// Waits until `check` holds of a scrape.
async fn until(gate: &Gate, what: &str, check: impl Fn(&str) -> bool) -> String {
    let began = Instant::now();
    loop {
        let text = gate.metrics().await;
        if check(&text) {
            return text;
        }
        assert!(began.elapsed() < LOST, "{what} never came:\n{text}");
        sleep(Duration::from_millis(20)).await;
    }
}

fn series(name: &str, endpoint: &str, value: &str) -> String {
    format!("{name}{{app=\"shop\",endpoint=\"{endpoint}\"}} {value}\n")
}

/// The digests of what WeChat was asked.
fn asked(gate: &Gate) -> Vec<String> {
    gate.sandbox.journal(Some(ASK)).iter().filter_map(|entry| entry.body_sha256.clone()).collect()
}

fn question(path: &str) -> String {
    sha256(format!("{{\"cgi_path\":\"{path}\"}}").as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_let_through_are_counted_by_caller_and_endpoint_and_refused_ones_are_not() {
    let callers = caller("orders", &["key-of-orders"], &["shop"], "allow = [\"/cgi-bin/user/**\"]");
    let setup =
        Setup { server: "anonymous = true".into(), apps: format!("{SHOP}{callers}"), ..Setup::default() };
    let gate = Gate::with(setup).await.settled().await;
    let key = ("x-wxgate-key", "key-of-orders");
    for _ in 0..3 {
        gate.get_with("/cgi-bin/user/info?openid=o", &[key]).await;
    }
    gate.get_with("/cgi-bin/menu/get", &[key]).await;
    gate.get("/cgi-bin/menu/get").await;
    gate.get("/no/such/path").await;
    // One that is replayed counts once.
    gate.sandbox.rotate(APPID);
    gate.get_with("/cgi-bin/user/info?openid=o", &[key]).await;
    let text = gate.metrics().await;
    for line in [
        "wxgate_calls_today{app=\"shop\",caller=\"orders\",endpoint=\"/cgi-bin/user/info\"} 4\n",
        "wxgate_calls_today{app=\"shop\",caller=\"anonymous\",endpoint=\"/cgi-bin/menu/get\"} 1\n",
        "wxgate_calls_today{app=\"shop\",caller=\"anonymous\",endpoint=\"other\"} 1\n",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
    assert!(!text.contains("caller=\"orders\",endpoint=\"/cgi-bin/menu/get\""), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_five_busiest_endpoints_have_wechats_figures_within_ten_seconds() {
    let gate = Gate::start().await.settled().await;
    gate.sandbox.daily_limit(INFO, 1_000);
    let busy = ["/cgi-bin/user/get", "/cgi-bin/menu/get", "/cgi-bin/get_api_domain_ip", "/cgi-bin/tags/get"];
    let began = Instant::now();
    for _ in 0..2 {
        gate.get("/cgi-bin/user/info?openid=o").await;
        for path in busy {
            gate.get(path).await;
        }
    }
    gate.get("/cgi-bin/groups/get").await;
    gate.get("/sns/userinfo?access_token=u&openid=o").await;
    gate.get("/no/such/path").await;
    let text = until(&gate, "five figures", |text| text.matches("wxgate_quota_limit{").count() >= 5).await;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    for path in busy.into_iter().chain([INFO]) {
        assert!(
            text.contains(&format!("wxgate_quota_limit{{app=\"shop\",endpoint=\"{path}\"}}")),
            "{path}: {text}"
        );
    }
    for line in [
        series("wxgate_quota_limit", INFO, "1000"),
        series("wxgate_quota_used", INFO, "2"),
        series("wxgate_quota_remaining", INFO, "998"),
        series("wxgate_quota_around", INFO, "0"),
    ] {
        assert!(text.contains(&line), "{line} is missing in\n{text}");
    }
    // What went through since counts at once.
    gate.get("/cgi-bin/user/info?openid=o").await;
    assert!(gate.metrics().await.contains(&series("wxgate_quota_used", INFO, "3")));
    let asked = asked(&gate);
    assert!(asked.len() <= 6 && asked.contains(&question(INFO)), "{asked:?}");
    for path in ["/sns/userinfo", "/no/such/path", "other"] {
        assert!(!asked.contains(&question(path)), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wechat_is_asked_at_most_six_times_a_minute() {
    let gate = Gate::start().await.settled().await;
    let is_asked_about = |known: &&Endpoint| {
        known.class == CredentialClass::AppToken
            && known.family == Family::Api
            && known.path.starts_with("/cgi-bin/")
    };
    let catalogued = catalogue::all().iter().filter(is_asked_about).filter(|known| !known.guarded).take(30);
    for endpoint in catalogued {
        gate.get(endpoint.path).await;
    }
    until(&gate, "the first figures", |text| text.contains("wxgate_quota_limit{")).await;
    sleep(Duration::from_secs(5)).await;
    assert!((5..=6).contains(&asked(&gate).len()), "{:?}", asked(&gate));
    gate.clock.advance(61_000);
    let began = Instant::now();
    while asked(&gate).len() < 10 && began.elapsed() < LOST {
        sleep(Duration::from_millis(20)).await;
    }
    sleep(Duration::from_secs(3)).await;
    let mut asked = asked(&gate);
    assert!((10..=12).contains(&asked.len()), "{asked:?}");
    asked.sort();
    asked.dedup();
    assert!(asked.len() >= 10, "none twice while others wait");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_wechat_answers_with_its_daily_limit_is_the_day_s_last() {
    let gate = Gate::start().await.settled().await;
    gate.sandbox.fault(Fault::new(Action::Errcode { errcode: 45009, errmsg: None }).path(ASK));
    for path in ["/cgi-bin/user/get", "/cgi-bin/menu/get", "/cgi-bin/tags/get"] {
        gate.get(path).await;
    }
    let began = Instant::now();
    while asked(&gate).is_empty() {
        assert!(began.elapsed() < LOST, "nothing was asked");
        sleep(Duration::from_millis(20)).await;
    }
    sleep(Duration::from_secs(3)).await;
    // The others of the same round were on their way already.
    let first = asked(&gate).len();
    assert!(first <= 3, "{first}");
    gate.clock.advance(120_000);
    sleep(Duration::from_secs(5)).await;
    assert_eq!(asked(&gate).len(), first);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_go_around_wxgate_are_named_and_warned_of() {
    let gate = Gate::start().await.settled().await;
    gate.get("/cgi-bin/user/info?openid=o").await;
    until(&gate, "figures", |text| text.contains(&series("wxgate_quota_around", INFO, "0"))).await;
    let token = gate.sandbox.token(APPID, wxgate::sandbox::Kind::Stable).expect("a token");
    for _ in 0..30 {
        let url = format!("{}/cgi-bin/user/info?openid=o&access_token={token}", gate.sandbox.url());
        gate.client.get(url).send().await.expect("an answer");
    }
    gate.get("/cgi-bin/user/info?openid=o").await;
    gate.clock.advance(700_000);
    let text =
        until(&gate, "the difference", |text| text.contains(&series("wxgate_quota_around", INFO, "30")))
            .await;
    assert!(text.contains(&series("wxgate_quota_used", INFO, "32")), "{text}");
    until(&gate, "the warning", |text| {
        text.contains("wxgate_quota_warnings_total{app=\"shop\",kind=\"around\"} 1\n")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thresholds_are_warned_of_once() {
    let gate = Gate::start().await.settled().await;
    gate.sandbox.daily_limit(INFO, 10);
    let warned = |kind: &str| format!("wxgate_quota_warnings_total{{app=\"shop\",kind=\"{kind}\"}} 1\n");
    for _ in 0..7 {
        gate.get("/cgi-bin/user/info?openid=o").await;
    }
    until(&gate, "70 %", |text| text.contains(&warned("used_70_percent"))).await;
    for _ in 0..2 {
        gate.get("/cgi-bin/user/info?openid=o").await;
    }
    until(&gate, "90 %", |text| text.contains(&warned("used_90_percent"))).await;
    gate.get("/cgi-bin/user/info?openid=o").await;
    let text = until(&gate, "all", |text| text.contains(&warned("exhausted"))).await;
    assert!(text.contains(&warned("used_70_percent")) && text.contains(&warned("used_90_percent")), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pace_that_does_not_last_for_the_day_is_forecast() {
    // Noon in Beijing.
    let clock = Clock::default();
    let now = clock.now();
    clock.advance(now.beijing_midnight().0 - 12 * 3_600_000 - now.0);
    let gate = Gate::by(clock, sandbox(), Setup::default()).await.settled().await;
    gate.sandbox.daily_limit(INFO, 500);
    gate.get("/cgi-bin/user/info?openid=o").await;
    until(&gate, "figures", |text| text.contains("wxgate_quota_limit{")).await;
    for _ in 0..60 {
        gate.get("/cgi-bin/user/info?openid=o").await;
    }
    // 60 calls in ten minutes: the other 440 last for an hour or so.
    gate.clock.advance(600_000);
    let text = until(&gate, "a forecast", |text| text.contains("wxgate_quota_exhausted_in_seconds{")).await;
    let left = text.lines().find_map(|line| {
        line.strip_prefix("wxgate_quota_exhausted_in_seconds{app=\"shop\",endpoint=\"/cgi-bin/user/info\"} ")
    });
    let left: f64 = left.expect("the endpoint's").parse().expect("a number");
    assert!((3_000.0..6_000.0).contains(&left), "{left}");
    until(&gate, "a warning", |text| {
        text.contains("wxgate_quota_warnings_total{app=\"shop\",kind=\"forecast\"} 1\n")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_s_counters_end_at_midnight_in_beijing() {
    let gate = Gate::start().await.settled().await;
    gate.get("/cgi-bin/user/info?openid=o").await;
    assert!(gate.metrics().await.contains("wxgate_calls_today{"));
    let now = gate.clock.now();
    gate.clock.advance(now.beijing_midnight().0 - now.0);
    assert!(!gate.metrics().await.contains("wxgate_calls_today{"));
    gate.get("/cgi-bin/user/info?openid=o").await;
    let line = "wxgate_calls_today{app=\"shop\",caller=\"anonymous\",endpoint=\"/cgi-bin/user/info\"} 1\n";
    assert!(gate.metrics().await.contains(line));
}

#[tokio::test(flavor = "multi_thread")]
async fn counters_outlive_a_restart_in_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = format!("[store]\nurl = \"file:{}\"\n", folder.path().display());
    let setup = Setup { apps: format!("{store}{SHOP_AND_GAME}"), ..Setup::default() };
    let line = |count| {
        format!(
            "wxgate_calls_today{{app=\"shop\",caller=\"anonymous\",endpoint=\"/cgi-bin/user/info\"}} {count}\n"
        )
    };
    let mut sandbox = sandbox();
    for round in 1..=3 {
        let gate = Gate::before(sandbox, setup.clone()).await.settled().await;
        gate.get("/@shop/cgi-bin/user/info?openid=o").await;
        until(&gate, "what was counted before", |text| text.contains(&line(round))).await;
        gate.running.drain().await;
        sandbox = gate.sandbox;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_that_others_use_up_is_asked_about_as_soon_as_wechat_refuses() {
    let gate = Gate::start().await.settled().await;
    gate.sandbox.daily_limit(INFO, 50);
    gate.get("/cgi-bin/user/info?openid=o").await;
    until(&gate, "figures", |text| text.contains(&series("wxgate_quota_used", INFO, "1"))).await;
    let token = gate.sandbox.token(APPID, wxgate::sandbox::Kind::Stable).expect("a token");
    for _ in 0..60 {
        let url = format!("{}/cgi-bin/user/info?openid=o&access_token={token}", gate.sandbox.url());
        gate.client.get(url).send().await.expect("an answer");
    }
    assert_eq!(gate.get("/cgi-bin/user/info?openid=o").await.errcode(), 45009);
    let text = until(&gate, "the truth", |text| text.contains("kind=\"exhausted\"} 1\n")).await;
    assert!(text.contains(&series("wxgate_quota_remaining", INFO, "0")), "{text}");
}

/// Callers at once.
const LANES: usize = 8;

/// Requests that make names up: half of them paths, half of them keys.
async fn hostile(requests: usize) {
    let callers = caller("orders", &["key-of-orders"], &["shop"], "");
    let gate =
        Gate::with(Setup { apps: format!("{SHOP}{callers}"), ..Setup::default() }).await.settled().await;
    let gate = Arc::new(gate);
    let some = |range: std::ops::Range<usize>| {
        let gate = Arc::clone(&gate);
        async move {
            for index in range {
                let key = format!("made-up-{index}");
                let (path, key) = match index % 2 {
                    0 => (format!("/cgi-bin/made/up/{index}"), "key-of-orders"),
                    _ => ("/cgi-bin/user/info?openid=o".to_owned(), key.as_str()),
                };
                gate.get_with(&path, &[("x-wxgate-key", key)]).await;
            }
        }
    };
    some(0..4).await;
    let series = async || gate.metrics().await.lines().filter(|line| !line.starts_with('#')).count();
    let before = series().await;
    let began = Instant::now();
    let lane = requests / LANES;
    at_once(LANES, |index| some(index * lane..(index + 1) * lane)).await;
    #[expect(clippy::print_stdout, reason = "a figure of the long form")]
    {
        println!("{requests} made-up paths and keys in {:?}: {before} series", began.elapsed());
    }
    assert_eq!(series().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn made_up_paths_and_keys_add_no_series() {
    hostile(2_000).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes: cargo test --test proxy a_million -- --ignored --nocapture"]
async fn a_million_made_up_paths_and_keys_add_no_series() {
    hostile(1_000_000).await;
}
