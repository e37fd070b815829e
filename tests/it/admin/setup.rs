//! An admin address whose answers a test can change.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use http::Method;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wxgate::admin::{Admin, Backend, Endpoint, Pending, Scope, State};
use wxgate::api::{self, AppState, RefreshOutcome};
use wxgate::observe::clock::{Clock, Timestamp};
use wxgate::secret::Secret;
use wxgate::server::{Address, Drained, Listener, Options, Server, Tarpit};

pub(crate) const TOKEN: &str = "correct-horse";

/// An admin address with two apps, `shop` (ready) and `café` (its server's address is not
/// whitelisted).
pub(crate) struct Setup {
    server: Server,
    pub(crate) state: Arc<State>,
    pub(crate) data: Arc<Mutex<Data>>,
}

/// What the admin address tells.
pub(crate) struct Data {
    pub(crate) apps: Vec<api::App>,
    pub(crate) store: api::Store,
    pub(crate) upstreams: Vec<api::Upstream>,
    pub(crate) wechat: api::Wechat,
    pub(crate) ending: Vec<api::Ending>,
    pub(crate) quota: api::Quota,
    pub(crate) activity: api::Activity,
    /// Of all apps, and of each.
    pub(crate) traffic: api::Traffic,
    /// The same.
    pub(crate) figures: api::Figures,
    pub(crate) recent: Vec<api::AppFigures>,
    pub(crate) refusals: Vec<api::Refusal>,
    pub(crate) started_at: Timestamp,
    /// How often a quota was asked for.
    pub(crate) quotas_made: usize,
    pub(crate) refreshes: usize,
    pub(crate) reloads: usize,
    /// What was done to apps, in words.
    pub(crate) done: Vec<String>,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {:?}", self.body))
    }

    pub(crate) fn has(&self, header: &str) -> bool {
        self.head.to_lowercase().contains(&header.to_lowercase())
    }
}

pub(crate) fn app(name: &str, state: AppState) -> api::App {
    let ready = state == AppState::Ready;
    api::App {
        name: name.into(),
        appid: format!("wx-{name}"),
        kind: "official_account".into(),
        token_mode: Some("stable".into()),
        state,
        token: ready.then_some(api::Token { generation: 3, age_seconds: 60, expires_in_seconds: 7140 }),
        next_refresh_in_seconds: Some(30),
        last_failure: (!ready).then(|| api::LastFailure {
            at: Timestamp(0).rfc3339(),
            errcode: Some(40164),
            message: "invalid ip 203.0.113.9, not in whitelist".into(),
            remedy: Some("add 203.0.113.9 to the IP whitelist".into()),
            permanent: true,
        }),
        forces_left_today: 20,
        credentials: ready.then(ticket).into_iter().collect(),
        authorizers: ready.then_some(api::Authorizers { in_use: 12, failing: 1 }),
        ..api::App::default()
    }
}

fn ticket() -> api::Credential {
    api::Credential {
        kind: "jsapi_ticket".into(),
        state: AppState::Ready,
        generation: Some(2),
        expires_in_seconds: Some(3600),
        last_failure: None,
    }
}

fn endpoint(path: &str) -> api::Endpoint {
    api::Endpoint {
        path: path.into(),
        host: "api.weixin.qq.com".into(),
        method: Some("POST".into()),
        class: "app_token".into(),
        injects: Some("access_token".into()),
        evidence: true,
        window: Some("day".into()),
        replay: true,
        ..api::Endpoint::default()
    }
}

/// Trouble that is over.
fn lag() -> api::Trouble {
    api::Trouble {
        app: "shop".into(),
        endpoint: "/cgi-bin/user/info".into(),
        kind: "token_lag".into(),
        since: Timestamp(0).rfc3339(),
        ended_at: Some(Timestamp(20_000).rfc3339()),
        calls: 200,
        troubled: 31,
        addresses: Vec::new(),
        message: "/cgi-bin/user/info is well again".into(),
        message_zh: "/cgi-bin/user/info 已恢复正常".into(),
    }
}

/// The last steps of curves.
fn cut(traffic: &mut api::Traffic, steps: usize) {
    let gone = traffic.calls.len().saturating_sub(steps);
    traffic.start += gone as i64 * i64::from(traffic.step_seconds);
    for curve in [
        &mut traffic.calls,
        &mut traffic.wechat_errors,
        &mut traffic.refused,
        &mut traffic.failed,
        &mut traffic.replayed,
    ] {
        curve.drain(..gone);
    }
    traffic.own_ms.drain(..gone);
    traffic.wechat_ms.drain(..gone);
}

