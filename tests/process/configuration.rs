//! Where the configuration is found, and how one is written.

use std::os::unix::fs::PermissionsExt as _;

use crate::program::{Folder, GOOD};

#[test]
fn the_configuration_is_found_by_option_then_variable_then_in_this_folder() {
    let folder = Folder::new();
    for (file, app) in [("named.toml", "named"), ("variable.toml", "variable"), ("wxgate.toml", "here")] {
        folder.write(file, &GOOD.replace("shop", app));
    }
    let variable = [("WXGATE_CONFIG", "variable.toml")];
    let from = |arguments: &[&str], environment: &[(&str, &str)]| {
        let ran = folder.run_with(arguments, environment);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        ran.stdout
    };
    assert!(from(&["check", "--config", "named.toml"], &variable).starts_with("named.toml: ok"));
    assert!(from(&["check"], &variable).starts_with("variable.toml: ok"));
    assert!(from(&["check"], &[]).starts_with("wxgate.toml: ok"));
    assert!(from(&["check"], &[("WXGATE_CONFIG", "")]).starts_with("wxgate.toml: ok"), "empty is not set");

    const ASKED: [&str; 3] = ["explain", "GET", "/cgi-bin/user/info"];
    assert!(from(&ASKED, &variable).contains("variable (wx0123456789abcdef)"));
    assert!(from(&ASKED, &[]).contains("here (wx0123456789abcdef)"));
    assert!(from(&[&ASKED[..], &["--no-config"]].concat(), &[]).contains("use --config FILE to see which"));

    let missing = folder.run_with(&["check"], &[("WXGATE_CONFIG", "missing.toml")]);
    assert_eq!(missing.code, Some(64));
    assert!(missing.stderr.starts_with("missing.toml: cannot be read"), "{}", missing.stderr);
}

#[test]
fn without_a_configuration_the_places_and_init_are_named() {
    if std::path::Path::new("/etc/wxgate/wxgate.toml").exists() {
        return; // It is one.
    }
    let folder = Folder::new();
    for command in [
        &["serve"][..],
        &["check"],
        &["store", "show"],
        &["store", "copy", "--from", "config", "--to", "memory:"],
    ] {
        let ran = folder.run(command);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(64), ""), "{command:?}");
        for part in ["--config", "WXGATE_CONFIG", "/wxgate.toml", "/etc/wxgate/wxgate.toml", "`wxgate init`"]
        {
            assert!(ran.stderr.contains(part), "{part} is not in {}", ran.stderr);
        }
    }
    let ran = folder.run(&["explain", "GET", "/cgi-bin/user/info"]);
    assert_eq!(ran.code, Some(0), "the defaults are explained: {ran:?}");
}

#[test]
fn a_search_that_cannot_go_on_says_where_it_ended_and_what_to_do() {
    let folder = Folder::new();
    // Any user is refused by it, root too.
    std::os::unix::fs::symlink("wxgate.toml", folder.path().join("wxgate.toml")).unwrap();
    let tried = folder.path().canonicalize().unwrap().join("wxgate.toml");
    for command in [&["check"][..], &["store", "show"], &["explain", "GET", "/cgi-bin/user/info"]] {
        let ran = folder.run(command);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(64), ""), "{command:?}");
        assert!(ran.stderr.contains(&format!("{}: ", tried.display())), "{}", ran.stderr);
        assert!(ran.stderr.contains("--config FILE"), "{}", ran.stderr);
    }
    folder.write("named.toml", GOOD);
    assert_eq!(folder.run(&["check", "--config", "named.toml"]).code, Some(0));
    assert_eq!(folder.run(&["key", "orders"]).code, Some(0), "it needs none");
}

