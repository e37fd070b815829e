//! What breaks between the replicas, and that callers notice none of it.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use wxgate::sandbox::{Action, Fault, Target};

use super::callers::{Callers, Seen};
use super::fleet::Fleet;
use crate::redis_server::{RedisServer, Watched};
use crate::until::{LOST, until};

const FETCH: &str = "/cgi-bin/stable_token";
const CLASSIC: &str = "/cgi-bin/token";

async fn fleet(redis: &RedisServer, replicas: usize) -> Fleet {
    Fleet::start(replicas, "stable", &format!("url = \"{}\"", redis.url())).await
}

/// Waits until every replica sees the store as up, or as down.
async fn store_is(fleet: &Fleet, up: bool) {
    for replica in &fleet.replicas {
        let seen = async || fleet.status(replica).await.is_some_and(|status| status["store"]["up"] == up);
        until(|| format!("a store with up={up}\n{}", fleet.logs()), seen).await;
    }
}

/// Ends the callers, who must have seen nothing of it.
async fn unharmed(callers: Callers, fleet: &Fleet) -> Seen {
    let seen = callers.stop().await;
    seen.nothing_bad(fleet);
    seen
}

/// One rotation while all is well costs one fetch.
async fn one_more_rotation(fleet: &Fleet) {
    let (fetches, generation) = (fleet.counts().0, fleet.agreed().await);
    fleet.sandbox.rotate(Target::default());
    let callers = Callers::start(fleet, 0..fleet.replicas.len(), 2);
    fleet.agreed_on(generation + 1).await;
    unharmed(callers, fleet).await;
    assert_eq!(fleet.counts(), (fetches + 1, 0), "{}", fleet.logs());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_death_of_the_replica_that_fetches_costs_one_fetch_and_the_rest_of_its_lease() {
    let redis = RedisServer::start().await;
    let mut fleet = fleet(&redis, 3).await;
    let action = Action::Latency { milliseconds: 60_000 };
    let held_back = Fault { path: Some(FETCH.into()), times: Some(1), after: 0, action };
    fleet.sandbox.fault(held_back);
    fleet.sandbox.rotate(Target::default());
    let first = Callers::start(&fleet, 0..1, 1);
    fleet.sandbox.arrived(FETCH, 2).await;
    let others = Callers::start(&fleet, 1..3, 20);
    fleet.replicas[0].kill();
    let began = Instant::now();
    drop(first);
    fleet.replicas.remove(0);
    fleet.agreed_on(2).await;
    let took = began.elapsed();
    let seen = unharmed(others, &fleet).await;
    println!("a new token {took:?} after the kill; the longest wait of a caller {:?}", seen.longest);
    assert_eq!(fleet.counts(), (3, 0), "the first, the one that was lost, the next\n{}", fleet.logs());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_is_killed_and_comes_back_empty_is_not_noticed_by_callers() {
    let mut redis = RedisServer::start().await;
    let fleet = fleet(&redis, 2).await;
    let callers = Callers::start(&fleet, 0..2, 20);
    redis.kill();
    store_is(&fleet, false).await;
    redis.restart().await;
    store_is(&fleet, true).await;
    assert_eq!(fleet.agreed().await, 1);
    unharmed(callers, &fleet).await;
    assert_eq!(fleet.counts(), (1, 0), "{}", fleet.logs());
    one_more_rotation(&fleet).await;
}

/// Redis is stopped for a while, in which the token is rotated once.
async fn pause(lasts: Duration) {
    let redis = RedisServer::start().await;
    let fleet = fleet(&redis, 2).await;
    let callers = Callers::start(&fleet, 0..2, 20);
    redis.signal("STOP");
    store_is(&fleet, false).await;
    fleet.sandbox.rotate(Target::default());
    sleep(lasts).await;
    redis.signal("CONT");
    store_is(&fleet, true).await;
    let (generation, took) = fleet.agreed_on(2).await;
    let seen = unharmed(callers, &fleet).await;
    println!(
        "paused for {lasts:?}: {} answers, longest {:?}; agreed {took:?} after the store was back",
        seen.answers, seen.longest
    );
    // Without the store each of the two fetches for itself; in stable mode both get the same token.
    assert_eq!(generation, 2);
    assert_eq!(fleet.counts(), (3, 0), "{}", fleet.logs());
    one_more_rotation(&fleet).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_hangs_is_not_noticed_by_callers() {
    pause(Duration::from_secs(2)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes half a minute; the one above is its short form"]
async fn a_redis_that_hangs_for_half_a_minute_is_not_noticed_by_callers() {
    pause(Duration::from_secs(30)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_flushall_the_token_is_published_anew() {
    let redis = RedisServer::start().await;
    let mut fleet = fleet(&redis, 2).await;
    let callers = Callers::start(&fleet, 0..2, 20);
    redis.command(&["FLUSHALL"]);
    let published = async || !redis.command(&["DBSIZE"]).trim_end().ends_with('0');
    until(|| "a replica's token in the store", published).await;
    fleet.add().await;
    assert_eq!(fleet.agreed().await, 1, "a new replica takes it from there");
    unharmed(callers, &fleet).await;
    assert_eq!(fleet.counts(), (1, 0), "{}", fleet.logs());
    one_more_rotation(&fleet).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_by_a_sentinel_is_not_noticed_by_callers() {
    let mut watched = Watched::start().await;
    let fleet = Fleet::start(2, "stable", &format!("url = \"{}\"", watched.url())).await;
    let callers = Callers::start(&fleet, 0..2, 20);
    watched.master.kill();
    let began = Instant::now();
    store_is(&fleet, false).await;
    store_is(&fleet, true).await;
    println!("on the new master {:?} after the old one's end", began.elapsed());
    assert_eq!(fleet.agreed().await, 1);
    unharmed(callers, &fleet).await;
    assert_eq!(fleet.counts(), (1, 0), "{}", fleet.logs());
    one_more_rotation(&fleet).await;
}

/// Both sides of a split fetch, the first as often as `first_fetches` says, the second once and
/// last, so that its token alone lives.
async fn split(mode: &str, first_fetches: u64) -> Fleet {
    let redis = RedisServer::start().await;
    let fleet = Fleet::start(2, mode, &format!("url = \"{}\"", redis.url())).await;
    redis.signal("STOP");
    store_is(&fleet, false).await;
    for round in 1..=first_fetches {
        fleet.sandbox.rotate(Target::default());
        let one = Callers::start(&fleet, 0..1, 1);
        until(|| "the one's token", async || fleet.generations().await[0] == Some(1 + round)).await;
        unharmed(one, &fleet).await;
    }
    fleet.sandbox.rotate(Target::default());
    let other = Callers::start(&fleet, 1..2, 1);
    until(|| "the other's token", async || fleet.generations().await[1] == Some(2)).await;
    unharmed(other, &fleet).await;
    let fetches = fleet.counts().0;
    redis.signal("CONT");
    store_is(&fleet, true).await;
    let healed = Instant::now();
    let callers = Callers::start(&fleet, 0..2, 10);
    let agreed = async {
        loop {
            let generation = fleet.agreed().await;
            sleep(Duration::from_millis(500)).await;
            if fleet.agreed().await == generation {
                return generation;
            }
        }
    };
    let generation = timeout(LOST, agreed).await.expect("agreement");
    let seen = unharmed(callers, &fleet).await;
    println!(
        "{mode}, {first_fetches} fetches against one: generation {generation}, {} more fetches, {:?} with a look \
         back of 0.5 s; longest answer {:?}",
        fleet.counts().0 - fetches,
        healed.elapsed(),
        seen.longest
    );
    assert!(fleet.counts().0 - fetches <= 1, "{}", fleet.logs());
    one_more_rotation(&fleet).await;
    fleet
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_split_with_as_many_fetches_the_later_token_holds() {
    let fleet = split("stable", 1).await;
    assert_eq!(fleet.agreed().await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_split_the_dead_token_of_the_busier_side_is_replaced_by_the_live_one() {
    split("stable", 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_split_in_classic_mode_all_agree_on_a_live_token() {
    split("classic", 3).await;
}

/// Redis stands still while one replica fetches and the others wait for it, each time for so long.
async fn pauses_in_a_fetch(replicas: usize) {
    let redis = RedisServer::start().await;
    let fleet = Fleet::start(replicas, "classic", &format!("url = \"{}\"", redis.url())).await;
    let callers = Callers::start(&fleet, 0..replicas, 5);
    let mut generation = fleet.agreed().await;
    for lasts in [300, 500, 1000, 2500].map(Duration::from_millis) {
        let action = Action::Latency { milliseconds: 1500 };
        fleet.sandbox.fault(Fault { path: Some(CLASSIC.into()), times: Some(1), after: 0, action });
        let arrived = usize::try_from(fleet.counts().0).expect("few") + 1;
        fleet.sandbox.rotate(Target::default());
        fleet.sandbox.arrived(CLASSIC, arrived).await;
        // Real time, which other processes have: for each of them to meet the rejection.
        sleep(Duration::from_millis(500)).await;
        redis.signal("STOP");
        sleep(lasts).await;
        redis.signal("CONT");
        generation = fleet.agreed_on(generation + 1).await.0;
        callers.round().await;
        assert_eq!(fleet.counts().0, generation, "{lasts:?}\n{}", fleet.logs());
    }
    let seen = unharmed(callers, &fleet).await;
    println!("{replicas} replicas: {} answers, longest {:?}", seen.answers, seen.longest);
    assert_eq!((generation, fleet.counts()), (5, (5, 0)), "{}", fleet.logs());
}

#[tokio::test(flavor = "multi_thread")]
async fn while_redis_stands_still_two_replicas_in_classic_mode_fetch_once() {
    pauses_in_a_fetch(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_redis_stands_still_four_replicas_in_classic_mode_fetch_once() {
    pauses_in_a_fetch(4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_without_an_end_that_somebody_planted_is_taken_over() {
    let redis = RedisServer::start().await;
    let fleet = Fleet::start(2, "classic", &format!("url = \"{}\"", redis.url())).await;
    let app = fleet.status(&fleet.replicas[0]).await.expect("a status")["apps"][0]["appid"].clone();
    let key = format!("{{wxgate}}:lease:access_token:classic:{}", app.as_str().expect("an appid"));
    redis.command(&["SET", &key, "planted"]);
    let callers = Callers::start(&fleet, 0..2, 5);
    fleet.sandbox.rotate(Target::default());
    let (generation, took) = fleet.agreed_on(2).await;
    println!("healed after {took:?}");
    unharmed(callers, &fleet).await;
    assert_eq!((generation, fleet.counts()), (2, (2, 0)), "{}", fleet.logs());
}
