//! What an SDK gets instead of a token, and how far it carries.

use wxgate::sandbox::{App, AppKind};
use wxgate::secret::Secret;
use wxgate::wechat::placeholder::{Claims, StandsFor, issue};

use crate::harness::{
    APPID, Answer, Gate, OTHER_APPID, OTHER_SECRET, SECRET, SHOP, SHOP_AND_GAME, Setup, caller,
};

const KEY: &str = "canary-key-of-orders-5d1c";
const NEXT_KEY: &str = "canary-key-of-orders-77e0";
const CRM_KEY: &str = "canary-key-of-crm-0b9a";

const BAD_REQUEST: (u16, &str, i64) = (400, "bad_request", -70400);
/// As WeChat says it: an SDK fetches anew.
const EXPIRED: (u16, &str, i64) = (200, "none", 40001);

const PATH: &str = "/cgi-bin/user/get";
const HOUR: i64 = 3_600_000;

/// Both apps, and callers of which each has one.
fn tenants() -> String {
    let callers =
        [caller("orders", &[KEY], &["shop"], ""), caller("crm", &[CRM_KEY], &["game"], "")].concat();
    format!("{SHOP_AND_GAME}{callers}")
}

async fn with(apps: String) -> Gate {
    Gate::with(Setup { apps, ..Setup::default() }).await.settled().await
}

fn classic_call(appid: &str, secret: &str) -> String {
    format!("/cgi-bin/token?grant_type=client_credential&appid={appid}&secret={secret}")
}

async fn stable_call(gate: &Gate, appid: &str, secret: &str, force: bool) -> Answer {
    let body = serde_json::json!({
        "grant_type": "client_credential", "appid": appid, "secret": secret, "force_refresh": force,
    });
    gate.post("/cgi-bin/stable_token", body.to_string()).await
}

