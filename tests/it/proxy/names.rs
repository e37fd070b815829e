//! Names whose addresses change, and one that leads back here.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use wxgate::app::Resolver;

use super::front::{Front, Mode};
use crate::harness::{Gate, Setup, sandbox};
use crate::until::until;

/// Where the name leads now.
type Lead = Arc<Mutex<Option<SocketAddr>>>;

fn resolver(lead: &Lead) -> Resolver {
    let lead = Arc::clone(lead);
    Resolver::of(move |name, _| {
        assert_eq!(name, "wechat.test");
        let lead = *lead.lock();
        lead.map(|address| vec![address]).ok_or_else(|| std::io::ErrorKind::NotFound.into())
    })
}

fn point(lead: &Lead, address: Option<SocketAddr>) {
    *lead.lock() = address;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_connection_follows_its_name_to_another_address() {
    let sandbox = sandbox();
    let (old, new) = (Front::before(&sandbox.url()).await, Front::before(&sandbox.url()).await);
    let lead = Lead::default();
    point(&lead, Some(old.address()));
    let setup = Setup {
        upstream: "base_urls = [\"http://wechat.test\"]\npool_age = \"300ms\"".into(),
        resolver: resolver(&lead),
        workers: 1,
        ..Setup::default()
    };
    let gate = Gate::before(sandbox, setup).await.settled().await;
    let peer = async || {
        gate.sandbox.reset();
        assert_eq!(gate.get("/cgi-bin/getcallbackip").await.errcode(), 0);
        gate.only("/cgi-bin/getcallbackip").peer
    };
    let first = peer().await;
    assert_eq!(peer().await, first, "one connection for both");
    point(&lead, Some(new.address()));
    // Busy all the while: it never is idle.
    while peer().await == first {}
    // Whoever still led to the old address would be lost now.
    old.turn(Mode::Closed).await;
    for _ in 0..20 {
        peer().await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    gate.sandbox.poison(crate::harness::APPID);
    assert_eq!(gate.get("/cgi-bin/getcallbackip").await.errcode(), 0, "the token call too");
}

#[tokio::test(flavor = "multi_thread")]
async fn when_dns_is_dead_new_connections_and_token_calls_go_where_the_last_ones_went() {
    let sandbox = sandbox();
    let front = Front::before(&sandbox.url()).await;
    let lead = Lead::default();
    point(&lead, Some(front.address()));
    let setup = Setup {
        upstream: "base_urls = [\"http://wechat.test\"]\npool_age = \"50ms\"".into(),
        resolver: resolver(&lead),
        ..Setup::default()
    };
    let gate = Gate::before(sandbox, setup).await.settled().await;
    point(&lead, None);
    let mut peers = std::collections::HashSet::new();
    while peers.len() < 3 {
        gate.sandbox.reset();
        assert_eq!(gate.get("/cgi-bin/getcallbackip").await.errcode(), 0);
        peers.insert(gate.only("/cgi-bin/getcallbackip").peer);
    }
    gate.sandbox.rotate(crate::harness::APPID);
    assert_eq!(gate.get("/cgi-bin/getcallbackip").await.errcode(), 0, "the token call too");
}

/// A DNS that leads to an address, then is silent, and then answers what it was asked meanwhile,
/// but nothing any more that is asked later.
#[derive(Clone, Default)]
struct Dns(Arc<(Mutex<State>, Condvar)>);

#[derive(Clone, Copy, Default)]
enum State {
    #[default]
    Dead,
    Leads(SocketAddr),
    Silent,
    Answered(SocketAddr),
}

impl Dns {
    fn resolver(&self) -> Resolver {
        let dns = self.clone();
        Resolver::of(move |_, _| {
            let (state, turned) = &*dns.0;
            let mut state = state.lock();
            let is_late = matches!(*state, State::Silent);
            turned.wait_while(&mut state, |state| matches!(state, State::Silent));
            match *state {
                State::Answered(address) if is_late => Ok(vec![address]),
                State::Leads(address) => Ok(vec![address]),
                _ => Err(std::io::ErrorKind::NotFound.into()),
            }
        })
    }

    fn turn(&self, state: State) {
        *self.0.0.lock() = state;
        self.0.1.notify_all();
    }
}

/// Ends the silence: a test that fails must not wait for threads that do.
struct Ends(Dns);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.turn(State::Dead);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_dns_stops_nobody_however_short_the_connect_timeout_and_is_heard_when_it_speaks() {
    for connect_timeout in ["3s", "900ms"] {
        let sandbox = sandbox();
        let (old, new) = (Front::before(&sandbox.url()).await, Front::before(&sandbox.url()).await);
        let dns = Dns::default();
        dns.turn(State::Leads(old.address()));
        let setup = Setup {
            upstream: format!(
                "base_urls = [\"http://wechat.test\"]\npool_age = \"50ms\"\nconnect_timeout = \"{connect_timeout}\""
            ),
            resolver: dns.resolver(),
            workers: 1,
            ..Setup::default()
        };
        let gate = Gate::before(sandbox, setup).await.settled().await;
        let _ends = Ends(dns.clone());
        dns.turn(State::Silent);
        let mut peers = std::collections::HashSet::new();
        while peers.len() < 3 {
            gate.sandbox.reset();
            let answer = gate.get("/cgi-bin/getcallbackip").await;
            assert_eq!(answer.errcode(), 0, "{connect_timeout}");
            peers.insert(gate.only("/cgi-bin/getcallbackip").peer);
        }
        dns.turn(State::Answered(new.address()));
        old.turn(Mode::Closed).await;
        let served = async || gate.get("/cgi-bin/getcallbackip").await.errcode() == 0;
        until(|| format!("a request to the new address, {connect_timeout}"), served).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_leads_back_to_the_proxy_is_refused_as_a_loop() {
    for listen in ["127.0.0.1:0", "0.0.0.0:0"] {
        let lead = Lead::default();
        let setup = Setup {
            listen: listen.into(),
            server: "anonymous = true".into(),
            upstream: "base_urls = [\"http://wechat.test\"]".into(),
            resolver: resolver(&lead),
            ..Setup::default()
        };
        let gate = Gate::with(setup).await;
        let port = gate.authority().rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
        point(&lead, Some(SocketAddr::from(([127, 0, 0, 1], port))));
        let refresh = gate.client.post(gate.admin_url("/api/v1/apps/shop/refresh"));
        let refreshed = crate::harness::Answer::of(refresh.bearer_auth(crate::harness::ADMIN_TOKEN)).await;
        let message = refreshed.json()["message"].as_str().expect("text").to_owned();
        assert!(message.contains("loop: wechat.test leads to 127.0.0.1"), "{message}");
        assert!(message.contains("upstream.resolve"), "{message}");
        let request = gate.client.get(format!("http://127.0.0.1:{port}/cgi-bin/showqrcode?ticket=t"));
        let answer = crate::harness::Answer::of(request).await;
        assert_eq!(answer.refusal(), (502, "upstream_failed", -70502));
        let lines = gate.end().await;
        assert_eq!(lines.len(), 1, "the request came in once: {lines:?}");
        let cause = lines[0]["cause"].as_str().expect("a cause");
        assert!(cause.contains("loop") && cause.contains("upstream.resolve"), "{cause}");
    }
}