/// What a caller may not do.
pub(crate) fn refusal(caller: &str, app: Option<&str>, count: u64) -> api::Refusal {
    api::Refusal {
        code: Some("caller_forbidden".into()),
        errcode: -70403,
        outcome: "refused".into(),
        app: app.map(str::to_owned),
        caller: Some(caller.into()),
        endpoint: "/cgi-bin/menu/create".into(),
        various: false,
        count,
        last_at: Timestamp(0).rfc3339(),
        method: "POST".into(),
        path: "/cgi-bin/menu/create".into(),
        why: "this caller's `allow` has no rule for this method and path".into(),
        document: "https://github.com/wxgate/wxgate/blob/main/docs/en/refusals.md".into(),
    }
}

/// An endpoint that was called `calls` times today.
pub(crate) fn spent(path: &str, calls: u64, limit: Option<u64>) -> api::EndpointQuota {
    api::EndpointQuota {
        endpoint: path.into(),
        calls_today: calls,
        limit,
        used: limit.map(|_| calls),
        remaining: limit.map(|limit| limit.saturating_sub(calls)),
        asked_at: limit.map(|_| "2026-11-25T07:00:00.000Z".into()),
        pace_per_minute: 12.5,
        callers: vec![api::CallerCount { caller: "orders".into(), calls }],
        ..api::EndpointQuota::default()
    }
}

pub(crate) fn quota_of(app: &str, endpoints: Vec<api::EndpointQuota>) -> api::AppQuota {
    api::AppQuota {
        app: app.into(),
        endpoints,
        problem: None,
        clears_this_month: 3,
        single_clears_this_month: 7,
    }
}

impl Data {
    pub(crate) fn new() -> Self {
        let nearest = api::EndpointQuota {
            exhausted_at: Some("2026-11-25T08:40:00.000Z".into()),
            ..spent("/cgi-bin/message/custom/send", 8_812, Some(10_000))
        };
        let endpoints = vec![nearest, spent("/cgi-bin/user/info", 40, None)];
        let quota = api::Quota {
            day: "2026-11-25".into(),
            day_ends_in_seconds: 30_000,
            apps: vec![quota_of("shop", endpoints)],
            accounts: Vec::new(),
            warnings: Vec::new(),
        };
        Self {
            apps: vec![app("shop", AppState::Ready), app("café", AppState::Unavailable)],
            store: api::Store {
                url: "redis://r:6379/0".into(),
                up: false,
                problem: Some("refused".into()),
                refused: Vec::new(),
            },
            upstreams: vec![api::Upstream {
                origin: "https://api.weixin.qq.com".into(),
                egress: None,
                in_use: true,
                healthy: false,
                problem: Some("no answer within 15s".into()),
            }],
            wechat: api::Wechat {
                blame: "nobody".into(),
                verdict: "no calls to WeChat in the last 5 minutes".into(),
                verdict_zh: "近 5 分钟没有调用微信".into(),
                calls: 0,
                troubled: 0,
                troubles: vec![lag()],
            },
            ending: Vec::new(),
            quota,
            activity: api::Activity::default(),
            traffic: api::Traffic::default(),
            figures: api::Figures::default(),
            recent: Vec::new(),
            refusals: vec![refusal("orders", Some("shop"), 7), refusal("crm", None, 3)],
            started_at: Timestamp(0),
            quotas_made: 0,
            refreshes: 0,
            reloads: 0,
            done: Vec::new(),
        }
    }

    fn knows(&self, name: &str) -> bool {
        self.apps.iter().any(|app| app.name == name)
    }

    fn refresh(&mut self, app: &str, force: bool) -> Option<api::Refreshed> {
        if !["shop", "café"].contains(&app) {
            return None;
        }
        self.refreshes += 1;
        let outcome = if force { RefreshOutcome::Replaced } else { RefreshOutcome::Same };
        let forces_left_today = 20 - u32::from(force);
        Some(api::Refreshed { outcome, generation: Some(4), forces_left_today, message: "done".into() })
    }

    fn clear(&mut self, app: &str, endpoint: Option<&str>) -> Option<api::Cleared> {
        if !self.knows(app) {
            return None;
        }
        self.done.push(format!("clear {app} {}", endpoint.unwrap_or("everything")));
        let (spent_this_month, allowed_a_month) = if endpoint.is_some() { (8, 50) } else { (4, 10) };
        let message = "the counters were reset".into();
        Some(api::Cleared { cleared: true, errcode: None, spent_this_month, allowed_a_month, message })
    }

