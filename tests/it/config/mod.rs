//! The configuration, as files.

mod chinese;
mod included;
mod many;
mod money;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use wxgate::config::{Config, Problems, known_keys};
use wxgate::observe::clock::Timestamp;
use wxgate::pipeline::ErrorStatus;
use wxgate::upstream::{Options, Origin};

use crate::signed_call::{AES_KEY, PRIVATE_KEY};

/// What a planted secret looks like; must show up in no message.
const CANARY: &str = "c0ffee00c0ffee00c0ffee00c0ffee00";

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/config").join(name)
}

fn env(name: &str) -> Option<String> {
    match name {
        "SHOP_SECRET" => Some("0123456789abcdef0123456789abcdef".into()),
        "SHOP_APPID" => Some("wx0123456789abcdef".into()),
        "CANARY" => Some(CANARY.into()),
        "ADMIN_TOKEN" => Some("correct-horse-battery-staple".into()),
        "SEAL_KEY" => Some("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".into()),
        "FORMER_SEAL_KEY" => Some("0123456789abcdef".repeat(4)),
        "AES_KEY" => Some("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG".into()),
        "SIGNING_KEY" => Some(AES_KEY.into()),
        "ACCOUNT_KEY" => Some(PRIVATE_KEY.into()),
        "PLATFORM_KEY" => Some(include_str!("../../../src/sandbox/signing/platform/first.key").into()),
        "SM4_KEY" => Some("AAECAwQFBgcICQoLDA0ODw==".into()),
        "SHORT" => Some("fifteen-bytes-1".into()),
        "EMPTY" => Some(String::new()),
        "NEWLINE" => Some(format!("{CANARY}\n")),
        _ => None,
    }
}

fn fixtures(name: &str) -> Vec<(PathBuf, String)> {
    let mut files: Vec<_> = std::fs::read_dir(folder(name))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .map(|path| (path.clone(), std::fs::read_to_string(path).unwrap()))
        .collect();
    assert!(!files.is_empty(), "no fixtures in {name}");
    files.sort();
    files
}

fn parse(path: &Path, text: &str) -> Result<Config, Problems> {
    Config::parse(text, path.to_str().unwrap(), &env)
}

/// The problems as they print, without the file's name.
fn lines(path: &Path, text: &str) -> Vec<String> {
    let problems = match parse(path, text) {
        Ok(config) => config.warnings,
        Err(problems) => problems.0,
    };
    let prefix = format!("{}:", path.display());
    problems.iter().map(|problem| problem.to_string().strip_prefix(&prefix).unwrap().to_owned()).collect()
}

fn expected(text: &str) -> Vec<&str> {
    text.lines().map_while(|line| line.strip_prefix("# expect: ")).collect()
}

#[test]
fn every_problem_is_reported_at_its_place_and_nothing_else() {
    let mut failures = String::new();
    for (path, text) in fixtures("invalid") {
        let expected = expected(&text);
        assert!(parse(&path, &text).is_err(), "{} is accepted", path.display());
        let found = lines(&path, &text);
        if found != expected {
            failures += &format!("{}:\n", path.display());
            found.iter().for_each(|line| failures += &format!("# expect: {line}\n"));
        }
    }
    assert!(failures.is_empty(), "other problems than expected:\n{failures}");
}

#[test]
fn valid_files_are_accepted_with_the_expected_warnings() {
    let mut failures = String::new();
    for (path, text) in fixtures("valid") {
        let config = parse(&path, &text).unwrap_or_else(|problems| panic!("{problems}"));
        let found = lines(&path, &text);
        if found != expected(&text) {
            failures += &format!("{}:\n", path.display());
            found.iter().for_each(|line| failures += &format!("# expect: {line}\n"));
        }
        assert!(!config.pipeline.apps.is_empty());
    }
    assert!(failures.is_empty(), "other warnings than expected:\n{failures}");
}

#[test]
fn no_message_holds_a_secret() {
    let mut planted = 0;
    for (path, text) in fixtures("invalid").into_iter().chain(fixtures("valid")) {
        planted += usize::from(text.contains(CANARY));
        let printed = lines(&path, &text).join("\n");
        assert!(!printed.contains(CANARY), "{}: {printed}", path.display());
    }
    assert!(planted > 5, "only {planted} files hold the canary");
}

