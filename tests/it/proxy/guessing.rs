//! Whoever tries keys or admin tokens waits for the answers; nobody else does.

use std::pin::pin;

use crate::harness::{ADMIN_TOKEN, APPID, Answer, Gate, SHOP, Setup, caller};

const KEY: &str = "canary-key-of-orders-5d1c";
const PATH: &str = "/cgi-bin/user/get";
const GUESSER: (&str, &str) = ("x-forwarded-for", "203.0.113.9");

/// The test's own address speaks for others.
async fn gate() -> Gate {
    let apps = format!("{SHOP}{}", caller("orders", &[KEY], &["shop"], ""));
    let server = "trusted_proxies = [\"127.0.0.1\"]".to_owned();
    Gate::with(Setup { server, apps, ..Setup::default() }).await.settled().await
}

/// Callers with a key that are served meanwhile; an answer that isn't held back comes before them.
const MEANWHILE: usize = 3;

/// Asserts that `answer` waits until time has passed, and gives it.
async fn is_held_back(gate: &Gate, answer: impl Future<Output = Answer>) -> Answer {
    let mut answer = pin!(answer);
    let mut served = 0;
    loop {
        tokio::select! {
            biased;
            answer = &mut answer => {
                assert!(served >= MEANWHILE, "it was not held back: {answer:?}");
                return answer;
            }
            other = gate.get_with(PATH, &[("x-wxgate-key", KEY), GUESSER]) => {
                assert_eq!(other.errcode(), 0);
                served += 1;
                if served >= MEANWHILE {
                    gate.clock.advance(1_000);
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tenth_wrong_key_within_a_minute_waits_and_a_right_one_does_not() {
    let gate = gate().await;
    let token_call = format!("/cgi-bin/token?grant_type=client_credential&appid={APPID}&secret=guess");
    // Wherever a key may stand.
    let guesses: [(&str, &[(&str, &str)]); 4] = [
        (PATH, &[("x-wxgate-key", "guess"), GUESSER]),
        (PATH, &[("authorization", "Bearer guess"), GUESSER]),
        (&token_call, &[GUESSER]),
        ("/sns/jscode2session?js_code=c&secret=guess", &[GUESSER]),
    ];
    for (path, headers) in guesses.into_iter().cycle().take(9) {
        assert!([401, 200].contains(&gate.get_with(path, headers).await.status));
    }
    for (path, headers) in guesses {
        let answer = is_held_back(&gate, gate.get_with(path, headers)).await;
        assert_eq!(answer.header("x-wxgate-error"), Some("caller_unknown"), "{path}: {answer:?}");
    }
    assert!(gate.journal("/sns/jscode2session").is_empty());
    // A minute later it begins anew.
    gate.clock.advance(61_000);
    let (path, headers) = guesses[0];
    assert_eq!(gate.get_with(path, headers).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn admin_tokens_are_counted_with_keys() {
    let gate = gate().await;
    let ask = |token: &str| {
        let request = gate.client.get(gate.admin_url("/api/v1/status")).bearer_auth(token);
        Answer::of(request.header(GUESSER.0, GUESSER.1))
    };
    for _ in 0..5 {
        assert_eq!(ask("guess").await.status, 401);
    }
    for _ in 0..4 {
        assert_eq!(gate.get_with(PATH, &[("x-wxgate-key", "guess"), GUESSER]).await.status, 401);
    }
    assert_eq!(is_held_back(&gate, ask("guess")).await.status, 401);
    assert_eq!(ask(ADMIN_TOKEN).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_placeholder_is_answered_late_from_the_third_on() {
    let gate = gate().await;
    let path = format!("{PATH}?access_token=wxgate-dead");
    for _ in 0..2 {
        assert_eq!(gate.get_with(&path, &[GUESSER]).await.errcode(), 40001);
    }
    let third = is_held_back(&gate, gate.get_with(&path, &[GUESSER])).await;
    assert_eq!((third.status, third.errcode()), (200, 40001));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_held_back_take_no_place_of_those_at_work() {
    let apps = format!("{SHOP}{}", caller("orders", &[KEY], &["shop"], ""));
    let server = "trusted_proxies = [\"127.0.0.1\"]\nmax_inflight = 2".to_owned();
    let gate = Gate::with(Setup { server, apps, workers: 1, ..Setup::default() }).await.settled().await;
    let guess = || gate.get_with(PATH, &[("x-wxgate-key", "guess"), GUESSER]);
    for _ in 0..9 {
        assert_eq!(guess().await.status, 401);
    }
    let held = async { tokio::join!(guess(), guess()).0 };
    assert_eq!(is_held_back(&gate, held).await.status, 401);
}
