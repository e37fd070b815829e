//! WeCom: a corporation's apps, a provider and its suite.

use std::time::Duration;

use serde_json::json;
use wxgate::observe::clock::Clock;
use wxgate::sandbox::{App, AppKind, Kind, Options, Sandbox, Target};
use wxgate::secret::Secret;
use wxgate::store::{self, Location, Record, Store};

use crate::harness::{Answer, Gate, Setup, at_once, caller};

const CORP: &str = "ww0000000000000001";
const SUITE: &str = "ww0000000000000999";
const SALES: &str = "canary-agent-secret-sales";
const HR: &str = "canary-agent-secret-hr";
const SUITE_SECRET: &str = "canary-suite-secret";
const PROVIDER_SECRET: &str = "canary-provider-secret";
const KEY: &str = "canary-key-of-bots-31fe";

fn agent(number: &str, secret: &str) -> App {
    App { agent: Some(number.into()), ..App::new(CORP, secret, AppKind::Wecom) }
}

fn tables() -> String {
    let table = |name, agent, secret, more: &str| {
        format!(
            "[[app]]\nname = \"{name}\"\nappid = \"{CORP}\"\nkind = \"wecom\"\nagent_id = \"{agent}\"\n\
             secret = \"{secret}\"\n{more}\n"
        )
    };
    let provider = format!(
        "suite_id = \"{SUITE}\"\nsuite_secret = \"{SUITE_SECRET}\"\nprovider_secret = \"{PROVIDER_SECRET}\""
    );
    format!("{}{}", table("sales", "1000001", SALES, ""), table("hr", "1000002", HR, &provider))
}

