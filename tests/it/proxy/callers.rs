//! Who calls, and what a caller may do.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use wxgate::observe::clock::{Clock, Timestamp};

use crate::harness::{APPID, Answer, Gate, OTHER_APPID, SHOP, SHOP_AND_GAME, Setup, caller, sandbox};

const KEY: &str = "canary-key-of-orders-5d1c";
const NEXT_KEY: &str = "canary-key-of-orders-77e0";
const CRM_KEY: &str = "canary-key-of-crm-0b9a";

const UNKNOWN: (u16, &str, i64) = (401, "caller_unknown", -70401);
const FORBIDDEN: (u16, &str, i64) = (403, "caller_forbidden", -70403);
const CLOSED: (u16, &str, i64) = (404, "endpoint_forbidden", -70404);
const BAD_REQUEST: (u16, &str, i64) = (400, "bad_request", -70400);

const PATH: &str = "/cgi-bin/user/get";

/// The shop app with the caller `orders`, its only one.
async fn with_orders(server: &str, more: &str) -> Gate {
    let apps = format!("{SHOP}{}", caller("orders", &[KEY], &["shop"], more));
    Gate::with(Setup { server: server.into(), apps, ..Setup::default() }).await.settled().await
}

fn basic(user: &str, key: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{key}")))
}