/// Every table that names a secret, none of which is at hand.
const SECRETLESS: &str = "\
    [server]\nlisten = ['127.0.0.1:0']\ntls = { cert = 'none.pem', key = 'none.key' }\n\
    [admin]\ntoken = { env = 'ABSENT_ADMIN' }\n\
    [callback]\nlisten = '127.0.0.1:0'\n\
    [upstream]\negress_proxy = 'http://user@10.0.0.5:3128'\negress_password = { env = 'ABSENT_EGRESS' }\n\
    [[alert]]\nkind = 'webhook'\nurl = { file = 'none.url' }\nsecret = { env = 'ABSENT_ALERT' }\n\
    [[app]]\nname = 'shop'\nappid = 'wx0123456789abcdef'\nsecret = { env = 'ABSENT_SHOP' }\n\
    [[app]]\nname = 'hr'\nappid = 'ww0123456789abcdef'\nsecret = { file = 'none.hr' }\nkind = 'wecom'\n\
    suite_id = 'ww1123456789abcdef'\nsuite_secret = { env = 'ABSENT_SUITE' }\n\
    provider_secret = { env = 'ABSENT_PROVIDER' }\n\
    callback_token = { env = 'ABSENT_TOKEN' }\ncallback_aes_key = { env = 'ABSENT_KEY' }\n";

#[test]
fn what_sends_nothing_needs_no_secrets() {
    let folder = Folder::new();
    let root = folder.path().join("store");
    std::fs::create_dir(&root).unwrap();
    let store = format!("[store]\nurl = 'file:{}'\n", root.display());
    folder.write("wxgate.toml", &format!("{store}{SECRETLESS}"));
    for (path, parts) in [
        (
            "/@shop/cgi-bin/user/info?openid=O",
            &["injected    access_token", "sent        GET /cgi-bin/user/info"][..],
        ),
        ("/@shop/sns/jscode2session?js_code=C", &["injected    secret and appid, the app's own"]),
        ("/@hr/cgi-bin/service/get_pre_auth_code", &["injected    suite_access_token"]),
    ] {
        let ran = folder.run(&["explain", "GET", path]);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
        for part in parts {
            assert!(ran.stdout.contains(part), "{part} is not in {}", ran.stdout);
        }
        assert!(!ran.stdout.contains("note "), "{}", ran.stdout);
    }
    let placeholder = folder.run(&["explain", "GET", "/cgi-bin/user/info?access_token=wxgate-AAAA"]);
    let note = placeholder.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        note.contains(
            "secrets are missing here; without the app's secret, a placeholder token cannot be verified"
        ),
        "{placeholder:?}"
    );
    let shown = folder.run(&["store", "show"]);
    assert_eq!((shown.code, shown.stderr.as_str()), (Some(0), ""), "{shown:?}");
    assert!(shown.stdout.contains("(empty)"), "{}", shown.stdout);

    // What opens the store's entries is needed there, and nowhere else.
    folder.write("wxgate.toml", &format!("{store}seal_key = {{ env = 'ABSENT_SEAL' }}\n{SECRETLESS}"));
    assert_eq!(folder.run(&["explain", "GET", "/cgi-bin/user/info"]).code, Some(0));
    let shown = folder.run(&["store", "show"]);
    assert_eq!(shown.code, Some(64));
    assert_eq!(
        shown.stderr,
        "wxgate.toml:3:20: store.seal_key.env: the environment variable ABSENT_SEAL is not set\n"
    );
    for command in ["check", "serve"] {
        let ran = folder.run(&[command]);
        assert_eq!(ran.code, Some(64), "{ran:?}");
        for part in ["ADMIN", "EGRESS", "ALERT", "SHOP", "SUITE", "PROVIDER", "TOKEN", "KEY", "SEAL"] {
            let part = format!("the environment variable ABSENT_{part} is not set");
            assert!(ran.stderr.contains(&part), "{command}: {part} is not in {}", ran.stderr);
        }
        for part in ["none.pem", "none.key", "none.url", "none.hr"] {
            let part = format!("the file {part} does not exist");
            assert!(ran.stderr.contains(&part), "{command}: {part} is not in {}", ran.stderr);
        }
    }
}

