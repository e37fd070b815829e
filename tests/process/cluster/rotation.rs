//! The token is rotated from outside, and all replicas have the next one.

use std::time::Duration;

use wxgate::sandbox::Target;

use super::callers::Callers;
use super::fleet::Fleet;
use crate::redis_server::RedisServer;

/// Each rotation costs one fetch in the whole cluster, whoever notices it, and no caller sees
/// anything.
async fn rotations(replicas: usize, each: usize, times: u64, mode: &str) {
    let redis = RedisServer::start().await;
    let fleet = Fleet::start(replicas, mode, &format!("url = \"{}\"", redis.url())).await;
    assert_eq!(fleet.counts(), (1, 0), "one fetch for all at the start\n{}", fleet.logs());
    let callers = Callers::start(&fleet, 0..replicas, each);
    let (mut slowest, mut generation) = (Duration::ZERO, fleet.agreed().await);
    for _ in 0..times {
        fleet.sandbox.rotate(Target::default());
        let (agreed, took) = fleet.agreed_on(generation + 1).await;
        (slowest, generation) = (slowest.max(took), agreed);
        // No request is replayed more than twice, so none may meet more rotations than that.
        callers.round().await;
    }
    let seen = callers.stop().await;
    println!(
        "{replicas} replicas, {mode}: {} answers, longest {:?}; all agreed within {slowest:?}",
        seen.answers, seen.longest
    );
    seen.nothing_bad(&fleet);
    assert_eq!(fleet.counts(), (1 + times, 0), "{}", fleet.logs());
    assert_eq!(generation, 1 + times);
    assert_eq!(fleet.metric("wxgate_token_interference_total{app=\"shop\"}").await, times as f64);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_replica_with_50_callers_fetches_once_for_each_rotation() {
    rotations(1, 50, 20, "stable").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_with_50_callers_each_fetch_once_for_each_rotation() {
    rotations(2, 50, 20, "stable").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_replicas_with_50_callers_each_fetch_once_for_each_rotation() {
    rotations(8, 50, 20, "stable").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_classic_mode_two_replicas_fetch_once_for_each_rotation_too() {
    rotations(2, 10, 5, "classic").await;
}
