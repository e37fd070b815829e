//! WeCom suites: the companies that authorise one, by pushes and by SDKs, and the tokens by which
//! it acts for them.

mod codes;

use serde_json::{Value, json};
use wxgate::sandbox::{
    Action, App, AppKind, Callback, Company, Fault, Kind, Options, PlatformEvent, Receipt, Sandbox, Target,
    Told, When,
};
use wxgate::store::{self, Location, Store};

use super::platform::{KEY, post, record, save};
use crate::callback::platform::SUITE;
use crate::harness::{ADMIN_TOKEN, Answer, Gate, Setup, at_once, caller, sha256};
use crate::redis_server::RedisServer;
use crate::until::{found, until};

const PROVIDER: &str = "ww00000000000000aa";
pub(super) const SECRET: &str = "canary-suite-secret-7e11";
pub(super) const CORP_TOKEN: &str = "/cgi-bin/service/get_corp_token";
const PERMANENT_CODE: &str = "/cgi-bin/service/get_permanent_code";
const AUTH_INFO: &str = "/cgi-bin/service/get_auth_info";
const SUITE_TOKEN: &str = "/cgi-bin/service/get_suite_token";
pub(super) const GETTOKEN: &str = "/cgi-bin/gettoken";
pub(super) const USER: &str = "/cgi-bin/user/get";

/// An app with a suite before a sandbox, on a store that the test sees too.
pub(super) struct Suite {
    pub(super) gate: Gate,
    pub(super) store: Store,
    _folder: tempfile::TempDir,
}

pub(super) fn corpid(number: usize) -> String {
    format!("wpCanaryCompany{number:04}")
}

fn permanent_code(number: usize) -> String {
    format!("canary-permanent-code-{number:04}")
}

/// The app's table; `more` goes into it.
pub(super) fn table(name: &str, appid: &str, suite: &str, more: &str) -> String {
    format!(
        "[[app]]\nname = \"{name}\"\nappid = \"{appid}\"\nkind = \"wecom\"\nsecret = \"{SECRET}\"\n\
         suite_id = \"{suite}\"\nsuite_secret = \"{SECRET}\"\n{more}\n"
    )
}

impl Suite {
    /// `more` goes into the app's table, `tables` stand beside it.
    pub(super) async fn with(more: &str, tables: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let location = Location::File(folder.path().to_owned());
        let url = format!("file:{}", folder.path().display());
        Self::on(location, &url, 0, more, Setup { apps: tables.to_owned(), ..Setup::default() }, folder).await
    }

    /// With so many companies that have authorised it already.
    pub(super) async fn on(
        location: Location,
        url: &str,
        companies: usize,
        more: &str,
        setup: Setup,
        folder: tempfile::TempDir,
    ) -> Self {
        let suite =
            App { customized: more.contains("customized"), ..App::new(SUITE.id, SECRET, AppKind::Suite) };
        let sandbox = Sandbox::start(Options {
            apps: vec![App::new(PROVIDER, SECRET, AppKind::Wecom), suite],
            companies: (0..companies)
                .map(|number| Company::new(SUITE.id, corpid(number), permanent_code(number)))
                .collect(),
            ..Options::default()
        });
        let sandbox = sandbox.expect("the sandbox starts");
        let store = Store::open(&store::Options { location, seal: None }).await.expect("a store");
        for number in 0..companies {
            let key = format!("permanent_code:{}:{}", SUITE.id, corpid(number));
            save(&store, &key, &record(&permanent_code(number), 1)).await;
        }
        let callback =
            format!("callback_token = \"{}\"\ncallback_aes_key = \"{}\"\n{more}", SUITE.token, SUITE.aes_key);
        let apps = format!(
            "{}{}[callback]\nlisten = [\"127.0.0.1:0\"]\n[store]\nurl = \"{url}\"\n",
            table(SUITE.name, PROVIDER, SUITE.id, &callback),
            setup.apps
        );
        let gate = Gate::before(sandbox, Setup { apps, ..setup }).await;
        let [address] = gate.running.callback_addresses() else { panic!("one address") };
        let callback = Callback {
            appid: SUITE.id.into(),
            url: format!("http://{address}/callback/{}", SUITE.name),
            token: SUITE.token.into(),
            aes_key: SUITE.aes_key.into(),
        };
        gate.sandbox.set_callback(callback).expect("a callback");
        Self { gate: gate.settled().await, store, _folder: folder }
    }

