//! wechatpy, with nothing but its addresses turned to the proxy; `wechatpy_client.py` says how.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::process::{Command, Output};

use serde::Deserialize;
use wxgate::sandbox::{Entry, Sandbox};

use crate::harness::{APPID, Gate, SECRET, SHOP, Setup};
use crate::{events, venv};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk/wechatpy_client.py");
/// A caller's key, and what wechatpy believes to be the app's secret.
const KEY: &str = "canary-caller-key-c03d";
/// What placeholders begin with.
const PLACEHOLDER: &str = "wxgate-";
const REJECTED: i64 = 40001;
const UPLOAD: &str = "/cgi-bin/media/upload";

/// What the script did.
#[derive(Debug, Deserialize)]
struct Report {
    /// Calls by path.
    calls: BTreeMap<String, usize>,
    rotations: usize,
    /// Digests of the files that went up and came down again.
    media: Vec<String>,
}

/// The shop app with one caller.
fn with_a_caller() -> Setup {
    let digest = ring::digest::digest(&ring::digest::SHA256, KEY.as_bytes());
    let hex = digest.as_ref().iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a string takes everything");
        hex
    });
    let caller = format!("[[caller]]\nname = \"orders\"\nkey_sha256 = \"{hex}\"\napps = [\"shop\"]\n");
    Setup { apps: format!("{SHOP}{caller}"), ..Setup::default() }
}

/// Runs the script to its end.
async fn run(gate: &Gate, secret: &'static str) -> Output {
    let (proxy, sandbox) = (gate.url(""), gate.sandbox.url());
    let run = move || {
        let mut command = Command::new(venv::python());
        // An address that was not turned must not reach the real WeChat.
        command.env("https_proxy", "http://127.0.0.1:1").env("no_proxy", "127.0.0.1").env_remove("NO_PROXY");
        command.args(["-I", SCRIPT]).args([&*proxy, APPID, secret, &*sandbox]).output().expect("Python runs")
    };
    tokio::task::spawn_blocking(run).await.expect("the script was waited for")
}

fn report(output: &Output) -> Report {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", output.status);
    serde_json::from_slice(&output.stdout).expect("a report")
}

/// What reached WeChat is what the script did, each call under a live token of its own, and nothing of the SDK's belief.
fn assert_wechat_saw(gate: &Gate, report: &Report) {
    let journal = gate.sandbox.journal(None);
    for entry in &journal {
        let entry = serde_json::to_string(entry).expect("JSON");
        assert!(!entry.contains(PLACEHOLDER) && !entry.contains(KEY), "{entry}");
    }
    // Token calls end at the proxy, which uses the other endpoint itself.
    assert!(gate.journal("/cgi-bin/token").is_empty());
    assert_eq!(gate.counts(), (report.rotations as u64 + 1, 0, 0));

    let (fetches, calls): (Vec<&Entry>, Vec<&Entry>) =
        journal.iter().partition(|entry| entry.path == "/cgi-bin/stable_token");
    assert_eq!(fetches.len(), report.rotations + 1);
    let (accepted, rejected): (Vec<&Entry>, Vec<&Entry>) =
        calls.into_iter().partition(|entry| entry.errcode == Some(0));
    assert!(rejected.iter().all(|entry| entry.errcode == Some(REJECTED)), "{rejected:?}");
    assert_eq!(rejected.len(), report.rotations);

    let mut by_path = BTreeMap::new();
    for entry in &accepted {
        *by_path.entry(entry.path.clone()).or_insert(0) += 1;
    }
    assert_eq!(by_path, report.calls);
    let tokens: BTreeSet<_> =
        accepted.iter().map(|entry| entry.access_token.as_ref().expect("a token")).collect();
    assert_eq!(tokens.len(), accepted.len(), "a rotation between any two calls");

    let uploads = |entries: &[&Entry]| -> Vec<_> {
        let uploads = entries.iter().filter(|entry| entry.path == UPLOAD);
        uploads.map(|entry| entry.body_sha256.clone().expect("a whole body")).collect()
    };
    assert_eq!(uploads(&accepted).len(), report.media.len());
    assert_eq!(uploads(&rejected), uploads(&accepted), "a replay sends the same bytes");
}

/// Neither log nor metrics show a credential: the app's, the caller's, WeChat's tokens, placeholders.
fn assert_nothing_shows(sandbox: &Sandbox, texts: &[(&str, String)]) {
    let journal = sandbox.journal(None);
    let tokens: BTreeSet<_> = journal.iter().filter_map(|entry| entry.access_token.as_deref()).collect();
    assert!(!tokens.is_empty());
    for (name, text) in texts {
        assert!(!text.is_empty(), "no {name}");
        for secret in [SECRET, KEY, PLACEHOLDER].iter().chain(&tokens) {
            assert!(!text.contains(secret), "{secret} in the {name}: {text}");
        }
    }
}

/// The whole tour, as the caller that the metrics are to name.
async fn tour(setup: Setup, secret: &'static str, caller: &str) {
    events::collect();
    let gate = Gate::with(setup).await;
    let report = report(&run(&gate, secret).await);
    assert_wechat_saw(&gate, &report);

    let made: usize = report.calls.values().sum();
    assert_eq!(made, report.rotations + 1);
    // The two more are token calls.
    let sample = format!("wxgate_caller_requests_total{{app=\"shop\",caller=\"{caller}\",outcome=\"ok\"}}");
    assert_eq!(gate.metric(&sample).await, made as f64 + 2.0, "{}", gate.metrics().await);

    let metrics = gate.metrics().await;
    let (sandbox, log) = (gate.sandbox.clone(), gate.log.clone());
    let lines = gate.end().await;
    assert_nothing_shows(
        &sandbox,
        &[("access log", log.text()), ("log", events::text()), ("metrics", metrics)],
    );
    // An SDK that saw a rejection would have fetched again.
    for path in ["/cgi-bin/token", "/cgi-bin/stable_token"] {
        assert_eq!(lines.iter().filter(|line| line["path"] == path).count(), 1, "{path}");
    }
    for line in lines {
        assert_eq!(line["caller"], caller, "{line}");
        assert_eq!(line["errcode"].as_i64().unwrap_or(0), 0, "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wechatpy_never_notices_that_its_token_is_rotated_between_all_calls() {
    tour(Setup::default(), "not-the-secret", "anonymous").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wechatpy_is_the_caller_whose_key_it_takes_for_the_secret() {
    tour(with_a_caller(), KEY, "orders").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_nobody_has_is_a_wrong_secret_to_wechatpy() {
    events::collect();
    let gate = Gate::with(with_a_caller()).await;
    let output = run(&gate, "not-the-key").await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(said.contains("WeChatClientException: Error code: 40125"), "{said}");
    assert!(gate.journal("/cgi-bin/user/info").is_empty());
}
