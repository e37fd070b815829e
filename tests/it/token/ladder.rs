//! What a rejection costs: (fetches, forces, probes).

use std::time::Duration;

use tokio::time::Instant;
use wxgate::token::{RefreshResult, Rejection, State, Token, Verdict};
use wxgate::wechat::TokenMode::{Classic, Stable};

use super::bench::{Bench, hasty, rejected_again, rejection};
use super::fake::{Fake, Probe, Script, counts};

const CALLERS: usize = 300;

fn assert_replayed(verdicts: &[Verdict], generation: u64) {
    for verdict in verdicts {
        assert!(matches!(verdict, Verdict::Replay(token) if token.generation == generation), "{verdict:?}");
    }
}

fn assert_replayed_after(verdicts: &[Verdict]) {
    for verdict in verdicts {
        assert!(matches!(verdict, Verdict::ReplayAfter(token, _) if token.generation == 1), "{verdict:?}");
    }
}

#[tokio::test]
async fn a_rotated_stable_token_costs_one_fetch() {
    let bench = Bench::ready(Stable).await;
    bench.fake.rotate();
    assert_replayed(&bench.rejected_at_once(CALLERS).await, 2);
    assert_eq!(bench.fake.counts(), counts(1, 0, 0));
}

#[tokio::test]
async fn a_poisoned_stable_token_costs_a_fetch_a_probe_and_a_force() {
    let bench = Bench::ready(Stable).await;
    bench.fake.poison();
    assert_replayed(&bench.rejected_at_once(CALLERS).await, 2);
    assert_eq!(bench.fake.counts(), counts(2, 1, 1));
    assert_eq!(bench.status().forces_left_today, 19);
}

#[tokio::test]
async fn a_lagging_stable_token_costs_a_fetch_and_a_probe() {
    let bench = Bench::ready(Stable).await;
    assert_replayed_after(&bench.rejected_at_once(CALLERS).await);
    assert_eq!(bench.fake.counts(), counts(1, 0, 1));
}

#[tokio::test]
async fn a_rotated_classic_token_costs_a_probe_and_a_fetch() {
    let bench = Bench::ready(Classic).await;
    bench.fake.rotate();
    assert_replayed(&bench.rejected_at_once(CALLERS).await, 2);
    assert_eq!(bench.fake.counts(), counts(1, 0, 1));
}

#[tokio::test]
async fn a_lagging_classic_token_costs_a_probe_alone() {
    let bench = Bench::ready(Classic).await;
    assert_replayed_after(&bench.rejected_at_once(CALLERS).await);
    assert_eq!(bench.fake.counts(), counts(0, 0, 1));
}

#[tokio::test]
async fn late_rejections_of_an_older_generation_never_fetch() {
    let bench = Bench::ready(Stable).await;
    let old = bench.token();
    bench.fake.rotate();
    bench.rejected_at_once(1).await;
    bench.fake.forget();
    for _ in 0..50 {
        let verdict = bench.handle.rejected(rejection(&old, 1)).await;
        assert!(matches!(verdict, Verdict::Replay(token) if token.generation == 2));
    }
    assert_eq!(bench.fake.counts(), counts(0, 0, 0));
}

#[tokio::test]
async fn evidence_from_traffic_saves_the_probe() {
    let bench = Bench::ready(Stable).await;
    let rejected = rejection(&bench.token(), 1);
    bench.fake.shut_gate();
    let handle = bench.handle.clone();
    let asked = tokio::spawn(async move { handle.rejected(rejected).await });
    bench.fake.fetches_reach(2).await;
    bench.handle.succeeded(1, Instant::now());
    bench.fake.open_gate();
    assert_replayed_after(&[asked.await.expect("no panic")]);
    assert_eq!(bench.fake.counts(), counts(1, 0, 0));
}

#[tokio::test]
async fn a_success_that_was_sent_before_the_rejection_is_no_evidence() {
    let bench = Bench::ready(Stable).await;
    bench.fake.poison();
    let before = Instant::now();
    let rejected = rejection(&bench.token(), 1);
    bench.fake.shut_gate();
    let handle = bench.handle.clone();
    let asked = tokio::spawn(async move { handle.rejected(rejected).await });
    bench.fake.fetches_reach(2).await;
    bench.handle.succeeded(1, before);
    bench.fake.open_gate();
    assert_replayed(&[asked.await.expect("no panic")], 2);
    assert_eq!(bench.fake.counts(), counts(2, 1, 1));
}

