//! What people are told, by robots and web hooks.

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use wxgate::sandbox::{App, AppKind, Sandbox};

use tracing_subscriber::util::SubscriberInitExt as _;

use crate::harness::{ADMIN_TOKEN, APPID, Answer, GAME, Gate, Log, SECRET, SHOP, Setup, caller, sandbox};
use crate::until::until;

/// A robot that remembers what it was told.
pub(super) struct Robot {
    url: String,
    heard: Arc<Mutex<Vec<Heard>>>,
}

#[derive(Clone, Debug)]
pub(super) struct Heard {
    head: String,
    pub(super) body: Value,
}

impl Robot {
    /// Gives `answers` one after the other, and the last one from then on.
    pub(super) async fn start(answers: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/send?key=canary-robot-key", listener.local_addr().expect("bound"));
        let heard = Arc::<Mutex<Vec<Heard>>>::default();
        let told = Arc::clone(&heard);
        #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
        tokio::spawn(async move {
            for turn in 0.. {
                let Ok((mut socket, _)) = listener.accept().await else { return };
                let mut bytes = Vec::new();
                let (head, body) = loop {
                    let mut buffer = [0; 4096];
                    let read = socket.read(&mut buffer).await.unwrap_or(0);
                    bytes.extend_from_slice(&buffer[..read]);
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    if let Some((head, body)) = text.split_once("\r\n\r\n")
                        && let Ok(body) = serde_json::from_str(body)
                    {
                        break (head.to_owned(), body);
                    }
                };
                told.lock().push(Heard { head, body });
                let answer = answers[turn.min(answers.len() - 1)];
                let text = format!(
                    "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{answer}",
                    answer.len()
                );
                let _ = socket.write_all(text.as_bytes()).await;
            }
        });
        Self { url, heard }
    }

    pub(super) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().clone()
    }

    /// What it was told, once that is so many messages.
    pub(super) async fn messages(&self, count: usize) -> Vec<Heard> {
        until(|| format!("{count} messages: {:?}", self.heard()), async || self.heard().len() >= count).await;
        self.heard()
    }
}

