//! Secrets are planted wherever one can be, and looked for wherever an operator or a caller looks.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use wxgate::sandbox::{Action, App, AppKind, Fault, Kind, Lag, Sandbox};

use super::process::Process;
use crate::harness::{
    ADMIN_TOKEN, APPID, Answer, Gate, OTHER_APPID, OTHER_SECRET, SECRET, SHOP, SHOP_AND_GAME, Setup, caller,
    client, config, raw, sandbox,
};

const KEY: &str = "canary-key-of-orders-5d1c";
const WRONG_KEY: &str = "canary-wrong-key-e03b";
/// The secret that the configuration has in clear after a mishap.
const CLEAR_SECRET: &str = "0a1b2c3d4e5f60718293a4b5c6d7e8f9";
/// Values of a query that nobody's log should have: codes that can be cashed in, tokens, who
/// somebody is.
const VALUES: [&str; 6] = [
    "canary-js-code-91aa",
    "canary-oauth-code-17f2",
    "canary-users-token-c4d4",
    "canary-own-token-2b6e",
    "canary-refresh-token-8e1f",
    "canary-openid-30cd",
];

/// What must show up nowhere.
struct Canaries {
    planted: BTreeSet<String>,
    /// Answers made for callers, and pages for operators.
    seen: Vec<(String, String)>,
}

impl Canaries {
    fn new() -> Self {
        let plain = [SECRET, OTHER_SECRET, ADMIN_TOKEN, KEY, WRONG_KEY, CLEAR_SECRET];
        let encoded = [KEY, WRONG_KEY].map(|key| STANDARD.encode(format!("x:{key}")));
        let planted = plain.into_iter().map(str::to_owned).chain(encoded).collect();
        Self { planted, seen: Vec::new() }
    }

    fn plant(&mut self, secret: &str) {
        assert!(secret.len() > 8, "too short to be told from anything: {secret}");
        self.planted.insert(secret.to_owned());
    }

    /// What the sandbox holds and has seen used.
    fn plant_tokens(&mut self, sandbox: &Sandbox) {
        for (appid, kind) in [(APPID, Kind::Stable), (OTHER_APPID, Kind::Stable), (APPID, Kind::Classic)] {
            sandbox.token(appid, kind).iter().for_each(|token| self.plant(token));
        }
    }

    /// Notes an answer; one that hands out a placeholder does so to whom it is for, and nobody else
    /// may show it.
    fn saw(&mut self, what: impl Into<String>, answer: &Answer) {
        let issued = serde_json::from_slice::<serde_json::Value>(&answer.body).unwrap_or_default();
        if let Some(token) = issued["access_token"].as_str().filter(|token| token.starts_with("wxgate-")) {
            return self.plant(token);
        }
        let text = format!("{} {:?}\n{}", answer.status, answer.headers, answer.text());
        self.seen.push((what.into(), text));
    }

    /// Nothing planted is in any of what was seen.
    fn assert_absent(&self) {
        for (what, text) in &self.seen {
            for canary in &self.planted {
                assert!(!text.contains(canary.as_str()), "{what} shows {canary}:\n{text}");
            }
        }
    }
}

/// What it is, path and query, headers.
type Sent = (&'static str, String, Vec<(&'static str, String)>);

