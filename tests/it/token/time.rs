//! What time does to a token.

use std::sync::Arc;

use wxgate::token::{Reason, State};
use wxgate::wechat::TokenMode::{Classic, Stable};

use super::bench::{Bench, hasty, settle};
use super::fake::{Script, counts};

#[tokio::test]
async fn a_token_is_renewed_in_its_last_minutes_while_the_old_one_is_served() {
    for mode in [Stable, Classic] {
        let bench = Bench::ready(mode).await;
        bench.fake.rotate();
        bench.pass(6_800).await;
        assert_eq!(bench.fake.counts(), counts(0, 0, 0), "{mode:?}: not earlier");
        bench.fake.shut_gate();
        bench.pass(140).await;
        bench.fake.fetches_reach(2).await;
        assert_eq!(bench.token().generation, 1, "still served");
        bench.fake.open_gate();
        bench.until("the new token", |bench| bench.token().generation == 2).await;
        assert_eq!(bench.fake.counts(), counts(1, 0, 0));
        assert_eq!(bench.status().last_refresh.expect("made").reason, Reason::Ahead);
        assert_eq!(bench.status().interference, 0);
    }
}

#[tokio::test]
async fn a_token_that_is_not_renewed_yet_is_asked_for_every_thirty_seconds() {
    let bench = Bench::ready(Stable).await;
    bench.fake.state().expires_in = 265;
    bench.pass(6_935).await;
    bench.fake.fetches_reach(2).await;
    settle().await;
    bench.pass(20).await;
    assert_eq!(bench.fake.counts(), counts(1, 0, 0));
    bench.fake.rotate();
    bench.pass(11).await;
    bench.until("the new token", |bench| bench.token().generation == 2).await;
    assert_eq!(bench.fake.counts(), counts(2, 0, 0));
}

#[tokio::test]
async fn a_token_of_one_minute_is_not_fetched_more_than_twice_a_minute() {
    let bench = Bench::ready(Stable).await;
    bench.fake.state().expires_in = 60;
    bench.fake.rotate();
    bench.rejected_at_once(1).await;
    bench.fake.forget();
    for _ in 0..60 {
        bench.fake.rotate();
        bench.pass(10).await;
    }
    let fetches = bench.fake.counts().fetches;
    assert!((5..=20).contains(&fetches), "{fetches} in ten minutes");
}

#[tokio::test]
async fn an_expired_token_is_not_served() {
    let bench = Bench::ready_with(Stable, hasty()).await;
    bench.fake.state().script = Script::Error(-1, "system error");
    bench.pass(7_200).await;
    bench.until("it expires", |bench| bench.handle.current().is_none()).await;
    assert_eq!(bench.handle.obtain().await.expect_err("none to be had").errcode, Some(-1));
    assert_eq!(bench.status().state, State::Failing);
}

#[tokio::test]
async fn a_clock_that_jumps_two_hours_either_way_costs_few_fetches() {
    for mode in [Stable, Classic] {
        for jump in [7_200, -7_200] {
            let bench = Bench::ready(mode).await;
            bench.pass(jump).await;
            bench.handle.obtain().await.expect("a token");
            bench.pass(-jump).await;
            bench.handle.obtain().await.expect("a token");
            settle().await;
            let fetches = bench.fake.counts().fetches;
            assert!(fetches <= 2, "{mode:?} {jump}: {fetches}");
        }
    }
}

#[tokio::test]
async fn a_clock_set_back_does_not_keep_a_token_for_longer() {
    let bench = Bench::ready(Stable).await;
    bench.pass(-7_200).await;
    bench.fake.rotate();
    // Seen from where the clock is now, the token's life begins anew at most once.
    bench.pass(6_950 + 7_200).await;
    bench.until("the refresh", |bench| bench.token().generation == 2).await;
}

#[tokio::test]
async fn an_upload_gets_a_token_that_is_not_in_its_last_minutes() {
    let bench = Bench::ready(Stable).await;
    let token = bench.token();
    assert_eq!(bench.handle.freshen(Arc::clone(&token)).await.generation, 1);
    assert_eq!(bench.fake.counts(), counts(0, 0, 0));
    bench.fake.rotate();
    bench.pass(6_901).await;
    assert_eq!(bench.handle.freshen(Arc::clone(&token)).await.generation, 2);
    assert_eq!(bench.fake.counts(), counts(1, 0, 0));
}

#[tokio::test]
async fn uploads_do_not_ask_again_and_again_for_what_is_not_renewed_yet() {
    let bench = Bench::ready(Stable).await;
    let token = bench.token();
    bench.fake.state().expires_in = 295;
    bench.pass(6_905).await;
    for _ in 0..20 {
        assert_eq!(bench.handle.freshen(Arc::clone(&token)).await.generation, 1);
    }
    assert_eq!(bench.fake.counts(), counts(1, 0, 0));
}
