//! Who spends which quota: what is counted, what WeChat is asked, and who is warned.

use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;
use wxgate::observe::clock::Clock;
use wxgate::sandbox::{Action, App, AppKind, Fault};
use wxgate::wechat::Family;
use wxgate::wechat::catalogue::{self, CredentialClass, Endpoint};

use super::pipelined::pipelined;
use crate::harness::{
    ADMIN_TOKEN, APPID, Answer, GAME, Gate, OTHER_APPID, SECRET, SHOP, SHOP_AND_GAME, Setup, at_once, caller,
    sandbox, sha256,
};
use crate::until::{found, until};

const ASK: &str = "/cgi-bin/openapi/quota/get";
const INFO: &str = "/cgi-bin/user/info";
/// By the clock, all that needs the poller has come by then. What is still missing waits for real
/// time.
const HURRIED: usize = 20;

/// Waits until `check` holds of a scrape, while the clock runs quickly.
async fn scraped(gate: &Gate, what: &str, check: impl Fn(&str) -> bool) -> String {
    let mut seconds = 0;
    let scrape = async || {
        let text = gate.metrics().await;
        if check(&text) {
            return Some(text);
        }
        if seconds < HURRIED {
            seconds += 1;
            gate.clock.advance(1_000);
        }
        sleep(Duration::from_millis(20)).await;
        None
    };
    found(|| what, scrape).await
}

/// Has the poller see what was called, and some time later find that it can ask about that.
async fn seconds_pass(gate: &Gate) {
    // A scrape counts what workers have not handed in yet.
    gate.metrics().await;
    gate.clock.advance(2_000);
    // Where this is too short for the first look, the second one comes by real time.
    sleep(Duration::from_millis(50)).await;
    gate.clock.advance(3_000);
}

/// Waits until WeChat was asked about `path`, which the game now calls: by then it was asked all
/// that there was to ask about the shop.
async fn looked_around(gate: &Gate, path: &str) {
    gate.get(&format!("/@game{path}")).await;
    let token = gate.token(OTHER_APPID);
    let before = asked_with(gate, &token).len();
    seconds_pass(gate).await;
    until(|| "the question of the other app", async || asked_with(gate, &token).len() > before).await;
}

fn series(name: &str, endpoint: &str, value: &str) -> String {
    format!("{name}{{app=\"shop\",endpoint=\"{endpoint}\"}} {value}\n")
}

/// The digests of what WeChat was asked of the shop.
fn asked(gate: &Gate) -> Vec<String> {
    asked_with(gate, &gate.token(APPID))
}

