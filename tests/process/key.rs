//! `wxgate key`: what it prints is a key and the table that admits it.

use std::os::unix::fs::PermissionsExt as _;

use sha2_hex::sha256;

use crate::program::{Folder, GOOD, Ran};

/// Apart from the program's own.
mod sha2_hex {
    pub fn sha256(text: &str) -> String {
        let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
        digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// What a pipe gets, and the key that is told beside.
fn key_and_table(ran: &Ran) -> (String, String) {
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let key = ran.stderr.lines().nth(1).expect("a key after the line that says what it is");
    let table: toml::Table = toml::from_str(&ran.stdout).expect("TOML and nothing else");
    assert_eq!(table.keys().collect::<Vec<_>>(), ["caller"]);
    (key.to_owned(), ran.stdout.clone())
}

#[test]
fn a_pipe_gets_the_table_alone_and_the_table_admits_the_key() {
    let folder = Folder::new();
    let ran = folder.run(&["key", "orders", "--app", "shop"]);
    let (key, table) = key_and_table(&ran);
    assert!(key.len() == 64 && key.bytes().all(|byte| byte.is_ascii_hexdigit()), "{key}");
    let expected =
        format!("[[caller]]\nname = \"orders\"\nkey_sha256 = \"{}\"\napps = [\"shop\"]\n", sha256(&key));
    assert_eq!(table, expected);
    assert!(ran.stderr.contains("shown only once") && !ran.stdout.contains(&key), "{ran:?}");
    assert!(!ran.stderr.contains("wxgate.toml"), "nothing stands below it: {}", ran.stderr);
    folder.write("wxgate.toml", &format!("{GOOD}\n{table}"));
    assert_eq!(folder.run(&["check"]).code, Some(0));
    let (another, _) = key_and_table(&folder.run(&["key", "orders", "--app", "shop"]));
    assert_ne!(key, another);
}

#[test]
fn a_terminal_shows_the_key_then_the_table() {
    let shown = Folder::new().on_a_terminal(100, &["key", "orders", "--app", "shop"], "");
    let lines: Vec<_> = shown.lines().collect();
    let [
        told,
        key,
        "",
        "Add to wxgate.toml:",
        "[[caller]]",
        "name = \"orders\"",
        digest,
        "apps = [\"shop\"]",
    ] = lines[..]
    else {
        panic!("{shown}")
    };
    assert!(told.contains("shown only once"), "{told}");
    assert_eq!(digest, format!("key_sha256 = \"{}\"", sha256(key)));
}

#[test]
fn a_key_is_redacted_wherever_it_is_logged_by_mistake() {
    for _ in 0..20 {
        let (key, _) = key_and_table(&Folder::new().run(&["key", "orders", "--app", "shop"]));
        assert!(wxgate::observe::redact::may_be_secret(&key), "{key}");
    }
}

#[test]
fn the_app_is_the_only_one_that_is_configured_unless_it_is_named() {
    let folder = Folder::new();
    let (_, table) = key_and_table(&folder.run(&["key", "orders"]));
    assert!(table.ends_with("apps = [\"APP\"]\n"), "{table}");
    folder.write("wxgate.toml", &GOOD.replace("shop", "cafe"));
    let (_, table) = key_and_table(&folder.run(&["key", "orders"]));
    assert!(table.ends_with("apps = [\"cafe\"]\n"), "{table}");
    let (_, table) = key_and_table(&folder.run(&["key", "orders", "--app", "a", "--app", "b"]));
    assert!(table.ends_with("apps = [\"a\", \"b\"]\n"), "{table}");
}

#[test]
fn a_key_can_go_to_a_file_that_nobody_else_may_read() {
    let folder = Folder::new();
    let arguments = ["key", "orders", "--app", "shop", "--key-file", "orders.key"];
    let ran = folder.run(&arguments);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let key = folder.read("orders.key").trim_end().to_owned();
    assert!(ran.stdout.starts_with("[[caller]]\n") && ran.stdout.contains(&sha256(&key)), "{}", ran.stdout);
    assert_eq!(ran.stderr, "The API key of orders is in orders.key: give it to the service.\n");
    assert!(!ran.stdout.contains(&key) && !ran.stderr.contains(&key));
    let mode = std::fs::metadata(folder.path().join("orders.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = folder.run(&arguments);
    assert_eq!((again.code, again.stdout.as_str()), (Some(64), ""), "it is kept");
    assert_eq!(folder.read("orders.key").trim_end(), key);
    std::os::unix::fs::symlink("elsewhere", folder.path().join("link.key")).unwrap();
    let link = folder.run(&["key", "orders", "--app", "shop", "--key-file", "link.key"]);
    assert_eq!((link.code, folder.path().join("elsewhere").exists()), (Some(64), false), "{link:?}");
}

#[test]
fn a_configuration_that_is_no_file_names_no_app_and_is_not_waited_for() {
    let folder = Folder::new();
    let made = std::process::Command::new("mkfifo").arg(folder.path().join("wxgate.toml")).status().unwrap();
    assert!(made.success());
    let (_, table) = key_and_table(&folder.run(&["key", "orders"]));
    assert!(table.ends_with("apps = [\"APP\"]\n"), "{table}");
}

#[test]
fn names_that_the_configuration_would_refuse_are_refused() {
    let folder = Folder::new();
    for (arguments, part) in [
        (["key", "a b", "--app", "shop"], "the caller's name is not a name, expected 1 to 64 characters"),
        (["key", "other", "--app", "shop"], "has a meaning of its own"),
        (["key", "anonymous", "--app", "shop"], "stands for all callers without an API key"),
        (["key", "orders", "--app", "../shop"], "--app is not a name"),
    ] {
        let ran = folder.run(&arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(64), ""), "{arguments:?}");
        assert!(ran.stderr.contains(part), "{}", ran.stderr);
    }
}
