//! The callback address on a port of its own, and somewhere for its events to go.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use wxgate::callback::{Arrived, Callbacks, Deliver, Endpoint, NotTaken, PlatformOptions, server_options};
use wxgate::observe::clock::Clock;
use wxgate::observe::exposition::{Dialect, Exposition};
use wxgate::server::{Address, Listener, Server};

use super::platform::{MALL, OTHER, Push, SUITE};

/// What happens to an event.
#[derive(Clone, Copy, PartialEq)]
pub enum Store {
    Takes,
    Fails,
    Hangs,
}

pub struct Receiver {
    pub clock: Clock,
    pub callbacks: Arc<Callbacks>,
    pub authority: String,
    pub store: Arc<Mutex<Store>>,
    arrived: Arc<Mutex<Vec<Arrived>>>,
    client: reqwest::Client,
    _server: Server,
}

pub type Answer = (u16, String);

impl Receiver {
    /// One for two platforms and a suite.
    pub fn start() -> Self {
        Self::with(vec![MALL.options(), OTHER.options(), SUITE.options()])
    }

    pub fn with(platforms: Vec<PlatformOptions>) -> Self {
        let arrived: Arc<Mutex<Vec<Arrived>>> = Arc::default();
        let store = Arc::new(Mutex::new(Store::Takes));
        let deliver: Deliver = {
            let (arrived, store) = (Arc::clone(&arrived), Arc::clone(&store));
            Arc::new(move |event| {
                let (arrived, store) = (Arc::clone(&arrived), *store.lock().expect("not poisoned"));
                Box::pin(async move {
                    // Long enough for the same push to come on another connection meanwhile.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    match store {
                        Store::Takes => arrived.lock().expect("not poisoned").push(event),
                        Store::Fails => return Err(NotTaken("the disk is full".into())),
                        Store::Hangs => std::future::pending().await,
                    }
                    Ok(())
                })
            })
        };
        let clock = Clock::default();
        let callbacks = Arc::new(Callbacks::new(platforms, clock.clone(), deliver));
        let listener = Listener::bind(&Address::Tcp("127.0.0.1:0".to_owned())).expect("bound");
        let endpoint = Endpoint(Arc::clone(&callbacks));
        let options = server_options(&wxgate::server::Options::default());
        let server = Server::start("callback", vec![listener], options, 1, move |_| endpoint.clone());
        let server = server.expect("started");
        let authority = server.addresses()[0].to_string();
        let tls = wxgate::upstream::tls::client_config(None).expect("roots");
        let client = reqwest::Client::builder().no_proxy().tls_backend_preconfigured(tls);
        let client = client.build().expect("a client");
        Self { clock, callbacks, authority, store, arrived, client, _server: server }
    }

    pub async fn send(&self, method: reqwest::Method, push: &Push) -> Answer {
        let Push { path, query, body } = push.clone();
        let url = format!("http://{}{path}?{query}", self.authority);
        let answer = self.client.request(method, url).body(body).send().await.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("a body"))
    }

    pub async fn post(&self, push: &Push) -> Answer {
        self.send(reqwest::Method::POST, push).await
    }

    pub async fn get(&self, push: &Push) -> Answer {
        self.send(reqwest::Method::GET, push).await
    }

    pub fn arrived(&self) -> Vec<Arrived> {
        std::mem::take(&mut self.arrived.lock().expect("not poisoned"))
    }

    pub fn metrics(&self) -> String {
        let mut out = Exposition::new(Dialect::Prometheus);
        self.callbacks.expose(&mut out);
        out.finish()
    }

    /// How often a platform's pushes had an outcome.
    pub fn counted(&self, app: &str, event: &str, outcome: &str) -> u64 {
        let series =
            format!("wxgate_callbacks_total{{app=\"{app}\",event=\"{event}\",outcome=\"{outcome}\"}} ");
        let text = self.metrics();
        let line = text.lines().find_map(|line| line.strip_prefix(&series));
        line.map_or(0, |count| count.parse().expect("a number"))
    }
}

pub fn success() -> Answer {
    (200, "success".to_owned())
}

/// The one answer to everything that isn't a push of the platform's.
pub fn forbidden() -> Answer {
    (403, String::new())
}
