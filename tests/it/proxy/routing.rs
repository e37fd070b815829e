//! Which app a request is for, and which pages of the web are kept out.

use wxgate::sandbox::Kind;

use crate::harness::{
    APPID, Answer, Gate, OTHER_APPID, OTHER_SECRET, SECRET, SHOP, SHOP_AND_GAME, Setup, caller,
};

const APP_UNKNOWN: (u16, &str, i64) = (400, "app_unknown", -70400);
const BAD_REQUEST: (u16, &str, i64) = (400, "bad_request", -70400);
const CALLER_FORBIDDEN: (u16, &str, i64) = (403, "caller_forbidden", -70403);

const PATH: &str = "/cgi-bin/user/get";

async fn two_apps() -> Gate {
    Gate::with(Setup { apps: SHOP_AND_GAME.into(), ..Setup::default() }).await.settled().await
}

/// The placeholder that an SDK gets for an account.
async fn placeholder(gate: &Gate, appid: &str, secret: &str) -> String {
    let path = format!("/cgi-bin/token?grant_type=client_credential&appid={appid}&secret={secret}");
    gate.get(&path).await.json()["access_token"].as_str().expect("a placeholder").to_owned()
}

/// Calls, and gives the account whose token WeChat saw; the prefix must be gone by then.
async fn account(gate: &Gate, path: &str, headers: &[(&str, &str)]) -> &'static str {
    let answer = gate.get_with(path, headers).await;
    assert_eq!((answer.status, answer.errcode()), (200, 0), "{path} {headers:?}: {}", answer.text());
    let entry = gate.only(PATH);
    assert_eq!(entry.query, format!("access_token={}", entry.access_token.as_deref().unwrap_or("none")));
    gate.sandbox.reset();
    [(APPID, "shop"), (OTHER_APPID, "game")]
        .into_iter()
        .find(|(appid, _)| gate.sandbox.token(appid, Kind::Stable) == entry.access_token)
        .map_or("nobody", |(_, name)| name)
}

