//! The command line, as a user sees it.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use crate::program::{CANARY, Folder, GOOD};

#[test]
fn help_exists_on_every_level() {
    let folder = Folder::new();
    let top = folder.run(&["--help"]);
    assert_eq!((top.code, top.stderr.as_str()), (Some(0), ""));
    for command in [
        "serve",
        "check",
        "init",
        "sandbox",
        "demo",
        "explain",
        "status",
        "refresh",
        "quota",
        "clear-quota",
        "top",
        "store",
        "key",
        "completions",
        "man",
    ] {
        assert!(top.stdout.contains(&format!("\n  {command} ")), "{command} is not in {}", top.stdout);
        let help = folder.run(&[command, "--help"]);
        assert_eq!(help.code, Some(0), "{command}");
        assert!(help.stdout.contains(&format!("Usage: wxgate {command}")), "{}", help.stdout);
    }
    let version = folder.run(&["--version"]);
    assert_eq!((version.code, version.stdout), (Some(0), format!("wxgate {}\n", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn bad_usage_ends_with_64() {
    let folder = Folder::new();
    let good = folder.write("good.toml", GOOD);
    let good = good.to_str().unwrap();
    for arguments in [
        &[][..],
        &["srve"],
        &["serve"],
        &["check", "--config"],
        &["check", "--config", good, "--rotate"],
        &["check", "--config", good, "extra"],
        &["check", "--config", good, "--probe"],
        &["check", "--config", good, "--online", "--report", "r"],
        &["explain", "GET", "/", "--no-config", "--config", good],
        &["status", "--healthz", "--readyz"],
        &["store", "show"],
        &["key"],
        &["completions", "tcsh"],
        &["sandbox", "--listen", "nowhere"],
        &["explain", "GET", "cgi-bin/user/info"],
        &["explain", "G E T", "/cgi-bin/user/info"],
        &["refresh"],
        &["quota", "reset"],
        &["quota", "shop", "reset"],
        &["status", "--admin", "ftp://127.0.0.1"],
        &["status", "--admin", concat!("http://user:", "c0ffee00c0ffee00c0ffee00c0ffee00", "@127.0.0.1")],
        &["status", "--admin-token-file", "nonexistent"],
    ] {
        let ran = folder.run(arguments);
        assert_eq!(ran.code, Some(64), "{arguments:?}: {ran:?}");
        assert_eq!(ran.stdout, "", "{arguments:?}");
        assert!(!ran.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_good_file_is_ok() {
    let folder = Folder::new();
    folder.write("good.toml", GOOD);
    let ran = folder.run(&["check", "--config", "good.toml"]);
    let ok = "good.toml: ok, 1 app, 0 callers\n";
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let note = ran.stdout.strip_prefix(ok).expect("it is ok");
    let note = note.replace('\n', " ");
    assert!(note.starts_with("server.error_status is not set and defaults to \"wechat\": "), "{note}");
    folder.write("told.toml", &format!("[server]\nerror_status = 'wechat'\n{GOOD}"));
    let told = folder.run(&["check", "--config", "told.toml"]).stdout;
    let memory = told.strip_prefix(&ok.replace("good", "told")).expect("it is ok");
    assert!(
        memory.starts_with("wxgate uses at most ") && note.ends_with(&memory.replace('\n', " ")),
        "{memory}"
    );
    assert_eq!(memory.lines().count(), 1, "{memory}");
    assert!(memory.len() <= 80, "{memory}");
}

#[test]
fn an_unknown_key_is_named_with_its_place() {
    let folder = Folder::new();
    folder.write("bad.toml", &format!("[server]\n  lisen = ['127.0.0.1:0']\n{GOOD}"));
    for command in ["check", "serve"] {
        let ran = folder.run(&[command, "--config", "bad.toml"]);
        assert_eq!(ran.code, Some(64), "{command}");
        assert_eq!(ran.stderr, "bad.toml:2:3: server.lisen: unknown key, did you mean \"listen\"?\n");
    }
}

#[test]
fn all_problems_are_printed_at_once() {
    let folder = Folder::new();
    folder.write(
        "bad.toml",
        "[server]\nrequest_timeout = 5\n\n[[app]]\nname = 'shop'\nsecret = { file = 'shop.secret' }\n\
         token_mode = 'classic'\n\n[[caller]]\nname = 'orders'\napps = ['shopp']\n",
    );
    let ran = folder.run(&["check", "--config", "bad.toml"]);
    assert_eq!(ran.code, Some(64));
    let places: Vec<_> =
        ran.stderr.lines().map(|line| line.splitn(5, ':').take(4).collect::<Vec<_>>().join(":")).collect();
    assert_eq!(
        places,
        [
            "bad.toml:2:19: server.request_timeout",
            "bad.toml:4:1: app[0].appid",
            "bad.toml:6:19: app[0].secret.file",
            "bad.toml:7:14: app[0].token_mode",
            "bad.toml:9:1: caller[0].key_sha256",
            "bad.toml:11:9: caller[0].apps[0]",
        ]
    );
    assert!(
        ran.stderr.contains("app[0].secret.file: the file shop.secret does not exist\n"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_broken_file_is_refused_without_a_quotation() {
    let folder = Folder::new();
    folder.write("bad.toml", &format!("[[app]]\nsecret = \"{CANARY}\nappid = {CANARY}\n"));
    let ran = folder.run(&["check", "--config", "bad.toml"]);
    assert_eq!(ran.code, Some(64));
    assert!(ran.stderr.starts_with("bad.toml:2:"), "{}", ran.stderr);
}

#[test]
fn a_secret_in_clear_is_warned_of_and_not_printed() {
    let folder = Folder::new();
    folder.write("clear.toml", &GOOD.replace("{ env = 'SHOP_SECRET' }", &format!("'{CANARY}'")));
    let ran = folder.run(&["check", "--config", "clear.toml"]);
    assert_eq!(ran.code, Some(0));
    assert!(
        ran.stderr.starts_with("clear.toml:4:10: app[0].secret: warning: is a secret in clear"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_proxy_that_does_not_run_is_a_failure_with_advice() {
    // Bound but not listening: no other test can get the port meanwhile, and connecting to it is
    // refused.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let port = socket.local_addr().unwrap().as_socket().unwrap().port();
    let ran = Folder::new().run(&["status", "--admin", &format!("http://127.0.0.1:{port}")]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("is a proxy running there?"), "{}", ran.stderr);
    assert_eq!(ran.stdout, "");
}

/// Answers one request with `status` and `body`, and returns the request's head.
fn answer_once(status: &str, body: &str) -> (String, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer =
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() > 0 {
            head.push(byte[0]);
        }
        stream.write_all(answer.as_bytes()).unwrap();
        String::from_utf8(head).unwrap()
    });
    (url, thread)
}

#[test]
fn status_asks_with_the_token_and_prints_a_table_or_the_json() {
    const STATUS: &str = r#"{"version":"9.9.9","started_at":"2026-11-22T08:00:00Z","listeners":["127.0.0.1:8080"],"draining":true,
        "apps":[{"name":"shop","appid":"wx1","kind":"official_account","token_mode":"stable","state":"ready",
        "token":{"generation":7,"age_seconds":60,"expires_in_seconds":7140},"last_refresh":null,"last_failure":null}],"callers":[]}"#;
    let (url, server) = answer_once("200 OK", STATUS);
    let ran = Folder::new().run(&["status", "--admin", &url]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert!(ran.stdout.starts_with("wxgate 9.9.9, up "), "{}", ran.stdout);
    assert!(ran.stdout.contains("shop  ready  1m00s    1h59m    7  -\n"), "{}", ran.stdout);
    let head = server.join().unwrap().to_ascii_lowercase();
    assert!(head.starts_with("get /api/v1/status http/1.1\r\n"), "{head}");
    assert!(head.contains(&format!("authorization: bearer {CANARY}\r\n")), "{head}");

    let (url, server) = answer_once("200 OK", STATUS);
    let ran = Folder::new().run(&["status", "--json", "--admin", &url]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), STATUS));
    drop(server.join());
}

#[test]
fn refresh_says_what_came_of_it() {
    let body =
        r#"{"outcome":"replaced","generation":8,"forces_left_today":19,"message":"the token was replaced"}"#;
    let (url, server) = answer_once("200 OK", body);
    let folder = Folder::new();
    folder.write("token", "from-a-file\n");
    let ran = folder.run(&["refresh", "shop", "--force", "--admin", &url, "--admin-token-file", "token"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(
        ran.stdout,
        "replaced, generation 8, forced refreshes left today: 19\nthe token was replaced\n"
    );
    let head = server.join().unwrap().to_ascii_lowercase();
    assert!(head.starts_with("post /api/v1/apps/shop/refresh?force=true http/1.1\r\n"), "{head}");
    assert!(head.contains("authorization: bearer from-a-file\r\n"), "{head}");

    let failed =
        r#"{"outcome":"failed","generation":null,"forces_left_today":19,"message":"40125 wrong secret"}"#;
    let (url, server) = answer_once("200 OK", failed);
    let ran = folder.run(&["refresh", "shop", "--admin", &url]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""));
    assert_eq!(ran.stderr, "wxgate: failed, forced refreshes left today: 19\n40125 wrong secret\n");
    let head = server.join().unwrap();
    assert!(head.starts_with("POST /api/v1/apps/shop/refresh HTTP/1.1\r\n"), "{head}");
}

#[test]
fn quota_reset_asks_first_and_says_what_was_reset() {
    let body =
        r#"{"reset":true,"calls_counted":5,"budgets":["all"],"message":"the counters of shop begin anew"}"#;
    let folder = Folder::new();
    let asked = folder.run(&["quota", "reset", "shop", "--admin", "http://127.0.0.1:9"]);
    assert_ne!(asked.code, Some(0), "nobody can answer");
    assert!(asked.stderr.contains("--yes"), "{asked:?}");
    let (url, server) = answer_once("200 OK", body);
    let ran = folder.run(&["quota", "reset", "shop", "--yes", "--admin", &url]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "the counters of shop begin anew\n"), "{ran:?}");
    let head = server.join().unwrap();
    assert!(head.starts_with("POST /api/v1/apps/shop/quota/reset?confirm=shop HTTP/1.1\r\n"), "{head}");

    let (url, server) = answer_once("200 OK", &body.replace("true", "false"));
    let ran = folder.run(&["quota", "reset", "shop", "--yes", "--admin", &url]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(1), "wxgate: the counters of shop begin anew\n"));
    drop(server.join());

    // An app may have that name, too.
    let quota = r#"{"day":"2026-11-25","day_ends_in_seconds":1,"apps":[{"app":"reset","problem":null,"endpoints":[]}]}"#;
    let (url, server) = answer_once("200 OK", quota);
    let ran = folder.run(&["quota", "--admin", &url, "--", "reset"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let head = server.join().unwrap();
    assert!(head.starts_with("GET /api/v1/quota?app=reset HTTP/1.1\r\n"), "{head}");
}

#[test]
fn a_refusal_of_the_admin_address_is_passed_on() {
    let (url, server) = answer_once("401 Unauthorized", r#"{"error":"this needs the admin token"}"#);
    let ran = Folder::new().run(&["refresh", "shop", "--admin", &url]);
    assert_eq!(ran.code, Some(1));
    assert_eq!(
        ran.stderr,
        format!(
            "wxgate: {url} responded with 401: this needs the admin token\n\
             Set the admin token by WXGATE_ADMIN_TOKEN or --admin-token-file.\n"
        )
    );
    drop(server.join());
}

#[test]
fn an_admin_socket_can_be_asked() {
    use std::os::unix::net::UnixListener;
    let folder = Folder::new();
    let path = folder.path().join("admin.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 4096];
        let read = stream.read(&mut head).unwrap();
        let body = r#"{"version":"1","apps":[]}"#;
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        String::from_utf8_lossy(&head[..read]).into_owned()
    });
    let ran = folder.run(&["status", "--admin", &format!("unix:{}", path.display())]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stdout.ends_with("(none)\n"), "{}", ran.stdout);
    assert!(server.join().unwrap().starts_with("GET /api/v1/status HTTP/1.1\r\n"));
}

#[test]
fn health_needs_neither_token_nor_configuration_and_decides_the_exit_code() {
    let folder = Folder::new();
    let (url, server) = answer_once("200 OK", "ok\n");
    let ran = folder.run(&["status", "--healthz", "--admin", &url]);
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (Some(0), "ok\n", ""));
    let head = server.join().unwrap();
    assert!(head.starts_with("GET /healthz HTTP/1.1\r\n"), "{head}");
    assert!(!head.to_ascii_lowercase().contains("authorization"), "{head}");

    let (url, server) = answer_once("503 Service Unavailable", r#"{"ready":false}"#);
    let ran = folder.run(&["status", "--readyz", "--admin", &url]);
    let told = format!("wxgate: {url}/readyz responded with 503: {{\"ready\":false}}\n");
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr), (Some(1), "", told));
    assert!(server.join().unwrap().starts_with("GET /readyz HTTP/1.1\r\n"));

    // Nobody listens there; a container's health check knows 0 and 1 alone.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let port = socket.local_addr().unwrap().as_socket().unwrap().port();
    let ran = folder.run(&["status", "--healthz", "--admin", &format!("http://127.0.0.1:{port}")]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""));
    assert!(ran.stderr.contains("is a proxy running there?"), "{}", ran.stderr);
}

#[test]
fn health_is_read_up_to_a_bound_and_not_waited_for() {
    let folder = Folder::new();
    let (url, server) = answer_once("200 OK", &"x".repeat(70_000));
    let ran = folder.run(&["status", "--readyz", "--admin", &url]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "(more than 65536 bytes)\n"), "{ran:?}");
    drop(server.join());

    // It never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let ran = folder.run(&["status", "--healthz", "--admin", &url]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""));
    assert!(ran.stderr.contains("it does not respond"), "{}", ran.stderr);
}

#[test]
fn what_is_named_in_the_place_of_a_file_is_not_waited_for() {
    let folder = Folder::new();
    assert!(std::process::Command::new("mkfifo").arg(folder.path().join("pipe")).status().unwrap().success());
    std::fs::File::create(folder.path().join("huge")).unwrap().set_len(3 << 30).unwrap();
    folder.write(
        "wxgate.toml",
        "[store]\nurl = 'file:/tmp'\n[[app]]\nname = 'tenants'\nkind = 'component'\n\
         appid = 'wx0123456789abcdef'\nsecret = { env = 'SHOP_SECRET' }\n",
    );
    for (file, reason) in
        [("pipe", "not a regular file"), ("/dev/zero", "not a regular file"), ("huge", "longer than")]
    {
        let ran = folder.run(&["status", "--admin-token-file", file]);
        assert_eq!(ran.code, Some(64), "{ran:?}");
        assert!(ran.stderr.contains(reason), "{}", ran.stderr);
    }
    for (file, reason) in [("pipe", "is a pipe or a device"), ("huge", "longer than")] {
        let ran = folder.run(&["store", "import", "--app", "tenants", file]);
        assert_eq!(ran.code, Some(64), "{ran:?}");
        assert!(ran.stderr.contains(reason), "{}", ran.stderr);
    }
}

#[test]
fn quota_shows_whole_names_in_a_pipe_and_fits_a_terminal() {
    const ENDPOINT: &str = "/cgi-bin/message/template/of/a/path/longer/than/any/column";
    const CALLER: &str = "a-service-with-a-name-of-its-own";
    let body = format!(
        r#"{{"day":"2026-11-25","day_ends_in_seconds":1,"apps":[{{"app":"shop","problem":null,"endpoints":[
        {{"endpoint":"{ENDPOINT}","calls_today":450000,"limit":500000,"used":450312,"pace_per_minute":3.0,
        "callers":[{{"caller":"{CALLER}","calls":3}}]}}]}}]}}"#
    );
    let folder = Folder::new();
    let (url, server) = answer_once("200 OK", &body);
    let ran = folder.run(&["quota", "--admin", &url]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let row = format!("{ENDPOINT}  450,312  500,000  90        3         -  {CALLER} 100%\n");
    assert!(ran.stdout.contains(&row), "{}", ran.stdout);
    drop(server.join());

    for columns in [60, 200] {
        let (url, server) = answer_once("200 OK", &body);
        let shown = folder.on_a_terminal(columns, &["quota", "--admin", &url], "");
        drop(server.join());
        assert!(shown.contains(ENDPOINT) && shown.contains(&format!("{CALLER} 100%")), "{shown}");
        assert!(shown.lines().all(|line| line.trim_end().len() <= columns), "{shown}");
        assert_eq!(
            shown.lines().any(|line| line.contains(ENDPOINT) && line.contains(CALLER)),
            columns == 200
        );
    }
}

#[test]
fn completions_know_the_commands_in_every_shell() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let ran = folder.run(&["completions", shell]);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{shell}");
        for word in ["clear-quota", "probe-idle"] {
            assert!(ran.stdout.contains(word), "{word} is not in {shell}'s");
        }
    }
    let bash = folder.run(&["completions", "bash"]).stdout;
    folder.write("wxgate.bash", &bash);
    let completed = std::process::Command::new("bash")
        .args(["-c", "source ./wxgate.bash; COMP_WORDS=(wxgate cl); COMP_CWORD=1; _wxgate wxgate cl wxgate; echo ${COMPREPLY[*]}"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&completed.stdout), "clear-quota\n", "{completed:?}");
}

#[test]
fn there_is_a_man_page_of_all_commands_or_of_each() {
    let folder = Folder::new();
    let ran = folder.run(&["man"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert!(
        ran.stdout.contains(".TH wxgate 1") && ran.stdout.contains("wxgate\\-serve(1)"),
        "{}",
        ran.stdout
    );
    std::fs::create_dir(folder.path().join("pages")).unwrap();
    let ran = folder.run(&["man", "--dir", "pages"]);
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (Some(0), "", ""));
    for page in ["wxgate.1", "wxgate-check.1", "wxgate-store-copy.1"] {
        assert!(folder.path().join("pages").join(page).is_file(), "{page}");
    }
    let ran = folder.run(&["man", "--dir", "new/pages"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert!(folder.path().join("new/pages/wxgate.1").is_file());
    assert_eq!(folder.run(&["man", "--dir", "new/pages/wxgate.1"]).code, Some(1));
}
