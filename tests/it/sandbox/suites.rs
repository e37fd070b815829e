//! WeCom's suites and the companies that install them, and pushes to those whom they are for.

use serde_json::{Value, json};
use wxgate::callback::Arrived;
use wxgate::sandbox::{
    Action, App, AppKind, Authorizer, Callback, Company, Fault, Impossible, Kind, Options, PlatformEvent,
    SECRET, Target, When,
};
use wxgate::wechat::callback::Event;

use super::client::{Caller, Reply, token_of};
use crate::callback::platform::{MALL, Platform, SUITE};
use crate::callback::receiver::Receiver;

const CORP: &str = "ww00000000000000c1";
const MINUTE: i64 = 60_000;
const PERMANENT_CODE: &str = "/cgi-bin/service/get_permanent_code";
const CORP_TOKEN: &str = "/cgi-bin/service/get_corp_token";

fn with(customized: bool) -> Caller {
    let suite = App { customized, ..App::new(SUITE.id, SECRET, AppKind::Suite) };
    let mall = App::new(MALL.id, SECRET, AppKind::Component);
    Caller::with(Options { apps: vec![suite, mall], ..Options::default() })
}

async fn suite_token(caller: &Caller) -> String {
    let reply = fetch_suite_token(caller, SUITE.id, SECRET, "ticket").await.json();
    reply["suite_access_token"].as_str().unwrap_or_else(|| panic!("{reply}")).to_owned()
}

async fn fetch_suite_token(caller: &Caller, id: &str, secret: &str, ticket: &str) -> Reply {
    let body = json!({ "suite_id": id, "suite_secret": secret, "suite_ticket": ticket });
    caller.post("/cgi-bin/service/get_suite_token", body.to_string()).await
}

async fn ask(caller: &Caller, path: &str, token: &str, body: &Value) -> Reply {
    caller.post(&format!("{path}?suite_access_token={token}"), body.to_string()).await
}

fn create_auth() -> PlatformEvent {
    PlatformEvent::CreateAuth { corpid: CORP.into(), name: Some("海鲜大排档".into()) }
}

fn code_of(caller: &Caller, event: PlatformEvent) -> String {
    let told = caller.sandbox.occur(SUITE.id, event).expect("it happens");
    told.field("AuthCode").expect("a code").to_owned()
}

/// A company that installed the suite: the suite's token and the answer to its code.
async fn installed(caller: &Caller) -> (String, Value) {
    let code = code_of(caller, create_auth());
    let token = suite_token(caller).await;
    let answer = ask(caller, PERMANENT_CODE, &token, &json!({ "auth_code": code })).await.json();
    assert!(answer["permanent_code"].is_string(), "{answer}");
    (token, answer)
}

fn company(answer: &Value) -> Value {
    json!({ "auth_corpid": CORP, "permanent_code": answer["permanent_code"] })
}

#[tokio::test]
async fn a_companys_code_is_good_once_and_for_ten_minutes() {
    let caller = with(false);
    let code = code_of(&caller, create_auth());
    let token = suite_token(&caller).await;
    let body = json!({ "auth_code": code });
    let answer = ask(&caller, PERMANENT_CODE, &token, &body).await.json();
    assert_eq!(answer["auth_corp_info"]["corpid"], CORP);
    assert_eq!(answer["auth_corp_info"]["corp_name"], "海鲜大排档");
    assert_eq!(answer["auth_info"]["agent"][0]["is_customized_app"], false);
    assert_eq!(answer.get("errcode"), None);
    let corporations = answer["access_token"].as_str().expect("the company's token");
    assert_eq!(caller.verdict(corporations).await, 0);
    assert_eq!(ask(&caller, PERMANENT_CODE, &token, &body).await.errcode(), 40078);

    let late = code_of(&caller, create_auth());
    caller.sandbox.advance(10 * MINUTE);
    let late = json!({ "auth_code": late });
    assert_eq!(ask(&caller, PERMANENT_CODE, &token, &late).await.errcode(), 40078);
    let nobodys = json!({ "auth_code": "nobody's" });
    assert_eq!(ask(&caller, PERMANENT_CODE, &token, &nobodys).await.errcode(), 40078);
}

