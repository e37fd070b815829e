//! Every kind of secret that wxgate knows is in use at once, and none is in anything that it
//! writes.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::time::timeout;
use wxgate::config::Config;
use wxgate::observe::clock::{Clock, Timestamp};
use wxgate::sandbox::{Action, App, AppKind, Authorizer, Fault, Kind, Options, Sandbox};
use wxgate::secret::Secret;
use wxgate::store::{Record, Store};

use crate::client::client;
use crate::lifecycle::process::Process;
use crate::redis_server::RedisServer;
use crate::until::{LOST, until};

const SHOP: &str = "wx0000000000000001";
const GAME: &str = "wx0000000000000002";
const PLATFORM: &str = "wxc000000000000001";
const ACCOUNT: &str = "wxa000000000000001";

/// Those that are configured or sent; what the sandbox hands out comes on top.
const PLANTED: &[(&str, &str)] = &[
    ("SHOP_SECRET", "canary0shop0secret0e1a7q3x7k2m9p4t6"),
    ("GAME_SECRET", "canary0game0secret0e2b8q3x7k2m9p4t6"),
    ("PLATFORM_SECRET", "canary0platform0secret0e3c9q3x7k2m9p4t6"),
    ("PROVIDER_SECRET", "canary0provider0secret0e4d0q3x7k2m9p4t6"),
    ("WORK_SECRET", "canary0work0secret0e5e1q3x7k2m9p4t6"),
    ("ADMIN_TOKEN", "canary0admin0token0e6f2q3x7k2m9p4t6"),
    ("SEAL_KEY", "Y2FuYXJ5MHNlYWwwa2V5MGU3ZzMwMDAwMDAwMDAwMDA="),
    ("FORMER_SEAL_KEY", "Y2FuYXJ5MGZvcm1lcjBrZXkwZThoNDAwMDAwMDAwMDA="),
    ("REDIS_PASSWORD", "canary0redis0password0e9i5q3x7k2m9p4t6"),
    ("EGRESS_PASSWORD", "canary0egress0password0f0j6q3x7k2m9p4t6"),
    ("ROBOT_URL", "http://127.0.0.1:9/send?key=canary0robot0key0f1k7q3x7k2m9p4t6"),
    ("ROBOT_SECRET", "canary0robot0secret0f2l8q3x7k2m9p4t6"),
    ("CALLBACK_TOKEN", "canary0callback0token0f3m9q3x7k2m9p4t6"),
    ("CALLBACK_AES_KEY", "canary0callback0aes0key0f4n0000000000000000"),
    ("REFRESH_TOKEN", "refreshtoken@@@canary0refresh0token0f5o1q3x7k2m9p4t6"),
    ("TICKET", "ticket@@@canary0ticket0f6p2q3x7k2m9p4t6"),
    ("API_KEY", "canary0api0key0f7q3q3x7k2m9p4t6"),
    ("WRONG_KEY", "canary0wrong0key0f8r4q3x7k2m9p4t6"),
    ("USERS_TOKEN", "canary0users0token0f9s5q3x7k2m9p4t6"),
    ("JS_CODE", "canary0js0code0g0t6q3x7k2m9p4t6"),
    ("OWN_TOKEN", "canary0own0token0g1u7q3x7k2m9p4t6"),
    ("CLEAR_SECRET", "0c1a2b3c4d5e6f708192a3b4c5d6e7f8"),
];

fn canary(name: &str) -> &'static str {
    PLANTED.iter().find(|(known, _)| *known == name).expect("planted").1
}

