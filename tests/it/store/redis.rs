//! Redis in every shape, and failing in every way.

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio::time::timeout;
use wxgate::observe::exposition::{Dialect, Exposition};
use wxgate::secret::Secret;
use wxgate::store::{Addition, Batch, Change, DayCounts, Location, Saved, Store, StoreError};

use super::contract::{Place, load, record, save};
use crate::redis_server::{RedisServer, Watched, free_port};
use crate::until::{LOST, until};

pub async fn plain() -> Place {
    let server = RedisServer::start().await;
    Place::redis(&server.url(), vec![server])
}

pub async fn with_a_user() -> Place {
    let server = RedisServer::start().await;
    server.command(&["ACL", "SETUSER", "wx", "on", ">hunter2", "~{wxgate}:*", "&{wxgate}:*", "+@all"]);
    server.command(&["ACL", "SETUSER", "default", "off"]);
    let url = format!("redis://127.0.0.1:{}/0", server.port());
    let Ok(Location::Redis(target)) = Location::parse(&url) else { panic!("a URL") };
    let password = Some(Arc::new(Secret::new("hunter2")));
    Place::at(Location::Redis(target.authenticated(Some("wx".to_owned()), password)), vec![server])
}

pub async fn with_tls() -> Place {
    let folder = tempfile::tempdir().expect("a folder");
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).expect("written");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("written");
    let [cert_file, key_file] = [&cert, &key].map(|path| path.to_str().expect("UTF-8").to_owned());
    let tls_port = free_port();
    let server = RedisServer::with(&[
        "--tls-port",
        &tls_port.to_string(),
        "--tls-cert-file",
        &cert_file,
        "--tls-key-file",
        &key_file,
        "--tls-ca-cert-file",
        &cert_file,
        "--tls-auth-clients",
        "no",
    ])
    .await;
    let Ok(Location::Redis(target)) = Location::parse(&format!("rediss://localhost:{tls_port}/0")) else {
        panic!("a URL")
    };
    // The file is read with each connection.
    Place::at(Location::Redis(target.trusting(Some(folder.keep().join("cert.pem")))), vec![server])
}

pub async fn behind_a_sentinel() -> Place {
    let watched = Watched::start().await;
    let url = watched.url();
    let Watched { master, replica, sentinel, .. } = watched;
    Place::redis(&url, vec![master, replica, sentinel])
}

pub async fn cluster() -> Place {
    let mut nodes = Vec::new();
    for _ in 0..3 {
        nodes.push(RedisServer::with(&["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"]).await);
    }
    let port = |node: &RedisServer| node.port().to_string();
    for (node, slots) in nodes.iter().zip([["0", "5460"], ["5461", "10922"], ["10923", "16383"]]) {
        node.command(&["CLUSTER", "ADDSLOTSRANGE", slots[0], slots[1]]);
        nodes[0].command(&["CLUSTER", "MEET", "127.0.0.1", &port(node)]);
    }
    for node in &nodes {
        let info = || node.command(&["CLUSTER", "INFO"]);
        let whole = |info: &str| info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3");
        until(|| format!("a cluster: {}", info()), async || whole(&info())).await;
    }
    let url = format!("redis-cluster://127.0.0.1:{},127.0.0.1:{}", nodes[2].port(), nodes[0].port());
    Place::redis(&url, nodes)
}

async fn open(url: &str) -> Store {
    Place::redis(url, Vec::new()).open().await
}

/// Waits until the store is down, or back.
async fn is_up(store: &Store, up: bool) {
    let seen = async || {
        // Whoever needs it is who notices.
        let _ = store.load("access_token:stable:wx1").await;
        store.problem().is_none() == up
    };
    until(|| format!("up={up}: {:?}", store.problem()), seen).await;
}