/// As the pipeline does: a replay after "alive" is rejected again on an endpoint that rejects
/// everything.
async fn call_what_always_rejects(bench: &Bench, endpoint: u16) -> Verdict {
    match bench.handle.rejected(rejection(&bench.token(), endpoint)).await {
        Verdict::ReplayAfter(token, _) => bench.handle.rejected(rejected_again(&token, endpoint)).await,
        verdict => verdict,
    }
}

#[tokio::test]
async fn an_endpoint_that_always_rejects_costs_one_fetch_in_thirty_calls_one_after_the_other() {
    let bench = Bench::ready(Stable).await;
    for _ in 0..30 {
        assert!(matches!(call_what_always_rejects(&bench, 1).await, Verdict::PassOn));
    }
    assert_eq!(bench.fake.counts(), counts(1, 0, 2));
    assert_eq!(bench.token().generation, 1, "others are not harmed");
}

#[tokio::test]
async fn an_endpoint_that_always_rejects_costs_one_fetch_in_thirty_calls_at_once() {
    let bench = Bench::ready(Classic).await;
    let calls = (0..30).map(|_| {
        let (handle, token) = (bench.handle.clone(), bench.token());
        async move {
            match handle.rejected(rejection(&token, 1)).await {
                Verdict::ReplayAfter(token, _) => handle.rejected(rejected_again(&token, 1)).await,
                verdict => verdict,
            }
        }
    });
    let mut calls: tokio::task::JoinSet<_> = calls.collect();
    while let Some(verdict) = calls.join_next().await {
        assert!(matches!(verdict.expect("no panic"), Verdict::PassOn));
    }
    let spent = bench.fake.counts();
    assert_eq!((spent.fetches, spent.forces), (0, 0));
    assert!(spent.probes <= 30, "{spent:?}");
}

/// A rejection of what was sent when the last verdict is too old to be shared.
fn rejected_later(token: &Token, endpoint: u16) -> Rejection {
    let rejection = rejection(token, endpoint);
    Rejection { sent_at: rejection.sent_at + Duration::from_secs(3), ..rejection }
}

#[tokio::test]
async fn endpoints_that_always_reject_never_keep_an_app_from_its_next_token() {
    for endpoints in [11, 12, 40] {
        let bench = Bench::ready(Stable).await;
        for endpoint in 1..=endpoints {
            // Sent when the last verdict is too old to be shared.
            let first = rejection(&bench.token(), endpoint);
            let first = Rejection { sent_at: first.sent_at + Duration::from_secs(3), ..first };
            let Verdict::ReplayAfter(token, _) = bench.handle.rejected(first).await else {
                panic!("{endpoint}")
            };
            let again = bench.handle.rejected(rejected_again(&token, endpoint)).await;
            assert!(matches!(again, Verdict::PassOn), "{endpoint}: {again:?}");
        }
        let spent = bench.fake.counts();
        assert_eq!((spent.fetches, spent.forces), (1, 0), "{endpoints}: {spent:?}");
        bench.fake.rotate();
        assert_replayed(&[bench.handle.rejected(rejected_later(&bench.token(), 99)).await], 2);
        assert_eq!(bench.fake.counts().fetches, spent.fetches + 1, "{endpoints}");
    }
}

#[tokio::test]
async fn what_was_fetched_in_vain_while_the_token_lived_is_not_counted_against_the_dead_one() {
    let bench = Bench::ready(Stable).await;
    for _ in 0..12 {
        assert_eq!(bench.handle.refresh(false).await.result, RefreshResult::Same);
    }
    bench.fake.poison();
    bench.fake.forget();
    assert_replayed(&bench.rejected_at_once(20).await, 2);
    assert_eq!(bench.fake.counts(), counts(2, 1, 1));
}