    /// Lets it happen and pushes it.
    pub(super) async fn push(&self, event: PlatformEvent) -> (Told, Receipt) {
        let told = self.gate.sandbox.occur(SUITE.id, event).expect("it happens");
        let receipt = self.push_again(&told).await;
        (told, receipt)
    }

    async fn push_again(&self, told: &Told) -> Receipt {
        self.gate.sandbox.push(SUITE.id, told).await.expect("an answer").expect("a callback")
    }

    /// WeCom pushes a ticket, so that the suite's token can be fetched.
    pub(super) async fn ticket(&self) {
        let (_, receipt) = self.push(PlatformEvent::SuiteTicket { ticket: None }).await;
        assert_eq!(told(&receipt), (200, "success"));
    }

    /// A company authorises the suite.
    pub(super) async fn authorise(&self, number: usize) -> Told {
        let (event, receipt) = self.push(create(number)).await;
        assert_eq!(told(&receipt), (200, "success"));
        event
    }

    async fn kept(&self, number: usize) -> Option<String> {
        let key = format!("permanent_code:{}:{}", SUITE.id, corpid(number));
        let record = self.store.load(&key).await.expect("the store works")?;
        Some(record.value.expose().to_owned())
    }

    /// Waits until the store has the permanent code that WeCom gave last.
    pub(super) async fn exchanged(&self, number: usize) -> String {
        let is_kept = async || {
            let given = self.gate.sandbox.permanent_code(SUITE.id, &corpid(number))?;
            (self.kept(number).await? == given).then_some(given)
        };
        found(|| "the permanent code in the store", is_kept).await
    }

    async fn codes(&self) -> Vec<String> {
        self.store.keys("suite_auth_code:").await.expect("the store works")
    }

    /// What the status has of authorisations that were lost.
    async fn lost(&self) -> Value {
        let lost = async || {
            let lost = self.gate.status().await["apps"][0]["lost_authorizations"].clone();
            (lost != json!([])).then_some(lost)
        };
        found(|| "a lost authorisation", lost).await
    }

    pub(super) fn count(&self, path: &str) -> usize {
        self.gate.journal(path).len()
    }
}

pub(super) fn create(number: usize) -> PlatformEvent {
    PlatformEvent::CreateAuth { corpid: corpid(number), name: None }
}

pub(super) fn told(receipt: &Receipt) -> (u16, &str) {
    (receipt.status, &receipt.body)
}

pub(super) fn user(name: &str) -> String {
    format!("/@{name}{USER}?userid=u")
}

