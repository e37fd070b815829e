//! Two replicas behind an HAProxy that asks `/readyz`, stopped in turn under load: nobody notices.
//! `WXGATE_STOPS` is how often, 3 by itself; from 20 on there are as many callers as make 2,000
//! requests a second of a release build.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::caller::Caller;
use super::process::{Place, Process};
use super::stops;
use crate::until::until;

const INFO: &str = "/cgi-bin/user/info?openid=o1";

/// A port that is free now.
fn free() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port()
}

/// A replica, stopped and started anew on the same ports.
struct Replica {
    place: Place,
    process: Process,
    ports: [u16; 2],
}

impl Replica {
    async fn start(tls: Option<&rcgen::CertifiedKey<rcgen::KeyPair>>) -> Self {
        let (place, ports) = (Place::new(), [free(), free()]);
        let [proxy, admin] = ports;
        let mut server = format!("listen = [\"127.0.0.1:{proxy}\"]\ndrain_delay = \"2s\"\n");
        if let Some(made) = tls {
            place.write("key.pem", &made.signing_key.serialize_pem());
            place.write("cert.pem", &made.cert.pem());
            server += "tls = { cert = \"cert.pem\", key = \"key.pem\" }\n";
        }
        place.configure(&server, "");
        let config = std::fs::read_to_string(place.path("wxgate.toml")).expect("written");
        let listen = "[admin]\nlisten = \"127.0.0.1:";
        place.write("wxgate.toml", &config.replace(&format!("{listen}0"), &format!("{listen}{admin}")));
        let process = place.serve().await;
        Self { place, process, ports }
    }

    /// Stops it, starts it anew and waits until callers are sent to it again.
    async fn restart(&mut self) {
        self.process.signal("TERM");
        assert_eq!(self.process.ended().await.code(), Some(0));
        assert_eq!(self.process.logged("stopped").await["cut_off"], 0);
        self.process = self.place.serve().await;
        until(|| "its calls", async || self.process.access_lines().len() > 20).await;
    }
}

/// An HAProxy that sends nothing twice, so that whatever fails is seen.
struct LoadBalancer {
    child: Child,
    authority: String,
}

impl LoadBalancer {
    fn start(replicas: &[Replica], tls: bool) -> Self {
        let port = free();
        let speak = if tls { " ssl verify none no-check-ssl" } else { "" };
        let server = |(number, replica): (usize, &Replica)| {
            let [proxy, admin] = replica.ports;
            format!("    server replica{number} 127.0.0.1:{proxy} check port {admin}{speak}\n")
        };
        let servers: String = replicas.iter().enumerate().map(server).collect();
        let config = format!(
            "defaults\n    mode http\n    retries 0\n    timeout connect 5s\n    timeout client 30s\n    \
             timeout server 30s\n    timeout check 5s\n\
             listen callers\n    bind 127.0.0.1:{port}\n    balance roundrobin\n    \
             option httpchk GET /readyz\n    default-server inter 200ms fall 1 rise 1\n{servers}"
        );
        let path = replicas[0].place.path("haproxy.cfg");
        std::fs::write(&path, config).expect("written");
        let mut command = Command::new("haproxy");
        command.arg("-db").arg("-f").arg(path).stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.stderr(Stdio::null()).spawn().expect("haproxy is there: tests/run installs it");
        Self { child, authority: format!("127.0.0.1:{port}") }
    }
}

impl Drop for LoadBalancer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Calls until told otherwise, on one connection as long as it is kept; how often.
async fn call(authority: String, uploads: bool, over: Arc<AtomicBool>) -> usize {
    let (mut calls, mut kept) = (0, None);
    while !over.load(Ordering::Relaxed) {
        let caller = match kept.take() {
            Some(caller) => Some(caller),
            None => Caller::connect(&authority).await,
        };
        let mut caller = caller.expect("the load balancer listens");
        if uploads {
            caller.upload(10, Duration::from_millis(50)).await;
        } else {
            caller.ask(INFO).await;
        }
        let answer = caller.answer().await;
        let answer = answer.unwrap_or_else(|| panic!("no answer after {calls} calls (upload: {uploads})"));
        assert_eq!(answer.head.status, 200, "{answer:?}");
        calls += 1;
        if !answer.head.closes() {
            kept = Some(caller);
        }
        sleep(Duration::from_millis(5)).await;
    }
    calls
}

#[expect(clippy::print_stdout, reason = "for whoever runs the long form")]
async fn stopped_in_turn(tls: bool) {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).expect("a certificate");
    let tls = tls.then_some(&made);
    let mut replicas = [Replica::start(tls).await, Replica::start(tls).await];
    let balancer = LoadBalancer::start(&replicas, tls.is_some());
    let up = async || match Caller::connect(&balancer.authority).await {
        Some(mut caller) => caller.get(INFO).await.is_some_and(|answer| answer.head.status == 200),
        None => false,
    };
    until(|| "an answer through the load balancer", up).await;

    let over = Arc::new(AtomicBool::new(false));
    let (mut callers, began) = (JoinSet::new(), Instant::now());
    for number in 0..if stops() < 20 { 12 } else { 30 } {
        callers.spawn(call(balancer.authority.clone(), number % 3 == 0, Arc::clone(&over)));
    }
    for stop in 0..stops() {
        replicas[stop % 2].restart().await;
    }
    over.store(true, Ordering::Relaxed);
    let calls: usize = callers.join_all().await.into_iter().sum();
    println!("{calls} calls in {:?}", began.elapsed());
    assert!(calls > 100 * stops(), "{calls} calls");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_behind_a_load_balancer_loses_nothing() {
    stopped_in_turn(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_of_replicas_that_speak_tls_loses_nothing() {
    stopped_in_turn(true).await;
}
