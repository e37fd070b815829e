//! More requests than may be at work at once.

use wxgate::sandbox::{Action, Fault};

use super::bad_input::wire::{Caller, Raw, assert_idle, assert_sound, send};
use super::canned::Canned;
use crate::harness::{APPID, GAME, Gate, SHOP, SHOP_AND_GAME, Setup, caller};
use crate::until::until;

const SLOW: &str = "/cgi-bin/user/get";
const QUEUED: &str = "wxgate_queued_requests";

/// How many were refused, by app.
fn refused(app: &str) -> String {
    format!("wxgate_refused_total{{app=\"{app}\",caller=\"anonymous\",code=\"overloaded\"}}")
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

fn at_most(places: usize) -> Setup {
    let server = format!("max_inflight = {places}\nerror_status = \"wechat\"");
    Setup { server, ..Setup::default() }
}

/// A caller whose request WeChat has and doesn't answer.
async fn at_work(gate: &Gate, path: &str) -> Caller {
    let before = gate.journal(SLOW).len();
    let mut caller = Caller::of(gate).await;
    caller.send(get(path)).await;
    gate.sandbox.arrived(SLOW, before + 1).await;
    caller
}

/// What a refusal for want of a place looks like.
#[track_caller]
fn assert_overloaded(answer: Option<Raw>, errcode: i64, key: &str) {
    let answer = answer.expect("an answer");
    let headers = (answer.header("x-wxgate-error"), answer.header("retry-after"));
    assert_eq!((answer.status, headers), (503, (Some("overloaded"), Some("1"))), "{answer:?}");
    let body = answer.json();
    assert_eq!(body["errcode"], errcode, "{body}");
    assert!(body["errmsg"].as_str().is_some_and(|text| text.contains(key)), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_beyond_the_most_at_work_is_refused_before_its_body_is_read() {
    let gate = Gate::with(at_most(3)).await.settled().await;
    gate.sandbox.fault(Fault::new(Action::Silence).path(SLOW));
    let mut working = Vec::new();
    for _ in 0..3 {
        working.push(at_work(&gate, SLOW).await);
    }
    // None of the body is ever sent.
    let upload = "POST /wxa/anything HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n";
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    for head in [format!("{upload}\r\n"), format!("{upload}{form}\r\n"), get("/cgi-bin/user/info")] {
        assert_overloaded(send(&gate, head).await, -70503, "server.max_inflight");
    }
    // Token and login calls have codes of WeChat's, which programs there know.
    let token = "POST /cgi-bin/stable_token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n";
    let login = get("/sns/jscode2session?appid=wx0000000000000001&secret=s&js_code=c");
    for call in [token.to_owned(), login] {
        assert_overloaded(send(&gate, call).await, 45011, "server.max_inflight");
    }
    for ours in ["/", "/healthz"] {
        assert_eq!(send(&gate, get(ours)).await.expect("an answer").status, 200);
    }
    // The form and the token call weren't read, so nobody knows whose they were.
    assert_eq!((gate.metric(&refused("other")).await, gate.metric(&refused("shop")).await), (2.0, 3.0));
    assert_eq!(gate.metric("wxgate_queued_total{outcome=\"left\"}").await, 5.0);
    assert_eq!(gate.metric("wxgate_inflight_requests").await, 3.0);
    assert_eq!(gate.sandbox.journal(None).len(), 3);

    // Whoever hangs up leaves its place.
    drop(working.pop());
    let answered = async || send(&gate, get("/wxa/free")).await.expect("an answer").status == 200;
    until(|| "a place that was left", answered).await;
    drop(working);
    assert_sound(&gate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_have_half_of_the_places_however_little_they_send() {
    const KEY: &str = "canary-key-of-orders-5d1c";
    let apps = format!("{SHOP}{}", caller("orders", &[KEY], &["shop"], ""));
    let gate = Gate::with(Setup { apps, ..at_most(4) }).await.settled().await;
    let body = format!("{{\"appid\":\"{APPID}\",\"secret\":\"{KEY}\",\"grant_type\":\"client_credential\"}}");
    let call = format!(
        "POST /cgi-bin/stable_token HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let all_but_one = call.len() - 1;
    let mut strangers = Vec::new();
    for _ in 0..4 {
        let mut stranger = Caller::of(&gate).await;
        stranger.send(&call.as_bytes()[..all_but_one]).await;
        strangers.push(stranger);
    }
    // Two find no place.
    until(|| "two strangers at work", async || gate.metric("wxgate_inflight_requests").await == 2.0).await;
    assert_overloaded(
        send(&gate, call.clone()).await,
        45011,
        "bodies of unknown callers are being read (server.max_inflight)",
    );

    let known = format!("GET /wxa/free HTTP/1.1\r\nHost: localhost\r\nX-Wxgate-Key: {KEY}\r\n\r\n");
    assert_eq!(send(&gate, known).await.expect("an answer").status, 200);

    let mut tokens = 0;
    for mut stranger in strangers {
        stranger.send(&call.as_bytes()[all_but_one..]).await;
        let answer = stranger.answer().await.expect("an answer");
        tokens += usize::from(answer.json()["access_token"].is_string());
    }
    assert_eq!(tokens, 2);
    assert!(send(&gate, call).await.expect("an answer").json()["access_token"].is_string(), "given back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_streaming_answer_has_its_place_until_it_ends() {
    let (wechat, gate) = Canned::gate(at_most(1)).await;
    wechat.answer(b"HTTP/1.1 200 OK\r\n\r\n\x89PNG");
    wechat.hang();
    let mut caller = Caller::of(&gate).await;
    caller.send(get("/wxa/anything")).await;
    let head = super::bad_input::wire::read_head(&mut caller.0).await;
    assert!(head.is_some_and(|head| head.starts_with("HTTP/1.1 200")));
    assert_overloaded(send(&gate, get("/wxa/anything")).await, -70503, "server.max_inflight");
    drop(caller);
    assert_idle(&gate).await;
    let mut next = Caller::of(&gate).await;
    next.send(get("/wxa/anything")).await;
    assert!(
        super::bad_input::wire::read_head(&mut next.0)
            .await
            .is_some_and(|head| head.starts_with("HTTP/1.1 200"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_is_full_leaves_the_others_alone_and_a_reload_changes_its_limit() {
    let limited = |places: usize| {
        let limit = format!("secret = {{ env = \"SHOP_SECRET\" }}\nmax_inflight = {places}");
        SHOP_AND_GAME.replace("secret = { env = \"SHOP_SECRET\" }", &limit)
    };
    let setup = Setup { server: "error_status = \"wechat\"".into(), apps: limited(2), ..Setup::default() };
    let gate = Gate::with(setup).await.settled().await;
    gate.sandbox.fault(Fault::new(Action::Silence).path(SLOW));
    let shop = format!("/@shop{SLOW}");
    let working = [at_work(&gate, &shop).await, at_work(&gate, &shop).await];
    let full = async || send(&gate, get("/@shop/wxa/anything")).await;
    assert_overloaded(full().await, -70503, "max_inflight");
    assert_eq!(send(&gate, get("/@game/wxa/anything")).await.expect("an answer").status, 200);
    assert_eq!(gate.metric(&refused("shop")).await, 1.0);

    // What runs still counts after a reload.
    gate.reload("error_status = \"wechat\"", &limited(3)).await;
    let third = at_work(&gate, &shop).await;
    assert_overloaded(full().await, -70503, "max_inflight");
    gate.reload("error_status = \"wechat\"", &limited(0)).await;
    assert_eq!(full().await.expect("an answer").status, 200);
    drop((working, third));
    assert_idle(&gate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_is_served_by_who_waits_a_moment() {
    let gate = Gate::with(at_most(1)).await.settled().await;
    gate.sandbox.fault(Fault::new(Action::Latency { milliseconds: 5 }).path(SLOW));
    // On a machine that is busy with other things the moment may pass.
    let waited = async || {
        let (one, other) = tokio::join!(send(&gate, get(SLOW)), send(&gate, get(SLOW)));
        let statuses = [one, other].map(|answer| answer.expect("an answer").status);
        assert!(statuses.contains(&200), "{statuses:?}");
        statuses == [200, 200] && gate.metric("wxgate_queued_total{outcome=\"served\"}").await > 0.0
    };
    until(|| "one that waited and was served", waited).await;
    assert_eq!(gate.metric(QUEUED).await, 0.0);
    assert_idle(&gate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_whose_calls_hang_leaves_the_last_places_to_the_others() {
    const PLACES: usize = 16;
    let setup = Setup { apps: SHOP_AND_GAME.into(), ..at_most(PLACES) };
    let gate = Gate::with(setup).await.settled().await;
    gate.sandbox.fault(Fault::new(Action::Silence).path(SLOW));
    let shop = format!("/@shop{SLOW}");
    let mut working = Vec::new();
    for _ in 0..PLACES - PLACES / 8 {
        working.push(at_work(&gate, &shop).await);
    }
    assert_overloaded(send(&gate, get("/@shop/wxa/a")).await, -70503, "the rest is for other apps");
    let queued = gate.metric("wxgate_queued_total{outcome=\"left\"}").await;
    for _ in 0..20 {
        assert_eq!(send(&gate, get("/@game/wxa/a")).await.expect("an answer").status, 200);
    }
    assert_eq!(gate.metric(&refused("game")).await, 0.0);
    assert_eq!(gate.metric("wxgate_queued_total{outcome=\"left\"}").await, queued, "nobody else waited");
    assert_eq!(gate.metric("wxgate_queued_total{outcome=\"served\"}").await, 0.0);
    // With the others' limits gone there is nobody to keep places for.
    gate.reload("error_status = \"wechat\"", SHOP).await;
    assert_eq!(send(&gate, get("/wxa/a")).await.expect("an answer").status, 200);
    drop(working);
    assert_idle(&gate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_hangs_up_in_line_is_not_waited_for() {
    let gate = Gate::with(at_most(1)).await.settled().await;
    gate.sandbox.fault(Fault::new(Action::Silence).path(SLOW));
    let working = at_work(&gate, SLOW).await;
    for _ in 0..20 {
        let mut gone = Caller::of(&gate).await;
        gone.send(get("/wxa/gone")).await;
    }
    until(|| "an empty line", async || gate.metric("wxgate_inflight_requests").await == 1.0).await;
    assert_eq!(gate.metric(QUEUED).await, 0.0);
    drop(working);
    assert_idle(&gate).await;
    assert_eq!(gate.journal("/wxa/gone").len(), 0);
    assert_eq!(send(&gate, get("/wxa/free")).await.expect("an answer").status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn places_are_left_however_a_request_ends() {
    let gate = Gate::with(Setup { apps: format!("{SHOP}max_inflight = 1\n{GAME}"), ..at_most(1) }).await;
    let gate = gate.settled().await;
    for round in 0..40 {
        // Refused by the plan, by the limits of HTTP, answered here, by WeChat, by nobody.
        for path in ["/@nobody/wxa/a", "/cgi-bin//a", "/wxa/a", "/@game/wxa/a", "/cgi-bin/clear_quota"] {
            let answer = send(&gate, get(path)).await.expect("an answer");
            assert_ne!(answer.header("x-wxgate-error"), Some("overloaded"), "{round} {path}: {answer:?}");
        }
    }
    assert_sound(&gate).await;
}
