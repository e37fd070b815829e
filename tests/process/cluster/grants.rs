//! Refresh tokens of accounts that authorised a platform: losing one costs the account's
//! administrator another authorisation.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use wxgate::observe::clock::{Clock, Timestamp};
use wxgate::sandbox::{App, AppKind, Authorizer, Options, Sandbox, Target};
use wxgate::secret::Secret;
use wxgate::store::{self, Location, Record, Store};

use super::fleet::{Fleet, SECRET};
use crate::client::client;
use crate::until::LOST;

const COMPONENT: &str = "wxc000000000000001";
const ACCOUNT: &str = "wxa000000000000001";
const FETCH: &str = "/cgi-bin/component/api_authorizer_token";

/// What the kills met.
#[derive(Debug, Default)]
struct Met {
    kills: usize,
    /// WeChat had handed out another refresh token, which was not in the store yet.
    before_the_write: usize,
    /// It was.
    after_the_write: usize,
}

/// Kills the process at random moments around a fetch that brings another refresh token, and starts
/// it again: WeChat must go on taking the one in the store.
async fn kills(times: usize) {
    let sandbox = Sandbox::start(Options {
        apps: vec![App::new(COMPONENT, SECRET, AppKind::Component)],
        authorizers: vec![Authorizer::new(COMPONENT, ACCOUNT, "refreshtoken@@@first")],
        ..Options::default()
    });
    let sandbox = sandbox.expect("the sandbox starts");
    sandbox.change(|settings| settings.rotate_refresh_tokens = true);
    let folder = tempfile::tempdir().expect("a folder");
    let location = Location::File(folder.path().join("store"));
    let store = Store::open(&store::Options { location, seal: None }).await.expect("a store");
    let now = Clock::default().now();
    let record = |value: &str, expires_at| Record {
        value: std::sync::Arc::new(Secret::new(value)),
        generation: 1,
        fetched_at: now,
        expires_at,
    };
    let key = format!("refresh_token:{COMPONENT}:{ACCOUNT}");
    let ticket = record("ticket@@@", now.plus(Duration::from_secs(3600)));
    store.save(&format!("component_verify_ticket:{COMPONENT}"), &ticket).await.expect("saved");
    store.save(&key, &record("refreshtoken@@@first", Timestamp::NEVER)).await.expect("saved");

    let url = format!("url = \"file:{}\"", folder.path().join("store").display());
    let app = format!("appid = \"{COMPONENT}\"\nkind = \"component\"\n");
    let mut fleet = Fleet::before(sandbox, &app, &url);
    fleet.add().await;
    let client = client();
    let mut random = fastrand::Rng::with_seed(fastrand::u64(..));
    println!("seed {}", random.get_seed());
    let mut met = Met::default();
    for round in 0..times {
        let user = format!("http://{}/@{ACCOUNT}/cgi-bin/user/info?openid=o", fleet.replicas[0].authority);
        let held = store.load(&key).await.expect("the store works").expect("there is one");
        let seen = fleet.sandbox.journal(Some(FETCH)).len();
        // Its token is dead, so the call has another one fetched.
        fleet.sandbox.rotate(Target { appid: Some(ACCOUNT.into()), ..Target::default() });
        let mut call = JoinSet::new();
        call.spawn(client.get(&user).send());
        timeout(LOST, fleet.sandbox.arrived(FETCH, seen + 1)).await.expect("a fetch");
        sleep(Duration::from_micros(random.u64(0..8_000))).await;
        fleet.replicas[0].kill();
        drop(call);
        met.kills += 1;
        let left = store.load(&key).await.expect("the store works").expect("there is one");
        match left.value.matches(&held.value) {
            true => met.before_the_write += 1,
            false => met.after_the_write += 1,
        }
        fleet.restart(0).await;
        let user = format!("http://{}/@{ACCOUNT}/cgi-bin/user/info?openid=o", fleet.replicas[0].authority);
        let answer = client.get(&user).send().await.expect("an answer").text().await.expect("text");
        assert!(answer.contains("\"openid\":\"o\""), "round {round}: {answer}\n{}", fleet.logs());
    }
    println!("{met:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_while_it_fetches_loses_no_refresh_token() {
    kills(8).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes; the one above is its short form"]
async fn a_hundred_kills_lose_no_refresh_token() {
    kills(100).await;
}
