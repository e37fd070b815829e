//! `wxgate store`, as an operator runs it.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use wxgate::observe::clock::Clock;
use wxgate::secret::Secret;
use wxgate::store::{Location, Options, Record, Seal, Store};

use crate::redis_server::RedisServer;

const SEAL_KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const PASSWORD: &str = "canary-password-55d1";
const TOKEN: &str = "canary-token-9f3e";

fn wxgate(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wxgate"))
        .arg("store")
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("SHOP_SECRET", "0123456789abcdef0123456789abcdef")
        .env("SEAL_KEY", SEAL_KEY)
        .env("PASSWORD", PASSWORD)
        .output()
        .expect("it ran")
}

/// Exit code, stdout, stderr; none of which may show a secret.
fn told(output: &Output) -> (Option<i32>, String, String) {
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    for secret in [SEAL_KEY, PASSWORD, TOKEN] {
        assert!(!out.contains(secret) && !err.contains(secret), "{out}{err}");
    }
    (output.status.code(), out, err)
}

fn configure(folder: &Path, store: &str) {
    let app =
        "[[app]]\nname = \"shop\"\nappid = \"wx0123456789abcdef\"\nsecret = { env = \"SHOP_SECRET\" }\n";
    std::fs::write(folder.join("wxgate.toml"), format!("[store]\n{store}\n{app}")).expect("written");
}

async fn fill(location: Location, seal: Option<&str>) -> Store {
    let seal = seal.map(|key| Arc::new(Seal::new(&Secret::new(key), None).expect("a key")));
    let store = Store::open(&Options { location, seal }).await.expect("it opens");
    let now = Clock::default().now();
    let record = Record {
        value: Arc::new(Secret::new(TOKEN)),
        generation: 42,
        fetched_at: now,
        expires_at: now.plus(std::time::Duration::from_secs(7200)),
    };
    store.save("access_token:stable:wx0123456789abcdef", &record).await.expect("saved");
    store.add(now.beijing_day(), &[("a", 1)]).await.expect("added");
    store
}

