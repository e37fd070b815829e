//! SIGTERM and SIGINT.

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use wxgate::sandbox::{Action, Fault};

use super::caller::Caller;
use super::process::{Place, get};
use crate::client::client;

const INFO: &str = "/cgi-bin/user/info?openid=o1";
const SLOW: &str = "/cgi-bin/user/get";

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_in_progress_is_finished_and_nobody_new_is_let_in() {
    for signal in ["TERM", "INT"] {
        let place = Place::new();
        place.configure("", "");
        let mut process = place.serve().await;
        let idle = client();
        assert_eq!(get(&idle, &process.url(INFO).await).await.0, 200);
        place.sandbox.fault(Fault::new(Action::Latency { milliseconds: 1000 }).path(SLOW));
        let url = process.url(SLOW).await;
        let mut slow = JoinSet::new();
        slow.spawn(async move { get(&client(), &url).await });
        place.sandbox.arrived(SLOW, 1).await;

        process.signal(signal);
        process.logged("draining").await;
        let refused = TcpStream::connect(process.authority().await);
        // The acceptor ends a moment after the line.
        let refused = match refused.await {
            Err(_) => true,
            Ok(stream) => {
                let mut byte = [0];
                tokio::io::AsyncReadExt::read(&mut { stream }, &mut byte).await.map_or(true, |read| read == 0)
            }
        };
        assert!(refused);
        let (status, body) = slow.join_next().await.expect("a call").expect("it ended");
        assert_eq!((status, &body["total"]), (200, &2.into()), "{body}");
        assert_eq!(process.ended().await.code(), Some(0));
        assert_eq!(process.logged("stopped").await["cut_off"], 0);
        let lines = process.access_lines();
        assert_eq!(
            lines.iter().map(|line| line["path"].as_str().expect("a path")).collect::<Vec<_>>(),
            ["/cgi-bin/user/info", SLOW]
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_outlasts_the_drain_is_cut_off_and_the_exit_is_a_good_one() {
    let place = Place::new();
    place.configure("drain_timeout = \"300ms\"", "");
    let mut process = place.serve().await;
    place.sandbox.fault(Fault::new(Action::Silence).path(SLOW));
    let url = process.url(SLOW).await;
    let mut stuck = JoinSet::new();
    stuck.spawn(async move { client().get(&url).send().await });
    place.sandbox.arrived(SLOW, 1).await;
    process.signal("TERM");
    assert!(stuck.join_next().await.expect("a call").expect("it ended").is_err());
    let (status, stderr) = process.ended_with_stderr().await;
    assert_eq!(status.code(), Some(0));
    assert!(
        stderr.contains("upstream.response_timeout: warning: is longer than server.drain_timeout (300ms)")
    );
    assert_eq!(process.logged("stopped").await["cut_off"], 1);
    let lines = process.access_lines();
    assert_eq!((lines.len(), &lines[0]["path"]), (1, &SLOW.into()), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_at_the_admin_address_holds_the_end_up_for_long() {
    let place = Place::new();
    place.configure("drain_timeout = \"10m\"\nhead_timeout = \"10m\"", "");
    let mut process = place.serve().await;
    let admin = process.logged("admin listening").await["address"].as_str().expect("one").to_owned();
    let mut dawdler = Caller::connect(&admin).await.expect("connected");
    // So that it has a worker before its next one.
    assert_eq!(dawdler.get("/healthz").await.expect("an answer").head.status, 200);
    dawdler.send(b"GET /healthz HTTP/1.1\r\n").await;
    process.signal("TERM");
    assert_eq!(process.ended().await.code(), Some(0));
    assert!(dawdler.answer().await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_the_drain() {
    let place = Place::new();
    place.configure(
        &format!(
            "drain_timeout = \"10m\"\nlisten = [\"127.0.0.1:0\", \"unix:{}\"]",
            place.path("sock").display()
        ),
        "",
    );
    let mut process = place.serve().await;
    place.sandbox.fault(Fault::new(Action::Silence).path(SLOW));
    let url = process.url(SLOW).await;
    let mut stuck = JoinSet::new();
    stuck.spawn(async move { client().get(&url).send().await });
    place.sandbox.arrived(SLOW, 1).await;
    process.signal("TERM");
    process.logged("draining").await;
    process.signal("TERM");
    assert_eq!(process.ended().await.code(), Some(0));
    assert!(stuck.join_next().await.expect("a call").expect("it ended").is_err());
    assert!(!place.path("sock").exists());
    let lines = process.access_lines();
    assert_eq!(
        (lines.len(), &lines[0]["path"]),
        (1, &SLOW.into()),
        "what was cut off has its line: {lines:?}"
    );
}
