//! Day budgets of callers and of `[[limit]]`.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use wxgate::observe::clock::Clock;
use wxgate::store::{self, Location, Store};

use crate::harness::{ADMIN_TOKEN, Answer, Gate, SHOP, Setup, at_once, caller, sandbox};
use crate::redis_server::RedisServer;
use crate::until::{LOST, found, until};

const SEND: &str = "/cgi-bin/message/custom/send";
/// Longer than anything takes here; what is still missing then will not come.
const EXHAUSTED: (u16, &str, i64) = (429, "quota_exhausted", 45009);

/// Two callers of the shop; `more` goes into the first one's table, `tables` are others.
fn two_callers(more: &str, tables: &str) -> Setup {
    let orders = caller("orders", &["key-orders"], &["shop"], more);
    let reports = caller("reports", &["key-reports"], &["shop"], "");
    Setup { apps: format!("{SHOP}{orders}{reports}{tables}"), ..Setup::default() }
}

fn daily(limit: u64) -> String {
    format!("daily = {{ {SEND:?} = {limit} }}")
}

async fn send(gate: &Gate, key: &str, path: &str) -> Answer {
    let request = gate.client.post(gate.url(path)).header("X-Wxgate-Key", key);
    Answer::of(request.body(r#"{"touser":"o","msgtype":"text"}"#)).await
}

/// How many of `count` requests get through. A store that is too slow for a moment, on a busy
/// machine, is asked again.
async fn passing(gate: &Gate, key: &str, count: usize) -> usize {
    let (mut passed, mut asked) = (0, 0);
    let give_up = Instant::now() + LOST;
    while asked < count {
        let answer = send(gate, key, SEND).await;
        if answer.header("x-wxgate-error").is_none() {
            passed += 1;
        } else {
            assert_eq!(answer.refusal(), EXHAUSTED);
            if answer.text().contains("does not respond") {
                assert!(Instant::now() < give_up, "{passed} passed, then {}", answer.text());
                sleep(Duration::from_millis(5)).await;
                continue;
            }
        }
        asked += 1;
    }
    passed
}

/// Waits until the store says that more is gone today than `spent`: the next slice is reserved
/// ahead.
async fn reserved_ahead(location: &Location, gate: &Gate, spent: u64) -> u64 {
    found(
        || "something reserved",
        async || Some(gone(location.clone(), gate).await).filter(|gone| *gone > spent),
    )
    .await
}

/// What the store says is gone today.
async fn gone(location: Location, gate: &Gate) -> u64 {
    let store = Store::open(&store::Options { location, seal: None }).await.expect("a store");
    let reserved = store.reserved(gate.clock.now().beijing_day()).await.expect("answered");
    reserved.counts.into_iter().map(|(_, amount)| amount).sum()
}

#[tokio::test]
async fn a_callers_budget_ends_at_midnight_in_beijing() {
    let clock = Clock::default();
    // An hour before it.
    clock.advance(clock.now().beijing_midnight().0 - 3_600_000 - clock.now().0);
    let gate = Gate::by(clock, sandbox(), two_callers(&daily(3), "")).await.settled().await;
    assert_eq!(passing(&gate, "key-orders", 3).await, 3);
    let refused = send(&gate, "key-orders", SEND).await;
    assert_eq!(refused.refusal(), EXHAUSTED);
    assert_eq!(
        refused.json()["errmsg"],
        "wxgate: quota_exhausted: caller orders: 3 requests a day to /cgi-bin/message/custom/send (daily in \
         [[caller]]); resets at 00:00 Beijing [caller orders, app shop, POST /cgi-bin/message/custom/send]"
    );
    let retry: u64 = refused.header("retry-after").expect("a time").parse().expect("seconds");
    assert!((3500..=3600).contains(&retry), "{retry}");
    assert_eq!(passing(&gate, "key-reports", 5).await, 5, "another caller");
    assert_eq!(gate.journal(SEND).len(), 8);
    let sample = r#"wxgate_refused_total{app="shop",caller="orders",code="quota_exhausted"}"#;
    assert_eq!(gate.metric(sample).await, 1.0);
    gate.clock.advance(3_601_000);
    assert_eq!(passing(&gate, "key-orders", 5).await, 3, "another day");
}

#[tokio::test]
async fn what_is_not_sent_and_what_is_sent_again_costs_nothing() {
    let setup = Setup { server: "max_body = \"1KiB\"".into(), ..two_callers(&daily(2), "") };
    let gate = Gate::with(setup).await.settled().await;
    let long = gate.client.post(gate.url(SEND)).header("X-Wxgate-Key", "key-orders").body(vec![b'x'; 2000]);
    assert_eq!(Answer::of(long).await.status, 413);
    gate.sandbox.rotate(crate::harness::APPID);
    assert_eq!(passing(&gate, "key-orders", 3).await, 2);
    assert_eq!(gate.journal(SEND).len(), 3, "one of them was a replay");
}

#[tokio::test]
async fn a_pattern_has_one_budget_for_all_that_it_matches() {
    let more = "daily = { \"POST /cgi-bin/message/**\" = 2, \"/cgi-bin/menu/*\" = 1 }";
    let gate = Gate::with(two_callers(more, "")).await.settled().await;
    let mut refused = Vec::new();
    for path in
        [SEND, "/cgi-bin/message/template/send", SEND, "/cgi-bin/menu/create", "/cgi-bin/menu/create/"]
    {
        refused.push(send(&gate, "key-orders", path).await.header("x-wxgate-error").is_some());
    }
    assert_eq!(refused, [false, false, true, false, true]);
}

#[tokio::test]
async fn of_a_request_that_one_budget_refuses_the_others_spend_nothing() {
    let all = |limit| two_callers(&daily(3), &format!("[[limit]]\ndaily = {limit}\nendpoint = {SEND:?}\n"));
    let gate = Gate::with(all(4)).await.settled().await;
    assert_eq!(passing(&gate, "key-orders", 1).await, 1);
    assert_eq!(passing(&gate, "key-reports", 10).await, 3);
    assert_eq!(passing(&gate, "key-orders", 10).await, 0, "all of what all share is gone");
    gate.reload("", &all(20).apps).await;
    assert_eq!(passing(&gate, "key-orders", 10).await, 2, "and nothing of its own");
    assert_eq!(passing(&gate, "key-reports", 20).await, 14);
}

#[tokio::test]
async fn what_is_reserved_for_a_caller_others_cannot_eat() {
    let limit = format!("[[limit]]\nendpoint = {SEND:?}\ndaily = 10\nreserve = {{ orders = 4 }}\n");
    let gate = Gate::with(two_callers("", &limit)).await.settled().await;
    assert_eq!(passing(&gate, "key-reports", 12).await, 6, "what is not reserved");
    assert_eq!(passing(&gate, "key-orders", 12).await, 4, "what is");
    let gate = Gate::with(two_callers("", &limit)).await.settled().await;
    assert_eq!(passing(&gate, "key-orders", 12).await, 10, "its own first, then what all share");
    assert_eq!(passing(&gate, "key-reports", 1).await, 0);
}

#[tokio::test]
async fn a_restart_keeps_what_is_spent_and_a_drain_gives_the_rest_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store");
    let redis = RedisServer::start().await;
    for url in [format!("file:{}", path.display()), redis.url()] {
        let setup = || two_callers(&daily(200), &format!("[store]\nurl = {url:?}\n"));
        let location = || Location::parse(&url).expect("a URL");
        let gate = Gate::with(setup()).await.settled().await;
        assert_eq!(passing(&gate, "key-orders", 5).await, 5);
        reserved_ahead(&location(), &gate, 5).await;
        let Gate { running, clock, .. } = gate;
        running.drain().await;
        let gate = Gate::by(clock, sandbox(), setup()).await.settled().await;
        assert_eq!(gone(location(), &gate).await, 5, "{url}");
        assert_eq!(passing(&gate, "key-orders", 200).await, 195, "{url}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_heals_budgets_and_counters_and_lets_callers_spend_once_more_on_all_replicas() {
    let redis = RedisServer::start().await;
    let tables = format!("[[limit]]\napp = \"shop\"\ndaily = 900\n[store]\nurl = {:?}\n", redis.url());
    let setup = || two_callers(&daily(20), &tables);
    let one = Gate::with(setup()).await.settled().await;
    let other = Gate::with(setup()).await.settled().await;
    let both = async || {
        // So long nobody asks again for what is spent.
        [&one, &other].iter().for_each(|gate| gate.clock.advance(1_001));
        passing(&one, "key-orders", 25).await + passing(&other, "key-orders", 25).await
    };
    assert_eq!(both().await, 20);
    let day = one.clock.now().beijing_day();
    let budget = format!("caller=orders endpoint={SEND}");
    for (key, name) in [("budget", &budget), ("count", &format!("shop orders {SEND}"))] {
        redis.command(&["HSET", &format!("{{wxgate}}:{key}:{day}"), name, "-1"]);
    }
    assert_eq!(both().await, 0, "what can't be is spent");
    let reset = async |query: &str| {
        let url = one.admin_url(&format!("/api/v1/apps/shop/quota/reset{query}"));
        Answer::of(one.client.post(url).bearer_auth(ADMIN_TOKEN)).await
    };
    assert_eq!(reset("").await.status, 400);
    assert_eq!(both().await, 0, "it was not confirmed");
    let done = reset("?confirm=shop").await;
    let told = done.json();
    assert_eq!((done.status, &told["reset"]), (200, &true.into()), "{told}");
    assert_eq!(told["budgets"], serde_json::json!(["app=shop", budget]), "{told}");
    let calls_today = async || {
        let series = format!(r#"wxgate_calls_today{{app="shop",caller="orders",endpoint="{SEND}"}}"#);
        one.metric(&series).await
    };
    assert_eq!(calls_today().await, 0.0);
    assert_eq!(both().await, 20, "once more, and no more");
    assert!((1.0..=20.0).contains(&calls_today().await));
    assert_eq!(reset("?confirm=shop").await.json()["reset"], true);
    assert_eq!(both().await, 20, "and again");
    redis.command(&["FLUSHALL"]);
    assert!(both().await <= 2, "what a store lost is not granted again");
}

#[tokio::test]
async fn two_processes_on_one_folder_share_a_budget() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = format!("[store]\nurl = \"file:{}\"\n", folder.path().join("store").display());
    let one = Gate::with(two_callers(&daily(30), &store)).await.settled().await;
    let other = Gate::with(two_callers(&daily(30), &store)).await.settled().await;
    let both = async |count| {
        let (one, other) =
            tokio::join!(passing(&one, "key-orders", count), passing(&other, "key-orders", count));
        one + other
    };
    assert_eq!(both(30).await, 30);
}

#[tokio::test]
async fn many_at_once_get_exactly_the_budget() {
    let gate = Gate::with(two_callers(&daily(100), "")).await.settled().await;
    let (client, url) = (gate.client.clone(), gate.url(SEND));
    let mut asked = 0;
    // On a busy machine some may wait too long for the store, and are to come back.
    while asked < 300 || gate.journal(SEND).len() < 100 {
        let answers = at_once(300, |_| {
            let request = client.post(&url).header("X-Wxgate-Key", "key-orders").body("{}");
            Answer::of(request)
        });
        let refused = answers.await.into_iter().filter(|answer| answer.header("x-wxgate-error").is_some());
        asked += 300;
        assert!(refused.count() >= 200);
    }
    assert_eq!(gate.journal(SEND).len(), 100);
}

#[tokio::test]
async fn without_the_store_a_replica_spends_what_it_has_and_no_more() {
    let mut redis = RedisServer::start().await;
    let store = format!("[store]\nurl = {:?}\n", redis.url());
    let gate = Gate::with(two_callers(&daily(640), &store)).await.settled().await;
    assert_eq!(passing(&gate, "key-orders", 2).await, 2);
    let location = Location::parse(&redis.url()).expect("a URL");
    let reserved = reserved_ahead(&location, &gate, 2).await;
    redis.kill();
    let mut passed = 0;
    while send(&gate, "key-orders", SEND).await.header("x-wxgate-error").is_none() {
        passed += 1;
    }
    assert!(passed + 2 <= reserved + 10 && passed >= 4, "{passed} passed, {reserved} were reserved");
    let refused = send(&gate, "key-orders", SEND).await;
    assert_eq!((refused.refusal(), refused.header("retry-after")), (EXHAUSTED, Some("1")));
    assert!(refused.text().contains("the store that counts them does not respond"), "{}", refused.text());
    assert_eq!(passing(&gate, "key-reports", 1).await, 1, "no limit concerns it");
}

#[tokio::test]
async fn a_reload_keeps_what_is_spent_whatever_the_number_is_now() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = format!("[store]\nurl = \"file:{}\"\n", folder.path().join("store").display());
    let setup = |limit| two_callers(&daily(limit), &store);
    let gate = Gate::with(setup(1000)).await.settled().await;
    assert_eq!(passing(&gate, "key-orders", 3).await, 3);
    gate.reload("anonymous = true", &setup(1000).apps).await;
    assert_eq!(passing(&gate, "key-orders", 1).await, 1);
    let location = Location::File(folder.path().join("store"));
    gate.reload("", &setup(5).apps).await;
    let gives_back = async || gone(location.clone(), &gate).await <= 5;
    until(|| "what was reserved under the former number, given back", gives_back).await;
    assert_eq!(passing(&gate, "key-orders", 5).await, 1);
    gate.reload("", &setup(2).apps).await;
    assert_eq!(passing(&gate, "key-orders", 2).await, 0);
    gate.reload("", &setup(7).apps).await;
    assert_eq!(passing(&gate, "key-orders", 5).await, 2);
}
