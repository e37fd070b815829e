//! A Redis written by somebody who hasn't the seal key.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;
use wxgate::secret::Secret;
use wxgate::store::{Content, Seal};

use super::fleet::Fleet;
use super::sealing::{COMPONENT, FIRST, SHOP, account, before, open, refresh_token};
use crate::client::client;
use crate::redis_server::RedisServer;
use crate::until::until;

const OTHER: &str = "wx0000000000000002";

/// Calls for both apps and two accounts through each replica; `openid` tells whom each is for.
/// Gives an answer that isn't as it should be.
async fn bad_call(fleet: &Fleet) -> Option<String> {
    let mut calls = JoinSet::new();
    for replica in &fleet.replicas {
        for whom in ["shop", "second", &account(0), &account(1)] {
            let url = format!("http://{}/@{whom}/cgi-bin/user/info?openid={whom}", replica.authority);
            let good = format!("\"openid\":\"{whom}\"");
            calls.spawn(async move {
                let answer = client().get(&url).send().await.expect("an answer").text().await.expect("text");
                (!answer.contains(&good)).then(|| format!("{url}: {answer}"))
            });
        }
    }
    calls.join_all().await.into_iter().flatten().next()
}

async fn call_all(fleet: &Fleet, what: &str) {
    let bad = bad_call(fleet).await;
    assert_eq!(bad, None, "{what}\n{}", fleet.logs());
}

/// No token went out that isn't of the app that the call was for.
fn none_is_foreign(fleet: &Fleet) {
    let mut tokens = BTreeMap::<String, BTreeSet<String>>::new();
    for entry in fleet.sandbox.journal(Some("/cgi-bin/user/info")) {
        let (_, whom) = entry.query.split_once("openid=").expect("whom it is for");
        let whom = whom.split('&').next().unwrap_or_default();
        tokens.entry(whom.to_owned()).or_default().extend(entry.access_token);
    }
    assert_eq!(tokens.len(), 4, "{tokens:?}");
    let all: Vec<_> = tokens.values().flatten().collect();
    assert_eq!(all.len(), all.iter().collect::<BTreeSet<_>>().len(), "one app's for another: {tokens:?}");
    let evil = |entry: &wxgate::sandbox::Entry| entry.query.contains("EVIL");
    assert!(!fleet.sandbox.journal(None).iter().any(evil), "{tokens:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_writes_to_redis_without_the_key_sends_no_call_out_with_a_token_of_theirs_and_every_app_heals() {
    let server = RedisServer::start().await;
    let seal = Seal::new(&Secret::new(FIRST), None).expect("a key");
    let store = open(&server, Some(seal.clone())).await;
    let table = format!("url = \"{}\"\nseal_key = \"{FIRST}\"\n", server.url());
    let more =
        format!("[[app]]\nname = \"second\"\nappid = \"{OTHER}\"\nsecret = {{ env = \"SHOP_SECRET\" }}\n");
    let mut fleet = before(&store, &table, &more).await;
    fleet.add().await;
    fleet.add().await;
    fleet.agreed().await;
    call_all(&fleet, "before").await;

    let key = |key: &str| format!("{{wxgate}}:{key}");
    let (shop, other) = (format!("access_token:stable:{SHOP}"), format!("access_token:stable:{OTHER}"));
    let component = format!("component_access_token:{COMPONENT}");
    let ticket = format!("component_verify_ticket:{COMPONENT}");
    let acted_for = |number| format!("authorizer_access_token:{COMPONENT}:{}", account(number));
    let get = |name: &str| server.command(&["GET", &key(name)]).trim_end().to_owned();
    let set = |name: &str, value: &str| drop(server.command(&["SET", &key(name), value]));
    let records = [
        &shop,
        &other,
        &component,
        &ticket,
        &acted_for(0),
        &acted_for(1),
        &refresh_token(0),
        &refresh_token(1),
    ]
    .map(String::clone);
    let older: Vec<_> = records.iter().map(|name| get(name)).collect();
    assert!(older.iter().all(|text| text.contains("sealed")), "{older:?}");
    fleet.sandbox.rotate(wxgate::sandbox::Target::default());
    call_all(&fleet, "renewed").await;

    let forged = |name: &str, generation: u64, value: &str, seal: bool| {
        let now = wxgate::observe::clock::Clock::default().now().0;
        let digest = ring::digest::digest(&ring::digest::SHA256, value.as_bytes());
        let digest =
            base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, digest.as_ref());
        let never = name.starts_with("refresh_token");
        let mut record = json!({
            "format": 1, "generation": generation, "fetched_at": now - 1000,
            "expires_at": if never { i64::MAX } else { now + 7_000_000 }, "digest": digest,
        });
        let (field, value) =
            if seal { ("sealed", "c0ffee00.AAAAAAAAAAAAAAAAAAAAAAAA") } else { ("value", value) };
        record[field] = Value::from(value);
        record.to_string()
    };
    let healed = async || {
        let listed = store.list().await.expect("listed");
        records.iter().all(|name| {
            let entry = listed.iter().find(|entry| entry.key == **name);
            entry.is_some_and(|entry| matches!(&entry.content, Content::Token { problem: None, .. }))
        })
    };
    for (what, generation, sealed) in [
        ("in clear", 99, false),
        ("in clear, as high as can be", 1 << 53, false),
        ("in clear, higher than can be", u64::MAX, false),
        ("sealed with another key", 1_000, true),
    ] {
        for name in &records {
            set(name, &forged(name, generation, "EVIL", sealed));
            server.command(&["PUBLISH", &key("changes"), name]);
        }
        call_all(&fleet, what).await;
        // Every token dies at once, while the store lies.
        fleet.sandbox.rotate(wxgate::sandbox::Target::default());
        call_all(&fleet, what).await;
        until(|| format!("{what}: healed, {:?}\n{}", store.refused(), fleet.logs()), &healed).await;
        // One that starts knows only what the store says.
        fleet.replicas[0].end();
        fleet.restart(0).await;
        call_all(&fleet, what).await;
        none_is_foreign(&fleet);
    }
    // Leases that nobody holds, while every token dies: calls may fail until those are taken over,
    // one after the other.
    for name in &records {
        server.command(&["SET", &key(&format!("lease:{name}")), "somebody:0000000000000001:00000001"]);
    }
    fleet.sandbox.rotate(wxgate::sandbox::Target::default());
    let began = Instant::now();
    until(|| "calls in spite of leases", async || bad_call(&fleet).await.is_none()).await;
    println!("{:?} until all calls went out in spite of leases", began.elapsed());
    // What is sealed, but older, or another's.
    for (name, text) in records.iter().zip(&older) {
        set(name, text);
    }
    call_all(&fleet, "older ones").await;
    let [before, after] = [get(&shop), get(&other)];
    set(&shop, &after);
    set(&other, &before);
    set(&refresh_token(0), &get(&refresh_token(1)));
    set(&acted_for(0), &get(&acted_for(1)));
    call_all(&fleet, "another's").await;
    fleet.sandbox.rotate(wxgate::sandbox::Target::default());
    call_all(&fleet, "another's").await;
    until(|| format!("another's: healed, {:?}\n{}", store.refused(), fleet.logs()), &healed).await;
    fleet.replicas[1].end();
    fleet.restart(1).await;
    call_all(&fleet, "another's, started").await;
    none_is_foreign(&fleet);
    let log: String = fleet.replicas.iter().map(super::fleet::Replica::log).collect();
    assert!(log.contains("a record in the store is refused"), "{log}");
}
