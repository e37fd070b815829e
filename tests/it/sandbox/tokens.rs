//! The rules of both token endpoints.

use serde_json::{Value, json};
use wxgate::sandbox::{App, AppKind, ExpiresIn, Kind, Lag, MINI_PROGRAM, OFFICIAL_ACCOUNT, SECRET, Target};

use super::client::{Caller, token_of};

const MINUTE: i64 = 60_000;

#[tokio::test]
async fn a_classic_fetch_rotates_and_leaves_the_previous_token_five_minutes() {
    let caller = Caller::new();
    let first = token_of(&caller.classic().await);
    let second = token_of(&caller.classic().await);
    assert_ne!(first, second);
    assert_eq!((caller.verdict(&first).await, caller.verdict(&second).await), (0, 0));
    let third = token_of(&caller.classic().await);
    assert_eq!((caller.verdict(&first).await, caller.verdict(&second).await), (40001, 0));
    caller.sandbox.advance(5 * MINUTE);
    assert_eq!((caller.verdict(&second).await, caller.verdict(&third).await), (40001, 0));
}

#[tokio::test]
async fn the_grace_of_the_previous_classic_token_can_be_set() {
    let caller = Caller::new();
    caller.sandbox.change(|settings| settings.grace_ms = 0);
    let first = token_of(&caller.classic().await);
    caller.classic().await;
    assert_eq!(caller.verdict(&first).await, 40001);
}

#[tokio::test]
async fn classic_fetches_end_after_two_thousand_a_day() {
    let caller = Caller::new();
    let used = json!({"path": "/cgi-bin/token", "appid": OFFICIAL_ACCOUNT, "used": 1999});
    caller.order("POST", "/sandbox/limits", &used).await;
    assert_eq!(caller.classic().await.errcode(), 0);
    assert_eq!(caller.classic().await.errcode(), 45009);
    caller.sandbox.advance(24 * 60 * MINUTE);
    assert_eq!(caller.classic().await.errcode(), 0);
}

#[tokio::test]
async fn a_stable_fetch_gives_the_same_token_with_the_rest_of_its_life() {
    let caller = Caller::new();
    let first = caller.stable(false).await;
    assert_eq!(first.json()["expires_in"], 7200);
    caller.sandbox.advance(100 * MINUTE);
    let later = caller.stable(false).await;
    assert_eq!(token_of(&first), token_of(&later));
    let rest = later.json()["expires_in"].as_i64().expect("a number");
    assert!((1190..=1200).contains(&rest), "{rest}");
}

#[tokio::test]
async fn a_stable_token_is_renewed_in_its_last_five_minutes_and_the_old_one_lives_to_its_end() {
    let caller = Caller::new();
    let first = caller.token().await;
    caller.sandbox.advance(116 * MINUTE);
    let second = caller.token().await;
    assert_ne!(first, second);
    assert_eq!((caller.verdict(&first).await, caller.verdict(&second).await), (0, 0));
    caller.sandbox.advance(4 * MINUTE);
    assert_eq!((caller.verdict(&first).await, caller.verdict(&second).await), (42001, 0));
}

#[tokio::test]
async fn force_refreshes_at_most_every_thirty_seconds_and_twenty_times_a_day() {
    let caller = Caller::new();
    let first = caller.token().await;
    let second = token_of(&caller.stable(true).await);
    assert_ne!(first, second);
    assert_eq!(caller.verdict(&first).await, 40001);
    assert_eq!(token_of(&caller.stable(true).await), second, "too soon");
    for _ in 0..19 {
        caller.sandbox.advance(30_000);
        assert_eq!(caller.stable(true).await.errcode(), 0);
    }
    caller.sandbox.advance(30_000);
    assert_eq!(caller.stable(true).await.errcode(), 45009);
    assert_eq!(caller.stable(false).await.errcode(), 0);
}