fn asked_with(gate: &Gate, token: &str) -> Vec<String> {
    let entries = gate.sandbox.journal(Some(ASK)).into_iter();
    entries
        .filter(|entry| entry.access_token.as_deref() == Some(token))
        .filter_map(|entry| entry.body_sha256)
        .collect()
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
    let began = gate.clock.now();
    for _ in 0..2 {
        gate.get("/cgi-bin/user/info?openid=o").await;
        for path in busy {
            gate.get(path).await;
        }
    }
    gate.get("/cgi-bin/groups/get").await;
    gate.get("/sns/userinfo?access_token=u&openid=o").await;
    gate.get("/no/such/path").await;
    let text = scraped(&gate, "five figures", |text| text.matches("wxgate_quota_limit{").count() >= 5).await;
    // By the clock, which runs quickly: a promise to whoever watches.
    let took = gate.clock.now().since(began);
    assert!(took < Duration::from_secs(10), "{took:?}");
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

async fn with_the_game() -> Gate {
    Gate::with(Setup { apps: format!("{SHOP}{GAME}"), ..Setup::default() }).await.settled().await
}

#[tokio::test(flavor = "multi_thread")]
async fn wechat_is_asked_at_most_six_times_a_minute() {
    let gate = with_the_game().await;
    let is_asked_about = |known: &&Endpoint| {
        known.class == CredentialClass::AppToken
            && known.family == Family::Api
            && known.path.starts_with("/cgi-bin/")
    };
    let catalogued = catalogue::all().iter().filter(is_asked_about).filter(|known| !known.guarded).take(30);
    for endpoint in catalogued {
        gate.get(endpoint.path).await;
    }
    scraped(&gate, "the first figures", |text| text.contains("wxgate_quota_limit{")).await;
    looked_around(&gate, "/wxa/business/getliveinfo").await;
    assert!((5..=6).contains(&asked(&gate).len()), "{:?}", asked(&gate));
    gate.clock.advance(61_000);
    until(|| "another minute's questions", async || asked(&gate).len() >= 10).await;
    looked_around(&gate, "/wxa/business/getuserencryptkey").await;
    let mut asked = asked(&gate);
    assert!((10..=12).contains(&asked.len()), "{asked:?}");
    asked.sort();
    asked.dedup();
    assert!(asked.len() >= 10, "none twice while others wait");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_wechat_answers_with_its_daily_limit_is_the_day_s_last() {
    let gate = with_the_game().await;
    gate.sandbox.fault(Fault::new(Action::Errcode { errcode: 45009, errmsg: None }).path(ASK).times(1));
    for path in ["/cgi-bin/user/get", "/cgi-bin/menu/get", "/cgi-bin/tags/get"] {
        gate.get(path).await;
    }
    seconds_pass(&gate).await;
    until(|| "a question", async || !asked(&gate).is_empty()).await;
    looked_around(&gate, "/wxa/business/getliveinfo").await;
    // The others of the same round were on their way already.
    let first = asked(&gate).len();
    assert!(first <= 3, "{first}");
    gate.clock.advance(120_000);
    looked_around(&gate, "/wxa/business/getuserencryptkey").await;
    assert_eq!(asked(&gate).len(), first);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_go_around_wxgate_are_named_and_warned_of() {
    let gate = Gate::start().await.settled().await;
    gate.get("/cgi-bin/user/info?openid=o").await;
    scraped(&gate, "figures", |text| text.contains(&series("wxgate_quota_around", INFO, "0"))).await;
    let token = gate.sandbox.token(APPID, wxgate::sandbox::Kind::Stable).expect("a token");
    for _ in 0..30 {
        let url = format!("{}/cgi-bin/user/info?openid=o&access_token={token}", gate.sandbox.url());
        gate.client.get(url).send().await.expect("an answer");
    }
    gate.get("/cgi-bin/user/info?openid=o").await;
    gate.clock.advance(700_000);
    let text =
        scraped(&gate, "the difference", |text| text.contains(&series("wxgate_quota_around", INFO, "30")))
            .await;
    assert!(text.contains(&series("wxgate_quota_used", INFO, "32")), "{text}");
    scraped(&gate, "the warning", |text| {
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
    scraped(&gate, "70 %", |text| text.contains(&warned("used_70_percent"))).await;
    for _ in 0..2 {
        gate.get("/cgi-bin/user/info?openid=o").await;
    }
    scraped(&gate, "90 %", |text| text.contains(&warned("used_90_percent"))).await;
    gate.get("/cgi-bin/user/info?openid=o").await;
    let text = scraped(&gate, "all", |text| text.contains(&warned("exhausted"))).await;
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
    scraped(&gate, "figures", |text| text.contains("wxgate_quota_limit{")).await;
    // Twelve calls in two minutes, over and over: whenever wxgate looks, the other 440 last for an
    // hour or so.
    for _ in 0..5 {
        for _ in 0..12 {
            gate.get("/cgi-bin/user/info?openid=o").await;
        }
        gate.clock.advance(120_000);
    }
    let text = scraped(&gate, "a forecast", |text| text.contains("wxgate_quota_exhausted_in_seconds{")).await;
    let left = text.lines().find_map(|line| {
        line.strip_prefix("wxgate_quota_exhausted_in_seconds{app=\"shop\",endpoint=\"/cgi-bin/user/info\"} ")
    });
    let left: f64 = left.expect("the endpoint's").parse().expect("a number");
    assert!((2_000.0..9_000.0).contains(&left), "{left}");
    scraped(&gate, "a warning", |text| {
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
        scraped(&gate, "what was counted before", |text| text.contains(&line(round))).await;
        gate.running.drain().await;
        sandbox = gate.sandbox;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_that_others_use_up_is_asked_about_as_soon_as_wechat_refuses() {
    let gate = Gate::start().await.settled().await;
    gate.sandbox.daily_limit(INFO, 50);
    gate.get("/cgi-bin/user/info?openid=o").await;
    scraped(&gate, "figures", |text| text.contains(&series("wxgate_quota_used", INFO, "1"))).await;
    let token = gate.sandbox.token(APPID, wxgate::sandbox::Kind::Stable).expect("a token");
    for _ in 0..60 {
        let url = format!("{}/cgi-bin/user/info?openid=o&access_token={token}", gate.sandbox.url());
        gate.client.get(url).send().await.expect("an answer");
    }
    assert_eq!(gate.get("/cgi-bin/user/info?openid=o").await.errcode(), 45009);
    let text = scraped(&gate, "the truth", |text| text.contains("kind=\"exhausted\"} 1\n")).await;
    assert!(text.contains(&series("wxgate_quota_remaining", INFO, "0")), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_45009_that_passes_within_minutes_does_not_say_that_the_day_is_used_up() {
    let setup = Setup { apps: format!("{SHOP}slow_down = false\n"), ..Setup::default() };
    let gate = Gate::with(setup).await.settled().await;
    let ask = async || gate.get("/cgi-bin/user/info?openid=o").await.errcode();
    gate.sandbox.daily_limit(INFO, 20);
    assert_eq!(ask().await, 0);
    scraped(&gate, "figures", |text| text.contains(&series("wxgate_quota_used", INFO, "1"))).await;
    // A burst over a minute's limit, which wxgate counts and WeChat doesn't; and WeChat can't be
    // asked meanwhile.
    let silent = gate.sandbox.fault(Fault::new(Action::Errcode { errcode: -1, errmsg: None }).path(ASK));
    let full = gate.sandbox.fault(Fault::new(Action::Errcode { errcode: 45009, errmsg: None }).path(INFO));
    for _ in 0..30 {
        assert_eq!(ask().await, 45009);
    }
    let warned = "wxgate_quota_warnings_total{app=\"shop\",kind=\"used_90_percent\"} 1\n";
    let text = scraped(&gate, "a warning", |text| text.contains(warned)).await;
    assert!(!text.contains("kind=\"exhausted\""), "{text}");
    gate.sandbox.end_fault(full);
    gate.sandbox.end_fault(silent);
    assert_eq!(ask().await, 0);
    gate.clock.advance(61_000);
    let text =
        scraped(&gate, "the truth", |text| text.contains(&series("wxgate_quota_used", INFO, "2"))).await;
    assert!(!text.contains("kind=\"exhausted\""), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_token_could_be_had_for_is_neither_counted_nor_spent() {
    let callers = caller("orders", &["key"], &["shop"], "daily = { \"**\" = 3 }");
    let sandbox = sandbox();
    sandbox.put(App::new(APPID, "another-secret-0000000000000000", AppKind::OfficialAccount));
    let gate = Gate::before(sandbox, Setup { apps: format!("{SHOP}{callers}"), ..Setup::default() }).await;
    let ask = async || gate.get_with("/cgi-bin/user/info?openid=o", &[("x-wxgate-key", "key")]).await;
    for _ in 0..5 {
        assert_eq!(ask().await.header("x-wxgate-error"), Some("token_unavailable"));
    }
    assert!(!gate.metrics().await.contains("wxgate_calls_today{"));
    gate.sandbox.put(App::new(APPID, SECRET, AppKind::OfficialAccount));
    change(&gate, "/api/v1/apps/shop/refresh").await;
    for expected in [0, 0, 0, 45009] {
        assert_eq!(ask().await.errcode(), expected);
    }
}

async fn change(gate: &Gate, path: &str) -> (u16, Value) {
    let request = gate.client.post(gate.admin_url(path)).bearer_auth(ADMIN_TOKEN);
    let answer = Answer::of(request).await;
    (answer.status, answer.json())
}

#[tokio::test(flavor = "multi_thread")]
async fn clearing_spends_a_month_s_budget_that_wechat_has_the_last_word_on() {
    let gate = Gate::start().await.settled().await;
    gate.sandbox.daily_limit(INFO, 1);
    let ask = async || gate.get("/cgi-bin/user/info?openid=o").await.errcode();
    assert_eq!((ask().await, ask().await), (0, 45009));
    let (status, refused) = change(&gate, "/api/v1/apps/shop/clear-quota").await;
    assert_eq!(status, 400, "{refused}");
    for spent in 1..=10 {
        let (status, cleared) = change(&gate, "/api/v1/apps/shop/clear-quota?confirm=shop").await;
        assert_eq!(
            (status, &cleared["cleared"], &cleared["spent_this_month"]),
            (200, &true.into(), &spent.into())
        );
        assert_eq!((ask().await, ask().await), (0, 45009), "{spent}");
    }
    let (_, cleared) = change(&gate, "/api/v1/apps/shop/clear-quota?confirm=shop").await;
    assert_eq!((&cleared["cleared"], &cleared["errcode"]), (&false.into(), &48006.into()), "{cleared}");
    assert_eq!((&cleared["spent_this_month"], &cleared["allowed_a_month"]), (&10.into(), &10.into()));
    // One endpoint's has a budget of its own.
    let one = "/api/v1/apps/shop/clear-quota?confirm=shop&endpoint=/cgi-bin/user/info";
    let (_, cleared) = change(&gate, one).await;
    assert_eq!((&cleared["cleared"], &cleared["spent_this_month"]), (&true.into(), &1.into()), "{cleared}");
    assert_eq!(ask().await, 0);
    let answer = gate.get("/cgi-bin/clear_quota").await;
    assert_eq!(answer.header("x-wxgate-error"), Some("endpoint_forbidden"), "callers may not");
}

#[tokio::test(flavor = "multi_thread")]
async fn counters_are_cleared_by_the_secret_where_no_token_is_to_be_had() {
    let sandbox = sandbox();
    sandbox.daily_limit("/cgi-bin/stable_token", 0);
    let gate = Gate::before(sandbox, Setup::default()).await;
    let (_, cleared) = change(&gate, "/api/v1/apps/shop/clear-quota?confirm=shop").await;
    assert_eq!(cleared["cleared"], true, "{cleared}");
    let call = gate.only("/cgi-bin/clear_quota/v2");
    assert_eq!((call.method.as_str(), call.query), ("POST", format!("appid={APPID}&appsecret={SECRET}")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_looked_up_at_wechat_by_its_rid() {
    let gate = Gate::start().await.settled().await;
    let (status, told) = change(&gate, "/api/v1/apps/shop/rid?rid=61725984-6126f6f9-040f19c4").await;
    assert_eq!((status, &told["request"], &told["errcode"]), (200, &Value::Null, &76001.into()), "{told}");
    let body = "{\"rid\":\"61725984-6126f6f9-040f19c4\"}";
    assert_eq!(gate.only("/cgi-bin/openapi/rid/get").body_sha256, Some(sha256(body.as_bytes())));
}

/// Connections at once.
const LANES: usize = 8;

/// Requests that make names up: paths, keys, and both; one of a hundred paths goes all the way to
/// WeChat.
async fn hostile(requests: usize) {
    let callers = caller("orders", &["key-of-orders"], &["shop"], "allow = [\"/cgi-bin/user/**\"]");
    let gate =
        Gate::with(Setup { apps: format!("{SHOP}{callers}"), ..Setup::default() }).await.settled().await;
    let authority = gate.authority();
    let request = |index: usize| {
        let (path, key) = match (index % 200, index % 2) {
            (0, _) => (format!("/cgi-bin/user/made/up/{index}"), "key-of-orders".to_owned()),
            (_, 0) => (format!("/cgi-bin/made/up/{index}"), "key-of-orders".to_owned()),
            _ => (format!("/cgi-bin/user/info?openid={index}"), format!("made-up-{index}")),
        };
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nX-Wxgate-Key: {key}\r\n\r\n")
    };
    let lane = |range: std::ops::Range<usize>| pipelined(authority.clone(), range.map(request));
    lane(0..400).await;
    let series = async || gate.metrics().await.lines().filter(|line| !line.starts_with('#')).count();
    let before = series().await;
    let began = tokio::time::Instant::now();
    let part = requests / LANES;
    at_once(LANES, |index| lane(400 + index * part..400 + (index + 1) * part)).await;
    #[expect(clippy::print_stdout, reason = "a figure of the long form")]
    {
        println!("{requests} made-up paths and keys in {:?}: {before} series", began.elapsed());
    }
    assert_eq!(series().await, before);
    let counted =
        gate.metric("wxgate_caller_requests_total{app=\"other\",caller=\"anonymous\",outcome=\"refused\"}");
    assert!(counted.await >= requests as f64 / 2.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn made_up_paths_and_keys_add_no_series() {
    hostile(8_000).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes: cargo test --test it a_million -- --ignored --nocapture"]
async fn a_million_made_up_paths_and_keys_add_no_series() {
    hostile(1_000_000).await;
}
