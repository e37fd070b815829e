//! When WeChat hands out no tokens.

use wxgate::secret::Secret;
use wxgate::token::{RefreshResult, State};
use wxgate::wechat::TokenMode::{Classic, Stable};

use super::bench::{Bench, app, hasty, patient, settle};
use super::fake::{Fake, Script, counts};

async fn failing(script: Script) -> Bench {
    let fake = Fake::start().await;
    fake.state().script = script;
    Bench::start(Stable, patient(), fake).await
}

#[tokio::test]
async fn a_refusal_opens_the_circuit_and_each_caller_hears_what_to_do() {
    let bench =
        failing(Script::Error(40164, "invalid ip 192.0.2.7 ipv6 ::ffff:192.0.2.7, not in whitelist")).await;
    for _ in 0..40 {
        let unavailable = bench.handle.obtain().await.expect_err("refused");
        assert_eq!(unavailable.errcode, Some(40164));
        assert!(
            unavailable.cause.as_str().contains("192.0.2.7")
                && unavailable.cause.as_str().contains("whitelist")
        );
    }
    assert_eq!(bench.fake.counts(), counts(1, 0, 0));
    assert_eq!(bench.status().state, State::CircuitOpen);
    bench.pass(120).await;
    assert_eq!(bench.fake.counts(), counts(1, 0, 0), "not sooner than every few minutes");
    bench.fake.state().script = Script::Tokens;
    bench.pass(300).await;
    bench.until("the circuit's own try", |bench| bench.handle.current().is_some()).await;
}

#[tokio::test]
async fn an_admins_refresh_closes_the_circuit() {
    let bench = failing(Script::Error(40125, "invalid appsecret")).await;
    assert!(bench.handle.obtain().await.is_err());
    let report = bench.handle.refresh(false).await;
    assert!(matches!(report.result, RefreshResult::Failed(failure) if failure.errcode == Some(40125)));
    bench.fake.state().script = Script::Tokens;
    assert_eq!(bench.handle.refresh(false).await.result, RefreshResult::Replaced);
    assert_eq!(bench.status().state, State::Ready);
    assert_eq!(bench.fake.counts(), counts(3, 0, 0));
}

#[tokio::test]
async fn a_changed_secret_closes_the_circuit_and_keeps_the_token() {
    let bench = Bench::ready(Stable).await;
    bench.fake.state().script = Script::Error(40125, "invalid appsecret");
    bench.handle.refresh(false).await;
    assert!(bench.status().failing);
    bench.fake.state().script = Script::Tokens;
    bench.reconfigure(vec![app("shop", Stable, "another")]);
    bench.until("the circuit is closed", |bench| !bench.status().failing).await;
    assert_eq!(bench.token().generation, 1);
    let bench = failing(Script::Error(40125, "invalid appsecret")).await;
    assert!(bench.handle.obtain().await.is_err());
    bench.fake.state().script = Script::Tokens;
    bench.reconfigure(vec![app("shop", Stable, "another")]);
    bench.until("a token with the new secret", |bench| bench.handle.current().is_some()).await;
    assert_eq!(bench.fake.state().secrets, ["s3cret", "another"]);
}

#[tokio::test]
async fn a_reload_leaves_unchanged_apps_alone_and_stops_those_that_are_gone() {
    let bench = Bench::ready(Stable).await;
    let apps = vec![app("shop", Stable, "s3cret"), app("other", Stable, "s")];
    bench.reconfigure(apps);
    let other = bench.manager.handle("other").expect("new");
    other.obtain().await.expect("a token");
    assert_eq!(bench.fake.counts(), counts(1, 0, 0));
    bench.reconfigure(vec![app("other", Stable, "s")]);
    assert!(bench.manager.handle("shop").is_none());
    assert_eq!(bench.manager.statuses().len(), 1);
    assert!(bench.handle.current().is_some(), "requests in progress go on with what was held");
    bench.manager.stop().await;
    assert!(matches!(bench.rejected_at_once(1).await[0], wxgate::token::Verdict::PassOn));
    assert_eq!(bench.fake.counts(), counts(1, 0, 0), "its keeper has stopped");
}

#[tokio::test]
async fn a_restart_takes_the_token_from_the_store() {
    let bench = Bench::ready(Stable).await;
    bench.manager.stop().await;
    let again = wxgate::token::Manager::start(
        vec![(app("shop", Stable, "s3cret"), super::bench::control(&bench.fake))],
        patient(),
        bench.store.clone(),
        bench.clock.clone(),
    );
    let handle = again.handle("shop").expect("configured");
    assert_eq!(handle.obtain().await.expect("stored").generation, 1);
    settle().await;
    assert_eq!(bench.fake.counts(), counts(0, 0, 0));
}

#[tokio::test]
async fn a_placeholder_for_a_token_is_a_loop() {
    let raw = r#"{"access_token":"wxgate-eyJhIjoxfQ","expires_in":7200}"#;
    let bench = failing(Script::Raw(200, raw.into())).await;
    let unavailable = bench.handle.obtain().await.expect_err("a loop");
    assert!(unavailable.cause.as_str().contains("loop"), "{unavailable}");
    assert_eq!(bench.status().state, State::CircuitOpen);
}

