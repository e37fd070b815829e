//! Replicas of the version before and of this one on one store, there and back, under load.
//!
//! By hand, with that version's program:
//! `WXGATE_BEFORE=/path/to/wxgate cargo test --features otlp --test process side_by_side --
//! --ignored --nocapture`

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use serde_json::Value;
use tokio::task::block_in_place;
use tokio::time::Instant;
use wxgate::sandbox::{Sandbox, Target};
use wxgate::secret::Secret;
use wxgate::store::{Location, Options, Seal, Store};

use super::fleet::{Fleet, SECRET};
use super::load::Load;
use super::sealing::{FIRST, SHOP, account, before};
use crate::client::client;
use crate::redis_server::RedisServer;
use crate::until::{LOST, until};

const GAME: &str = "wx0000000000000002";
const SEND: &str = "/cgi-bin/message/custom/send";
/// Of all calls to `SEND`; so many are made between two changes of the replicas.
const BUDGET: usize = 2000;
const SPENT: usize = 250;
/// Of each version.
const REPLICAS: usize = 2;
/// Few enough for a small machine: to version 0.1.0 a store is down that takes 300 ms.
const CALLERS: usize = 4;
/// The shop's, the game's, the platform's, and those of the accounts that are called.
const CREDENTIALS: u64 = 5;

fn program_before() -> PathBuf {
    std::env::var_os("WXGATE_BEFORE").expect("WXGATE_BEFORE names the program of the version before").into()
}

struct Stage {
    fleet: Fleet,
    load: Load,
    rotations: u64,
    /// The logs of replicas that have ended.
    logs: Vec<String>,
}

impl Stage {
    async fn add(&mut self, program: PathBuf) {
        self.fleet.program = program;
        for _ in 0..REPLICAS {
            self.fleet.add().await;
            self.load.add(&self.fleet.replicas.last().expect("just started").authority);
            self.settled().await;
        }
    }

    /// Ends the oldest replicas, with a rotation while each is about to.
    async fn remove(&mut self) {
        for _ in 0..REPLICAS {
            self.rotate().await;
            let mut old = self.fleet.replicas.remove(0);
            self.load.remove(&old.authority).await;
            block_in_place(|| old.end());
            self.logs.push(old.log());
        }
        self.settled().await;
    }

    /// Each token dies that callers use, one after the other.
    async fn rotate(&mut self) {
        for appid in [SHOP.to_owned(), GAME.to_owned(), account(0), account(1)] {
            let dead = self.fleet.sandbox.rotate(Target { appid: Some(appid), ..Target::default() });
            self.rotations += u64::try_from(dead).expect("few");
            self.settled().await;
        }
    }

    /// Waits until every replica has what was fetched last, and calls go on for a while.
    async fn settled(&self) {
        self.load.goes_on(100).await;
        let agreed = async || {
            let mut held = Vec::new();
            for replica in &self.fleet.replicas {
                held.push(self.fleet.status(replica).await.map(|status| generations(&status)));
            }
            held.iter().all(|other| other.is_some() && *other == held[0])
        };
        until(|| format!("agreement\n{}", self.fleet.logs()), agreed).await;
        self.load.goes_on(100).await;
    }

    /// Makes calls to what has a budget, each by another replica; none may be refused.
    async fn spend(&self) {
        let client = client();
        for number in 0..SPENT {
            let replica = &self.fleet.replicas[number % self.fleet.replicas.len()];
            let answer = send(&client, &replica.authority).await;
            assert_eq!(answer["errcode"], 0, "{answer}\n{}", self.fleet.logs());
        }
    }
}

/// Of the shop and the game.
fn generations(status: &Value) -> Vec<Value> {
    let apps = status["apps"].as_array().into_iter().flatten();
    apps.filter(|app| app["name"] != "platform").map(|app| app["token"]["generation"].clone()).collect()
}