#[tokio::test]
async fn where_endpoints_are_at_fault_and_the_probe_cannot_tell_a_fetch_still_does() {
    let bench = Bench::ready(Stable).await;
    assert!(matches!(call_what_always_rejects(&bench, 1).await, Verdict::PassOn));
    bench.fake.rotate();
    bench.fake.forget();
    bench.fake.state().probe = Probe::Error(-1);
    assert_replayed(&[bench.handle.rejected(rejected_later(&bench.token(), 2)).await], 2);
    assert_eq!(bench.fake.counts(), counts(1, 0, 1));
}

#[tokio::test]
async fn a_hold_ends_after_thirty_seconds() {
    let bench = Bench::ready(Stable).await;
    assert!(matches!(call_what_always_rejects(&bench, 1).await, Verdict::PassOn));
    bench.fake.forget();
    bench.pass(31).await;
    assert!(matches!(call_what_always_rejects(&bench, 1).await, Verdict::PassOn));
    assert_ne!(bench.fake.counts(), counts(0, 0, 0), "it was looked into again");
}

#[tokio::test]
async fn a_token_that_dies_after_it_was_found_alive_is_replaced_and_no_endpoint_is_held() {
    let bench = Bench::ready(Stable).await;
    let token = bench.token();
    assert_replayed_after(&bench.rejected_at_once(3).await);
    bench.fake.rotate();
    bench.fake.forget();
    for endpoint in 1..=3 {
        let verdict = bench.handle.rejected(rejected_again(&token, endpoint)).await;
        assert!(matches!(verdict, Verdict::Replay(token) if token.generation == 2));
    }
    assert_eq!(bench.fake.counts(), counts(1, 0, 1));
}

#[tokio::test]
async fn a_hold_on_one_endpoint_ends_when_another_finds_the_token_dead() {
    let bench = Bench::ready(Stable).await;
    assert!(matches!(call_what_always_rejects(&bench, 1).await, Verdict::PassOn));
    let token = bench.token();
    bench.fake.rotate();
    bench.fake.forget();
    assert!(matches!(bench.handle.rejected(rejection(&token, 1)).await, Verdict::PassOn), "held");
    let verdict = bench.handle.rejected(rejected_again(&token, 2)).await;
    assert!(matches!(verdict, Verdict::Replay(token) if token.generation == 2));
    assert!(matches!(bench.handle.rejected(rejection(&token, 1)).await, Verdict::Replay(_)));
    assert_eq!(bench.fake.counts(), counts(1, 0, 1));
}

#[tokio::test]
async fn a_token_that_dies_while_its_only_endpoint_is_held_is_replaced_within_seconds() {
    for mode in [Stable, Classic] {
        let bench = Bench::ready(mode).await;
        assert!(matches!(call_what_always_rejects(&bench, 1).await, Verdict::PassOn));
        bench.fake.rotate();
        bench.fake.forget();
        assert!(matches!(call_what_always_rejects(&bench, 1).await, Verdict::PassOn), "held");
        assert_eq!(bench.fake.counts(), counts(0, 0, 0));
        bench.pass(5).await;
        assert_replayed(&bench.rejected_at_once(CALLERS).await, 2);
        assert_eq!(bench.fake.counts(), counts(1, 0, 1), "{mode:?}");
    }
}

#[tokio::test]
async fn an_endpoint_that_is_held_costs_probes_now_and_then_and_no_fetch_while_the_token_lives() {
    let bench = Bench::ready(Classic).await;
    assert!(matches!(call_what_always_rejects(&bench, 1).await, Verdict::PassOn));
    bench.fake.forget();
    let mut probes = Vec::new();
    for _ in 0..5 {
        bench.pass(5).await;
        for _ in 0..10 {
            assert!(matches!(call_what_always_rejects(&bench, 1).await, Verdict::PassOn));
        }
        let spent = bench.fake.counts();
        assert_eq!((spent.fetches, spent.forces), (0, 0));
        probes.push(spent.probes);
    }
    // At 5, 10 and 20 s.
    assert_eq!(probes, [1, 2, 2, 3, 3]);
    // None of them has made the hold last longer.
    bench.pass(6).await;
    let verdict = bench.handle.rejected(rejected_later(&bench.token(), 1)).await;
    assert!(matches!(verdict, Verdict::ReplayAfter(..)), "{verdict:?}");
}