    fn reset(&mut self, app: &str) -> Option<api::QuotaReset> {
        if !self.knows(app) {
            return None;
        }
        self.done.push(format!("reset {app}"));
        let message = "the counters were reset".to_owned();
        Some(api::QuotaReset { reset: true, calls_counted: 5, budgets: vec!["all".to_owned()], message })
    }

    fn look_up(&mut self, app: &str, rid: &str) -> Option<api::Remembered> {
        if !self.knows(app) {
            return None;
        }
        self.done.push(format!("rid {app} {rid}"));
        let request = serde_json::json!({
            "invoke_time": 1_635_156_704, "cost_in_ms": 30, "client_ip": "203.0.113.9",
            "request_url": "/cgi-bin/user/info?openid=bob", "response_body": "{\"errcode\":40003}",
        });
        let message = "WeChat remembers this request".into();
        Some(api::Remembered { request: Some(request), errcode: None, message })
    }
}

/// Says what a test has put into it.
struct Told(Arc<Mutex<Data>>);

impl Told {
    fn data(&self) -> MutexGuard<'_, Data> {
        self.0.lock().expect("no test panicked with it")
    }
}

impl Backend for Told {
    fn apps(&self) -> Vec<api::App> {
        self.data().apps.clone()
    }

    fn store(&self) -> api::Store {
        self.data().store.clone()
    }

    fn ending(&self) -> Vec<api::Ending> {
        self.data().ending.clone()
    }

    fn endpoints(&self) -> api::Endpoints {
        let endpoints = vec![endpoint("/cgi-bin/menu/create"), endpoint("/bizwifi/device/List")];
        api::Endpoints { endpoints }
    }

    fn upstreams(&self) -> Vec<api::Upstream> {
        self.data().upstreams.clone()
    }

    fn wechat(&self) -> api::Wechat {
        self.data().wechat.clone()
    }

    fn work(&self) -> api::Work {
        api::Work { at_work: 12, most: 4096, waiting: 0, refused: 3 }
    }

    fn quota(&self) -> api::Quota {
        let mut data = self.data();
        data.quotas_made += 1;
        data.quota.clone()
    }

    fn traffic(&self, app: Option<&str>, range: api::Range) -> Option<api::Traffic> {
        let data = self.data();
        let step_seconds = if range == api::Range::Month { 3600 } else { 60 };
        let mut traffic = api::Traffic { step_seconds, ..data.traffic.clone() };
        if range == api::Range::Hour || range == api::Range::Quarter {
            cut(&mut traffic, if range == api::Range::Hour { 60 } else { 15 });
        }
        app.is_none_or(|app| data.knows(app)).then_some(traffic)
    }

    fn figures(&self, app: Option<&str>) -> Option<api::Figures> {
        let data = self.data();
        app.is_none_or(|app| data.knows(app)).then(|| data.figures.clone())
    }

    fn recent(&self) -> Vec<api::AppFigures> {
        self.data().recent.clone()
    }

    fn refusals(&self, range: api::Range) -> api::Refusals {
        let refusals = self.data().refusals.clone();
        api::Refusals { range, kinds: refusals.len(), refusals }
    }

    fn explain(&self, method: &Method, target: &str, caller: Option<&str>) -> Result<api::Explained, String> {
        if caller == Some("nobody") {
            return Err("no caller is named nobody".to_owned());
        }
        let caller = caller.unwrap_or("orders");
        let row = |label: &str, text: String| api::ExplainedRow { label: label.into(), text };
        let refused = target.starts_with("/cgi-bin/menu").then(|| api::ExplainedRefusal {
            status: 200,
            code: Some("caller_forbidden".into()),
            errcode: -70403,
            reason: "this caller's `allow` has no rule for this method and path".into(),
        });
        let rows = vec![
            row("app", "shop (wx3f0a9c2b7d61e845), the default app".into()),
            row("endpoint", target.to_owned()),
            row("guarded", "no".into()),
            row("callers", format!("{caller}: {}", if refused.is_some() { "no" } else { "yes" })),
        ];
        Ok(api::Explained { method: method.to_string(), path: target.to_owned(), refused, rows })
    }

    fn activity(&self) -> api::Activity {
        self.data().activity.clone()
    }

    fn refresh<'a>(&'a self, app: &'a str, force: bool) -> Pending<'a, Option<api::Refreshed>> {
        Box::pin(async move { self.data().refresh(app, force) })
    }

