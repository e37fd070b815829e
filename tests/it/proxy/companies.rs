//! Companies that change from one suite to another, and permanent codes that WeCom no longer takes.

use wxgate::sandbox::{Action, App, AppKind, Callback, Company, Fault, Kind, PlatformEvent, Receipt};
use wxgate::store::{self, Location};

use super::platform::{KEY, record, save};
use super::suites::{CORP_TOKEN, GETTOKEN, SECRET, Suite, USER, corpid, create, table, told, user};
use crate::callback::platform::SUITE;
use crate::harness::{Answer, Setup, at_once, caller};
use crate::redis_server::RedisServer;
use crate::until::until;

const SECOND: &str = "ww00000000000000ff";
const KEY_OF_BOTH: &str = "canary-key-of-both-suites-41c7";

/// Configures another suite, with `more` tables.
async fn add_second(suite: &Suite, more: &str) {
    let gate = &suite.gate;
    let provider = "ww00000000000000bb";
    gate.sandbox.put(App::new(provider, SECRET, AppKind::Wecom));
    gate.sandbox.put(App::new(SECOND, SECRET, AppKind::Suite));
    let keys = format!("callback_token = \"{}\"\ncallback_aes_key = \"{}\"", SUITE.token, SUITE.aes_key);
    let tables = format!("{}{more}", table("second", provider, SECOND, &keys));
    gate.change(|setup| setup.apps.insert_str(0, &tables));
    gate.running.reload().await.expect("reloaded");
    let [address] = gate.running.callback_addresses() else { panic!("one address") };
    let callback = Callback {
        appid: SECOND.into(),
        url: format!("http://{address}/callback/second"),
        token: SUITE.token.into(),
        aes_key: SUITE.aes_key.into(),
    };
    gate.sandbox.set_callback(callback).expect("a callback");
    let ticket = push_to_second(suite, PlatformEvent::SuiteTicket { ticket: None }).await;
    assert_eq!(told(&ticket), (200, "success"));
}

async fn push_to_second(suite: &Suite, event: PlatformEvent) -> Receipt {
    let told = suite.gate.sandbox.occur(SECOND, event).expect("it happens");
    suite.gate.sandbox.push(SECOND, &told).await.expect("an answer").expect("a callback")
}

/// Puts into the store what a suite has of a company, which WeCom knows as well.
async fn keep(suite: &Suite, id: &str, number: usize, code: &str, generation: u64) {
    let key = format!("permanent_code:{id}:{}", corpid(number));
    save(&suite.store, &key, &record(code, generation)).await;
    if !code.is_empty() {
        suite.gate.sandbox.install(Company::new(id, corpid(number), code));
    }
}

