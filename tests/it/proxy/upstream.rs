//! Connections to WeChat that are dead, slow or misleading.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use wxgate::sandbox::{Action, Fault};

use super::canned::Canned;
use crate::harness::{APPID, Answer, Gate, Setup, at_once};

const TOKEN: &str = r#"{"access_token":"60_0123456789abcdef0123456789abcdef","expires_in":7200}"#;
const OK: &str = r#"{"errcode":0,"errmsg":"ok"}"#;

/// The URL of an upstream that `serve` plays, one connection at a time in a task of its own.
async fn played<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    // Accepted sockets inherit it: a kernel that took whole uploads at once would hide how slowly
    // they are read.
    socket2::SockRef::from(&listener).set_recv_buffer_size(256 * 1024).expect("set");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
            tokio::spawn(serve(stream));
        }
    });
    url
}

/// A proxy before an upstream that `serve` plays.
async fn gate_before<F>(setup: Setup, serve: impl Fn(TcpStream) -> F + Send + 'static) -> Gate
where
    F: Future<Output = ()> + Send + 'static,
{
    let url = played(serve).await;
    Gate::with(Setup { upstream_url: Some(url), ..setup }).await.settled().await
}

/// Reads a head; none if the connection ended.
async fn head(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        if let Some(end) = memchr::memmem::find(&bytes, b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            return Some((String::from_utf8_lossy(&bytes).into_owned(), rest));
        }
    }
}

/// The head of a request that was read to its end.
async fn request(stream: &mut TcpStream) -> Option<String> {
    let (head, mut body) = head(stream).await?;
    let lower = head.to_ascii_lowercase();
    let length = lower.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    read_on(stream, &mut body, length.unwrap_or(0)).await?;
    Some(head)
}

async fn answer(stream: &mut TcpStream, body: &str) {
    let text = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(text.as_bytes()).await.expect("written");
}

/// Longer than any test's patience: a request that never ends fails the test instead of hanging it.
async fn in_time<T>(call: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), call).await.expect("an answer at all")
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_connections_that_wechat_closed_while_parked_harm_no_request() {
    const PARKED: usize = 300;
    // The calls wait for each other, so that each has a connection of its own; then all are closed
    // at once.
    let together = Arc::new(tokio::sync::Barrier::new(PARKED));
    let (close, closing) = watch::channel(false);
    let (ended, mut all_ended) = tokio::sync::mpsc::unbounded_channel();
    // One worker holds them all, and looks at each of them in one go.
    let gate = gate_before(Setup { workers: 1, ..Setup::default() }, move |mut stream| {
        let (together, mut closing, ended) = (Arc::clone(&together), closing.clone(), ended.clone());
        let late = *closing.borrow();
        async move {
            loop {
                let asked = tokio::select! {
                    asked = head(&mut stream) => asked,
                    _ = closing.wait_for(|close| *close), if !late => None,
                };
                let Some((head, _)) = asked else { break };
                if head.contains("/cgi-bin/stable_token") {
                    answer(&mut stream, TOKEN).await;
                    continue;
                }
                if head.contains("/wxa/together") {
                    together.wait().await;
                }
                answer(&mut stream, OK).await;
            }
            drop(stream);
            let _ = ended.send(());
        }
    })
    .await;
    let gate = Arc::new(gate);
    let calls = at_once(PARKED, |_| {
        let gate = Arc::clone(&gate);
        async move { gate.get("/wxa/together").await.errcode() }
    });
    assert!(in_time(calls).await.iter().all(|errcode| *errcode == 0));
    close.send_replace(true);
    for _ in 0..PARKED {
        in_time(all_ended.recv()).await;
    }
    for _ in 0..5 {
        let answer = in_time(gate.get("/cgi-bin/user/info?openid=o1")).await;
        assert_eq!((answer.status, answer.errcode()), (200, 0), "{}", answer.text());
    }
}

/// The calls that an upstream has read, as (connection, target).
#[derive(Clone, Default)]
struct Calls(Arc<Mutex<Vec<(usize, String)>>>);

impl Calls {
    /// Reads one that came on `connection`; a token call is answered here.
    async fn read(&self, connection: usize, stream: &mut TcpStream) -> Option<()> {
        loop {
            let head = request(stream).await?;
            let target = head.split(' ').nth(1).expect("a target").to_owned();
            if target.starts_with("/cgi-bin/stable_token") {
                answer(stream, TOKEN).await;
                continue;
            }
            self.0.lock().push((connection, target));
            return Some(());
        }
    }