async fn gate(more: &str) -> Gate {
    let sandbox = Sandbox::start(Options {
        apps: vec![
            agent("1000001", SALES),
            agent("1000002", HR),
            App::new(SUITE, SUITE_SECRET, AppKind::Suite),
            App::new(CORP, PROVIDER_SECRET, AppKind::Provider),
        ],
        ..Options::default()
    });
    let setup = Setup { apps: format!("{}{more}", tables()), ..Setup::default() };
    Gate::before(sandbox.expect("the sandbox starts"), setup).await.settled().await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_app_of_a_corporation_has_its_own_token() {
    let gate = gate("").await;
    let body = json!({ "touser": "u", "msgtype": "text", "agentid": 1000001 }).to_string();
    for (name, agent) in [("sales", "1000001"), ("hr", "1000002")] {
        let answer =
            gate.post(&format!("/@{name}/cgi-bin/message/send?access_token=mine"), body.clone()).await;
        assert_eq!(answer.errcode(), 0, "{}", answer.text());
        let token = gate.sandbox.token(&format!("{CORP}.{agent}"), Kind::Wecom).expect("a token");
        let last = gate.journal("/cgi-bin/message/send").pop().expect("sent");
        assert_eq!(last.query, format!("access_token={token}"));
    }
    // The corporation alone names neither.
    let answer = gate.get(&format!("/@{CORP}/cgi-bin/user/get?userid=u")).await;
    assert_eq!(answer.refusal(), (400, "app_unknown", -70400));
    assert!(answer.text().contains("several apps share"), "{}", answer.text());
    assert_eq!(gate.get(&format!("/@{CORP}.1000002/cgi-bin/user/get?userid=u")).await.errcode(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_of_the_official_platforms_does_not_take_a_callers_key_to_wecom() {
    let gate = gate(&caller("bots", &[KEY], &["sales"], "")).await;
    let path = "/@sales/sns/jscode2session";
    let form = "application/x-www-form-urlencoded";
    let body = format!("secret={KEY}&js_code=C");
    let in_query = gate.get(&format!("{path}?{body}")).await;
    let in_form = gate.client.post(gate.url(path)).header("content-type", form).body(body);
    for answer in [in_query, Answer::of(in_form).await] {
        assert_eq!(answer.refusal(), (200, "endpoint_forbidden", 48001));
        assert!(answer.text().contains("kind wecom"), "{}", answer.text());
        assert!(!answer.text().contains(KEY), "{}", answer.text());
    }
    assert!(gate.journal("*").iter().all(|entry| entry.path == "/cgi-bin/gettoken"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_token_is_replaced_by_one_fetch() {
    let gate = gate("").await;
    gate.sandbox.expire(Target { appid: Some(format!("{CORP}.1000001")), ..Target::default() });
    let answers =
        at_once(30, |_| Answer::of(gate.client.get(gate.url("/@sales/cgi-bin/user/get?userid=u")))).await;
    assert!(answers.iter().all(|answer| answer.errcode() == 0), "{answers:?}");
    assert_eq!(gate.journal("/cgi-bin/gettoken").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn wecoms_40001_is_no_word_about_the_token() {
    let gate = gate("").await;
    let fault = wxgate::sandbox::Fault {
        path: Some("/cgi-bin/user/get".into()),
        times: Some(1),
        after: 0,
        action: wxgate::sandbox::Action::Errcode { errcode: 40001, errmsg: None },
    };
    gate.sandbox.fault(fault);
    assert_eq!(gate.get("/@sales/cgi-bin/user/get?userid=u").await.errcode(), 40001);
    assert_eq!(gate.journal("/cgi-bin/user/get").len(), 1);
    assert!(gate.journal("/cgi-bin/gettoken").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sdk_that_fetches_by_gettoken_gets_a_placeholder() {
    let callers = caller("bots", &[KEY], &["sales", "hr"], "allow = [\"**\"]");
    let gate = gate(&callers).await;
    let fetch = |prefix: &str| format!("{prefix}/cgi-bin/gettoken?corpid={CORP}&corpsecret={KEY}");
    let said = gate.get(&fetch("/@hr")).await.json();
    let placeholder = said["access_token"].as_str().expect("a placeholder");
    assert_eq!((said["errcode"].as_i64(), said["expires_in"].as_i64()), (Some(0), Some(7200)));
    let answer = gate.get(&format!("/cgi-bin/user/get?access_token={placeholder}&userid=u")).await;
    assert_eq!(answer.errcode(), 0, "{}", answer.text());
    let token = gate.sandbox.token(&format!("{CORP}.1000002"), Kind::Wecom).expect("a token");
    let entry = gate.only("/cgi-bin/user/get");
    assert_eq!(entry.query, format!("access_token={token}&userid=u"));
    // Which of the two is meant can't be told.
    assert_eq!(gate.get(&fetch("")).await.refusal().1, "app_unknown");
    assert_eq!(
        gate.get(&format!("/@hr/cgi-bin/gettoken?corpid={CORP}&corpsecret=wrong")).await.errcode(),
        40125
    );
    assert!(gate.journal("/cgi-bin/gettoken").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suites_and_a_providers_endpoints_get_their_tokens() {
    let folder = tempfile::tempdir().expect("a folder");
    let location = Location::File(folder.path().to_owned());
    let store = Store::open(&store::Options { location, seal: None }).await.expect("a store");
    let now = Clock::default().now();
    let ticket = Record {
        value: std::sync::Arc::new(Secret::new("canary-suite-ticket")),
        generation: 1,
        fetched_at: now,
        expires_at: now.plus(Duration::from_secs(1800)),
    };
    store.save(&format!("suite_ticket:{SUITE}"), &ticket).await.expect("saved");
    let gate = gate(&format!("[store]\nurl = \"file:{}\"\n", folder.path().display())).await;

    let path = "/cgi-bin/service/get_pre_auth_code";
    assert_eq!(gate.get(&format!("/@hr{path}?suite_access_token=mine")).await.errcode(), 0);
    let token = gate.sandbox.token(SUITE, Kind::Suite).expect("a token");
    assert_eq!(gate.only(path).query, format!("suite_access_token={token}"));

    let path = "/cgi-bin/service/get_login_info";
    assert_eq!(
        gate.post(&format!("/@hr{path}?access_token=mine"), "{\"auth_code\":\"c\"}").await.errcode(),
        0
    );
    let token = gate.sandbox.token(&format!("{CORP}.provider"), Kind::Provider).expect("a token");
    assert_eq!(gate.only(path).query, format!("access_token={token}"));

    // An order of licences, and what a device reports with a token of its own.
    let path = "/cgi-bin/license/get_union_order";
    assert_eq!(gate.post(&format!("/@hr{path}?provider_access_token=mine"), "{}").await.errcode(), 0);
    assert_eq!(gate.only(path).query, format!("provider_access_token={token}"));
    let path = "/cgi-bin/openhw/device/report_device_status";
    gate.post(&format!("/@hr{path}?device_access_token=the-devices"), "{}").await;
    assert_eq!(gate.only(path).query, "device_access_token=the-devices");

    // The other app of the corporation has neither.
    let answer = gate.get("/@sales/cgi-bin/service/get_pre_auth_code").await;
    assert_eq!(answer.refusal(), (404, "endpoint_forbidden", -70404));
    let lines = gate.end().await;
    assert!(!format!("{lines:?}").contains("canary"));
}
