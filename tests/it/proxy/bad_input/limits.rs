//! Callers that are too slow, too many, or gone; names that nobody knows.

use super::wire::{Caller, assert_sound, logged, send};
use crate::harness::{APPID, Answer, Gate, OTHER_SECRET, Setup, client, sandbox};
use wxgate::sandbox::{Action, App, AppKind, Fault, When};

fn server(keys: &str) -> Setup {
    Setup { server: keys.into(), ..Setup::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_trickles_in_is_cut_off() {
    let gate = Gate::with(server("head_timeout = \"300ms\"")).await.warm().await;
    let mut caller = Caller::of(&gate).await;
    caller.send("GET /cgi-bin/user/info?openid=slow HTTP/1.1\r\n").await;
    // Each byte comes long before the timeout: only one that counts from the first byte ends this.
    let (mut read, mut write) = caller.0.split();
    let trickle = async {
        use tokio::io::AsyncWriteExt as _;
        while write.write_all(b"x").await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    let end = async {
        use tokio::io::AsyncReadExt as _;
        let mut rest = Vec::new();
        let _ = read.read_to_end(&mut rest).await;
        rest
    };
    tokio::select! {
        () = trickle => {}
        rest = end => assert!(rest.is_empty(), "{}", String::from_utf8_lossy(&rest)),
    }
    assert!(gate.sandbox.journal(None).is_empty());
    assert_sound(&gate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_is_closed_and_a_slow_answer_is_no_idleness() {
    let gate = Gate::with(server("idle_timeout = \"200ms\"\nhead_timeout = \"200ms\"")).await.warm().await;
    gate.sandbox.fault(Fault::new(Action::Latency { milliseconds: 700 }));
    let mut caller = Caller::of(&gate).await;
    caller.send("GET /cgi-bin/user/info?openid=slow HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert_eq!(caller.answer().await.expect("an answer").json()["openid"], "slow");
    assert!(caller.closed().await.is_empty());
    let mut silent = Caller::of(&gate).await;
    assert!(silent.closed().await.is_empty());
    assert_sound(&gate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_lines_do_not_keep_a_connection() {
    let gate = Gate::with(server("idle_timeout = \"300ms\"")).await.warm().await;
    for blank in ["\r\n", "\n"] {
        for request in ["", "GET /cgi-bin/user/info?openid=a HTTP/1.1\r\nHost: localhost\r\n\r\n"] {
            let mut caller = Caller::of(&gate).await;
            if !request.is_empty() {
                caller.send(request).await;
                caller.answer().await.expect("an answer");
            }
            let (mut read, mut write) = caller.0.split();
            let blanks = async {
                use tokio::io::AsyncWriteExt as _;
                // Below what is too long for a head.
                for _ in 0..500 {
                    if write.write_all(blank.as_bytes()).await.is_err() {
                        break;
                    }
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                }
                std::future::pending::<()>().await;
            };
            let end = async {
                use tokio::io::AsyncReadExt as _;
                let _ = read.read_to_end(&mut Vec::new()).await;
            };
            tokio::select! {
                () = blanks => {}
                end = tokio::time::timeout(std::time::Duration::from_secs(5), end) => {
                    assert!(end.is_ok(), "{blank:?} after {request:?}");
                }
            }
        }
    }
    assert_sound(&gate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_served_are_closed_when_idle_too() {
    let gate = Gate::with(server("idle_timeout = \"300ms\"")).await.warm().await;
    gate.sandbox.fault(Fault::new(Action::Latency { milliseconds: 700 }).path("/cgi-bin/user/get"));
    let mut callers = Vec::new();
    // A request that is refused at once, one that waits for WeChat longer than the timeout, a
    // download.
    for path in ["/@nobody/cgi-bin/user/get", "/cgi-bin/user/get", "/cgi-bin/media/get?media_id=blob-300000"]
    {
        for _ in 0..50 {
            let mut caller = Caller::of(&gate).await;
            caller.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
            callers.push(caller);
        }
    }
    for caller in &mut callers {
        caller.answer().await.expect("an answer");
    }
    for caller in &mut callers {
        assert!(caller.closed().await.is_empty());
    }
    assert_sound(&gate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_stops_reading_is_cut_off() {
    let gate = Gate::with(server("write_timeout = \"300ms\"")).await.warm().await;
    let mut caller = Caller::of(&gate).await;
    let path = "/cgi-bin/media/get?media_id=blob-67108864";
    caller.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
    let line = logged(&gate, |line| line["path"] == "/cgi-bin/media/get").await;
    assert!(line["bytes_out"].as_u64().is_some_and(|bytes| bytes < 67_108_864), "{line}");
    assert!(line["error"].is_string() || line["cause"].is_string(), "{line}");
    assert_sound(&gate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_hangs_up_ends_its_request() {
    let gate = Gate::start().await.warm().await;
    gate.sandbox.fault(Fault::new(Action::Silence).path("/cgi-bin/user/get"));
    let mut caller = Caller::of(&gate).await;
    caller.send("GET /cgi-bin/user/get HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    gate.sandbox.arrived("/cgi-bin/user/get", 1).await;
    drop(caller);
    let line = logged(&gate, |line| line["path"] == "/cgi-bin/user/get").await;
    assert_eq!(line["status"], 499, "{line}");
    assert_sound(&gate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_limit_are_told_so() {
    let gate = Gate::with(server("max_connections = 2")).await.warm().await;
    let get = "GET /cgi-bin/user/info?openid=o1 HTTP/1.1\r\nHost: localhost\r\n\r\n";
    // The harness's own client holds the first connection.
    let mut second = Caller::of(&gate).await;
    second.send(get).await;
    assert_eq!(second.answer().await.expect("an answer").status, 200);
    for body in ["", "Content-Length: 1000000\r\n"] {
        let mut third = Caller::of(&gate).await;
        third.send(format!("POST /wxa/anything HTTP/1.1\r\nHost: localhost\r\n{body}\r\n")).await;
        third.send(vec![b'x'; if body.is_empty() { 0 } else { 1_000_000 }]).await;
        let answer = third.answer().await.expect("an answer");
        answer.assert_refused(503, "overloaded", "server.max_connections");
        assert_eq!((answer.header("retry-after"), answer.header("connection")), (Some("1"), Some("close")));
    }
    drop(second);
    loop {
        let answer = send(&gate, get).await.expect("an answer");
        if answer.status == 200 {
            break;
        }
        assert_eq!(answer.status, 503, "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_for_which_there_is_no_room_is_told_so_before_it_speaks() {
    let gate = Gate::with(server("max_connections = 1")).await.warm().await;
    let mut caller = Caller::of(&gate).await;
    let answer = caller.answer().await.expect("an answer");
    answer.assert_refused(503, "overloaded", "server.max_connections");
    assert_eq!((answer.header("retry-after"), answer.header("connection")), (Some("1"), Some("close")));
    assert!(caller.closed().await.is_empty());
    let refused = "wxgate_connections_refused_total{reason=\"max_connections\"}";
    assert_eq!(gate.metric(refused).await, 1.0);
    assert_eq!(gate.running.connections_by_worker().iter().sum::<usize>(), 1, "it holds no place");
    let lines = gate.end().await;
    assert!(lines.iter().all(|line| line["status"] == 200), "no request came: {lines:?}");
}

/// An address of this machine that isn't loopback.
fn other_address() -> std::net::IpAddr {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").expect("a socket");
    // Nothing is sent: the kernel just says by which address it would be.
    let reached = socket.connect("198.51.100.1:9").and_then(|()| socket.local_addr());
    reached.expect("a network, or: ip address add 192.0.2.7/32 dev lo; ip route add default dev lo").ip()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_has_half_of_the_connections_at_most() {
    let keys = "anonymous = true\nmax_connections = 8\n";
    let gate = Gate::with(Setup { listen: "0.0.0.0:0".into(), ..server(keys) }).await.settled().await;
    let port = gate.authority().rsplit(':').next().map(|port| port.parse().expect("a port")).expect("a port");
    let address = other_address();
    let connect = async || Caller(tokio::net::TcpStream::connect((address, port)).await.expect("connected"));
    let get = "GET /cgi-bin/user/info?openid=o1 HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let refused = "wxgate_connections_refused_total{reason=\"max_connections_per_address\"}";
    let mut held = Vec::new();
    for _ in 0..4 {
        let mut caller = connect().await;
        caller.send(get).await;
        assert_eq!(caller.answer().await.expect("an answer").status, 200);
        held.push(caller);
    }
    let answer = connect().await.answer().await.expect("an answer");
    answer.assert_refused(503, "overloaded", "max_connections_per_address");
    assert_eq!(gate.metric(refused).await, 1.0);
    // The others have theirs, as has this one when it gives some back.
    assert_eq!(send(&gate, get).await.expect("an answer").status, 200);
    held.pop();
    loop {
        let mut caller = connect().await;
        caller.send(get).await;
        let status = caller.answer().await.expect("an answer").status;
        if status == 200 {
            break;
        }
        assert_eq!(status, 503);
    }
    // Through a trusted proxy come many.
    gate.reload(&format!("{keys}trusted_proxies = [\"{address}\"]\n"), crate::harness::SHOP).await;
    let before = gate.metric(refused).await;
    for _ in 0..2 {
        let mut caller = connect().await;
        caller.send(get).await;
        assert_eq!(caller.answer().await.expect("an answer").status, 200);
        held.push(caller);
    }
    assert_eq!(gate.metric(refused).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_names_get_a_clear_answer() {
    let gate = Gate::start().await.warm().await;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    send(&gate, get("/@nobody/cgi-bin/user/get")).await.expect("an answer").assert_refused(
        400,
        "app_unknown",
        "no app is named nobody",
    );
    send(&gate, get("/@/cgi-bin/user/get")).await.expect("an answer").assert_refused(400, "app_unknown", "");
    let header = "GET /cgi-bin/user/get HTTP/1.1\r\nHost: localhost\r\nX-Wxgate-App: nobody\r\n\r\n";
    send(&gate, header).await.expect("an answer").assert_refused(
        400,
        "app_unknown",
        "no app is named nobody",
    );
    send(&gate, get("/cgi-bin/clear_quota")).await.expect("an answer").assert_refused(
        404,
        "endpoint_forbidden",
        "`allow` must name it exactly",
    );
    assert!(gate.sandbox.journal(None).is_empty());
    // What isn't in the catalogue is WeChat's to judge.
    let answer = send(&gate, get("/nowhere/at/all")).await.expect("an answer");
    assert!(answer.header("x-wxgate-error").is_none(), "{answer:?}");
    let by = |method| get("/cgi-bin/message/template/send").replace("GET", method);
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let answer = send(&gate, by(method)).await.expect("an answer");
        assert!(answer.header("x-wxgate-error").is_none(), "{answer:?}");
    }
    let seen = gate.journal("/cgi-bin/message/template/send");
    let seen: Vec<_> = seen.iter().map(|entry| &*entry.method).collect();
    assert_eq!(seen, ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"]);
    // But for methods that it has none of.
    for method in ["BREW", "TRACE", "PROPFIND", "post"] {
        let answer = send(&gate, by(method)).await.expect("an answer");
        answer.assert_refused(400, "bad_request", "expected GET, POST, HEAD, PUT,");
    }
    assert_eq!(gate.journal("/cgi-bin/message/template/send").len(), 5);
    assert_sound(&gate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_is_named_with_wechats_code() {
    let sandbox = sandbox();
    sandbox.put(App::new(APPID, OTHER_SECRET, AppKind::OfficialAccount));
    let gate = Gate::before(sandbox, Setup::default()).await;
    for _ in 0..3 {
        let answer = Answer::of(client().get(gate.url("/cgi-bin/user/get"))).await;
        assert_eq!((answer.status, answer.errcode()), (502, -70502), "{}", answer.text());
        assert_eq!(answer.header("x-wxgate-error"), Some("token_unavailable"));
        let errmsg = answer.json()["errmsg"].as_str().unwrap_or_default().to_owned();
        assert!(errmsg.contains("40125") && errmsg.contains("secret"), "{errmsg}");
    }
    let (fetches, forces, _) = gate.counts();
    assert_eq!((fetches, forces), (1, 0), "a wrong secret isn't tried again by requests");
    assert!(gate.journal("/cgi-bin/user/get").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_has_one_access_line_however_it_ended() {
    let gate = Gate::start().await.warm().await;
    gate.sandbox.fault(Fault::new(Action::Silence).path("/cgi-bin/user/get"));
    gate.sandbox.fault(Fault::new(Action::Reset { when: When::AfterBody }).path("/wxa/anything"));
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut hung_up = Caller::of(&gate).await;
    hung_up.send(get("/cgi-bin/user/get")).await;
    gate.sandbox.arrived("/cgi-bin/user/get", 1).await;
    drop(hung_up);
    logged(&gate, |line| line["path"] == "/cgi-bin/user/get").await;
    for (request, status) in [
        (get("/cgi-bin/user/info?openid=o1"), 200),
        (get("/wxa/anything"), 502),
        (get("/cgi-bin//user/get"), 400),
        (get("/cgi-bin/token?grant_type=client_credential&appid=wx0000000000000001&secret=none"), 200),
        ("GARBAGE\r\n\r\n".into(), 400),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(), 400),
        (get(&format!("/cgi-bin/user/get?{}", "x".repeat(70_000))), 431),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n".into(), 400),
    ] {
        assert_eq!(send(&gate, &request).await.expect("an answer").status, status, "{request}");
    }
    let mut statuses: Vec<_> = gate.end().await.iter().map(|line| line["status"].as_u64()).collect();
    statuses.sort();
    // With the one that warmed up the proxy.
    let expected = [200, 200, 200, 400, 400, 400, 400, 431, 499, 502].map(Some);
    assert_eq!(statuses, expected);
}
