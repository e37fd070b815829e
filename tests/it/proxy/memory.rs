//! What bodies may take of memory and of the spool folder.

use serde_json::Value;
use wxgate::sandbox::{Action, Fault};

use super::bad_input::wire::{Caller, Raw, assert_idle, assert_sound, send};
use super::process::Process;
use crate::harness::{APPID, Answer, Gate, SHOP, Setup, caller, chunked, sandbox};
use crate::until::until;

const KEY: &str = "canary-key-of-orders-5d1c";

fn guarded(replay: &str) -> Setup {
    let apps = format!("{SHOP}{}", caller("orders", &[KEY], &["shop"], ""));
    Setup { apps, replay: replay.into(), server: "error_status = \"wechat\"".into(), ..Setup::default() }
}

/// A token call with a body of so many bytes, most of them blank.
fn token_call(length: usize, header: &str) -> Vec<u8> {
    let body = format!("{{\"appid\":\"{APPID}\",\"secret\":\"{KEY}\",\"grant_type\":\"client_credential\"}}");
    let head = format!("POST /cgi-bin/stable_token HTTP/1.1\r\nHost: localhost\r\n{header}");
    format!("{head}Content-Length: {length}\r\n\r\n{body:>length$}").into_bytes()
}

fn is_overloaded(answer: &Raw) -> bool {
    let said = (answer.status, answer.header("x-wxgate-error"), answer.header("retry-after"));
    said == (503, Some("overloaded"), Some("1"))
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_bodies_have_an_eighth_of_the_memory_and_known_callers_the_rest() {
    let gate = Gate::with(guarded("memory = \"512KiB\"")).await.settled().await;
    gate.sandbox.change(|settings| settings.allow_unlisted = true);
    let call = async |header: &str| send(&gate, token_call(200, header)).await.expect("an answer");
    assert!(call("").await.json()["access_token"].is_string());

    // It leaves no room for a form of three bytes. A call that holds some while the last piece
    // comes has the hoarder refused instead, and it is cut off after ten seconds.
    let body = token_call(65_535, "");
    let mut hoarder = None;
    let mut refused = None;
    until(
        || "an end of the strangers' memory",
        async || {
            let mut caller = Caller::of(&gate).await;
            caller.send(&body[..body.len() - 1]).await;
            hoarder = Some(caller);
            for _ in 0..50 {
                let answer = call("").await;
                if is_overloaded(&answer) {
                    refused = Some(answer);
                    return true;
                }
            }
            false
        },
    )
    .await;
    let mut hoarder = hoarder.expect("a hoarder");
    let refused = refused.expect("an answer").json();
    assert_eq!(refused["errcode"], 45011, "{refused}");
    assert!(refused["errmsg"].as_str().is_some_and(|text| text.contains("replay.memory")), "{refused}");
    // A form's beginning may name its caller too.
    let form = "POST /wxa/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\
                Content-Type: application/x-www-form-urlencoded\r\n\r\na=b";
    assert!(is_overloaded(&send(&gate, form).await.expect("an answer")));
    // Who is known by the head needs none of it.
    let key = format!("X-Wxgate-Key: {KEY}\r\n");
    assert!(call(&key).await.json()["access_token"].is_string());
    let upload = gate.client.post(gate.url("/wxa/a")).header("x-wxgate-key", KEY).body(vec![b'x'; 300_000]);
    assert_eq!(Answer::of(upload).await.errcode(), 0);

    // The hoarder's own call is as good as any other once it is whole.
    hoarder.send(&body[body.len() - 1..]).await;
    let answer = hoarder.answer().await.expect("an answer");
    assert!(answer.json()["access_token"].is_string(), "{answer:?}");
    assert!(call("").await.json()["access_token"].is_string(), "given back");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_says_who_sends_it_comes_within_ten_seconds_or_is_refused_and_closed() {
    let form = "POST /wxa/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\
                Content-Type: application/x-www-form-urlencoded\r\n\r\n";
    let open = Setup { server: "error_status = \"wechat\"".into(), ..Setup::default() };
    let rows = [
        (guarded(""), token_call(200, ""), 40125),
        (open.clone(), token_call(200, ""), 47001),
        (guarded(""), format!("{form}a=b").into_bytes(), -70400),
        (open, format!("{form}a=b").into_bytes(), -70400),
    ];
    for (setup, request, errcode) in rows {
        let gate = Gate::with(setup).await.settled().await;
        let mut slow = Caller::of(&gate).await;
        slow.send(&request[..request.len() - 1]).await;
        let answered = async {
            let answer = slow.answer().await.expect("an answer");
            (answer, slow.closed().await)
        };
        // Until it is read from, no patience has begun.
        let moved = async {
            loop {
                gate.clock.advance(1000);
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        let (answer, rest) = tokio::select! {
            answered = answered => answered,
            () = moved => unreachable!("it goes on for ever"),
        };
        assert_eq!((answer.status, answer.header("connection")), (200, Some("close")), "{answer:?}");
        let body = answer.json();
        assert_eq!(body["errcode"], errcode, "{body}");
        assert!(body["errmsg"].as_str().is_some_and(|text| text.contains("more than 10 s")), "{body}");
        assert!(rest.is_empty());
        assert_idle(&gate).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_finds_no_memory_streams_on_and_is_not_replayed() {
    let setup = Setup { replay: "memory = \"1MiB\"\nmax_body = \"800KB\"".into(), ..Setup::default() };
    let gate = Gate::with(Setup { replay: setup.replay.replace("KB", "KiB"), ..setup }).await.settled().await;
    gate.sandbox.change(|settings| settings.allow_unlisted = true);
    gate.sandbox.fault(Fault::new(Action::Silence).path("/wxa/held"));
    let upload = |path: &str| {
        let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nX-Wxgate-Explain: 1\r\n");
        [format!("{head}Content-Length: 700000\r\n\r\n").as_bytes(), &vec![b'x'; 700_000]].concat()
    };
    let mut holder = Caller::of(&gate).await;
    holder.send(upload("/wxa/held")).await;
    gate.sandbox.arrived("/wxa/held", 1).await;

    gate.sandbox.rotate(APPID);
    let answer = send(&gate, upload("/wxa/second")).await.expect("an answer");
    assert_eq!((answer.status, &answer.json()["errcode"]), (200, &40001.into()), "WeChat's own answer");
    assert_eq!(answer.header("x-wxgate-replays"), Some("0"));
    assert_eq!(gate.only("/wxa/second").body_length, 700_000);

    drop(holder);
    assert_idle(&gate).await;
    gate.sandbox.rotate(APPID);
    let answer = send(&gate, upload("/wxa/third")).await.expect("an answer");
    assert_eq!((answer.json()["errcode"].as_i64(), answer.header("x-wxgate-replays")), (Some(0), Some("1")));
    assert_sound(&gate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_without_a_length_share_the_spool_and_are_refused_where_it_is_used_up() {
    let setup = Setup { replay: "memory = 0\nmax_body = 0\nspool = \"1MiB\"".into(), ..Setup::default() };
    let gate = Gate::with(setup).await.settled().await;
    gate.sandbox.change(|settings| settings.allow_unlisted = true);
    gate.sandbox.fault(Fault::new(Action::Silence).path("/wxa/held"));
    let body = || chunked(vec![vec![b'x'; 50_000]; 12]);
    let holding = gate.client.post(gate.url("/wxa/held")).body(body()).send();
    let second = async {
        gate.sandbox.arrived("/wxa/held", 1).await;
        // Whether or not all of it is sent before the refusal comes.
        let head = "POST /wxa/second HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
        let chunk = [b"C350\r\n".as_slice(), &vec![b'x'; 50_000], b"\r\n"].concat();
        let mut caller = Caller::of(&gate).await;
        caller.send([head.as_bytes(), &chunk.repeat(12), b"0\r\n\r\n"].concat()).await;
        caller.answer().await.expect("an answer")
    };
    let refused = tokio::select! {
        answer = holding => panic!("{answer:?}"),
        refused = second => refused,
    };
    assert!(is_overloaded(&refused), "{refused:?}");
    assert!(refused.text().contains("replay.spool"), "{}", refused.text());
    // Short ones need none of it.
    assert_eq!(gate.post("/wxa/short", chunked(vec![vec![b'x'; 50_000]])).await.errcode(), 0);
    assert_idle(&gate).await;
    assert_eq!(gate.post("/wxa/third", body()).await.errcode(), 0, "the held one gave its part back");
    assert_eq!(gate.only("/wxa/third").body_length, 600_000);
    assert!(gate.journal("/wxa/second").is_empty());
    assert_sound(&gate).await;
}

/// A proxy with a caller, whose limits are small.
async fn serve(sandbox: &wxgate::sandbox::Sandbox, server: &str, replay: &str) -> Process {
    let url = sandbox.url();
    let caller = caller("orders", &[KEY], &["shop"], "");
    Process::serve(&format!(
        "[server]\nlisten = [\"127.0.0.1:0\"]\nworkers = 2\n{server}\n[admin]\nlisten = \"127.0.0.1:0\"\n\
         [upstream]\nbase_urls = [\"{url}\"]\n[replay]\n{replay}\n{SHOP}{caller}"
    ))
    .await
}

/// What it has said that it takes at most.
async fn stated(process: Process) -> u64 {
    let output = process.end().await;
    let mut lines = output.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.find_map(|line| line["most_memory_bytes"].as_u64()).expect("a bound")
}

/// Sends `request` on so many connections of their own and leaves them open.
async fn many(authority: &str, count: usize, request: &[u8]) -> Vec<tokio::net::TcpStream> {
    let mut callers = tokio::task::JoinSet::new();
    let request: std::sync::Arc<[u8]> = request.into();
    for _ in 0..count {
        let (authority, request) = (authority.to_owned(), std::sync::Arc::clone(&request));
        callers.spawn(async move {
            use tokio::io::AsyncWriteExt as _;
            let mut stream = tokio::net::TcpStream::connect(authority).await.expect("connected");
            // Not taken by a proxy that has refused it already.
            let written =
                tokio::time::timeout(std::time::Duration::from_secs(10), stream.write_all(&request));
            let _ = written.await;
            stream
        });
    }
    callers.join_all().await
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_token_bodies_and_long_uploads_stay_within_the_memory_that_was_stated() {
    attack(600, 24, 64).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a minute and 10,000 descriptors; prints the figures"]
async fn thousands_of_slow_bodies_stay_within_the_memory_that_was_stated() {
    attack(3000, 500, 256).await;
}

#[expect(clippy::print_stdout, reason = "figures, for who runs it by hand")]
async fn attack(tokens: usize, uploads: usize, mebibytes: u64) {
    let length = 12 << 20;
    let sandbox = sandbox();
    sandbox.change(|settings| settings.allow_unlisted = true);
    sandbox.fault(Fault::new(Action::Silence).path("/wxa/held"));
    let limits =
        format!("max_connections = {}\nmax_inflight = {}", tokens + uploads + 64, tokens + uploads + 32);
    let process = serve(&sandbox, &limits, &format!("memory = \"{mebibytes}MiB\"")).await;
    let idle = process.memory("VmRSS");

    let body = token_call(64_000, "");
    let strangers = many(&process.authority, tokens, &body[..body.len() - 1]).await;
    // Each was refused, or is being read.
    let all = tokens as f64;
    let settled = async || {
        let metrics = crate::harness::client().get(format!("http://{}/metrics", process.admin));
        let text = Answer::of(metrics).await.text();
        let value = |line: &str| line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok());
        let counted =
            |name: &str| text.lines().filter(|line| line.starts_with(name)).filter_map(value).sum::<f64>();
        counted("wxgate_inflight_requests ") + counted("wxgate_requests_total{") >= all
    };
    until(|| "all token calls", settled).await;
    let with_strangers = process.memory("VmHWM");
    let head = format!(
        "POST /wxa/held HTTP/1.1\r\nHost: a\r\nX-Wxgate-Key: {KEY}\r\nContent-Length: {length}\r\n\r\n"
    );
    let upload = [head.as_bytes(), &vec![b'x'; length - 1]].concat();
    let held = many(&process.authority, uploads, &upload).await;
    sandbox.arrived("/wxa/held", uploads).await;
    let with_uploads = process.memory("VmHWM");
    let scaled = |bytes: u64| bytes >> 20;
    println!("{tokens} token bodies, {uploads} uploads of {length} bytes");
    println!("RSS idle {} MiB, {} MiB, {} MiB", scaled(idle), scaled(with_strangers), scaled(with_uploads));
    let of_strangers = with_strangers - idle;
    drop((strangers, held));
    let bound = stated(process).await;
    println!("stated: {} MiB", scaled(bound));
    assert!(with_uploads < bound, "{with_uploads} of {bound}");
    // Each connection has buffers; of what they sent an eighth of the memory is held.
    let most = (mebibytes << 20) / 8 + tokens as u64 * (96 << 10) + (4 << 20);
    assert!(of_strangers < most, "{of_strangers} of {most}");
}
