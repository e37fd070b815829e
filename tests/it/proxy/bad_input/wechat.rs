//! WeChat silent, garbled, or gone within an answer.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::wire::{Caller, Raw, Scripted, answer, assert_sound, logged, read_body, read_head, send};
use crate::harness::{Gate, Setup};
use crate::until::until;
use wxgate::sandbox::{Action, Fault};

const GET: &str = "GET /cgi-bin/user/get HTTP/1.1\r\nHost: localhost\r\n\r\n";
const POST: &str = "POST /wxa/anything HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nabcd";

fn impatient() -> Setup {
    Setup { upstream: "response_timeout = \"300ms\"\nbody_timeout = \"300ms\"".into(), ..Setup::default() }
}

/// A WeChat that gives every request this answer, then closes.
async fn closing_after(bytes: Vec<u8>) -> Scripted {
    Scripted::start(move |_, head, mut stream| {
        let bytes = bytes.clone();
        async move {
            read_body(&mut stream, &head).await;
            let _ = stream.write_all(&bytes).await;
            None
        }
    })
    .await
}

/// A WeChat that gives every request this answer, then says no more.
async fn silent_after(bytes: Vec<u8>) -> Scripted {
    Scripted::start(move |_, head, mut stream| {
        let bytes = bytes.clone();
        async move {
            read_body(&mut stream, &head).await;
            let _ = stream.write_all(&bytes).await;
            std::future::pending::<()>().await;
            None
        }
    })
    .await
}

