//! Exports to a Redis.

use wxgate::observe::clock::Clock;

use super::{check_now, exporting, rotate, status, with};
use crate::harness::{APPID, Gate, OTHER_APPID, OTHER_SECRET, SECRET, SHOP_AND_GAME, Setup, sandbox};
use crate::redis_server::RedisServer;
use crate::until::until;

const WXJAVA: &str = "wx:access_token:wx0000000000000001";

fn to(redis: &RedisServer, more: &str) -> String {
    format!("redis = \"{}\"\n{more}", redis.url())
}

fn get(redis: &RedisServer, key: &str) -> String {
    redis.command(&["GET", key]).trim_end().to_owned()
}

async fn until_exported(redis: &RedisServer, key: &str, value: &str) {
    until(|| format!("{key} holds the token"), async || get(redis, key) == value).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_sdk_finds_the_token_where_and_as_it_looks_for_it() {
    let redis = RedisServer::start().await;
    let formats = ["wxjava", "silenceper", "wechatpy", "powerwechat"];
    let mut exports: Vec<_> =
        formats.iter().map(|format| to(&redis, &format!("format = \"{format}\""))).collect();
    exports.push(to(&redis, "format = \"wxjava\"\nprefix = \"team\""));
    exports.push(to(&redis, "format = \"wxjava\"\nkey = \"mine:wechat_ma_access_token_key:1\""));
    let gate = Gate::with(exporting(&exports)).await.settled().await;
    let token = gate.token(APPID);
    for key in [
        WXJAVA,
        "gowechat_officialaccount__stable_access_token_wx0000000000000001",
        "team:access_token:wx0000000000000001",
        "mine:wechat_ma_access_token_key:1",
    ] {
        until_exported(&redis, key, &token).await;
    }
    let wechatpy = "wechatpy:wx0000000000000001_access_token";
    until_exported(&redis, wechatpy, &format!("\"{token}\"")).await;
    let expires_at: i64 = get(&redis, &format!("{wechatpy}_expires_at")).parse().expect("whole seconds");
    let left = expires_at - gate.clock.now().0 / 1000;
    assert!((7190..=7200).contains(&left), "{left}");

    let digest = redis.command(&["KEYS", "powerwechat.access_token.*"]);
    let powerwechat = get(&redis, digest.trim_end());
    let value: serde_json::Value = serde_json::from_str(&powerwechat).expect("JSON");
    assert_eq!(value["access_token"], token.as_str());
    assert!(value["expires_in"].as_u64().is_some_and(|left| (7190..=7200).contains(&left)), "{value}");
    // An SDK that finds no token fetches its own, so a key must last as long as its token.
    for key in [WXJAVA, wechatpy, digest.trim_end()] {
        let left: u64 = redis.command(&["TTL", key]).trim_end().parse().expect("a number");
        assert!((7190..=7200).contains(&left), "{key}: {left}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kinds_of_accounts_have_the_keys_of_their_kind() {
    let redis = RedisServer::start().await;
    let export = |format| format!("[[app.export]]\n{}\n", to(&redis, &format!("format = \"{format}\"")));
    let apps = format!("{SHOP_AND_GAME}{}{}", export("wxjava"), export("silenceper"));
    let gate = Gate::with(Setup { apps, ..Setup::default() }).await.settled().await;
    let token = gate.token(OTHER_APPID);
    until_exported(&redis, "wa:access_token:wx0000000000000002", &token).await;
    until_exported(&redis, "gowechat_miniprogram__stable_access_token_wx0000000000000002", &token).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_follows_its_token() {
    let redis = RedisServer::start().await;
    let gate = Gate::with(exporting(&[to(&redis, "format = \"wxjava\"")])).await.settled().await;
    for _ in 0..10 {
        let token = rotate(&gate).await;
        until_exported(&redis, WXJAVA, &token).await;
    }
    until(|| "the status knows", async || status(&gate, 0).await["generation"] == 11).await;
    assert_eq!(gate.metric("wxgate_exports_total{app=\"shop\",result=\"written\"}").await, 11.0);
    let status = gate.status().await.to_string();
    assert!(status.contains("127.0.0.1") && !status.contains(&gate.token(APPID)) && !status.contains(SECRET));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_wrote_is_told_and_written_over() {
    let redis = RedisServer::start().await;
    let gate = Gate::with(exporting(&[to(&redis, "format = \"wxjava\"")])).await.settled().await;
    let token = gate.token(APPID);
    until_exported(&redis, WXJAVA, &token).await;
    for (value, result) in [("wxgate-AQAAAABo", "placeholder"), ("81_their-own-token", "foreign")] {
        redis.command(&["SET", WXJAVA, value]);
        check_now(&gate);
        until_exported(&redis, WXJAVA, &token).await;
        let sample = format!("wxgate_exports_total{{app=\"shop\",result=\"{result}\"}}");
        until(|| "it is counted", async || gate.metric(&sample).await == 1.0).await;
    }
    assert_eq!(status(&gate, 0).await["overwritten"], 2);
    // A key that is gone is nobody's doing.
    redis.command(&["FLUSHALL"]);
    check_now(&gate);
    until_exported(&redis, WXJAVA, &token).await;
    assert_eq!(status(&gate, 0).await["overwritten"], 2);
    assert_eq!(gate.counts().0, 0, "no export fetches");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_of_the_service_before_is_taken_over_without_a_word() {
    let redis = RedisServer::start().await;
    redis.command(&["SET", WXJAVA, "81_of-the-old-service"]);
    let gate = Gate::with(exporting(&[to(&redis, "format = \"wxjava\"")])).await.settled().await;
    until_exported(&redis, WXJAVA, &gate.token(APPID)).await;
    until(|| "the status knows", async || status(&gate, 0).await["generation"] == 1).await;
    assert_eq!(status(&gate, 0).await["overwritten"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_token_never_goes_over_a_newer_one() {
    let redis = RedisServer::start().await;
    let setup = exporting(&[to(&redis, "format = \"wxjava\"")]);
    let newer = Gate::with(setup.clone()).await.settled().await;
    let token = rotate(&newer).await;
    until_exported(&redis, WXJAVA, &token).await;

    // A process that slept: what it holds was fetched an hour before, and counts one generation
    // less.
    let clock = Clock::default();
    clock.advance(-3_600_000);
    let slept = Gate::by(clock, sandbox(), setup).await.settled().await;
    until(|| "it has looked", async || status(&slept, 0).await["checked_at"].is_string()).await;
    check_now(&slept);
    assert_eq!(get(&redis, WXJAVA), token);
    assert!(status(&slept, 0).await["generation"].is_null(), "it is not its own token that is there");
    // The later fetch holds, although a lost store has it count from one again.
    let restarted = Gate::with(exporting(&[to(&redis, "format = \"wxjava\"")])).await.settled().await;
    until_exported(&redis, WXJAVA, &restarted.token(APPID)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_is_down_is_told_and_written_to_when_it_is_back() {
    let mut redis = RedisServer::start().await;
    redis.kill();
    let gate = Gate::with(exporting(&[to(&redis, "format = \"wechatpy\"")])).await.settled().await;
    until(|| "the problem is told", async || status(&gate, 0).await["problem"].is_string()).await;
    assert_eq!(gate.get("/cgi-bin/user/info?openid=o").await.errcode(), 0, "callers don't notice");
    redis.restart().await;
    // Tries are a second apart, by the clock of the tests.
    until(
        || "it is written",
        async || {
            gate.clock.advance(1001);
            get(&redis, "wechatpy:wx0000000000000001_access_token") == format!("\"{}\"", gate.token(APPID))
        },
    )
    .await;
    until(|| "the problem is gone", async || status(&gate, 0).await["problem"].is_null()).await;
    assert!(gate.metric("wxgate_exports_total{app=\"shop\",result=\"failed\"}").await >= 1.0);

    // One that hangs holds nothing up either, and is left for a new connection.
    redis.signal("STOP");
    check_now(&gate);
    until(|| "the problem is told", async || status(&gate, 0).await["problem"].is_string()).await;
    redis.signal("CONT");
    until(
        || "it is well again",
        async || {
            gate.clock.advance(1001);
            status(&gate, 0).await["problem"].is_null()
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_format_takes_effect_although_the_token_is_the_same() {
    let redis = RedisServer::start().await;
    let key = "key = \"k\"";
    let gate =
        Gate::with(exporting(&[to(&redis, &format!("format = \"wxjava\"\n{key}"))])).await.settled().await;
    let token = gate.token(APPID);
    until_exported(&redis, "k", &token).await;
    gate.reload("", &with(&[to(&redis, &format!("format = \"wechatpy\"\n{key}"))])).await;
    until_exported(&redis, "k", &format!("\"{token}\"")).await;
    assert_eq!(status(&gate, 0).await["overwritten"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_begins_and_ends_exports_and_leaves_others_alone() {
    let redis = RedisServer::with(&["--requirepass", OTHER_SECRET]).await;
    let auth = "password = { env = \"OTHER_SECRET\" }\n";
    let first = to(&redis, &format!("{auth}format = \"wxjava\""));
    let second = to(&redis, &format!("{auth}format = \"silenceper\"\nprefix = \"p\""));
    let key = "p_stable_access_token_wx0000000000000001";
    let read = |key: &str| {
        let answer = redis.command(&["--no-auth-warning", "-a", OTHER_SECRET, "GET", key]);
        answer.trim_end().to_owned()
    };
    let gate = Gate::with(exporting(std::slice::from_ref(&first))).await.settled().await;
    let token = gate.token(APPID);
    until(|| "the first is written", async || read(WXJAVA) == token).await;
    gate.reload("", &with(&[first.clone(), second.clone()])).await;
    until(|| "the second is written", async || read(key) == token).await;
    until(|| "both are known", async || status(&gate, 1).await["generation"] == 1).await;
    assert_eq!(gate.metric("wxgate_exports_total{app=\"shop\",result=\"written\"}").await, 2.0);

    gate.reload("", &with(&[second])).await;
    let token = rotate(&gate).await;
    until(|| "the second follows", async || read(key) == token).await;
    assert_ne!(read(WXJAVA), token, "the first has ended");
    assert!(status(&gate, 1).await.is_null());
    let status = gate.status().await.to_string();
    assert!(!status.contains(OTHER_SECRET), "{status}");
}