/// What a caller may send by mistake or malice, or as it should.
fn requests() -> Vec<Sent> {
    let bearer = |key: &str| vec![("authorization", format!("Bearer {key}"))];
    let basic = |key: &str| vec![("authorization", format!("Basic {}", STANDARD.encode(format!("x:{key}"))))];
    let [js_code, code, users, own, refresh, openid] = VALUES;
    let session = format!("appid={APPID}&secret={SECRET}&js_code={js_code}&grant_type=authorization_code");
    let login = format!("appid={APPID}&secret={SECRET}&code={code}&grant_type=authorization_code");
    vec![
        ("a call", format!("/cgi-bin/user/info?openid={openid}&access_token={own}"), bearer(KEY)),
        ("Basic", format!("/cgi-bin/user/info?openid={openid}"), basic(KEY)),
        ("its own header", "/cgi-bin/user/get".into(), vec![("x-wxgate-key", KEY.into())]),
        (
            "an explained call",
            "/cgi-bin/user/get".into(),
            [bearer(KEY), vec![("x-wxgate-explain", "1".into())]].concat(),
        ),
        ("a wrong key", "/cgi-bin/user/get".into(), bearer(WRONG_KEY)),
        ("a wrong password", "/cgi-bin/user/get".into(), basic(WRONG_KEY)),
        ("a session", format!("/sns/jscode2session?{session}"), bearer(KEY)),
        ("a login", format!("/sns/oauth2/access_token?{login}"), bearer(KEY)),
        ("a user", format!("/sns/userinfo?access_token={users}&openid={openid}"), bearer(KEY)),
        (
            "a refresh",
            format!("/sns/oauth2/refresh_token?appid={APPID}&refresh_token={refresh}"),
            bearer(KEY),
        ),
        ("a bare value", format!("/cgi-bin/user/get?{own}&{openid}"), bearer(KEY)),
        ("a bad path", format!("/cgi-bin//user/get?access_token={own}"), bearer(KEY)),
        ("no app", format!("/@nobody/cgi-bin/user/get?access_token={own}"), bearer(KEY)),
        (
            "a secret as app",
            "/cgi-bin/user/get".into(),
            [bearer(KEY), vec![("x-wxgate-app", CLEAR_SECRET.into())]].concat(),
        ),
        ("mixed-up settings", format!("/cgi-bin/token?appid={CLEAR_SECRET}&secret={APPID}"), bearer(KEY)),
        ("a wrong secret", format!("/cgi-bin/token?appid={APPID}&secret={WRONG_KEY}"), vec![]),
        ("the app secret", format!("/cgi-bin/token?appid={APPID}&secret={SECRET}"), vec![]),
        ("a guarded path", format!("/cgi-bin/clear_quota?access_token={own}"), bearer(KEY)),
        ("an issuing path", format!("/cgi-bin/gettoken?corpid=x&corpsecret={SECRET}"), bearer(KEY)),
    ]
}