#[tokio::test]
async fn a_companys_token_is_the_same_while_it_is_good() {
    let caller = with(false);
    let (token, answer) = installed(&caller).await;
    let fetch = async || ask(&caller, CORP_TOKEN, &token, &company(&answer)).await;
    let first = fetch().await;
    assert_eq!(first.json()["access_token"], answer["access_token"]);
    assert_eq!(first.json().get("errcode"), None);
    caller.sandbox.rotate(Target { kind: Some(Kind::Wecom), ..Target::default() });
    assert_eq!(caller.verdict(&token_of(&first)).await, 40014);
    let second = fetch().await;
    assert_ne!(second.json()["access_token"], first.json()["access_token"]);
    assert_eq!(caller.verdict(&token_of(&second)).await, 0);
    let identity = format!("{CORP}.{}", SUITE.id);
    assert_eq!(caller.sandbox.token(&identity, Kind::Wecom), Some(token_of(&second)));
    caller.sandbox.expire(&identity);
    assert_eq!(caller.verdict(&token_of(&second)).await, 42001);
    assert_eq!(caller.sandbox.counts_of(CORP).fetches, 2);

    let wrong = json!({ "auth_corpid": CORP, "permanent_code": "wrong" });
    assert_eq!(ask(&caller, CORP_TOKEN, &token, &wrong).await.errcode(), 40084);
}

#[tokio::test]
async fn a_suites_token_dies_with_codes_of_its_own() {
    let caller = with(false);
    let token = suite_token(&caller).await;
    let verdict = async |token: &str| {
        caller.get(&format!("/cgi-bin/service/get_pre_auth_code?suite_access_token={token}")).await.errcode()
    };
    assert_eq!(verdict(&token).await, 0);
    caller.sandbox.rotate(SUITE.id);
    assert_eq!(verdict(&token).await, 40082);
    let token = suite_token(&caller).await;
    caller.sandbox.expire(SUITE.id);
    assert_eq!(verdict(&token).await, 42009);
    assert_eq!(verdict("nobodys-token-of-twenty-characters").await, 40082);
    assert_eq!(caller.get("/cgi-bin/service/get_pre_auth_code").await.errcode(), 41022);
}

#[tokio::test]
async fn a_suites_token_needs_its_id_its_secret_its_ticket_and_its_address() {
    let caller = with(false);
    let code = async |id, secret, ticket| fetch_suite_token(&caller, id, secret, ticket).await.errcode();
    assert_eq!(code("ww0", SECRET, "any").await, 40083);
    assert_eq!(code(SUITE.id, "wrong", "any").await, 40080);
    assert_eq!(code(SUITE.id, SECRET, "").await, 40085);
    assert_eq!(code(SUITE.id, SECRET, "any").await, 0);
    let told = caller.sandbox.occur(SUITE.id, PlatformEvent::SuiteTicket { ticket: None });
    let told = told.expect("it happens");
    let pushed = told.field("SuiteTicket").expect("a ticket");
    assert_eq!(code(SUITE.id, SECRET, "any").await, 40085);
    assert_eq!(code(SUITE.id, SECRET, pushed).await, 0);
    caller.sandbox.advance(30 * MINUTE);
    assert_eq!(code(SUITE.id, SECRET, pushed).await, 40085);
    let elsewhere = vec!["203.0.113.7".parse().expect("an address")];
    let suite = App::new(SUITE.id, SECRET, AppKind::Suite);
    caller.sandbox.put(App { whitelist: Some(elsewhere), ..suite });
    assert_eq!(code(SUITE.id, SECRET, pushed).await, 60020);
}

#[tokio::test]
async fn a_customized_apps_permanent_code_is_its_secret() {
    let caller = with(true);
    let (token, answer) = installed(&caller).await;
    assert_eq!(answer.get("access_token"), None);
    assert_eq!(answer["auth_info"]["agent"][0]["is_customized_app"], true);
    let fetch = async |secret: &str| {
        caller.get(&format!("/cgi-bin/gettoken?corpid={CORP}&corpsecret={secret}")).await
    };
    let secret = answer["permanent_code"].as_str().expect("a code");
    let companys = token_of(&fetch(secret).await);
    assert_eq!(token_of(&fetch(secret).await), companys);
    assert_eq!(caller.verdict(&companys).await, 0);
    assert_eq!(fetch("wrong").await.errcode(), 40001);

    // The code before is good until the new one was fetched.
    let code = code_of(&caller, PlatformEvent::ResetPermanentCode { corpid: CORP.into() });
    assert_eq!(fetch(secret).await.errcode(), 0);
    let again = ask(&caller, PERMANENT_CODE, &token, &json!({ "auth_code": code })).await.json();
    let next = again["permanent_code"].as_str().expect("a code");
    assert_eq!((fetch(secret).await.errcode(), fetch(next).await.errcode()), (40001, 0));
    assert_eq!(caller.sandbox.permanent_code(SUITE.id, CORP).as_deref(), Some(next));
}

