//! How callers, and what sends them here, learn that wxgate ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use wxgate::sandbox::{Action, Fault};

use super::caller::Caller;
use super::process::{Place, Process};
use crate::until::{LOST, until};

const INFO: &str = "/cgi-bin/user/info?openid=o1";
const TOKEN: &str = "/cgi-bin/token?grant_type=client_credential&appid=wx0000000000000001&secret=s";
const SLOW: &str = "/cgi-bin/user/get";

async fn connected(process: &Process) -> Caller {
    Caller::connect(&process.authority().await).await.expect("connected")
}

/// A connection that was used once.
async fn kept(process: &Process) -> Caller {
    let mut caller = connected(process).await;
    let answer = caller.get(INFO).await.expect("an answer");
    assert_eq!(answer.said(), (200, None, false), "{answer:?}");
    caller
}

/// A process that doesn't end before somebody lets it: an answer is awaited.
async fn held_up(place: &Place, process: &Process) -> Caller {
    place.sandbox.fault(Fault::new(Action::Silence).path(SLOW));
    let mut caller = connected(process).await;
    caller.ask(SLOW).await;
    place.sandbox.arrived(SLOW, 1).await;
    caller
}

#[tokio::test(flavor = "multi_thread")]
async fn load_balancers_are_told_at_once_and_requests_are_taken_as_before() {
    let place = Place::new();
    place.configure("drain_delay = \"10m\"", "");
    let mut process = place.serve().await;
    let (mut one, mut other) = (kept(&process).await, kept(&process).await);
    let admin = process.logged("admin listening").await["address"].as_str().expect("one").to_owned();
    let mut probe = Caller::connect(&admin).await.expect("connected");
    let ready = probe.get("/readyz").await.expect("an answer");
    assert_eq!(ready.said(), (200, None, false), "{ready:?}");

    process.signal("TERM");
    process.logged("draining").await;
    let ready = probe.get("/readyz").await.expect("an answer");
    assert_eq!(ready.said(), (503, None, true), "{ready:?}");
    assert!(ready.body.contains("\"draining\":true"), "{ready:?}");
    assert!(probe.answer().await.is_none(), "it was told");
    for caller in [&mut one, &mut other, &mut connected(&process).await] {
        let answer = caller.get(INFO).await.expect("an answer");
        assert_eq!(answer.said(), (200, None, true), "{answer:?}");
        assert!(caller.answer().await.is_none(), "it was told");
    }
    // Who goes on sending was told too.
    let mut caller = connected(&process).await;
    caller.ask(INFO).await;
    caller.ask(INFO).await;
    assert_eq!(caller.answer().await.expect("an answer").said(), (200, None, true));
    assert!(caller.answer().await.is_none(), "it was told");

    process.signal("TERM");
    assert_eq!(process.ended().await.code(), Some(0));
    assert_eq!(process.logged("stopped").await["cut_off"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_idle_then_is_sent_elsewhere_for_a_second_and_closed() {
    let place = Place::new();
    place.configure("drain_timeout = \"10m\"", "");
    let mut process = place.serve().await;
    let _held_up = held_up(&place, &process).await;
    let mut callers = Vec::new();
    for _ in 0..20 {
        callers.push(kept(&process).await);
    }
    // One that never sent a request.
    let mut silent = connected(&process).await;
    process.signal("TERM");
    process.logged("draining").await;
    let mut sent_elsewhere = 0;
    while sent_elsewhere < 2 {
        let mut caller = callers.pop().expect("idle");
        // The workers learn of it a moment after the line.
        let path = if sent_elsewhere == 0 { INFO } else { TOKEN };
        let answer = caller.get(path).await.expect("an answer");
        match answer.said() {
            (503, Some("draining"), true) => {
                let errcode = if path == INFO { "\"errcode\":-70503" } else { "\"errcode\":45011" };
                assert!(answer.body.contains(errcode), "{answer:?}");
                assert_eq!(answer.head.header("retry-after"), Some("1"));
                sent_elsewhere += 1;
            }
            said => assert_eq!(said, (200, None, true), "{answer:?}"),
        }
        assert!(caller.answer().await.is_none(), "it was told");
    }
    for caller in callers.iter_mut().chain([&mut silent]) {
        assert!(timeout(LOST, caller.answer()).await.expect("closed").is_none());
    }
    let line = process.access_lines().into_iter().find(|line| line["code"] == "draining").expect("a line");
    assert_eq!((&line["path"], &line["status"]), (&"/cgi-bin/user/info".into(), &503.into()), "{line}");
    process.signal("TERM");
    assert_eq!(process.ended().await.code(), Some(0));
    assert_eq!(process.logged("stopped").await["cut_off"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_could_not_be_told_is_kept_for_a_second_behind_its_answer() {
    let place = Place::new();
    place.configure("drain_timeout = \"10m\"", "");
    let mut process = place.serve().await;
    let slow = Action::SlowBody { bytes: 16, milliseconds: 700 };
    place.sandbox.fault(Fault::new(slow).path(SLOW));
    let mut caller = connected(&process).await;
    caller.ask(SLOW).await;
    let head = caller.head().await.expect("a head");
    assert_eq!((head.status, head.closes()), (200, false), "{head:?}");
    process.signal("TERM");
    let refused = async || Caller::connect(&process.authority().await).await.is_none();
    until(|| "the end of its listener", refused).await;
    caller.body(head).await.expect("the rest");
    let answer = caller.get(INFO).await.expect("an answer");
    assert_eq!(answer.said(), (503, Some("draining"), true), "{answer:?}");
    assert_eq!(process.ended().await.code(), Some(0));
    assert_eq!(process.logged("stopped").await["cut_off"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_to_be_let_in_is_let_in_and_not_reset() {
    let place = Place::new();
    let socket = place.path("sock");
    place.configure(&format!("listen = [\"127.0.0.1:0\", \"unix:{}\"]", socket.display()), "");
    let mut process = place.serve().await;
    let authority = process.authority().await;
    process.stand_still().await;
    let (mut tcp, mut unix) = (Vec::new(), Vec::new());
    for number in 0..20 {
        tcp.push(Caller::connect(&authority).await.expect("connected"));
        unix.push(Caller::on(UnixStream::connect(&socket).await.expect("connected")));
        // The others send when they know that they were let in.
        if number % 2 == 0 {
            tcp[number].ask(INFO).await;
            unix[number].ask(INFO).await;
        }
    }
    process.signal("TERM");
    process.signal("CONT");
    process.logged("draining").await;
    for number in 0..20 {
        if number % 2 == 1 {
            tcp[number].ask(INFO).await;
            unix[number].ask(INFO).await;
        }
    }
    for number in 0..20 {
        for answer in [tcp[number].answer().await, unix[number].answer().await] {
            let answer = answer.unwrap_or_else(|| panic!("{number} was reset"));
            assert_eq!(answer.said(), (200, None, true), "{number}: {answer:?}");
        }
    }
    assert_eq!(process.ended().await.code(), Some(0));
    assert!(!socket.exists());
}

/// Calls with pauses until nobody listens any more; how many requests were answered, with 200 and
/// with 503.
async fn call(authority: String, over: Arc<AtomicBool>) -> (u32, u32) {
    let (mut served, mut sent_elsewhere) = (0, 0);
    let mut kept = None;
    while !over.load(Ordering::Relaxed) {
        let known = kept.take();
        let is_known = known.is_some();
        let caller = match known {
            Some(caller) => Some(caller),
            None => Caller::connect(&authority).await,
        };
        let Some(mut caller) = caller else { break };
        let Some(answer) = caller.get(INFO).await else {
            // Nobody had told this one.
            assert!(!is_known, "closed without a word after {served} answers");
            break;
        };
        match answer.said() {
            (200, None, _) => served += 1,
            (503, Some("draining"), true) => sent_elsewhere += 1,
            said => panic!("{said:?}"),
        }
        if !answer.head.closes() {
            kept = Some(caller);
        }
        sleep(Duration::from_millis(fastrand::u64(..50))).await;
    }
    (served, sent_elsewhere)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_on_a_kept_connection_is_answered() {
    for delay in ["0s", "300ms"] {
        let place = Place::new();
        place.configure(&format!("drain_delay = \"{delay}\""), "");
        let mut process = place.serve().await;
        let over = Arc::new(AtomicBool::new(false));
        let mut callers = JoinSet::new();
        for _ in 0..30 {
            callers.spawn(call(process.authority().await, Arc::clone(&over)));
        }
        let busy = async || process.access_lines().len() > 100;
        until(|| "some calls", busy).await;
        process.signal("TERM");
        assert_eq!(process.ended().await.code(), Some(0));
        over.store(true, Ordering::Relaxed);
        let (served, sent_elsewhere) =
            callers.join_all().await.into_iter().fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
        let lines = process.access_lines();
        let draining = lines.iter().filter(|line| line["code"] == "draining").count();
        assert_eq!((served as usize, sent_elsewhere as usize), (lines.len() - draining, draining));
        assert_eq!(process.logged("stopped").await["cut_off"], 0);
    }
}
