//! Third-party platforms: the component's token, and those by which it acts for accounts.

use std::time::Duration;

use serde_json::{Value, json};
use wxgate::observe::clock::Timestamp;
use wxgate::sandbox::{Action, App, AppKind, Authorizer, Fault, Kind, Options, Sandbox, Target};
use wxgate::secret::Secret;
use wxgate::store::{self, Location, Record, Store};

use crate::harness::{ADMIN_TOKEN, Answer, Gate, Setup, at_once, caller};
use crate::redis_server::RedisServer;
use crate::until::until;

pub(super) const COMPONENT: &str = "wxc000000000000001";
const SECRET: &str = "canary-component-secret-21d4";
const TICKET: &str = "canary-ticket@@@0123456789";
pub(super) const KEY: &str = "canary-key-of-tenants-90aa";
pub(super) const AUTHORIZER_TOKEN: &str = "/cgi-bin/component/api_authorizer_token";
pub(super) const COMPONENT_TOKEN: &str = "/cgi-bin/component/api_component_token";
const QUERY_AUTH: &str = "/cgi-bin/component/api_query_auth";

/// A platform before a sandbox in which accounts have authorised it, on a store that has their
/// refresh tokens.
pub(super) struct Platform {
    pub(super) gate: Gate,
    pub(super) store: Store,
    _folder: tempfile::TempDir,
}

pub(super) fn appid(number: usize) -> String {
    format!("wxa{number:015}")
}

pub(super) fn refresh_token(number: usize) -> String {
    format!("canary-refreshtoken@@@{number}")
}

pub(super) fn record(value: &str, generation: u64) -> Record {
    let value = std::sync::Arc::new(Secret::new(value));
    Record { value, generation, fetched_at: Timestamp(0), expires_at: Timestamp::NEVER }
}

/// A machine with its hands full may take longer than an operation may.
pub(super) async fn save(store: &Store, key: &str, record: &Record) {
    let saved = async || store.save(key, record).await.is_ok();
    until(|| format!("a store that takes it: {:?}", store.problem()), saved).await;
}

/// What the platform fetches its own token with.
pub(super) async fn save_ticket(store: &Store) {
    let ticket = Record {
        expires_at: wxgate::observe::clock::Clock::default().now().plus(Duration::from_secs(43_200)),
        ..record(TICKET, 1)
    };
    save(store, &format!("component_verify_ticket:{COMPONENT}"), &ticket).await;
}

/// The platform's table, and where its store is.
pub(super) fn tables(url: &str, more: &str) -> String {
    format!(
        "[[app]]\nname = \"tenants\"\nappid = \"{COMPONENT}\"\nkind = \"component\"\nsecret = \"{SECRET}\"\n\
         {more}\n[store]\nurl = \"{url}\"\n"
    )
}

impl Platform {
    pub(super) async fn with(accounts: usize, callers: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let location = Location::File(folder.path().to_owned());
        let url = format!("file:{}", folder.path().display());
        let setup = Setup { apps: callers.to_owned(), ..Setup::default() };
        Self::on(location, &url, accounts, setup, folder).await
    }

    async fn on(
        location: Location,
        url: &str,
        accounts: usize,
        setup: Setup,
        folder: tempfile::TempDir,
    ) -> Self {
        let sandbox = Sandbox::start(Options {
            apps: vec![App::new(COMPONENT, SECRET, AppKind::Component)],
            authorizers: (0..accounts)
                .map(|number| Authorizer::new(COMPONENT, appid(number), refresh_token(number)))
                .collect(),
            ..Options::default()
        });
        let sandbox = sandbox.expect("the sandbox starts");
        let store = Store::open(&store::Options { location, seal: None }).await.expect("a store");
        save_ticket(&store).await;
        for number in 0..accounts {
            let key = format!("refresh_token:{COMPONENT}:{}", appid(number));
            save(&store, &key, &record(&refresh_token(number), 1)).await;
        }
        let apps = tables(url, &setup.apps);
        let gate = Gate::before(sandbox, Setup { apps, ..setup }).await.settled().await;
        Self { gate, store, _folder: folder }
    }

    pub(super) async fn refresh_token(&self, number: usize) -> String {
        let key = format!("refresh_token:{COMPONENT}:{}", appid(number));
        let record = self.store.load(&key).await.expect("the store works").expect("there is one");
        record.value.expose().to_owned()
    }

    fn fetches(&self) -> usize {
        self.gate.journal(AUTHORIZER_TOKEN).len()
    }
}