/// An HTTP proxy that demands its password, and tells how often it got it.
async fn egress() -> (u16, Arc<AtomicUsize>) {
    use base64::Engine as _;
    let login = format!("user:{}", canary("EGRESS_PASSWORD"));
    let login = format!("basic {}", base64::engine::general_purpose::STANDARD.encode(login));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let count: Arc<AtomicUsize> = Arc::default();
    let counts = Arc::clone(&count);
    #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (login, counts) = (login.clone(), Arc::clone(&counts));
            #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let Ok(byte) = stream.read_u8().await else { return };
                    head.push(byte);
                }
                let head = String::from_utf8_lossy(&head).into_owned();
                assert!(head.to_ascii_lowercase().contains(&login.to_ascii_lowercase()), "{head}");
                counts.fetch_add(1, Ordering::Relaxed);
                let address = head.split(' ').nth(1).unwrap_or_default().to_owned();
                let Ok(mut upstream) = TcpStream::connect(address).await else { return };
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
                let _ = copy_bidirectional(&mut stream, &mut upstream).await;
            });
        }
    });
    (port, count)
}

fn sandbox() -> Sandbox {
    let apps = vec![
        App::new(SHOP, canary("SHOP_SECRET"), AppKind::OfficialAccount),
        App::new(GAME, canary("GAME_SECRET"), AppKind::MiniProgram),
        App::new(PLATFORM, canary("PLATFORM_SECRET"), AppKind::Component),
    ];
    let authorizers = vec![Authorizer::new(PLATFORM, ACCOUNT, canary("REFRESH_TOKEN"))];
    Sandbox::start(Options { apps, authorizers, ..Options::default() }).expect("the sandbox starts")
}

fn configuration(sandbox: &Sandbox, folder: &Path, store: &str, egress: u16) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, canary("API_KEY").as_bytes());
    let key: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let env = |name: &str| format!("{{ env = \"{name}\" }}");
    let (url, folder) = (sandbox.url(), folder.display());
    format!(
        "[log]\nlevel = \"trace\"\nformat = \"json\"\n\
         [server]\nlisten = [\"127.0.0.1:0\", \"unix:{folder}/wxgate.sock\"]\nworkers = 2\n\
         [server.tls]\ncert = \"{folder}/cert.pem\"\nkey = \"{folder}/key.pem\"\n\
         [admin]\nlisten = \"127.0.0.1:0\"\ntoken = {}\n[callback]\nlisten = [\"127.0.0.1:0\"]\n\
         [upstream]\nbase_urls = [\"{url}\"]\n\
         [store]\n{store}\nseal_key = {}\nformer_seal_key = {}\n\
         [[app]]\nname = \"shop\"\nappid = \"{SHOP}\"\nsecret = {}\ndefault = true\njssdk_hosts = [\"shop.example\"]\n\
         [[app]]\nname = \"game\"\nappid = \"{GAME}\"\nkind = \"mini_program\"\nsecret = {}\n\
         [app.upstream]\negress_proxy = \"http://user@127.0.0.1:{egress}\"\negress_password = {}\n\
         [[app]]\nname = \"mall\"\nappid = \"{PLATFORM}\"\nkind = \"component\"\nsecret = {}\n\
         callback_token = {}\ncallback_aes_key = {}\n\
         [[app]]\nname = \"work\"\nappid = \"ww0000000000000001\"\nkind = \"wecom\"\nsecret = {}\nprovider_secret = {}\n\
         [[caller]]\nname = \"orders\"\nkey_sha256 = \"{key}\"\napps = [\"shop\", \"game\", \"mall\", \"work\"]\nlease_token = true\n\
         [[alert]]\nkind = \"dingtalk\"\nurl = {}\nsecret = {}\n",
        env("ADMIN_TOKEN"),
        env("SEAL_KEY"),
        env("FORMER_SEAL_KEY"),
        env("SHOP_SECRET"),
        env("GAME_SECRET"),
        env("EGRESS_PASSWORD"),
        env("PLATFORM_SECRET"),
        env("CALLBACK_TOKEN"),
        env("CALLBACK_AES_KEY"),
        env("WORK_SECRET"),
        env("PROVIDER_SECRET"),
        env("ROBOT_URL"),
        env("ROBOT_SECRET"),
    )
}

