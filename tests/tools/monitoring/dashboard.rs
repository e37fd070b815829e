//! The dashboard's queries and the alerts, asked of a Prometheus that scrapes the running demo.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use wxgate::sandbox::{Action, Fault};

use super::demo::Demo;
use super::prometheus::Prometheus;
use super::{deployed, metrics, read};
use crate::harness::{APPID, Gate, Setup};
use crate::until::LOST;

/// Calls the demo's proxy, of which rates are made, until it is told to stop.
async fn call(client: reqwest::Client, proxy: String, done: Arc<AtomicBool>) {
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    while !done.load(Ordering::Relaxed) {
        for path in ["/cgi-bin/user/info?openid=you", "/cgi-bin/menu/get", "/cgi-bin/clear_quota"] {
            let request = client.get(format!("http://{proxy}{path}")).header("traceparent", traceparent);
            request.send().await.expect("an answer").bytes().await.expect("a body");
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// Every query of the dashboard, with its panel's title.
fn queries(dashboard: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for panel in dashboard["panels"].as_array().expect("panels") {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let text = |value: &Value| value.as_str().expect("a text").to_owned();
            found.push((text(&panel["title"]), text(&target["expr"])));
        }
    }
    found
}

/// A query as Grafana sends it with everything chosen.
fn filled(query: &str) -> String {
    let filled = query.replace("$__rate_interval", "5s").replace("$__range", "1m");
    let filled = filled.replace("$app", ".*").replace("$instance", ".*");
    assert!(!filled.contains('$'), "{query} has a variable that the test doesn't know");
    filled
}

fn dashboard() -> Value {
    serde_json::from_str(&read(&deployed("grafana/wxgate.json"))).expect("the dashboard is JSON")
}

/// Beside what WeChat is asked, what SDKs always do: fetch tokens, and be refused.
#[tokio::test(flavor = "multi_thread")]
async fn while_wechat_answers_nothing_all_fails_whatever_the_status() {
    let (_, not_ok) = queries(&dashboard())
        .into_iter()
        .find(|(panel, _)| panel.starts_with("Not ok / "))
        .expect("the panel");
    for error_status in ["wechat", "http"] {
        let server = format!("error_status = \"{error_status}\"");
        let upstream = "response_timeout = \"100ms\"".to_owned();
        let gate = Gate::with(Setup { server, upstream, ..Setup::default() }).await.warm().await;
        for path in ["/cgi-bin/user/info", "/cgi-bin/menu/get"] {
            gate.sandbox.fault(Fault::new(Action::Silence).path(path));
        }
        let admin = gate.running.admin_address().expect("an admin address").to_string();
        let prometheus = Prometheus::scraping(&admin).await;
        let give_up = Instant::now() + LOST;
        let mut seen = Vec::new();
        loop {
            let token = format!("/cgi-bin/token?appid={APPID}&secret=x");
            for path in ["/cgi-bin/user/info?openid=you", "/cgi-bin/menu/get", &token, "/cgi-bin/clear_quota"]
            {
                gate.get(path).await;
            }
            let found = prometheus.query(&filled(&not_ok)).await;
            if let Some(ratio) = found.first().and_then(|series| series["value"][1].as_str()) {
                seen.push(ratio.to_owned());
            }
            // Its first value may be of one scrape more than its parts have.
            if seen.len() > 10 {
                break;
            }
            assert!(Instant::now() < give_up, "no data: {}", gate.metrics().await);
        }
        assert!(seen.iter().all(|ratio| ratio == "1"), "{error_status}: {seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_of_the_dashboard_finds_data_in_the_running_demo() {
    let alerts = read(&deployed("prometheus/alerts.yml"));
    let queries = queries(&dashboard());
    assert!(queries.len() > 30, "{}", queries.len());

    let demo = Demo::after_its_tour();
    let prometheus = Prometheus::scraping(&demo.admin).await;
    let tls = wxgate::upstream::tls::client_config(None).expect("roots");
    let client =
        reqwest::Client::builder().no_proxy().tls_backend_preconfigured(tls).build().expect("a client");
    let done = Arc::new(AtomicBool::new(false));
    let mut calls = JoinSet::new();
    calls.spawn(call(client.clone(), demo.proxy.clone(), Arc::clone(&done)));

    let scrape = client.get(format!("http://{}/metrics", demo.admin)).send().await.expect("a scrape");
    let scrape = scrape.text().await.expect("a text");
    let known: BTreeSet<_> = scrape
        .lines()
        .filter_map(|line| line.strip_prefix("# HELP ")?.split(' ').next())
        .map(str::to_owned)
        .collect();
    let all: String = queries.iter().map(|(_, query)| query.as_str()).chain([alerts.as_str()]).collect();
    let named = metrics(&all);
    let unknown: BTreeSet<_> = named.difference(&known).map(String::as_str).collect();
    assert_eq!(unknown, BTreeSet::new(), "asked for and not in a scrape");

    let give_up = Instant::now() + LOST;
    let mut without = queries.clone();
    loop {
        let mut left = Vec::new();
        for (panel, query) in without {
            let found = prometheus.query(&filled(&query)).await;
            if found.is_empty() {
                left.push((panel, query));
            }
        }
        without = left;
        if without.is_empty() {
            break;
        }
        assert!(Instant::now() < give_up, "no data for {without:#?}\n{scrape}");
        sleep(Duration::from_millis(200)).await;
    }

    // The demo's tour kills tokens behind wxgate's back, which is what this alert is for.
    let fired = loop {
        let rules = prometheus.get("rules").await;
        let rules = rules["groups"][0]["rules"].as_array().expect("rules").clone();
        let unwell: Vec<_> = rules.iter().filter(|rule| rule["health"] == "err").collect();
        assert!(unwell.is_empty(), "{unwell:#?}");
        let alerts = prometheus.get("alerts").await;
        let fired = alerts["alerts"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|alert| alert["state"] == "firing")
            .cloned();
        if let Some(fired) = fired.filter(|_| rules.iter().all(|rule| rule["health"] == "ok")) {
            break fired;
        }
        assert!(Instant::now() < give_up, "{rules:#?}");
        sleep(Duration::from_millis(200)).await;
    };
    assert_eq!(fired["labels"]["alertname"], "WxgateInterference", "{fired}");
    assert_eq!(fired["annotations"]["summary"], "Another program fetches tokens with the secret of shop");

    let query = "wxgate_request_duration_seconds_bucket";
    let found = loop {
        let found = prometheus
            .ask("query_exemplars", &[("query", query), ("start", "0"), ("end", "99999999999")])
            .await;
        let found: Vec<_> = found
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|series| series["exemplars"].as_array())
            .flatten()
            .cloned()
            .collect();
        if found.iter().any(|exemplar| exemplar["labels"]["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736") {
            break found;
        }
        assert!(Instant::now() < give_up, "{found:#?}");
        sleep(Duration::from_millis(200)).await;
    };
    assert!(found.iter().all(|exemplar| exemplar["labels"]["request_id"].is_string()), "{found:#?}");

    done.store(true, Ordering::Relaxed);
    calls.join_all().await;
}