#[tokio::test]
async fn the_two_kinds_of_tokens_never_affect_each_other() {
    let caller = Caller::new();
    let stable = caller.token().await;
    let classic = token_of(&caller.classic().await);
    caller.stable(true).await;
    assert_eq!((caller.verdict(&stable).await, caller.verdict(&classic).await), (40001, 0));
    let stable = caller.token().await;
    caller.classic().await;
    caller.classic().await;
    assert_eq!((caller.verdict(&stable).await, caller.verdict(&classic).await), (0, 40001));
}

#[tokio::test]
async fn classic_errors_are_those_of_wechat() {
    let caller = Caller::new();
    let app = OFFICIAL_ACCOUNT;
    for (query, errcode) in [
        (format!("appid={app}&secret={SECRET}"), 40002),
        (format!("grant_type=password&appid={app}&secret={SECRET}"), 40002),
        (format!("grant_type=client_credential&secret={SECRET}"), 41002),
        (format!("grant_type=client_credential&appid={app}"), 41004),
        (format!("grant_type=client_credential&appid=wxnobody&secret={SECRET}"), 40013),
        (format!("grant_type=client_credential&appid={app}&secret=wrong"), 40125),
    ] {
        assert_eq!(caller.get(&format!("/cgi-bin/token?{query}")).await.errcode(), errcode, "{query}");
    }
}

#[tokio::test]
async fn stable_errors_are_those_of_wechat() {
    let caller = Caller::new();
    assert_eq!(caller.get("/cgi-bin/stable_token?grant_type=client_credential").await.errcode(), 43002);
    let app = OFFICIAL_ACCOUNT;
    for (body, errcode) in [
        ("grant_type=client_credential".to_owned(), 47001),
        (json!({"appid": app, "secret": SECRET}).to_string(), 40002),
        (json!({"grant_type": "client_credential", "secret": SECRET}).to_string(), 41002),
        (json!({"grant_type": "client_credential", "appid": app}).to_string(), 41004),
        (json!({"grant_type": "client_credential", "appid": "wxnobody", "secret": "s"}).to_string(), 40013),
        (json!({"grant_type": "client_credential", "appid": app, "secret": "wrong"}).to_string(), 40125),
    ] {
        assert_eq!(caller.post("/cgi-bin/stable_token", body.clone()).await.errcode(), errcode, "{body}");
    }
}

#[tokio::test]
async fn a_caller_off_the_whitelist_is_told_its_address_and_a_mini_program_is_exempt() {
    let caller = Caller::new();
    let whitelist = Some(vec!["203.0.113.7".parse().expect("an address")]);
    caller.sandbox.put(App {
        whitelist: whitelist.clone(),
        ..App::new(OFFICIAL_ACCOUNT, SECRET, AppKind::OfficialAccount)
    });
    caller.sandbox.put(App { whitelist, ..App::new(MINI_PROGRAM, SECRET, AppKind::MiniProgram) });
    let refused = caller.classic().await.json();
    assert_eq!(refused["errcode"], 40164);
    let text = refused["errmsg"].as_str().expect("a text");
    assert!(text.starts_with("invalid ip 127.0.0.1 ipv6 ::ffff:127.0.0.1, not in whitelist rid: "), "{text}");
    let target = format!("/cgi-bin/token?grant_type=client_credential&appid={MINI_PROGRAM}&secret={SECRET}");
    assert_eq!(caller.get(&target).await.errcode(), 0);
}

#[tokio::test]
async fn a_rotated_token_is_dead_and_a_plain_fetch_gives_the_other_holders() {
    let caller = Caller::new();
    let first = caller.token().await;
    assert_eq!(caller.sandbox.rotate(OFFICIAL_ACCOUNT), 1);
    assert_eq!(caller.verdict(&first).await, 40001);
    let second = caller.token().await;
    assert_ne!(first, second);
    assert_eq!(second, caller.current(Kind::Stable));
    assert_eq!(caller.verdict(&second).await, 0);
    assert_eq!(caller.sandbox.counts().fetches, 2, "somebody else's fetch isn't counted");
}