/// What must show up nowhere, by name; and what was written, by where.
struct Canaries {
    planted: BTreeMap<String, String>,
    seen: Vec<(String, Vec<u8>)>,
}

impl Canaries {
    fn new(tls_key: &str) -> Self {
        let planted = PLANTED.iter().map(|(name, canary)| ((*name).to_owned(), (*canary).to_owned()));
        let mut planted: BTreeMap<_, _> = planted.collect();
        // The robot's key is what is secret of its address.
        planted.insert("ROBOT_URL".into(), "canary0robot0key0f1k7q3x7k2m9p4t6".into());
        planted.insert("TLS_KEY".into(), tls_key.lines().nth(1).expect("PEM").to_owned());
        Self { planted, seen: Vec::new() }
    }

    fn plant(&mut self, name: &str, secret: &str) {
        assert!(secret.len() > 15, "too short to be told from anything: {secret}");
        self.planted.insert(format!("{name} {}", self.planted.len()), secret.to_owned());
    }

    fn saw(&mut self, place: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.seen.push((place.into(), bytes.into()));
    }

    fn hits(&self) -> Vec<String> {
        let mut hits = Vec::new();
        for (place, bytes) in &self.seen {
            for (name, canary) in &self.planted {
                if let Some(at) = memchr::memmem::find(bytes, canary.as_bytes()) {
                    let around = &bytes[at.saturating_sub(200)..bytes.len().min(at + 100)];
                    hits.push(format!("{place} shows {name}: {}", String::from_utf8_lossy(around)));
                }
            }
        }
        hits
    }
}

/// An exchange over the unix socket, which speaks plain HTTP.
async fn ask(folder: &Path, request: &str) -> Vec<u8> {
    let mut stream = UnixStream::connect(folder.join("wxgate.sock")).await.expect("connected");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    let read = timeout(LOST, stream.read_to_end(&mut answer)).await;
    read.unwrap_or_else(|_| panic!("no end of the answer to {request}")).expect("an answer");
    answer
}

fn requests() -> Vec<(&'static str, String)> {
    let key = format!("X-Wxgate-Key: {}\r\n", canary("API_KEY"));
    let get = |target: &str, more: &str| {
        format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{more}Connection: close\r\n\r\n")
    };
    let (own, users, code) = (canary("OWN_TOKEN"), canary("USERS_TOKEN"), canary("JS_CODE"));
    let wrong = canary("WRONG_KEY");
    let body = format!("{{\"appid\":\"{SHOP}\",\"secret\":\"{}\"}}", canary("API_KEY"));
    vec![
        ("a call", get(&format!("/cgi-bin/user/get?access_token={own}"), &key)),
        ("an explained call", get("/cgi-bin/user/get", &format!("{key}X-Wxgate-Explain: 1\r\n"))),
        ("through the egress proxy", get("/@game/cgi-bin/user/get", &key)),
        ("for an account of the platform", get(&format!("/@{ACCOUNT}/cgi-bin/user/get"), &key)),
        ("by the platform itself", get("/@mall/cgi-bin/component/api_get_authorizer_info", &key)),
        ("WeCom", get("/@work/cgi-bin/user/get?userid=u", &key)),
        (
            "a login",
            get(&format!("/@game/sns/jscode2session?js_code={code}&grant_type=authorization_code"), &key),
        ),
        ("a user", get(&format!("/sns/userinfo?access_token={users}&openid=o"), &key)),
        ("a signature for a page", get("/wxgate/jssdk/signature?url=https%3A%2F%2Fshop.example%2F", &key)),
        ("a wrong key", get("/cgi-bin/user/get", &format!("Authorization: Bearer {wrong}\r\n"))),
        ("a key in the path", get(&format!("/@{}/cgi-bin/user/get", canary("API_KEY")), &key)),
        (
            "a secret for a key",
            get(&format!("/cgi-bin/token?appid={SHOP}&secret={}", canary("SHOP_SECRET")), ""),
        ),
        ("a key as an appid", get(&format!("/cgi-bin/token?appid={}&secret={wrong}", canary("API_KEY")), "")),
        ("a guarded path", get(&format!("/cgi-bin/clear_quota?access_token={own}"), &key)),
        ("no HTTP", format!("{wrong} {}\r\n\r\n", canary("API_KEY"))),
        (
            "two lengths",
            format!(
                "POST /?access_token={own} HTTP/1.1\r\nHost: a\r\n{key}Content-Length: 1\r\nContent-Length: 1\r\n\r\nx"
            ),
        ),
        (
            "a token call that is cut",
            format!(
                "POST /cgi-bin/stable_token HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 30\r\n\r\n{}",
                &body[..30]
            ),
        ),
    ]
}