#[tokio::test]
async fn a_company_that_cancels_is_gone_with_its_tokens() {
    let caller = with(false);
    let (token, answer) = installed(&caller).await;
    let about = async || ask(&caller, "/cgi-bin/service/get_auth_info", &token, &company(&answer)).await;
    assert_eq!(about().await.json()["auth_corp_info"]["corpid"], CORP);
    let companys = answer["access_token"].as_str().expect("a token");
    let cancel = PlatformEvent::CancelAuth { corpid: CORP.into() };
    let told = caller.sandbox.occur(SUITE.id, cancel.clone()).expect("it happens");
    assert_eq!(told.field("AuthCorpId"), Some(CORP));
    assert_eq!(about().await.errcode(), 40084);
    assert_eq!(ask(&caller, CORP_TOKEN, &token, &company(&answer)).await.errcode(), 40084);
    assert_eq!(caller.verdict(companys).await, 40014);
    assert_eq!(caller.sandbox.occur(SUITE.id, cancel), Err(Impossible::Unauthorised));
    assert_eq!(caller.sandbox.occur("ww0", create_auth()), Err(Impossible::App));
}

#[tokio::test]
async fn a_company_may_be_there_from_the_start() {
    let caller = Caller::with(Options {
        apps: vec![App::new(SUITE.id, SECRET, AppKind::Suite)],
        companies: vec![Company::new(SUITE.id, CORP, "known")],
        ..Options::default()
    });
    let token = suite_token(&caller).await;
    let body = json!({ "auth_corpid": CORP, "permanent_code": "known" });
    assert_eq!(ask(&caller, CORP_TOKEN, &token, &body).await.errcode(), 0);
    caller.order("POST", "/sandbox/reset", &json!({ "all": true })).await;
    let token = suite_token(&caller).await;
    assert_eq!(ask(&caller, CORP_TOKEN, &token, &body).await.errcode(), 0, "the accounts stay");
}

#[tokio::test]
async fn a_code_that_was_exchanged_behind_a_broken_connection_is_used() {
    let caller = with(false);
    let (code, token) = (code_of(&caller, create_auth()), suite_token(&caller).await);
    let target = format!("{PERMANENT_CODE}?suite_access_token={token}");
    let exchange = async || {
        let request = caller.request("POST", &target).body(json!({ "auth_code": code }).to_string().into());
        caller.send(request.expect("a request")).await
    };
    for (when, left) in [(When::BeforeBody, true), (When::AfterBody, false)] {
        caller.sandbox.fault(Fault::new(Action::Reset { when }).path(PERMANENT_CODE).times(1));
        assert!(exchange().await.is_err());
        assert_eq!(caller.sandbox.permanent_code(SUITE.id, CORP).is_none(), left, "{when:?}");
    }
    assert_eq!(exchange().await.expect("an answer").errcode(), 40078);
}