    fn clear_quota<'a>(
        &'a self,
        app: &'a str,
        endpoint: Option<&'a str>,
    ) -> Pending<'a, Option<api::Cleared>> {
        Box::pin(async move { self.data().clear(app, endpoint) })
    }

    fn reset_quota<'a>(&'a self, app: &'a str) -> Pending<'a, Option<api::QuotaReset>> {
        Box::pin(async move { self.data().reset(app) })
    }

    fn look_up<'a>(&'a self, app: &'a str, rid: &'a str) -> Pending<'a, Option<api::Remembered>> {
        Box::pin(async move { self.data().look_up(app, rid) })
    }

    fn reload(&self) -> Pending<'_, Result<(), String>> {
        let mut data = self.data();
        data.reloads += 1;
        let done = if data.reloads == 1 { Ok(()) } else { Err("a.toml:1:1: app: missing".to_owned()) };
        Box::pin(std::future::ready(done))
    }
}

pub(crate) async fn start(address: Address, scope: Option<Scope>, token: Option<&str>) -> Setup {
    start_with(address, scope, token, Arc::new(Mutex::new(Data::new()))).await
}

pub(crate) async fn start_with(
    address: Address,
    scope: Option<Scope>,
    token: Option<&str>,
    data: Arc<Mutex<Data>>,
) -> Setup {
    let listener = Listener::bind(&address).expect("a free port");
    let state = Arc::new(State::new(data.lock().expect("whole").started_at));
    state.listeners.store(Arc::new(vec![Address::Tcp("127.0.0.1:8080".into())]));
    state.callers.store(Arc::new(vec![api::Caller {
        name: "orders".into(),
        apps: vec!["shop".into()],
        expires: None,
    }]));
    let admin = Arc::new(Admin {
        scope: scope.unwrap_or_else(|| Scope::of(listener.address())),
        token: ArcSwapOption::from(token.map(|token| Arc::new(Secret::new(token)))),
        trusted_proxies: ArcSwap::default(),
        tarpit: Arc::new(Tarpit::new(Clock::default())),
        backend: Box::new(Told(Arc::clone(&data))),
        exposers: vec![Arc::new(|out| {
            out.counter("wxgate_test_total", "For the test.");
            out.sample(&[], 1.0);
        })],
        state: Arc::clone(&state),
    });
    let options = Options {
        max_connections: 100,
        head_timeout: Duration::from_secs(3),
        idle_timeout: Duration::from_secs(3),
        body_timeout: Duration::from_secs(3),
        write_timeout: Duration::from_secs(3),
        drain_timeout: Duration::from_secs(10),
        ..Options::default()
    };
    let endpoint = Endpoint::new(admin);
    let server =
        Server::start("admin", vec![listener], options, 1, move |_| endpoint.clone()).expect("a worker");
    Setup { server, state, data }
}

pub(crate) async fn on_loopback(token: Option<&str>) -> Setup {
    start(Address::Tcp("127.0.0.1:0".into()), None, token).await
}

/// Bound to loopback, since a test must not open a port to the network, but treated as open.
pub(crate) async fn open(token: Option<&str>) -> Setup {
    start(Address::Tcp("127.0.0.1:0".into()), Some(Scope::Open), token).await
}

impl Setup {
    pub(crate) fn authority(&self) -> SocketAddr {
        self.server.addresses()[0].to_string().parse().expect("a TCP address")
    }

    /// Changes what is told.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Data)) {
        change(&mut self.data.lock().expect("whole"));
    }

    pub(crate) fn refreshes(&self) -> usize {
        self.data.lock().expect("whole").refreshes
    }

    pub(crate) fn reloads(&self) -> usize {
        self.data.lock().expect("whole").reloads
    }

    /// What was done to apps so far.
    pub(crate) fn done(&self) -> Vec<String> {
        self.data.lock().expect("whole").done.clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.server.connections()
    }

    /// Ends it in order; what it told stays.
    pub(crate) async fn stop(self) -> (Drained, Arc<Mutex<Data>>) {
        (self.server.drain().await, self.data)
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.authority()).await.expect("connects")
    }

    /// Sends `METHOD target` with `headers`, each ended by CRLF.
    pub(crate) async fn ask(&self, request: &str, headers: &str) -> Answer {
        let host =
            if headers.contains("Host:") { String::new() } else { format!("Host: {}\r\n", self.authority()) };
        let request = format!("{request} HTTP/1.1\r\n{host}{headers}Connection: close\r\n\r\n");
        exchange(&mut self.connect().await, &request).await
    }

    pub(crate) async fn get(&self, target: &str) -> Answer {
        self.ask(&format!("GET {target}"), "").await
    }
}

pub(crate) async fn exchange<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(
    stream: &mut S,
    request: &str,
) -> Answer {
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut text = String::new();
    stream.read_to_string(&mut text).await.expect("an answer");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

pub(crate) fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}