/// What `answer` hands out, which is checked for its form.
fn token_of(answer: &Answer) -> String {
    assert_eq!(answer.refusal(), (200, "none", 0), "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let body = answer.json();
    assert_eq!(body["expires_in"], 7200);
    assert_eq!(body.as_object().expect("an object").len(), 2, "{body}");
    let token = body["access_token"].as_str().expect("a token").to_owned();
    assert!(token.starts_with("wxgate-") && token.len() <= 512, "{token}");
    assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{token}");
    token
}

async fn fetch(gate: &Gate, appid: &str, secret: &str) -> String {
    token_of(&gate.get(&classic_call(appid, secret)).await)
}

async fn call(gate: &Gate, token: &str) -> Answer {
    gate.get(&format!("{PATH}?access_token={token}")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn token_endpoints_hand_out_placeholders_and_rotate_nothing() {
    let gate = with(SHOP_AND_GAME.into()).await;
    let tokens = (gate.token(APPID), gate.token(OTHER_APPID));
    for force in [false, true] {
        token_of(&stable_call(&gate, APPID, SECRET, force).await);
    }
    for path in [
        classic_call(APPID, SECRET),
        classic_call(OTHER_APPID, OTHER_SECRET),
        classic_call(APPID, "anything-since-no-caller-exists"),
        format!("/@game/cgi-bin/token?appid={OTHER_APPID}"),
        "/@shop/cgi-bin/token".to_owned(),
        format!("/CGI-BIN/Token/?appid={APPID}&secret=x"),
    ] {
        token_of(&gate.get(&path).await);
    }
    assert!(gate.sandbox.journal(None).is_empty());
    assert_eq!((gate.token(APPID), gate.token(OTHER_APPID)), tokens);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_apps_and_two_callers_with_sdks_that_know_base_url_appid_and_secret() {
    let gate = with(tenants()).await;
    gate.sandbox.change(|settings| settings.allow_unlisted = true);
    for (appid, key, name, app) in [(APPID, KEY, "orders", "shop"), (OTHER_APPID, CRM_KEY, "crm", "game")] {
        for token in [fetch(&gate, appid, key).await, token_of(&stable_call(&gate, appid, key, false).await)]
        {
            gate.sandbox.reset();
            assert_eq!(call(&gate, &token).await.errcode(), 0);
            let posted = gate.post(&format!("/wxa/anything?a=1&access_token={token}&b=2"), "{}").await;
            assert_eq!(posted.errcode(), 0);
            let real = gate.token(appid);
            assert_eq!(gate.only(PATH).query, format!("access_token={real}"));
            assert_eq!(gate.only("/wxa/anything").query, format!("a=1&access_token={real}&b=2"));
        }
        let labels = format!("app=\"{app}\",caller=\"{name}\",outcome=\"ok\"");
        // Twice a token call and two others.
        assert_eq!(gate.metric(&format!("wxgate_caller_requests_total{{{labels}}}")).await, 6.0);
    }
    let wechat_saw = format!("{:?}", gate.sandbox.journal(None));
    assert!(!wechat_saw.contains("wxgate-") && !wechat_saw.contains(KEY) && !wechat_saw.contains(CRM_KEY));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_of_a_token_call_is_the_callers_key() {
    let gate = with(tenants()).await;
    for secret in [SECRET, "wrong", "", &KEY.to_uppercase()] {
        for answer in
            [gate.get(&classic_call(APPID, secret)).await, stable_call(&gate, APPID, secret, false).await]
        {
            assert_eq!(answer.refusal(), (200, "caller_unknown", 40125), "{}", answer.text());
            assert_eq!(answer.header("content-type"), Some("application/json"));
        }
    }
    assert_eq!(gate.get("/cgi-bin/token?appid=wx0000000000000001").await.errcode(), 40125);
    // By a key in the headers, whatever the secret.
    for secret in [KEY, "wrong", CRM_KEY] {
        let path = classic_call(APPID, secret);
        token_of(&gate.get_with(&path, &[("authorization", &format!("Bearer {KEY}"))]).await);
    }
    let wrong = gate.get_with(&classic_call(APPID, KEY), &[("x-wxgate-key", "wrong")]).await;
    assert_eq!(wrong.refusal(), (200, "caller_unknown", 40125));
    let others = gate.get(&classic_call(OTHER_APPID, KEY)).await;
    assert_eq!(others.refusal(), (200, "caller_forbidden", 40013));
    // The appid may be left out where something else names the app.
    token_of(&gate.get(&format!("/cgi-bin/token?secret={KEY}")).await);
    token_of(&gate.get(&format!("/@shop/cgi-bin/token?secret={KEY}")).await);
    assert!(gate.sandbox.journal(None).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_call_may_be_anonymous_only_without_a_secret() {
    let callers = caller("orders", &[KEY], &["shop"], "");
    let setup =
        Setup { server: "anonymous = true".into(), apps: format!("{SHOP}{callers}"), ..Setup::default() };
    let gate = Gate::with(setup).await.settled().await;
    let token = token_of(&gate.get(&format!("/cgi-bin/token?appid={APPID}")).await);
    assert_eq!(call(&gate, &token).await.errcode(), 0);
    assert_eq!(gate.get(&classic_call(APPID, "wrong")).await.errcode(), 40125);
    gate.reload("", &format!("{SHOP}{callers}")).await;
    assert_eq!(call(&gate, &token).await.refusal(), EXPIRED, "it names nobody, and nobody is let in");
}

/// A placeholder that the proxy didn't issue, or not now.
fn made(gate: &Gate, appid: &str, secret: &str, caller: &str, key: &str, age_seconds: i64) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, key.as_bytes());
    let mut key_digest = [0; 8];
    if !key.is_empty() {
        key_digest.copy_from_slice(&digest.as_ref()[..8]);
    }
    let issued_at = gate.clock.now().0 / 1000 - age_seconds;
    let claims = Claims {
        stands_for: StandsFor::App,
        appid: appid.into(),
        caller: caller.into(),
        key_digest,
        issued_at,
    };
    issue(&Secret::new(secret), &claims)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_hold_names_nothing_and_falls_through_to_nothing() {
    // Were it only looked past, there would be a default app, a host, an only app and a right for
    // anonymous callers.
    let apps = SHOP_AND_GAME.replacen("[[app]]", "[[app]]\ndefault = true", 1);
    let apps = [apps, caller("orders", &[KEY], &["shop"], "")].concat();
    // The answers to a trusted proxy, behind which there may be many, are not held back.
    let server = "anonymous = true\ntrusted_proxies = [\"127.0.0.1\"]".into();
    let gate = Gate::with(Setup { server, apps, ..Setup::default() }).await.settled().await;
    let good = fetch(&gate, APPID, KEY).await;
    let orders = |age| made(&gate, APPID, SECRET, "orders", KEY, age);
    assert_eq!(call(&gate, &orders(7799)).await.errcode(), 0, "what is built here is like the real one");
    let mut flipped = good.clone().into_bytes();
    flipped[20] = if flipped[20] == b'A' { b'B' } else { b'A' };
    gate.sandbox.reset();
    let void = [
        ("damaged", String::from_utf8(flipped).expect("ASCII")),
        ("cut", good[..good.len() - 4].to_owned()),
        ("longer", format!("{good}AAAA")),
        ("nothing but the prefix", "wxgate-".to_owned()),
        ("of somebody's own making", "wxgate-00000000".to_owned()),
        ("signed with another app's secret", made(&gate, APPID, OTHER_SECRET, "orders", KEY, 0)),
        ("signed with the caller's key", made(&gate, APPID, KEY, "orders", KEY, 0)),
        ("too old", orders(7900)),
        ("from a future", orders(-900)),
        ("of an app that doesn't exist", made(&gate, "wx00000000000000ff", SECRET, "orders", KEY, 0)),
        ("of an app by its name", made(&gate, "shop", SECRET, "orders", KEY, 0)),
        ("of a caller that doesn't exist", made(&gate, APPID, SECRET, "stranger", KEY, 0)),
        ("of a key that isn't the caller's", made(&gate, APPID, SECRET, "orders", CRM_KEY, 0)),
        ("of an app that isn't the caller's", made(&gate, OTHER_APPID, OTHER_SECRET, "orders", KEY, 0)),
        ("one of two", format!("{good}&component_access_token={}", orders(7900))),
    ];
    let twice = format!("{PATH}?access_token={good}&component_access_token={}", orders(60));
    assert_eq!(gate.get(&twice).await.errcode(), 0, "two of different age that name the same");
    gate.sandbox.reset();
    let other = made(&gate, OTHER_APPID, OTHER_SECRET, "", "", 0);
    let answer = gate.get(&format!("{PATH}?access_token={good}&component_access_token={other}")).await;
    assert_eq!(answer.refusal(), (400, "bad_request", -70400), "{}", answer.text());
    for (what, token) in void {
        for headers in [&[][..], &[("host", "game.internal")], &[("host", "api.weixin.qq.com")]] {
            let path = format!("{PATH}?access_token={token}");
            let answer = gate.get_with(&path, headers).await;
            assert_eq!(answer.refusal(), EXPIRED, "{what}: {}", answer.text());
            assert_eq!(answer.header("content-type"), Some("application/json"), "{what}");
            let errmsg = answer.json()["errmsg"].as_str().expect("text").to_owned();
            assert!(
                errmsg.starts_with("invalid credential, access_token is invalid or not latest"),
                "{errmsg}"
            );
        }
        // Half of what it would have said is not enough; all of it is.
        let path = format!("{PATH}?access_token={token}");
        assert_eq!(gate.get_with(&path, &[("x-wxgate-key", KEY)]).await.refusal(), EXPIRED, "{what}");
        assert_eq!(gate.get_with(&path, &[("x-wxgate-app", "shop")]).await.refusal(), EXPIRED, "{what}");
        assert_eq!(gate.get_with(&format!("/@shop{path}"), &[]).await.refusal(), EXPIRED, "{what}");
        assert!(gate.sandbox.journal(None).is_empty(), "{what}");
        for (path, headers) in [
            (path.clone(), &[("x-wxgate-key", KEY), ("x-wxgate-app", "shop")][..]),
            (format!("/@shop{path}"), &[("x-wxgate-key", KEY)]),
        ] {
            assert_eq!(gate.get_with(&path, headers).await.errcode(), 0, "{what}");
            let query = gate.only(PATH).query;
            assert_eq!(query, format!("access_token={}", gate.token(APPID)), "{what}");
            gate.sandbox.reset();
        }
        let wrong = gate.get_with(&format!("/@shop{path}"), &[("x-wxgate-key", "wrong")]).await;
        assert_eq!(wrong.refusal(), (401, "caller_unknown", -70401), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_callers_prefix_or_header_alone_make_up_for_one_that_does_not_hold() {
    let gate = Gate::start().await.settled().await;
    let token = made(&gate, APPID, "a secret of the past", "", "", 0);
    assert_eq!(call(&gate, &token).await.refusal(), EXPIRED, "there is a default app");
    let path = format!("{PATH}?access_token={token}");
    assert_eq!(gate.get(&format!("/@shop{path}")).await.errcode(), 0);
    assert_eq!(gate.get_with(&path, &[("x-wxgate-app", APPID)]).await.errcode(), 0);
    assert_eq!(gate.journal(PATH).len(), 2);
    assert!(!format!("{:?}", gate.journal(PATH)).contains("wxgate-"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_placeholder_holds_two_hours_and_ten_minutes() {
    let gate = with(format!("{SHOP}{}", caller("orders", &[KEY], &["shop"], ""))).await;
    let token = fetch(&gate, APPID, KEY).await;
    for (minutes, holds) in [(0, true), (129, true), (2, false)] {
        gate.clock.advance(minutes * 60_000);
        gate.sandbox.advance(minutes * 60_000);
        let answer = call(&gate, &token).await;
        assert_eq!(answer.errcode(), if holds { 0 } else { 40001 }, "{minutes}: {}", answer.text());
    }
    let anew = fetch(&gate, APPID, KEY).await;
    assert_eq!(call(&gate, &anew).await.errcode(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_placeholder_ends_with_the_callers_key_and_with_its_right_to_the_app() {
    let gate = with(tenants()).await;
    let orders = |keys: &[&str], apps: &[&str]| {
        format!(
            "{SHOP_AND_GAME}{}",
            [caller("orders", keys, apps, ""), caller("crm", &[CRM_KEY], &["game"], "")].concat()
        )
    };
    let token = fetch(&gate, APPID, KEY).await;
    gate.reload("", &orders(&[KEY, NEXT_KEY], &["shop"])).await;
    assert_eq!(call(&gate, &token).await.errcode(), 0);
    gate.reload("", &orders(&[NEXT_KEY], &["shop"])).await;
    assert_eq!(call(&gate, &token).await.refusal(), EXPIRED);
    let next = fetch(&gate, APPID, NEXT_KEY).await;
    assert_eq!(call(&gate, &next).await.errcode(), 0);
    gate.reload("", &orders(&[NEXT_KEY], &["game"])).await;
    assert_eq!(call(&gate, &next).await.refusal(), EXPIRED);
    gate.reload("", &orders(&[NEXT_KEY], &["game", "shop"])).await;
    assert_eq!(call(&gate, &next).await.errcode(), 0);
    gate.reload("", SHOP_AND_GAME).await;
    assert_eq!(call(&gate, &next).await.refusal(), EXPIRED, "a name that means nobody any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn placeholders_outlive_a_change_of_the_apps_secret_for_two_hours() {
    let gate = with(SHOP.into()).await;
    let old = fetch(&gate, APPID, SECRET).await;
    // Somebody resets the secret: WeChat and the configuration know the new one.
    gate.sandbox.put(App::new(APPID, OTHER_SECRET, AppKind::OfficialAccount));
    gate.reload("", &SHOP.replace("SHOP_SECRET", "OTHER_SECRET")).await;
    assert_eq!(call(&gate, &old).await.errcode(), 0);
    // A reload that changes nothing forgets nothing.
    gate.reload("", &SHOP.replace("SHOP_SECRET", "OTHER_SECRET")).await;
    assert_eq!(call(&gate, &old).await.errcode(), 0);
    let new = fetch(&gate, APPID, OTHER_SECRET).await;
    assert_eq!(call(&gate, &new).await.errcode(), 0);
    gate.clock.advance(2 * HOUR - 10_000);
    gate.sandbox.advance(2 * HOUR - 10_000);
    assert_eq!(call(&gate, &old).await.errcode(), 0);
    gate.clock.advance(20_000);
    gate.sandbox.advance(20_000);
    assert_eq!(call(&gate, &old).await.refusal(), EXPIRED);
    assert_eq!(call(&gate, &new).await.errcode(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn at_an_endpoint_for_the_users_token_a_placeholder_is_refused_with_what_is_wrong() {
    let gate = Gate::start().await.settled().await;
    let token = fetch(&gate, APPID, SECRET).await;
    let void = made(&gate, APPID, "a secret of the past", "", "", 0);
    for path in ["/sns/userinfo", "/sns/auth", "/sns/oauth2/refresh_token", "/SNS/UserInfo/", "/sns/unknown"]
    {
        for token in [&token, &void] {
            let answer = gate.get(&format!("{path}?access_token={token}&openid=o")).await;
            assert_eq!(answer.refusal(), BAD_REQUEST, "{path}: {}", answer.text());
            let text = answer.text();
            assert!(
                text.contains("user's OAuth access_token") && text.contains("/sns/oauth2/access_token"),
                "{text}"
            );
        }
    }
    assert!(gate.sandbox.journal(None).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_and_a_placeholder_must_name_the_same_caller() {
    let callers =
        [caller("orders", &[KEY], &["shop"], ""), caller("crm", &[CRM_KEY], &["shop"], "")].concat();
    let gate = with(format!("{SHOP}{callers}")).await;
    let token = fetch(&gate, APPID, KEY).await;
    let path = format!("{PATH}?access_token={token}");
    assert_eq!(gate.get_with(&path, &[("x-wxgate-key", CRM_KEY)]).await.refusal(), BAD_REQUEST);
    assert_eq!(
        gate.get_with(&path, &[("authorization", &format!("Bearer {CRM_KEY}"))]).await.refusal(),
        BAD_REQUEST
    );
    assert!(gate.journal(PATH).is_empty());
    assert_eq!(gate.get_with(&path, &[("x-wxgate-key", KEY)]).await.errcode(), 0);
    let wrong = gate.get_with(&path, &[("x-wxgate-key", "wrong")]).await;
    assert_eq!(wrong.refusal(), (401, "caller_unknown", -70401));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_call_that_cannot_be_read_is_refused() {
    let gate = Gate::start().await.settled().await;
    for body in ["{", "[]", "\"x\"", "{\"appid\":7}", "appid=x"] {
        let answer = gate.post("/cgi-bin/stable_token", body).await;
        assert_eq!(answer.refusal(), (200, "bad_request", 47001), "{body}");
    }
    let long = format!("{{\"appid\":\"{}\"}}", "x".repeat(70_000));
    assert_eq!(gate.post("/cgi-bin/stable_token", long).await.refusal(), (200, "bad_request", 47001));
    assert!(gate.sandbox.journal(None).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_name_in_the_configuration_makes_a_placeholder_too_long() {
    let long = "c".repeat(64);
    let gate = with(format!("{SHOP}{}", caller(&long, &[KEY], &["shop"], ""))).await;
    let token = fetch(&gate, APPID, KEY).await;
    assert_eq!(call(&gate, &token).await.errcode(), 0);
}