async fn ask(gate: &Gate, request: &str) -> Raw {
    send(gate, request).await.expect("an answer")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_closed_without_an_answer_is_502_and_nothing_is_sent_twice() {
    for request in [GET, POST] {
        let wechat = closing_after(Vec::new()).await;
        let gate = wechat.gate(Setup::default()).await;
        ask(&gate, request).await.assert_refused(502, "upstream_failed", "closed the connection");
        assert_eq!(wechat.requests(), 1);
        wechat.assert_over(&gate).await;
    }
    let gate = Gate::start().await.warm().await;
    gate.sandbox.fault(Fault::new(Action::Reset { when: wxgate::sandbox::When::AfterBody }).path("/wxa/*"));
    ask(&gate, POST).await.assert_refused(502, "upstream_failed", "closed the connection");
    assert_eq!(gate.journal("/wxa/anything").len(), 1);
    assert_sound(&gate).await;
}

/// The first request is answered and its connection kept; the second on it is read whole and gets
/// no answer.
async fn closing_on_reuse() -> Scripted {
    Scripted::start(|number, head, mut stream: TcpStream| async move {
        read_body(&mut stream, &head).await;
        if number == 1 {
            return None;
        }
        answer(&mut stream, "{\"errcode\":0}").await;
        Some(stream)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reused_connection_that_is_closed_repeats_a_get_and_never_a_post() {
    for (request, repeated) in [(GET, true), (POST, false)] {
        let wechat = closing_on_reuse().await;
        let gate = wechat.gate(Setup { server: "max_connections = 100".into(), ..Setup::default() }).await;
        // One connection of a caller, so that one worker serves both.
        let mut caller = Caller::of(&gate).await;
        caller.send(request).await;
        assert_eq!(caller.answer().await.expect("an answer").status, 200);
        caller.send(request).await;
        let second = caller.answer().await.expect("an answer");
        if repeated {
            assert_eq!(second.status, 200, "{second:?}");
        } else {
            second.assert_refused(502, "upstream_failed", "closed the connection");
        }
        assert_eq!(wechat.requests(), if repeated { 3 } else { 2 });
        wechat.assert_over(&gate).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_was_closed_while_parked_is_not_used() {
    let (closed, has_closed) = std::sync::mpsc::channel();
    let wechat = Scripted::start(move |_, head, mut stream: TcpStream| {
        let closed = closed.clone();
        async move {
            read_body(&mut stream, &head).await;
            answer(&mut stream, "{\"errcode\":0}").await;
            drop(stream);
            let _ = closed.send(());
            None
        }
    })
    .await;
    let gate = wechat.gate(Setup::default()).await;
    let mut caller = Caller::of(&gate).await;
    for number in 1..=3 {
        caller.send(POST).await;
        assert_eq!(caller.answer().await.expect("an answer").status, 200);
        has_closed.recv().expect("closed");
        assert_eq!(wechat.requests(), number);
    }
    wechat.assert_over(&gate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_a_body_may_name_the_length_of_one() {
    for (request, status) in [(GET.replace("GET", "HEAD"), "200 OK"), (GET.into(), "304 Not Modified")] {
        let wechat = Scripted::start(move |_, _, mut stream| async move {
            let _ =
                stream.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 27\r\n\r\n").as_bytes()).await;
            Some(stream)
        })
        .await;
        let gate = wechat.gate(Setup::default()).await;
        let mut caller = Caller::of(&gate).await;
        for _ in 0..2 {
            caller.send(&request).await;
            let head = read_head(&mut caller.0).await.expect("an answer");
            assert!(head.contains(status), "{head}");
        }
        assert_eq!(wechat.requests(), 2);
        wechat.assert_over(&gate).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_get_is_not_repeated_once_the_request_timeout_is_spent() {
    let wechat = Scripted::start(|number, _, mut stream: TcpStream| async move {
        if number == 1 {
            tokio::time::sleep(Duration::from_millis(600)).await;
            return None;
        }
        answer(&mut stream, "{\"errcode\":0}").await;
        Some(stream)
    })
    .await;
    let setup = Setup { server: "request_timeout = \"300ms\"".into(), ..Setup::default() };
    let gate = wechat.gate(setup).await;
    let mut caller = Caller::of(&gate).await;
    caller.send(GET).await;
    assert_eq!(caller.answer().await.expect("an answer").status, 200);
    caller.send(GET).await;
    caller.answer().await.expect("an answer").assert_refused(502, "upstream_failed", "closed the connection");
    assert_eq!(wechat.requests(), 2);
    wechat.assert_over(&gate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_one_time_code_is_not_sent_twice() {
    let wechat = closing_on_reuse().await;
    let gate = wechat.gate(Setup::default()).await;
    let mut caller = Caller::of(&gate).await;
    for expected in [200, 502] {
        caller.send("GET /sns/oauth2/access_token?code=C&grant_type=authorization_code HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        let answer = caller.answer().await.expect("an answer");
        assert_eq!(answer.status, expected, "{answer:?}");
    }
    assert_eq!(wechat.requests(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_answer_cut_within_is_502() {
    let bodies = [
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"errcode\":0,",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"err\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n{}  ",
        "garbage\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    ];
    for bytes in bodies {
        let wechat = closing_after(bytes.into()).await;
        let gate = wechat.gate(Setup::default()).await;
        for request in [GET, POST] {
            ask(&gate, request).await.assert_refused(502, "upstream_failed", "closed the connection");
        }
        assert_eq!(wechat.requests(), 2, "{bytes:?}");
        wechat.assert_over(&gate).await;
    }
    let gate = Gate::start().await.warm().await;
    for bytes in [0, 5] {
        gate.sandbox.fault(Fault::new(Action::Cut { bytes }).path("/cgi-bin/user/get"));
        ask(&gate, GET).await.assert_refused(502, "upstream_failed", "closed the connection");
        assert_sound(&gate).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_cut_within_ends_short_and_is_logged_as_failed() {
    let gate = Gate::start().await.warm().await;
    let get = "GET /cgi-bin/media/get?media_id=blob-1000000 HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for chunked in [false, true] {
        gate.sandbox.fault(Fault::new(Action::Cut { bytes: 300_000 }).path("/cgi-bin/media/get"));
        if chunked {
            gate.sandbox.fault(Fault::new(Action::Chunked).path("/cgi-bin/media/get"));
        }
        let answer = ask(&gate, get).await;
        assert_eq!((answer.status, answer.whole), (200, false));
        assert!(answer.body.len() <= 300_000);
        assert_sound(&gate).await;
    }
    let line = logged(&gate, |line| line["path"] == "/cgi-bin/media/get").await;
    assert!(line.to_string().contains("is incomplete"), "{line}");
    assert!(gate.metrics().await.contains("outcome=\"failed\"} 2"), "{}", gate.metrics().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_no_json_pass_as_they_are() {
    let gate = Gate::start().await.warm().await;
    let path = "/cgi-bin/user/get";
    for (action, status, body) in [
        (Action::Empty, 200, ""),
        (Action::Status { status: 503 }, 503, ""),
        (Action::Html { status: 200 }, 200, "<html"),
        (Action::Html { status: 502 }, 502, "<html"),
    ] {
        gate.sandbox.fault(Fault::new(action.clone()).path(path));
        let answer = ask(&gate, GET).await;
        assert_eq!(
            (answer.status, answer.header("x-wxgate-error")),
            (status, None),
            "{action:?}: {answer:?}"
        );
        assert!(answer.text().starts_with(body) && answer.whole, "{action:?}: {answer:?}");
        assert_sound(&gate).await;
    }
    assert_eq!(gate.counts(), (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_504_and_nothing_is_sent_twice() {
    let gate = Gate::with(impatient()).await.warm().await;
    gate.sandbox.fault(Fault::new(Action::Silence).path("/wxa/anything"));
    ask(&gate, POST).await.assert_refused(504, "upstream_timeout", "did not respond in time");
    assert_eq!(gate.journal("/wxa/anything").len(), 1);
    assert_sound(&gate).await;
    for bytes in [
        "",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"errcode\"",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    ] {
        let wechat = silent_after(bytes.into()).await;
        let gate = wechat.gate(impatient()).await;
        ask(&gate, POST).await.assert_refused(504, "upstream_timeout", "did not respond in time");
        assert_eq!(wechat.requests(), 1);
        wechat.assert_over(&gate).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_within_a_download_ends_it_and_its_connection_to_wechat() {
    let bytes = [b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n".to_vec(), vec![b'x'; 50_000]].concat();
    let wechat = silent_after(bytes).await;
    let gate = wechat.gate(impatient()).await;
    let answer = ask(&gate, GET).await;
    assert_eq!((answer.status, answer.body.len(), answer.whole), (200, 50_000, false));
    wechat.assert_over(&gate).await;
    let idle = async || gate.metric("wxgate_upstream_connections{state=\"active\"}").await == 0.0;
    until(|| "the end of the connection to WeChat", idle).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_never_ends_is_given_up() {
    for pause in [Some(10), None] {
        let wechat = Scripted::start(move |_, head, mut stream| async move {
            read_body(&mut stream, &head).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n").await;
            for number in 0.. {
                if let Some(pause) = pause {
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                }
                let lines = if pause.is_some() { 1 } else { 10_000 };
                let lines = format!("X-{number}: a\r\n").repeat(lines);
                if stream.write_all(lines.as_bytes()).await.is_err() {
                    break;
                }
            }
            None
        })
        .await;
        let gate = wechat.gate(impatient()).await;
        let answer = ask(&gate, POST).await;
        match pause {
            Some(_) => answer.assert_refused(504, "upstream_timeout", "in time"),
            None => answer.assert_refused(502, "upstream_failed", "closed the connection"),
        }
        assert_eq!(wechat.requests(), 1);
        wechat.assert_over(&gate).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_before_the_answer_are_none() {
    let wechat = Scripted::start(|_, head, mut stream| async move {
        read_body(&mut stream, &head).await;
        let early = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n";
        let _ = stream.write_all(early.as_bytes()).await;
        tokio::task::yield_now().await;
        answer(&mut stream, "{\"errcode\":0}").await;
        Some(stream)
    })
    .await;
    let gate = wechat.gate(Setup::default()).await;
    let mut caller = Caller::of(&gate).await;
    for _ in 0..3 {
        caller.send(POST).await;
        let answer = caller.answer().await.expect("an answer");
        assert_eq!((answer.status, answer.header("link"), &*answer.text()), (200, None, "{\"errcode\":0}"));
    }
    assert_eq!(wechat.requests(), 3);
    wechat.assert_over(&gate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_nobody_asked_for_reaches_nobody() {
    let wechat = Scripted::start(|number, head, mut stream| async move {
        read_body(&mut stream, &head).await;
        let body = format!("{{\"errcode\":0,\"n\":{number}}}");
        let one = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let stray = "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{\"stray\":\"true\"}";
        let _ = stream.write_all(format!("{one}{stray}").as_bytes()).await;
        Some(stream)
    })
    .await;
    let gate = wechat.gate(Setup::default()).await;
    let mut caller = Caller::of(&gate).await;
    for number in 0..5 {
        caller.send(POST).await;
        let answer = caller.answer().await.expect("an answer");
        assert_eq!((answer.status, answer.json()["n"].as_u64()), (200, Some(number)), "{answer:?}");
    }
    wechat.assert_over(&gate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_length_beside_chunks_is_not_passed_on() {
    let body = "{\"errcode\":0,\"total\":12345}";
    for length in [5, body.len(), 500] {
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nTransfer-Encoding: chunked\r\n\r\n");
        let wechat = closing_after(format!("{head}{:x}\r\n{body}\r\n0\r\n\r\n", body.len()).into()).await;
        let gate = wechat.gate(Setup::default()).await;
        let answer = ask(&gate, GET).await;
        assert_eq!((answer.status, answer.whole, &*answer.text()), (200, true, body), "{answer:?}");
        wechat.assert_over(&gate).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn content_that_looks_like_an_answer_passes_as_content() {
    let content = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    let wechat = Scripted::start(move |_, head, mut stream| async move {
        read_body(&mut stream, &head).await;
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Disposition: attachment\r\nContent-Length: {}\r\n\r\n",
            content.len()
        );
        let _ = stream.write_all(head.as_bytes()).await;
        // In a segment of its own, so that the proxy writes it by itself.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let _ = stream.write_all(content.as_bytes()).await;
        Some(stream)
    })
    .await;
    let gate = wechat.gate(Setup::default()).await;
    let answer = ask(&gate, "GET /cgi-bin/media/get?media_id=M HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert_eq!((answer.status, &*answer.text()), (200, content), "{answer:?}");
    wechat.assert_over(&gate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_early_answer_with_a_reset_behind_it_reaches_the_caller() {
    // Closing with unread bytes makes the kernel send RST.
    let wechat = Scripted::start(|_, _, mut stream: TcpStream| async move {
        answer(&mut stream, "{\"errcode\":43004,\"errmsg\":\"require subscribe\"}").await;
        None
    })
    .await;
    let gate = wechat.gate(Setup::default()).await;
    for length in [4, 60_000, 4_000_000] {
        let mut caller = Caller::of(&gate).await;
        caller
            .send(format!(
                "POST /wxa/anything HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"
            ))
            .await;
        caller.send(vec![b'x'; length]).await;
        let answer = caller.answer().await.expect("an answer");
        // The reset may overtake the answer within the kernel: then nobody knows it.
        if answer.status == 200 {
            assert_eq!(answer.json()["errcode"], 43004, "{answer:?}");
        } else {
            answer.assert_refused(502, "upstream_failed", "closed the connection");
        }
    }
    assert_eq!(wechat.requests(), 3);
    wechat.assert_over(&gate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wechat_that_takes_no_byte_of_an_upload_is_504() {
    let wechat = Scripted::start(|_, _, stream: TcpStream| async move {
        std::future::pending::<()>().await;
        Some(stream)
    })
    .await;
    let gate = wechat.gate(impatient()).await;
    let mut caller = Caller::of(&gate).await;
    caller.send("POST /wxa/anything HTTP/1.1\r\nHost: localhost\r\nContent-Length: 11000000\r\n\r\n").await;
    let (mut read, mut write) = caller.0.into_split();
    let mut upload = JoinSet::new();
    upload.spawn(async move {
        let _ = write.write_all(&vec![b'x'; 11_000_000]).await;
        write
    });
    let mut head = vec![0; 12];
    tokio::io::AsyncReadExt::read_exact(&mut read, &mut head).await.expect("an answer");
    assert_eq!(head, b"HTTP/1.1 504");
    drop(upload);
    wechat.assert_over(&gate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_at_wechats_address_is_502() {
    // Bound and not listening: connecting is refused, and no other test gets the port.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a port");
    let address = socket.local_addr().expect("an address").as_socket().expect("an address");
    let setup = Setup { upstream_url: Some(format!("http://{address}")), ..Setup::default() };
    let gate = Gate::with(setup).await;
    // Nothing is injected there, so that WeChat itself is asked for and not its token.
    ask(&gate, "GET /sns/userinfo?access_token=U&openid=O HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .assert_refused(502, "upstream_failed", "could not reach WeChat");
    ask(&gate, GET).await.assert_refused(502, "token_unavailable", "");
}