#[tokio::test]
async fn a_held_endpoint_whose_look_cannot_tell_keeps_no_other_from_its_own() {
    let bench = Bench::ready(Stable).await;
    assert!(matches!(call_what_always_rejects(&bench, 1).await, Verdict::PassOn));
    bench.fake.rotate();
    bench.fake.state().probe = Probe::Error(-1);
    bench.pass(5).await;
    assert!(matches!(bench.rejected_at_once(1).await[0], Verdict::PassOn));
    // A fetch still settles it.
    assert_replayed(&[bench.handle.rejected(rejected_later(&bench.token(), 2)).await], 2);
}

#[tokio::test]
async fn an_undecided_probe_passes_the_answer_on_and_forces_nothing() {
    let bench = Bench::ready(Stable).await;
    bench.fake.state().probe = Probe::Error(-1);
    for _ in 0..10 {
        assert!(matches!(bench.rejected_at_once(1).await[0], Verdict::PassOn));
    }
    assert_eq!(bench.fake.counts(), counts(1, 0, 1));
    bench.pass(6).await;
    assert!(matches!(bench.rejected_at_once(1).await[0], Verdict::PassOn));
    assert_eq!(bench.fake.counts(), counts(2, 0, 2));
}

#[tokio::test]
async fn a_probe_that_hangs_decides_nothing() {
    let bench = Bench::ready_with(Classic, hasty()).await;
    bench.fake.state().probe = Probe::Hang;
    assert!(matches!(bench.rejected_at_once(1).await[0], Verdict::PassOn));
    assert_eq!(bench.fake.counts(), counts(0, 0, 1));
}

#[tokio::test]
async fn a_dead_token_without_a_new_one_is_unavailable_with_the_cause() {
    for mode in [Stable, Classic] {
        let bench = Bench::ready(mode).await;
        bench.fake.rotate();
        bench.fake.state().script = Script::Error(-1, "system error");
        for verdict in bench.rejected_at_once(20).await {
            let Verdict::Unavailable(unavailable) = verdict else { panic!("{verdict:?}") };
            assert_eq!(unavailable.errcode, Some(-1));
            assert!(unavailable.cause.contains("system error"));
        }
        assert_eq!(bench.fake.counts(), counts(1, 0, 1), "{mode:?}");
        assert!(bench.handle.current().is_none());
        assert!(bench.handle.obtain().await.is_err(), "answered at once");
        bench.fake.state().script = Script::Tokens;
        bench.pass(2).await;
        bench.until("a token after the backoff", |bench| bench.handle.current().is_some()).await;
    }
}

#[tokio::test]
async fn a_live_token_survives_that_none_can_be_fetched() {
    let bench = Bench::ready(Stable).await;
    bench.fake.state().script = Script::Error(-1, "system error");
    assert_replayed_after(&bench.rejected_at_once(CALLERS).await);
    assert_eq!(bench.fake.counts(), counts(1, 0, 1));
    assert_eq!(bench.status().state, State::Ready);
}

#[tokio::test]
async fn a_force_waits_for_the_budget_and_callers_are_answered_at_once_meanwhile() {
    let bench = Bench::ready(Stable).await;
    bench.fake.poison();
    assert_replayed(&bench.rejected_at_once(1).await, 2);
    bench.fake.poison();
    bench.fake.forget();
    let dead = bench.token();
    for _ in 0..10 {
        let verdict = bench.handle.rejected(rejection(&dead, 1)).await;
        assert!(matches!(verdict, Verdict::Unavailable(_)), "{verdict:?}");
    }
    assert_eq!(bench.fake.counts(), counts(1, 0, 1));
    assert_eq!(bench.status().state, State::Rejected);
    bench.pass(31).await;
    bench.until("the force", |bench| bench.handle.current().is_some()).await;
    assert_eq!(bench.token().generation, 3);
    assert_eq!(bench.fake.counts().forces, 1);
}

