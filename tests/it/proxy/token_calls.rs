//! Token calls in every shape that programs send, and the codes with which wxgate refuses token and
//! login calls.

use crate::harness::{APPID, Answer, Gate, OTHER_APPID, SHOP_AND_GAME, Setup, caller};

const KEY: &str = "canary-key-of-orders-5d1c";
const CRM_KEY: &str = "canary-key-of-crm-0b9a";
const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";
const TOKEN: &str = "/cgi-bin/token";
const STABLE: &str = "/cgi-bin/stable_token";

async fn gate(callers: bool) -> Gate {
    let callers = if callers {
        [
            caller("orders", &[KEY], &["shop"], ""),
            caller("crm", &[CRM_KEY], &["shop", "game"], "allow = [\"/cgi-bin/**\"]"),
        ]
        .concat()
    } else {
        String::new()
    };
    let apps = [SHOP_AND_GAME, &callers].concat();
    Gate::with(Setup { apps, ..Setup::default() }).await.settled().await
}

async fn ask(gate: &Gate, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
    let request = gate.client.request(method, gate.url(path)).body(body.to_owned());
    Answer::of(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_call_may_come_as_query_form_or_json() {
    for callers in [false, true] {
        let gate = gate(callers).await;
        let query = format!("grant_type=client_credential&appid={APPID}&secret={KEY}");
        let json =
            format!("{{\"grant_type\":\"client_credential\",\"appid\":\"{APPID}\",\"secret\":\"{KEY}\"}}");
        for endpoint in [TOKEN, STABLE] {
            let all = format!("{endpoint}?{query}");
            for (method, path, content_type, body) in [
                ("GET", &*all, JSON, String::new()),
                ("POST", &*all, FORM, String::new()),
                ("POST", &*all, JSON, "null".to_owned()),
                ("GET", &*all, JSON, "{}".to_owned()),
                ("POST", endpoint, FORM, query.clone()),
                ("POST", endpoint, "Application/x-www-form-urlencoded;charset=utf-8", format!("{query}\r\n")),
                ("POST", endpoint, FORM, format!("\u{feff}{}", query.replace("secret", "%73ecret"))),
                ("GET", endpoint, FORM, query.clone()),
                ("POST", endpoint, JSON, json.clone()),
                ("POST", endpoint, JSON, format!("\u{feff}{json}\n")),
                ("POST", endpoint, FORM, json.clone()),
                ("POST", endpoint, "text/plain", json.clone()),
                ("POST", &*format!("{endpoint}?appid={APPID}"), FORM, format!("secret={KEY}")),
            ] {
                let answer = ask(&gate, method, path, &[("content-type", content_type)], &body).await;
                let token = answer.json()["access_token"].as_str().map(str::to_owned);
                let token = token.unwrap_or_else(|| panic!("{method} {path} {body:?}: {}", answer.text()));
                let call = gate.get(&format!("/cgi-bin/user/get?access_token={token}")).await;
                assert_eq!(call.errcode(), 0, "{}", call.text());
            }
        }
        assert!(gate.journal("/cgi-bin/*token").is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_of_wxgates_own_to_token_and_login_calls_are_never_negative() {
    let orders = ("authorization", &*format!("Bearer {KEY}"));
    let gate = gate(true).await;
    let long = format!("{{\"appid\":\"{}\"}}", "x".repeat(70_000));
    let with = |appid: &str, secret: &str| format!("{TOKEN}?appid={appid}&secret={secret}");
    let own = with(APPID, KEY);
    let (unknown, others) = (with("wx00000000000000ff", KEY), with(OTHER_APPID, KEY));
    let json = |appid: &str, secret: &str| format!("{{\"appid\":\"{appid}\",\"secret\":\"{secret}\"}}");
    let login = |appid: &str, key: &str| format!("/sns/jscode2session?appid={appid}&secret={key}&js_code=C");
    for (method, path, headers, body, code) in [
        // First the caller.
        ("GET", &*with("wx00000000000000ff", "wrong"), &[][..], "", 40125),
        ("GET", TOKEN, &[], "", 40125),
        ("GET", &*own, &[("x-wxgate-key", "wrong")], "", 40125),
        ("GET", &*own, &[orders, ("x-wxgate-key", CRM_KEY)], "", 40125),
        ("GET", &*login(APPID, "wrong"), &[], "", 40125),
        ("GET", &*login(APPID, CRM_KEY), &[orders], "", 40125),
        ("POST", STABLE, &[], "{", 40125),
        ("POST", STABLE, &[], &*long, 40125),
        ("POST", &*own, &[], "appid=x", 40125),
        ("POST", &*format!("{STABLE}?secret={CRM_KEY}"), &[], &*json(APPID, KEY), 40125),
        ("GET", &*format!("{own}&secret={CRM_KEY}"), &[], "", 40125),
        ("GET", &*format!("{}&appsecret={CRM_KEY}", login(APPID, KEY)), &[], "", 40125),
        // Then the app.
        ("POST", &*format!("{STABLE}?appid={OTHER_APPID}"), &[], &*json(APPID, KEY), 40013),
        ("GET", &*format!("{own}&appid={OTHER_APPID}"), &[], "", 40013),
        ("GET", &*format!("{}&appid={OTHER_APPID}", login(APPID, KEY)), &[], "", 40013),
        ("GET", &*unknown, &[], "", 40013),
        ("GET", &*others, &[], "", 40013),
        ("GET", &*format!("/@game{own}"), &[], "", 40013),
        ("GET", &*format!("/@nobody{own}"), &[], "", 40013),
        ("GET", &*own, &[("x-wxgate-app", "game")], "", 40013),
        ("GET", &*own, &[("x-wxgate-app", "shop"), ("x-wxgate-app", "shop")], "", 40013),
        ("GET", &*format!("{own}&from_appid=shop&from_appid=game"), &[], "", 40013),
        ("GET", &*login(OTHER_APPID, KEY), &[], "", 40013),
        ("GET", &*format!("/@shop{}", login(OTHER_APPID, CRM_KEY)), &[], "", 40013),
        // What can't be read, beside a good key.
        ("POST", STABLE, &[orders], "{", 47001),
        ("POST", STABLE, &[orders], "[]", 47001),
        ("POST", STABLE, &[orders], "{\"appid\":7}", 47001),
        ("POST", STABLE, &[orders], "appid=x", 47001),
        ("POST", STABLE, &[orders], &*long, 47001),
        // What isn't allowed.
        ("GET", &*login(APPID, CRM_KEY), &[], "", 48001),
        ("PUT", &*own, &[], "", 48001),
        ("DELETE", &*own, &[orders], "", 48001),
    ] {
        let answer = ask(&gate, method, path, headers, body).await;
        assert_eq!((answer.status, answer.errcode()), (200, code), "{method} {path}: {}", answer.text());
        assert_eq!(answer.header("content-type"), Some(JSON));
    }
    // A secret beside a key that holds isn't looked at.
    for secret in [CRM_KEY, "wrong"] {
        let answer = ask(&gate, "GET", &with(APPID, secret), &[orders], "").await;
        assert!(answer.json()["access_token"].is_string(), "{}", answer.text());
    }
    assert!(gate.sandbox.journal(None).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_callers_too_a_token_call_is_refused_in_codes_that_programs_know() {
    let gate = gate(false).await;
    for (path, headers, body, code, word) in [
        ("/cgi-bin/token?appid=wx00000000000000ff&secret=x", &[][..], "", 40013, "app_unknown"),
        ("/cgi-bin/token?secret=x", &[], "", 40013, "app_unknown"),
        ("/@shop/cgi-bin/token?appid=wx0000000000000002&secret=x", &[], "", 40013, "bad_request"),
        ("/cgi-bin/stable_token", &[], "{", 47001, "bad_request"),
        ("/@shop/cgi-bin/token", &[("origin", "http://evil.example")], "", 48001, "caller_forbidden"),
        ("/@nobody/sns/jscode2session?js_code=C", &[], "", 40013, "app_unknown"),
    ] {
        let answer = ask(&gate, "POST", path, headers, body).await;
        assert_eq!(answer.refusal(), (200, word, code), "{path}: {}", answer.text());
        assert!(answer.text().contains(&format!("wxgate: {word}: ")), "{}", answer.text());
    }
    gate.sandbox.reset();
}
