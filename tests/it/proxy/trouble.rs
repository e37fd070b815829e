//! WeChat is ill: who is told, when, and that it is over.

use serde_json::Value;
use tracing_subscriber::util::SubscriberInitExt as _;
use wxgate::sandbox::{Action, Fault, Lag};

use super::alerts::{Robot, alert};
use crate::harness::{GAME, Gate, Log, SHOP, Setup};
use crate::until::{found, until};

const ILL: &str = "/cgi-bin/user/get";
const WELL: &str = "/cgi-bin/user/info?openid=o";
/// Between two looks at what was counted, and more.
const LOOK: i64 = 2_500;

/// Makes WeChat ill.
type Make = Box<dyn Fn(&Gate)>;

fn busy() -> Fault {
    Fault::new(Action::Errcode { errcode: -1, errmsg: None })
}

async fn wechat(gate: &Gate) -> Value {
    gate.status().await["wechat"].clone()
}

/// Has the clock go on by one look, with these calls before it; waits until they were seen.
async fn look(gate: &Gate, calls: &[&str], seen: &mut u64) {
    for path in calls {
        gate.get(path).await;
    }
    *seen += calls.len() as u64;
    gate.clock.advance(LOOK);
    until(|| format!("{seen} calls seen"), async || wechat(gate).await["calls"] == *seen).await;
}

/// The trouble that goes on, once there is one.
async fn going_on(gate: &Gate) -> Value {
    found(
        || "trouble",
        async || {
            gate.clock.advance(LOOK);
            Some(wechat(gate).await["troubles"][0].clone())
                .filter(|one| one["ended_at"].is_null() && one.is_object())
        },
    )
    .await
}

fn milliseconds(time: &Value) -> i64 {
    let time = humantime::parse_rfc3339(time.as_str().expect("a time")).expect("RFC 3339");
    time.duration_since(std::time::UNIX_EPOCH).expect("after the epoch").as_millis() as i64
}

