//! How soon one replica uses what another fetched.

use std::time::Duration;

use tokio::time::Instant;
use wxgate::sandbox::Target;

use super::callers::Callers;
use super::fleet::Fleet;
use crate::redis_server::RedisServer;

const FETCH: &str = "/cgi-bin/stable_token";

/// From the fetch by the one replica, which alone has callers, to the other's having the token.
async fn rotations(times: usize) {
    let redis = RedisServer::start().await;
    let fleet = Fleet::start(2, "stable", &format!("url = \"{}\"", redis.url())).await;
    let callers = Callers::start(&fleet, 0..1, 1);
    let mut took: Vec<Duration> = Vec::new();
    for _ in 0..times {
        let generation = fleet.agreed().await;
        let fetches = fleet.sandbox.journal(Some(FETCH)).len();
        fleet.sandbox.rotate(Target::default());
        fleet.sandbox.arrived(FETCH, fetches + 1).await;
        let fetched = Instant::now();
        while fleet.generation(&fleet.replicas[1]).await != Some(generation + 1) {}
        took.push(fetched.elapsed());
        callers.round().await;
    }
    callers.stop().await.nothing_bad(&fleet);
    assert_eq!(fleet.counts(), (1 + times as u64, 0), "the other fetched nothing\n{}", fleet.logs());
    took.sort();
    let at = |percent: usize| took[(took.len() - 1) * percent / 100];
    println!("{times} rotations: p50 {:?}, p99 {:?}, longest {:?}", at(50), at(99), at(100));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_without_callers_takes_over_each_token_and_fetches_none() {
    rotations(10).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "for the figures; the one above is its short form"]
async fn two_hundred_rotations() {
    rotations(200).await;
}