#[tokio::test(flavor = "multi_thread")]
async fn prefix_header_placeholder_and_host_each_name_the_app() {
    let gate = two_apps().await;
    for (name, appid, secret) in [("shop", APPID, SECRET), ("game", OTHER_APPID, OTHER_SECRET)] {
        assert_eq!(account(&gate, &format!("/@{name}{PATH}"), &[]).await, name);
        assert_eq!(account(&gate, &format!("/@{appid}{PATH}"), &[]).await, name);
        assert_eq!(account(&gate, PATH, &[("X-Wxgate-App", name)]).await, name);
        assert_eq!(account(&gate, PATH, &[("x-wxgate-app", appid)]).await, name);
        let token = placeholder(&gate, appid, secret).await;
        assert_eq!(account(&gate, &format!("{PATH}?access_token={token}"), &[]).await, name);
    }
    for host in ["game.internal", "GAME.internal", "game.internal:8080"] {
        assert_eq!(account(&gate, PATH, &[("host", host)]).await, "game", "{host}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_served_with_a_token_of_its_own() {
    const ORDER: &str = "/channels/ec/order/get";
    let apps = SHOP_AND_GAME.replacen("\"mini_program\"", "\"store\"", 1);
    let gate = Gate::with(Setup { apps, ..Setup::default() }).await.settled().await;
    let answer = gate.post(&format!("/@game{ORDER}"), r#"{"order_id":"1"}"#).await;
    assert_eq!((answer.status, answer.errcode()), (200, 0), "{}", answer.text());
    let token = gate.sandbox.token(OTHER_APPID, Kind::Stable);
    assert!(token.is_some());
    assert_eq!(gate.only(ORDER).access_token, token);
    // An SDK that fetches first gets a placeholder.
    let token = placeholder(&gate, OTHER_APPID, OTHER_SECRET).await;
    let answer = gate.post(&format!("{ORDER}?access_token={token}"), "{}").await;
    assert_eq!((answer.status, answer.errcode()), (200, 0), "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_name_the_default_app_is_meant_or_none() {
    let gate = two_apps().await;
    let answer = gate.get_with(PATH, &[]).await;
    assert_eq!(answer.refusal(), APP_UNKNOWN, "{}", answer.text());
    assert!(gate.journal(PATH).is_empty());
    gate.reload("", &SHOP_AND_GAME.replacen("hosts", "default = true\nhosts", 1)).await;
    assert_eq!(account(&gate, PATH, &[]).await, "game");
    // What claims a name of its own still goes before the default.
    assert_eq!(account(&gate, &format!("/@shop{PATH}"), &[]).await, "shop");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_disagree_are_refused_and_those_that_agree_are_not() {
    let gate = two_apps().await;
    let shops = placeholder(&gate, APPID, SECRET).await;
    let games = placeholder(&gate, OTHER_APPID, OTHER_SECRET).await;
    for (path, headers) in [
        (format!("/@shop{PATH}"), &[("x-wxgate-app", "game")][..]),
        (format!("/@{APPID}{PATH}"), &[("x-wxgate-app", OTHER_APPID)]),
        (format!("/@shop{PATH}?access_token={games}"), &[]),
        (format!("{PATH}?access_token={games}"), &[("x-wxgate-app", "shop")]),
        (format!("/@game{PATH}?x=1&access%5Ftoken={shops}"), &[("x-wxgate-app", "game")]),
        (PATH.to_owned(), &[("x-wxgate-app", "shop"), ("x-wxgate-app", "game")]),
        (PATH.to_owned(), &[("x-wxgate-app", "shop"), ("x-wxgate-app", "shop")]),
        (format!("/@shop/cgi-bin/token?appid={OTHER_APPID}&secret=x"), &[]),
        (format!("/cgi-bin/token?appid={OTHER_APPID}&secret=x"), &[("x-wxgate-app", "shop")]),
    ] {
        let answer = gate.get_with(&path, headers).await;
        let refused = if path.contains("/token?") { (200, "bad_request", 40013) } else { BAD_REQUEST };
        assert_eq!(answer.refusal(), refused, "{path} {headers:?}: {}", answer.text());
    }
    assert!(gate.journal(PATH).is_empty());
    let agreeing = format!("/@shop{PATH}?access_token={shops}");
    // A Host is the weakest name: whatever it says, it doesn't disagree.
    let headers = [("x-wxgate-app", APPID), ("host", "game.internal")];
    assert_eq!(account(&gate, &agreeing, &headers).await, "shop");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_nobodys_never_falls_through() {
    let named: [(&str, &[(&str, &str)]); 7] = [
        ("/@nobody/cgi-bin/user/get", &[]),
        ("/@/cgi-bin/user/get", &[]),
        ("/@shop.x/cgi-bin/user/get", &[]),
        ("/@SHOP/cgi-bin/user/get", &[]),
        ("/cgi-bin/user/get", &[("x-wxgate-app", "nobody")]),
        ("/cgi-bin/user/get", &[("x-wxgate-app", "")]),
        ("/@shop/cgi-bin/user/get", &[("x-wxgate-app", "nobody")]),
    ];
    let gate = Gate::start().await.settled().await;
    for (path, headers) in named {
        let answer = gate.get_with(path, headers).await;
        assert_eq!(answer.refusal(), APP_UNKNOWN, "{path} {headers:?}: {}", answer.text());
    }
    let answer = gate.get("/cgi-bin/token?appid=wx00000000000000ff&secret=x").await;
    assert_eq!(answer.refusal(), (200, "app_unknown", 40013), "{}", answer.text());

    gate.reload("", &format!("{SHOP}{}", caller("orders", &["the-key-of-orders"], &["shop"], ""))).await;
    let key = ("x-wxgate-key", "the-key-of-orders");
    for (path, headers) in named {
        let headers: Vec<_> = headers.iter().copied().chain([key]).collect();
        let answer = gate.get_with(path, &headers).await;
        assert_eq!(answer.refusal(), CALLER_FORBIDDEN, "{path} {headers:?}: {}", answer.text());
    }
    assert!(gate.sandbox.journal(None).is_empty());
    assert_eq!(gate.get_with(PATH, &[key]).await.errcode(), 0, "the caller's only app");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_cannot_tell_an_app_that_is_not_its_own_from_one_that_does_not_exist() {
    let callers = caller("orders", &["the-key-of-orders"], &["shop"], "");
    let setup = Setup { apps: format!("{SHOP_AND_GAME}{callers}"), ..Setup::default() };
    let gate = Gate::with(setup).await.settled().await;
    let key = ("x-wxgate-key", "the-key-of-orders");
    for (others, nobodys, refused) in [
        ("/@game/cgi-bin/user/get".to_owned(), "/@none/cgi-bin/user/get".to_owned(), CALLER_FORBIDDEN),
        (
            format!("/cgi-bin/token?appid={OTHER_APPID}&secret=the-key-of-orders"),
            "/cgi-bin/token?appid=wx00000000000000ff&secret=the-key-of-orders".to_owned(),
            (200, "caller_forbidden", 40013),
        ),
    ] {
        let (others, nobodys) = (gate.get_with(&others, &[key]).await, gate.get_with(&nobodys, &[key]).await);
        assert_eq!(others.refusal(), refused);
        // But for the name, which is the caller's own word.
        let text = others.text().replace("game", "none").replace(OTHER_APPID, "wx00000000000000ff");
        assert_eq!((others.status, text), (nobodys.status, nobodys.text()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_host_falls_through_to_the_callers_only_app_then_to_the_default() {
    let apps = SHOP_AND_GAME.replacen("hosts", "default = true\nhosts", 1);
    let callers = [
        caller("orders", &["the-key-of-orders"], &["shop"], ""),
        caller("both", &["the-key-of-both"], &["shop", "game"], ""),
    ]
    .concat();
    let gate = Gate::with(Setup { apps: [apps, callers].concat(), ..Setup::default() }).await.settled().await;
    let (orders, both) = (("x-wxgate-key", "the-key-of-orders"), ("x-wxgate-key", "the-key-of-both"));
    let foreign = ("host", "wxgate.svc.cluster.local:8080");
    assert_eq!(account(&gate, PATH, &[orders, foreign]).await, "shop");
    assert_eq!(account(&gate, PATH, &[both, foreign]).await, "game");
    assert_eq!(account(&gate, PATH, &[both]).await, "game");
    // The host that the game claims goes before the caller's only app.
    let answer = gate.get_with(PATH, &[orders, ("host", "game.internal")]).await;
    assert_eq!(answer.refusal(), CALLER_FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_anonymous_listener_keeps_web_pages_out() {
    let gate = two_apps().await;
    let path = format!("/@shop{PATH}");
    let token_call = format!("/@shop/cgi-bin/token?appid={APPID}&secret=x");
    let own = gate.authority();
    let refused = [
        ("origin", "http://evil.example"),
        ("origin", "null"),
        ("origin", "http://127.0.0.1"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("sec-fetch-site", "same-origin"),
        ("sec-fetch-site", "none"),
        ("host", "evil.example"),
        ("host", "evil.example:80"),
        ("host", "127.0.0.1.evil.example"),
        ("host", "localhost.evil.example"),
        ("host", "weixin.qq.com.evil.example"),
        ("host", "192.168.1.7"),
        ("host", ""),
    ];
    for header in refused {
        for (path, refused) in [(&path, CALLER_FORBIDDEN), (&token_call, (200, "caller_forbidden", 48001))] {
            let answer = gate.get_with(path, &[header]).await;
            assert_eq!(answer.refusal(), refused, "{path} {header:?}: {}", answer.text());
        }
    }
    assert!(gate.sandbox.journal(None).is_empty());
    for header in [
        ("sec-fetch-mode", "cors"),
        ("host", "localhost"),
        ("host", "LocalHost:8080"),
        ("host", "127.4.5.6"),
        ("host", "[::1]:8080"),
        ("host", "game.internal"),
        ("host", "api.weixin.qq.com"),
        ("host", "sh.api.weixin.qq.com:443"),
        ("host", own.as_str()),
    ] {
        assert_eq!(account(&gate, &path, &[header]).await, "shop", "{header:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_in_server_hosts_is_known_from_a_reload_on_and_names_no_app() {
    let gate = two_apps().await;
    let path = format!("/@shop{PATH}");
    let (own, foreign) = (("host", "wxgate.prod.svc.cluster.local:8080"), ("host", "prod.svc.cluster.local"));
    let answer = gate.get_with(&path, &[own]).await;
    assert_eq!(answer.refusal(), CALLER_FORBIDDEN);
    assert!(answer.text().contains("server.hosts"), "{}", answer.text());
    gate.reload("hosts = [\"Wxgate.prod.svc.cluster.local.\"]", SHOP_AND_GAME).await;
    assert_eq!(account(&gate, &path, &[own]).await, "shop");
    assert_eq!(gate.get_with(PATH, &[own]).await.refusal(), APP_UNKNOWN);
    assert_eq!(gate.get_with(&path, &[foreign]).await.refusal(), CALLER_FORBIDDEN);
    assert!(gate.journal(PATH).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn web_pages_are_no_matter_where_a_key_is_shown() {
    let callers = caller("orders", &["the-key-of-orders"], &["shop"], "");
    for server in ["", "anonymous = true"] {
        let setup = Setup { server: server.into(), apps: format!("{SHOP}{callers}"), ..Setup::default() };
        let gate = Gate::with(setup).await.settled().await;
        let key = ("x-wxgate-key", "the-key-of-orders");
        let page =
            [("origin", "http://shop.example"), ("sec-fetch-site", "cross-site"), ("host", "wx.example")];
        let headers: Vec<_> = page.into_iter().chain([key]).collect();
        assert_eq!(account(&gate, PATH, &headers).await, "shop");
        for header in page {
            let answer = gate.get_with(PATH, &[header]).await;
            let expected = if server.is_empty() { (401, "caller_unknown", -70401) } else { CALLER_FORBIDDEN };
            assert_eq!(answer.refusal(), expected, "{header:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unix_socket_takes_any_host() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("wxgate.sock");
    let setup = Setup { listen: format!("unix:{}", path.display()), ..Setup::default() };
    let gate = Gate::with(setup).await.settled().await;
    let client = reqwest::Client::builder()
        .no_proxy()
        .unix_socket(path)
        .tls_backend_preconfigured(wxgate::upstream::tls::client_config(None).expect("roots"))
        .build()
        .expect("a client");
    let answer = Answer::of(client.get(format!("http://anything.example{PATH}"))).await;
    assert_eq!((answer.status, answer.errcode()), (200, 0), "{}", answer.text());
    let page = client.get(format!("http://anything.example{PATH}")).header("origin", "http://x.example");
    assert_eq!(Answer::of(page).await.refusal(), CALLER_FORBIDDEN);
    assert_eq!(gate.journal(PATH).len(), 1);
}

/// As on WeChat Cloud Run: the parameter is for the proxy and goes no further.
#[tokio::test(flavor = "multi_thread")]
async fn from_appid_names_the_app_and_does_not_reach_wechat() {
    let gate = two_apps().await;
    for (name, appid) in [("shop", APPID), ("game", OTHER_APPID)] {
        assert_eq!(account(&gate, &format!("{PATH}?from_appid={appid}"), &[]).await, name);
        assert_eq!(account(&gate, &format!("{PATH}?%66rom_appid={name}&from_appid={name}"), &[]).await, name);
        assert_eq!(account(&gate, &format!("/@{name}{PATH}?from_appid={appid}"), &[]).await, name);
    }
    let query = format!("a=%61+&&from_appid={OTHER_APPID}&access_token=mine&b");
    assert_eq!(gate.get(&format!("{PATH}?{query}")).await.errcode(), 0);
    let token = gate.token(OTHER_APPID);
    assert_eq!(gate.only(PATH).query, format!("a=%61+&&access_token={token}&b"));
    gate.sandbox.reset();
    // Not a byte of a user's call is touched but for this.
    let user = "/sns/userinfo?access_token=%75ser&openid=o";
    gate.get(&format!("{user}&from_appid={APPID}")).await;
    assert_eq!(gate.only("/sns/userinfo").query, "access_token=%75ser&openid=o");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_from_appid_that_names_no_app_or_another_one_is_refused() {
    let apps = SHOP_AND_GAME.replacen("hosts", "default = true\nhosts", 1);
    let gate = Gate::with(Setup { apps, ..Setup::default() }).await.settled().await;
    for (path, refusal) in [
        (format!("{PATH}?from_appid=wx0000000000000009"), APP_UNKNOWN),
        (format!("{PATH}?from_appid="), APP_UNKNOWN),
        (format!("/@shop{PATH}?from_appid=game"), BAD_REQUEST),
        (format!("{PATH}?from_appid=shop&from_appid=game"), BAD_REQUEST),
        (
            format!("/cgi-bin/token?grant_type=client_credential&appid={APPID}&from_appid=game"),
            (200, "bad_request", 40013),
        ),
    ] {
        let answer = gate.get_with(&path, &[]).await;
        assert_eq!(answer.refusal(), refusal, "{path}: {}", answer.text());
    }
    let game = placeholder(&gate, OTHER_APPID, OTHER_SECRET).await;
    let answer = gate.get_with(&format!("{PATH}?access_token={game}&from_appid=shop"), &[]).await;
    assert_eq!(answer.refusal(), BAD_REQUEST);
    assert!(gate.journal(PATH).is_empty());
}
