//! Callers of three replicas on Redis while everything goes wrong at random, and what must hold all the same.
//!
//! `SOAK_MINUTES=20 SOAK_SEED=7 cargo test --features otlp --test soak -- --ignored --nocapture`; both may be
//! left out. The seed decides what goes wrong, and in which order; how the processes meet it is theirs.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test ends where its setting fails, and says what it saw"
)]
#![expect(unreachable_pub, reason = "a test program has no outside")]

#[path = "../process/client.rs"]
mod client;
#[expect(dead_code, reason = "shared with the tests of the cluster, which look at more")]
#[path = "../process/cluster/fleet.rs"]
mod fleet;
#[expect(dead_code, reason = "shared with the tests of the store, which look at more")]
#[path = "../redis_server.rs"]
mod redis_server;
#[path = "../until.rs"]
mod until;

mod callers;
mod judge;
mod ledger;
mod process;
mod redis;
mod stage;
mod trouble;

use std::time::Duration;

use stage::Stage;
use tokio::time::Instant;
use trouble::Trouble;

/// Of fair weather after each trouble: what was begun in it must go well.
const CALM: Duration = Duration::from_millis(1500);

#[expect(clippy::disallowed_methods, reason = "there is nothing else to set it by")]
fn setting<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok().map(|text| text.parse().ok().unwrap_or_else(|| panic!("{name}={text:?}")))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs by hand, for as long as is wanted"]
async fn callers_get_one_answer_each_and_no_post_is_carried_out_twice() {
    let seed = setting("SOAK_SEED").unwrap_or_else(|| fastrand::u64(..1_000_000));
    let minutes: f64 = setting("SOAK_MINUTES").unwrap_or(1.0);
    println!("SOAK_SEED={seed} SOAK_MINUTES={minutes}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut stage = Stage::set(minutes).await;
    let ends = Instant::now() + Duration::from_secs_f64(minutes * 60.0);
    while Instant::now() < ends {
        let trouble = Trouble::draw(&mut random);
        stage.suffer(trouble, &mut random).await;
        tokio::time::sleep(CALM).await;
        stage.look();
    }
    stage.end().await;
}
