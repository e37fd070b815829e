//! How the data was made. By hand, with that version's program:
//! `WXGATE_BEFORE=/path/to/wxgate cargo test --features otlp --test it former::made -- --ignored`

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use wxgate::sandbox::Sandbox;

use super::{ACCOUNTS, KEY, SEAL_KEY, SEND, SERVER, SPENT, folder, sandbox, tables};
use crate::callback::platform::MALL;
use crate::harness::{ADMIN_TOKEN, Answer, OTHER_SECRET, SECRET, client};
use crate::redis_server::RedisServer;
use crate::until::{found, until};

fn program() -> PathBuf {
    std::env::var_os("WXGATE_BEFORE").expect("WXGATE_BEFORE names the program of version 0.1.0").into()
}

fn command(place: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    command
        .args(arguments)
        .current_dir(place)
        .env_clear()
        .envs([("SHOP_SECRET", SECRET), ("OTHER_SECRET", OTHER_SECRET), ("ADMIN_TOKEN", ADMIN_TOKEN)])
        .stdin(Stdio::null());
    command
}

/// Where it listens for callers, for the admin, and for pushes.
async fn addresses(log: &Path) -> [String; 3] {
    let address = |message: &str| {
        let text = fs::read_to_string(log).unwrap();
        let mut lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.find(|line| line["message"] == message)?["address"].as_str().map(str::to_owned)
    };
    let all =
        async || Some([address("listening")?, address("admin listening")?, address("callback listening")?]);
    found(|| fs::read_to_string(log).unwrap(), all).await
}

/// Lets version 0.1.0 work on a store for a while, and ends it.
async fn work(sandbox: &Sandbox, store: &str) {
    let place = tempfile::tempdir().unwrap();
    let config = format!(
        "[server]\nlisten = [\"127.0.0.1:0\"]\nworkers = 1\n{SERVER}\n[admin]\nlisten = \"127.0.0.1:0\"\n\
         token = {{ env = \"ADMIN_TOKEN\" }}\n[upstream]\nbase_urls = [\"{}\"]\n{}",
        sandbox.url(),
        tables(store)
    );
    fs::write(place.path().join("wxgate.toml"), config).unwrap();
    let accounts: String =
        ACCOUNTS.iter().zip(REFRESH_TOKENS).map(|(account, token)| format!("{account} {token}\n")).collect();
    fs::write(place.path().join("accounts"), accounts).unwrap();
    let import = ["store", "import", "--app", MALL.name, "--config", "wxgate.toml", "accounts"];
    assert!(command(place.path(), &import).status().unwrap().success());

    let log = place.path().join("log");
    let out = fs::File::create(&log).unwrap();
    let mut serve = command(place.path(), &["serve", "--config", "wxgate.toml"]);
    let mut serve = serve.stdout(out.try_clone().unwrap()).stderr(out).spawn().unwrap();
    let [callers, admin, callback] = addresses(&log).await;
    let client = client();
    let push = MALL.ticket("nonce", "ticket@@@dummy");
    let url = format!("http://{callback}{}?{}", push.path, push.query);
    assert_eq!(Answer::of(client.post(url).body(push.body)).await.text(), "success");
    let force = format!("http://{admin}/api/v1/apps/shop/refresh?force=true");
    assert_eq!(Answer::of(client.post(force).bearer_auth(ADMIN_TOKEN)).await.status, 200);
    for app in ["shop", "game", ACCOUNTS[0]] {
        let url = format!("http://{callers}/@{app}/cgi-bin/user/info?openid=o");
        let called = async || {
            let request = client.get(&url).header("X-Wxgate-Key", KEY);
            Answer::of(request).await.errcode() == 0
        };
        until(|| format!("{app}\n{}", fs::read_to_string(&log).unwrap()), called).await;
    }
    for _ in 0..SPENT {
        let request = client.post(format!("http://{callers}{SEND}")).header("X-Wxgate-Key", KEY);
        assert_eq!(Answer::of(request.body(r#"{"touser":"o","msgtype":"text"}"#)).await.errcode(), 0);
    }
    drop(client);
    end(&mut serve);
}

fn end(serve: &mut Child) {
    let status = Command::new("kill").args(["-TERM", &serve.id().to_string()]).status();
    assert!(status.unwrap().success());
    assert!(serve.wait().unwrap().success());
}

const REFRESH_TOKENS: [&str; 2] = ["refreshtoken@@@dummy-1", "refreshtoken@@@dummy-2"];

/// As `redis-cli` reads an argument.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The commands that bring back what a server holds.
fn dump(server: &RedisServer) -> String {
    let keys = server.command(&["KEYS", "*"]);
    let mut keys: Vec<_> = keys.lines().collect();
    keys.sort_unstable();
    let mut commands = String::new();
    for key in keys {
        if server.command(&["TYPE", key]).trim_end() == "hash" {
            let fields = server.command(&["HGETALL", key]);
            let fields: Vec<_> = fields.lines().map(quoted).collect();
            commands += &format!("HSET {} {}\n", quoted(key), fields.join(" "));
        } else {
            let value = server.command(&["GET", key]);
            commands += &format!("SET {} {}\n", quoted(key), quoted(value.trim_end_matches('\n')));
        }
    }
    commands
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes tests/former/0.1.0, by hand, with that version's program"]
async fn the_stores_are_written() {
    for (name, key) in [("clear", String::new()), ("sealed", format!("seal_key = \"{SEAL_KEY}\""))] {
        let root = folder().join(name);
        if root.exists() {
            fs::remove_dir_all(&root).unwrap();
        }
        work(&sandbox(REFRESH_TOKENS), &format!("url = \"file:{}\"\n{key}", root.display())).await;
        fs::remove_dir_all(root.join("locks")).unwrap();
        let server = RedisServer::start().await;
        work(&sandbox(REFRESH_TOKENS), &format!("url = \"{}\"\n{key}", server.url())).await;
        fs::write(folder().join(format!("{name}.redis")), dump(&server)).unwrap();
    }
}