/// Sends all of them, and what is no request at all.
async fn call_everything(canaries: &mut Canaries, authority: &str, when: &str) {
    let client = client();
    for (what, path, headers) in requests() {
        let request = client.get(format!("http://{authority}{path}"));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
        if let Ok(answer) = Answer::try_of(request).await {
            // WeChat's own words may name the user that the caller asked for.
            canaries.saw(format!("{when}: {what}"), &answer);
        }
    }
    let own = VALUES[3];
    let body = serde_json::json!({"appid": APPID, "secret": SECRET, "grant_type": "client_credential"});
    let call = client.post(format!("http://{authority}/cgi-bin/stable_token")).body(body.to_string());
    canaries.saw(format!("{when}: a stable call"), &Answer::of(call).await);
    let call =
        client.post(format!("http://{authority}/cgi-bin/stable_token")).body(format!("{{\"secret\":{KEY}"));
    canaries.saw(format!("{when}: a broken stable call"), &Answer::of(call).await);
    let call = client
        .post(format!("http://{authority}/wxa/anything?access_token={own}"))
        .bearer_auth(KEY)
        .body("{}");
    canaries.saw(format!("{when}: a post"), &Answer::of(call).await);
    for (what, bytes) in [
        ("no HTTP", format!("{KEY} {SECRET}\r\n\r\n")),
        (
            "a bad header",
            format!("GET / HTTP/1.1\r\nHost: x\r\n{KEY}\r\nAuthorization: Bearer {KEY}\r\n\r\n"),
        ),
        (
            "two lengths",
            format!(
                "POST /?access_token={own} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx"
            ),
        ),
        (
            "a whole URL",
            format!(
                "GET http://x:{KEY}@localhost/cgi-bin/user/get?access_token={own} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\nConnection: close\r\n\r\n"
            ),
        ),
        (
            "no Host",
            format!(
                "GET /cgi-bin/user/get?access_token={own} HTTP/1.1\r\nAuthorization: Bearer {KEY}\r\nConnection: close\r\n\r\n"
            ),
        ),
        ("a long target", format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", KEY.repeat(3000))),
    ] {
        canaries.saw(format!("{when}: {what}"), &raw(authority, bytes.as_bytes()).await);
    }
}

/// Gets a placeholder, uses it, and damages it.
async fn use_placeholder(canaries: &mut Canaries, authority: &str, secret: &str) {
    let client = client();
    let path = format!("/cgi-bin/token?appid={APPID}&secret={secret}");
    let issued = Answer::of(client.get(format!("http://{authority}{path}"))).await.json();
    let token = issued["access_token"].as_str().expect("a placeholder").to_owned();
    canaries.plant(&token);
    canaries.plant(&token[..token.len() - 6]);
    for path in [
        format!("/cgi-bin/user/get?access_token={token}"),
        format!("/cgi-bin/user/get?access_token={}", &token[..token.len() - 6]),
        format!("/sns/userinfo?access_token={token}&openid=o"),
        format!("/@nobody/cgi-bin/user/get?access_token={token}"),
        format!("/cgi-bin/user/get?{token}"),
    ] {
        canaries.saw("a placeholder", &Answer::of(client.get(format!("http://{authority}{path}"))).await);
    }
}

/// Reads all that the admin address shows, and asks for what it does.
async fn look_at_admin(canaries: &mut Canaries, admin: &str, when: &str) {
    let client = client();
    let paths = [
        "/",
        "/healthz",
        "/readyz",
        "/readyz?all",
        "/readyz?app=shop",
        "/metrics",
        "/api/v1/status",
        "/api/v1/figures",
        "/api/v1/refusals?range=month",
        "/api/v1/explain?path=/cgi-bin/user/info",
        "/api/v1/audit",
        "/nothing",
    ];
    for path in paths {
        let request = client.get(format!("http://{admin}{path}"));
        canaries.saw(format!("{when}: admin {path}"), &Answer::of(request).await);
    }
    for (path, token) in [
        ("/api/v1/apps/shop/refresh", ADMIN_TOKEN),
        ("/api/v1/apps/shop/refresh?force=true", ADMIN_TOKEN),
        ("/api/v1/reload", ADMIN_TOKEN),
        ("/api/v1/reload", WRONG_KEY),
        ("/metrics", WRONG_KEY),
    ] {
        let request = client.post(format!("http://{admin}{path}")).bearer_auth(token);
        canaries.saw(format!("{when}: admin POST {path}"), &Answer::of(request).await);
        let request = client.get(format!("http://{admin}/api/v1/status")).bearer_auth(token);
        canaries.saw(format!("{when}: admin with a token"), &Answer::of(request).await);
    }
}

/// What goes wrong at WeChat, one after the other; last, WeChat is gone.
async fn misfortunes(canaries: &mut Canaries, sandbox: &Sandbox, authority: &str, admin: &str) {
    let echo = format!("invalid secret {SECRET} for {APPID}");
    type Mishap<'m> = (&'static str, Box<dyn Fn(&Sandbox) + 'm>);
    let mishaps: Vec<Mishap<'_>> = vec![
        ("all is well", Box::new(|_| {})),
        ("rotated", Box::new(|sandbox| assert!(sandbox.rotate(APPID) > 0))),
        ("poisoned", Box::new(|sandbox| assert!(sandbox.poison(APPID) > 0))),
        ("lagging", Box::new(|sandbox| sandbox.lag(Lag { milliseconds: Some(200), ..Lag::default() }))),
        (
            "reset",
            Box::new(|sandbox| {
                sandbox.fault(Fault::new(Action::Reset { when: Default::default() }).path("/cgi-bin/user/*"));
            }),
        ),
        (
            "cut",
            Box::new(|sandbox| {
                sandbox.fault(Fault::new(Action::Cut { bytes: 5 }).path("/cgi-bin/user/*"));
            }),
        ),
        (
            "token endpoint echoes the secret",
            Box::new(|sandbox| {
                sandbox.rotate(APPID);
                let action = Action::Errcode { errcode: 40125, errmsg: Some(echo.clone()) };
                sandbox.fault(Fault::new(action).path("/cgi-bin/stable_token"));
            }),
        ),
        (
            "token endpoint answers a page",
            Box::new(|sandbox| {
                sandbox.rotate(APPID);
                sandbox.fault(Fault::new(Action::Html { status: 502 }).path("/cgi-bin/stable_token"));
            }),
        ),
        (
            "token endpoint answers text with 200",
            Box::new(|sandbox| {
                sandbox.rotate(APPID);
                sandbox.fault(Fault::new(Action::Html { status: 200 }).path("/cgi-bin/stable_token"));
            }),
        ),
        (
            "the secret is wrong",
            Box::new(|sandbox| {
                sandbox.rotate(APPID);
                sandbox.put(App::new(APPID, "another", AppKind::OfficialAccount));
            }),
        ),
    ];
    for (when, strike) in mishaps {
        canaries.plant_tokens(sandbox);
        strike(sandbox);
        canaries.plant_tokens(sandbox);
        call_everything(canaries, authority, when).await;
        look_at_admin(canaries, admin, when).await;
        canaries.plant_tokens(sandbox);
        for entry in sandbox.journal(Some("/cgi-bin/user/*")) {
            entry.access_token.iter().for_each(|token| canaries.plant(token));
        }
        sandbox.end_faults();
        sandbox.end_lag();
    }
    sandbox.stop().await;
    call_everything(canaries, authority, "WeChat is gone").await;
    look_at_admin(canaries, admin, "WeChat is gone").await;
}