#[test]
fn a_configuration_does_not_print_its_secrets() {
    let text = format!("[[app]]\nname = 'a'\nappid = 'wx0000000000000001'\nsecret = '{CANARY}'\n");
    let config = Config::parse(&text, "x.toml", &env).unwrap();
    assert_eq!(config.pipeline.apps[0].token.secret.expose(), CANARY);
    assert!(!format!("{config:?}").contains(CANARY));
}

fn shipped() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config/wxgate.toml")).unwrap()
}

#[test]
fn the_shipped_file_is_accepted_as_it_is() {
    let config =
        Config::parse(&shipped(), "wxgate.toml", &env).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(config.warnings, []);
}

#[test]
fn the_shipped_file_shows_every_key_with_its_default() {
    let shipped = shipped();
    let mut keys = 0;
    for (table, names) in known_keys() {
        let start = shipped.find(&format!("{table}\n")).unwrap_or_else(|| panic!("{table} is missing"));
        let section = &shipped[start + table.len()..];
        let section = &section[..section.find("\n[").unwrap_or(section.len())];
        for name in names {
            // A table within a table is looked for on its own.
            let plain = |table: &str| table.trim_matches(['[', ']']).to_owned();
            let nested = format!("{}.{name}", plain(table));
            if known_keys().any(|(table, _)| plain(table) == nested) {
                continue;
            }
            keys += 1;
            let shown = section.lines().any(|line| {
                line.trim_start_matches("# ").split(" = ").next().is_some_and(|key| key == *name)
            });
            assert!(shown, "{table} {name} is missing");
        }
    }
    assert!(keys > 30, "only {keys} keys are known");

    let app = &shipped[shipped.find("[[app]]").unwrap()..];
    let required = ["[[app]]", "name = ", "appid = ", "secret = "];
    let least: Vec<_> = app
        .lines()
        .take_while(|line| !line.is_empty())
        .filter(|line| required.iter().any(|r| line.starts_with(r)))
        .collect();
    let least =
        Config::parse(&least.join("\n"), "least.toml", &env).unwrap_or_else(|problems| panic!("{problems}"));
    let mut full = Config::parse(&shipped, "wxgate.toml", &env).unwrap();
    assert_eq!(full.notes, [], "nothing is left unsaid");
    full.notes.clone_from(&least.notes);
    assert_eq!(format!("{full:?}"), format!("{least:?}"), "the file's values are not the defaults");
}

#[test]
fn secrets_come_from_variables_and_files_less_one_newline() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("shop"), "s3cret\r\n").unwrap();
    let text = "[[app]]\nname = 'a'\nappid = 'wx0000000000000001'\nsecret = { file = 'shop' }\n\
                [[app]]\nname = 'b'\nappid = 'wx0000000000000002'\nsecret = { env = 'SHOP_SECRET' }\n";
    let file = folder.path().join("wxgate.toml");
    let config = Config::parse(text, file.to_str().unwrap(), &env).unwrap();
    let secrets: Vec<_> = config.pipeline.apps.iter().map(|app| app.token.secret.expose()).collect();
    assert_eq!(secrets, ["s3cret", "0123456789abcdef0123456789abcdef"]);
    assert_eq!(config.secret_files.len(), 1);
    assert_eq!(config.secret_files[0].path, folder.path().join("shop"));
}

#[test]
fn a_file_that_cannot_be_read_is_one_problem() {
    let problems = Config::load(Path::new("/nonexistent/wxgate.toml")).unwrap_err();
    let text = problems.to_string();
    assert!(text.starts_with("/nonexistent/wxgate.toml: cannot be read: No such file"), "{text}");
}