/// All that callers, operators and WeChat do.
async fn everything(
    canaries: &mut Canaries,
    process: &Process,
    folder: &Path,
    sandbox: &Sandbox,
    when: &str,
) {
    plant_tokens(canaries, sandbox);
    for (what, request) in requests() {
        let answer = ask(folder, &request).await;
        canaries.saw(format!("{when}: {what}"), answer);
    }
    plant_tokens(canaries, sandbox);
    // TLS where its caller speaks none, and where it speaks no HTTP.
    let address = process.authority().await;
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], &b"\x16\x03\x01\x00\x05hello"[..]] {
        let mut stream = TcpStream::connect(&address).await.expect("connected");
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = timeout(LOST, stream.read_to_end(&mut answer)).await.expect("the end of a connection");
        canaries.saw(format!("{when}: beside TLS"), answer);
    }
    let admin = process.logged("admin listening").await["address"].as_str().expect("an address").to_owned();
    let client = client();
    for path in [
        "/",
        "/healthz",
        "/readyz",
        "/readyz?all",
        "/metrics",
        "/api/v1/status",
        "/api/v1/quota",
        "/api/v1/traffic",
        "/api/v1/activity",
        "/api/v1/events",
        "/api/v1/endpoints",
        "/nothing",
    ] {
        for token in [canary("ADMIN_TOKEN"), canary("WRONG_KEY")] {
            let request = client.get(format!("http://{admin}{path}")).bearer_auth(token);
            let mut answer = request.send().await.expect("an answer");
            let mut text = format!("{} {:?}\n", answer.status(), answer.headers());
            // Events have no end.
            let wanted = if path.ends_with("/events") { 1 } else { usize::MAX };
            for _ in 0..wanted {
                let Some(bytes) = answer.chunk().await.expect("bytes") else { break };
                text.push_str(&String::from_utf8_lossy(&bytes));
            }
            canaries.saw(format!("{when}: admin {path}"), text);
        }
    }
    for path in ["/api/v1/apps/shop/refresh?force=true", "/api/v1/apps/work/refresh", "/api/v1/reload"] {
        let request = client.post(format!("http://{admin}{path}")).bearer_auth(canary("ADMIN_TOKEN"));
        let answer = request.send().await.expect("an answer");
        canaries.saw(format!("{when}: admin POST {path}"), answer.text().await.expect("text"));
    }
    let callback =
        process.logged("callback listening").await["address"].as_str().expect("an address").to_owned();
    let push = format!("http://{callback}/wxgate/callback/mall?timestamp=1&nonce=1&msg_signature=00");
    let body = format!("<xml><Encrypt>{}</Encrypt></xml>", canary("CALLBACK_TOKEN"));
    let answer = client.post(push).body(body).send().await.expect("an answer");
    canaries.saw(format!("{when}: a push"), answer.text().await.expect("text"));
    plant_tokens(canaries, sandbox);
}

/// What WeChat holds, and what was used.
fn plant_tokens(canaries: &mut Canaries, sandbox: &Sandbox) {
    for (appid, kind) in [(SHOP, Kind::Stable), (GAME, Kind::Stable)] {
        sandbox.token(appid, kind).iter().for_each(|token| canaries.plant("token", token));
    }
    for entry in sandbox.journal(None) {
        let used = entry.access_token.filter(|token| token.len() > 15);
        used.iter().for_each(|token| canaries.plant("token used", token));
    }
}