/// A receiver that has been told where pushes of `platform` come from.
async fn callback(caller: &Caller, receiver: &Receiver, platform: Platform) {
    let callback = json!({
        "appid": platform.id,
        "url": format!("http://{}/callback/{}", receiver.authority, platform.name),
        "token": platform.token,
        "aes_key": platform.aes_key,
    });
    let reply = caller.order("POST", "/sandbox/callbacks", &callback).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_pushed_signed_and_encrypted() {
    let (caller, receiver) = (with(false), Receiver::start());
    callback(&caller, &receiver, SUITE).await;
    callback(&caller, &receiver, MALL).await;
    let push = async |order: Value| {
        let answer = caller.order("POST", "/sandbox/push", &order).await.json();
        assert_eq!(answer["pushed"], json!({ "status": 200, "body": "success" }), "{answer}");
        let event = receiver.arrived().pop().expect("an event").event;
        (answer["said"].clone(), event)
    };
    let order = json!({ "appid": MALL.id, "event": "component_verify_ticket" });
    let (said, Event::VerifyTicket { ticket, .. }) = push(order).await else { panic!("a ticket") };
    assert_eq!(said["ComponentVerifyTicket"], ticket.expose());

    let account = "wxa000000000000007";
    let order = json!({ "appid": MALL.id, "event": "authorized", "authorizer_appid": account });
    let (said, Event::Authorized { appid, code, .. }) = push(order).await else { panic!("an account") };
    assert_eq!((&*appid, code.expose()), (account, said["AuthorizationCode"].as_str().expect("a code")));
    let order = json!({ "appid": MALL.id, "event": "unauthorized", "authorizer_appid": account });
    assert!(matches!(push(order).await.1, Event::Unauthorized { .. }));

    let order = json!({ "appid": SUITE.id, "event": "suite_ticket", "ticket": "mine" });
    let (_, Event::SuiteTicket { ticket, .. }) = push(order).await else { panic!("a ticket") };
    assert_eq!(ticket.expose(), "mine");
    let order = json!({ "appid": SUITE.id, "event": "create_auth", "corpid": CORP });
    let (said, Event::CorpAuthorized { code, .. }) = push(order).await else { panic!("a company") };
    assert_eq!(said["AuthCode"], code.expose());
    let order = json!({ "appid": SUITE.id, "event": "cancel_auth", "corpid": CORP });
    assert!(matches!(push(order).await.1, Event::CorpUnauthorized { corpid, .. } if &*corpid == CORP));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_without_a_callback_happens_all_the_same() {
    let caller = with(false);
    let order = json!({ "appid": SUITE.id, "event": "create_auth", "corpid": CORP });
    let answer = caller.order("POST", "/sandbox/push", &order).await.json();
    assert_eq!((&answer["event"], &answer["pushed"]), (&json!("create_auth"), &Value::Null));
    let token = suite_token(&caller).await;
    let body = json!({ "auth_code": answer["said"]["AuthCode"] });
    assert_eq!(ask(&caller, PERMANENT_CODE, &token, &body).await.errcode(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_pushed_is_pushed_again_by_its_handle() {
    let caller = with(false);
    let receiver = Receiver::start();
    let told = caller.sandbox.occur(SUITE.id, create_auth()).expect("it happens");
    assert_eq!(caller.sandbox.push(SUITE.id, &told).await.expect("no callback"), None);
    let set = |url: String| {
        let (appid, token) = (SUITE.id.into(), SUITE.token.into());
        caller.sandbox.set_callback(Callback { appid, url, token, aes_key: SUITE.aes_key.into() })
    };
    set("http://127.0.0.1:1/callback/suite".into()).expect("an address");
    assert!(caller.sandbox.push(SUITE.id, &told).await.is_err());
    set(format!("http://{}/callback/suite", receiver.authority)).expect("an address");
    let receipt = caller.sandbox.push(SUITE.id, &told).await.expect("pushed").expect("a callback");
    assert_eq!((receipt.status, &*receipt.body), (200, "success"));
    let Some(Arrived { event: Event::CorpAuthorized { code, .. }, .. }) = receiver.arrived().pop() else {
        panic!("a company")
    };
    assert_eq!(Some(code.expose()), told.field("AuthCode"));
    assert!(set("https://127.0.0.1/".into()).is_err());
}

#[tokio::test]
async fn an_order_that_says_too_little_or_too_much_is_refused() {
    let caller = with(false);
    for (order, status) in [
        (json!({ "appid": SUITE.id, "event": "create_auth" }), 400),
        (json!({ "appid": SUITE.id, "event": "create_auth", "corpid": CORP, "corp": CORP }), 400),
        (json!({ "appid": SUITE.id, "event": "authorized", "authorizer_appid": "wx1" }), 400),
        (json!({ "appid": SUITE.id, "event": "change_auth", "corpid": CORP }), 400),
        (json!({ "appid": SUITE.id, "event": "suite_ticket" }), 200),
    ] {
        let reply = caller.order("POST", "/sandbox/push", &order).await;
        assert_eq!(reply.status, status, "{order}: {}", reply.text());
    }
}

#[tokio::test]
async fn an_account_that_was_pushed_is_what_its_code_stands_for() {
    let caller = with(false);
    caller.sandbox.authorize(Authorizer::new(MALL.id, "wxfirst", "refresh-1"));
    let event = PlatformEvent::Authorized { authorizer_appid: "wxsecond".into(), refresh_token: None };
    let told = caller.sandbox.occur(MALL.id, event).expect("it happens");
    let body = json!({
        "component_appid": MALL.id, "component_appsecret": SECRET, "component_verify_ticket": "t",
    });
    let reply = caller.post("/cgi-bin/component/api_component_token", body.to_string()).await.json();
    let token = reply["component_access_token"].as_str().expect("a token");
    let body = json!({ "authorization_code": told.field("AuthorizationCode") });
    let target = format!("/cgi-bin/component/api_query_auth?component_access_token={token}");
    let answer = caller.post(&target, body.to_string()).await.json();
    assert_eq!(answer["authorization_info"]["authorizer_appid"], "wxsecond");
}
