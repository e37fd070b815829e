//! Paths that the catalogue doesn't have: the request says which credential goes there.

use http::Method;
use wxgate::pipeline::explain::{explain, request};
use wxgate::sandbox::Kind;

use super::every_endpoint::{AUTHORIZER, COMPONENT, KEY, start_with};
use crate::harness::{APPID, Answer, Gate, caller};

/// Several families, none of them listed.
const PATHS: [&str; 12] = [
    "/cgi-bin/brand_new",
    "/cgi-bin/brand_new/get",
    "/cgi-bin/message/brand_new/send",
    "/cgi-bin/service/brand_new",
    "/cgi-bin/license/brand_new",
    "/cgi-bin/advanced_api/brand_new",
    "/cgi-bin/component/brand_new",
    "/cgi-bin/openhw/device/brand_new",
    "/cgi-bin/media/brand_new_upload",
    "/cgi-bin/kf/brand_new_job",
    "/wxa/brand_new",
    "/channels/ec/brand_new/list",
];

/// A token that wxgate keeps.
#[derive(Clone, Copy, Debug)]
enum Held {
    Shop,
    Component,
    Authorizer,
    Work,
    Suite,
    Provider,
}

impl Held {
    fn now(self, gate: &Gate) -> String {
        let (owner, kind) = match self {
            Self::Shop => (APPID, Kind::Stable),
            Self::Component => (COMPONENT, Kind::Component),
            Self::Authorizer => (AUTHORIZER, Kind::Authorizer),
            Self::Work => ("ww0000000000000001.1000001", Kind::Wecom),
            Self::Suite => ("ww0000000000000999", Kind::Suite),
            Self::Provider => ("ww0000000000000001.provider", Kind::Provider),
        };
        gate.sandbox.token(owner, kind).unwrap_or_else(|| panic!("no token: {self:?}"))
    }
}

/// The placeholders that an SDK gets, by the token for which each stands.
struct Placeholders {
    shop: String,
    component: String,
    authorizer: String,
    work: String,
    suite: String,
    provider: String,
}

impl Placeholders {
    async fn fetch(gate: &Gate) -> Self {
        let fetch = async |path: String, body: String, field: &str| {
            let call = gate.client.post(gate.url(&path)).header("x-wxgate-key", KEY).body(body);
            let answer = Answer::of(call).await;
            let token = answer.json()[field]
                .as_str()
                .unwrap_or_else(|| panic!("{path}: {}", answer.text()))
                .to_owned();
            assert!(token.starts_with("wxgate-"), "{token}");
            token
        };
        let none = String::new;
        Self {
            shop: fetch("/@shop/cgi-bin/token".into(), none(), "access_token").await,
            component: fetch(
                "/@tenants/cgi-bin/component/api_component_token".into(),
                none(),
                "component_access_token",
            )
            .await,
            authorizer: fetch(format!("/@{AUTHORIZER}/cgi-bin/token"), none(), "access_token").await,
            work: fetch("/@hr/cgi-bin/gettoken".into(), none(), "access_token").await,
            suite: fetch("/@hr/cgi-bin/service/get_suite_token".into(), none(), "suite_access_token").await,
            provider: fetch(
                "/@hr/cgi-bin/service/get_provider_token".into(),
                none(),
                "provider_access_token",
            )
            .await,
        }
    }
}

async fn start() -> (Gate, tempfile::TempDir) {
    let operator = caller("operator", &[KEY], &["shop", "tenants", "hr"], "allow = [\"**\"]");
    let (gate, folder) = start_with("", &operator).await;
    gate.sandbox.change(|settings| settings.allow_unlisted = true);
    (gate, folder)
}

async fn call(gate: &Gate, target: &str) -> Answer {
    gate.get_with(target, &[("x-wxgate-key", KEY)]).await
}

/// What `explain` says reaches WeChat, tokens masked.
fn told(gate: &Gate, target: &str) -> String {
    let config = gate.config();
    let request = request(&Method::GET, target).expect("a target");
    let told = explain(&config.pipeline, &config.token, request).expect("an explanation");
    let sent = told.settled().and_then(|settled| settled.sent());
    sent.unwrap_or_else(|| panic!("{target}: {told:#?}")).path_and_query.clone()
}