/// WeChat hands back the openid that it was asked about, which is no secret from who asked.
fn plant_values(canaries: &mut Canaries) {
    VALUES.iter().for_each(|value| canaries.plant(value));
}

fn with_callers(anonymous: bool) -> Setup {
    let mut setup = Setup {
        apps: format!(
            "{}{}",
            SHOP_AND_GAME.replacen("[[app]]", "[[app]]\ndefault = true", 1),
            caller("orders", &[KEY], &["shop", "game"], "")
        ),
        ..Setup::default()
    };
    if anonymous {
        setup.apps = SHOP.into();
    }
    setup
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_page_or_access_line_shows_a_secret() {
    for anonymous in [false, true] {
        let gate = Gate::with(with_callers(anonymous)).await.settled().await;
        let mut canaries = Canaries::new();
        canaries.plant_tokens(&gate.sandbox);
        let admin = gate.running.admin_address().expect("an address").to_string();
        use_placeholder(&mut canaries, &gate.authority(), if anonymous { SECRET } else { KEY }).await;
        misfortunes(&mut canaries, &gate.sandbox, &gate.authority(), &admin).await;
        canaries.assert_absent();
        plant_values(&mut canaries);
        let log = gate.log.clone();
        canaries.seen.clear();
        canaries.seen.push(("the proxy's Debug".into(), format!("{:?}", gate.running)));
        let lines = gate.end().await;
        assert!(lines.len() > 200, "{}", lines.len());
        canaries.seen.push(("the access log".into(), log.text()));
        canaries.assert_absent();
    }
}

fn file(upstream: &str, more: &str, apps: &str) -> String {
    format!(
        "[log]\nlevel = \"trace\"\nformat = \"json\"\n\
         [server]\nlisten = [\"127.0.0.1:0\"]\nworkers = 2\n\
         [admin]\nlisten = \"127.0.0.1:0\"\ntoken = {{ env = \"ADMIN_TOKEN\" }}\n\
         [upstream]\nbase_urls = [\"{upstream}\"]\nconnect_timeout = \"500ms\"\n{more}\n{apps}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_logs_no_secret_at_any_level() {
    let sandbox = sandbox();
    let setup = with_callers(false);
    let good = file(&sandbox.url(), "", &setup.apps);
    let process = Process::serve(&good).await;
    let mut canaries = Canaries::new();
    let client = client();
    loop {
        let ready = client.get(format!("http://{}/readyz?all", process.admin));
        if Answer::of(ready).await.status == 200 {
            break;
        }
    }
    use_placeholder(&mut canaries, &process.authority, KEY).await;
    // Files that are refused, with secrets in the wrong places.
    for bad in [
        format!("{good}\n[server]\nkey = \"{CLEAR_SECRET}\"\n"),
        good.replace("{ env = \"SHOP_SECRET\" }", &format!("\"{CLEAR_SECRET}")),
        good.replace("{ env = \"SHOP_SECRET\" }", &format!("{{ evn = \"{CLEAR_SECRET}\" }}")),
        good.replace("{ env = \"SHOP_SECRET\" }", &format!("{{ env = \"{CLEAR_SECRET}\" }}")),
        good.replace("{ env = \"SHOP_SECRET\" }", &format!("{{ file = \"{CLEAR_SECRET}\" }}")),
        good.replace("name = \"shop\"", &format!("name = \"shop\"\n{CLEAR_SECRET} = 1")),
        good.replace("apps = [\"shop\", \"game\"]", &format!("apps = [\"{CLEAR_SECRET}\"]")),
        good.replacen("key_sha256 = [", &format!("key_sha256 = [\"{KEY}\", "), 1),
        // In clear is allowed, with a warning.
        good.replace("{ env = \"SHOP_SECRET\" }", &format!("\"{CLEAR_SECRET}\"")),
        good.clone(),
    ] {
        assert!(bad == good || bad.contains(CLEAR_SECRET) || bad.contains(KEY));
        std::fs::write(process.config(), bad).expect("written");
        let reload = client.post(format!("http://{}/api/v1/reload", process.admin)).bearer_auth(ADMIN_TOKEN);
        canaries.saw("a reload", &Answer::of(reload).await);
    }
    misfortunes(&mut canaries, &sandbox, &process.authority, &process.admin).await;
    canaries.assert_absent();
    plant_values(&mut canaries);
    let output = process.end().await;
    for expected in ["\"kind\":\"access\"", "\"level\":\"DEBUG\"", "\"level\":\"ERROR\"", "stopped"] {
        assert!(output.contains(expected), "{expected} is not in\n{output}");
    }
    canaries.seen = vec![("the output".into(), output)];
    canaries.assert_absent();
}

#[tokio::test(flavor = "multi_thread")]
async fn failing_token_calls_of_every_kind_log_no_secret() {
    let classic = SHOP.replace("default = true", "token_mode = \"classic\"\ndefault = true");
    let unshared = "[token]\nallow_unshared = true\nfetch_timeout = \"500ms\"\n";
    // A port that takes connections and speaks no TLS, and one that takes none.
    let deaf = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let deaf_port = deaf.local_addr().expect("bound").port();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let closed_port = closed.local_addr().expect("bound").port();
    drop(closed);
    #[expect(clippy::disallowed_methods, reason = "aborted below")]
    let answering = tokio::spawn(async move {
        while let Ok((mut stream, _)) = deaf.accept().await {
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).await.unwrap_or(0);
            let is_token_call = memchr::memmem::find(&request[..length], b"token HTTP/1.1").is_some()
                || memchr::memmem::find(&request[..length], b"/cgi-bin/token?").is_some();
            let text = if is_token_call { SECRET } else { "no secret" };
            let answer = format!("HTTP/1.1 200 OK\r\n\r\nyou said: {text}");
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    for upstream in [
        format!("https://127.0.0.1:{deaf_port}"),
        format!("http://127.0.0.1:{deaf_port}"),
        format!("http://127.0.0.1:{closed_port}"),
        "http://no-such-host.invalid".to_owned(),
    ] {
        for apps in [SHOP, &classic] {
            let process = Process::serve(&file(&upstream, unshared, apps)).await;
            let mut canaries = Canaries::new();
            call_everything(&mut canaries, &process.authority, &upstream).await;
            look_at_admin(&mut canaries, &process.admin, &upstream).await;
            let calls = canaries.seen.iter().filter(|(what, _)| what.ends_with(": a call"));
            assert!(
                calls.clone().all(|(_, text)| text.contains("token_unavailable")),
                "{:?}",
                calls.collect::<Vec<_>>()
            );
            plant_values(&mut canaries);
            canaries.seen.push((format!("{upstream}: the output"), process.end().await));
            canaries.assert_absent();
        }
    }
    answering.abort();
}

#[test]
fn what_is_configured_prints_no_secret() {
    let mut canaries = Canaries::new();
    for setup in [with_callers(false), with_callers(true)] {
        let config = config(&setup, "http://127.0.0.1:1");
        for (what, text) in [
            ("Config", format!("{config:?} {config:#?}")),
            ("pipeline::Options", format!("{:?}", config.pipeline)),
            ("AdminConfig", format!("{:?}", config.admin)),
            ("upstream::Options", format!("{:?}", config.upstreams)),
        ] {
            assert!(text.len() > 50, "{text}");
            canaries.seen.push((what.into(), text));
        }
    }
    canaries.assert_absent();
}
