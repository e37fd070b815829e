//! Services that read the exported token, while wxgate renews and replaces it; `exported_client.py`
//! says how.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::Deserialize;

use super::venv;
use crate::harness::{APPID, Gate, SHOP, Setup};
use crate::redis_server::RedisServer;
use crate::until::until;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tools/sdk/exported_client.py");
/// From a fetch to where a token is renewed ahead of its end, in milliseconds: WeChat keeps the
/// previous one alive for the minutes that are left.
const NEARLY_OVER: i64 = (7200 - 60) * 1000;

#[derive(Debug, Deserialize, PartialEq, Eq)]
struct Report {
    calls: usize,
    /// Seen until now.
    tokens: usize,
}

/// The script; it ends with its input.
struct Services {
    child: Child,
    orders: ChildStdin,
    reports: BufReader<ChildStdout>,
}

impl Services {
    fn start(gate: &Gate, redis: &RedisServer) -> Self {
        let mut command = Command::new(venv::python());
        command.env("https_proxy", "http://127.0.0.1:1").env("no_proxy", "127.0.0.1").env_remove("NO_PROXY");
        command.args(["-I", SCRIPT, &gate.sandbox.url(), &redis.port().to_string(), APPID]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("Python runs");
        let orders = child.stdin.take().expect("piped");
        let reports = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, orders, reports }
    }

    fn order(&mut self, calls: usize) {
        writeln!(self.orders, "{calls}").expect("it listens");
    }

    fn report(&mut self) -> Report {
        let mut line = String::new();
        self.reports.read_line(&mut line).expect("it speaks");
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("it ended: {:?}", self.child.wait()))
    }
}

async fn until_exported(gate: &Gate, redis: &RedisServer) {
    let (key, token) = (format!("wx:access_token:{APPID}"), gate.token(APPID));
    let both = async || {
        redis.command(&["GET", &key]).trim_end() == token
            && redis.command(&["GET", &format!("wechatpy:{APPID}_access_token")]).contains(&token)
    };
    until(|| "the token in both places", both).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn services_on_wechatpy_and_wxjava_live_on_the_exported_token() {
    // What takes minutes where it isn't installed yet, while the token grows old.
    venv::python();
    let redis = RedisServer::start().await;
    let export =
        |format: &str| format!("[[app.export]]\nredis = \"{}\"\nformat = \"{format}\"\n", redis.url());
    let apps = format!("{SHOP}{}{}", export("wechatpy"), export("wxjava"));
    let gate = Gate::with(Setup { apps, ..Setup::default() }).await.settled().await;
    until_exported(&gate, &redis).await;
    let mut services = Services::start(&gate, &redis);
    services.order(10);
    assert_eq!(services.report(), Report { calls: 10, tokens: 1 });

    // Renewed while they call.
    for _ in 0..5 {
        let before = gate.token(APPID);
        services.order(30);
        gate.sandbox.advance(NEARLY_OVER);
        gate.clock.advance(NEARLY_OVER);
        until(|| "another token", async || gate.token(APPID) != before).await;
        until_exported(&gate, &redis).await;
        services.report();
        services.order(5);
        services.report();
    }
    // Ended from outside, and replaced when a call through the proxy shows it.
    for _ in 0..5 {
        gate.sandbox.rotate(APPID);
        assert_eq!(gate.get("/cgi-bin/user/info?openid=o").await.errcode(), 0);
        until_exported(&gate, &redis).await;
        services.order(10);
        services.report();
    }
    services.order(1);
    assert_eq!(services.report(), Report { calls: 1, tokens: 11 });
    assert_eq!(gate.counts().0, 10, "nobody else fetched");
    drop(services.orders);
    assert!(services.child.wait().expect("it ends").success());
}