#[test]
fn init_writes_what_check_passes() {
    let folder = Folder::new();
    let ran = folder.run(&["init", "--appid", "wx0123456789abcdef", "--secret-env", "SHOP_SECRET"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{ran:?}");
    assert!(ran.stderr.contains("wxgate check --online"), "{}", ran.stderr);
    assert!(ran.stderr.ends_with("curl http://127.0.0.1:8080/cgi-bin/get_api_domain_ip\n"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("AppSecret"), "it is there: {}", ran.stderr);
    let checked = folder.run(&["check"]);
    assert_eq!((checked.code, checked.stderr.as_str()), (Some(0), ""), "{checked:?}");
    assert!(
        checked.stdout.starts_with("wxgate.toml: ok, 1 app, 0 callers\nwxgate uses at most "),
        "{}",
        checked.stdout
    );
    assert!(folder.read("wxgate.toml").lines().filter(|line| line.starts_with('#')).count() > 5);
}

#[test]
fn init_takes_all_of_it_by_flags_and_prints_each_key_once() {
    let folder = Folder::new();
    let ran = folder.run(&[
        "init",
        "--appid",
        "wx0123456789abcdef",
        "--app",
        "cafe",
        "--kind",
        "mini_program",
        "--secret-file",
        "s",
        "--listen",
        "0.0.0.0:8080",
        "--store",
        "file:/var/lib/wxgate",
        "--caller",
        "orders",
        "--caller",
        "crm",
        "--output",
        "cafe.toml",
    ]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("put the AppSecret into s,"), "{}", ran.stderr);
    let keys: Vec<_> = ran.stdout.lines().collect();
    assert!(keys.len() == 2 && keys.iter().all(|key| key.len() == 64), "{keys:?}");
    let written = folder.read("cafe.toml");
    assert!(!keys.iter().any(|key| written.contains(key)), "the keys' hashes alone are kept");
    folder.write("s", "0123456789abcdef0123456789abcdef\n");
    let checked = folder.run(&["check", "--config", "cafe.toml"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    assert!(checked.stdout.starts_with("cafe.toml: ok, 1 app, 2 callers\n"), "{}", checked.stdout);
    // In one line of the log; here it is wrapped.
    let said = checked.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        said.contains("such as \"**\"; for some callers these stay closed: /card/giftcard/order/refund, "),
        "{said}"
    );
}

#[test]
fn init_overwrites_nothing_and_writes_nothing_that_is_wrong() {
    let folder = Folder::new();
    folder.write("wxgate.toml", "mine");
    let flags = ["init", "--appid", "wx0123456789abcdef"];
    let refused = folder.run(&flags);
    assert_eq!(refused.code, Some(64));
    assert!(refused.stderr.contains("--force"), "{}", refused.stderr);
    assert_eq!(folder.read("wxgate.toml"), "mine");
    assert_eq!(folder.run(&[&flags[..], &["--force"]].concat()).code, Some(0));
    assert!(folder.read("wxgate.toml").contains("appid = \"wx0123456789abcdef\"\n"));

    for (more, part) in [
        (&["--listen", "0.0.0.0:8080"][..], "--caller"),
        (&["--app", "a b"], "app[0].name: is not a name"),
        (&["--store", "mysql://h"], "store.url"),
    ] {
        let ran = folder.run(&[&flags[..], &["--output", "other.toml"], more].concat());
        assert_eq!(ran.code, Some(64), "{more:?}");
        assert!(ran.stderr.contains(part), "{}", ran.stderr);
        assert!(!folder.path().join("other.toml").exists());
    }
    let nobody = folder.run(&["init", "--output", "other.toml"]);
    assert_eq!(nobody.code, Some(64), "stdin is not a terminal");
    assert!(nobody.stderr.contains("--appid") && nobody.stderr.contains("--sandbox"), "{}", nobody.stderr);
}

#[test]
fn init_warns_of_an_appid_as_check_does() {
    let warned = "app[0].appid: warning: is an unusual AppID, expected wx and 16 digits";
    for secret in ["SHOP_SECRET", "NOT_SET_YET"] {
        let folder = Folder::new();
        let ran = folder.run(&["init", "--appid", "wx1", "--secret-env", secret]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(ran.stderr.contains(warned), "{}", ran.stderr);
        let told = ran.stderr.contains("set NOT_SET_YET to the AppSecret");
        assert_eq!(told, secret == "NOT_SET_YET", "{}", ran.stderr);
        assert!(folder.run(&["check"]).stderr.contains(warned));
    }
    let company =
        Folder::new().run(&["init", "--appid", "ww0123456789abcdef", "--secret-env", "SHOP_SECRET"]);
    assert!(company.code == Some(0) && !company.stderr.contains("warning"), "{company:?}");
    let mixed = ["init", "--appid", "ww0123456789abcdef", "--kind", "store", "--secret-env", "SHOP_SECRET"];
    let mixed = Folder::new().run(&mixed);
    assert!(mixed.stderr.contains("warning: begins like a corpid of WeCom"), "{mixed:?}");
}

#[test]
fn init_takes_an_appid_that_it_doubts_if_it_is_given_again() {
    let folder = Folder::new();
    // AppID twice; then a kind that is written by hand, and one that isn't.
    let shown = folder.on_a_terminal(100, &["init"], "wx1\n\ncomponent\nstore\n\n\n\n\n\n\n");
    assert!(shown.contains("is an unusual AppID"), "{shown}");
    assert!(shown.contains("AppID of the account (WeCom: the corpid) [wx1]: "), "{shown}");
    assert!(shown.contains("expected one of official_account, mini_program, store, wecom"), "{shown}");
    let written = folder.read("wxgate.toml");
    assert!(written.contains("appid = \"wx1\"\n") && written.contains("kind = \"store\"\n"), "{written}");
}

#[test]
fn init_prints_to_stdout_what_is_to_be_piped() {
    let folder = Folder::new();
    let ran = folder.run(&["init", "--sandbox", "--output", "-"]);
    assert_eq!(ran.code, Some(0));
    assert!(ran.stdout.contains("base_urls = [\"http://127.0.0.1:9080\"]\n"), "{}", ran.stdout);
    folder.write("piped.toml", &ran.stdout);
    let checked = folder.run(&["check", "--config", "piped.toml"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
}

#[test]
fn init_asks_on_a_terminal_and_keeps_the_secret_in_a_file_of_its_own() {
    const SECRET: &str = "feedfeedfeedfeedfeedfeedfeedfeed";
    let folder = Folder::new();
    // AppID, kind, name, secret's file, secret, address, callers, store; what is wrong is asked for
    // again.
    let typed = format!(
        "\nwx0123456789abcdef\nofficial\nmini_program\na b\ncafe\n\n{SECRET}\n8080\n\norders a/b\norders crm\nmysql://h\n\n"
    );
    let shown = folder.on_a_terminal(100, &["init"], &typed);
    for (question, times) in
        [("AppID of", 2), ("Kind: ", 2), ("Name of", 2), ("File for", 1), ("Services that", 2)]
    {
        assert_eq!(shown.matches(question).count(), times, "{question}: {shown}");
    }
    assert!(
        shown.contains("Kind: official_account, mini_program, store, wecom [official_account]: "),
        "{shown}"
    );
    assert!(shown.contains("Wrote wxgate.toml."), "{shown}");
    assert_eq!(folder.read("cafe.secret"), format!("{SECRET}\n"));
    let mode = std::fs::metadata(folder.path().join("cafe.secret")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let checked = folder.run(&["check"]);
    assert!(checked.stdout.starts_with("wxgate.toml: ok, 1 app, 2 callers\n"), "{checked:?}");
    let written = folder.read("wxgate.toml");
    assert!(
        written.contains("kind = \"mini_program\"\n") && written.contains("listen = [\"127.0.0.1:8080\"]\n")
    );
}
