//! The day's counters of several replicas on one Redis: one sum, nothing twice, and little lost
//! with a process.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use wxgate::observe::clock::Clock;
use wxgate::store::{self, Location, Store};

use super::callers::Callers;
use super::fleet::Fleet;
use crate::redis_server::RedisServer;
use crate::until::until;

const INFO: &str = "/cgi-bin/user/info";
const COUNTED: &str =
    "wxgate_calls_today{app=\"shop\",caller=\"anonymous\",endpoint=\"/cgi-bin/user/info\"} ";

fn figure(name: &str) -> String {
    format!("wxgate_quota_{name}{{app=\"shop\",endpoint=\"{INFO}\"}} ")
}

/// Waits until replica 0 tells that many calls of today.
async fn counted(fleet: &Fleet, calls: f64) -> Duration {
    let began = Instant::now();
    let told = async || fleet.metric_of(&fleet.replicas[0], COUNTED).await;
    until(|| format!("{calls} calls, told by replica 0"), async || told().await == calls).await;
    began.elapsed()
}

/// What the store counts of today.
async fn stored(store: &Store) -> usize {
    let counts = store.counts(Clock::default().now().beijing_day()).await.expect("the store works").counts;
    counts.into_iter().map(|(_, count)| usize::try_from(count).expect("few")).sum()
}

/// How often WeChat was called before `at_us`, by the journal's clock.
fn calls(fleet: &Fleet) -> Vec<u64> {
    fleet.sandbox.journal(Some(INFO)).iter().map(|entry| entry.at_us).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_add_up_and_a_killed_one_takes_at_most_its_last_second_with_it() {
    let redis = RedisServer::start().await;
    let location = Location::parse(&redis.url()).expect("a URL");
    let store = Store::open(&store::Options { location, seal: None }).await.expect("a store");
    let mut fleet = Fleet::start(2, "stable", &format!("url = \"{}\"", redis.url())).await;
    let both = Callers::start(&fleet, 0..2, 4);
    for replica in &fleet.replicas {
        let limit = async || fleet.metric_of(replica, &figure("limit")).await;
        until(|| "WeChat's figures", async || limit().await > 0.0).await;
        let around = fleet.metric_of(replica, &figure("around")).await;
        assert_eq!(around, 0.0, "calls of the other replica are told as somebody else's");
    }
    both.stop().await.nothing_bad(&fleet);
    let first = calls(&fleet).len();
    let took = counted(&fleet, first as f64).await;
    println!("{first} calls of two replicas, told as one sum after {took:?}");

    let doomed = Callers::start(&fleet, 1..2, 4);
    // Real time, which another process has: several flushes, so that most of its calls are not
    // doubtful.
    sleep(Duration::from_secs(3)).await;
    fleet.replicas[1].kill();
    drop(doomed);
    let all = calls(&fleet);
    let last = all.last().copied().expect("calls");
    // A flush a second, and what Redis and a busy machine add.
    let doubtful = all.iter().filter(|at| **at + 1_500_000 > last).count();
    // What it had flushed is all that is left of it. Replica 0 looks every ten seconds.
    let told = stored(&store).await as f64;
    counted(&fleet, told).await;
    let lost = all.len() as f64 - told;
    println!(
        "{} calls, {told} counted, {lost} lost with the process, {doubtful} in its last 1.5 s",
        all.len()
    );
    assert!(lost >= 0.0, "{lost}: counted twice");
    assert!(lost <= doubtful as f64, "{lost} of {doubtful}");
    assert!(told > first as f64, "nothing of the killed one was counted");

    // It comes back, and both tell what both counted.
    fleet.restart(1).await;
    let after = Callers::start(&fleet, 0..2, 2);
    after.round().await;
    after.stop().await.nothing_bad(&fleet);
    counted(&fleet, calls(&fleet).len() as f64 - lost).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_away_gets_every_call_once() {
    let redis = RedisServer::start().await;
    let fleet = Fleet::start(2, "stable", &format!("url = \"{}\"", redis.url())).await;
    let callers = Callers::start(&fleet, 0..2, 4);
    for _ in 0..3 {
        sleep(Duration::from_millis(700)).await;
        redis.signal("STOP");
        sleep(Duration::from_millis(900)).await;
        redis.signal("CONT");
    }
    callers.stop().await.nothing_bad(&fleet);
    let took = counted(&fleet, calls(&fleet).len() as f64).await;
    println!("{} calls with three pauses of the store, all told after {took:?}", calls(&fleet).len());
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_come_while_wechats_figures_are_compared_are_told_as_used() {
    const CALLERS: usize = 48;
    let redis = RedisServer::start().await;
    let fleet = Fleet::start(1, "stable", &format!("url = \"{}\"", redis.url())).await;
    let replica = &fleet.replicas[0];
    let callers = Callers::start(&fleet, 0..1, CALLERS);
    // A configuration that is read again while they call costs no count.
    for _ in 0..4 {
        callers.round().await;
        fleet.reload(replica).await;
    }
    until(|| "WeChat's figures", async || fleet.metric_of(replica, &figure("limit")).await > 0.0).await;
    callers.round().await;
    callers.stop().await.nothing_bad(&fleet);

    let sent = calls(&fleet).len();
    let counted = fleet.metric_of(replica, COUNTED).await;
    let used = fleet.metric_of(replica, &figure("used")).await;
    println!("{sent} calls, {counted} counted, {used} used");
    assert_eq!(counted, sent as f64);
    // Each caller may have had one under way when WeChat was asked.
    assert!(used + CALLERS as f64 >= sent as f64, "{used} used of {sent}");
}
