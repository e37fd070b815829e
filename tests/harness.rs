//! A proxy and a sandbox on free ports of loopback, with everything that a test wants to look at.

use std::io::Write;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::signed_call;
use crate::until::until;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use wxgate::app::{Resolver, Running, Sockets, Surroundings};
use wxgate::config::{Config, Included, Problems};
use wxgate::observe::access_log::AccessLog;
use wxgate::observe::clock::Clock;
use wxgate::sandbox::{App, AppKind, Counts, Entry, Kind, Options, Sandbox};

pub const APPID: &str = "wx0000000000000001";
pub const OTHER_APPID: &str = "wx0000000000000002";
/// No log, metric, answer or page may show it.
pub const SECRET: &str = "canary-app-secret-4f1d";
pub const OTHER_SECRET: &str = "canary-app-secret-9a2e";
pub const ADMIN_TOKEN: &str = "canary-admin-token-77b0";

/// The shop app alone, as the default.
pub const SHOP: &str = r#"
[[app]]
name = "shop"
appid = "wx0000000000000001"
secret = { env = "SHOP_SECRET" }
default = true
"#;

/// An app beside the shop.
pub const GAME: &str = r#"
[[app]]
name = "game"
appid = "wx0000000000000002"
secret = { env = "OTHER_SECRET" }
kind = "mini_program"
"#;

/// Two apps, neither of them the default; the second one claims a host.
pub const SHOP_AND_GAME: &str = r#"
[[app]]
name = "shop"
appid = "wx0000000000000001"
secret = { env = "SHOP_SECRET" }

[[app]]
name = "game"
appid = "wx0000000000000002"
secret = { env = "OTHER_SECRET" }
kind = "mini_program"
hosts = ["game.internal"]
"#;

/// A `[[caller]]` table; `more` is TOML that goes into it.
pub fn caller(name: &str, keys: &[&str], apps: &[&str], more: &str) -> String {
    let keys: Vec<String> = keys.iter().map(|key| sha256(key.as_bytes())).collect();
    format!("\n[[caller]]\nname = {name:?}\nkey_sha256 = {keys:?}\napps = {apps:?}\n{more}\n")
}

/// In hex.
pub fn sha256(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is configured; each field is TOML that goes into its table.
#[derive(Clone, Debug)]
pub struct Setup {
    /// What `include` says, as TOML.
    pub include: String,
    pub listen: String,
    pub workers: usize,
    pub server: String,
    pub upstream: String,
    pub token: String,
    pub replay: String,
    /// Whole `[[app]]` and `[[caller]]` tables.
    pub apps: String,
    pub upstream_url: Option<String>,
    pub resolver: Resolver,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            include: "[]".into(),
            listen: "127.0.0.1:0".into(),
            workers: 2,
            server: String::new(),
            upstream: String::new(),
            token: String::new(),
            replay: String::new(),
            apps: SHOP.into(),
            upstream_url: None,
            resolver: Resolver::default(),
        }
    }
}

