//! What another replica does, seen through the store.

use std::sync::Arc;
use std::time::Duration;

use wxgate::secret::Secret;
use wxgate::store::{Record, Saved};
use wxgate::token::{AppOptions, Verdict};
use wxgate::wechat::TokenMode::{Classic, Stable};

use super::bench::{Bench, app, rejection, settle};
use super::fake::{Script, counts};

const STABLE: &str = "access_token:stable:wx-shop";
const CLASSIC: &str = "access_token:classic:wx-shop";

/// Another replica saves a token.
async fn saved_elsewhere(bench: &Bench, key: &str, value: &str, generation: u64) {
    let now = bench.clock.now();
    let record = Record {
        value: Arc::new(Secret::new(value)),
        generation,
        fetched_at: now,
        expires_at: now.plus(Duration::from_secs(7200)),
    };
    let saved = bench.store.save(key, &record).await.expect("memory never fails");
    assert!(matches!(saved, Saved::Saved));
}

#[tokio::test]
async fn a_newer_token_in_the_store_is_taken_without_a_fetch() {
    let bench = Bench::ready(Stable).await;
    let before = bench.token();
    saved_elsewhere(&bench, STABLE, "ELSEWHERE", 5).await;
    let verdict = bench.rejected_with(&before, 20).await;
    assert!(verdict.iter().all(|verdict| matches!(verdict, Verdict::Replay(token) if token.generation == 5)));
    assert_eq!(bench.fake.counts(), counts(0, 0, 0));
    assert_eq!(bench.status().interference, 0);
}

#[tokio::test]
async fn the_next_generation_is_higher_than_any_in_the_store() {
    let bench = Bench::ready(Stable).await;
    saved_elsewhere(&bench, STABLE, "ELSEWHERE", 5).await;
    bench.until("the other's token", |bench| bench.token().generation == 5).await;
    bench.rejected_at_once(1).await;
    assert_eq!(bench.token().generation, 6);
    let stored = bench.store.load(STABLE).await.expect("memory never fails").expect("saved");
    assert_eq!((stored.generation, stored.value.expose()), (6, bench.token().value.expose()));
}

#[tokio::test]
async fn a_replica_waits_for_the_one_that_has_the_lease() {
    let bench = Bench::ready(Stable).await;
    let long = Duration::from_secs(60);
    let lease =
        bench.store.lease(STABLE, "elsewhere", long).await.expect("memory never fails").expect("free");
    let (handle, rejected) = (bench.handle.clone(), rejection(&bench.token(), 1));
    let waiting = tokio::spawn(async move { handle.rejected(rejected).await });
    settle().await;
    assert_eq!(bench.fake.counts(), counts(0, 0, 0));
    saved_elsewhere(&bench, STABLE, "ELSEWHERE", 2).await;
    bench.store.release(&lease).await.expect("memory never fails");
    let verdict = waiting.await.expect("no panic");
    assert!(matches!(verdict, Verdict::Replay(token) if token.value.expose() == "ELSEWHERE"));
    assert_eq!(bench.fake.counts(), counts(0, 0, 0));
}

#[tokio::test]
async fn a_classic_token_that_won_a_race_is_probed_and_replaced_if_it_is_dead() {
    let bench = Bench::ready(Classic).await;
    bench.fake.rotate();
    bench.fake.shut_gate();
    let (handle, rejected) = (bench.handle.clone(), rejection(&bench.token(), 1));
    let waiting = tokio::spawn(async move { handle.rejected(rejected).await });
    bench.fake.fetches_reach(2).await;
    saved_elsewhere(&bench, CLASSIC, "DEAD-ON-ARRIVAL", 9).await;
    bench.fake.open_gate();
    let verdict = waiting.await.expect("no panic");
    assert!(matches!(verdict, Verdict::Replay(token) if token.generation == 9));
    bench
        .until("a live one", |bench| bench.handle.current().is_some_and(|token| token.generation == 10))
        .await;
    assert_eq!(bench.fake.counts(), counts(2, 0, 2));
}

#[tokio::test]
async fn what_another_replica_saves_is_used_at_once_without_a_request() {
    let bench = Bench::ready(Stable).await;
    saved_elsewhere(&bench, STABLE, "ELSEWHERE", 5).await;
    bench.until("the other's token", |bench| bench.token().generation == 5).await;
    assert_eq!(bench.fake.counts(), counts(0, 0, 0));
}

#[tokio::test]
async fn replicas_on_one_store_take_over_what_the_first_of_them_fetched() {
    let bench = Bench::ready(Stable).await;
    let replica = bench.replica(Stable);
    let other = replica.handle("shop").expect("configured");
    assert_eq!(other.obtain().await.expect("stored").generation, 1);
    bench.fake.rotate();
    let verdicts = bench.rejected_at_once(1).await;
    assert!(matches!(&verdicts[..], [Verdict::Replay(token)] if token.generation == 2));
    let at_two = |token: Arc<wxgate::token::Token>| token.generation == 2;
    bench.until("the first's token", |_| other.current().is_some_and(at_two)).await;
    assert_eq!(bench.fake.counts(), counts(1, 0, 0));
}

#[tokio::test]
async fn a_failed_fetch_is_followed_by_a_look_at_what_another_replica_saved_meanwhile() {
    let bench = Bench::ready(Stable).await;
    bench.fake.rotate();
    bench.fake.shut_gate();
    bench.fake.state().script = Script::Error(-1, "system error");
    let (handle, rejected) = (bench.handle.clone(), rejection(&bench.token(), 1));
    let waiting = tokio::spawn(async move { handle.rejected(rejected).await });
    bench.fake.fetches_reach(2).await;
    saved_elsewhere(&bench, STABLE, "ELSEWHERE", 5).await;
    bench.fake.open_gate();
    let verdict = waiting.await.expect("no panic");
    assert!(matches!(&verdict, Verdict::Replay(token) if token.value.expose() == "ELSEWHERE"), "{verdict:?}");
}

#[tokio::test]
async fn an_app_that_is_renamed_while_its_token_is_fetched_fetches_no_second_one() {
    let bench = Bench::ready(Classic).await;
    let before = bench.token();
    bench.fake.rotate();
    bench.fake.shut_gate();
    let (handle, rejected) = (bench.handle.clone(), rejection(&before, 1));
    let first = tokio::spawn(async move { handle.rejected(rejected).await });
    bench.fake.fetches_reach(2).await;
    bench.reconfigure(vec![AppOptions { name: "renamed".into(), ..app("shop", Classic, "s3cret") }]);
    let renamed = bench.manager.handle("renamed").expect("configured");
    assert_eq!(renamed.obtain().await.expect("stored").generation, before.generation);
    let (handle, rejected) = (renamed.clone(), rejection(&before, 1));
    let second = tokio::spawn(async move { handle.rejected(rejected).await });
    bench.until("a probe of each", |bench| bench.fake.counts().probes == 2).await;
    settle().await;
    bench.fake.open_gate();
    for verdict in [first, second] {
        let verdict = verdict.await.expect("no panic");
        assert!(matches!(&verdict, Verdict::Replay(token) if token.generation == 2), "{verdict:?}");
    }
    assert_eq!(bench.fake.counts(), counts(1, 0, 2));
}