async fn send(client: &reqwest::Client, authority: &str) -> Value {
    let url = format!("http://{authority}{SEND}");
    let answer = client.post(url).body(r#"{"touser":"o","msgtype":"text"}"#).send().await.expect("an answer");
    serde_json::from_slice(&answer.bytes().await.expect("an answer")).expect("JSON")
}

fn messages(sandbox: &Sandbox) -> usize {
    sandbox.journal(Some(SEND)).iter().filter(|entry| entry.errcode == Some(0)).count()
}

async fn there_and_back(location: Location, sealed: bool) {
    let began = Instant::now();
    let seal = sealed.then(|| Seal::new(&Secret::new(FIRST), None).expect("a key")).map(Arc::new);
    let key = if sealed { format!("seal_key = \"{FIRST}\"\n") } else { String::new() };
    let table = format!("url = \"{location}\"\n{key}");
    let store = Store::open(&Options { location, seal }).await.expect("a store");
    let more = format!(
        "[[app]]\nname = \"game\"\nappid = \"{GAME}\"\nsecret = {{ env = \"SHOP_SECRET\" }}\n\
         token_mode = \"classic\"\n[[limit]]\nendpoint = \"{SEND}\"\ndaily = {BUDGET}\n"
    );
    let fleet = before(&store, &table, &more).await;
    fleet.sandbox.change(|settings| settings.journal_limit = 200_000);
    let prefixes = ["", "/@game", &format!("/@{}", account(0)), &format!("/@{}", account(1))];
    let load = Load::start(CALLERS, prefixes.map(str::to_owned).to_vec());
    let mut stage = Stage { fleet, load, rotations: 0, logs: Vec::new() };
    let (former, present) = (program_before(), PathBuf::from(env!("CARGO_BIN_EXE_wxgate")));

    stage.add(former.clone()).await;
    stage.spend().await;
    stage.rotate().await;
    stage.add(present.clone()).await;
    stage.spend().await;
    stage.rotate().await;
    stage.remove().await;
    stage.spend().await;
    stage.rotate().await;
    stage.add(former).await;
    stage.spend().await;
    stage.rotate().await;
    stage.remove().await;
    stage.spend().await;
    stage.rotate().await;
    stage.add(present).await;
    stage.spend().await;

    let Stage { fleet, load, rotations, mut logs } = stage;
    let (made, failed) = load.end().await;
    assert_eq!(failed, Vec::<String>::new(), "of {made}\n{}", fleet.logs());
    let counts = fleet.sandbox.counts();
    assert_eq!((counts.fetches, counts.forces), (CREDENTIALS + rotations, 0), "{}", fleet.logs());

    // All that is left of the budget is granted, and no more.
    let client = client();
    let give_up = Instant::now() + LOST;
    for replica in fleet.replicas.iter().cycle() {
        let answer = send(&client, &replica.authority).await;
        if answer["errcode"] == 45009 && messages(&fleet.sandbox) >= BUDGET {
            break;
        }
        assert!(Instant::now() < give_up, "{} of {BUDGET}: {answer}", messages(&fleet.sandbox));
    }
    for replica in &fleet.replicas {
        assert_eq!(send(&client, &replica.authority).await["errcode"], 45009);
    }
    assert_eq!(messages(&fleet.sandbox), BUDGET);

    logs.extend(fleet.replicas.iter().map(|replica| replica.log()));
    for log in &logs {
        for sign in ["is refused", "is damaged", "not shared", "taken over", "are lost"] {
            assert!(!log.contains(sign), "{sign}: {log}");
        }
    }
    let verified = Command::new(env!("CARGO_BIN_EXE_wxgate"))
        .args(["store", "verify", "--config"])
        .arg(fleet.config())
        .env_clear()
        .envs([("SHOP_SECRET", SECRET), ("ADMIN_TOKEN", "admin")])
        .output()
        .expect("it runs");
    let text = String::from_utf8([verified.stdout, verified.stderr].concat()).expect("UTF-8");
    assert!(verified.status.success() && text.contains(" 0 bad"), "{text}");
    println!(
        "{made} calls, none failed; {rotations} rotations, {} fetches of {CREDENTIALS} credentials; {BUDGET} messages \
         of a budget of {BUDGET}; {:.0} s",
        counts.fetches,
        began.elapsed().as_secs_f64()
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs by hand, with the program of the version before"]
async fn on_a_redis() {
    for sealed in [false, true] {
        let server = RedisServer::start().await;
        there_and_back(Location::parse(&server.url()).expect("a URL"), sealed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs by hand, with the program of the version before"]
async fn on_a_folder() {
    for sealed in [false, true] {
        let folder = tempfile::tempdir().expect("a folder");
        there_and_back(Location::File(folder.path().join("store")), sealed).await;
    }
}