/// Everything that the access log wrote.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock()).into_owned()
    }

    /// The access lines so far.
    pub fn lines(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A proxy between a test and its sandbox.
pub struct Gate {
    pub sandbox: Sandbox,
    pub running: Running,
    pub clock: Clock,
    pub log: Log,
    pub client: reqwest::Client,
    setup: Arc<Mutex<Setup>>,
}

/// A caller's HTTP client.
pub fn client() -> reqwest::Client {
    let tls = wxgate::upstream::tls::client_config(None).expect("roots");
    let client = reqwest::Client::builder().no_proxy().tls_backend_preconfigured(tls);
    client.build().expect("a client")
}

/// A sandbox with the accounts of the tests.
pub fn sandbox() -> Sandbox {
    let apps = vec![
        App::new(APPID, SECRET, AppKind::OfficialAccount),
        App::new(OTHER_APPID, OTHER_SECRET, AppKind::MiniProgram),
    ];
    Sandbox::start(Options { apps, ..Options::default() }).expect("the sandbox starts")
}

/// The configuration that a setup describes.
pub fn config(setup: &Setup, upstream_url: &str) -> Config {
    parsed(setup, upstream_url, None).unwrap_or_else(|problems| panic!("{problems}"))
}

fn parsed(setup: &Setup, upstream_url: &str, included: Option<&Included>) -> Result<Config, Problems> {
    let Setup { include, listen, workers, server, upstream, token, replay, apps, .. } = setup;
    // A test's own stand in `upstream`.
    let base_urls = if upstream.contains("base_urls") {
        String::new()
    } else {
        format!("base_urls = [\"{upstream_url}\"]")
    };
    // Most tests tell refusals apart by their statuses.
    let error_status =
        match ["error_status", "errors_as_200", "limit_status"].iter().any(|key| server.contains(key)) {
            true => "",
            false => "error_status = \"http\"",
        };
    let text = format!(
        "include = {include}\n[server]\nlisten = [\"{listen}\"]\nworkers = {workers}\n{error_status}\n{server}\n\
         [admin]\nlisten = \"127.0.0.1:0\"\ntoken = {{ env = \"ADMIN_TOKEN\" }}\n\
         [upstream]\n{base_urls}\n{upstream}\n\
         [token]\n{token}\n[replay]\n{replay}\n{apps}"
    );
    let env = |name: &str| {
        let value = match name {
            "SHOP_SECRET" => SECRET,
            "OTHER_SECRET" => OTHER_SECRET,
            "ADMIN_TOKEN" => ADMIN_TOKEN,
            "SIGNING_KEY" => signed_call::AES_KEY,
            "SIGNING_PEM" => signed_call::PRIVATE_KEY,
            _ => return None,
        };
        Some(value.to_owned())
    };
    match included {
        None => Config::parse(&text, "test.toml", &env),
        Some(included) => Config::parse_again(&text, "test.toml", &env, included),
    }
}

impl Gate {
    pub async fn start() -> Self {
        Self::with(Setup::default()).await
    }

    pub async fn with(setup: Setup) -> Self {
        Self::before(sandbox(), setup).await
    }

    /// A proxy before a sandbox that is prepared already.
    pub async fn before(sandbox: Sandbox, setup: Setup) -> Self {
        Self::by(Clock::default(), sandbox, setup).await
    }

    /// A proxy with a clock that somebody has set.
    pub async fn by(clock: Clock, sandbox: Sandbox, setup: Setup) -> Self {
        let url = setup.upstream_url.clone().unwrap_or_else(|| sandbox.url());
        let config = config(&setup, &url);
        let log = Log::default();
        let resolver = setup.resolver.clone();
        let setup = Arc::new(Mutex::new(setup));
        let again = (Arc::clone(&setup), url);
        let surroundings = Surroundings {
            clock: clock.clone(),
            log: Arc::new(
                AccessLog::start(true, config.log.access, config.server.workers, Box::new(log.clone()))
                    .expect("a thread"),
            ),
            source: Arc::new(move |included| parsed(&again.0.lock(), &again.1, Some(included))),
            resolver,
            sockets: Sockets::default(),
        };
        let running = wxgate::app::start(&config, surroundings).await.expect("the proxy starts");
        let client = client();
        Self { sandbox, running, clock, log, client, setup }
    }

    /// Waits until every configured app holds a token, then forgets how it got there.
    pub async fn settled(self) -> Self {
        let ready = async || Answer::of(self.client.get(self.admin_url("/readyz?all"))).await.status == 200;
        until(|| "every app's token", ready).await;
        self.sandbox.reset();
        self
    }

    /// Waits until the shop app holds a token, then forgets how it got there.
    pub async fn warm(self) -> Self {
        let answer = self.get("/cgi-bin/user/info?openid=warm").await;
        assert_eq!(answer.errcode(), 0, "{answer:?}");
        self.sandbox.reset();
        self
    }

    pub fn authority(&self) -> String {
        self.running.addresses()[0].to_string()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.authority())
    }

    pub fn admin_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.running.admin_address().expect("an admin address"))
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.client.get(self.url(path)).header("X-Wxgate-Explain", "1")).await
    }

    pub async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> Answer {
        Answer::of(self.client.post(self.url(path)).header("X-Wxgate-Explain", "1").body(body)).await
    }

    /// A GET with these headers, as any HTTP client sends it.
    pub async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let request = self.client.get(self.url(path));
        Answer::of(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
    }

    /// Sends these very bytes on a connection of their own; a `Connection: close` is theirs to
    /// send.
    pub async fn raw(&self, request: impl AsRef<[u8]>) -> Answer {
        raw(&self.authority(), request.as_ref()).await
    }

    /// Puts another `[server]` and other `[[app]]` and `[[caller]]` tables in force.
    pub async fn reload(&self, server: &str, apps: &str) {
        self.change(|setup| (setup.server, setup.apps) = (server.into(), apps.into()));
        self.running.reload().await.expect("the new configuration is taken");
    }

    /// What is configured.
    pub fn config(&self) -> Config {
        config(&self.setup.lock(), &self.sandbox.url())
    }

    /// Changes what the next reload reads.
    pub fn change(&self, change: impl FnOnce(&mut Setup)) {
        change(&mut self.setup.lock());
    }

    /// What the sandbox takes as an app's token now.
    pub fn token(&self, appid: &str) -> String {
        self.sandbox.token(appid, Kind::Stable).expect("a token")
    }

    /// The one request for `path` that reached WeChat.
    pub fn only(&self, path: &str) -> Entry {
        let mut entries = self.journal(path);
        assert_eq!(entries.len(), 1, "{entries:?}");
        entries.remove(0)
    }

    pub async fn metrics(&self) -> String {
        let request = self.client.get(self.admin_url("/metrics"));
        String::from_utf8(Answer::of(request).await.body).expect("UTF-8")
    }

    /// The value of a sample, given as it is written; 0 if there is none.
    pub async fn metric(&self, sample: &str) -> f64 {
        let text = self.metrics().await;
        let line = text.lines().find(|line| line.starts_with(&format!("{sample} ")));
        line.and_then(|line| line.rsplit(' ').next()).map_or(0.0, |value| value.parse().expect("a number"))
    }

    pub async fn status(&self) -> Value {
        Answer::of(self.client.get(self.admin_url("/api/v1/status"))).await.json()
    }

    /// (fetches, forces, probes) of the shop app.
    pub fn counts(&self) -> (u64, u64, u64) {
        let Counts { fetches, forces, probes, .. } = self.sandbox.counts_of(APPID);
        (fetches, forces, probes)
    }

    pub fn journal(&self, path: &str) -> Vec<Entry> {
        self.sandbox.journal(Some(path))
    }

    /// The access lines, all of them, after a drain.
    pub async fn end(self) -> Vec<Value> {
        // Its idle connections would be waited for.
        drop(self.client);
        self.running.drain().await;
        self.log.lines()
    }
}

