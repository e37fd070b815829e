//! A running cluster gets a seal key, and another one, in the documented order: replicas of two
//! neighbouring steps run beside each other, and none may lose what the other writes.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use wxgate::observe::clock::{Clock, Timestamp};
use wxgate::sandbox::{App, AppKind, Authorizer, Options, Sandbox, Target};
use wxgate::secret::Secret;
use wxgate::store::{self, Content, Location, Protection, Record, Seal, Store};

use super::fleet::{Fleet, SECRET};
use super::load::Load;
use crate::client::client;
use crate::redis_server::RedisServer;
use crate::until::{LOST, until};

pub const SHOP: &str = "wx0000000000000001";
pub const COMPONENT: &str = "wxc000000000000001";
pub const FIRST: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const SECOND: &str = "1f1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100";
const ACCOUNTS: usize = 3;

pub fn account(number: usize) -> String {
    format!("wxa{number:015}")
}

pub fn refresh_token(number: usize) -> String {
    format!("refresh_token:{COMPONENT}:{}", account(number))
}

/// A shop and a platform with accounts before one WeChat; of the platform the ticket and the
/// accounts' refresh tokens are in `store`.
pub async fn before(store: &Store, table: &str, more: &str) -> Fleet {
    let (now, wechat) = (Clock::default().now(), AppKind::OfficialAccount);
    let mut apps = vec![App::new(SHOP, SECRET, wechat), App::new(COMPONENT, SECRET, AppKind::Component)];
    apps.push(App::new("wx0000000000000002", SECRET, wechat));
    let grant = |number| format!("refreshtoken@@@{number}");
    let authorizers = (0..ACCOUNTS).map(|number| Authorizer::new(COMPONENT, account(number), grant(number)));
    let options = Options { apps, authorizers: authorizers.collect(), ..Options::default() };
    let sandbox = Sandbox::start(options).expect("the sandbox starts");
    sandbox.change(|settings| settings.rotate_refresh_tokens = true);
    let record = |value: &str, expires_at| Record {
        value: Arc::new(Secret::new(value)),
        generation: 1,
        fetched_at: now,
        expires_at,
    };
    let ticket = record("ticket@@@", now.plus(Duration::from_secs(40_000)));
    store.save(&format!("component_verify_ticket:{COMPONENT}"), &ticket).await.expect("saved");
    for number in 0..ACCOUNTS {
        let never = record(&grant(number), Timestamp::NEVER);
        store.save(&refresh_token(number), &never).await.expect("saved");
    }
    let app = format!(
        "appid = \"{SHOP}\"\n{more}[[app]]\nname = \"platform\"\nappid = \"{COMPONENT}\"\n\
         secret = {{ env = \"SHOP_SECRET\" }}\nkind = \"component\"\n"
    );
    Fleet::before(sandbox, &app, table)
}