async fn ok_calls(gate: &Gate, caller: &str) -> f64 {
    let labels = format!("app=\"shop\",caller=\"{caller}\",outcome=\"ok\"");
    gate.metric(&format!("wxgate_caller_requests_total{{{labels}}}")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_known_in_each_of_its_forms_and_never_sent_on() {
    let gate = with_orders("", "").await;
    let forms = [
        ("authorization", format!("Bearer {KEY}")),
        ("authorization", format!("bearer  {KEY}")),
        ("authorization", basic("x", KEY)),
        ("authorization", basic("", KEY)),
        ("x-wxgate-key", KEY.to_owned()),
    ];
    for (count, (name, value)) in forms.iter().enumerate() {
        let answer = gate.get_with(PATH, &[(name, value)]).await;
        assert_eq!((answer.status, answer.errcode()), (200, 0), "{name}: {value}: {}", answer.text());
        assert_eq!(ok_calls(&gate, "orders").await, count as f64 + 1.0);
    }
    // As the password in a base URL.
    let url = gate.url(PATH).replacen("http://", &format!("http://x:{KEY}@"), 1);
    assert_eq!(Answer::of(gate.client.get(url)).await.errcode(), 0);
    // By the same caller's key twice.
    let both = [("authorization", forms[0].1.as_str()), ("x-wxgate-key", KEY)];
    assert_eq!(gate.get_with(PATH, &both).await.errcode(), 0);
    for entry in gate.sandbox.journal(None) {
        assert!(entry.header("authorization").is_none() && entry.header("x-wxgate-key").is_none());
        assert!(!format!("{entry:?}").contains(KEY), "{entry:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_right_key_nothing_is_told_whatever_else_was_asked() {
    let gate = with_orders("", "").await;
    let wrong = [
        ("authorization", "Bearer wrong-key".to_owned()),
        ("authorization", format!("Bearer {KEY}x")),
        ("authorization", format!("Bearer {}", &KEY[..KEY.len() - 1])),
        ("authorization", "Bearer ".to_owned()),
        ("authorization", basic(KEY, "")),
        ("authorization", basic("x", "wrong-key")),
        ("authorization", "Basic %%%".to_owned()),
        ("x-wxgate-key", "wrong-key".to_owned()),
        ("x-wxgate-key", String::new()),
    ];
    let paths = [
        PATH,
        "/@shop/cgi-bin/user/get",
        "/@nobody/cgi-bin/user/get",
        "/cgi-bin/clear_quota",
        "/cgi-bin/service/get_corp_token",
        "/sns/userinfo?access_token=U&openid=o",
        "/no/such/path",
    ];
    for path in paths {
        let nothing = gate.get_with(path, &[]).await;
        assert_eq!(nothing.refusal(), UNKNOWN, "{path}");
        for (name, value) in &wrong {
            let answer = gate.get_with(path, &[(name, value)]).await;
            assert_eq!(answer.refusal(), UNKNOWN, "{path} {name}: {value:?}");
            let app = gate.get_with(path, &[(name, value), ("x-wxgate-app", "nobody")]).await;
            assert_eq!(app.text(), answer.text(), "{path}");
        }
    }
    let right_and_wrong = [("authorization", "Bearer wrong"), ("x-wxgate-key", KEY)];
    assert_eq!(gate.get_with(PATH, &right_and_wrong).await.refusal(), UNKNOWN);
    assert!(gate.sandbox.journal(None).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn anonymous_callers_are_let_in_by_configuration_but_not_with_a_wrong_key() {
    let gate = with_orders("anonymous = true", "").await;
    assert_eq!(gate.get_with(PATH, &[]).await.errcode(), 0);
    assert_eq!(ok_calls(&gate, "anonymous").await, 1.0);
    assert_eq!(gate.get_with(PATH, &[("x-wxgate-key", KEY)]).await.errcode(), 0);
    assert_eq!(ok_calls(&gate, "orders").await, 1.0);
    for wrong in ["Bearer wrong", "Bearer", "bearer ", "Basic eDp3cm9uZw=="] {
        let answer = gate.get_with(PATH, &[("authorization", wrong)]).await;
        assert_eq!(answer.refusal(), UNKNOWN, "{wrong}");
    }
    let not_ascii = "GET /cgi-bin/user/get HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer schlüssel\r\nconnection: close\r\n\r\n";
    assert_eq!(gate.raw(not_ascii).await.refusal(), UNKNOWN);
    // What is no key of ours says nothing.
    assert_eq!(gate.get_with(PATH, &[("authorization", "Digest username=\"x\"")]).await.errcode(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_rotated_without_a_gap() {
    let gate = with_orders("", "").await;
    let works = async |key| gate.get_with(PATH, &[("x-wxgate-key", key)]).await.status == 200;
    assert!(works(KEY).await && !works(NEXT_KEY).await);
    let orders = |keys: &[&str]| format!("{SHOP}{}", caller("orders", keys, &["shop"], ""));
    gate.reload("", &orders(&[KEY, NEXT_KEY])).await;
    assert!(works(KEY).await && works(NEXT_KEY).await);
    gate.reload("", &orders(&[NEXT_KEY])).await;
    assert!(!works(KEY).await && works(NEXT_KEY).await);
    assert_eq!(ok_calls(&gate, "orders").await, 4.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_ignored_and_never_sent_on_where_no_caller_exists() {
    let gate = Gate::start().await.settled().await;
    for (name, value) in [
        ("authorization", format!("Bearer {KEY}")),
        ("authorization", basic("x", KEY)),
        ("x-wxgate-key", KEY.to_owned()),
    ] {
        assert_eq!(gate.get_with(PATH, &[(name, &value)]).await.errcode(), 0);
    }
    assert_eq!(ok_calls(&gate, "anonymous").await, 3.0);
    for entry in gate.sandbox.journal(None) {
        assert!(entry.header("authorization").is_none() && entry.header("x-wxgate-key").is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keys_of_two_callers_in_one_request_are_ambiguous() {
    let callers =
        [caller("orders", &[KEY], &["shop"], ""), caller("crm", &[CRM_KEY], &["shop"], "")].concat();
    let gate =
        Gate::with(Setup { apps: format!("{SHOP}{callers}"), ..Setup::default() }).await.settled().await;
    let keys = [("authorization", format!("Bearer {KEY}")), ("x-wxgate-key", CRM_KEY.to_owned())];
    let headers: Vec<_> = keys.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(gate.get_with(PATH, &headers).await.refusal(), BAD_REQUEST);
    assert!(gate.sandbox.journal(None).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_uses_its_own_apps_alone() {
    let callers =
        [caller("orders", &[KEY], &["shop"], ""), caller("crm", &[CRM_KEY], &["shop", "game"], "")].concat();
    let setup = Setup { apps: format!("{SHOP_AND_GAME}{callers}"), ..Setup::default() };
    let gate = Gate::with(setup).await.settled().await;
    let game = "/@game/cgi-bin/user/get";
    assert_eq!(gate.get_with(game, &[("x-wxgate-key", KEY)]).await.refusal(), FORBIDDEN);
    assert_eq!(gate.get_with(game, &[("x-wxgate-key", CRM_KEY)]).await.errcode(), 0);
    assert_eq!(gate.journal(PATH).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_may_do_what_its_rules_allow() {
    let rules = r#"allow = ["/cgi-bin/message/**", "GET /cgi-bin/user/info", "/cgi-bin/*/get"]"#;
    let gate = with_orders("", rules).await;
    let status = async |method: &str, path: &str| {
        let method = method.parse().expect("a method");
        let request = gate.client.request(method, gate.url(path)).header("x-wxgate-key", KEY);
        Answer::of(request).await.refusal().1.to_owned()
    };
    for (method, path) in [
        ("POST", "/cgi-bin/message/custom/send"),
        ("GET", "/cgi-bin/message/x"),
        ("POST", "/CGI-BIN/Message/Custom/Send/"),
        ("GET", "/cgi-bin/user/info?openid=o"),
        ("GET", "/cgi-bin/user/info/"),
        ("GET", "/cgi-bin/menu/get"),
        ("POST", "/@shop/cgi-bin/user/get"),
    ] {
        assert_eq!(status(method, path).await, "none", "{method} {path}");
    }
    let reached = gate.sandbox.journal(None).len();
    for (method, path) in [
        ("POST", "/cgi-bin/user/info"),
        ("HEAD", "/cgi-bin/user/info"),
        ("GET", "/cgi-bin/user/info/batchget"),
        ("GET", "/cgi-bin/message"),
        ("GET", "/cgi-bin/messages/x"),
        ("GET", "/cgi-bin/user/tag/get"),
        ("GET", "/cgi-bin//get"),
        ("GET", "/payment"),
        ("POST", "/wxa/getwxacodeunlimit"),
    ] {
        let request = gate.client.request(method.parse().expect("a method"), gate.url(path));
        let answer = request.header("x-wxgate-key", KEY).send().await.expect("an answer");
        let code = if path.contains("//") { "bad_request" } else { "caller_forbidden" };
        assert_eq!(answer.headers()["x-wxgate-error"], code, "{method} {path}");
    }
    assert_eq!(gate.sandbox.journal(None).len(), reached);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guarded_endpoint_is_open_only_to_whom_its_exact_name_is_given() {
    let guarded = [
        "/cgi-bin/clear_quota",
        "/cgi-bin/openapi/quota/clear",
        "/cgi-bin/openapi/rid/get",
        "/wxa/revertcoderelease",
        "/cgi-bin/open/unbind",
    ];
    let spellings = |path: &str| {
        let name = path.rsplit('/').next().expect("a name").to_owned();
        let capital = path.replacen(&name, &name.to_ascii_uppercase(), 1);
        [
            path.to_owned(),
            format!("{path}/"),
            path.to_ascii_uppercase(),
            format!("{capital}/"),
            format!("/@shop{path}"),
        ]
    };
    for rules in [
        "",
        "allow = [\"**\"]",
        "allow = [\"/cgi-bin/**\", \"/wxa/*\", \"/cgi-bin/*\", \"/cgi-bin/openapi/**\"]",
    ] {
        let gate = with_orders("", rules).await;
        for path in guarded {
            for path in spellings(path) {
                let answer = gate.get_with(&path, &[("x-wxgate-key", KEY)]).await;
                assert_eq!(answer.refusal(), CLOSED, "{rules} {path}: {}", answer.text());
            }
        }
        assert!(gate.sandbox.journal(None).is_empty());
    }
    // Nobody without a key is let through, either.
    let gate = Gate::start().await.settled().await;
    for path in guarded.iter().flat_map(|path| spellings(path)) {
        assert_eq!(gate.get_with(&path, &[]).await.refusal(), CLOSED, "{path}");
    }
    let gate =
        with_orders("", r#"allow = ["**", "POST /cgi-bin/clear_quota", "/cgi-bin/openapi/rid/get"]"#).await;
    let key = ("x-wxgate-key", KEY);
    assert_eq!(gate.get_with("/cgi-bin/clear_quota", &[key]).await.refusal(), CLOSED, "only POST is named");
    assert_eq!(gate.get_with("/cgi-bin/openapi/quota/clear", &[key]).await.refusal(), CLOSED);
    for path in ["/cgi-bin/clear_quota", "/cgi-bin/openapi/rid/get", "/CGI-BIN/Clear_Quota/"] {
        let call = gate.client.post(gate.url(path)).header("x-wxgate-key", KEY).body("{}");
        let answer = Answer::of(call).await;
        assert_eq!(answer.header("x-wxgate-error"), None, "{path}: {}", answer.text());
        assert_eq!(gate.journal(path).len(), 1, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_that_issue_credentials_are_open_to_nobody() {
    let issuing = [
        "/cgi-bin/gettoken",
        "/cgi-bin/component/api_component_token",
        "/cgi-bin/component/api_authorizer_token",
        "/cgi-bin/component/api_query_auth",
        "/cgi-bin/service/get_suite_token",
        "/cgi-bin/service/get_provider_token",
        "/cgi-bin/service/get_corp_token",
        "/CGI-BIN/Component/API_Authorizer_Token/",
    ];
    let names: Vec<_> =
        issuing.iter().map(|path| path.to_ascii_lowercase().trim_end_matches('/').to_owned()).collect();
    for gate in
        [Gate::start().await.settled().await, with_orders("", &format!("allow = {:?}", &names[..7])).await]
    {
        for path in issuing {
            let call = gate.client.post(gate.url(path)).header("x-wxgate-key", KEY).body("{}");
            let answer = Answer::of(call).await;
            assert_eq!(answer.refusal(), CLOSED, "{path}: {}", answer.text());
        }
        assert!(gate.sandbox.journal(None).is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_may_reject_the_tokens_that_callers_bring() {
    let apps = format!("{SHOP}own_credential = \"reject\"\n");
    let gate = Gate::with(Setup { apps, ..Setup::default() }).await.settled().await;
    for query in ["access_token=OWN", "a=1&access%5ftoken=OWN", "cloudbase_access_token=OWN", "access_token="]
    {
        let answer = gate.get(&format!("{PATH}?{query}")).await;
        assert_eq!(answer.refusal(), BAD_REQUEST, "{query}");
        assert!(answer.text().contains("own_credential"), "{}", answer.text());
    }
    assert!(gate.sandbox.journal(None).is_empty());
    assert_eq!(gate.get(PATH).await.errcode(), 0);
    // A placeholder is nobody's own, and the user's token is none of the app's business.
    let placeholder = gate.get("/cgi-bin/token?appid=wx0000000000000001&secret=x").await.json();
    let token = placeholder["access_token"].as_str().expect("a token");
    assert_eq!(gate.get(&format!("{PATH}?access_token={token}")).await.errcode(), 0);
    assert_eq!(gate.get("/sns/userinfo?access_token=USERS&openid=o").await.errcode(), 40001);
}

/// What those without a key may do: two endpoints of the shop.
const ANONYMOUS: &str = r#"
[[caller]]
name = "anonymous"
apps = ["shop"]
allow = ["/cgi-bin/user/get", "/cgi-bin/menu/get"]
"#;

/// Two apps and the caller `orders`, who may use both, beside what those without a key may do.
async fn beside_orders(more: &str) -> Gate {
    let orders = caller("orders", &[KEY], &["shop", "game"], "");
    let apps = format!("{SHOP_AND_GAME}{orders}{ANONYMOUS}{more}");
    let setup = Setup { server: "anonymous = true".into(), apps, ..Setup::default() };
    Gate::with(setup).await.settled().await
}

#[tokio::test(flavor = "multi_thread")]
async fn those_without_a_key_may_do_what_their_table_says_and_no_more() {
    let gate = beside_orders("rate = \"50/s\"\ndaily = { \"/cgi-bin/menu/get\" = 2 }\n").await;
    // Their only app is theirs without a name.
    assert_eq!(gate.get(PATH).await.errcode(), 0);
    assert_eq!(ok_calls(&gate, "anonymous").await, 1.0);
    for (path, refusal) in [
        ("/cgi-bin/user/info?openid=o", FORBIDDEN),
        ("/@game/cgi-bin/user/get", FORBIDDEN),
        ("/@nobody/cgi-bin/user/get", FORBIDDEN),
        ("/cgi-bin/clear_quota", CLOSED),
    ] {
        assert_eq!(gate.get_with(path, &[]).await.refusal(), refusal, "{path}");
    }
    // A web page is still refused, and a wrong key isn't treated as a missing one.
    assert_eq!(gate.get_with(PATH, &[("origin", "https://x.example")]).await.refusal(), FORBIDDEN);
    assert_eq!(gate.get_with(PATH, &[("x-wxgate-key", "wrong")]).await.refusal(), UNKNOWN);
    // None of this concerns callers with a key.
    let key = ("x-wxgate-key", KEY);
    assert_eq!(gate.get_with("/@game/cgi-bin/user/info?openid=o", &[key]).await.errcode(), 0);
    let menu = "/cgi-bin/menu/get";
    let mut answers = Vec::new();
    for _ in 0..3 {
        answers.push(gate.get_with(menu, &[]).await.errcode());
    }
    assert_eq!(answers[2], 45009, "{answers:?}");
    assert_eq!(gate.get_with(&format!("/@shop{menu}"), &[key]).await.header("x-wxgate-error"), None);
    assert_eq!(gate.journal(PATH).len(), 1);
    assert_eq!(gate.journal(menu).len(), 3);
    let orders = caller("orders", &[KEY], &["shop", "game"], "");
    gate.reload("anonymous = true", &format!("{SHOP_AND_GAME}{orders}{ANONYMOUS}rate = \"1/h\"\n")).await;
    gate.get_with(PATH, &[]).await;
    assert_eq!(gate.get_with(PATH, &[]).await.errcode(), 45011);
    assert_eq!(gate.get_with(&format!("/@shop{PATH}"), &[key]).await.errcode(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_call_with_an_empty_secret_or_the_word_is_of_those_without_a_key() {
    let gate = beside_orders("").await;
    let token = async |appid: &str, secret: &str| {
        let path = format!("/cgi-bin/token?grant_type=client_credential&appid={appid}{secret}");
        gate.get_with(&path, &[]).await.json()
    };
    for secret in ["", "&secret=", "&secret=anonymous"] {
        let answer = token(APPID, secret).await;
        let placeholder = answer["access_token"].as_str().unwrap_or_else(|| panic!("{secret}: {answer}"));
        let path = format!("{PATH}?access_token={placeholder}");
        assert_eq!(gate.get(&path).await.errcode(), 0, "{secret}");
        let path = format!("/cgi-bin/user/info?access_token={placeholder}");
        assert_eq!(gate.get(&path).await.refusal(), FORBIDDEN, "{secret}");
    }
    assert_eq!(token(APPID, "&secret=anonymus").await["errcode"], 40125);
    assert!(token(OTHER_APPID, "&secret=anonymous").await.get("access_token").is_none());
    // Their placeholders no longer hold for an app that they may no longer use: the SDK asks anew.
    let held = token(APPID, "&secret=anonymous").await["access_token"].as_str().expect("a token").to_owned();
    let orders = caller("orders", &[KEY], &["shop", "game"], "");
    let moved = ANONYMOUS.replace("\"shop\"", "\"game\"");
    gate.reload("anonymous = true", &format!("{SHOP_AND_GAME}{orders}{moved}")).await;
    assert_eq!(gate.get(&format!("{PATH}?access_token={held}")).await.refusal(), (200, "none", 40001));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_only_those_without_a_key_have_a_table_keys_are_ignored_and_it_holds_for_all() {
    let apps = format!("{SHOP}{ANONYMOUS}");
    let gate = Gate::with(Setup { apps, ..Setup::default() }).await.settled().await;
    for headers in [&[][..], &[("x-wxgate-key", KEY)], &[("authorization", "Bearer whatever")]] {
        assert_eq!(gate.get_with(PATH, headers).await.errcode(), 0, "{headers:?}");
        let info = gate.get_with("/cgi-bin/user/info?openid=o", headers).await;
        assert_eq!(info.refusal(), FORBIDDEN, "{headers:?}");
    }
    let token = gate.get_with(&format!("/cgi-bin/token?appid={APPID}&secret=any"), &[]).await.json();
    let path = format!("{PATH}?access_token={}", token["access_token"].as_str().expect("a token"));
    assert_eq!(gate.get(&path).await.errcode(), 0);
    assert_eq!(gate.journal(PATH).len(), 4);
    assert_eq!(gate.status().await["callers"][0]["name"], "anonymous");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_refused_after_its_last_day_wherever_it_is_shown() {
    let (clock, key) = (Clock::default(), ("x-wxgate-key", KEY));
    let last = clock.now().beijing_date();
    let callers = [
        caller("orders", &[KEY], &["shop"], &format!("expires = {last:?}\nlease_token = true")),
        caller("crm", &[CRM_KEY], &["shop"], ""),
    ];
    let setup = Setup { apps: format!("{SHOP}{}", callers.concat()), ..Setup::default() };
    let gate = Gate::by(clock.clone(), sandbox(), setup).await.settled().await;
    let call = format!("/cgi-bin/token?appid={APPID}&secret={KEY}");
    let token = gate.get(&call).await.json()["access_token"].as_str().expect("a token").to_owned();
    assert_eq!(gate.get_with(PATH, &[key]).await.errcode(), 0);
    assert_eq!(gate.get(&format!("{PATH}?access_token={token}")).await.errcode(), 0);
    assert_eq!(gate.status().await["callers"][0]["expires"], last.as_str());

    let end = Timestamp::end_of_beijing_date(&last).expect("a day");
    clock.advance(end.since(clock.now()).as_millis() as i64 + 1000);
    let refused = gate.get_with(PATH, &[key]).await;
    assert_eq!(refused.refusal(), UNKNOWN);
    assert!(refused.text().contains("has expired"), "{}", refused.text());
    assert_eq!(gate.get_with("/wxgate/token", &[key]).await.refusal(), UNKNOWN);
    let login =
        format!("/sns/jscode2session?appid={APPID}&secret={KEY}&js_code=c&grant_type=authorization_code");
    for path in [login, call] {
        let answer = gate.get(&path).await;
        assert!(answer.errcode() != 0 && !answer.text().contains("access_token\""), "{}", answer.text());
    }
    let stale = gate.get(&format!("{PATH}?access_token={token}")).await;
    assert_eq!(stale.refusal(), (200, "none", 40001), "{}", stale.text());
    assert_eq!(gate.get_with(PATH, &[("x-wxgate-key", CRM_KEY)]).await.errcode(), 0);
    assert_eq!(gate.journal(PATH).len(), 3);
    assert!(gate.journal("/sns/jscode2session").is_empty());
}
