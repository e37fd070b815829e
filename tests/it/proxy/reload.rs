//! Another configuration while requests run.

use std::sync::Arc;
use std::sync::mpsc::channel;

use tracing::instrument::WithSubscriber as _;
use wxgate::observe::clock::{Clock, Timestamp};

use crate::harness::{GAME, Gate, Log, SHOP, Setup, caller, sandbox};
use crate::until::until;

const CALLER: &str = r#"
[[caller]]
name = "orders"
key_sha256 = "ea7eeac0fd56de3dc6b6fc2d7fabc5acdbd77d52ffc59a0f31cb219ef05d2df0"
apps = ["shop"]
"#;

#[tokio::test]
async fn a_listener_that_others_reach_never_loses_its_callers_by_a_reload() {
    let apps = format!("{SHOP}{CALLER}");
    let gate = Gate::with(Setup { listen: "0.0.0.0:0".into(), apps, ..Setup::default() }).await;
    // The file is fine in itself: it listens on loopback alone. But 0.0.0.0 stays bound.
    gate.change(|setup| {
        setup.listen = "127.0.0.1:0".into();
        setup.apps = SHOP.into();
    });
    let refused = gate.running.reload().await.expect_err("refused");
    assert!(refused.contains("[[caller]]") && refused.contains("restart"), "{refused}");
    let port = gate.authority().rsplit(':').next().expect("a port").to_owned();
    let request = gate.client.get(format!("http://127.0.0.1:{port}/cgi-bin/user/info"));
    assert_eq!(crate::harness::Answer::of(request).await.status, 401);
}

/// What is logged while `run` runs.
async fn logged(run: impl Future<Output = ()>) -> String {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    run.with_subscriber(subscriber).await;
    log.text()
}

#[tokio::test]
async fn a_reload_names_the_keys_that_take_a_restart_and_have_changed() {
    let gate = Gate::start().await;
    let reload = async || logged(async { gate.running.reload().await.expect("taken") }).await;
    assert!(!reload().await.contains("restart"));
    gate.change(|setup| {
        setup.workers = 3;
        setup.server =
            "drain_delay = \"1s\"\ndrain_timeout = \"31s\"\nmax_body = \"1MiB\"\nmax_inflight = 99".into();
        setup.replay = "memory = \"300MiB\"\nspool = \"2GiB\"".into();
        setup.apps =
            format!("[store]\nurl = \"file:/nowhere\"\n[log]\nlevel = \"warn\"\nlanguage = \"zh\"\n{SHOP}");
    });
    let log = reload().await;
    let named =
        log.split("require a restart: ").nth(1).and_then(|rest| rest.split(';').next()).expect("a line");
    let mut named: Vec<_> = named.split(", ").collect();
    named.sort_unstable();
    let expected = [
        "log.language",
        "log.level",
        "replay.memory",
        "replay.spool",
        "server.drain_delay",
        "server.drain_timeout",
        "server.max_inflight",
        "server.workers",
        "store.url",
    ];
    assert_eq!(named, expected);
}