#[tokio::test]
async fn a_force_is_written_down_before_it_is_called() {
    let bench = Bench::ready(Stable).await;
    bench.fake.poison();
    bench.fake.shut_gate();
    let (handle, rejected) = (bench.handle.clone(), rejection(&bench.token(), 1));
    let caller = tokio::spawn(async move { handle.rejected(rejected).await });
    bench.fake.fetches_reach(2).await;
    assert_eq!(bench.store.forces("force:wx-shop").await.expect("memory never fails").used, 0);
    bench.fake.open_gate_for(1);
    bench.fake.fetches_reach(3).await;
    assert_eq!(bench.store.forces("force:wx-shop").await.expect("memory never fails").used, 1);
    bench.fake.open_gate();
    assert_replayed(&[caller.await.expect("no panic")], 2);
}

#[tokio::test]
async fn a_caller_that_hangs_up_does_not_cancel_the_fetch() {
    let bench = Bench::ready(Stable).await;
    bench.fake.rotate();
    bench.fake.shut_gate();
    let (handle, rejected) = (bench.handle.clone(), rejection(&bench.token(), 1));
    let caller = tokio::spawn(async move { handle.rejected(rejected).await });
    bench.fake.fetches_reach(2).await;
    caller.abort();
    assert!(caller.await.expect_err("hung up").is_cancelled());
    bench.fake.open_gate();
    bench.until("the new token", |bench| bench.token().generation == 2).await;
    assert_eq!(bench.fake.counts(), counts(1, 0, 0));
}

#[tokio::test]
async fn waiters_are_answered_when_the_fetch_hangs() {
    let bench = Bench::ready_with(Stable, hasty()).await;
    bench.fake.rotate();
    bench.fake.state().script = Script::Hang;
    for verdict in bench.rejected_at_once(CALLERS).await {
        assert!(matches!(verdict, Verdict::Unavailable(_)), "{verdict:?}");
    }
    let spent = bench.fake.counts();
    assert_eq!((spent.forces, spent.probes), (0, 1));
    assert!(spent.fetches <= 2, "the backoff may have ended once: {spent:?}");
}

#[tokio::test]
async fn nobody_waits_longer_than_the_refresh_wait() {
    let mut options = hasty();
    options.fetch_timeout = Duration::from_secs(30);
    options.refresh_wait = Duration::from_millis(100);
    let bench = Bench::ready_with(Stable, options.clone()).await;
    bench.fake.shut_gate();
    assert!(matches!(bench.rejected_at_once(1).await[0], Verdict::PassOn), "not proven dead");
    bench.fake.open_gate();
    let fake = Fake::start().await;
    fake.shut_gate();
    let bench = Bench::start(Stable, options, fake).await;
    let unavailable = bench.handle.obtain().await.expect_err("the fetch hangs");
    assert!(unavailable.cause.contains("within"), "{unavailable}");
    bench.fake.open_gate();
}

#[tokio::test]
async fn interference_is_counted_once_for_each_generation() {
    for mode in [Stable, Classic] {
        let bench = Bench::ready(mode).await;
        bench.fake.rotate();
        bench.rejected_at_once(5).await;
        assert_eq!(bench.status().interference, 1, "{mode:?}");
    }
    let bench = Bench::ready(Stable).await;
    bench.fake.poison();
    bench.rejected_at_once(5).await;
    assert_eq!(bench.status().interference, 0, "a force of ours");
}

#[tokio::test]
async fn an_admins_force_counts_against_the_budget_and_says_what_is_left() {
    let bench = Bench::ready(Stable).await;
    let report = bench.handle.refresh(true).await;
    assert_eq!(
        (report.result, report.generation, report.forces_left),
        (RefreshResult::Replaced, Some(2), 19)
    );
    let report = bench.handle.refresh(true).await;
    assert!(matches!(report.result, RefreshResult::Refused { .. }), "thirty seconds apart");
    assert_eq!(report.forces_left, 19);
    assert_eq!(bench.fake.counts(), counts(1, 1, 0));
    assert_eq!(bench.handle.refresh(false).await.result, RefreshResult::Same);
    assert_eq!(bench.status().state, State::Ready);
}