pub async fn open(server: &RedisServer, seal: Option<Seal>) -> Store {
    let location = Location::parse(&server.url()).expect("a URL");
    Store::open(&store::Options { location, seal: seal.map(Arc::new) }).await.expect("a store")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_gets_its_first_key_and_another_under_load_and_loses_neither_call_nor_refresh_token() {
    let server = RedisServer::start().await;
    let url = format!("url = \"{}\"\n", server.url());
    let mut fleet = before(&open(&server, None).await, &url, "").await;
    let first = format!("seal_key = \"{FIRST}\"\n");
    let seal = |present: &str| Some(Seal::new(&Secret::new(present), None).expect("a key"));
    // What the store's table says in each step, and with which key all is sealed before the next
    // one may begin.
    let steps = [
        (String::new(), None),
        (format!("former_seal_key = \"{FIRST}\"\n"), None),
        (format!("{first}accept_unsealed = true\n"), Some(FIRST)),
        (first.clone(), Some(FIRST)),
        (format!("{first}former_seal_key = \"{SECOND}\"\n"), Some(FIRST)),
        (format!("seal_key = \"{SECOND}\"\nformer_seal_key = \"{FIRST}\"\n"), Some(SECOND)),
        (format!("seal_key = \"{SECOND}\"\n"), Some(SECOND)),
    ];
    // The last account is left alone: what nobody asks for must not be lost either.
    let prefixes = vec![String::new(), format!("/@{}", account(0)), format!("/@{}", account(1))];
    let load = Load::start(6, prefixes);
    for (number, (table, key)) in steps.iter().enumerate() {
        fleet.configure(&format!("{url}{table}"));
        for nth in 0..3 {
            fleet.add().await;
            load.add(&fleet.replicas.last().expect("just started").authority);
            // Once a step: a request is sent three times at most, and three tokens in a row that
            // die within its time would fail it.
            if nth == number % 3 {
                let target = |appid: &str| Target { appid: Some(appid.to_owned()), ..Target::default() };
                fleet.sandbox.rotate(target(SHOP));
                fleet.sandbox.rotate(target(&account(number % 2)));
            }
            if number > 0 {
                let mut old = fleet.replicas.remove(0);
                load.remove(&old.authority).await;
                old.end();
                assert!(!old.log().contains("is refused"), "step {number}: {}", old.log());
            }
        }
        load.goes_on(150).await;
        let protection = key.map_or(Protection::Clear, |key| {
            Protection::Sealed(seal(key).and_then(|seal| seal.key_id().map(str::to_owned)).expect("it seals"))
        });
        let store = open(&server, key.and_then(seal)).await;
        let all = async || {
            let listed = store.list().await.expect("listed");
            listed.iter().all(|entry| match &entry.content {
                Content::Token { protection: by, problem, .. } => *by == protection && problem.is_none(),
                Content::Unreadable(_) => false,
                Content::Lease { .. } | Content::Forces(_) => true,
            })
        };
        until(|| format!("all sealed in step {number}\n{}", fleet.logs()), all).await;
    }
    let (made, failed) = load.end().await;
    assert_eq!(failed, Vec::<String>::new(), "of {made}\n{}", fleet.logs());
    for (number, replica) in (0..ACCOUNTS).zip(&fleet.replicas) {
        let url = format!("http://{}/@{}/cgi-bin/user/info?openid=o", replica.authority, account(number));
        let answer = client().get(&url).send().await.expect("an answer").text().await.expect("text");
        assert!(answer.contains("\"openid\":\"o\""), "{answer}\n{}", fleet.logs());
        assert!(!replica.log().contains("is refused"), "{}", replica.log());
    }
    println!("{made} calls, none failed");
}

/// What a command says about the fleet's configuration, and how it ends.
async fn told(fleet: &Fleet, command: &str) -> (Option<i32>, String) {
    let child = std::process::Command::new(env!("CARGO_BIN_EXE_wxgate"))
        .args([command, "--config"])
        .arg(fleet.config())
        .env_clear()
        .envs([("SHOP_SECRET", SECRET), ("ADMIN_TOKEN", "admin")])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.expect("it runs");
    let give_up = Instant::now() + LOST;
    while child.try_wait().expect("a child").is_none() {
        if Instant::now() > give_up {
            child.kill().expect("it runs");
        }
        sleep(Duration::from_millis(20)).await;
    }
    let output = child.wait_with_output().expect("it ended");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).expect("UTF-8"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_with_a_key_that_finds_refresh_tokens_in_clear_lists_them_and_seals_them_if_they_are_accepted()
 {
    let server = RedisServer::start().await;
    let clear = open(&server, None).await;
    let table = format!("url = \"{}\"\nseal_key = \"{FIRST}\"\n", server.url());
    let mut fleet = before(&clear, &table, "").await;
    let (code, text) = told(&fleet, "serve").await;
    assert_eq!(code, Some(64), "{text}");
    let year = &Clock::default().now().rfc3339_in_beijing()[..5];
    for number in 0..ACCOUNTS {
        let line = format!("{}: account {}, stored at {year}", refresh_token(number), account(number));
        assert!(text.contains(&line), "{line}: {text}");
    }
    for remedy in ["Remove store.seal_key", "store.accept_unsealed = true"] {
        assert!(text.contains(remedy), "{text}");
    }
    assert!(!text.contains("refreshtoken@@@"), "{text}");
    for number in 0..ACCOUNTS {
        let kept = clear.load(&refresh_token(number)).await.expect("left as it was").expect("there");
        assert_eq!(kept.value.expose(), format!("refreshtoken@@@{number}"));
    }

    fleet.configure(&format!("{table}accept_unsealed = true\n"));
    let (code, text) = told(&fleet, "check").await;
    assert!(code == Some(0) && text.contains("store.accept_unsealed: warning"), "{text}");
    fleet.add().await;
    assert!(fleet.replicas[0].log().contains("no record is left in clear"), "{}", fleet.logs());
    fleet.replicas[0].end();

    fleet.configure(&table);
    fleet.restart(0).await;
    let replica = &fleet.replicas[0];
    for number in 0..ACCOUNTS {
        let url = format!("http://{}/@{}/cgi-bin/user/info?openid=o", replica.authority, account(number));
        let answer = client().get(&url).send().await.expect("an answer").text().await.expect("text");
        assert!(answer.contains("\"openid\":\"o\""), "{answer}\n{}", fleet.logs());
    }
    // Whoever plants one later is told of, and sends nobody anywhere.
    let planted = Record {
        value: Arc::new(Secret::new("planted")),
        generation: 9,
        fetched_at: Clock::default().now(),
        expires_at: Timestamp::NEVER,
    };
    let key = "refresh_token:wxc000000000000001:wxa000000000000009";
    clear.save(key, &planted).await.expect("saved");
    let url = format!("http://{}/@wxa000000000000009/cgi-bin/user/info?openid=o", replica.authority);
    for _ in 0..3 {
        let answer = client().get(&url).send().await.expect("an answer").text().await.expect("text");
        assert!(answer.contains("it is in clear although store.seal_key is set"), "{answer}");
    }
    let sample = "wxgate_store_records_refused_total{reason=\"unsealed\"}";
    assert!((fleet.metric(sample).await - 1.0).abs() < 0.1, "{}", fleet.logs());
    let status = fleet.status(replica).await.expect("a status");
    let refused = &status["store"]["refused"][0];
    assert_eq!((refused["key"].as_str(), refused["kept"].as_bool()), (Some(key), Some(true)), "{status}");
    let lines = replica.log().lines().filter(|line| line.contains("is refused")).count();
    assert_eq!(lines, 1, "{}", fleet.logs());
    assert_eq!(clear.load(key).await.expect("kept").expect("there").value.expose(), "planted");
}