/// The shop app, which says nothing of a default.
fn shop(more: &str) -> String {
    SHOP.replace("default = true", more)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_only_app_needs_no_name_and_a_second_one_never_takes_that_from_it_unsaid() {
    let gate = Gate::with(Setup { apps: shop(""), ..Setup::default() }).await.warm().await;
    let refused = async |apps: String| {
        gate.change(|setup| setup.apps = apps);
        gate.running.reload().await.expect_err("refused")
    };
    let second = refused(format!("{}{GAME}", shop(""))).await;
    assert!(
        second.contains("add `default = true` to the [[app]] named shop, or `default = false`"),
        "{second}"
    );
    // Under another name it is the same account.
    let renamed = refused(format!("{}{GAME}", shop("").replace("\"shop\"", "\"store\""))).await;
    assert!(renamed.contains("to the [[app]] named store"), "{renamed}");
    let gone = refused(format!("{GAME}default = false\n")).await;
    assert!(gone.contains("to one of the [[app]] game"), "{gone}");
    assert_eq!(gate.get("/cgi-bin/user/info?openid=o").await.header("x-wxgate-app"), Some("shop"));

    gate.reload("", &format!("{}{GAME}", shop("default = true"))).await;
    assert_eq!(gate.get("/cgi-bin/user/info?openid=o").await.header("x-wxgate-app"), Some("shop"));
    gate.reload("", &format!("{}{GAME}", shop("default = false"))).await;
    assert_eq!(gate.get("/cgi-bin/user/info?openid=o").await.header("x-wxgate-error"), Some("app_unknown"));
    // None is to be, and none was.
    gate.reload("", &format!("{}{GAME}", shop(""))).await;
    // The only one again.
    gate.reload("", &shop("")).await;
    assert_eq!(gate.get("/cgi-bin/user/info?openid=o").await.header("x-wxgate-app"), Some("shop"));
}

#[tokio::test]
async fn a_key_that_ends_is_warned_of_once_a_day() {
    const DAY: i64 = 86_400_000;
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let clock = Clock::default();
    // Noon, fifteen days before the one on which the key ends.
    clock.advance(Timestamp::end_of_beijing_date("2030-01-26").expect("a day").0 - clock.now().0 + DAY / 2);
    let expires = "expires = \"2030-02-10\"";
    let apps = format!("{SHOP}{}", caller("orders", &["key-of-orders"], &["shop"], expires));
    let _gate = Gate::by(clock.clone(), sandbox(), Setup { apps, ..Setup::default() }).await.settled().await;
    let warnings = || log.text().lines().filter(|line| line.contains("`expires`")).count();
    assert_eq!(warnings(), 0, "{}", log.text());
    for day in 1..=3 {
        clock.advance(DAY);
        until(|| "the day's warning", async || warnings() >= day).await;
        clock.advance(1000);
        tokio::task::yield_now().await;
        assert_eq!(warnings(), day, "{}", log.text());
    }
    assert!(log.text().contains("refused after 2030-02-10 (Beijing)"), "{}", log.text());
    clock.advance(30 * DAY);
    until(|| "a word that it has ended", async || log.text().contains("has passed")).await;
}

/// Threads of this process that read files for a reload.
fn reading() -> usize {
    let threads = std::fs::read_dir("/proc/self/task").expect("a Linux");
    let name = |thread: std::fs::DirEntry| std::fs::read_to_string(thread.path().join("comm"));
    threads.filter_map(|thread| name(thread.ok()?).ok()).filter(|name| name == "reload\n").count()
}

#[tokio::test]
async fn files_that_take_for_ever_to_be_read_hold_nobody_up_but_one_thread() {
    let gate = Arc::new(Gate::start().await.warm().await);
    // Whoever holds the configuration is the share that doesn't answer.
    let (answer, hangs) = (channel::<()>(), channel::<()>());
    let share = std::thread::spawn({
        let gate = Arc::clone(&gate);
        move || {
            gate.change(|setup| {
                hangs.0.send(()).expect("awaited");
                answer.1.recv().expect("told");
                setup.apps = format!("{SHOP}{GAME}");
            });
        }
    });
    hangs.1.recv().expect("it hangs");
    let log = logged(async {
        for _ in 0..3 {
            let reload = gate.running.reload();
            let served = async {
                until(|| "the thread that reads", async || reading() == 1).await;
                assert_eq!(gate.get("/cgi-bin/user/info?openid=o").await.errcode(), 0);
                assert_eq!(gate.metric("wxgate_inflight_requests").await, 0.0);
                gate.clock.advance(10_001);
            };
            let (reloaded, ()) = tokio::join!(reload, served);
            let problem = reloaded.expect_err("not read");
            assert!(
                problem.contains("could not be read within 10 s") && problem.contains("reload again"),
                "{problem}"
            );
        }
    })
    .await;
    assert_eq!(log.matches("keeping the current one").count(), 3, "{log}");
    assert!(gate.status().await["configuration"]["refused"]["problem"].is_string());
    answer.0.send(()).expect("it waits");
    share.join().expect("no panic");
    until(|| "the end of the thread", async || reading() == 0).await;
    // What it read came too late for anybody.
    assert_eq!(
        gate.get("/@game/cgi-bin/user/info?openid=o").await.header("x-wxgate-error"),
        Some("app_unknown")
    );
    gate.running.reload().await.expect("taken");
    assert_eq!(gate.get("/@game/cgi-bin/user/info?openid=o").await.errcode(), 0);
}