/// An answer, whole.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub async fn of(request: reqwest::RequestBuilder) -> Self {
        Self::try_of(request).await.expect("an answer")
    }

    pub async fn try_of(request: reqwest::RequestBuilder) -> Result<Self, reqwest::Error> {
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Self { status, headers, body: response.bytes().await?.to_vec() })
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {:?}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The top-level errcode; 0 where there is none.
    pub fn errcode(&self) -> i64 {
        self.json()["errcode"].as_i64().unwrap_or(0)
    }

    /// (status, the contract's code, errcode) of an answer that the proxy made itself.
    pub fn refusal(&self) -> (u16, &str, i64) {
        (self.status, self.header("x-wxgate-error").unwrap_or("none"), self.errcode())
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// An HTTP/1.1 exchange with nothing between its bytes and the test.
pub async fn raw(authority: &str, request: &[u8]) -> Answer {
    let mut stream = tokio::net::TcpStream::connect(authority).await.expect("connects");
    stream.write_all(request).await.expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("an answer");
    let head = memchr::memmem::find(&answer, b"\r\n\r\n").expect("a head");
    let text = String::from_utf8_lossy(&answer[..head]).into_owned();
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
    let mut headers = reqwest::header::HeaderMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let name = reqwest::header::HeaderName::from_bytes(name.as_bytes()).expect("a name");
        headers.append(name, value.trim().parse().expect("a value"));
    }
    Answer { status: status.expect("a status"), headers, body: answer[head + 4..].to_vec() }
}

/// Makes `count` calls at once.
pub async fn at_once<F, T>(count: usize, call: impl Fn(usize) -> F) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..count {
        calls.spawn(call(number));
    }
    calls.join_all().await
}

/// A request body without a length, in these pieces.
pub fn chunked(pieces: Vec<Vec<u8>>) -> reqwest::Body {
    struct Pieces(std::vec::IntoIter<Vec<u8>>);
    impl futures_core::Stream for Pieces {
        type Item = std::io::Result<Vec<u8>>;
        fn poll_next(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Self::Item>> {
            std::task::Poll::Ready(self.0.next().map(Ok))
        }
    }
    reqwest::Body::wrap_stream(Pieces(pieces.into_iter()))
}