#[tokio::test]
async fn garbage_for_a_token_is_a_failed_fetch_under_a_backoff() {
    for (status, body) in [
        (200, ""),
        (200, "<html></html>"),
        (200, r#"{"access_token":"T","expires_in":0}"#),
        (200, r#"{"access_token":"T","expires_in":-1}"#),
        (200, r#"{"access_token":"T","expires_in":99999}"#),
        (200, r#"{"access_token":"T","expires_in":"7200"}"#),
        (200, r#"{"access_token":"T"}"#),
        (503, "busy"),
    ] {
        let bench = failing(Script::Raw(status, body.into())).await;
        for _ in 0..10 {
            assert!(bench.handle.obtain().await.is_err(), "{body}");
        }
        assert_eq!(bench.fake.counts(), counts(1, 0, 0), "{body}");
        assert_eq!(bench.status().state, State::Failing);
    }
}

#[tokio::test]
async fn a_failed_start_is_tried_again_without_a_caller() {
    let bench = failing(Script::Error(-1, "system error")).await;
    for tries in 1..=4 {
        bench.fake.fetches_reach(tries).await;
        bench.until("the backoff", |bench| bench.status().failing).await;
        bench.pass(10).await;
    }
    bench.fake.state().script = Script::Tokens;
    bench.pass(400).await;
    bench.until("a token", |bench| bench.handle.current().is_some()).await;
    assert_eq!(bench.status().last_failure.expect("remembered").1.errcode, Some(-1));
}

#[tokio::test]
async fn fruitless_fetches_stop_at_ten_a_minute_and_only_an_admin_passes() {
    let bench = Bench::ready(Stable).await;
    for _ in 0..12 {
        assert_eq!(bench.handle.refresh(false).await.result, RefreshResult::Same);
    }
    bench.fake.forget();
    bench.rejected_at_once(20).await;
    assert_eq!(bench.fake.counts(), counts(0, 0, 1), "the probe decides without a fetch");
    assert_eq!(bench.handle.refresh(false).await.result, RefreshResult::Same);
    assert_eq!(bench.fake.counts(), counts(1, 0, 1));
}

#[tokio::test]
async fn a_classic_token_that_keeps_dying_is_fetched_sixty_times_an_hour_at_most() {
    let bench = Bench::ready(Classic).await;
    for _ in 0..80 {
        bench.fake.rotate();
        if bench.handle.current().is_some() {
            bench.rejected_at_once(2).await;
        }
    }
    assert_eq!(bench.fake.counts().fetches, 59, "one was made before");
    assert!(bench.handle.obtain().await.is_err());
}

#[tokio::test]
async fn twenty_apps_fetch_at_once_when_many_start() {
    let fake = Fake::start().await;
    fake.shut_gate();
    let control = super::bench::control(&fake);
    let apps = (0..50).map(|n| (app(&format!("app{n}"), Stable, "s"), control.clone())).collect();
    let manager = wxgate::token::Manager::start(
        apps,
        patient(),
        wxgate::store::Store::memory(),
        wxgate::observe::clock::Clock::default(),
    );
    fake.fetches_reach(20).await;
    settle().await;
    assert_eq!(fake.counts(), counts(20, 0, 0));
    fake.open_gate();
    fake.fetches_reach(50).await;
    assert!(fake.state().busiest <= 20);
    manager.stop().await;
}

#[tokio::test]
async fn a_hanging_start_is_bounded_and_answers_its_callers() {
    let fake = Fake::start().await;
    fake.state().script = Script::Hang;
    let bench = Bench::start(Stable, hasty(), fake).await;
    let unavailable = bench.handle.obtain().await.expect_err("nothing comes");
    assert_eq!(unavailable.errcode, None);
    assert!(unavailable.cause.as_str().contains("no response within"), "{unavailable}");
}

#[tokio::test]
async fn nothing_that_is_shown_holds_the_token_or_the_secret() {
    let bench = Bench::ready(Stable).await;
    bench.fake.state().script = Script::Error(40125, "invalid appsecret s3cret");
    let report = bench.handle.refresh(false).await;
    let token = bench.token();
    let mut scrape =
        wxgate::observe::exposition::Exposition::new(wxgate::observe::exposition::Dialect::Prometheus);
    bench.manager.expose(&mut scrape);
    let scrape = scrape.finish();
    assert!(scrape.contains(r#"wxgate_token_generation{app="shop",kind="access_token"} 1"#), "{scrape}");
    assert!(scrape.contains(
        r#"wxgate_token_refresh_total{app="shop",kind="access_token",reason="admin",outcome="failed"} 1"#
    ));
    let shown = format!("{report:?} {:?} {token:?} {:?} {scrape}", bench.status(), bench.handle);
    assert!(!shown.contains("s3cret") && !shown.contains(token.value.expose()), "{shown}");
    assert_eq!(format!("{:?}", Secret::new("x")), "Secret(redacted)");
}
