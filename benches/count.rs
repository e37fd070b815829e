//! What counting costs a request, and what it keeps: `cargo bench --bench count`.
//!
//! A hundred million calls are counted, by one thread and by two at once, while the ledger drains
//! them as it does in a proxy; then as many different ones as 500 apps, 300 endpoints and 50
//! callers make. `-- --short` counts a hundredth.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a program for people, which ends where its setting fails"
)]

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use wxgate::observe::clock::Clock;
use wxgate::quota::{App, Call, Outcome, Quota};
use wxgate::store::Store;
use wxgate::texts::Words;
use wxgate::wechat::{AppKind, catalogue};

const CALLS: u64 = 100_000_000;
const APPS: u16 = 500;
const ENDPOINTS: u16 = 300;
const CALLERS: u16 = 50;

/// A request as a worker counts it: when WeChat gets it, and when it has ended.
fn count(quota: &Quota, worker: usize, app: u16, caller: u16, endpoint: u16) {
    quota.begin(worker, app, caller, endpoint);
    let call = Call {
        app,
        endpoint,
        outcome: Outcome::Ok,
        errcode: 0,
        replays: 0,
        generation: 1,
        taken: Duration::from_micros(12_345),
        upstream: Duration::from_micros(12_000),
    };
    quota.end(worker, &call);
}

fn quota() -> Quota {
    let app = |index: u16| App {
        name: format!("app-{index}").into(),
        identity: format!("wx{index:016}").into(),
        appid: format!("wx{index:016}").into(),
        // Of which WeChat is never asked.
        kind: AppKind::Work,
    };
    let ask = Arc::new(|_: &Arc<str>, _| Box::pin(async { Err(Words::default()) }) as _);
    let quota = Quota::start(2, (0..APPS).map(app).collect(), ask, Store::memory(), Clock::default());
    for caller in 0..CALLERS {
        quota.names().label(&format!("caller-{caller}").into());
    }
    quota
}

/// Counts by so many threads at once; nanoseconds a call on each.
fn cost(quota: &Quota, threads: usize, calls: u64) -> f64 {
    let began = Instant::now();
    std::thread::scope(|scope| {
        for worker in 0..threads {
            let quota = quota.clone();
            scope.spawn(move || {
                // As many pairs as a busy proxy has: 4 apps, 8 callers, 32 endpoints.
                let mut random = fastrand::Rng::with_seed(worker as u64);
                for _ in 0..calls / threads as u64 {
                    let pick = random.u32(..);
                    let (app, caller) = ((pick & 3) as u16 + 2, (pick >> 2 & 7) as u16 + 502);
                    count(&quota, worker, app, caller, (pick >> 5 & 31) as u16 + 1);
                }
            });
        }
    });
    began.elapsed().as_nanos() as f64 * threads as f64 / (calls / threads as u64 * threads as u64) as f64
}

/// Resident, in MiB.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("a Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
    line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") / 1024.0
}

fn main() {
    let short = std::env::args().any(|argument| argument == "--short");
    let calls = if short { CALLS / 100 } else { CALLS };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let _entered = runtime.enter();
    let quota = quota();
    // Makes the catalogue and the tables.
    cost(&quota, 1, 1_000_000);
    for threads in [1, 2] {
        let nanoseconds = cost(&quota, threads, calls);
        println!("{calls} calls, {threads} thread(s): {nanoseconds:.1} ns a call");
    }
    let before = resident();
    let endpoints = catalogue::all().len().min(usize::from(ENDPOINTS) + 1) as u16;
    for app in 0..APPS {
        for caller in 0..CALLERS {
            for endpoint in 1..endpoints {
                count(&quota, 0, app + 2, caller + 502, endpoint);
            }
        }
        // As often as the ledger does, if that were the calls of half an hour.
        if app % 25 == 0 {
            quota.report();
        }
    }
    quota.report();
    let counted = u32::from(APPS) * u32::from(CALLERS) * u32::from(endpoints - 1);
    println!(
        "{counted} different counters: {:.0} MiB more than the {before:.0} MiB before",
        resident() - before
    );
}