fn identity(number: usize) -> String {
    format!("{}.{}", corpid(number), SUITE.id)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_company_that_authorises_the_suite_is_acted_for_from_then_on() {
    let suite = Suite::with("", "").await;
    suite.ticket().await;
    let event = suite.authorise(1).await;
    suite.exchanged(1).await;
    until(|| "the code is settled", async || suite.codes().await.is_empty()).await;
    let answer = suite.gate.get(&user(&corpid(1))).await;
    assert_eq!(answer.errcode(), 0, "{}", answer.text());
    let token = suite.gate.sandbox.token(&identity(1), Kind::Wecom).expect("a token");
    assert_eq!(suite.gate.only(USER).query, format!("userid=u&access_token={token}"));

    // WeCom repeats what it isn't sure of, and another replica may get it.
    assert_eq!(told(&suite.push_again(&event).await), (200, "success"));
    assert_eq!(suite.gate.get(&user(&format!("{}@{}", corpid(1), SUITE.name))).await.errcode(), 0);
    assert_eq!(suite.gate.get(&user(&format!("{}@{}", corpid(1), SUITE.id))).await.errcode(), 0);
    assert_eq!((suite.count(PERMANENT_CODE), suite.count(CORP_TOKEN)), (1, 1));
    assert!(suite.codes().await.is_empty());
    assert_eq!(suite.gate.status().await["apps"][0]["authorizers"], json!({ "in_use": 1, "failing": 0 }));
    // No company is a label, and none of its secrets is shown.
    assert!(!suite.gate.metrics().await.contains("anary"));
    let lines = suite.gate.end().await;
    assert!(!format!("{lines:?}").contains("canary-"), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_the_store_does_not_take_is_pushed_again() {
    let redis = RedisServer::start().await;
    let location = Location::Redis(store::redis::Target::parse(&redis.url()).expect("a Redis"));
    let folder = tempfile::tempdir().expect("a folder");
    let setup = Setup { apps: String::new(), ..Setup::default() };
    let suite = Suite::on(location, &redis.url(), 0, "", setup, folder).await;
    suite.ticket().await;
    redis.signal("STOP");
    let (event, receipt) = suite.push(create(1)).await;
    redis.signal("CONT");
    assert_eq!(told(&receipt), (503, ""));
    let again = async || told(&suite.push_again(&event).await) == (200, "success");
    until(|| "the store takes it", again).await;
    suite.exchanged(1).await;
    assert_eq!(suite.count(PERMANENT_CODE), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_waits_for_the_suites_ticket() {
    let suite = Suite::with("", "").await;
    suite.authorise(1).await;
    assert_eq!(suite.codes().await.len(), 1);
    assert_eq!(suite.count(PERMANENT_CODE), 0);
    suite.ticket().await;
    suite.exchanged(1).await;
    assert_eq!(suite.gate.get(&user(&corpid(1))).await.errcode(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_whose_answer_was_lost_is_named_until_somebody_has_acted() {
    let suite = Suite::with("", "").await;
    suite.ticket().await;
    // WeCom takes the code, and its answer gets lost on the way.
    suite
        .gate
        .sandbox
        .fault(Fault::new(Action::Reset { when: When::AfterBody }).path(PERMANENT_CODE).times(1));
    suite.authorise(1).await;
    let lost = suite.lost().await;
    let [lost] = &lost.as_array().expect("a list")[..] else { panic!("{lost}") };
    assert_eq!((&lost["suite"], &lost["corporation"]), (&json!(SUITE.id), &Value::Null));
    assert!(lost["authorized_at"].is_string() && lost["exchanged_at"].is_string(), "{lost}");
    assert!(lost["message"].as_str().is_some_and(|text| text.contains("its answer was lost")), "{lost}");
    assert!(lost["remedy"].as_str().is_some_and(|text| text.contains("authorise the suite again")), "{lost}");
    assert_eq!(suite.count(PERMANENT_CODE), 2);
    let activity = suite.gate.client.get(suite.gate.admin_url("/api/v1/activity"));
    let activity = Answer::of(activity.bearer_auth(ADMIN_TOKEN)).await.json();
    let events = activity["events"].as_array().expect("a list");
    assert!(events.iter().any(|event| event["reason"] == "authorization_lost"), "{activity}");
    // The company does so.
    suite.authorise(1).await;
    suite.exchanged(1).await;
    assert_eq!(suite.gate.get(&user(&corpid(1))).await.errcode(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_another_program_exchanged_is_named_too() {
    let suite = Suite::with("", "").await;
    suite.ticket().await;
    suite
        .gate
        .sandbox
        .fault(Fault::new(Action::Errcode { errcode: 40078, errmsg: None }).path(PERMANENT_CODE).times(1));
    suite.authorise(1).await;
    let lost = suite.lost().await;
    assert!(
        lost[0]["message"].as_str().is_some_and(|text| text.contains("another program exchanged it")),
        "{lost}"
    );
    assert_eq!(suite.count(PERMANENT_CODE), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_expired_before_the_suite_had_a_ticket_is_named_too() {
    let suite = Suite::with("", "").await;
    suite.authorise(1).await;
    suite.gate.clock.advance(16 * 60_000);
    let lost = suite.lost().await;
    assert!(lost[0]["message"].as_str().is_some_and(|text| text.contains("expired before")), "{lost}");
    assert_eq!(lost[0]["exchanged_at"], Value::Null, "{lost}");
    assert_eq!(suite.count(PERMANENT_CODE), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_wecom_could_not_do_is_asked_again() {
    let suite = Suite::with("", "").await;
    suite.ticket().await;
    suite
        .gate
        .sandbox
        .fault(Fault::new(Action::Errcode { errcode: -1, errmsg: None }).path(PERMANENT_CODE).times(1));
    suite.authorise(1).await;
    suite.exchanged(1).await;
    assert_eq!(suite.count(PERMANENT_CODE), 2);
    assert_eq!(suite.gate.status().await["apps"][0]["lost_authorizations"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_company_that_left_is_not_acted_for_until_it_comes_back() {
    let suite = Suite::with("", "").await;
    suite.ticket().await;
    suite.authorise(1).await;
    suite.exchanged(1).await;
    assert_eq!(suite.gate.get(&user(&corpid(1))).await.errcode(), 0);
    suite.gate.sandbox.advance(2_000);
    let (_, receipt) = suite.push(PlatformEvent::CancelAuth { corpid: corpid(1) }).await;
    assert_eq!(told(&receipt), (200, "success"));
    until(|| "it is refused", async || suite.gate.get(&user(&corpid(1))).await.status == 502).await;
    let answer = suite.gate.get(&user(&corpid(1))).await;
    assert_eq!(answer.refusal().1, "token_unavailable");
    assert!(answer.text().contains("administrator"), "{}", answer.text());
    assert_eq!(suite.kept(1).await.as_deref(), Some(""));
    suite.gate.sandbox.advance(2_000);
    suite.authorise(1).await;
    suite.exchanged(1).await;
    until(|| "it is served", async || suite.gate.get(&user(&corpid(1))).await.status == 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permanent_code_that_wecom_refuses_is_shown_to_it_once() {
    let suite = Suite::with("", "").await;
    suite.ticket().await;
    suite.authorise(1).await;
    suite.exchanged(1).await;
    suite.gate.sandbox.install(Company::new(SUITE.id, corpid(1), "another"));
    for _ in 0..10 {
        let answer = suite.gate.get(&user(&corpid(1))).await;
        assert_eq!(answer.refusal().1, "token_unavailable");
        assert!(answer.text().contains("40084"), "{}", answer.text());
    }
    suite.gate.clock.advance(3_600_000);
    assert_eq!(suite.gate.get(&user(&corpid(1))).await.status, 502);
    assert_eq!(suite.count(CORP_TOKEN), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_token_of_a_company_is_replaced_once_and_so_is_the_suites() {
    let suite = Suite::with("", "").await;
    suite.ticket().await;
    suite.authorise(1).await;
    suite.exchanged(1).await;
    let path = user(&corpid(1));
    assert_eq!(suite.gate.get(&path).await.errcode(), 0);
    suite.gate.sandbox.rotate(Target { appid: Some(identity(1)), ..Target::default() });
    suite.gate.sandbox.rotate(Target { appid: Some(SUITE.id.into()), ..Target::default() });
    suite.gate.sandbox.reset();
    let answers = at_once(30, |_| Answer::of(suite.gate.client.get(suite.gate.url(&path)))).await;
    assert!(answers.iter().all(|answer| answer.errcode() == 0), "{answers:?}");
    // Once with the suite's token that died as well.
    assert_eq!((suite.count(CORP_TOKEN), suite.count(SUITE_TOKEN)), (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customized_apps_permanent_code_is_its_secret_and_may_be_reset() {
    let suite = Suite::with("suite_kind = \"customized\"", "").await;
    suite.ticket().await;
    suite.authorise(1).await;
    let first = suite.exchanged(1).await;
    assert_eq!(suite.gate.get(&user(&corpid(1))).await.errcode(), 0);
    let query = format!("corpid={}&corpsecret={first}", corpid(1));
    assert!(suite.gate.journal(GETTOKEN).iter().any(|entry| entry.query == query));
    assert_eq!(suite.count(CORP_TOKEN), 0);

    suite.gate.sandbox.advance(2_000);
    let (_, receipt) = suite.push(PlatformEvent::ResetPermanentCode { corpid: corpid(1) }).await;
    assert_eq!(told(&receipt), (200, "success"));
    until(|| "the exchange", async || suite.count(PERMANENT_CODE) == 2).await;
    let second = suite.exchanged(1).await;
    assert_ne!(first, second);
    suite.gate.sandbox.rotate(Target { appid: Some(identity(1)), ..Target::default() });
    assert_eq!(suite.gate.get(&user(&corpid(1))).await.errcode(), 0);
    let query = format!("corpid={}&corpsecret={second}", corpid(1));
    assert!(suite.gate.journal(GETTOKEN).iter().any(|entry| entry.query == query));

    // An SDK fetches by gettoken here.
    let login = format!("{GETTOKEN}?corpid={}&corpsecret=anything", corpid(1));
    let login = suite.gate.get(&login).await.json();
    let placeholder = login["access_token"].as_str().expect("a placeholder");
    assert!(placeholder.starts_with("wxgate-") && login["expires_in"] == 7200, "{login}");
    let answer = suite.gate.get(&format!("{USER}?access_token={placeholder}&userid=u")).await;
    assert_eq!(answer.errcode(), 0, "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sdk_of_suites_gets_placeholders_for_all_its_codes_and_tokens() {
    let suite = Suite::with("", &caller("crm", &[KEY], &[SUITE.name], "allow = [\"**\"]")).await;
    let gate = &suite.gate;
    suite.ticket().await;
    let login = json!({ "suite_id": SUITE.id, "suite_secret": KEY, "suite_ticket": "anything" });
    let login = post(gate, SUITE_TOKEN, &login).await.json();
    let suites = login["suite_access_token"].as_str().expect("a placeholder").to_owned();
    let with = |path: &str| format!("{path}?suite_access_token={suites}");

    // The pushed code and the SDK's are one.
    let event = suite.authorise(1).await;
    let code = json!({ "auth_code": event.field("AuthCode").expect("a code") });
    let calls =
        at_once(5, |_| Answer::of(gate.client.post(gate.url(&with(PERMANENT_CODE))).body(code.to_string())))
            .await;
    for granted in calls.iter().map(Answer::json) {
        assert_eq!(granted["auth_corp_info"]["corpid"], corpid(1), "{granted}");
        assert!(granted["auth_info"]["agent"].is_array(), "{granted}");
        for secret in ["permanent_code", "access_token"] {
            assert!(granted[secret].as_str().is_some_and(|text| text.starts_with("wxgate-")), "{granted}");
        }
    }
    assert_eq!(suite.count(PERMANENT_CODE), 1);
    let real = suite.exchanged(1).await;
    let placeholder = calls[0].json()["permanent_code"].as_str().expect("a placeholder").to_owned();

    let company = json!({ "auth_corpid": corpid(1), "permanent_code": placeholder });
    let fetched = post(gate, &with(CORP_TOKEN), &company).await.json();
    assert_eq!((&fetched["errcode"], &fetched["expires_in"]), (&json!(0), &json!(7200)), "{fetched}");
    assert!(fetched.get("permanent_code").is_none(), "{fetched}");
    let token = fetched["access_token"].as_str().expect("a placeholder");
    assert_eq!(gate.get(&format!("{USER}?access_token={token}&userid=u")).await.errcode(), 0);
    let sent = gate.sandbox.token(&identity(1), Kind::Wecom).expect("a token");
    assert_eq!(gate.only(USER).query, format!("access_token={sent}&userid=u"));

    let info = post(gate, &with(AUTH_INFO), &company).await;
    assert_eq!(info.json()["auth_corp_info"]["corpid"], corpid(1), "{}", info.text());
    let entry = gate.only(AUTH_INFO);
    let token = gate.sandbox.token(SUITE.id, Kind::Suite).expect("a token");
    assert_eq!(entry.query, format!("suite_access_token={token}"));
    let sent = format!("{{\"auth_corpid\":\"{}\",\"permanent_code\":\"{real}\"}}", corpid(1));
    assert_eq!(entry.body_sha256, Some(sha256(sent.as_bytes())), "{entry:?}");

    // Nobody's code, and nobody's company.
    let refused = post(gate, &with(PERMANENT_CODE), &json!({ "auth_code": "nobodys" })).await;
    assert_eq!((refused.status, refused.errcode()), (200, 40078));
    assert!(suite.codes().await.is_empty());
    let stranger = json!({ "auth_corpid": corpid(2), "permanent_code": "mine" });
    let stranger = post(gate, &with(CORP_TOKEN), &stranger).await;
    assert_eq!(stranger.refusal(), (200, "caller_forbidden", 40013), "{}", stranger.text());
    assert!(!stranger.text().contains('@'), "{}", stranger.text());
    for entry in gate.sandbox.journal(None) {
        let entry = format!("{entry:?}");
        assert!(!entry.contains("wxgate-") && !entry.contains(KEY), "{entry}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_company_of_two_suites_is_named_with_one_and_an_app_of_its_own_comes_first() {
    let other = table("second", "ww00000000000000bb", "ww00000000000000ff", "");
    let suite = Suite::with("", "").await;
    let (gate, store) = (&suite.gate, &suite.store);
    gate.sandbox.put(App::new("ww00000000000000bb", SECRET, AppKind::Wecom));
    gate.change(|setup| setup.apps.insert_str(0, &other));
    gate.running.reload().await.expect("reloaded");
    for id in [SUITE.id, "ww00000000000000ff"] {
        for company in [corpid(1), PROVIDER.to_owned()] {
            save(store, &format!("permanent_code:{id}:{company}"), &record("canary-code-of-two", 1)).await;
        }
    }
    gate.sandbox.install(Company::new(SUITE.id, corpid(1), "canary-code-of-two"));
    gate.sandbox.install(Company::new(SUITE.id, PROVIDER, "canary-code-of-two"));
    suite.ticket().await;
    let two = gate.get(&user(&corpid(1))).await;
    assert_eq!(two.refusal(), (400, "bad_request", -70400));
    assert!(two.text().contains("/@APPID@APP/"), "{}", two.text());
    assert_eq!(gate.get(&user(&format!("{}@suite", corpid(1)))).await.errcode(), 0);
    // The provider's own app, and the provider as a company that authorised its own suite.
    gate.sandbox.reset();
    assert_eq!(gate.get(&user(PROVIDER)).await.errcode(), 0);
    let own = gate.sandbox.token(PROVIDER, Kind::Wecom).expect("a token");
    assert_eq!(gate.only(USER).query, format!("userid=u&access_token={own}"));
    gate.sandbox.reset();
    assert_eq!(gate.get(&user(&format!("{PROVIDER}@suite"))).await.errcode(), 0);
    let acted = gate.sandbox.token(&format!("{PROVIDER}.{}", SUITE.id), Kind::Wecom).expect("a token");
    assert_eq!(gate.only(USER).query, format!("userid=u&access_token={acted}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn companies_first_used_by_ten_callers_at_once_are_fetched_once_each() {
    first_use(50).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a minute; the one above is its short form"]
async fn a_thousand_companies_first_used_by_ten_callers_at_once_are_fetched_once_each() {
    first_use(1000).await;
}

async fn first_use(companies: usize) {
    let redis = RedisServer::start().await;
    let location = Location::Redis(store::redis::Target::parse(&redis.url()).expect("a Redis"));
    let setup = Setup {
        token: "refresh_wait = \"40s\"".into(),
        server: "request_timeout = \"50s\"".into(),
        apps: String::new(),
        ..Setup::default()
    };
    let folder = tempfile::tempdir().expect("a folder");
    let suite = Suite::on(location, &redis.url(), companies, "", setup, folder).await;
    suite.ticket().await;
    let gate = &suite.gate;
    let numbers: Vec<usize> = (0..companies).collect();
    let mut answers = Vec::new();
    // So many at once as two cores carry, callers and WeCom included.
    for some in numbers.chunks(20) {
        let first = some[0];
        let at_once = at_once(some.len() * 10, |number| {
            Answer::of(gate.client.get(gate.url(&user(&corpid(first + number / 10)))))
        });
        answers.extend(at_once.await);
    }
    let wrong: Vec<_> = answers.iter().filter(|answer| answer.errcode() != 0).map(Answer::text).collect();
    assert!(wrong.is_empty(), "{} of {}, like {:?}", wrong.len(), answers.len(), wrong.first());
    assert_eq!(answers.len(), companies * 10);
    assert_eq!((suite.count(CORP_TOKEN), suite.count(SUITE_TOKEN)), (companies, 1));
    assert_eq!(gate.status().await["apps"][0]["authorizers"]["in_use"], companies);
    assert!(!gate.metrics().await.contains("wpCanary"));
}