fn exposed(store: &Store) -> String {
    let mut out = Exposition::new(Dialect::of_accept(None));
    store.expose(&mut out);
    out.finish()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_gone_is_waited_for_by_nobody_and_found_when_it_is_back() {
    let mut server = RedisServer::start().await;
    let store = open(&server.url()).await;
    save(&store, &record("t", 1, 0)).await;
    server.kill();
    is_up(&store, false).await;
    assert!(matches!(store.load("access_token:stable:wx1").await, Err(StoreError::Down)));
    assert!(exposed(&store).contains("outcome=\"skipped\""));
    let mut changes = store.changes();
    server.restart().await;
    is_up(&store, true).await;
    let told = async { while changes.next().await != Some(Change::Any) {} };
    timeout(LOST, told).await.expect("all is looked at");
    assert_eq!(load(&store).await, None, "it kept nothing");
    save(&store, &record("t", 1, 0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_counter_can_say_is_told_once_left_alone_and_healed_by_removing_the_key() {
    let server = RedisServer::start().await;
    let store = open(&server.url()).await;
    let batch = |number| Batch { writer: "w", number };
    let of = |name| Addition { name, by: 2, known: 0 };
    for (number, value) in
        (1..).zip(["-1", "9007199254740993", "1e3", "1.5", "", " 1", "x", "9".repeat(300).as_str()])
    {
        for key in ["{wxgate}:count:20000", "{wxgate}:budget:20000"] {
            server.command(&["HSET", key, "a", value]);
        }
        // What tells batches apart may be written over just the same.
        server.command(&["HSET", "{wxgate}:count:20000", "#w", value]);
        let added = store.add_once(20_000, &[of("a"), of("b")], batch(number)).await.expect("added");
        assert_eq!(added, [None, Some(2 * number)], "{value:?}");
        assert_eq!(store.counts(20_000).await.expect("asked").counts, [("b".to_owned(), 2 * number)]);
        let reserved = store.reserve(20_000, "a", 5, 100, 40, 0).await.expect("asked");
        assert_eq!((reserved.granted, reserved.left, reserved.used), (0, 0, None), "{value:?}");
        store.give_back(20_000, "a", 3, 0).await.expect("given back");
        assert_eq!(server.command(&["HGET", "{wxgate}:budget:20000", "a"]).trim_end(), value.trim_end());
        assert_eq!(store.problem(), None, "{value:?}: one total says nothing of the store");
    }
    server.command(&["DEL", "{wxgate}:count:20000", "{wxgate}:budget:20000"]);
    assert_eq!(store.add_once(20_000, &[of("a")], batch(99)).await.expect("added"), [Some(2)]);
    assert_eq!(store.reserve(20_000, "a", 5, 100, 40, 0).await.expect("asked").left, 55);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_is_too_long_to_be_read_is_not_written() {
    let server = RedisServer::start().await;
    let store = open(&server.url()).await;
    assert!(store.replace_note("n", None, &vec![b'x'; 65_536], LOST).await.expect("written"));
    let long = vec![b'x'; 65_537];
    let refused = store.replace_note("n", None, &long, LOST).await;
    assert!(matches!(refused, Err(StoreError::TooLong { .. })), "{refused:?}");
    assert_eq!(store.note("n").await.expect("asked").map(|note| note.len()), Some(65_536));
    assert_eq!(store.problem(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_costs_requests_one_short_wait_and_is_down_later() {
    let server = RedisServer::start().await;
    let store = open(&server.url()).await;
    save(&store, &record("t", 1, 0)).await;
    server.signal("STOP");
    let mut background = std::pin::pin!(store.load("access_token:stable:wx1"));
    assert!(store.promptly(&mut background).await.is_none());
    for _ in 0..50 {
        assert!(matches!(store.load_promptly("access_token:stable:wx1").await, Err(StoreError::Late)));
    }
    assert_eq!(store.problem(), None, "late is not down");
    let later = store.clone();
    let later = JoinSet::from_iter([async move { later.forces("force:wx1").await }]);
    assert!(matches!(background.await, Err(StoreError::Timeout(_) | StoreError::Down)));
    assert!(store.problem().is_some());
    assert!(matches!(later.join_all().await[..], [Err(StoreError::Down)]), "it isn't waited for any more");
    assert!(exposed(&store).contains(r#"{operation="force",outcome="skipped"} 1"#), "{}", exposed(&store));
    for _ in 0..50 {
        assert!(matches!(store.load_promptly("access_token:stable:wx1").await, Err(StoreError::Down)));
    }
    server.signal("CONT");
    is_up(&store, true).await;
    assert_eq!(load(&store).await, Some((1, "t".to_owned())));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_in_the_background_waits_for_a_server_that_is_late() {
    let server = RedisServer::start().await;
    let store = open(&server.url()).await;
    server.signal("STOP");
    let record = record("t", 1, 0);
    let mut saving = std::pin::pin!(store.save("access_token:stable:wx1", &record));
    assert!(store.promptly(&mut saving).await.is_none());
    server.signal("CONT");
    assert!(matches!(saving.await, Ok(Saved::Saved)));
    assert_eq!(store.problem(), None, "it never was down");
    let prompt =
        async || store.load_promptly("access_token:stable:wx1").await.is_ok_and(|found| found.is_some());
    until(|| "a store that is late no longer", prompt).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_and_one_that_is_read_only_are_down_until_they_take_writes() {
    let (server, master) = (RedisServer::start().await, RedisServer::start().await);
    let store = open(&server.url()).await;
    let fill = ["CONFIG", "SET", "maxmemory", "1"];
    let empty = ["CONFIG", "SET", "maxmemory", "0"];
    let follow = ["REPLICAOF", "127.0.0.1", &master.port().to_string()];
    let lead = ["REPLICAOF", "NO", "ONE"];
    for (generation, (breaks, heals, problem)) in
        [(&fill[..], &empty[..], "OOM"), (&follow[..], &lead[..], "READONLY")].into_iter().enumerate()
    {
        server.command(breaks);
        let record = record("t", generation as u64 + 1, 0);
        assert!(store.save("access_token:stable:wx1", &record).await.is_err());
        let told = store.problem().expect("down").to_string();
        assert!(told.to_lowercase().contains(&problem.to_lowercase()), "{told}");
        server.command(heals);
        is_up(&store, true).await;
        save(&store, &record).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failover_the_new_master_is_used() {
    let mut watched = Watched::start().await;
    let (store, other) = (open(&watched.url()).await, open(&watched.url()).await);
    save(&store, &record("t", 1, 0)).await;
    watched.master.kill();
    for replica in [&store, &other] {
        is_up(replica, false).await;
        is_up(replica, true).await;
    }
    // What was not replicated in time is published anew by whoever holds it.
    save(&store, &record("t", 1, 0)).await;
    assert_eq!(load(&other).await, Some((1, "t".to_owned())));
    assert!(watched.replica.command(&["ROLE"]).starts_with("master"));
    let mut changes = other.changes();
    save(&store, &record("u", 2, 0)).await;
    let told = async {
        while load(&other).await != Some((2, "u".to_owned())) {
            changes.next().await;
        }
    };
    timeout(LOST, told).await.expect("announced");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_told_without_being_repeated() {
    let server = RedisServer::with(&["--requirepass", "hunter2"]).await;
    let Ok(location) = Location::parse(&format!("redis://:hunter3@127.0.0.1:{}/0", server.port())) else {
        panic!("a URL")
    };
    let store =
        Store::open(&wxgate::store::Options { location, seal: None }).await.expect("opened, and down");
    let problem = store.problem().expect("down").to_string();
    assert!(problem.to_lowercase().contains("pass") && !problem.contains("hunter"), "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_wrote_into_our_key_is_not_believed_and_is_replaced() {
    let server = RedisServer::start().await;
    let store = open(&server.url()).await;
    server.command(&["SET", "{wxgate}:access_token:stable:wx1", "not ours"]);
    assert!(matches!(store.load("access_token:stable:wx1").await, Err(StoreError::Damaged { .. })));
    assert_eq!(store.problem(), None);
    save(&store, &record("t", 1, 0)).await;
    assert_eq!(load(&store).await, Some((1, "t".to_owned())));
    server.command(&["SCRIPT", "FLUSH"]);
    save(&store, &record("t", 2, 0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_whose_digest_or_value_is_wrong_is_replaced_however_high_its_number() {
    let server = RedisServer::start().await;
    let store = open(&server.url()).await;
    let key = "{wxgate}:access_token:stable:wx1";
    for (from, to) in [("\"digest\":\"", "\"digest\":\"x"), ("\"value\":\"", "\"value\":\"x")] {
        save(&store, &record("t", 9, 0)).await;
        let text = server.command(&["GET", key]);
        server.command(&["SET", key, &text.replace(from, to)]);
        save(&store, &record("u", 2, 0)).await;
        assert_eq!(load(&store).await, Some((2, "u".to_owned())), "{to}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_says_what_cannot_be_is_replaced_whatever_it_says() {
    let server = RedisServer::start().await;
    let store = open(&server.url()).await;
    let key = "{wxgate}:access_token:stable:wx1";
    for (from, to) in [
        ("\"generation\":9,", "\"generation\":18446744073709551615,"),
        ("\"generation\":9,", "\"generation\":9007199254740993,"),
        ("\"fetched_at\":0,", "\"fetched_at\":9000000000000,"),
        ("\"fetched_at\":0,", "\"fetched_at\":-9223372036854775808,"),
        ("\"expires_at\":7200000,", "\"expires_at\":9223372036854775807,"),
    ] {
        save(&store, &record("t", 9, 0)).await;
        let text = server.command(&["GET", key]).replace(from, to);
        assert!(text.contains(to), "{text}");
        server.command(&["SET", key, &text]);
        assert!(
            matches!(store.load("access_token:stable:wx1").await, Err(StoreError::Damaged { .. })),
            "{to}"
        );
        assert_eq!(store.refused().len(), 1, "{to}");
        let saved = save(&store, &record("u", 2, 0)).await;
        assert!(matches!(saved, Saved::Saved), "{to}");
        assert_eq!(load(&store).await, Some((2, "u".to_owned())), "{to}");
        assert!(store.refused().is_empty(), "{to}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_to_a_server_that_hangs_ends() {
    let server = RedisServer::start().await;
    let place = Place::file();
    let (from, to) = (place.open().await, open(&server.url()).await);
    save(&from, &record("t", 1, 0)).await;
    server.signal("STOP");
    let copied = timeout(LOST, from.copy(&to, &[])).await.expect("it ends");
    server.signal("CONT");
    assert_eq!(copied.expect_err("it failed").location, *to.location());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_another_type_is_replaced() {
    let server = RedisServer::start().await;
    let store = open(&server.url()).await;
    server.command(&["RPUSH", "{wxgate}:access_token:stable:wx1", "not ours"]);
    save(&store, &record("t", 1, 0)).await;
    assert_eq!(load(&store).await, Some((1, "t".to_owned())));
    let day = 20_000;
    for (key, command) in [("count", "SET"), ("budget", "RPUSH")] {
        server.command(&[command, &format!("{{wxgate}}:{key}:{day}"), "not ours"]);
    }
    assert_eq!(store.counts(day).await.expect("asked"), DayCounts::default());
    assert_eq!(store.reserved(day).await.expect("asked"), DayCounts::default());
    store.give_back(day, "b", 1, 0).await.expect("nothing is there");
    assert_eq!(store.add(day, &[("a", 1)]).await.expect("added"), [Some(1)]);
    assert_eq!(store.reserve(day, "b", 1, 5, 0, 0).await.expect("asked").granted, 1);
    server.command(&["SET", &format!("{{wxgate}}:count:{day}"), "not ours"]);
    assert_eq!(store.reset_counters(day, &[("shop", 0)]).await.expect("asked"), [1]);
    assert_eq!(store.problem(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_version_0_1_0_gives_back_is_no_loss_and_what_is_lost_later_is() {
    let server = RedisServer::start().await;
    let store = open(&server.url()).await;
    let key = "{wxgate}:budget:20000";
    let reserved = async |want, known| {
        let reserved = store.reserve(20_000, "b", want, 100, known, 0).await.expect("asked");
        (reserved.granted, reserved.left, reserved.total)
    };
    assert_eq!(reserved(10, 0).await, (10, 90, 10));
    // That version reserves 30, and gives 20 of them back.
    server.command(&["HINCRBY", key, "b", "30"]);
    assert_eq!(reserved(0, 10).await, (0, 60, 40));
    server.command(&["HINCRBY", key, "b", "-20"]);
    assert_eq!(reserved(5, 40).await, (5, 75, 25));
    store.give_back(20_000, "b", 5, 0).await.expect("given back");
    assert_eq!(reserved(0, 40).await, (0, 80, 25));
    // A replica that lives knows of more than a store that was flushed.
    server.command(&["FLUSHALL"]);
    assert_eq!(reserved(1, 40).await, (1, 59, 41));
    // Nonsense there is as nothing.
    server.command(&["HSET", key, "#highest b", "-1"]);
    assert_eq!(reserved(1, 50).await, (1, 49, 51));
    assert_eq!(server.command(&["HGET", key, "#highest b"]).trim_end(), "51");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_that_may_not_announce_saves_all_the_same() {
    let server = RedisServer::start().await;
    server.command(&["ACL", "SETUSER", "quiet", "on", ">pw", "~{wxgate}:*", "+@all", "resetchannels"]);
    let store = open(&format!("redis://quiet:pw@127.0.0.1:{}/0", server.port())).await;
    save(&store, &record("t", 1, 0)).await;
    assert_eq!(load(&store).await, Some((1, "t".to_owned())));
    assert_eq!(store.problem(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_that_may_not_run_scripts_is_a_store_that_stays_down() {
    let server = RedisServer::start().await;
    server.command(&["ACL", "SETUSER", "idle", "on", ">pw", "~*", "&*", "+@all", "-eval"]);
    let location = Location::parse(&format!("redis://idle:pw@127.0.0.1:{}/0", server.port())).expect("a URL");
    let store = Store::open(&wxgate::store::Options { location, seal: None }).await.expect("opened");
    assert!(store.problem().expect("down from the start").as_str().contains("eval"));
}

#[tokio::test(flavor = "multi_thread")]
async fn installations_with_prefixes_of_their_own_share_a_server() {
    let server = RedisServer::start().await;
    let Ok(Location::Redis(target)) = Location::parse(&server.url()) else { panic!("a URL") };
    let [a, b] = ["a", "b"].map(|prefix| target.clone().prefixed(Some(prefix.to_owned())));
    let (a, b) = (Place::at(Location::Redis(a), Vec::new()), Place::at(Location::Redis(b), Vec::new()));
    let (a, b) = (a.open().await, b.open().await);
    save(&a, &record("t", 1, 0)).await;
    assert_eq!(load(&b).await, None);
    assert!(b.list().await.expect("listed").iter().all(|entry| !entry.key.contains("access_token")));
}
