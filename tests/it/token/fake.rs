//! A scripted WeChat: token endpoints and the probe, with counters.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// How a token endpoint answers.
#[derive(Clone, Debug)]
pub(crate) enum Script {
    Tokens,
    Error(i64, &'static str),
    Raw(u16, String),
    Hang,
}

/// How the probe answers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Probe {
    /// By the token that it carries.
    Honest,
    Error(i64),
    Hang,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub fetches: u32,
    pub forces: u32,
    pub probes: u32,
}

/// The counts of a ladder, as the specification lists them.
pub(crate) fn counts(fetches: u32, forces: u32, probes: u32) -> Counts {
    Counts { fetches, forces, probes }
}

pub(crate) struct State {
    pub script: Script,
    pub probe: Probe,
    pub expires_in: i64,
    pub counts: Counts,
    /// Forced fetches bring a new token.
    pub force_works: bool,
    pub secrets: Vec<String>,
    pub busiest: usize,
    busy: usize,
    serial: u32,
    poisoned: HashSet<String>,
}

#[derive(Clone)]
pub(crate) struct Fake {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
    /// How many token calls since the start may be answered.
    gate: Arc<watch::Sender<u32>>,
    fetches: Arc<watch::Sender<u32>>,
}

impl Fake {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let fake = Self {
            address: listener.local_addr().expect("bound"),
            state: Arc::new(Mutex::new(State {
                script: Script::Tokens,
                probe: Probe::Honest,
                expires_in: 7200,
                counts: Counts::default(),
                force_works: true,
                secrets: Vec::new(),
                busiest: 0,
                busy: 0,
                serial: 1,
                poisoned: HashSet::new(),
            })),
            gate: Arc::new(watch::Sender::new(u32::MAX)),
            fetches: Arc::new(watch::Sender::new(0)),
        };
        let server = fake.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let fake = server.clone();
                let service = service_fn(move |request| {
                    let fake = fake.clone();
                    async move { Ok::<_, std::convert::Infallible>(fake.answer(request).await) }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        fake
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it holds this")
    }

    pub(crate) fn counts(&self) -> Counts {
        self.state().counts
    }

    /// The counts begin anew.
    pub(crate) fn forget(&self) {
        self.state().counts = Counts::default();
    }

    /// Somebody else fetched: the token changes, the one before it is dead.
    pub(crate) fn rotate(&self) {
        self.state().serial += 1;
    }

    /// WeChat goes on handing out the present token but rejects it.
    pub(crate) fn poison(&self) {
        let mut state = self.state();
        let token = state.token();
        state.poisoned.insert(token);
    }

    /// Token calls wait until the gate is opened.
    pub(crate) fn shut_gate(&self) {
        self.open_gate_for(0);
    }

    /// Answers this many more of the token calls that have arrived or will.
    pub(crate) fn open_gate_for(&self, calls: u32) {
        let answered = *self.fetches.borrow() - self.state().busy as u32;
        self.gate.send_replace(answered + calls);
    }

    pub(crate) fn open_gate(&self) {
        self.gate.send_replace(u32::MAX);
    }

    /// Waits until that many token calls have arrived since the start.
    pub(crate) async fn fetches_reach(&self, number: u32) {
        let mut fetches = self.fetches.subscribe();
        tokio::time::timeout(Duration::from_secs(20), fetches.wait_for(|seen| *seen >= number))
            .await
            .expect("the fetches come")
            .expect("the fake lives");
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path().to_owned();
        let query = request.uri().query().unwrap_or_default().to_owned();
        let parameter = |name: &str| {
            form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, v)| v.into_owned())
        };
        let (status, body) = match path.as_str() {
            "/cgi-bin/stable_token" => {
                let body = request.into_body().collect().await.expect("a whole request").to_bytes();
                let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
                let secret = body["secret"].as_str().expect("a secret").to_owned();
                self.fetch(secret, body["force_refresh"].as_bool(), false).await
            }
            "/cgi-bin/token" => self.fetch(parameter("secret").expect("a secret"), None, true).await,
            "/probe" => self.probe(&parameter("access_token").expect("a token")).await,
            other => panic!("nobody should ask for {other}"),
        };
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = status.try_into().expect("a status");
        response
    }

    async fn fetch(&self, secret: String, force: Option<bool>, rotates: bool) -> (u16, String) {
        let script = {
            let mut state = self.state();
            state.counts.fetches += 1;
            state.secrets.push(secret);
            state.busy += 1;
            state.busiest = state.busiest.max(state.busy);
            if force == Some(true) {
                state.counts.forces += 1;
            }
            state.script.clone()
        };
        let mut number = 0;
        self.fetches.send_modify(|fetches| {
            *fetches += 1;
            number = *fetches;
        });
        let _ = self.gate.subscribe().wait_for(|answered| *answered >= number).await;
        if matches!(script, Script::Hang) {
            std::future::pending::<()>().await;
        }
        let mut state = self.state();
        state.busy -= 1;
        match script {
            Script::Error(code, text) => (200, format!(r#"{{"errcode":{code},"errmsg":"{text}"}}"#)),
            Script::Raw(status, body) => (status, body),
            Script::Tokens | Script::Hang => {
                if rotates || (force == Some(true) && state.force_works) {
                    state.serial += 1;
                }
                let (token, expires_in) = (state.token(), state.expires_in);
                (200, format!(r#"{{"access_token":"{token}","expires_in":{expires_in}}}"#))
            }
        }
    }

    async fn probe(&self, token: &str) -> (u16, String) {
        let probe = {
            let mut state = self.state();
            state.counts.probes += 1;
            state.probe
        };
        match probe {
            Probe::Hang => std::future::pending().await,
            Probe::Error(code) => (200, format!(r#"{{"errcode":{code},"errmsg":"x"}}"#)),
            Probe::Honest if self.state().lives(token) => (200, r#"{"ip_list":[]}"#.into()),
            Probe::Honest => (200, r#"{"errcode":40001,"errmsg":"invalid credential"}"#.into()),
        }
    }
}

impl State {
    fn token(&self) -> String {
        format!("TOKEN-{}", self.serial)
    }

    fn lives(&self, token: &str) -> bool {
        token == self.token() && !self.poisoned.contains(token)
    }
}
