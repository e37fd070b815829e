//! A day's budget that replicas share: never exceeded, whatever becomes of the store or of one of
//! them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use wxgate::sandbox::{App, AppKind, Options, Sandbox};

use super::fleet::{Fleet, SECRET};
use crate::client::client;
use crate::redis_server::RedisServer;
use crate::until::{LOST, until};

const APPID: &str = "wx0000000000000001";
const SEND: &str = "/cgi-bin/message/custom/send";
const BUDGET: usize = 1000;
const REPLICAS: usize = 8;
/// Of each replica: 200 connections together.
const CALLERS: usize = 25;
/// The largest slice of such a budget, and the one that is reserved ahead of its end.
const SLICES: usize = 2 * (BUDGET / 64);

async fn fleet(redis: &RedisServer) -> Fleet {
    let apps = vec![App::new(APPID, SECRET, AppKind::OfficialAccount)];
    let sandbox = Sandbox::start(Options { apps, ..Options::default() }).expect("the sandbox starts");
    let app = format!("appid = \"{APPID}\"\n[[limit]]\nendpoint = \"{SEND}\"\ndaily = {BUDGET}\n");
    let mut fleet = Fleet::before(sandbox, &app, &format!("url = \"{}\"", redis.url()));
    for _ in 0..REPLICAS {
        fleet.add().await;
    }
    fleet.agreed().await;
    fleet
}

/// Callers of each replica that ask as fast as they are answered.
struct Rush {
    stop: Arc<AtomicBool>,
    passed: Arc<AtomicUsize>,
    /// By replica.
    refused: Vec<Arc<AtomicUsize>>,
    tasks: JoinSet<()>,
}

impl Rush {
    fn start(fleet: &Fleet) -> Self {
        let (stop, passed) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let (mut refused, mut tasks) = (Vec::new(), JoinSet::new());
        for replica in &fleet.replicas {
            let refusals = Arc::<AtomicUsize>::default();
            let client = client();
            for _ in 0..CALLERS {
                let url = format!("http://{}{SEND}", replica.authority);
                let (stop, passed, refusals) =
                    (Arc::clone(&stop), Arc::clone(&passed), Arc::clone(&refusals));
                tasks.spawn(ask(client.clone(), url, stop, passed, refusals));
            }
            refused.push(refusals);
        }
        Self { stop, passed, refused, tasks }
    }

    fn passed(&self) -> usize {
        self.passed.load(Ordering::Relaxed)
    }

    /// Waits until `done`, and says how long that took.
    async fn until(&self, fleet: &Fleet, done: impl Fn(&Self) -> bool) -> Duration {
        let began = Instant::now();
        until(|| format!("{} passed\n{}", self.passed(), fleet.logs()), async || done(self)).await;
        began.elapsed()
    }

    /// Waits until those replicas have refused each of their callers again and again.
    async fn refused_by(&self, fleet: &Fleet, replicas: std::ops::Range<usize>) {
        let goals: Vec<_> =
            self.refused.iter().map(|count| count.load(Ordering::Relaxed) + 3 * CALLERS).collect();
        let reached = |rush: &Self| {
            replicas.clone().all(|index| rush.refused[index].load(Ordering::Relaxed) >= goals[index])
        };
        self.until(fleet, reached).await;
    }

    /// Ends it; gives how many passed.
    async fn end(mut self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        timeout(LOST, async { while self.tasks.join_next().await.is_some() {} }).await.expect("all end");
        self.passed()
    }
}

/// Until it is stopped, or its replica is gone.
async fn ask(
    client: reqwest::Client,
    url: String,
    stop: Arc<AtomicBool>,
    passed: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
) {
    while !stop.load(Ordering::Relaxed) {
        let Ok(answer) = client.post(&url).body(r#"{"touser":"o","msgtype":"text"}"#).send().await else {
            return;
        };
        let code = answer.headers().get("x-wxgate-error").cloned();
        let Ok(body) = answer.bytes().await else { return };
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        match code {
            None => {
                assert_eq!(body["errcode"], 0, "{body}");
                passed.fetch_add(1, Ordering::Relaxed);
            }
            Some(code) => {
                assert!(code == "quota_exhausted" && body["errcode"] == 45009, "{body}");
                refused.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_callers_of_eight_replicas_get_exactly_the_budget() {
    let redis = RedisServer::start().await;
    let fleet = fleet(&redis).await;
    let rush = Rush::start(&fleet);
    let took = rush.until(&fleet, |rush| rush.passed() >= BUDGET).await;
    rush.refused_by(&fleet, 0..REPLICAS).await;
    let refused: usize = rush.refused.iter().map(|count| count.load(Ordering::Relaxed)).sum();
    assert_eq!(rush.end().await, BUDGET, "{}", fleet.logs());
    assert_eq!(fleet.sandbox.journal(Some(SEND)).len(), BUDGET);
    println!("{BUDGET} passed in {took:?}, {refused} were refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_store_stands_still_each_replica_spends_its_slice_and_no_more() {
    let redis = RedisServer::start().await;
    let fleet = fleet(&redis).await;
    let rush = Rush::start(&fleet);
    rush.until(&fleet, |rush| rush.passed() >= BUDGET / 4).await;
    redis.signal("STOP");
    rush.refused_by(&fleet, 0..REPLICAS).await;
    let stopped = rush.passed();
    rush.refused_by(&fleet, 0..REPLICAS).await;
    assert_eq!(rush.passed(), stopped, "nothing is left anywhere");
    redis.signal("CONT");
    // What was asked for when it stopped is granted to nobody: a slice for each replica.
    let least = BUDGET - REPLICAS * SLICES;
    rush.until(&fleet, |rush| rush.passed() >= least).await;
    rush.refused_by(&fleet, 0..REPLICAS).await;
    let passed = rush.end().await;
    assert!((least..=BUDGET).contains(&passed), "{passed}");
    assert_eq!(fleet.sandbox.journal(Some(SEND)).len(), passed);
    println!("{stopped} passed until all was spent without the store, {passed} in the end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_is_killed_costs_its_slice_at_most() {
    let redis = RedisServer::start().await;
    let mut fleet = fleet(&redis).await;
    let rush = Rush::start(&fleet);
    rush.until(&fleet, |rush| rush.passed() >= BUDGET / 4).await;
    fleet.replicas[REPLICAS - 1].kill();
    // And the requests that it had let through, which may have reached WeChat or not.
    let least = BUDGET - SLICES - CALLERS;
    rush.until(&fleet, |rush| rush.passed() >= least).await;
    rush.refused_by(&fleet, 0..REPLICAS - 1).await;
    rush.end().await;
    let reached = fleet.sandbox.journal(Some(SEND)).len();
    assert!((least..=BUDGET).contains(&reached), "{reached}");
    println!("{reached} of {BUDGET} reached WeChat");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_loses_its_data_grants_no_second_budget() {
    let redis = RedisServer::start().await;
    let fleet = fleet(&redis).await;
    let rush = Rush::start(&fleet);
    rush.until(&fleet, |rush| rush.passed() >= BUDGET * 3 / 4).await;
    redis.command(&["FLUSHALL"]);
    rush.refused_by(&fleet, 0..REPLICAS).await;
    let passed = rush.end().await;
    // Of the others' slices a replica knows those that were reserved before its own last one.
    let most = BUDGET + REPLICAS * SLICES / 2;
    assert!((BUDGET * 3 / 4..=most).contains(&passed), "{passed}\n{}", fleet.logs());
    println!("{passed} of {BUDGET} passed, although Redis lost its data after three quarters");
}