#[tokio::test(flavor = "multi_thread")]
async fn show_and_verify_tell_all_but_the_tokens() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("store");
    fill(Location::File(root.clone()), None).await;
    let url = format!("url = \"file:{}\"", root.display());
    configure(folder.path(), &url);
    let (code, out, err) = told(&wxgate(folder.path(), &["show", "--config", "wxgate.toml"]));
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(out.contains("generation 42, good for 1h 59m") && out.contains("in clear"), "{out}");
    assert!(out.lines().all(|line| line.chars().count() <= 80), "{out}");

    configure(folder.path(), &format!("{url}\nseal_key = {{ env = \"SEAL_KEY\" }}"));
    let (code, out, _) = told(&wxgate(folder.path(), &["verify", "--config", "wxgate.toml"]));
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("1 entry of file:") && out.contains("0 bad") && out.contains("stale"), "{out}");

    let sealed = fill(Location::File(folder.path().join("sealed")), Some(SEAL_KEY)).await;
    let url = sealed.location().to_string();
    let (code, out, err) = told(&wxgate(folder.path(), &["verify", "--url", &url]));
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("BAD: ") && out.contains("which isn't configured"), "{out}");
    assert_eq!(err, "wxgate: 1 entry can't be used\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_damaged_or_of_a_later_version_is_named_beside_the_rest_and_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    fill(Location::File(folder.path().to_owned()), None).await;
    let url = format!("file:{}", folder.path().display());
    let [damaged, later] = ["a", "b"].map(|name| folder.path().join("entries").join(name));
    std::fs::write(&damaged, "what is this").expect("written");
    std::fs::write(&later, "wxgate-store 2 of a later version\n").expect("written");
    let (code, out, _) = told(&wxgate(folder.path(), &["verify", "--url", &url]));
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("3 entries") && out.contains("2 bad"), "{out}");
    let (code, out, _) = told(&wxgate(folder.path(), &["show", "--url", &url]));
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("is damaged") && out.contains("has the format 2"), "{out}");
    assert!(out.contains("generation 42"), "{out}");
    assert!(damaged.exists() && later.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn copy_leaves_alone_what_a_later_version_wrote() {
    let server = RedisServer::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    fill(Location::File(folder.path().to_owned()), None).await;
    let (key, text) = (
        "{wxgate}:access_token:stable:wx0123456789abcdef",
        r#"{"format":2,"generation":1,
        "fetched_at":0,"expires_at":0,"digest":""}"#,
    );
    server.command(&["SET", key, text]);
    let from = format!("file:{}", folder.path().display());
    let (code, out, err) = told(&wxgate(folder.path(), &["copy", "--from", &from, "--to", &server.url()]));
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("1 could not be read"), "{out}");
    assert!(server.command(&["GET", key]).starts_with(r#"{"format":2"#));
}

#[tokio::test(flavor = "multi_thread")]
async fn copy_names_the_store_that_failed() {
    let server = RedisServer::start().await;
    server.command(&["ACL", "SETUSER", "blind", "on", ">pw", "~*", "&*", "+@all", "-hgetall"]);
    let folder = tempfile::tempdir().expect("a folder");
    let from = format!("redis://blind:pw@127.0.0.1:{}/0", server.port());
    let to = format!("file:{}", folder.path().join("store").display());
    let (code, _, err) = told(&wxgate(folder.path(), &["copy", "--from", &from, "--to", &to]));
    assert_eq!(code, Some(1));
    assert!(err.contains(&format!("wxgate: redis://127.0.0.1:{}/0: ", server.port())), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn copy_moves_from_a_folder_to_a_redis_with_a_password() {
    let server = RedisServer::with(&["--requirepass", PASSWORD]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("store");
    fill(Location::File(root.clone()), None).await;
    let to = format!("redis://127.0.0.1:{}/0", server.port());
    configure(
        folder.path(),
        &format!("url = \"{to}\"\npassword = {{ env = \"PASSWORD\" }}\nseal_key = {{ env = \"SEAL_KEY\" }}"),
    );
    let from = format!("file:{}", root.display());
    let copy = ["copy", "--config", "wxgate.toml", "--from", &from, "--to", "config"];
    let (code, out, err) = told(&wxgate(folder.path(), &copy));
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    assert_eq!(out, format!("2 copied, 0 left as they were in {to}\n"));
    let (_, out, _) = told(&wxgate(folder.path(), &copy));
    assert_eq!(out, format!("0 copied, 2 left as they were in {to}\n"));
    let (code, out, _) = told(&wxgate(folder.path(), &["verify", "--config", "wxgate.toml"]));
    assert_eq!((code, out.contains("stale")), (Some(0), false), "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_not_there_is_named_and_none_is_created() {
    let folder = tempfile::tempdir().expect("a folder");
    let nowhere = folder.path().join("nowhere");
    let url = format!("file:{}", nowhere.display());
    for (arguments, code, says) in [
        (vec!["show", "--url", &url], 1, "is no folder"),
        (vec!["copy", "--from", &url, "--to", "memory:"], 1, "is no folder"),
        (vec!["show", "--url", "memory:"], 1, "its own process"),
        (
            vec!["show", "--url", "redis://:canary-password-55d1@127.0.0.1:1/0"],
            1,
            "redis://127.0.0.1:1/0 does not answer",
        ),
        (vec!["show", "--url", "etcd://x"], 64, "the URL is no store"),
        (vec!["show"], 64, "--config"),
        (vec!["copy", "--from", "config", "--to", &url], 64, "needs --config"),
    ] {
        let (exit, out, err) = told(&wxgate(folder.path(), &arguments));
        assert_eq!(exit, Some(code), "{arguments:?} {out}{err}");
        assert!(err.contains(says), "{err}");
    }
    assert!(!nowhere.exists());
}
