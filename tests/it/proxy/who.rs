//! Who it was: what the access log says of where requests come from, and of whom it speaks at all.

use std::os::unix::fs::MetadataExt as _;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use wxgate::sandbox::{Action, Fault};

use crate::harness::{APPID, Gate, SHOP, Setup, caller};

const KEY: &str = "canary-key-of-orders-5d1c";
const PATH: &str = "/cgi-bin/user/get";

async fn with_orders(server: &str, log: &str) -> Gate {
    let apps = format!("[log]\n{log}\n{SHOP}{}", caller("orders", &[KEY], &["shop"], ""));
    Gate::with(Setup { server: server.into(), apps, workers: 1, ..Setup::default() }).await.settled().await
}

/// `field` of each line, in order; null where there is none.
fn each(lines: &[Value], field: &str) -> Vec<Value> {
    lines.iter().map(|line| line[field].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_access_line_says_whom_the_request_came_from() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("sock");
    let listen = format!("127.0.0.1:0\", \"unix:{}", socket.display());
    let apps = format!("{SHOP}{}", caller("orders", &[KEY], &["shop"], ""));
    let gate = Gate::with(Setup { listen, apps, workers: 1, ..Setup::default() }).await.settled().await;
    let token = format!("/cgi-bin/token?grant_type=client_credential&appid={APPID}&secret={KEY}");
    // Answered by WeChat, by wxgate, refused, and no HTTP at all. Nobody is trusted, so nobody is
    // believed.
    let told = [("x-wxgate-key", KEY), ("x-forwarded-for", "203.0.113.1")];
    assert_eq!(gate.get_with(PATH, &told).await.status, 200);
    assert_eq!(gate.get_with(&token, &[]).await.status, 200);
    assert_eq!(gate.get_with(PATH, &[]).await.status, 401);
    assert_eq!(gate.raw("nonsense\r\n\r\n").await.status, 400);
    let mut stream = UnixStream::connect(&socket).await.expect("connects");
    let request =
        format!("GET {PATH} HTTP/1.1\r\nhost: x\r\nx-wxgate-key: {KEY}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    stream.read_to_end(&mut Vec::new()).await.expect("an answer");
    let own = std::fs::metadata(&socket).expect("bound").uid();
    let local = Value::from("127.0.0.1");
    let expected = [local.clone(), local.clone(), local.clone(), local, format!("uid:{own}").into()];
    assert_eq!(each(&gate.end().await, "remote"), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxy_says_whom_the_request_came_from() {
    let gate = with_orders("trusted_proxies = [\"127.0.0.1\", \"10.0.0.0/8\", \"fd00::/8\"]", "").await;
    let key = ("x-wxgate-key", KEY);
    let said = [
        (&["203.0.113.1"][..], "203.0.113.1"),
        (&["198.51.100.6, 203.0.113.1, 10.0.0.7"], "203.0.113.1"),
        (&["203.0.113.1", "10.0.0.7, fd00::7", "10.0.0.8"], "203.0.113.1"),
        (&["2001:db8::1"], "2001:db8::1"),
        (&["203.0.113.1, unknown, 10.0.0.7"], "10.0.0.7"),
        (&["unknown"], "127.0.0.1"),
        (&["10.0.0.7"], "10.0.0.7"),
        (&[], "127.0.0.1"),
    ];
    for (values, _) in said {
        let headers: Vec<_> = values.iter().map(|value| ("x-forwarded-for", *value)).chain([key]).collect();
        assert_eq!(gate.get_with(PATH, &headers).await.status, 200);
    }
    // No longer trusted from the next request on.
    let apps = format!("{SHOP}{}", caller("orders", &[KEY], &["shop"], ""));
    gate.reload("", &apps).await;
    assert_eq!(gate.get_with(PATH, &[key, ("x-forwarded-for", "203.0.113.1")]).await.status, 200);
    for entry in gate.sandbox.journal(None) {
        assert!(entry.header("x-forwarded-for").is_none(), "{entry:?}");
    }
    let expected: Vec<_> = said.iter().map(|(_, remote)| *remote).chain(["127.0.0.1"]).collect();
    assert_eq!(each(&gate.end().await, "remote"), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_caller_is_known_by_its_program() {
    let gate = with_orders("", "").await;
    let agent = |name| ("user-agent", name);
    let requests = [
        (PATH, vec![agent("shop/2.1"), ("x-wxgate-key", KEY)], Value::Null),
        // This request is bad, not the caller.
        ("//cgi-bin/../x", vec![agent("shop/2.1"), ("x-wxgate-key", KEY)], Value::Null),
        (PATH, vec![agent("cron \"old\" (host7)")], "cron \"old\" (host7)".into()),
        (PATH, vec![agent("shop/2.1"), ("x-wxgate-key", "another")], "shop/2.1".into()),
        ("/@game/cgi-bin/user/get", vec![agent("game/1"), ("x-wxgate-key", KEY)], "game/1".into()),
        ("/cgi-bin/token?appid=shop&secret=another", vec![agent("sdk/1")], "sdk/1".into()),
        (
            PATH,
            vec![agent("x 6f1e0c5ad84b4cf2a9d1e7b3c5f80921 canary-key-of-orders-5d1c y")],
            "x * * y".into(),
        ),
        (PATH, vec![], Value::Null),
    ];
    for (path, headers, _) in &requests {
        gate.get_with(path, headers).await;
    }
    let long = "a ".repeat(2_000);
    gate.get_with(PATH, &[agent(&long)]).await;
    // A key that was typed into the path.
    gate.get_with(&format!("/@{KEY}{PATH}"), &[]).await;
    let log = gate.log.clone();
    let lines = gate.end().await;
    assert!(!log.text().contains(KEY), "{}", log.text());
    let expected: Vec<_> = requests.into_iter().map(|(_, _, agent)| agent).collect();
    assert_eq!(each(&lines[..expected.len()], "user_agent"), expected);
    let [long, typed] = &lines[expected.len()..] else { panic!("{lines:?}") };
    assert_eq!(long["user_agent"].as_str().map(str::len), Some(200));
    assert_eq!(typed["path"], "/@*/cgi-bin/user/get");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_the_place_of_an_apps_name_is_not_repeated() {
    for format in ["format = \"json\"", "format = \"pretty\""] {
        let gate = with_orders("", format).await;
        let good = ("x-wxgate-key", KEY);
        for (path, headers) in [
            (&*format!("/@{KEY}{PATH}"), &[good][..]),
            (PATH, &[good, ("x-wxgate-app", KEY)]),
            (&format!("{PATH}?from_appid={KEY}"), &[good]),
            (&format!("/cgi-bin/token?appid={KEY}&secret={KEY}"), &[]),
            (&format!("/@shop/cgi-bin/{KEY}"), &[]),
            (&format!("/@shop/cgi-bin/../{KEY}"), &[good]),
        ] {
            let answer = gate.get_with(path, headers).await;
            assert_ne!(answer.errcode(), 0, "{path}");
            assert!(!answer.text().contains(KEY), "{path}: {}", answer.text());
        }
        let log = gate.log.clone();
        gate.running.drain().await;
        assert!(!log.text().contains(KEY), "{}", log.text());
        assert!(log.text().contains("app * is not among this caller's `apps`"), "{}", log.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_access_log_can_be_left_to_errors_or_switched_off() {
    for (log, expected) in [
        ("access = \"all\"", &[0, 40003, 401, 502, 0][..]),
        // What operators want to see less of doesn't silence the callers' log.
        ("level = \"error\"", &[0, 40003, 401, 502, 0]),
        ("access = \"errors\"", &[40003, 401, 502]),
        ("access = \"off\"", &[]),
    ] {
        let gate = with_orders("", log).await;
        let ask = async || gate.get_with(PATH, &[("x-wxgate-key", KEY)]).await;
        ask().await;
        let wrong = Action::Errcode { errcode: 40003, errmsg: None };
        let fault = gate.sandbox.fault(Fault::new(wrong).path(PATH));
        ask().await;
        gate.sandbox.end_fault(fault);
        gate.get_with(PATH, &[]).await;
        let fault = gate.sandbox.fault(Fault::new(Action::Reset { when: Default::default() }).path(PATH));
        ask().await;
        gate.sandbox.end_fault(fault);
        ask().await;
        assert_eq!(
            gate.metric("wxgate_caller_requests_total{app=\"shop\",caller=\"orders\",outcome=\"ok\"}").await,
            2.0
        );
        let outcome = |line: Value| match (line["status"].as_i64(), line["errcode"].as_i64()) {
            (Some(200), code) => code.unwrap_or(0),
            (status, _) => status.unwrap_or(0),
        };
        let lines: Vec<_> = gate.end().await.into_iter().map(outcome).collect();
        assert_eq!(lines, expected, "{log}");
    }
}