/// A record each of what WeChat hands over, as if it had: the ticket, and what an account granted.
async fn grants(text: &str) {
    let env =
        |name: &str| PLANTED.iter().find(|(known, _)| *known == name).map(|(_, canary)| (*canary).to_owned());
    let config = Config::parse(text, "wxgate.toml", &env).unwrap_or_else(|problems| panic!("{problems}"));
    let store = Store::open(&config.store).await.expect("a store");
    let record = |name: &str| Record {
        value: Arc::new(Secret::new(canary(name))),
        generation: 1,
        fetched_at: Clock::default().now(),
        expires_at: Timestamp::NEVER,
    };
    let ticket = format!("component_verify_ticket:{PLATFORM}");
    store.save(&ticket, &record("TICKET")).await.expect("saved");
    let key = format!("refresh_token:{PLATFORM}:{ACCOUNT}");
    store.save(&key, &record("REFRESH_TOKEN")).await.expect("saved");
}

fn files(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for file in std::fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").path()) {
        if file.is_dir() {
            files(&file, found);
        } else if let Ok(bytes) = std::fs::read(&file) {
            found.push((file.display().to_string(), bytes));
        }
    }
}

async fn no_canary_gets_out(redis: Option<&RedisServer>) {
    let folder = tempfile::tempdir().expect("a folder");
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let tls_key = made.signing_key.serialize_pem();
    std::fs::write(folder.path().join("cert.pem"), made.cert.pem()).expect("written");
    std::fs::write(folder.path().join("key.pem"), &tls_key).expect("written");
    let store = match redis {
        Some(redis) => format!("url = \"{}\"\npassword = {{ env = \"REDIS_PASSWORD\" }}", redis.url()),
        None => format!("url = \"file:{}\"", folder.path().join("store").display()),
    };
    let sandbox = sandbox();
    let (egress_port, egressed) = egress().await;
    let text = configuration(&sandbox, folder.path(), &store, egress_port);
    grants(&text).await;
    std::fs::write(folder.path().join("wxgate.toml"), &text).expect("written");

    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -c unlimited 2>/dev/null; exec \"$0\" serve --config wxgate.toml"]);
    command.arg(env!("CARGO_BIN_EXE_wxgate")).current_dir(folder.path()).env_clear().stdin(Stdio::null());
    command.env("PATH", "/usr/bin:/bin").env("RUST_LOG", "trace").env("RUST_BACKTRACE", "full");
    command.envs(PLANTED.iter().copied());
    let mut process = Process::by(command);
    process.line("\"admin listening\"").await;
    let mut canaries = Canaries::new(&tls_key);
    let token = format!(
        "GET /cgi-bin/token?appid={SHOP}&secret={} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        canary("API_KEY")
    );
    let issued = String::from_utf8(ask(folder.path(), &token).await).expect("text");
    let (_, placeholder) = issued.split_once("\"access_token\":\"").expect("a placeholder");
    let placeholder = placeholder.split('"').next().expect("its end").to_owned();
    canaries.plant("placeholder", &placeholder);

    everything(&mut canaries, &process, folder.path(), &sandbox, "all is well").await;
    assert!(egressed.load(Ordering::Relaxed) > 0, "the egress proxy was asked");
    let used = sandbox.journal(None).iter().any(|entry| entry.path.ends_with("/api_authorizer_token"));
    assert!(used, "the refresh token was used");
    let call = format!(
        "GET /cgi-bin/user/get?access_token={placeholder} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    );
    for call in [call.clone(), call.replace(&placeholder, &placeholder[..placeholder.len() - 4])] {
        let answer = ask(folder.path(), &call).await;
        canaries.saw("a placeholder", answer);
    }
    // WeChat repeats what it was told, breaks off, and rejects.
    let echo = format!("invalid secret {}", canary("SHOP_SECRET"));
    let action = Action::Errcode { errcode: 40125, errmsg: Some(echo) };
    sandbox.fault(Fault::new(action).path("/cgi-bin/stable_token"));
    sandbox.rotate(SHOP);
    sandbox.fault(Fault::new(Action::Cut { bytes: 5 }).path("/cgi-bin/component/*"));
    everything(&mut canaries, &process, folder.path(), &sandbox, "WeChat fails").await;
    sandbox.end_faults();
    // Files that are refused, with secrets in the wrong places; what is in clear is taken, with a
    // warning.
    let clear = canary("CLEAR_SECRET");
    for bad in [
        text.replace("{ env = \"SHOP_SECRET\" }", &format!("{{ env = \"{clear}\" }}")),
        text.replace("{ env = \"SHOP_SECRET\" }", &format!("{{ file = \"{clear}\" }}")),
        text.replace("name = \"shop\"", &format!("name = \"shop\"\n{clear} = 1")),
        text.replace("{ env = \"ROBOT_SECRET\" }", &format!("\"{clear}\nx")),
        text.replace("{ env = \"SEAL_KEY\" }", &format!("\"{clear}\"")),
        text.replace("{ env = \"SHOP_SECRET\" }", &format!("\"{clear}\"")),
        text.clone(),
    ] {
        std::fs::write(folder.path().join("wxgate.toml"), bad).expect("written");
        let before = process.lines().iter().filter(|line| line.contains("\"reload\"")).count();
        process.signal("HUP");
        let reloaded =
            async || process.lines().iter().filter(|line| line.contains("\"reload\"")).count() > before;
        until(|| "a reload", reloaded).await;
    }
    sandbox.stop().await;
    everything(&mut canaries, &process, folder.path(), &sandbox, "WeChat is gone").await;
    if let Some(redis) = redis {
        let password = canary("REDIS_PASSWORD");
        let redis_keys = redis.command(&["-a", password, "--no-auth-warning", "--scan"]);
        assert!(redis_keys.contains("refresh_token"), "{redis_keys}");
        for key in redis_keys.lines() {
            for read in ["GET", "HGETALL", "TTL"] {
                let value = redis.command(&["-a", password, "--no-auth-warning", read, key]);
                canaries.saw(format!("redis {read} {key}"), value);
            }
        }
    }

    process.signal("ABRT");
    let (status, stderr) = process.ended_with_stderr().await;
    assert_eq!((status.signal(), status.core_dumped()), (Some(6), false), "{stderr}");
    canaries.saw("stderr", stderr);
    let lines = process.lines();
    for expected in
        ["\"kind\":\"access\"", "\"level\":\"DEBUG\"", "\"level\":\"ERROR\"", "\"kind\":\"audit\""]
    {
        assert!(lines.iter().any(|line| line.contains(expected)), "{expected}");
    }
    canaries.saw("the log", lines.join("\n"));
    let mut written = Vec::new();
    files(folder.path(), &mut written);
    let given = ["wxgate.toml", "key.pem"];
    written.retain(|(name, _)| !given.iter().any(|given| name.ends_with(given)));
    assert!(
        redis.is_some() || written.iter().any(|(name, _)| name.contains("refresh_token")),
        "the store has files"
    );
    written.into_iter().for_each(|(name, bytes)| canaries.saw(name, bytes));
    assert!(canaries.planted.len() >= 20 && canaries.seen.len() > 100);
    let hits = canaries.hits();
    assert!(hits.is_empty(), "{} hits:\n{}", hits.len(), hits.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_what_is_written_beside_redis() {
    let server = RedisServer::with(&["--requirepass", canary("REDIS_PASSWORD")]).await;
    no_canary_gets_out(Some(&server)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_what_is_written_beside_a_folder() {
    no_canary_gets_out(None).await;
}