/// Whether a request for the company is answered, with the token of this suite.
async fn is_served_by(suite: &Suite, id: &str, number: usize) -> bool {
    suite.gate.sandbox.reset();
    let answer = suite.gate.get(&user(&corpid(number))).await;
    let token = suite.gate.sandbox.token(&format!("{}.{id}", corpid(number)), Kind::Wecom);
    let journal = suite.gate.journal(USER);
    let sent = journal.last().map(|entry| &*entry.query).unwrap_or_default();
    answer.errcode() == 0 && token.is_some_and(|token| sent.ends_with(&*token))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_company_that_changed_suites_is_acted_for_by_the_later_one() {
    let suite = Suite::with("", "").await;
    suite.ticket().await;
    add_second(&suite, "").await;
    let gate = &suite.gate;
    suite.authorise(1).await;
    suite.exchanged(1).await;
    assert!(is_served_by(&suite, SUITE.id, 1).await);
    gate.sandbox.advance(2_000);
    let (_, receipt) = suite.push(PlatformEvent::CancelAuth { corpid: corpid(1) }).await;
    assert_eq!(told(&receipt), (200, "success"));
    until(|| "it is refused", async || gate.get(&user(&corpid(1))).await.status == 502).await;
    assert_eq!(gate.get(&user(&corpid(1))).await.refusal().1, "token_unavailable");
    assert_eq!(told(&push_to_second(&suite, create(1)).await), (200, "success"));
    until(|| "the second suite acts for it", async || is_served_by(&suite, SECOND, 1).await).await;

    // As a process sees it that finds both in the store.
    keep(&suite, SUITE.id, 2, "", 2).await;
    keep(&suite, SECOND, 2, "canary-code-of-the-second", 1).await;
    assert!(is_served_by(&suite, SECOND, 2).await);

    // It authorises the first one again.
    gate.sandbox.advance(2_000);
    suite.authorise(1).await;
    suite.exchanged(1).await;
    until(|| "it is ambiguous", async || gate.get(&user(&corpid(1))).await.status == 400).await;
    assert_eq!(gate.get(&user(&corpid(1))).await.refusal().1, "bad_request");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_suites_that_another_replica_saw_counts_as_well() {
    let redis = RedisServer::start().await;
    let location = Location::Redis(store::redis::Target::parse(&redis.url()).expect("a Redis"));
    let setup = Setup { apps: String::new(), ..Setup::default() };
    let folder = tempfile::tempdir().expect("a folder");
    let suite = Suite::on(location, &redis.url(), 2, "", setup, folder).await;
    suite.ticket().await;
    add_second(&suite, "").await;
    for number in 0..2 {
        assert!(is_served_by(&suite, SUITE.id, number).await);
    }
    keep(&suite, SUITE.id, 0, "", 9).await;
    keep(&suite, SECOND, 0, "canary-code-of-the-second", 1).await;
    until(|| "the second suite acts for it", async || is_served_by(&suite, SECOND, 0).await).await;
    keep(&suite, SECOND, 1, "canary-code-of-the-second", 1).await;
    let ambiguous = async || suite.gate.get(&user(&corpid(1))).await.status == 400;
    until(|| "it authorised both", ambiguous).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_learns_nothing_of_suites_that_it_may_not_use() {
    let suite = Suite::with("", "").await;
    suite.ticket().await;
    let one = caller("one", &[KEY], &["second"], "allow = [\"**\"]");
    let both = caller("both", &[KEY_OF_BOTH], &[SUITE.name, "second"], "allow = [\"**\"]");
    add_second(&suite, &format!("{one}{both}")).await;
    let get = async |key: &str, number: usize| {
        let path = suite.gate.url(&user(&corpid(number)));
        Answer::of(suite.gate.client.get(path).bearer_auth(key)).await
    };
    for number in 1..=2 {
        keep(&suite, SUITE.id, number, "canary-code-of-the-first", 1).await;
    }
    keep(&suite, SECOND, 1, "canary-code-of-the-second", 1).await;
    for _ in 0..2 {
        assert_eq!(get(KEY_OF_BOTH, 1).await.refusal(), (400, "bad_request", -70400));
        let answer = get(KEY, 1).await;
        assert_eq!(answer.errcode(), 0, "{}", answer.text());
        // One that authorised the other suite alone is as one that nobody knows.
        assert_eq!(get(KEY_OF_BOTH, 2).await.errcode(), 0);
        let [others, nobodys] = [get(KEY, 2).await, get(KEY, 3).await];
        assert_eq!(others.refusal().1, "caller_forbidden");
        assert_eq!(others.status, nobodys.status);
        // Two texts that differ by the name and the request's id alone.
        let said = |answer: &Answer, number| {
            let text = answer.text().replace(&corpid(number), "");
            text.split(" rid:").next().map(str::to_owned)
        };
        assert_eq!(said(&others, 2), said(&nobodys, 3));
    }
    let token = suite.gate.sandbox.token(&format!("{}.{SECOND}", corpid(1)), Kind::Wecom).expect("a token");
    assert!(suite.gate.journal(USER)[0].query.ends_with(&*token));
}

/// A suite whose company asks for a token with a code that WeCom reset meanwhile; `path` is what
/// that calls.
async fn reset_during_a_fetch(more: &str, path: &str) -> Suite {
    let folder = tempfile::tempdir().expect("a folder");
    let location = Location::File(folder.path().to_owned());
    let url = format!("file:{}", folder.path().display());
    let setup = Setup {
        token: "fetch_timeout = \"20s\"\nrefresh_wait = \"40s\"".into(),
        server: "request_timeout = \"50s\"".into(),
        apps: String::new(),
        ..Setup::default()
    };
    let suite = Suite::on(location, &url, 0, more, setup, folder).await;
    let gate = &suite.gate;
    suite.ticket().await;
    suite.authorise(1).await;
    suite.exchanged(1).await;
    gate.sandbox.install(Company::new(SUITE.id, corpid(1), "another"));
    gate.sandbox.reset();
    gate.sandbox.fault(Fault::new(Action::Latency { milliseconds: 3_000 }).path(path).times(1));
    gate.sandbox.advance(2_000);
    let reset = async {
        until(|| "the fetch", async || suite.count(path) == 1).await;
        let (_, receipt) = suite.push(PlatformEvent::ResetPermanentCode { corpid: corpid(1) }).await;
        assert_eq!(told(&receipt), (200, "success"));
        suite.exchanged(1).await;
        assert_eq!(suite.count(path), 1, "WeCom has not answered the first one");
    };
    let requests = at_once(5, |_| Answer::of(gate.client.get(gate.url(&user(&corpid(1))))));
    let (answers, ()) = tokio::join!(requests, reset);
    assert!(answers.iter().all(|answer| answer.errcode() == 0), "{answers:?}");
    assert_eq!(suite.count(path), 2);
    assert_eq!(gate.status().await["apps"][0]["authorizers"]["failing"], 0);
    suite
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permanent_code_that_is_reset_during_a_fetch_is_fetched_with_at_once() {
    reset_during_a_fetch("", CORP_TOKEN).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_is_that_of_a_customized_app() {
    reset_during_a_fetch("suite_kind = \"customized\"", GETTOKEN).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customized_apps_permanent_code_that_wecom_refuses_is_shown_to_it_once() {
    let suite = Suite::with("suite_kind = \"customized\"", "").await;
    let gate = &suite.gate;
    suite.ticket().await;
    suite.authorise(1).await;
    suite.exchanged(1).await;
    gate.sandbox.install(Company::new(SUITE.id, corpid(1), "another"));
    let fetches = || gate.journal(GETTOKEN).iter().filter(|entry| entry.query.contains(&corpid(1))).count();
    for _ in 0..3 {
        let answer = gate.get(&user(&corpid(1))).await;
        assert_eq!(answer.refusal().1, "token_unavailable");
        let text = answer.text();
        assert!(text.contains("administrator") && !text.contains("configuration"), "{text}");
    }
    gate.clock.advance(3_600_000);
    assert_eq!(gate.get(&user(&corpid(1))).await.status, 502);
    assert_eq!(fetches(), 1);
}
