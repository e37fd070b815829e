//! `wxgate store`, as an operator runs it.

use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use wxgate::observe::clock::{Clock, Timestamp};
use wxgate::secret::Secret;
use wxgate::store::{Location, Options, Record, Seal, Store};

use crate::redis_server::RedisServer;

const SEAL_KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const PASSWORD: &str = "canary-password-55d1";
const TOKEN: &str = "canary-token-9f3e";

fn wxgate(folder: &Path, arguments: &[&str]) -> Output {
    wxgate_reads(folder, arguments, "")
}

fn wxgate_reads(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_wxgate"))
        .arg("store")
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("SHOP_SECRET", "0123456789abcdef0123456789abcdef")
        .env("SEAL_KEY", SEAL_KEY)
        .env("PASSWORD", PASSWORD)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    // One that reads nothing may have ended by now.
    drop(stdin.write_all(input.as_bytes()));
    drop(stdin);
    child.wait_with_output().expect("it ran")
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
    assert!(out.contains("generation 42, valid for 1h 59m") && out.contains("not sealed"), "{out}");
    assert!(out.lines().all(|line| line.chars().count() <= 80), "{out}");

    let sealed = format!("{url}\nseal_key = {{ env = \"SEAL_KEY\" }}");
    configure(folder.path(), &sealed);
    let (code, out, _) = told(&wxgate(folder.path(), &["verify", "--config", "wxgate.toml"]));
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("BAD: ") && out.contains("in clear although"), "{out}");
    configure(folder.path(), &format!("{sealed}\naccept_unsealed = true"));
    let (code, out, _) = told(&wxgate(folder.path(), &["verify", "--config", "wxgate.toml"]));
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("1 entry of file:") && out.contains("0 bad") && out.contains("stale"), "{out}");

    let sealed = fill(Location::File(folder.path().join("sealed")), Some(SEAL_KEY)).await;
    let url = sealed.location().to_string();
    let (code, out, err) = told(&wxgate(folder.path(), &["verify", "--url", &url]));
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("BAD: ") && out.contains("sealed with the key"), "{out}");
    assert_eq!(err, "wxgate: 1 entry cannot be used\n");
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
    assert!(out.contains("is damaged") && out.contains("has format 2"), "{out}");
    assert!(out.contains("generation 42"), "{out}");
    assert!(damaged.exists() && later.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_belongs_to_another_user_is_named_beside_the_rest() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = fill(Location::File(folder.path().to_owned()), None).await;
    let now = Clock::default().now();
    let record =
        Record { value: Arc::new(Secret::new(TOKEN)), generation: 1, fetched_at: now, expires_at: now };
    store.save("access_token:stable:wx9", &record).await.expect("saved");
    drop(store);
    // Root reads everything, and steps down.
    let open_to = |path: &Path, mode| {
        std::fs::set_permissions(path, Permissions::from_mode(mode)).expect("changed");
    };
    for name in ["", "entries", "leases", "counts", "locks"] {
        let path = folder.path().join(name);
        open_to(&path, 0o777);
        for file in std::fs::read_dir(path).expect("a folder").map(|file| file.expect("an entry").path()) {
            open_to(&file, if file.is_dir() { 0o777 } else { 0o666 });
        }
    }
    for name in ["entries", "locks"] {
        open_to(&folder.path().join(name).join("access_token%3Astable%3Awx9"), 0);
    }
    let (built, program) = (Path::new(env!("CARGO_BIN_EXE_wxgate")), folder.path().join("wxgate"));
    if std::fs::hard_link(built, &program).is_err() {
        std::fs::copy(built, &program).expect("copied");
    }
    let mut command = Command::new(program);
    command.args(["store", "show", "--url", &format!("file:{}", folder.path().display())]).env_clear();
    if std::fs::metadata("/proc/self").expect("a Linux").uid() == 0 {
        command.uid(65_534).gid(65_534);
    }
    let (code, out, err) = told(&command.current_dir("/").output().expect("it runs"));
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains("generation 42") && out.contains("access_token:stable:wx9"), "{out}");
    assert!(out.contains("BAD: ") && out.contains("Permission denied"), "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_wrote_steers_no_terminal() {
    let server = RedisServer::start().await;
    let sealed =
        r#"{"format":1,"generation":1,"fetched_at":1,"expires_at":2,"digest":"x","sealed":"\u001b[2J."}"#;
    for (key, value) in [("a\u{1b}[31m\nb", "x"), ("lease:a", "me\u{1b}[2J:0:0"), ("b", sealed)] {
        server.command(&["SET", &format!("{{wxgate}}:{key}"), value]);
    }
    let folder = tempfile::tempdir().expect("a folder");
    for action in ["show", "verify"] {
        let (_, out, err) = told(&wxgate(folder.path(), &[action, "--url", &server.url()]));
        assert!(out.contains("a [31m b") && !format!("{out}{err}").contains('\u{1b}'), "{out:?} {err:?}");
    }
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
    server.command(&["ACL", "SETUSER", "blind", "on", ">pw", "~*", "&*", "+@all", "-hscan"]);
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
    assert_eq!(out, format!("2 copied, 0 left unchanged in {to}\n"));
    let (_, out, _) = told(&wxgate(folder.path(), &copy));
    assert_eq!(out, format!("0 copied, 2 left unchanged in {to}\n"));
    let (code, out, _) = told(&wxgate(folder.path(), &["verify", "--config", "wxgate.toml"]));
    assert_eq!((code, out.contains("stale")), (Some(0), false), "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_not_there_is_named_and_none_is_created() {
    let folder = tempfile::tempdir().expect("a folder");
    let nowhere = folder.path().join("nowhere");
    let url = format!("file:{}", nowhere.display());
    for (arguments, code, says) in [
        (vec!["show", "--url", &url], 1, "is not a directory"),
        (vec!["copy", "--from", &url, "--to", "memory:"], 1, "is not a directory"),
        (vec!["show", "--url", "memory:"], 1, "inside its process"),
        (
            vec!["show", "--url", "redis://:canary-password-55d1@127.0.0.1:1/0"],
            1,
            "redis://127.0.0.1:1/0 does not respond",
        ),
        (vec!["show", "--url", "etcd://x"], 64, "the URL is not a store"),
        (vec!["show"], 64, "no configuration: --config"),
        (vec!["copy", "--from", "config", "--to", &url], 64, "no configuration: --config"),
    ] {
        let (exit, out, err) = told(&wxgate(folder.path(), &arguments));
        assert_eq!(exit, Some(code), "{arguments:?} {out}{err}");
        assert!(err.contains(says), "{err}");
    }
    assert!(!nowhere.exists());
}

const COMPONENT: &str = "wxc000000000000001";
const LINES: &str = "# from the other server\n\nwxa000000000000001 canary-token-9f3e-one\n\
                     \twxa000000000000002\tcanary-token-9f3e-two  \n";
const IMPORT: [&str; 5] = ["import", "--app", "tenants", "--config", "wxgate.toml"];

/// The arguments of an import of `accounts`.
fn import(accounts: &str) -> Vec<&str> {
    IMPORT.into_iter().chain([accounts]).collect()
}

fn configure_platform(folder: &Path, store: &str) {
    configure(folder, store);
    let file = folder.join("wxgate.toml");
    let platform = format!(
        "[[app]]\nname = \"tenants\"\nappid = \"{COMPONENT}\"\nsecret = {{ env = \"SHOP_SECRET\" }}\n\
         kind = \"component\"\n"
    );
    let text = std::fs::read_to_string(&file).expect("read");
    std::fs::write(file, format!("{text}{platform}")).expect("written");
}

async fn kept(store: &Store, account: &str) -> Option<(String, u64, Timestamp)> {
    let record = store.load(&format!("refresh_token:{COMPONENT}:{account}")).await.expect("it works")?;
    Some((record.value.expose().to_owned(), record.generation, record.expires_at))
}

#[tokio::test(flavor = "multi_thread")]
async fn import_keeps_each_accounts_refresh_token_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("store");
    configure_platform(folder.path(), &format!("url = \"file:{}\"", root.display()));
    std::fs::write(folder.path().join("accounts"), LINES).expect("written");
    let written = |written: usize| {
        format!("{written} refresh tokens of 2 accounts written to file:{}\n", root.display())
    };
    assert_eq!(told(&wxgate(folder.path(), &import("accounts"))), (Some(0), written(2), String::new()));
    assert_eq!(told(&wxgate(folder.path(), &import("accounts"))), (Some(0), written(0), String::new()));
    let store = Store::open(&Options { location: Location::File(root.clone()), seal: None }).await;
    let store = store.expect("it opens");
    for (account, token) in [("wxa000000000000001", "one"), ("wxa000000000000002", "two")] {
        let token = format!("{TOKEN}-{token}");
        assert_eq!(kept(&store, account).await, Some((token, 1, Timestamp::NEVER)));
    }

    // A later one, by standard input, takes the place of the one before.
    let later = format!("wxa000000000000001 {TOKEN}-three\nwxa000000000000002 {TOKEN}-two\n");
    let output = wxgate_reads(folder.path(), &import("-"), &later);
    assert_eq!(told(&output), (Some(0), written(1), String::new()));
    let third = Some((format!("{TOKEN}-three"), 2, Timestamp::NEVER));
    assert_eq!(kept(&store, "wxa000000000000001").await, third);
    let (_, out, _) = told(&wxgate(folder.path(), &["show", "--config", "wxgate.toml"]));
    assert!(out.contains("generation 2, does not expire, not sealed"), "{out}");
}

