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
    assert!(from(&[&ASKED[..], &["--no-config"]].concat(), &[]).contains("--config FILE tells which"));

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
        checked.stdout.starts_with("wxgate.toml: ok, 1 app, 0 callers\nwxgate takes at most"),
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
        (&["--app", "a b"], "app[0].name: is no name"),
        (&["--store", "mysql://h"], "store.url"),
    ] {
        let ran = folder.run(&[&flags[..], &["--output", "other.toml"], more].concat());
        assert_eq!(ran.code, Some(64), "{more:?}");
        assert!(ran.stderr.contains(part), "{}", ran.stderr);
        assert!(!folder.path().join("other.toml").exists());
    }
    let nobody = folder.run(&["init", "--output", "other.toml"]);
    assert_eq!(nobody.code, Some(64), "nobody can be asked");
    assert!(nobody.stderr.contains("--appid") && nobody.stderr.contains("--sandbox"), "{}", nobody.stderr);
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
    // AppID, kind, name, secret's file, secret, address, callers, store; what is wrong is asked for again.
    let typed = format!(
        "\nwx0123456789abcdef\nofficial\nmini_program\na b\ncafe\n\n{SECRET}\n8080\n\norders a/b\norders crm\nmysql://h\n\n"
    );
    let shown = folder.on_a_terminal(100, &["init"], &typed);
    for (question, times) in
        [("AppID of", 2), ("Kind: ", 2), ("Its name", 2), ("File for", 1), ("Services that", 2)]
    {
        assert_eq!(shown.matches(question).count(), times, "{question}: {shown}");
    }
    assert!(
        shown.contains("Kind: official_account, mini_program, store, wecom [official_account]: "),
        "{shown}"
    );
    assert!(shown.contains("wxgate.toml is written."), "{shown}");
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