#[test]
fn a_pipe_a_device_or_a_huge_file_is_told_and_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    std::fs::File::create(folder.path().join("huge")).unwrap().set_len(3 << 30).unwrap();
    std::fs::write(folder.path().join("secret"), "s3cret").unwrap();
    std::os::unix::fs::symlink("secret", folder.path().join("link")).unwrap();
    let file = folder.path().join("wxgate.toml");
    let refused = |secret: &str, more: &str| {
        let app =
            format!("[[app]]\nname = 'a'\nappid = 'wx0000000000000001'\nsecret = {{ file = '{secret}' }}\n");
        match Config::parse(&format!("{app}{more}"), file.to_str().unwrap(), &env) {
            Ok(_) => String::new(),
            Err(problems) => problems.to_string(),
        }
    };
    assert_eq!(refused("link", ""), "", "Kubernetes mounts links");
    for (name, reason) in [
        ("pipe", "is a pipe or a device, expected a regular file"),
        ("/dev/zero", "is a pipe or a device, expected a regular file"),
        ("huge", "is longer than"),
    ] {
        let secret = refused(name, "");
        assert!(secret.contains(&format!("app[0].secret.file: the file {name} {reason}")), "{secret}");
        let authority = refused("secret", &format!("[upstream]\nca_file = '{name}'\n"));
        assert!(authority.contains(&format!("upstream.ca_file: the file {name} {reason}")), "{authority}");
        let itself = Config::load(&folder.path().join(name)).unwrap_err().to_string();
        assert!(itself.contains(reason), "{itself}");
    }
}