pub(super) fn alert(kind: &str, robot: &Robot, more: &str) -> String {
    format!("\n[[alert]]\nkind = \"{kind}\"\nurl = \"{}\"\n{more}\n", robot.url)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_robot_hears_of_a_quota_in_its_own_form() {
    let (wecom, dingtalk) =
        (Robot::start(&["{\"errcode\":0}"]).await, Robot::start(&["{\"errcode\":0}"]).await);
    let (feishu, hook) = (Robot::start(&["{\"code\":0}"]).await, Robot::start(&[""]).await);
    let deaf = Robot::start(&["{\"errcode\":0}"]).await;
    let alerts = [
        alert("wecom", &wecom, ""),
        alert("dingtalk", &dingtalk, "secret = \"sign\"\nlanguage = \"en\""),
        alert("feishu", &feishu, "secret = \"sign\"\non = [\"quota\"]"),
        alert("webhook", &hook, "secret = \"sign\"\napps = [\"shop\"]"),
        alert("wecom", &deaf, "on = [\"interference\"]"),
    ];
    let setup = Setup { apps: format!("{SHOP}{}", alerts.concat()), ..Setup::default() };
    let gate = Gate::with(setup).await.settled().await;
    gate.sandbox.daily_limit("/cgi-bin/user/info", 10);
    for _ in 0..8 {
        gate.get("/cgi-bin/user/info?openid=o").await;
    }
    let heard = wecom.messages(1).await;
    let text = heard[0].body["text"]["content"].as_str().expect("text");
    assert!(text.starts_with("[wxgate] ") && text.contains("shop: /cgi-bin/user/info 今日配额"), "{text}");
    assert!(text.contains("anonymous（100%）"), "{text}");
    let heard = dingtalk.messages(1).await;
    let text = heard[0].body["text"]["content"].as_str().expect("text");
    assert!(text.contains("80% of today's quota for /cgi-bin/user/info is used: 8 of 10"), "{text}");
    let line = heard[0].head.lines().next().expect("a request line");
    assert!(line.contains("/send?key=canary-robot-key&timestamp=") && line.contains("&sign="), "{line}");
    let heard = feishu.messages(1).await;
    assert!(heard[0].body["sign"].is_string() && heard[0].body["content"]["text"].is_string(), "{heard:?}");
    let heard = hook.messages(1).await;
    let notice = &heard[0].body["notices"][0];
    assert_eq!(
        (&notice["kind"], &notice["caller"], &notice["caller_percent"]),
        (&"used_70_percent".into(), &"anonymous".into(), &100.into())
    );
    assert!(heard[0].head.contains("x-wxgate-signature: sha256="), "{}", heard[0].head);
    assert!(deaf.heard().is_empty(), "{:?}", deaf.heard());
    let metrics = gate.metrics().await;
    assert!(metrics.contains("wxgate_notices_total{kind=\"webhook\",outcome=\"sent\"} 1\n"), "{metrics}");
    assert!(!gate.log.text().contains("canary-robot-key"));
}

/// Of one thread, on which the test's own collector of events sees the watch.
#[tokio::test]
async fn calls_around_wxgate_accuse_no_caller() {
    let events = Log::default();
    let writer = events.clone();
    let layer = tracing_subscriber::fmt().json().flatten_event(true).with_writer(move || writer.clone());
    let _collecting = layer.set_default();
    let (wecom, hook) = (Robot::start(&["{\"errcode\":0}"]).await, Robot::start(&[""]).await);
    let robots = [alert("wecom", &wecom, "language = \"en\""), alert("webhook", &hook, "")].concat();
    let orders = caller("orders", &["key"], &["shop"], "");
    let apps = format!("{SHOP}{orders}{robots}");
    let gate = Gate::with(Setup { apps, ..Setup::default() }).await.settled().await;
    gate.sandbox.daily_limit("/cgi-bin/user/info", 40);
    let ask = async || gate.get_with("/cgi-bin/user/info?openid=o", &[("x-wxgate-key", "key")]).await;
    assert_eq!(ask().await.errcode(), 0);
    let known = "wxgate_quota_used{app=\"shop\",endpoint=\"/cgi-bin/user/info\"}";
    until(
        || known,
        async || {
            gate.clock.advance(1_000);
            gate.metric(known).await == 1.0
        },
    )
    .await;
    let token = gate.token(APPID);
    for _ in 0..30 {
        let url = format!("{}/cgi-bin/user/info?openid=o&access_token={token}", gate.sandbox.url());
        gate.client.get(url).send().await.expect("an answer");
    }
    assert_eq!(ask().await.errcode(), 0);
    gate.clock.advance(700_000);

    // Of the calls around, that with them 80 % are used, and early in the day a forecast.
    let told = |heard: Vec<Heard>| -> Vec<Value> {
        heard.iter().flat_map(|one| one.body["notices"].as_array().cloned().unwrap_or_default()).collect()
    };
    until(|| format!("{:?}", hook.heard()), async || told(hook.heard()).len() >= 2).await;
    for notice in told(hook.heard()) {
        assert!(notice["caller"].is_null() && notice["caller_percent"].is_null(), "{notice}");
        let message = notice["message"].as_str().expect("a text");
        assert!(message.contains("30 calls") && !message.contains("orders"), "{message}");
    }
    let heard = format!("{:?}", wecom.messages(1).await);
    assert!(heard.contains("WeChat counted 30 calls") && !heard.contains("orders"), "{heard}");

    let quota = Answer::of(gate.client.get(gate.admin_url("/api/v1/quota"))).await.json();
    let logged: Vec<_> = events.lines().into_iter().filter(|line| line["around"].is_number()).collect();
    let warnings = quota["warnings"].as_array().expect("a list");
    for (kind, lines) in [("around", &logged), ("used_70_percent", &logged), ("around", warnings)] {
        let line =
            lines.iter().find(|line| line["kind"] == kind).unwrap_or_else(|| panic!("{kind}: {lines:?}"));
        assert_eq!(line["around"], 30, "{line}");
        assert!(line["caller"].is_null() && line["caller_percent"].is_null(), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_robot_that_refuses_is_told_again() {
    let robot = Robot::start(&["{\"errcode\":45009,\"errmsg\":\"too fast\"}", "{\"errcode\":0}"]).await;
    let setup = Setup { apps: format!("{SHOP}{}", alert("wecom", &robot, "")), ..Setup::default() };
    let gate = Gate::with(setup).await.settled().await;
    gate.sandbox.daily_limit("/cgi-bin/user/info", 1);
    gate.get("/cgi-bin/user/info?openid=o").await;
    let heard = robot.messages(2).await;
    assert_eq!(heard[0].body, heard[1].body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_cannot_be_had_is_told_of_once_and_so_is_its_return() {
    let hook = Robot::start(&[""]).await;
    let sandbox = sandbox();
    put(&sandbox, "another-secret-0000000000000000");
    let setup = Setup { apps: format!("{SHOP}{}", alert("webhook", &hook, "")), ..Setup::default() };
    let gate = Gate::before(sandbox, setup).await;
    let heard = hook.messages(1).await;
    let notice = &heard[0].body["notices"][0];
    assert_eq!((&notice["kind"], &notice["app"]), (&"token_unavailable".into(), &"shop".into()));
    assert!(notice["message"].as_str().is_some_and(|text| text.contains("40125")), "{notice}");
    // It fails on, and nobody is told again.
    refresh(&gate).await;
    refresh(&gate).await;
    put(&gate.sandbox, SECRET);
    refresh(&gate).await;
    let heard = hook.messages(2).await;
    assert_eq!(heard[1].body["notices"][0]["kind"], "token_recovered");
    assert_eq!(heard.len(), 2, "{heard:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_outage_of_a_token_is_told_of_also_the_second_in_an_hour() {
    let hook = Robot::start(&[""]).await;
    let alerts = alert("webhook", &hook, "on = [\"token\"]");
    let gate =
        Gate::with(Setup { apps: format!("{SHOP}{alerts}"), ..Setup::default() }).await.settled().await;
    let told = || -> Vec<String> {
        let notices = hook.heard().into_iter().flat_map(|heard| heard.body["notices"].as_array().cloned());
        let kind = |notice: Value| notice["kind"].as_str().expect("a kind").to_owned();
        notices.flatten().map(kind).filter(|kind| kind != "token_not_renewed").collect()
    };
    let mut expected = Vec::new();
    for _ in 0..2 {
        put(&gate.sandbox, "another-secret-0000000000000000");
        gate.sandbox.rotate(APPID);
        assert_eq!(gate.get("/cgi-bin/user/info?openid=o").await.status, 502);
        expected.push("token_unavailable");
        until(|| format!("{expected:?}: {:#?}", hook.heard()), async || told() == expected).await;
        put(&gate.sandbox, SECRET);
        refresh(&gate).await;
        expected.push("token_recovered");
        until(|| format!("{expected:?}: {:#?}", hook.heard()), async || told() == expected).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_else_who_fetches_is_told_of() {
    let hook = Robot::start(&[""]).await;
    let setup = Setup { apps: format!("{SHOP}{}", alert("webhook", &hook, "")), ..Setup::default() };
    let gate = Gate::with(setup).await.settled().await;
    for _ in 0..3 {
        gate.sandbox.rotate(APPID);
        gate.get("/cgi-bin/user/info?openid=o").await;
    }
    let heard = hook.messages(1).await;
    assert_eq!(heard[0].body["notices"][0]["topic"], "interference");
    assert_eq!(heard[0].body["notices"].as_array().map(Vec::len), Some(1), "once an hour: {heard:?}");
}

/// The account has this secret now.
fn put(sandbox: &Sandbox, secret: &str) {
    sandbox.put(App::new(APPID, secret, AppKind::OfficialAccount));
}

async fn refresh(gate: &Gate) {
    let request = gate.client.post(gate.admin_url("/api/v1/apps/shop/refresh"));
    request.bearer_auth(ADMIN_TOKEN).send().await.expect("an answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_included_file_that_is_rejected_is_told_of_once_and_shown_with_its_accounts() {
    let hook = Robot::start(&[""]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("game.toml");
    std::fs::write(&path, GAME).expect("written");
    let include = format!("\"{}/*.toml\"", folder.path().display());
    let apps = format!("{SHOP}{}", alert("webhook", &hook, "on = [\"configuration\"]"));
    let gate = Gate::with(Setup { include, apps, ..Setup::default() }).await.settled().await;
    let is_good = async || gate.metric("wxgate_config_last_reload_successful").await;
    assert_eq!(is_good().await, 1.0);
    std::fs::write(&path, "[[app]]\nname = \"game\"\nappid = 5\n").expect("written");
    for _ in 0..3 {
        gate.running.reload().await.expect("all else is taken");
    }
    assert_eq!(is_good().await, 0.0);
    let heard = hook.messages(1).await;
    let notice = &heard[0].body["notices"][0];
    assert_eq!((&notice["topic"], &notice["kind"]), (&"configuration".into(), &"file_rejected".into()));
    assert!(notice["app"].is_null(), "{notice}");
    let told = notice.to_string();
    let place = format!("{}:1:1: app[0].secret: is missing", path.display());
    assert!(told.contains(&place) && told.contains("(and 1 more)"), "{notice}");
    let shown = gate.status().await;
    let file = &shown["configuration"]["files"][0];
    assert_eq!((&file["path"], &file["apps"][0]), (&path.display().to_string().into(), &"game".into()));
    assert!(file["rejected"]["problem"].as_str().is_some_and(|text| text.starts_with(&place)), "{file}");
    assert_eq!(gate.get("/@game/wxa/getwxadevinfo").await.header("x-wxgate-app"), Some("game"));
    std::fs::write(&path, GAME).expect("written");
    gate.running.reload().await.expect("mended");
    assert_eq!(is_good().await, 1.0);
    assert_eq!(hook.messages(1).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_configuration_is_told_of_once() {
    let (hook, wecom) = (Robot::start(&[""]).await, Robot::start(&["{\"errcode\":0}"]).await);
    let of_an_app = Robot::start(&[""]).await;
    let alerts = [
        alert("webhook", &hook, "on = [\"configuration\"]"),
        alert("wecom", &wecom, ""),
        alert("webhook", &of_an_app, "apps = [\"shop\"]"),
    ];
    let setup = Setup { apps: format!("{SHOP}{}", alerts.concat()), ..Setup::default() };
    let gate = Gate::with(setup).await.settled().await;
    for server in ["anonymus = true\n", "anonymus = true\n", "idle_timeout = \"soon\"\n"] {
        gate.change(|setup| setup.server = server.into());
        gate.running.reload().await.expect_err("refused");
        // The next one must not come before this one was seen.
        let seen = async || gate.metric("wxgate_notices_total{kind=\"webhook\",outcome=\"sent\"}").await;
        let expected = if server.contains("idle") { 2.0 } else { 1.0 };
        until(|| "the notice", async || seen().await == expected).await;
    }
    let heard = hook.messages(2).await;
    assert_eq!(heard.len(), 2, "{heard:?}");
    let notice = &heard[0].body["notices"][0];
    assert_eq!((&notice["topic"], &notice["kind"]), (&"configuration".into(), &"reload_refused".into()));
    assert_eq!(notice["app"], Value::Null);
    assert!(notice["message"].as_str().is_some_and(|text| text.contains("test.toml:")), "{notice}");
    let heard = wecom.messages(1).await;
    let text = heard[0].body["text"]["content"].as_str().expect("text");
    assert!(text.starts_with("[wxgate] ") && text.contains(": 新配置有误"), "{text}");
    assert!(of_an_app.heard().is_empty(), "it concerns no app: {:?}", of_an_app.heard());
}
