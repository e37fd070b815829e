//! What the admin address tells of requests: how they went, what was refused and why, and what
//! would become of one.

use serde_json::Value;
use wxgate::sandbox::{Action, Fault};

use crate::harness::{Answer, Gate, SHOP, Setup, caller};

const INFO: &str = "/cgi-bin/user/info?openid=o";
const MENU: &str = "/cgi-bin/menu/get";
const KEY: (&str, &str) = ("x-wxgate-key", "key-of-orders");

async fn gate() -> Gate {
    let orders = caller("orders", &["key-of-orders"], &["shop"], "allow = [\"/cgi-bin/user/**\"]");
    Gate::with(Setup { apps: format!("{SHOP}{orders}"), ..Setup::default() }).await.settled().await
}

async fn asked(gate: &Gate, path: &str) -> Value {
    Answer::of(gate.client.get(gate.admin_url(path))).await.json()
}

async fn refusals(gate: &Gate) -> Vec<Value> {
    // A look of a moment ago would do.
    gate.clock.advance(3_000);
    asked(gate, "/api/v1/refusals").await["refusals"].as_array().expect("a list").clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_refused_what_and_why_is_told_once_for_all_that_are_alike() {
    let gate = gate().await;
    for _ in 0..5 {
        gate.get_with(MENU, &[KEY]).await;
    }
    gate.get_with(INFO, &[KEY]).await;
    gate.get_with(INFO, &[("x-wxgate-key", "no-such-key")]).await;
    let found = refusals(&gate).await;
    let [forbidden, unknown] = found.as_slice() else { panic!("{found:#?}") };
    for (field, value) in [
        ("code", "caller_forbidden"),
        ("outcome", "refused"),
        ("app", "shop"),
        ("caller", "orders"),
        ("endpoint", MENU),
        ("method", "GET"),
        ("path", MENU),
    ] {
        assert_eq!(forbidden[field], value, "{field}");
    }
    assert_eq!((&forbidden["count"], &forbidden["errcode"]), (&5.into(), &(-70403).into()));
    assert!(forbidden["why"].as_str().is_some_and(|why| why.contains("`allow`")), "{forbidden:#}");
    assert_eq!((&unknown["code"], &unknown["caller"]), (&"caller_unknown".into(), &Value::Null));

    gate.get_with(MENU, &[KEY]).await;
    assert_eq!(refusals(&gate).await[0]["count"], 6);
    // An hour later they are in the day alone.
    gate.clock.advance(61 * 60_000);
    assert_eq!(refusals(&gate).await, [Value::Null; 0]);
    let day = asked(&gate, "/api/v1/refusals?range=day").await;
    assert_eq!(day["refusals"][0]["count"], 6);
    assert_eq!(asked(&gate, "/api/v1/refusals?range=day&app=nobody").await["refusals"], Value::Array(vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stranger_sends_is_shown_short_and_escaped_and_no_secret_with_it() {
    let gate = gate().await;
    let secret = "S3cretS3cretS3cretS3cretS3cret";
    for at in 0..300 {
        gate.get_with(&format!("/<b>{secret}/{at}/{}", "x".repeat(400)), &[KEY]).await;
    }
    let found = refusals(&gate).await;
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!((&found[0]["endpoint"], &found[0]["count"]), (&"other".into(), &300.into()));
    let path = found[0]["path"].as_str().expect("text");
    assert!(path.len() <= 203 && path.contains('*') && !path.contains(secret), "{path}");
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_say_how_many_went_well_and_how_long_they_took() {
    let gate = gate().await;
    for _ in 0..8 {
        gate.get_with(INFO, &[KEY]).await;
    }
    gate.get_with(MENU, &[KEY]).await;
    let invalid = Action::Errcode { errcode: 40003, errmsg: None };
    gate.sandbox.fault(Fault::new(invalid).path("/cgi-bin/user/info").times(1));
    gate.get_with(INFO, &[KEY]).await;
    gate.clock.advance(3_000);
    let of = |figures: &Value| figures["ranges"].as_array().expect("a list").clone();
    let ranges = of(&asked(&gate, "/api/v1/figures").await);
    let names: Vec<_> = ranges.iter().map(|range| range["range"].as_str().expect("text")).collect();
    assert_eq!(names, ["quarter", "hour", "day", "month"]);
    for range in &ranges {
        let counts = ["calls", "wechat_errors", "refused", "failed"].map(|key| range[key].as_u64());
        assert_eq!(counts, [Some(10), Some(1), Some(1), Some(0)], "{range:#}");
        assert_eq!((&range["success_percent"], &range["whole"]), (&80.0.into(), &false.into()));
        let [p50, p95, p99] = ["p50_ms", "p95_ms", "p99_ms"].map(|key| range[key].as_f64().expect("ms"));
        assert!(0.0 < p50 && p50 <= p95 && p95 <= p99, "{range:#}");
    }
    let shop = of(&asked(&gate, "/api/v1/figures?app=shop").await);
    assert_eq!((&shop[2]["calls"], shop[2]["p50_ms"].is_f64()), (&10.into(), true));
    assert_eq!(shop[3]["p50_ms"], Value::Null, "a month of one app is not kept");

    gate.clock.advance(20 * 60_000);
    let ranges = of(&asked(&gate, "/api/v1/figures").await);
    assert_eq!((&ranges[0]["calls"], &ranges[0]["success_percent"]), (&0.into(), &Value::Null));
    assert_eq!((&ranges[0]["whole"], &ranges[1]["whole"]), (&true.into(), &false.into()));
    assert_eq!((&ranges[0]["p50_ms"], &ranges[1]["calls"]), (&Value::Null, &10.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_address_explains_what_then_happens() {
    let gate = gate().await;
    let menu = asked(&gate, "/api/v1/explain?path=/cgi-bin/menu/get&caller=orders").await;
    assert_eq!(menu["refused"]["code"], "caller_forbidden");
    let answer = gate.get_with(MENU, &[KEY]).await;
    assert_eq!(menu["refused"]["errcode"], answer.json()["errcode"]);
    let info = asked(&gate, "/api/v1/explain?path=/cgi-bin/user/info%3Fopenid%3Do&caller=orders").await;
    assert_eq!((&info["refused"], &info["path"]), (&Value::Null, &"/cgi-bin/user/info".into()));
    let sent = info["rows"].as_array().expect("a list").iter().find(|row| row["label"] == "sent");
    assert!(sent.is_some_and(|row| row["text"].to_string().contains("access_token=***")), "{info:#}");
    let unknown = Answer::of(gate.client.get(gate.admin_url("/api/v1/explain?path=/x&caller=nobody"))).await;
    assert_eq!(unknown.status, 404);
}
