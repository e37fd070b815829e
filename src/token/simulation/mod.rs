//! The refresh protocol under thousands of schedules: real refresh tasks, managers and stores over
//! a simulated WeChat and a simulated store server, on a runtime with one thread and a clock that
//! jumps from timer to timer.
//!
//! A seed settles all delays, rotations and faults. What must hold, whatever the schedule:
//!
//! - No fetch while the token is valid, except for a while after a fault: a lost lease costs a
//!   fetch, never a wrong token.
//! - No older token over a newer one, in the store as in each replica.
//! - No request waits longer than `refresh_wait`, and once all is quiet, every replica holds the
//!   valid token.
//!
//! `WXGATE_SIMULATION_SEEDS=FIRST..END` explores others than the usual ones.

mod plan;
mod replica;
mod wechat;
mod world;

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use plan::Plan;
use replica::Replica;
use tokio::runtime::Runtime;
use tokio::time::{Instant, sleep, timeout};
use wechat::WeChat;
use world::World;

use crate::observe::clock::Clock;
use crate::store::simulated::Server;
use crate::token::{Handle, Rejection, Verdict};
use crate::wechat::TokenMode;

/// Explored in each run of the tests.
const USUAL: Range<u64> = 0..200;

fn seeds() -> Range<u64> {
    #[expect(clippy::disallowed_methods, reason = "a test's own setting")]
    let wanted = std::env::var("WXGATE_SIMULATION_SEEDS").ok();
    let range = wanted.as_deref().and_then(|text| {
        let (first, end) = text.split_once("..")?;
        Some(first.parse().ok()?..end.parse().ok()?)
    });
    range.unwrap_or(USUAL)
}

fn paused_clock() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().expect("a runtime")
}

/// What a seed's schedule violates.
fn explore(plan: &Plan) -> Result<world::Figures, String> {
    fastrand::seed(plan.seed);
    let runtime = paused_clock();
    let run = || runtime.block_on(async { World::new(plan).run().await });
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Err("a task panicked".into()))
}

/// Shown with `--nocapture`.
#[expect(clippy::print_stdout, reason = "figures of a test")]
fn tell(text: &str) {
    println!("{text}");
}

fn all_hold(name: &str, plan: impl Fn(u64) -> Plan) {
    let mut total = world::Figures::default();
    for seed in seeds() {
        match explore(&plan(seed)) {
            Ok(figures) => total.add(&figures),
            Err(violation) => panic!("{name}, seed {seed}: {violation}"),
        }
    }
    assert!(total.calls > 0 && total.rotations > 0, "nothing happened: {total:?}");
    tell(&format!("{name}, {:?}: {total:?}", seeds()));
}

#[test]
fn without_faults_each_rotation_is_one_fetch() {
    all_hold("calm", Plan::calm);
}

#[test]
fn with_faults_fetches_are_excused_by_one_and_all_agree_in_the_end() {
    all_hold("rough", Plan::rough);
}

#[test]
fn a_store_that_stands_still_for_less_than_three_seconds_costs_no_second_fetch() {
    all_hold("paused", Plan::paused);
}

/// How long a planted lease keeps a replica from the next token; it is planted again after each
/// `each`.
fn healed_after(mode: TokenMode, each: Duration) -> Duration {
    let plan = Plan { mode, ..Plan::calm(1) };
    paused_clock().block_on(async {
        let (server, wechat, clock) = (Server::new(), WeChat::new(mode), Clock::simulated());
        let replica = Replica::start(0, &plan, server.store(0), &wechat, &clock, &Arc::default());
        replica.handle.obtain().await.expect("WeChat hands out tokens");
        let (store, key) = (server.store(9), format!("access_token:{}:wx1", mode.as_str()));
        let forever = Duration::from_secs(86_400);
        while !matches!(store.lease(&key, "planted", forever).await, Ok(Ok(_))) {
            sleep(Duration::from_millis(10)).await;
        }
        let planting = async {
            loop {
                sleep(each).await;
                let _ = store.lease(&key, "planted", forever).await;
            }
        };
        wechat.rotate();
        let began = Instant::now();
        let alive = async {
            let lives = || replica.handle.current().is_some_and(|token| wechat.lives(token.value.expose()));
            while !lives() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            () = planting => unreachable!("it never ends"),
            healed = timeout(forever, alive) => healed.expect("it heals"),
        }
        began.elapsed()
    })
}

#[test]
fn a_store_that_is_late_with_a_save_holds_up_nobody_and_its_lease_lasts_until_then() {
    let plan = Plan { mode: TokenMode::Classic, callers: 0, ..Plan::calm(1) };
    paused_clock().block_on(async {
        let (server, wechat, clock) = (Server::new(), WeChat::new(plan.mode), Clock::simulated());
        let [one, other] =
            [0, 1].map(|id| Replica::start(id, &plan, server.store(id), &wechat, &clock, &Arc::default()));
        let before = one.handle.obtain().await.expect("WeChat hands out tokens");
        other.handle.obtain().await.expect("shared");
        wechat.rotate();
        let rejected = |handle: &Handle| {
            let (handle, now) = (handle.clone(), Instant::now());
            let rejection = Rejection {
                generation: before.generation,
                endpoint: 1,
                endpoint_path: "/cgi-bin/user/info",
                errcode: 40001,
                sent_at: now,
                received_at: now,
                replayed_alive: false,
            };
            async move { handle.rejected(rejection).await }
        };
        let first = tokio::task::JoinSet::from_iter([rejected(&one.handle)]);
        while wechat.fetches().len() < 2 {
            sleep(Duration::from_millis(1)).await;
        }
        server.pause(Duration::from_millis(2500));
        let began = Instant::now();
        let second = tokio::task::JoinSet::from_iter([rejected(&other.handle)]);
        let first = first.join_all().await;
        assert!(matches!(&first[..], [Verdict::Replay(token)] if token.generation == 2), "{first:?}");
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
        let second = second.join_all().await;
        assert!(matches!(&second[..], [Verdict::Replay(token)] if token.generation == 2), "{second:?}");
        assert!(began.elapsed() >= Duration::from_millis(2500), "{:?}", began.elapsed());
        assert_eq!(wechat.fetches().len(), 2);
    });
}

#[test]
fn a_lease_that_somebody_planted_heals() {
    for mode in [TokenMode::Classic, TokenMode::Stable] {
        let never = healed_after(mode, Duration::from_secs(86_400));
        assert!(never < Duration::from_secs(6), "{never:?}");
        let renewed = healed_after(mode, Duration::from_secs(1));
        assert!(renewed < Duration::from_secs(20), "{renewed:?}");
        tell(&format!("{mode:?}: healed after {never:?}, one that is renewed after {renewed:?}"));
    }
}

#[test]
fn a_task_that_does_not_look_again_once_it_has_the_lease_is_found() {
    let found = seeds().find_map(|seed| {
        explore(&Plan { looks_again: false, ..Plan::calm(seed) }).err().map(|violation| (seed, violation))
    });
    let (seed, violation) = found.expect("some schedule shows it");
    assert!(violation.contains("while the token lived"), "{violation}");
    tell(&format!("found at seed {seed}: {violation}"));
}