#[tokio::test]
async fn a_token_rotated_with_a_grace_lives_on_for_it() {
    let caller = Caller::new();
    let first = token_of(&caller.classic().await);
    caller.sandbox.rotate(Target { grace_ms: MINUTE, ..OFFICIAL_ACCOUNT.into() });
    assert_eq!(caller.verdict(&first).await, 0);
    caller.sandbox.advance(MINUTE);
    assert_eq!(caller.verdict(&first).await, 40001);
}

#[tokio::test]
async fn a_poisoned_token_is_handed_out_and_taken_nowhere_until_a_force() {
    let caller = Caller::new();
    let first = caller.token().await;
    caller.sandbox.poison(OFFICIAL_ACCOUNT);
    assert_eq!(caller.token().await, first);
    assert_eq!(caller.verdict(&first).await, 40001);
    let probe = caller.get(&format!("/cgi-bin/get_api_domain_ip?access_token={first}")).await;
    assert_eq!(probe.errcode(), 40001);
    let second = token_of(&caller.stable(true).await);
    assert_eq!(caller.verdict(&second).await, 0);
}

#[tokio::test]
async fn a_lagging_token_is_taken_by_the_probe_endpoint_alone_until_the_lag_ends() {
    let caller = Caller::new();
    let token = caller.token().await;
    caller.sandbox.lag(Lag { milliseconds: Some(MINUTE), ..Lag::default() });
    assert_eq!(caller.verdict(&token).await, 40001);
    let probe = format!("/cgi-bin/get_api_domain_ip?access_token={token}");
    assert_eq!(caller.get(&probe).await.errcode(), 0);
    caller.sandbox.advance(MINUTE);
    assert_eq!(caller.verdict(&token).await, 0);

    caller.sandbox.lag(Lag { requests: Some(1), probe: true, ..Lag::default() });
    assert_eq!(caller.get(&probe).await.errcode(), 40001);
    assert_eq!(caller.get(&probe).await.errcode(), 0);
}

#[tokio::test]
async fn an_expired_token_is_told_apart_from_a_superseded_one() {
    let caller = Caller::new();
    let token = caller.token().await;
    caller.sandbox.expire(OFFICIAL_ACCOUNT);
    assert_eq!(caller.verdict(&token).await, 42001);
    assert_ne!(caller.token().await, token);
}

#[tokio::test]
async fn a_missing_and_a_malformed_token_have_codes_of_their_own() {
    let caller = Caller::new();
    assert_eq!(caller.get("/cgi-bin/user/get").await.errcode(), 41001);
    assert_eq!(caller.verdict("").await, 41001);
    assert_eq!(caller.verdict("ACCESS_TOKEN").await, 40014);
    assert_eq!(caller.verdict("twenty_characters_and_a_%20").await, 40014);
    assert_eq!(caller.verdict("89_a-token-that-nobody-ever-issued").await, 40001);
}

#[tokio::test]
async fn expires_in_says_what_it_is_told_to_say() {
    let caller = Caller::new();
    for value in [json!(60), json!(0), json!(-1), json!("abc"), json!(1_000_000_000_000_i64), Value::Null] {
        caller.sandbox.change(|settings| settings.expires_in = ExpiresIn::Value(value.clone()));
        assert_eq!(caller.stable(false).await.json()["expires_in"], value);
        assert_eq!(caller.classic().await.json()["expires_in"], value);
    }
    caller.sandbox.change(|settings| settings.expires_in = ExpiresIn::Missing);
    assert!(caller.stable(false).await.json().get("expires_in").is_none());
}

#[tokio::test]
async fn a_shortened_life_is_told_and_kept() {
    let caller = Caller::new();
    caller.sandbox.change(|settings| settings.lifetime_ms = 10_000);
    let reply = caller.stable(false).await;
    assert_eq!(reply.json()["expires_in"], 10);
    let token = token_of(&reply);
    caller.sandbox.advance(10_000);
    assert_eq!(caller.verdict(&token).await, 42001);
}