pub(super) async fn post(gate: &Gate, path: &str, body: &Value) -> Answer {
    gate.post(path, body.to_string()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_platforms_own_endpoints_get_its_token_under_both_names() {
    let platform = Platform::with(0, "").await;
    let gate = &platform.gate;
    let body = json!({ "component_appid": COMPONENT });
    let preauthcode = "/cgi-bin/component/api_create_preauthcode";
    let answer = post(gate, &format!("/@tenants{preauthcode}?component_access_token=mine"), &body).await;
    assert!(answer.json()["pre_auth_code"].is_string(), "{}", answer.text());
    let token = gate.sandbox.token(COMPONENT, Kind::Component).expect("a token");
    assert_eq!(gate.only(preauthcode).query, format!("component_access_token={token}"));
    let list = gate.get(&format!("/@{COMPONENT}/wxa/gettemplatelist?access_token=mine&type=0")).await;
    assert_eq!(list.errcode(), 0, "{}", list.text());
    assert_eq!(gate.only("/wxa/gettemplatelist").query, format!("access_token={token}&type=0"));
    let session = "/sns/component/jscode2session";
    let query =
        format!("appid={}&js_code=c&grant_type=authorization_code&component_appid={COMPONENT}", appid(0));
    assert_eq!(gate.get(&format!("/@tenants{session}?{query}")).await.errcode(), 0);
    assert_eq!(gate.only(session).query, format!("{query}&component_access_token={token}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_token_that_died_is_replaced_once_and_the_call_sent_again() {
    let platform = Platform::with(0, "").await;
    let gate = &platform.gate;
    gate.sandbox.rotate(Target { appid: Some(COMPONENT.into()), ..Target::default() });
    let answers = at_once(30, |_| {
        let request = gate.client.post(gate.url("/@tenants/cgi-bin/component/api_create_preauthcode"));
        Answer::of(request.body("{}"))
    })
    .await;
    assert!(answers.iter().all(|answer| answer.json()["pre_auth_code"].is_string()), "{answers:?}");
    assert_eq!(gate.journal(COMPONENT_TOKEN).len(), 1);
}

fn fails(path: &str, errcode: i64) -> Fault {
    Fault::new(Action::Errcode { errcode, errmsg: None }).path(path)
}

/// A platform's SDK before a proxy with callers: its placeholder for the platform's own token.
pub(super) async fn log_in(gate: &Gate) -> String {
    let login = json!({
        "component_appid": COMPONENT, "component_appsecret": KEY, "component_verify_ticket": "anything",
    });
    let answer = post(gate, COMPONENT_TOKEN, &login).await.json();
    answer["component_access_token"].as_str().expect("a placeholder").to_owned()
}

/// The platform's own token is no longer taken.
fn kill_components_token(gate: &Gate) {
    gate.sandbox.rotate(Target { appid: Some(COMPONENT.into()), ..Target::default() });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_error_in_place_of_an_accounts_token_has_the_platforms_probed_and_replaced_if_it_is_dead() {
    let callers = caller("crm", &[KEY], &["tenants"], "allow = [\"**\"]");
    let platform = Platform::with(1, &callers).await;
    let gate = &platform.gate;
    let placeholder = log_in(gate).await;
    for path in [AUTHORIZER_TOKEN, QUERY_AUTH] {
        gate.sandbox.reset();
        kill_components_token(gate);
        gate.sandbox.fault(fails(path, -1000).times(1));
        let answer = if path == QUERY_AUTH {
            let code = json!({ "component_appid": COMPONENT, "authorization_code": appid(0) });
            post(gate, &format!("{path}?component_access_token={placeholder}"), &code).await
        } else {
            let user = format!("/@{}/cgi-bin/user/info?openid=o", appid(0));
            gate.get_with(&user, &[("x-wxgate-key", KEY)]).await
        };
        assert_eq!((answer.status, answer.errcode()), (200, 0), "{path}: {}", answer.text());
        let seen = gate.sandbox.journal(None);
        let seen: Vec<_> = seen.iter().map(|entry| (&*entry.path, entry.errcode.unwrap_or(0))).collect();
        let expected =
            [(path, -1000), ("/cgi-bin/openapi/quota/get", 40001), (COMPONENT_TOKEN, 0), (path, 0)];
        assert_eq!(seen[..4], expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_platforms_next_token_ends_the_pauses_of_accounts_that_waited_for_it() {
    let platform = Platform::with(1, "").await;
    let gate = &platform.gate;
    let path = format!("/@{}/cgi-bin/user/info?openid=o", appid(0));
    gate.sandbox.fault(fails(COMPONENT_TOKEN, -1));
    kill_components_token(gate);
    assert_eq!(gate.get(&path).await.status, 502);
    for _ in 0..5 {
        gate.clock.advance(400_000);
        assert_eq!(gate.get(&path).await.status, 502);
    }
    gate.sandbox.end_faults();
    let refresh = gate.client.post(gate.admin_url("/api/v1/apps/tenants/refresh")).bearer_auth(ADMIN_TOKEN);
    assert_eq!(Answer::of(refresh).await.json()["outcome"], "replaced");
    let answer = gate.get(&path).await;
    assert_eq!((answer.status, answer.errcode()), (200, 0), "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_acted_for_by_its_appid_in_the_path() {
    let platform = Platform::with(2, "").await;
    let gate = &platform.gate;
    let user = |number| format!("/@{}/cgi-bin/user/info?openid=o", appid(number));
    assert_eq!(gate.get(&user(1)).await.errcode(), 0);
    let entry = gate.only("/cgi-bin/user/info");
    let token = gate.sandbox.token(&appid(1), Kind::Authorizer).expect("a token");
    assert_eq!(entry.query, format!("openid=o&access_token={token}"));
    assert_eq!(platform.fetches(), 1);

    // By header, and with the platform's name beside it.
    let by_header = gate.get_with("/cgi-bin/user/info?openid=o", &[("x-wxgate-app", &appid(1))]).await;
    assert_eq!(by_header.errcode(), 0);
    assert_eq!(gate.get(&format!("/@{}@tenants/cgi-bin/user/info?openid=o", appid(1))).await.errcode(), 0);
    assert_eq!(platform.fetches(), 1);

    // Without an account there is no token for an account's endpoint; and one that never authorised
    // is no app.
    let nobody = gate.get("/@tenants/cgi-bin/user/info?openid=o").await;
    assert_eq!(nobody.refusal(), (400, "bad_request", -70400));
    assert!(nobody.text().contains("name it by path prefix"), "{}", nobody.text());
    let stranger = gate.get("/@wxa999999999999999/cgi-bin/user/info?openid=o").await;
    assert_eq!(stranger.refusal(), (400, "app_unknown", -70400));
    let two = gate.get_with(&user(1), &[("x-wxgate-app", &appid(0))]).await;
    assert_eq!(two.refusal(), (400, "app_unknown", -70400), "{}", two.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_first_used_by_ten_callers_at_once_are_fetched_once_each() {
    first_use(100).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a minute; the one above is its short form"]
async fn a_thousand_accounts_first_used_by_ten_callers_at_once_are_fetched_once_each() {
    first_use(1000).await;
}

async fn first_use(accounts: usize) {
    let redis = RedisServer::start().await;
    let location = Location::Redis(store::redis::Target::parse(&redis.url()).expect("a Redis"));
    // Two cores are less than a platform with so many accounts has.
    let setup = Setup {
        token: "refresh_wait = \"40s\"".into(),
        server: "request_timeout = \"50s\"".into(),
        apps: String::new(),
        ..Setup::default()
    };
    let folder = tempfile::tempdir().expect("a folder");
    let platform = Platform::on(location, &redis.url(), accounts, setup, folder).await;
    let gate = &platform.gate;
    let numbers: Vec<usize> = (0..accounts).collect();
    let mut answers = Vec::new();
    // So many at once as two cores carry, callers and WeChat included.
    for some in numbers.chunks(20) {
        let first = some[0];
        let at_once = at_once(some.len() * 10, |number| {
            let path = format!("/@{}/cgi-bin/user/info?openid=o", appid(first + number / 10));
            Answer::of(gate.client.get(gate.url(&path)))
        });
        answers.extend(at_once.await);
    }
    let wrong: Vec<_> = answers.iter().filter(|answer| answer.errcode() != 0).map(Answer::text).collect();
    assert!(wrong.is_empty(), "{} of {}, like {:?}", wrong.len(), answers.len(), wrong.first());
    assert_eq!(platform.fetches(), accounts);
    assert_eq!(gate.journal(COMPONENT_TOKEN).len(), 0);
    let status = gate.status().await;
    assert_eq!(status["apps"][0]["authorizers"]["in_use"], accounts, "{status}");
    // No account is a label.
    // A few have a label of their own in the metrics that are theirs, and nowhere else.
    let metrics = gate.metrics().await;
    let of_accounts: Vec<_> = metrics.lines().filter(|line| line.contains("wxa0")).collect();
    assert!(of_accounts.iter().all(|line| line.starts_with("wxgate_account_")), "{of_accounts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_first_used_while_the_store_is_late_is_served_once_it_answers() {
    let redis = RedisServer::start().await;
    let location = Location::Redis(store::redis::Target::parse(&redis.url()).expect("a Redis"));
    let setup = Setup { apps: String::new(), ..Setup::default() };
    let folder = tempfile::tempdir().expect("a folder");
    let platform = Platform::on(location, &redis.url(), 1, setup, folder).await;
    redis.signal("STOP");
    let path = format!("/@{}/cgi-bin/user/info?openid=o", appid(0));
    let awake = async {
        // Real time, which another process has: the store is late after 300 ms, and down after 3 s.
        tokio::time::sleep(Duration::from_millis(800)).await;
        redis.signal("CONT");
    };
    let (answer, ()) = tokio::join!(platform.gate.get(&path), awake);
    assert_eq!(answer.errcode(), 0, "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accounts_dead_token_is_replaced_once_for_all_who_met_it() {
    let platform = Platform::with(1, "").await;
    let gate = &platform.gate;
    let path = format!("/@{}/cgi-bin/user/info?openid=o", appid(0));
    assert_eq!(gate.get(&path).await.errcode(), 0);
    gate.sandbox.rotate(Target { appid: Some(appid(0)), ..Target::default() });
    let answers = at_once(30, |_| Answer::of(gate.client.get(gate.url(&path)))).await;
    assert!(answers.iter().all(|answer| answer.errcode() == 0), "{answers:?}");
    assert_eq!(platform.fetches(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_refresh_token_is_in_the_store_before_the_token_that_came_with_it_is_used() {
    let platform = Platform::with(1, "").await;
    let gate = &platform.gate;
    gate.sandbox.change(|settings| settings.rotate_refresh_tokens = true);
    let path = format!("/@{}/cgi-bin/user/info?openid=o", appid(0));
    for _ in 0..5 {
        let before = platform.refresh_token(0).await;
        gate.sandbox.rotate(Target { appid: Some(appid(0)), ..Target::default() });
        assert_eq!(gate.get(&path).await.errcode(), 0);
        // The call was answered by a token whose fetch brought another refresh token: that one is
        // kept by now.
        assert_ne!(platform.refresh_token(0).await, before);
    }
    assert_eq!(platform.fetches(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_that_wechat_refuses_is_shown_to_it_once() {
    let platform = Platform::with(1, "").await;
    let gate = &platform.gate;
    gate.sandbox.authorize(Authorizer::new(COMPONENT, appid(0), "another"));
    let path = format!("/@{}/cgi-bin/user/info?openid=o", appid(0));
    for _ in 0..20 {
        let answer = gate.get(&path).await;
        assert_eq!(answer.refusal(), (502, "token_unavailable", -70502));
        assert!(
            answer.text().contains("61023") && answer.text().contains("authorise the platform again"),
            "{}",
            answer.text()
        );
    }
    // Not even when the circuit tries again by itself.
    gate.clock.advance(3_600_000);
    for _ in 0..5 {
        assert_eq!(gate.get(&path).await.status, 502);
    }
    assert_eq!(platform.fetches(), 1);
    // The account authorises again.
    let key = format!("refresh_token:{COMPONENT}:{}", appid(0));
    save(&platform.store, &key, &record("another", 2)).await;
    until(|| "an answer by the new one", async || gate.get(&path).await.status == 200).await;
    assert_eq!(platform.fetches(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sdk_of_platforms_gets_placeholders_for_all_its_tokens() {
    let callers = caller("crm", &[KEY], &["tenants"], "allow = [\"**\"]");
    let platform = Platform::with(1, &callers).await;
    let gate = &platform.gate;
    let body = json!({
        "component_appid": COMPONENT, "component_appsecret": KEY, "component_verify_ticket": "anything",
    });
    let answer = post(gate, COMPONENT_TOKEN, &body).await.json();
    let component = answer["component_access_token"].as_str().expect("a placeholder").to_owned();
    assert!(component.starts_with("wxgate-") && answer["expires_in"] == 7200, "{answer}");

    let with = |path: &str| format!("{path}?component_access_token={component}");
    let code = json!({ "component_appid": COMPONENT, "authorization_code": appid(0) });
    let answer = post(gate, &with(QUERY_AUTH), &code).await.json();
    let info = &answer["authorization_info"];
    assert_eq!(info["authorizer_appid"], appid(0), "{answer}");
    let granted = info["authorizer_access_token"].as_str().expect("a placeholder").to_owned();
    assert!(
        granted.starts_with("wxgate-") && info["authorizer_refresh_token"] == granted.as_str(),
        "{answer}"
    );

    let body = json!({
        "component_appid": COMPONENT, "authorizer_appid": appid(0), "authorizer_refresh_token": granted,
    });
    let answer = post(gate, &with(AUTHORIZER_TOKEN), &body).await.json();
    let account = answer["authorizer_access_token"].as_str().expect("a placeholder").to_owned();
    assert!(answer["authorizer_refresh_token"].as_str().is_some_and(|text| text.starts_with("wxgate-")));

    // They say who calls, and for which account.
    let user = gate.get(&format!("/cgi-bin/user/info?access_token={account}&openid=o")).await;
    assert_eq!(user.errcode(), 0, "{}", user.text());
    let token = gate.sandbox.token(&appid(0), Kind::Authorizer).expect("a token");
    assert_eq!(gate.only("/cgi-bin/user/info").query, format!("access_token={token}&openid=o"));
    let body = json!({ "component_appid": COMPONENT });
    let answer = post(gate, &with("/cgi-bin/component/api_create_preauthcode"), &body).await;
    assert!(answer.json()["pre_auth_code"].is_string(), "{}", answer.text());
    for entry in gate.sandbox.journal(None) {
        assert!(
            !format!("{entry:?}").contains("wxgate-") && !format!("{entry:?}").contains(KEY),
            "{entry:?}"
        );
    }
    let wrong = json!({ "component_appid": COMPONENT, "component_appsecret": "no key" });
    assert_eq!(post(gate, COMPONENT_TOKEN, &wrong).await.errcode(), 40125);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_wechat_could_not_judge_is_to_be_shown_again_later() {
    let callers = caller("crm", &[KEY], &["tenants"], "allow = [\"**\"]");
    let platform = Platform::with(1, &callers).await;
    let gate = &platform.gate;
    let placeholder = log_in(gate).await;
    let path = format!("{QUERY_AUTH}?component_access_token={placeholder}");
    let code = json!({ "component_appid": COMPONENT, "authorization_code": appid(0) });
    for (action, expected) in [
        (Action::Reset { when: Default::default() }, (502, "token_unavailable", 45011)),
        (Action::Errcode { errcode: -1, errmsg: None }, (502, "token_unavailable", 45011)),
    ] {
        let fault = gate.sandbox.fault(Fault::new(action).path(QUERY_AUTH));
        assert_eq!(post(gate, &path, &code).await.refusal(), expected);
        gate.sandbox.end_fault(fault);
    }
    // WeChat's own refusal stays as it is.
    let fault = gate.sandbox.fault(fails(QUERY_AUTH, 61010));
    let refused = post(gate, &path, &code).await;
    assert_eq!((refused.status, refused.errcode(), refused.header("x-wxgate-error")), (200, 61010, None));
    gate.sandbox.end_fault(fault);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_platforms_credentials_is_shown() {
    let platform = Platform::with(1, "").await;
    let gate = platform.gate;
    assert_eq!(gate.get(&format!("/@{}/cgi-bin/user/info?openid=o", appid(0))).await.errcode(), 0);
    gate.sandbox.authorize(Authorizer::new(COMPONENT, appid(0), "another"));
    gate.sandbox.rotate(Target { appid: Some(appid(0)), ..Target::default() });
    let failed = gate.get(&format!("/@{}/cgi-bin/user/info?openid=o", appid(0))).await.text();
    let (metrics, status) = (gate.metrics().await, gate.status().await.to_string());
    let lines = gate.end().await;
    for text in [failed, metrics, status, format!("{lines:?}")] {
        assert!(!text.contains("canary"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accounts_token_can_be_leased_and_the_platforms_own_cannot() {
    let callers = caller("legacy", &[KEY], &["tenants"], "lease_token = true");
    let platform = Platform::with(1, &callers).await;
    let gate = &platform.gate;
    let lease = |prefix: String| {
        Answer::of(gate.client.get(gate.url(&format!("{prefix}/wxgate/token"))).header("x-wxgate-key", KEY))
    };
    let leased = lease(format!("/@{}", appid(0))).await.json();
    let token = gate.sandbox.token(&appid(0), Kind::Authorizer).expect("a token");
    assert_eq!(leased["access_token"], token.as_str(), "{leased}");
    assert_eq!(lease("/@tenants".into()).await.refusal(), (404, "endpoint_forbidden", -70404));
}