/// Of one thread, on which the test's own collector of events sees the watch.
#[tokio::test]
#[expect(clippy::print_stdout, reason = "figures for whoever runs it")]
async fn a_burst_of_minus_1_is_told_on_every_way_within_half_a_minute_and_so_is_its_end() {
    let events = Log::default();
    let writer = events.clone();
    let layer = tracing_subscriber::fmt().json().flatten_event(true).with_writer(move || writer.clone());
    let _collecting = layer.set_default();
    let (wecom, hook) = (Robot::start(&["{\"errcode\":0}"]).await, Robot::start(&[""]).await);
    let deaf = Robot::start(&[""]).await;
    let robots = [
        alert("wecom", &wecom, "on = [\"upstream\"]"),
        alert("webhook", &hook, "on = [\"upstream\"]"),
        alert("webhook", &deaf, "on = [\"token\"]"),
    ];
    let apps = format!("{SHOP}{}", robots.concat());
    let gate = Gate::with(Setup { apps, ..Setup::default() }).await.settled().await;
    let metric = format!("wxgate_upstream_trouble{{app=\"shop\",endpoint=\"{ILL}\",kind=\"busy\"}}");

    let mut seen = 0;
    for _ in 0..6 {
        look(&gate, &[ILL, ILL, WELL], &mut seen).await;
    }
    assert_eq!(wechat(&gate).await["blame"], "nobody");
    assert!(!gate.metrics().await.contains("wxgate_upstream_trouble{"));

    // Two calls of three.
    let first = gate.clock.now();
    while wechat(&gate).await["blame"] == "nobody" {
        gate.sandbox.fault(busy().path(ILL).times(2));
        look(&gate, &[ILL, ILL, ILL, WELL], &mut seen).await;
        assert!(gate.clock.now().since(first).as_secs() < 60, "not told");
    }
    let heard = hook.messages(1).await;
    let notice = &heard[0].body["notices"][0];
    let took = milliseconds(&notice["at"]) - first.0;
    println!("from the first -1 to the notice: {took} ms");
    assert!(took <= 30_000, "{took} ms");
    assert_eq!((&notice["topic"], &notice["kind"]), (&"upstream".into(), &"busy".into()));
    let message = notice["message"].as_str().expect("a text");
    assert!(message.starts_with("WeChat answers -1 to "), "{message}");
    assert!(message.contains(" % of /cgi-bin/user/get since "), "{message}");
    assert!(message.ends_with("; other endpoints are well"), "{message}");
    let status = wechat(&gate).await;
    assert_eq!(status["blame"], "wechat");
    let verdict = status["verdict"].as_str().expect("a text");
    assert!(verdict.starts_with("it is WeChat, not wxgate: shop: WeChat answers -1 to "), "{verdict}");
    assert_eq!(
        (&status["troubles"][0]["app"], &status["troubles"][0]["endpoint"]),
        (&"shop".into(), &ILL.into())
    );
    assert_eq!(gate.metric(&metric).await, 1.0);
    let text = wecom.messages(1).await[0].body["text"]["content"].as_str().expect("a text").to_owned();
    assert!(text.contains("shop: ") && text.contains("返回 -1（系统繁忙）；其他接口正常"), "{text}");

    // It goes on, and nobody is told again.
    for _ in 0..4 {
        gate.sandbox.fault(busy().path(ILL).times(1));
        look(&gate, &[ILL, ILL, WELL], &mut seen).await;
    }
    let last = gate.clock.now();
    while wechat(&gate).await["blame"] != "nobody" {
        look(&gate, &[ILL, ILL, WELL], &mut seen).await;
        assert!(gate.clock.now().since(last).as_secs() < 120, "not over");
    }
    let heard = hook.messages(2).await;
    let notice = &heard[1].body["notices"][0];
    let took = milliseconds(&notice["at"]) - last.0;
    println!("from the last -1 to the notice of the end: {took} ms");
    assert!(took <= 30_000, "{took} ms");
    assert_eq!(notice["kind"], "busy_over");
    let message = notice["message"].as_str().expect("a text");
    assert!(message.starts_with("/cgi-bin/user/get is well again: WeChat answered -1 to "), "{message}");
    assert_eq!(gate.metric(&metric).await, 0.0);
    let status = wechat(&gate).await;
    assert!(status["troubles"][0]["ended_at"].is_string(), "{status}");
    assert_eq!(heard.len(), 2, "{heard:?}");
    assert!(deaf.heard().is_empty(), "{:?}", deaf.heard());

    let logged: Vec<_> = events.lines().into_iter().filter(|line| line["trouble"] == "busy").collect();
    let [began, over] = &logged[..] else { panic!("{logged:?}") };
    for (line, level) in [(began, "WARN"), (over, "INFO")] {
        assert_eq!(
            (&line["level"], &line["app"], &line["endpoint"]),
            (&level.into(), &"shop".into(), &ILL.into())
        );
        assert!(line["calls"].is_number() && line["troubled"].is_number(), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_trouble_is_told_from_the_others() {
    let lag = |gate: &Gate| {
        gate.sandbox.lag(Lag { path: Some(ILL.to_owned()), one_in: Some(2), ..Lag::default() });
    };
    let fault = |action: Action| {
        move |gate: &Gate| {
            gate.sandbox.fault(Fault::new(action.clone()).path(ILL));
        }
    };
    let refused = Action::Errcode {
        errcode: 40164,
        errmsg: Some("invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist".to_owned()),
    };
    let cases: [(&str, &str, &str, Make); 6] = [
        ("http_5xx", "wechat", "WeChat answers HTTP 5xx to", Box::new(fault(Action::Status { status: 502 }))),
        ("timeout", "wechat", "WeChat doesn't answer", Box::new(fault(Action::Silence))),
        (
            "unreachable",
            "path",
            "WeChat can't be reached, or breaks off,",
            Box::new(fault(Action::Cut { bytes: 3 })),
        ),
        ("token_lag", "wechat", "WeChat rejects a token that lives", Box::new(lag)),
        ("token_lag", "wechat", "WeChat rejects a token that lives", Box::new(fault(Action::AlwaysReject))),
        (
            "not_whitelisted",
            "settings",
            "WeChat refuses this machine's address 203.0.113.7",
            Box::new(fault(refused)),
        ),
    ];
    for (kind, blame, said, make) in cases {
        let upstream = "response_timeout = \"300ms\"".to_owned();
        let gate = Gate::with(Setup { upstream, ..Setup::default() }).await.warm().await;
        make(&gate);
        for _ in 0..if kind == "not_whitelisted" { 1 } else { 10 } {
            gate.get(ILL).await;
            gate.get(WELL).await;
        }
        let trouble = going_on(&gate).await;
        assert_eq!((&trouble["kind"], &trouble["endpoint"]), (&kind.into(), &ILL.into()), "{trouble}");
        let status = wechat(&gate).await;
        assert_eq!(status["blame"], blame, "{status}");
        assert!(status["verdict"].as_str().is_some_and(|verdict| verdict.contains(said)), "{status}");
        let ongoing = status["troubles"].as_array().map_or(0, Vec::len);
        assert_eq!(ongoing, 1, "{status}");
        let addresses: &[&str] = if kind == "not_whitelisted" { &["203.0.113.7"] } else { &[] };
        assert_eq!(trouble["addresses"], Value::from(addresses), "{trouble}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_refused_is_told_once_with_the_remedy_and_so_is_its_end() {
    let hook = Robot::start(&[""]).await;
    let robot = alert("webhook", &hook, "on = [\"upstream\"]");
    let gate = Gate::with(Setup { apps: format!("{SHOP}{robot}"), ..Setup::default() }).await.settled().await;
    let errmsg = Some("invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist".to_owned());
    gate.sandbox.fault(Fault::new(Action::Errcode { errcode: 40164, errmsg }).path("/cgi-bin/*").times(12));
    // All of the account's endpoints are refused alike.
    for path in [ILL, WELL, "/cgi-bin/menu/get"] {
        for _ in 0..4 {
            assert_eq!(gate.get(path).await.errcode(), 40164);
        }
        gate.clock.advance(LOOK);
    }
    let heard = hook.messages(1).await;
    let notice = &heard[0].body["notices"][0];
    assert_eq!((&notice["kind"], &notice["app"]), (&"not_whitelisted".into(), &"shop".into()));
    let message = notice["message"].as_str().expect("a text");
    assert!(message.contains("203.0.113.7") && message.contains("add it to the IP whitelist"), "{message}");
    let chinese = notice["message_zh"].as_str().expect("a text");
    assert!(chinese.contains("203.0.113.7") && chinese.contains("IP 白名单"), "{chinese}");
    // The whitelist is changed.
    until(
        || format!("the end: {:?}", hook.heard()),
        async || {
            for path in [ILL, WELL, "/cgi-bin/menu/get"] {
                gate.get(path).await;
            }
            gate.clock.advance(20_000);
            wechat(&gate).await["blame"] == "nobody"
        },
    )
    .await;
    let heard = hook.messages(2).await;
    let told: Vec<_> =
        heard.iter().flat_map(|one| one.body["notices"].as_array().cloned().unwrap_or_default()).collect();
    let kinds: Vec<_> = told.iter().map(|notice| notice["kind"].as_str().unwrap_or_default()).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "not_whitelisted").count(), 1, "{told:#?}");
    assert!(kinds.contains(&"not_whitelisted_over"), "{told:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_of_ordinary_traffic_raises_no_alarm() {
    let hook = Robot::start(&[""]).await;
    let apps = format!("{SHOP}{GAME}{}", alert("webhook", &hook, "on = [\"upstream\"]"));
    let gate = Gate::with(Setup { apps, ..Setup::default() }).await.settled().await;
    // 720 times five seconds, with 10 calls each: 2 % with an error of the caller's own, 0.5 % with
    // -1.
    let mut made = 0_u64;
    for _ in 0..720 {
        for _ in 0..10 {
            made += 1;
            if made.is_multiple_of(200) {
                gate.sandbox.fault(busy().path("/cgi-bin/user/info").times(1));
            }
            let app = if made.is_multiple_of(3) { "/@game" } else { "" };
            let path = if made % 50 == 1 { "/cgi-bin/user/info" } else { WELL };
            gate.get(&format!("{app}{path}")).await;
        }
        gate.clock.advance(5_000);
    }
    let status = wechat(&gate).await;
    assert_eq!(
        (&status["blame"], &status["troubles"]),
        (&"nobody".into(), &Value::Array(Vec::new())),
        "{status}"
    );
    // They were looked at as they came: so many has one look in sixty.
    let calls = status["calls"].as_u64().expect("a number");
    assert!((400..=700).contains(&calls), "{status}");
    assert!(hook.heard().is_empty(), "{:?}", hook.heard());
    let metrics = gate.metrics().await;
    assert!(!metrics.contains("wxgate_upstream_trouble{"), "{metrics}");
    let errors = |code: i64| {
        let count = |line: &str| line.rsplit(' ').next().and_then(|value| value.parse().ok()).unwrap_or(0.0);
        let lines = metrics.lines().filter(|line| line.starts_with("wxgate_requests_total{"));
        lines.filter(|line| line.contains(&format!("errcode=\"{code}\""))).map(count).sum::<f64>()
    };
    assert_eq!((errors(-1), errors(40003)), (36.0, 144.0), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_replicas_that_see_the_same_one_tells() {
    let hook = Robot::start(&[""]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let store = format!("\n[store]\nurl = \"file:{}\"\n", folder.path().display());
    let apps = format!("{SHOP}{}{store}", alert("webhook", &hook, "on = [\"upstream\"]"));
    let one = Gate::with(Setup { apps: apps.clone(), ..Setup::default() }).await.settled().await;
    let upstream_url = Some(one.sandbox.url());
    let other = Gate::with(Setup { apps, upstream_url, ..Setup::default() }).await;
    let fault = one.sandbox.fault(busy().path(ILL));
    for _ in 0..10 {
        one.get(ILL).await;
        other.get(ILL).await;
    }
    for gate in [&one, &other] {
        assert_eq!(going_on(gate).await["kind"], "busy");
    }
    let kinds = || -> Vec<String> {
        let notices = hook.heard().into_iter().flat_map(|one| one.body["notices"].as_array().cloned());
        notices.flatten().map(|notice| notice["kind"].as_str().unwrap_or_default().to_owned()).collect()
    };
    one.sandbox.end_fault(fault);
    until(
        || format!("the end: {:?}", kinds()),
        async || {
            for gate in [&one, &other] {
                gate.get(ILL).await;
                gate.clock.advance(LOOK);
            }
            kinds().iter().any(|kind| kind == "busy_over")
        },
    )
    .await;
    assert_eq!(kinds(), ["busy", "busy_over"]);
}