const SUITE: &str = "ww00000000000000c9";

fn configure_suite(folder: &Path, store: &str) {
    configure(folder, store);
    let file = folder.join("wxgate.toml");
    let suite = format!(
        "[[app]]\nname = \"suite\"\nappid = \"ww0000000000000001\"\nsecret = {{ env = \"SHOP_SECRET\" }}\n\
         kind = \"wecom\"\nsuite_id = \"{SUITE}\"\nsuite_secret = {{ env = \"SHOP_SECRET\" }}\n"
    );
    let text = std::fs::read_to_string(&file).expect("read");
    std::fs::write(file, format!("{text}{suite}")).expect("written");
}

#[tokio::test(flavor = "multi_thread")]
async fn import_adds_the_permanent_codes_that_the_store_does_not_have() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("store");
    configure_suite(folder.path(), &format!("url = \"file:{}\"", root.display()));
    let import = ["import", "--app", "suite", "--config", "wxgate.toml", "-"];
    let written = |written: usize| {
        format!("{written} permanent codes of 2 companies written to file:{}\n", root.display())
    };
    let lines = format!("# from the other server\nwpOne {TOKEN}-one\nww0000000000000002\t{TOKEN}-two\n");
    let output = wxgate_reads(folder.path(), &import, &lines);
    assert_eq!(told(&output), (Some(0), written(2), String::new()));
    let later = format!("wpOne {TOKEN}-older-perhaps\nww0000000000000002 {TOKEN}-two\n");
    let output = wxgate_reads(folder.path(), &import, &later);
    assert_eq!(told(&output), (Some(0), written(0), String::new()));
    let store = Store::open(&Options { location: Location::File(root.clone()), seal: None }).await;
    let store = store.expect("it opens");
    for (company, code) in [("wpOne", "one"), ("ww0000000000000002", "two")] {
        let record = store.load(&format!("permanent_code:{SUITE}:{company}")).await.expect("it works");
        let record = record.expect("there is one");
        assert_eq!(
            (record.value.expose(), record.expires_at),
            (&*format!("{TOKEN}-{code}"), Timestamp::NEVER)
        );
    }
    let wrong = wxgate_reads(folder.path(), &import, "shop code\n");
    let says = "wxgate: line 1: expected a corpid and a permanent code, separated by a space\n";
    assert_eq!(told(&wrong), (Some(1), String::new(), says.to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn forget_lost_removes_what_was_lost_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("store");
    configure_suite(folder.path(), &format!("url = \"file:{}\"", root.display()));
    let store = Store::open(&Options { location: Location::File(root.clone()), seal: None }).await;
    let store = store.expect("it opens");
    let lost = r#"{"code":"","pushed_at":1,"pushed":true,"progress":{"lost":{"at":1,"exchanged_at":null,"corporation":null,"cause":"expired"}}}"#;
    let waits = r#"{"code":"c","pushed_at":1,"pushed":true,"progress":"waiting"}"#;
    for (key, value) in [("lost", lost), ("waits", waits)] {
        let value = Arc::new(Secret::new(value));
        let record = Record { value, generation: 1, fetched_at: Timestamp(1), expires_at: Timestamp::NEVER };
        store.save(&format!("suite_auth_code:{SUITE}:{key}"), &record).await.expect("saved");
    }
    let forget = |app| ["forget-lost", "--app", app, "--config", "wxgate.toml"];
    let says = |count| format!("lost authorisations removed from file:{}: {count}\n", root.display());
    assert_eq!(told(&wxgate(folder.path(), &forget("suite"))), (Some(0), says(1), String::new()));
    assert_eq!(told(&wxgate(folder.path(), &forget("suite"))), (Some(0), says(0), String::new()));
    assert_eq!(store.keys("suite_auth_code:").await.expect("it works").len(), 1);
    let nobody = told(&wxgate(folder.path(), &forget("shop")));
    assert_eq!((nobody.0, nobody.1.as_str()), (Some(64), ""));
    assert!(nobody.2.contains("no app named shop with a suite_id is configured"), "{}", nobody.2);
}

#[tokio::test(flavor = "multi_thread")]
async fn import_writes_nothing_if_a_line_is_wrong() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("store");
    configure_platform(folder.path(), &format!("url = \"file:{}\"", root.display()));
    for wrong in [
        "wxa000000000000003",
        "canary-token-9f3e-three wxa000000000000003",
        "wxa000000000000003 canary-token-9f3e-three 7200",
    ] {
        let output = wxgate_reads(folder.path(), &import("-"), &format!("{LINES}{wrong}\n"));
        let says = "wxgate: line 5: expected an appid and a refresh token, separated by a space\n";
        assert_eq!(told(&output), (Some(1), String::new(), says.to_owned()), "{wrong}");
    }
    assert!(!root.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn import_is_for_a_platform_that_is_configured_and_for_a_store_that_others_see() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("accounts"), LINES).expect("written");
    configure_platform(folder.path(), "url = \"memory:\"");
    for (app, accounts, code, says) in [
        (
            "nobody",
            "accounts",
            64,
            "no app named nobody of kind \"component\" or with a suite_id is configured",
        ),
        ("shop", "accounts", 64, "no app named shop of kind \"component\" or with a suite_id is configured"),
        ("tenants", "nowhere", 64, "could not read nowhere: "),
        ("tenants", "accounts", 1, "a memory: store exists only inside its process"),
    ] {
        let arguments = ["import", "--app", app, "--config", "wxgate.toml", accounts];
        let (exit, out, err) = told(&wxgate(folder.path(), &arguments));
        assert_eq!((exit, out.as_str()), (Some(code), ""), "{err}");
        assert!(err.contains(says), "{err}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_imported_refresh_token_is_sealed_and_is_copied_without_an_end() {
    let server = RedisServer::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let sealed = |url: &str| format!("url = \"{url}\"\nseal_key = {{ env = \"SEAL_KEY\" }}");
    let root = format!("file:{}", folder.path().join("store").display());
    configure_platform(folder.path(), &sealed(&root));
    assert_eq!(told(&wxgate_reads(folder.path(), &import("-"), LINES)).0, Some(0));

    let copy = ["copy", "--config", "wxgate.toml", "--from", "config", "--to", &server.url()];
    let (code, out, err) = told(&wxgate(folder.path(), &copy));
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    assert_eq!(out, format!("2 copied, 0 left unchanged in {}\n", server.url()));
    let key = format!("{{wxgate}}:refresh_token:{COMPONENT}:wxa000000000000001");
    assert!(server.command(&["PTTL", &key]).contains("-1"));
    assert!(!server.command(&["GET", &key]).contains("canary"));

    let back = format!("file:{}", folder.path().join("back").display());
    let copy = ["copy", "--config", "wxgate.toml", "--from", &server.url(), "--to", &back];
    assert_eq!(told(&wxgate(folder.path(), &copy)).0, Some(0));
    let seal = Some(Arc::new(Seal::new(&Secret::new(SEAL_KEY), None).expect("a key")));
    let location = Location::File(folder.path().join("back"));
    let store = Store::open(&Options { location, seal }).await.expect("it opens");
    let first = Some((format!("{TOKEN}-one"), 1, Timestamp::NEVER));
    assert_eq!(kept(&store, "wxa000000000000001").await, first);
}