/// Each path, called so, gets this token in this parameter, and `explain` says so.
async fn reaches(gate: &Gate, app: &str, query: &str, parameter: &str, held: Held) {
    for path in PATHS {
        let target = format!("{app}{path}?{query}&x=1");
        gate.sandbox.reset();
        gate.sandbox.change(|settings| settings.allow_unlisted = true);
        let answer = call(gate, &target).await;
        assert_eq!((answer.status, answer.errcode()), (200, 0), "{target}: {}", answer.text());
        assert_eq!(gate.only(path).query, format!("{parameter}={}&x=1", held.now(gate)), "{target}");
        assert_eq!(told(gate, &target), format!("{path}?{parameter}=***&x=1"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kind_of_a_placeholder_says_which_token_goes_into_its_parameter() {
    let (gate, _folder) = start().await;
    let Placeholders { shop, component, authorizer, work, suite, provider } =
        Placeholders::fetch(&gate).await;
    for (placeholder, parameter, held) in [
        (&shop, "access_token", Held::Shop),
        (&authorizer, "access_token", Held::Authorizer),
        (&work, "access_token", Held::Work),
        (&component, "access_token", Held::Component),
        (&component, "component_access_token", Held::Component),
        (&suite, "access_token", Held::Suite),
        (&suite, "suite_access_token", Held::Suite),
        (&provider, "access_token", Held::Provider),
        (&provider, "provider_access_token", Held::Provider),
        // The app's own says no kind: one of an older wxgate could be of any.
        (&work, "provider_access_token", Held::Provider),
    ] {
        reaches(&gate, "", &format!("{parameter}={placeholder}"), parameter, held).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_placeholder_the_parameter_says_it() {
    let (gate, _folder) = start().await;
    for (app, parameter, held) in [
        ("/@shop", "access_token", Held::Shop),
        ("/@hr", "access_token", Held::Work),
        ("/@hr", "suite_access_token", Held::Suite),
        ("/@hr", "provider_access_token", Held::Provider),
        ("/@tenants", "component_access_token", Held::Component),
        ("/@wxa000000000000001", "component_access_token", Held::Component),
        ("/@wxa000000000000001", "access_token", Held::Authorizer),
    ] {
        reaches(&gate, app, &format!("{parameter}=own"), parameter, held).await;
    }
    let answer = call(&gate, "/@shop/cgi-bin/brand_new?provider_access_token=own").await;
    assert_eq!(answer.refusal(), (404, "endpoint_forbidden", -70404), "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_brings_nothing_gets_the_apps_token() {
    let (gate, _folder) = start().await;
    for (app, held) in [("shop", Held::Shop), (AUTHORIZER, Held::Authorizer), ("hr", Held::Work)] {
        for path in PATHS {
            gate.sandbox.reset();
            gate.sandbox.change(|settings| settings.allow_unlisted = true);
            assert_eq!(call(&gate, &format!("/@{app}{path}?x=1")).await.errcode(), 0, "{app} {path}");
            assert_eq!(
                gate.only(path).query,
                format!("x=1&access_token={}", held.now(&gate)),
                "{app} {path}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_devices_and_a_users_own_token_stays() {
    let (gate, _folder) = start().await;
    for target in [
        "/cgi-bin/openhw/device/brand_new?device_access_token=own&x=1",
        "/cgi-bin/openhw/brand_new?model_access_token=own&x=1",
        "/sns/brand_new?access_token=own&x=1",
    ] {
        let app = if target.starts_with("/sns/") { "/@shop" } else { "/@hr" };
        let (path, query) = target.split_once('?').expect("a query");
        call(&gate, &format!("{app}{target}")).await;
        assert_eq!(gate.only(path).query, query, "{target}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_of_an_unlisted_path_is_replaced_by_its_own_issuers_codes() {
    let (gate, _folder) = start().await;
    let before = Held::Provider.now(&gate);
    assert_eq!(gate.sandbox.rotate("ww0000000000000001.provider"), 1);
    let answer = call(&gate, "/@hr/cgi-bin/license/brand_new?provider_access_token=own").await;
    assert_eq!((answer.status, answer.errcode()), (200, 0), "{}", answer.text());
    let queries: Vec<_> =
        gate.journal("/cgi-bin/license/brand_new").into_iter().map(|entry| entry.query).collect();
    let now = Held::Provider.now(&gate);
    assert_ne!(before, now);
    let tokens = [before, now].map(|token| format!("provider_access_token={token}"));
    assert_eq!(queries, tokens);
}

/// A path is read as the hosts of the app that is called know it.
#[tokio::test(flavor = "multi_thread")]
async fn explain_says_of_a_wecom_apps_paths_what_the_pipeline_does() {
    let (gate, _folder) = start().await;
    let config = gate.config();
    for (target, guarded) in [
        ("/@hr/cgi-bin/batch/replaceuser", true),
        ("/@hr/cgi-bin/batch/replaceuser/v2", true),
        ("/@hr/cgi-bin/batch/replaceuser.json", true),
        ("/@hr/cgi-bin/license/submit_pay_job/v2", true),
        ("/@hr/cgi-bin/open/bind", false),
        ("/@hr/cgi-bin/batch/brand_new", false),
    ] {
        let request = request(&Method::POST, target).expect("a target");
        let told = explain(&config.pipeline, &config.token, request).expect("an explanation");
        assert_eq!(told.endpoint.guarded, guarded, "{target}: {told:#?}");
        let call = gate.client.post(gate.url(target)).header("x-wxgate-key", KEY).body("{}");
        let refused = Answer::of(call).await.header("x-wxgate-error").map(str::to_owned);
        assert_eq!(refused.as_deref(), guarded.then_some("endpoint_forbidden"), "{target}");
    }
}