#[test]
fn everything_that_was_set_arrives() {
    let path = folder("valid").join("full.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let config = parse(&path, &text).unwrap_or_else(|problems| panic!("{problems}"));
    // The fixture sets every key to something that is not its default: so no line of the defaults
    // may be left.
    let defaults = Config::parse(&shipped(), "wxgate.toml", &env).unwrap();
    assert_eq!(config.pipeline.hosts, ["wxgate.example", "192.0.2.7"]);
    let (set, defaults) = (format!("{config:#?}"), format!("{defaults:#?}"));
    for field in [
        "workers",
        "max_head",
        "max_connections",
        "max_connections_per_address",
        "max_inflight",
        "head_timeout",
        "idle_timeout",
        "write_timeout",
        "drain_delay",
        "drain_timeout",
        "connect_timeout",
        "response_timeout",
        "slow_response_timeout",
        "pool_idle",
        "ca_file",
        "fetch_timeout",
        "refresh_wait",
        "anonymous",
        "access",
        "request_timeout",
        // Of error_status.
        "others",
        "memory",
        "spool",
        "spool_dir",
        "own_credential",
        "kind",
        "mode",
        "probe",
        "format",
        "pool_age",
        "egress",
        "upstream",
    ] {
        let line = |text: &str| {
            text.lines()
                .find(|line| line.trim_start().starts_with(&format!("{field}:")))
                .unwrap_or_else(|| panic!("{field} is not printed"))
                .trim()
                .to_owned()
        };
        assert_ne!(line(&set), line(&defaults), "{field}");
    }
    assert_eq!(set.matches("body_timeout: 31s").count(), 3);
    assert_eq!(set.matches("max_body: 1048576").count(), 2);
    assert_eq!(config.log.level, tracing::Level::DEBUG);
    assert_eq!(config.server.listen.len(), 2);
    let trusted = |text: &str| config.pipeline.trusted_proxies.contains(text.parse().unwrap());
    assert!(trusted("10.9.9.9") && trusted("::1") && !trusted("11.0.0.1") && !trusted("::2"));
    assert_eq!(config.admin.token.as_ref().map(|token| token.expose()), Some("correct-horse-battery-staple"));
    assert_eq!(config.upstreams[0].resolve["wechat.internal"].len(), 2);
    let [global, own] = config.upstreams.as_slice() else { panic!("two upstreams") };
    let urls = |options: &Options| options.origins.iter().map(Origin::url).collect::<Vec<_>>();
    assert_eq!(urls(global), ["https://wechat.internal:8443", "http://10.0.0.9"]);
    let egress = global.egress.as_ref().unwrap();
    assert_eq!(egress.to_string(), "http://proxy.internal:3128");
    let (user, password) = egress.credentials.as_ref().unwrap();
    assert_eq!((user.as_str(), password.expose()), ("user", CANARY));
    let [app] = config.pipeline.apps.as_slice() else { panic!("one app") };
    // What an app names is its own, all else is as for everybody; and its host stands for all of
    // WeChat's.
    assert_eq!(
        (app.upstream, urls(own), own.egress.is_none()),
        (1, vec!["https://api.weixin.qq.com".into()], true)
    );
    assert_eq!(
        (own.response_timeout, own.slow_response_timeout, own.connect_timeout),
        (Duration::from_secs(120), global.slow_response_timeout, global.connect_timeout)
    );
    assert_eq!((own.resolve.len(), own.all_sites), (1, true));
    assert_eq!(app.hosts, ["shop.wechat.internal"]);
    let [caller] = config.pipeline.callers.as_slice() else { panic!("one caller") };
    assert_eq!((caller.keys.len(), caller.apps.len(), caller.allow.len()), (2, 1, 2));
    assert_eq!(caller.expires, Timestamp::end_of_beijing_date("2999-12-31"));
    let anonymous = config.pipeline.anonymous_caller.as_ref().unwrap();
    assert_eq!((anonymous.keys.len(), anonymous.apps.len(), anonymous.allow.len()), (0, 1, 1));
    assert_eq!(app.default, Some(false));
    assert_eq!(caller.keys[0][..2], [0xaa, 0x01]);
}

#[test]
fn statuses_are_as_written_and_the_former_keys_mean_what_they_meant() {
    let parsed = |server: &str| {
        let text = format!(
            "[server]\n{server}\n[[app]]\nname = 'a'\nappid = 'wx0123456789abcdef'\nsecret = {{ env = 'SHOP_SECRET' }}\n"
        );
        Config::parse(&text, "t.toml", &env).unwrap_or_else(|problems| panic!("{problems}"))
    };
    // Whether limits and all else have statuses of their own, and what to write.
    let rows = [
        ("errors_as_200 = true", (false, false), "\"wechat\", which means the same"),
        (
            "errors_as_200 = false",
            (false, true),
            "\"http\", with which limits have status 429 instead of 200",
        ),
        ("limit_status = 200", (false, true), "\"http\", with which limits have status 429 instead of 200"),
        ("limit_status = 429", (true, true), "\"http\", which means the same"),
        ("errors_as_200 = true\nlimit_status = 200", (false, false), "\"wechat\", which means the same"),
        (
            "errors_as_200 = true\nlimit_status = 429",
            (true, false),
            "\"wechat\", with which limits have status 200 instead of 429",
        ),
        ("errors_as_200 = false\nlimit_status = 429", (true, true), "\"http\", which means the same"),
    ];
    for (server, (limits, others), advice) in rows {
        let config = parsed(server);
        assert_eq!(config.pipeline.error_status, ErrorStatus { limits, others }, "{server}");
        assert_eq!(config.warnings.len(), server.lines().count(), "{server}");
        for warning in &config.warnings {
            let text = warning.to_string();
            let expected = format!(
                "is replaced by server.error_status and will be removed in the next release: write error_status = {advice}"
            );
            assert!(text.contains(&expected), "{server}: {text}");
        }
        assert_eq!(config.notes, [], "{server}");
    }
    let unwritten = parsed("");
    assert_eq!(unwritten.pipeline.error_status, ErrorStatus::WECHAT);
    let note = unwritten.notes[0].as_str();
    assert!(note.starts_with("server.error_status is not set and defaults to \"wechat\""), "{note}");
    for (value, status) in [("wechat", ErrorStatus::WECHAT), ("http", ErrorStatus::HTTP)] {
        let written = parsed(&format!("error_status = '{value}'"));
        assert_eq!(
            (written.pipeline.error_status, written.warnings.len(), written.notes.len()),
            (status, 0, 0)
        );
        let beside = parsed(&format!("error_status = '{value}'\nlimit_status = 200"));
        assert_eq!(beside.pipeline.error_status, status);
        assert!(
            beside.warnings[0]
                .to_string()
                .contains("t.toml:3:16: server.limit_status: warning: has no effect")
        );
    }
}

#[test]
fn who_has_patience_with_every_endpoint_has_it_with_the_slow_ones() {
    let slow = |upstream: &str, own: &str| {
        let text = format!(
            "[upstream]\n{upstream}\n[[app]]\nname = 'a'\nappid = 'wx0000000000000001'\nsecret = {{ env = 'SHOP_SECRET' }}\n\
             [app.upstream]\n{own}\n"
        );
        let config = Config::parse(&text, "t.toml", &env).unwrap_or_else(|problems| panic!("{problems}"));
        config.upstreams.iter().map(|options| options.slow_response_timeout.as_secs()).collect::<Vec<_>>()
    };
    assert_eq!(slow("", "response_timeout = '60s'"), [120, 120]);
    assert_eq!(slow("", "response_timeout = '3m'"), [120, 180]);
    assert_eq!(slow("response_timeout = '3m'", "connect_timeout = '1s'"), [180, 180]);
    assert_eq!(slow("slow_response_timeout = '5m'", "slow_response_timeout = '10s'"), [300, 10]);
}

#[test]
fn an_export_beside_a_configuration_named_without_a_folder_has_its_place() {
    let text = "[[app]]\nname = \"shop\"\nappid = \"wx0123456789abcdef\"\nsecret = { env = \"SHOP_SECRET\" }\n\
                [[app.export]]\nfile = \"shop.properties\"\n";
    let config = Config::parse(text, "wxgate.toml", &env).unwrap();
    let here = std::env::current_dir().unwrap().join("shop.properties");
    assert_eq!(config.exports[0].destination.to_string(), format!("file:{}", here.display()));
}

/// A folder that nobody else may enter.
fn closed_folder() -> tempfile::TempDir {
    tempfile::Builder::new().permissions(Permissions::from_mode(0o700)).tempdir().unwrap()
}

#[test]
fn secret_files_that_others_can_open_are_warned_of() {
    let folder = closed_folder();
    let file = folder.path().join("wxgate.toml");
    let made = rcgen::generate_simple_self_signed(vec!["api.weixin.qq.com".to_owned()]).unwrap();
    for (name, text) in [
        ("shop.secret", "0123456789abcdef0123456789abcdef\n".to_owned()),
        ("cert.pem", made.cert.pem()),
        ("key.pem", made.signing_key.serialize_pem()),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let text = "[server.tls]\ncert = 'cert.pem'\nkey = 'key.pem'\n\
                [[app]]\nname = 'a'\nappid = 'wx0123456789abcdef'\nsecret = { file = 'shop.secret' }\n";
    let warnings = |of_folder, of_secret, of_key| {
        let mode = |path: &Path, mode| std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        mode(folder.path(), of_folder);
        mode(&folder.path().join("shop.secret"), of_secret);
        mode(&folder.path().join("key.pem"), of_key);
        let config = Config::parse(text, file.to_str().unwrap(), &env).unwrap_or_else(|p| panic!("{p}"));
        let of = |problem: &wxgate::config::Problem| {
            assert!(problem.text.as_str().contains("expected mode 0600"), "{problem}");
            format!("{:?} {}", problem.position.unwrap(), problem.key)
        };
        config.warnings.iter().map(of).collect::<Vec<_>>()
    };
    let (key, secret) = ("(3, 7) server.tls.key", "(7, 19) app[0].secret.file");
    assert_eq!(warnings(0o755, 0o600, 0o600), [""; 0]);
    assert_eq!(warnings(0o755, 0o640, 0o440), [""; 0], "a group is chosen by somebody");
    assert_eq!(warnings(0o755, 0o644, 0o604), [key, secret]);
    assert_eq!(warnings(0o711, 0o602, 0o600), [secret], "it can be written");
    assert_eq!(warnings(0o700, 0o666, 0o666), [""; 0], "nobody comes so far");
}

/// A folder with `cert.pem`, `key.pem` and `ca.pem`, and a configuration that names them.
fn with_a_certificate() -> (tempfile::TempDir, PathBuf, String) {
    let folder = closed_folder();
    let made = rcgen::generate_simple_self_signed(vec!["api.weixin.qq.com".to_owned()]).unwrap();
    std::fs::write(folder.path().join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.path().join("ca.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let text = "[server.tls]\ncert = 'cert.pem'\nkey = 'key.pem'\nclient_ca = 'ca.pem'\n\
                [[app]]\nname = 'a'\nappid = 'wx0000000000000001'\nsecret = { env = 'SHOP_SECRET' }\n";
    let file = folder.path().join("wxgate.toml");
    (folder, file, text.to_owned())
}

#[test]
fn a_certificate_and_its_key_are_read_and_watched_and_not_printed() {
    let (folder, file, text) = with_a_certificate();
    let config = Config::parse(&text, file.to_str().unwrap(), &env).unwrap_or_else(|p| panic!("{p}"));
    assert!(config.server.tls.is_some());
    let watched: Vec<_> = config.secret_files.iter().map(|file| file.path.clone()).collect();
    assert_eq!(watched, ["cert.pem", "key.pem", "ca.pem"].map(|name| folder.path().join(name)));
    assert!(config.warnings.is_empty());
    let alone = format!("[server]\nlisten = 'unix:/run/wxgate.sock'\n{text}");
    let warnings = Config::parse(&alone, file.to_str().unwrap(), &env).unwrap().warnings;
    assert!(warnings[0].to_string().contains("server.tls: warning: has no effect"), "{warnings:?}");
    let key = std::fs::read_to_string(folder.path().join("key.pem")).unwrap();
    assert!(!format!("{config:?}").contains(key.lines().nth(1).unwrap()));
}

#[test]
fn a_certificate_that_does_not_fit_is_refused_at_its_place() {
    let (folder, file, text) = with_a_certificate();
    let refused = |name: &str, contents: &str| {
        let path = folder.path().join(name);
        let kept = std::fs::read(&path).unwrap();
        std::fs::write(&path, contents).unwrap();
        let problems = Config::parse(&text, file.to_str().unwrap(), &env).unwrap_err();
        std::fs::write(&path, kept).unwrap();
        problems.0[0].to_string().rsplit_once("wxgate.toml:").unwrap().1.to_owned()
    };
    let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let mismatch = refused("key.pem", &other);
    assert!(mismatch.starts_with("3:7: server.tls.key: the key does not belong"), "{mismatch}");
    let encrypted = other.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let encrypted = refused("key.pem", &encrypted);
    assert!(encrypted.contains("holds a key protected by a password"), "{encrypted}");
    let empty = refused("cert.pem", "");
    assert!(empty.starts_with("2:8: server.tls.cert: the file cert.pem holds no certificate"), "{empty}");
    let broken = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    let broken = refused("cert.pem", broken);
    assert!(broken.contains("server.tls.cert: the first certificate cannot be used"), "{broken}");
    let long = refused("cert.pem", &"-".repeat(2 << 20));
    assert!(long.contains("is longer than 1048576 bytes"), "{long}");
    let authority = refused("ca.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
    assert!(authority.starts_with("4:13: server.tls.client_ca: a certificate cannot be used"), "{authority}");
}

#[test]
fn traces_need_a_build_with_them_and_a_collector() {
    let parse = |trace: &str| {
        let app = "[[app]]\nname = 'a'\nappid = 'wx0000000000000001'\nsecret = { env = 'SHOP_SECRET' }\n";
        Config::parse(&format!("{app}[trace]\n{trace}"), "t.toml", &env)
    };
    let good = "endpoint = 'http://127.0.0.1:4318'";
    if wxgate::observe::trace::BUILT {
        let options = parse(good).unwrap().trace.unwrap();
        assert_eq!((options.sample, options.service_name.as_str()), (1.0, "wxgate"));
    } else {
        let problems = parse(good).unwrap_err().to_string();
        assert!(
            problems.starts_with("t.toml:5:1: trace: ") && problems.contains("--features otlp"),
            "{problems}"
        );
    }
    for (trace, said) in [
        ("sample = 0.5", "trace.endpoint: is missing, expected a collector's address"),
        ("endpoint = 'collector:4318'", "6:12: trace.endpoint: is not a collector's address"),
        (
            "endpoint = 'http://collector:4318/v1/traces'",
            "6:12: trace.endpoint: is not a collector's address",
        ),
        ("endpoint = 'http://me:pass@collector'", "6:12: trace.endpoint: is not a collector's address"),
        (
            "sample = 2\nendpoint = 'http://c'",
            "6:10: trace.sample: is not a share, expected a number from 0 to 1",
        ),
        ("sample = 'all'\nendpoint = 'http://c'", "6:10: trace.sample: is a string, expected a number"),
        ("sample = nan\nendpoint = 'http://c'", "6:10: trace.sample: is out of range"),
    ] {
        let problems = parse(trace).unwrap_err().to_string();
        assert!(problems.contains(said), "{trace}: {problems}");
        assert!(!problems.contains("pass@"), "{problems}");
    }
}

#[test]
fn the_only_app_is_the_default_unless_it_says_otherwise_or_is_a_platform() {
    let app = |name: &str, more: &str| {
        format!("[[app]]\nname = '{name}'\nappid = 'wx{name}'\nsecret = {{ env = 'SHOP_SECRET' }}\n{more}\n")
    };
    let default = |apps: &[String]| {
        let config =
            Config::parse(&apps.concat(), "t.toml", &env).unwrap_or_else(|problems| panic!("{problems}"));
        config.pipeline.default_app().map(|app| app.token.name.to_string())
    };
    let store = "[store]\nurl = 'file:/var/lib/wxgate'\n".to_owned();
    let suite = "kind = 'wecom'\nsuite_id = 'ww1'\nsuite_secret = { env = 'CANARY' }";
    assert_eq!(default(&[app("a", "")]).as_deref(), Some("a"));
    assert_eq!(default(&[app("a", "kind = 'wecom'")]).as_deref(), Some("a"));
    assert_eq!(default(&[app("a", "default = false")]), None);
    assert_eq!(default(&[app("a", ""), app("b", "")]), None);
    assert_eq!(default(&[app("a", ""), app("b", "default = true")]).as_deref(), Some("b"));
    assert_eq!(default(&[store.clone(), app("a", "kind = 'component'")]), None);
    assert_eq!(default(&[store.clone(), app("a", suite)]), None);
    assert_eq!(default(&[store, app("a", "kind = 'component'\ndefault = true")]).as_deref(), Some("a"));
}

#[test]
fn a_file_that_is_no_utf_8_is_refused_at_the_first_byte_that_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let load = |bytes: &[u8]| {
        let path = folder.path().join("wxgate.toml");
        std::fs::write(&path, bytes).unwrap();
        let problems = Config::load(&path).unwrap_err().to_string();
        problems.strip_prefix(&format!("{}:", path.display())).unwrap().to_owned()
    };
    // 店铺 in GBK behind 名 in UTF-8: columns count characters.
    let gbk = load(b"[[app]]\n# \xe5\x90\x8d \xb5\xea\xc6\xcc\nname = 'x'\n");
    assert!(gbk.starts_with("2:5: syntax: the byte 0xB5 is not UTF-8, expected a file in UTF-8;"), "{gbk}");
    assert!(gbk.contains("iconv -f GBK -t UTF-8") && !gbk.contains('\n'), "{gbk}");
    let utf_16 = load(b"\xff\xfe[\0[\0a\0p\0p\0]\0]\0");
    assert!(utf_16.starts_with("1:1: syntax: the file is UTF-16, expected UTF-8"), "{utf_16}");
}

#[test]
fn a_key_that_ends_soon_is_warned_of_for_fourteen_days() {
    let text = "[[app]]\nname = 'a'\nappid = 'wx0123456789abcdef'\nsecret = { env = 'SHOP_SECRET' }\n\
                [[caller]]\nname = 'orders'\nkey_sha256 = 'aa01000000000000000000000000000000000000000000000000000000000000'\n\
                apps = ['a']\nexpires = '2027-03-31'\n";
    let end = Timestamp::end_of_beijing_date("2027-03-31").unwrap();
    let warned = |hours_before: i64| {
        let now = Timestamp(end.0 - hours_before * 3_600_000);
        let config =
            Config::parse_at(text, "t.toml", &env, now).unwrap_or_else(|problems| panic!("{problems}"));
        config.warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let says = |when: &str| {
        format!("t.toml:9:11: caller[0].expires: warning: {when}, expected another key and a later day")
    };
    assert_eq!(warned(14 * 24 + 1), "");
    let later = "the key is refused after 2027-03-31 (Beijing)";
    assert_eq!(warned(14 * 24), says(&format!("is in 13 days: {later}")));
    assert_eq!(warned(30), says(&format!("is tomorrow: {later}")));
    assert_eq!(warned(1), says(&format!("is today: {later}")));
    assert_eq!(warned(0), says("has passed: the key is refused since the end of 2027-03-31 (Beijing)"));
}
