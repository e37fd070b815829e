//! Callers of three replicas on Redis while everything goes wrong at random, and what must hold all
//! the same.
//!
//! `SOAK_MINUTES=20 SOAK_SEED=7 cargo test --locked --features otlp --test soak -- --nocapture`;
//! without them it is a minute of always the same seed. The seed decides what goes wrong, in which
//! order, and what callers do; how the processes meet it is theirs.
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
mod midnight;
mod process;
mod redis;
mod stage;
mod tagged;
mod trouble;

use std::time::Duration;

use stage::Stage;
use trouble::Trouble;

/// Of fair weather after each trouble: what was begun in it must go well.
const CALM: Duration = Duration::from_millis(1500);
/// Its first minute has what must not have a message sent twice, and all but a poisoned token,
/// which takes half a minute.
const USUAL_SEED: u64 = 99;

#[expect(clippy::disallowed_methods, reason = "there is nothing else to set it by")]
fn setting<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok().map(|text| text.parse().ok().unwrap_or_else(|| panic!("{name}={text:?}")))
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_get_one_answer_each_and_no_post_is_carried_out_twice() {
    let seed = setting("SOAK_SEED").unwrap_or(USUAL_SEED);
    let minutes: u32 = setting("SOAK_MINUTES").unwrap_or(1);
    println!("SOAK_SEED={seed} SOAK_MINUTES={minutes}");
    midnight::keep_clear(minutes).await;
    let mut random = fastrand::Rng::with_seed(seed);
    let mut stage = Stage::set(minutes, seed).await;
    for _ in 0..minutes {
        for trouble in Trouble::deck(&mut random) {
            stage.suffer(trouble, &mut random).await;
            tokio::time::sleep(CALM).await;
            stage.look().await;
        }
    }
    stage.end().await;
}