    /// How often each of `numbers` was read.
    fn of(&self, numbers: std::ops::Range<usize>) -> Vec<usize> {
        let calls = self.0.lock();
        let is = |target: &str, number| target.contains(&format!("number={number}&"));
        numbers.map(|number| calls.iter().filter(|(_, target)| is(target, number)).count()).collect()
    }

    /// The connections that calls to `path` came on.
    fn connections(&self, path: &str) -> Vec<usize> {
        let calls = self.0.lock();
        let mut connections: Vec<_> =
            calls.iter().filter(|(_, target)| target.starts_with(path)).map(|(number, _)| *number).collect();
        connections.dedup();
        connections
    }
}

/// A proxy before an upstream that answers once on each connection, and closes it without a word as
/// the next call comes; with `polite` set it answers that too.
async fn before_quiet_closes(setup: Setup) -> (Gate, Calls, Arc<AtomicBool>) {
    let (calls, polite) = (Calls::default(), Arc::new(AtomicBool::new(false)));
    let (seen, answering, next) = (calls.clone(), Arc::clone(&polite), AtomicUsize::new(0));
    let gate = gate_before(setup, move |mut stream| {
        let (seen, answering) = (seen.clone(), Arc::clone(&answering));
        let connection = next.fetch_add(1, Ordering::Relaxed);
        async move {
            let mut first = true;
            while seen.read(connection, &mut stream).await.is_some() {
                if !std::mem::replace(&mut first, false) && !answering.load(Ordering::Relaxed) {
                    return;
                }
                answer(&mut stream, OK).await;
            }
        }
    })
    .await;
    (gate, calls, polite)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_200_posts_to_a_host_that_closes_connections_quietly_at_most_2_fail() {
    const POSTS: usize = 200;
    let (gate, calls, _) = before_quiet_closes(Setup { workers: 4, ..Setup::default() }).await;
    let mut failed = 0;
    for number in 0..POSTS {
        let url = gate.url(&format!("/cgi-bin/message/template/send?number={number}&"));
        // From a connection of its own, so that all workers have some of them.
        let post = gate.client.post(url).header("connection", "close").body("{}");
        let answer = in_time(Answer::of(post)).await;
        if answer.status != 200 {
            assert_eq!(answer.refusal(), (502, "upstream_failed", -70502));
            failed += 1;
        }
    }
    assert!(failed <= 2, "{failed} of {POSTS} failed");
    assert_eq!(calls.of(0..POSTS), [1; POSTS], "each reached WeChat once");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_quiet_close_posts_take_fresh_connections_and_gets_go_on_reusing() {
    let (gate, calls, polite) = before_quiet_closes(Setup { workers: 1, ..Setup::default() }).await;
    let post = async |path: &str| in_time(gate.post(path, "{}")).await.status;
    assert_eq!([post("/wxa/first").await, post("/wxa/first").await], [200, 502]);
    polite.store(true, Ordering::Relaxed);
    for _ in 0..10 {
        assert_eq!(in_time(gate.get("/wxa/get")).await.errcode(), 0);
        assert_eq!(post("/wxa/post").await, 200);
    }
    assert_eq!((calls.connections("/wxa/get").len(), calls.connections("/wxa/post").len()), (1, 10));
    // A code is good once: such a GET is never sent again either.
    for _ in 0..2 {
        assert_eq!(in_time(gate.get("/sns/jscode2session?js_code=1")).await.status, 200);
    }
    assert_eq!(calls.connections("/sns/").len(), 2);
    // What POSTs leave behind is closed: nobody would take it.
    let parked = "wxgate_upstream_connections{state=\"idle\"}";
    assert_eq!(gate.metric(parked).await, 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_on_its_way_as_a_host_broke_sends_no_request_there() {
    let (arrived, mut all_arrived) = tokio::sync::mpsc::unbounded_channel();
    let (release, released) = watch::channel(false);
    let first = played(move |mut stream| {
        let (arrived, mut released) = (arrived.clone(), released.clone());
        async move {
            while let Some(head) = request(&mut stream).await {
                let target = head.split(' ').nth(1).expect("a target");
                match target.split('?').next().expect("a path") {
                    "/cgi-bin/stable_token" => answer(&mut stream, TOKEN).await,
                    "/wxa/slow" => {
                        let _ = arrived.send(());
                        let _ = released.wait_for(|released| *released).await;
                        answer(&mut stream, OK).await;
                    }
                    // The probe is to find nothing out.
                    "/" => std::future::pending().await,
                    _ => return,
                }
            }
        }
    })
    .await;
    let second = played(|mut stream| async move {
        while request(&mut stream).await.is_some() {
            answer(&mut stream, OK).await;
        }
    })
    .await;
    let upstream = format!("base_urls = [\"{first}\", \"{second}\"]\nconnect_timeout = \"60s\"");
    let gate = Gate::with(Setup { upstream, ..Setup::default() }).await.settled().await;
    let broken = async {
        in_time(all_arrived.recv()).await;
        assert_eq!(gate.post("/wxa/broken", "{}").await.status, 502);
        release.send_replace(true);
    };
    let (slow, ()) = in_time(async { tokio::join!(gate.post("/wxa/slow", "{}"), broken) }).await;
    assert_eq!(slow.errcode(), 0);
    assert_eq!(in_time(gate.post("/wxa/broken", "{}")).await.status, 200, "from the second host");
}

/// How a server that has read no more than the head leaves a connection, after its answer.
#[derive(Clone, Copy, Debug)]
enum Leaves {
    Closed,
    ClosedAsAnnounced,
    /// A little later, so that a replay could already be on it.
    Reset,
}

/// Reads the rest of a body of `length` bytes.
async fn read_on(stream: &mut TcpStream, body: &mut Vec<u8>, length: usize) -> Option<()> {
    while body.len() < length {
        if stream.read_buf(body).await.ok()? == 0 {
            return None;
        }
    }
    Some(())
}

/// WeChat as it rejects every token but the `live`th once it has read the head of a request with
/// it.
async fn before_early_rejections(leaves: Leaves, live: Arc<AtomicUsize>) -> Gate {
    gate_before(Setup::default(), move |mut stream| {
        let live = Arc::clone(&live);
        async move {
            while let Some((head, mut body)) = head(&mut stream).await {
                let token = TOKEN.replace("60_", &format!("{}_", live.load(Ordering::Relaxed)));
                let value = token.split('"').nth(3).expect("a token");
                let fetches = head.contains("/cgi-bin/stable_token");
                if !fetches && !head.contains(value) {
                    let close = if matches!(leaves, Leaves::ClosedAsAnnounced) {
                        "Connection: close\r\n"
                    } else {
                        ""
                    };
                    let dead = r#"{"errcode":40001,"errmsg":"invalid credential"}"#;
                    let text =
                        format!("HTTP/1.1 200 OK\r\n{close}Content-Length: {}\r\n\r\n{dead}", dead.len());
                    stream.write_all(text.as_bytes()).await.expect("written");
                    if matches!(leaves, Leaves::Reset) {
                        tokio::time::sleep(Duration::from_millis(2)).await;
                        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("set");
                    }
                    return;
                }
                let lower = head.to_ascii_lowercase();
                let length =
                    lower.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
                if read_on(&mut stream, &mut body, length.unwrap_or(0)).await.is_none() {
                    return;
                }
                answer(&mut stream, if fetches { &token } else { OK }).await;
            }
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejection_that_came_before_the_upload_was_read_is_read_and_the_upload_replayed() {
    for leaves in [Leaves::Closed, Leaves::ClosedAsAnnounced, Leaves::Reset] {
        let live = Arc::new(AtomicUsize::new(0));
        let gate = before_early_rejections(leaves, Arc::clone(&live)).await;
        assert_eq!(gate.get("/cgi-bin/menu/get").await.errcode(), 0);
        for length in [40_000, 200_000, 1_000_000, 5_000_000, 11_000_000] {
            for attempt in 0..if length < 5_000_000 { 10 } else { 4 } {
                live.fetch_add(1, Ordering::Relaxed);
                let answer = in_time(gate.post("/cgi-bin/media/upload?type=image", vec![b'x'; length])).await;
                let is_good = (answer.status, answer.errcode()) == (200, 0);
                assert!(is_good, "{leaves:?}, {length} bytes, {attempt}: {}", answer.text());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_upload_outlasts_the_response_timeout_while_it_moves() {
    let setup = Setup {
        upstream: "response_timeout = \"2s\"".into(),
        server: "request_timeout = \"2s\"".into(),
        ..Setup::default()
    };
    let gate = gate_before(setup, |mut stream| async move {
        while let Some((head, mut rest)) = head(&mut stream).await {
            if head.contains("/cgi-bin/stable_token") {
                answer(&mut stream, TOKEN).await;
                continue;
            }
            // Ten pauses of 300 ms within a body of 40 MB: longer than the timeouts in all, though
            // not at its end, of which the sender's kernel holds 4 MB.
            let mut seen = rest.len();
            let mut pauses = 0;
            while seen < BODY {
                rest.clear();
                rest.reserve(1 << 20);
                let Ok(1..) = stream.read_buf(&mut rest).await else { return };
                seen += rest.len();
                if seen / (BODY / 10) > pauses {
                    pauses += 1;
                    tokio::time::sleep(Duration::from_millis(300)).await;
                }
            }
            answer(&mut stream, OK).await;
        }
    })
    .await;
    const BODY: usize = 40_000_000;
    for with_length in [true, false] {
        let body = vec![b'x'; BODY];
        let body = if with_length {
            reqwest::Body::from(body)
        } else {
            crate::harness::chunked(body.chunks(1 << 20).map(<[u8]>::to_vec).collect())
        };
        let answer = in_time(gate.post("/cgi-bin/media/upload?type=video", body)).await;
        assert_eq!(
            (answer.status, answer.errcode()),
            (200, 0),
            "with length {with_length}: {}",
            answer.text()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_empty_answer_to_a_head_is_no_evidence_that_a_dead_token_lives() {
    let gate = Arc::new(Gate::start().await.warm().await);
    gate.sandbox.poison(APPID);
    gate.sandbox.fault(Fault::new(Action::TokenLatency { milliseconds: 300 }));
    let looking = {
        let gate = Arc::clone(&gate);
        async move {
            // While the ladder waits for its fetch.
            gate.sandbox.arrived("/cgi-bin/stable_token", 1).await;
            for _ in 0..5 {
                let request = gate.client.head(gate.url("/cgi-bin/user/info?openid=o1"));
                let _ = Answer::try_of(request).await;
            }
        }
    };
    let (answer, ()) = tokio::join!(gate.get("/cgi-bin/user/info?openid=o1"), looking);
    assert_eq!((answer.status, answer.errcode()), (200, 0), "{}", answer.text());
    assert_eq!(gate.counts(), (2, 1, 1));
}

#[tokio::test]
async fn a_redirect_carries_neither_token_nor_secret_to_the_caller() {
    let (canned, gate) = Canned::gate(Setup::default()).await;
    const CALL: &str = "/cgi-bin/user/info";
    for (asked, sent, handed_on) in [
        (
            CALL,
            "https://a.example/cgi-bin/x?a=1&access_token=TOKEN&b=2",
            "https://a.example/cgi-bin/x?a=1&b=2",
        ),
        (CALL, "/cgi-bin/x?access_token=TOKEN", "/cgi-bin/x"),
        (CALL, "https://a.example/elsewhere?a=1", "https://a.example/elsewhere?a=1"),
        (
            "/sns/jscode2session?js_code=1",
            "https://a.example/x?secret=SECRET&js_code=1",
            "https://a.example/x",
        ),
    ] {
        canned.answer(format!(
            "HTTP/1.1 307 Moved\r\nLocation: {sent}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        ));
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .tls_backend_preconfigured(wxgate::upstream::tls::client_config(None).expect("roots"))
            .build()
            .expect("a client");
        let answer = Answer::of(client.get(gate.url(asked))).await;
        assert_eq!((answer.status, answer.header("location")), (307, Some(handed_on)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_unlisted_path_that_always_rejects_holds_up_no_other() {
    let gate = Gate::start().await.warm().await;
    gate.sandbox.change(|settings| settings.allow_unlisted = true);
    gate.sandbox.fault(Fault::new(Action::AlwaysReject).path("/wxa/broken"));
    assert_eq!(gate.get("/wxa/broken").await.errcode(), 40001);
    gate.sandbox.rotate(APPID);
    assert_eq!(gate.get("/wxa/another").await.errcode(), 0);
}
