//! What operators do, or are denied, is in the log.

use reqwest::Method;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::process::{APPID, Place, Process};
use crate::client::client;
use crate::until::{found, until};

const TOKEN: &str = "admin-token-of-the-test";

/// Sends a request to the admin address; gives the status.
async fn ask(process: &Process, method: Method, path: &str, token: Option<&str>) -> u16 {
    let address = process.logged("admin listening").await["address"].as_str().expect("an address").to_owned();
    let request = client().request(method, format!("http://{address}{path}"));
    let request = request.header("X-Forwarded-For", "203.0.113.9");
    let request = token.into_iter().fold(request, |request, token| request.bearer_auth(token));
    request.send().await.expect("an answer").status().as_u16()
}

/// The audit lines, once there are so many: an answer may be here before its line.
async fn audit_lines(process: &Process, count: usize) -> Vec<Value> {
    let lines = || process.log().into_iter().filter(|line| line["kind"] == "audit").collect::<Vec<_>>();
    let all = async || Some(lines()).filter(|lines| lines.len() >= count);
    found(|| format!("{count} lines in {:#?}", lines()), all).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_or_denied_at_the_admin_address_is_in_the_log() {
    let place = Place::new();
    place.write("admin.token", TOKEN);
    let config = |trusted: &str| {
        format!(
            "[server]\nlisten = [\"127.0.0.1:0\"]\nworkers = 1\ntrusted_proxies = [{trusted}]\n\
             [admin]\nlisten = \"127.0.0.1:0\"\ntoken = {{ file = \"admin.token\" }}\n\
             [upstream]\nbase_urls = [\"{}\"]\n\
             [[app]]\nname = \"shop\"\nappid = \"{APPID}\"\nsecret = {{ file = \"shop.secret\" }}\ndefault = true\n",
            place.sandbox.url()
        )
    };
    place.write("wxgate.toml", &config("\"127.0.0.0/8\""));
    let mut process = place.serve().await;

    let of_shop = |what: &str| format!("/api/v1/apps/shop/{what}");
    let send = "/cgi-bin/message/custom/send";
    let (post, right, wrong) = (&Method::POST, Some(TOKEN), Some("another"));
    // Method, path, token; status; action, outcome, app, endpoint, cause (how it begins).
    let steps = [
        (post, of_shop("refresh"), None, 401, ("refresh", "denied", "shop", "", "no_token")),
        (post, of_shop("refresh?force=true"), wrong, 401, ("force", "denied", "shop", "", "wrong_token")),
        (&Method::GET, "/api/v1/status".into(), wrong, 401, ("read", "denied", "", "", "wrong_token")),
        (post, of_shop("refresh"), right, 200, ("refresh", "done", "shop", "", "")),
        (post, of_shop("refresh?force=true"), right, 200, ("force", "done", "shop", "", "")),
        (
            post,
            "/api/v1/apps/nobody/refresh".into(),
            right,
            404,
            ("refresh", "failed", "nobody", "", "no app"),
        ),
        (post, of_shop("clear-quota"), right, 400, ("clear_quota", "failed", "shop", "", "not confirmed")),
        (
            post,
            of_shop(&format!("clear-quota?confirm=shop&endpoint={send}")),
            right,
            200,
            ("clear_quota", "done", "shop", send, ""),
        ),
        (post, of_shop("quota/reset"), right, 400, ("quota_reset", "failed", "shop", "", "not confirmed")),
        (
            post,
            of_shop("quota/reset?confirm=shop"),
            None,
            401,
            ("quota_reset", "denied", "shop", "", "no_token"),
        ),
        (post, of_shop("quota/reset?confirm=shop"), right, 200, ("quota_reset", "done", "shop", "", "")),
        (
            post,
            of_shop("rid?rid=61725984-6126f6f9-040f19c4"),
            right,
            200,
            ("rid", "failed", "shop", "", "WeChat"),
        ),
        (post, "/api/v1/reload".into(), right, 200, ("reload", "done", "", "", "")),
    ];
    for (method, path, token, status, _) in &steps {
        assert_eq!(ask(&process, (*method).clone(), path, *token).await, *status, "{path}");
    }
    // What only looks is no action.
    assert_eq!(ask(&process, Method::GET, "/api/v1/status", right).await, 200);
    let audit = audit_lines(&process, steps.len()).await;
    assert_eq!(audit.len(), steps.len(), "{audit:#?}");
    for (line, (.., (action, outcome, app, endpoint, cause))) in audit.iter().zip(&steps) {
        let text = |field: &str| line[field].as_str().unwrap_or_default();
        let said = (text("action"), text("outcome"), text("app"), text("endpoint"));
        assert_eq!(said, (*action, *outcome, *app, *endpoint), "{line}");
        assert!(text("cause").starts_with(cause) && text("cause").is_empty() == cause.is_empty(), "{line}");
        assert_eq!(line["remote"], "203.0.113.9");
        assert_eq!(line["level"], if *outcome == "done" { "INFO" } else { "WARN" });
    }

    // A signal has no remote; and a proxy that is no longer trusted isn't believed.
    place.write("wxgate.toml", "nonsense");
    process.signal("HUP");
    process.logged("reload failed").await;
    place.write("wxgate.toml", &config(""));
    process.signal("HUP");
    process.logged_times("reload done", 2).await;
    assert_eq!(ask(&process, post.clone(), &of_shop("refresh"), wrong).await, 401);
    let audit = audit_lines(&process, steps.len() + 3).await;
    let [failed, done, denied] = &audit[steps.len()..] else { panic!("{audit:#?}") };
    assert_eq!((&failed["outcome"], &failed["remote"]), (&"failed".into(), &Value::Null));
    assert_eq!((&done["outcome"], &done["remote"]), (&"done".into(), &Value::Null));
    assert_eq!((&denied["outcome"], &denied["remote"]), (&"denied".into(), &"127.0.0.1".into()));

    let metrics = async || {
        let address = process.logged("admin listening").await["address"].as_str().expect("one").to_owned();
        let request = client().get(format!("http://{address}/metrics"));
        request.send().await.expect("an answer").text().await.expect("text")
    };
    until(
        || "the counts",
        async || {
            let text = metrics().await;
            text.contains("wxgate_admin_denied_total{reason=\"wrong_token\"} 3\n")
                && text.contains("wxgate_admin_denied_total{reason=\"no_token\"} 2\n")
        },
    )
    .await;
    process.signal("TERM");
    process.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_tries_admin_tokens_is_told_with_address_and_count() {
    let place = Place::new();
    place.write("admin.token", TOKEN);
    place.configure("trusted_proxies = [\"127.0.0.1\"]", "");
    let config = std::fs::read_to_string(place.path("wxgate.toml")).expect("written");
    let with_token = "[admin]\ntoken = { file = \"admin.token\" }\n";
    place.write("wxgate.toml", &config.replace("[admin]\n", with_token));
    let mut process = place.serve().await;
    for _ in 0..11 {
        assert_eq!(ask(&process, Method::GET, "/metrics", Some("another")).await, 401);
    }
    let told = process.logged("repeated wrong API keys or admin tokens").await;
    let told = (&told["remote"], &told["wrong_keys"], &told["level"]);
    assert_eq!(told, (&"203.0.113.9".into(), &10.into(), &"WARN".into()));
    process.logged_times("repeated wrong API keys or admin tokens", 1).await;
    process.signal("TERM");
    process.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_strangers_repeat_at_the_admin_address_is_told_once_a_minute() {
    let place = Place::new();
    place.write("admin.token", TOKEN);
    place.configure("", "");
    let config = std::fs::read_to_string(place.path("wxgate.toml")).expect("written");
    let with_token = "[admin]\ntoken = { file = \"admin.token\" }\n";
    place.write("wxgate.toml", &config.replace("[admin]\n", with_token));
    let mut process = place.serve().await;
    let address = process.logged("admin listening").await["address"].as_str().expect("one").to_owned();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(&address).await.expect("a connection");
        // The beginning of a TLS handshake.
        stream.write_all(b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03").await.expect("sent");
        // A reset is an end as well.
        let _ = stream.read_to_end(&mut Vec::new()).await;
        assert_eq!(ask(&process, Method::GET, "/metrics", Some("another")).await, 401);
        assert_eq!(ask(&process, Method::POST, "/api/v1/reload", Some("another")).await, 401);
    }
    let audit = audit_lines(&process, 4).await;
    let actions: Vec<_> = audit.iter().map(|line| line["action"].as_str().unwrap_or_default()).collect();
    assert_eq!(actions, ["read", "reload", "reload", "reload"], "each action, and the reads once");
    assert_eq!((&audit[0]["count"], &audit[1]["count"]), (&1.into(), &Value::Null), "{audit:#?}");
    let log = process.log();
    let of_tls: Vec<_> =
        log.iter().filter(|line| line["message"].as_str().is_some_and(|text| text.contains("TLS"))).collect();
    let [told] = of_tls[..] else { panic!("{of_tls:#?}") };
    assert_eq!((&told["remote"], &told["connections"]), (&"127.0.0.1".into(), &1.into()), "{told}");
    let metrics = client().get(format!("http://{address}/metrics")).send().await.expect("an answer");
    let metrics = metrics.text().await.expect("text");
    assert!(metrics.contains("wxgate_admin_denied_total{reason=\"wrong_token\"} 6\n"), "{metrics}");
    process.signal("TERM");
    process.ended().await;
}
