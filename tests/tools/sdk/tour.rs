//! A service on an SDK whose code is unmodified, behind the proxy, while somebody else rotates the
//! token between its calls.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Output};

use serde::Deserialize;
use wxgate::sandbox::{Entry, Sandbox};

use super::{events, guide};
use crate::harness::{APPID, Gate, SECRET, SHOP, Setup, caller};

/// A caller's key, and what the SDK believes to be the app's secret.
const KEY: &str = "canary-caller-key-c03d";
/// What placeholders begin with.
const PLACEHOLDER: &str = "wxgate-";
const REJECTED: i64 = 40001;
const UPLOAD: &str = "/cgi-bin/media/upload";

/// An SDK, and the service that uses it.
pub(crate) struct Sdk {
    /// The name of its page among the guides.
    pub(crate) name: &'static str,
    /// That of the guide's lines for it.
    pub(crate) language: &'static str,
    /// What follows the guide's lines: the service.
    pub(crate) script: String,
    /// Runs the service; its arguments follow.
    pub(crate) command: Command,
    /// Where it fetches tokens, once each.
    pub(crate) token_calls: &'static [&'static str],
}

/// What a service did.
#[derive(Debug, Deserialize)]
struct Report {
    /// Calls that wxgate answered out of its own keeping.
    #[serde(default)]
    kept: usize,
    /// Calls by path.
    calls: BTreeMap<String, usize>,
    rotations: usize,
    /// Digests of the files that went up and came down again.
    media: Vec<String>,
}

impl Sdk {
    /// Runs the service to its end, in a folder of its own.
    async fn run(self, gate: &Gate, secret: &str) -> Output {
        self.run_for(APPID, gate, secret).await
    }

    async fn run_for(mut self, appid: &str, gate: &Gate, secret: &str) -> Output {
        let folder = tempfile::tempdir().expect("a folder");
        let service = folder.path().join("service");
        let text = format!("{}{}", guide::lines(self.name, self.language), self.script);
        std::fs::write(&service, text).expect("written");
        let command =
            self.command.arg(&service).args([appid, &gate.sandbox.url()]).current_dir(folder.path());
        command.env("WXGATE_URL", gate.url("")).env("WXGATE_APPID", appid).env("WXGATE_KEY", secret);
        // An address that was not turned must not reach the real WeChat.
        command.env("https_proxy", "http://127.0.0.1:1").env("no_proxy", "127.0.0.1").env_remove("NO_PROXY");
        let run = move || {
            let output = self.command.output().expect("it runs");
            drop(folder);
            output
        };
        tokio::task::spawn_blocking(run).await.expect("the service was waited for")
    }

    /// The whole tour, as the caller that the metrics are to name.
    async fn tour(self, setup: Setup, secret: &str, caller: &str) {
        events::collect();
        let token_calls = self.token_calls;
        let gate = Gate::with(setup).await;
        let report = report(&self.run(&gate, secret).await);
        assert_wechat_saw(&gate, &report);

        let made: usize = report.calls.values().sum();
        assert_eq!(made, report.rotations + 1);
        let sample =
            format!("wxgate_caller_requests_total{{app=\"shop\",caller=\"{caller}\",outcome=\"ok\"}}");
        let metrics = gate.metrics().await;
        assert_eq!(gate.metric(&sample).await, (made + report.kept + token_calls.len()) as f64, "{metrics}");

        let (sandbox, log) = (gate.sandbox.clone(), gate.log.clone());
        let lines = gate.end().await;
        assert_nothing_shows(
            &sandbox,
            &[("access log", log.text()), ("log", events::text()), ("metrics", metrics)],
        );
        // An SDK that saw a rejection would have fetched again.
        let fetched = |path: &&str| lines.iter().filter(|line| line["path"] == **path).count();
        assert!(token_calls.iter().map(fetched).all(|times| times == 1), "{lines:?}");
        for line in lines {
            assert_eq!(line["caller"], caller, "{line}");
            assert_eq!(line["errcode"].as_i64().unwrap_or(0), 0, "{line}");
        }
    }

    pub(crate) async fn never_notices_rotations(self) {
        self.tour(Setup::default(), "not-the-secret", "anonymous").await;
    }

    pub(crate) async fn has_a_callers_key(self) {
        self.tour(with_a_caller(), KEY, "orders").await;
    }

    pub(crate) async fn takes_a_wrong_key_for_a_wrong_secret(self) {
        events::collect();
        let gate = Gate::with(with_a_caller()).await;
        let output = self.run(&gate, "not-the-key").await;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success());
        assert!(said.contains("40125"), "{said}");
        assert!(gate.journal("/cgi-bin/user/info").is_empty());
    }

    /// What the service ends with when wxgate itself refuses its first call.
    pub(crate) async fn says_of_a_refusal(self, error_status: &str) -> String {
        let server = format!("error_status = \"{error_status}\"\n");
        self.fails_with(APPID, &server, "allow = [\"/cgi-bin/nothing\"]").await
    }

    /// What the service of this app, as the caller `orders` of whom `more` is configured, ends
    /// with.
    async fn fails_with(self, appid: &str, server: &str, more: &str) -> String {
        events::collect();
        let apps = format!("{SHOP}{}", caller("orders", &[KEY], &["shop"], more));
        let gate = Gate::with(Setup { apps, server: server.into(), ..Setup::default() }).await;
        let output = self.run_for(appid, &gate, KEY).await;
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    }
}

/// `sdk` makes a service of lines in the SDK's language; `user` looks a user up, `guarded` calls
/// clear_quota.
pub(crate) async fn exceptions_have_wxgates_words(sdk: impl Fn(&str) -> Sdk, user: &str, guarded: &str) {
    // As whoever follows the guide has it: the key isn't written.
    let server = "# error_status\n";
    let said = sdk(user).fails_with("wx00000000000000ff", server, "").await;
    assert!(said.contains("wxgate: ") && said.contains("wx00000000000000ff"), "a wrong appid: {said}");
    let said = sdk(guarded).fails_with(APPID, server, "").await;
    let words = "wxgate: endpoint_forbidden: this endpoint can harm the account";
    assert!(said.contains(words) && said.contains("POST /cgi-bin/clear_quota"), "a guarded endpoint: {said}");
    let twice = format!("{user}{user}");
    let said = sdk(&twice).fails_with(APPID, server, "daily = { \"/cgi-bin/user/info\" = 1 }").await;
    assert!(said.contains("wxgate: quota_exhausted: caller orders: 1 "), "a spent budget: {said}");
}

/// The shop app with one caller.
fn with_a_caller() -> Setup {
    Setup { apps: format!("{SHOP}{}", caller("orders", &[KEY], &["shop"], "")), ..Setup::default() }
}

fn report(output: &Output) -> Report {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", output.status);
    serde_json::from_slice(&output.stdout).expect("a report")
}

/// What reached WeChat is what the service did, each call under a live token of its own, and
/// nothing of the SDK's belief.
fn assert_wechat_saw(gate: &Gate, report: &Report) {
    let mut journal = gate.sandbox.journal(None);
    // wxgate's own, if the service took its time.
    journal.retain(|entry| entry.path != "/cgi-bin/openapi/quota/get");
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

/// Neither log nor metrics show a credential: the app's, the caller's, WeChat's tokens,
/// placeholders.
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
