//! Sockets that outlive the process. What holds them is this test, in systemd's place: no systemd
//! was asked.

use std::net::{TcpListener, UdpSocket};
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixListener;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};
use tokio::net::UnixStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use wxgate::sandbox::{Action, Fault};

use super::caller::Caller;
use super::process::{Place, Process};
use super::stops;
use crate::until::{LOST, until};

const INFO: &str = "/cgi-bin/user/info?openid=o1";
const SLOW: &str = "/cgi-bin/user/get";
/// How long a caller waits before it gives up.
const PATIENCE: Duration = Duration::from_secs(3);

/// What holds sockets, and passes them to each process that it starts.
#[derive(Default)]
struct Holder {
    sockets: Vec<(&'static str, OwnedFd)>,
}

impl Holder {
    /// Takes a socket of this name.
    fn hold(mut self, name: &'static str, socket: &impl AsFd) -> Self {
        // Above all numbers at which it is to be passed.
        let socket = fcntl_dupfd_cloexec(socket, 100).expect("a number");
        fcntl_setfd(&socket, FdFlags::empty()).expect("inherited");
        self.sockets.push((name, socket));
        self
    }

    /// `wxgate serve`, with the sockets from descriptor 3 on.
    fn command(&self, place: &Place) -> Command {
        let mut script = String::new();
        for (at, (_, socket)) in self.sockets.iter().enumerate() {
            let held = socket.as_raw_fd();
            script += &format!("exec {}<&{held} {held}<&-; ", 3 + at);
        }
        script += "LISTEN_PID=$$ exec \"$0\" serve --config wxgate.toml";
        let names: Vec<_> = self.sockets.iter().map(|(name, _)| *name).collect();
        let mut command = Command::new("/bin/bash");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_wxgate")]).current_dir(place.folder.path());
        command.env_clear().env("LISTEN_FDS", names.len().to_string()).env("LISTEN_FDNAMES", names.join(":"));
        command
    }

    fn run(&self, place: &Place) -> Process {
        Process::by(self.command(place))
    }

    async fn serve(&self, place: &Place) -> Process {
        let process = self.run(place);
        process.logged("admin listening").await;
        process
    }

    /// A start that fails; its exit code and what it says.
    fn fail(&self, place: &Place) -> (Option<i32>, String) {
        let output = self.command(place).output().expect("it ran");
        (output.status.code(), String::from_utf8(output.stderr).expect("UTF-8"))
    }
}

fn tcp(address: &str) -> (TcpListener, String) {
    let listener = TcpListener::bind(address).expect("bound");
    let address = listener.local_addr().expect("an address").to_string();
    (listener, address)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_passed_takes_the_place_of_what_is_configured_and_stays_when_the_process_ends() {
    let place = Place::new();
    let ((proxy, proxy_at), (admin, admin_at)) = (tcp("127.0.0.1:0"), tcp("127.0.0.1:0"));
    let (callback, callback_at) = tcp("127.0.0.1:0");
    let path = place.path("wxgate.sock");
    let unix = UnixListener::bind(&path).expect("bound");
    // Whoever bound these would fail.
    let (taken, taken_at) = tcp("127.0.0.1:0");
    place.configure(&format!("listen = [\"{taken_at}\"]"), "");
    let config = std::fs::read_to_string(place.path("wxgate.toml")).expect("written");
    let admin_listen = format!("[admin]\nlisten = \"localhost:{}\"", taken.local_addr().expect("one").port());
    place.write("wxgate.toml", &config.replace("[admin]\nlisten = \"127.0.0.1:0\"", &admin_listen));
    let holder = Holder::default()
        .hold("admin", &admin)
        .hold("wxgate.socket", &proxy)
        .hold("callback", &callback)
        .hold("", &unix);
    let mut process = holder.serve(&place).await;
    let at = |line: &serde_json::Value| line["address"].as_str().expect("an address").to_owned();
    assert_eq!(at(&process.logged("listening").await), proxy_at);
    assert_eq!(at(&process.logged_times("listening", 2).await), format!("unix:{}", path.display()));
    assert_eq!(at(&process.logged("admin listening").await), admin_at);
    assert_eq!(at(&process.logged("callback listening").await), callback_at);
    for _ in 0..2 {
        let mut caller = Caller::connect(&proxy_at).await.expect("connected");
        assert_eq!(caller.get(INFO).await.expect("an answer").said(), (200, None, false));
        let mut local = Caller::on(UnixStream::connect(&path).await.expect("connected"));
        assert_eq!(local.get(INFO).await.expect("an answer").said(), (200, None, false));
        let mut probe = Caller::connect(&admin_at).await.expect("connected");
        assert_eq!(probe.get("/readyz").await.expect("an answer").head.status, 200);
        // Nothing of it takes another place after a reload.
        process.signal("HUP");
        process.logged("configuration reloaded").await;
    }
    assert!(!process.log().iter().any(|line| line.to_string().contains("require a restart")));

    process.signal("TERM");
    // It warns that the callback takes no pushes.
    assert_eq!(process.ended_with_stderr().await.0.code(), Some(0));
    assert!(path.exists());
    // Who comes now waits for the next process.
    let mut waiting = Caller::connect(&proxy_at).await.expect("connected");
    let mut local = Caller::on(UnixStream::connect(&path).await.expect("connected"));
    waiting.ask(INFO).await;
    local.ask(INFO).await;
    let mut next = holder.serve(&place).await;
    assert_eq!(waiting.answer().await.expect("an answer").said(), (200, None, false));
    assert_eq!(local.answer().await.expect("an answer").said(), (200, None, false));
    next.signal("TERM");
    assert_eq!(next.ended_with_stderr().await.0.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_open_address_demands_is_judged_by_the_sockets_that_are_there() {
    let place = Place::new();
    let ((open, open_at), (local, _)) = (tcp("0.0.0.0:0"), tcp("127.0.0.1:0"));
    place.configure("", "");
    let (code, stderr) = Holder::default().hold("wxgate.socket", &open).fail(&place);
    assert_eq!(code, Some(64), "{stderr}");
    let said = format!(
        "server.listen: has no effect, since the socket {open_at} was passed; that one can be reached from other \
         machines while there is no [[caller]]"
    );
    assert!(stderr.contains(&said), "{stderr}");
    let (code, stderr) = Holder::default().hold("admin", &open).fail(&place);
    assert_eq!(code, Some(64), "{stderr}");
    assert!(
        stderr.contains("admin.listen: has no effect") && stderr.contains("requires admin.token"),
        "{stderr}"
    );

    // The other way round nothing is open.
    place.configure("listen = [\"0.0.0.0:0\"]", "");
    let (code, stderr) = place.fail();
    assert_eq!(code, Some(64), "{stderr}");
    let mut process = Holder::default().hold("wxgate.socket", &local).serve(&place).await;
    process.signal("HUP");
    process.logged("configuration reloaded").await;
    process.signal("TERM");
    assert_eq!(process.ended().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_served_ends_the_start() {
    let place = Place::new();
    place.configure("", "");
    let ((one, _), (other, _)) = (tcp("127.0.0.1:0"), tcp("127.0.0.1:0"));
    let datagrams = UdpSocket::bind("127.0.0.1:0").expect("bound");
    let connected = std::net::TcpStream::connect(one.local_addr().expect("an address")).expect("connected");
    let passed = Holder::default().hold("wxgate.socket", &one);
    for (holder, said) in [
        (
            Holder::default().hold("wxgate.socket", &datagrams),
            "descriptor 3 is not a listening TCP or unix socket",
        ),
        (passed.hold("wxgate.socket", &connected), "descriptor 4 is not a listening TCP or unix socket"),
        (Holder::default().hold("admin", &one).hold("admin", &other), "several sockets are named admin"),
    ] {
        let (code, stderr) = holder.fail(&place);
        assert_eq!(code, Some(64), "{stderr}");
        assert!(stderr.contains(said), "{stderr}");
    }
    // Meant for another process.
    let script = "exec 3<&0; LISTEN_FDS=1 LISTEN_PID=1 exec \"$0\" serve --config wxgate.toml";
    let mut command = Command::new("/bin/bash");
    command.args(["-c", script, env!("CARGO_BIN_EXE_wxgate")]).current_dir(place.folder.path()).env_clear();
    let mut process = Process::by(command);
    process.logged("admin listening").await;
    process.signal("TERM");
    assert_eq!(process.ended().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_are_served_while_what_ran_at_the_end_is_awaited_and_then_left_to_the_next() {
    let place = Place::new();
    place.configure("", "");
    let (proxy, at) = tcp("127.0.0.1:0");
    let holder = Holder::default().hold("wxgate.socket", &proxy);
    let mut process = holder.serve(&place).await;
    place.sandbox.fault(Fault::new(Action::Latency { milliseconds: 3000 }).path(SLOW).times(1));
    let mut slow = Caller::connect(&at).await.expect("connected");
    slow.ask(SLOW).await;
    place.sandbox.arrived(SLOW, 1).await;
    let mut kept = Caller::connect(&at).await.expect("connected");
    assert_eq!(kept.get(INFO).await.expect("an answer").said(), (200, None, false));
    process.signal("TERM");
    process.logged("draining").await;
    // On a kept connection as on a new one, and told to come again on another.
    assert_eq!(kept.get(INFO).await.expect("an answer").said(), (200, None, true));
    let mut new = Caller::connect(&at).await.expect("connected");
    assert_eq!(new.get(INFO).await.expect("an answer").said(), (200, None, true));
    assert_eq!(slow.answer().await.expect("an answer").said(), (200, None, true));
    // From the moment of that answer on nobody is let in.
    let mut waiting = Caller::connect(&at).await.expect("connected");
    waiting.ask(INFO).await;
    assert_eq!(process.ended().await.code(), Some(0));
    assert_eq!(process.logged("stopped").await["cut_off"], 0);
    let mut next = holder.serve(&place).await;
    assert_eq!(waiting.answer().await.expect("an answer").said(), (200, None, false));
    until(|| "its line", async || next.access_lines().len() == 1).await;
    next.signal("TERM");
    assert_eq!(next.ended().await.code(), Some(0));
}

/// Calls until told otherwise, and gives up after `patience`; how often.
async fn call(authority: String, keeps: bool, patience: Duration, over: Arc<AtomicBool>) -> usize {
    let (mut calls, mut kept) = (0, None);
    while !over.load(Ordering::Relaxed) {
        let known: Option<Caller> = kept.take();
        let called = async {
            let mut caller = match known {
                Some(caller) => caller,
                None => Caller::connect(&authority).await.expect("somebody listens"),
            };
            let answer = caller.get(INFO).await;
            (caller, answer)
        };
        let (caller, answer) =
            timeout(patience, called).await.unwrap_or_else(|_| panic!("given up after {calls} calls"));
        let answer = answer.unwrap_or_else(|| panic!("no answer after {calls} calls"));
        assert_eq!(answer.head.status, 200, "{answer:?}");
        calls += 1;
        if keeps && !answer.head.closes() {
            kept = Some(caller);
        }
        sleep(Duration::from_millis(fastrand::u64(5..40))).await;
    }
    calls
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_shortly_before_the_drain_is_cut_off_is_left_to_the_next_process() {
    let place = Place::new();
    place.configure("drain_timeout = \"2s\"", "");
    let (proxy, at) = tcp("127.0.0.1:0");
    let holder = Holder::default().hold("wxgate.socket", &proxy);
    let mut process = holder.serve(&place).await;
    place.sandbox.fault(Fault::new(Action::Silence).path(SLOW));
    // So that each caller has a request under way at any time.
    place.sandbox.fault(Fault::new(Action::Latency { milliseconds: 200 }).path("/cgi-bin/user/info"));
    let mut silent = Caller::connect(&at).await.expect("connected");
    silent.ask(SLOW).await;
    place.sandbox.arrived(SLOW, 1).await;
    let over = Arc::new(AtomicBool::new(false));
    let mut callers = JoinSet::new();
    for number in 0..10 {
        callers.spawn(call(at.clone(), number % 2 == 0, LOST, Arc::clone(&over)));
    }
    until(|| "some calls", async || process.access_lines().len() > 10).await;
    process.signal("TERM");
    // It warns that drain_timeout is shorter than WeChat may take.
    assert_eq!(process.ended_with_stderr().await.0.code(), Some(0));
    assert_eq!(process.logged("stopped").await["cut_off"], 1);
    assert!(silent.answer().await.is_none());
    let mut next = holder.serve(&place).await;
    until(|| "some calls", async || next.access_lines().len() > 20).await;
    over.store(true, Ordering::Relaxed);
    callers.join_all().await;
    next.signal("TERM");
    assert_eq!(next.ended_with_stderr().await.0.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn pushes_are_taken_as_long_as_a_caller_is_awaited() {
    let place = Place::new();
    place.configure("", "");
    let ((proxy, at), (callback, callback_at)) = (tcp("127.0.0.1:0"), tcp("127.0.0.1:0"));
    let holder = Holder::default().hold("wxgate.socket", &proxy).hold("callback", &callback);
    let mut process = holder.serve(&place).await;
    let (head, body) =
        ("POST /cgi-bin/user/info HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n", "{}");
    let mut awaited = Caller::connect(&at).await.expect("connected");
    awaited.send(head.as_bytes()).await;
    let mut idle = Caller::connect(&callback_at).await.expect("connected");
    assert_eq!(idle.get("/").await.expect("an answer").said(), (404, None, false));
    process.signal("TERM");
    process.logged("draining").await;
    // The delay is over, and nobody at the callback address is awaited any more.
    assert!(timeout(LOST, idle.answer()).await.expect("closed").is_none());
    for (at, path, status) in [(&callback_at, "/", 404), (&at, INFO, 200)] {
        let mut new = Caller::connect(at).await.expect("connected");
        let answer = timeout(LOST, new.get(path)).await.expect("somebody is there").expect("an answer");
        assert_eq!(answer.said(), (status, None, true), "{path}");
    }
    awaited.send(body.as_bytes()).await;
    assert_eq!(awaited.answer().await.expect("an answer").said(), (200, None, true));
    // It warns that the callback takes no pushes.
    assert_eq!(process.ended_with_stderr().await.0.code(), Some(0));
    assert_eq!(process.logged("stopped").await["cut_off"], 0);
}

/// An upload that takes ten seconds.
async fn upload(authority: String) {
    let mut caller = Caller::connect(&authority).await.expect("connected");
    caller.upload(100, Duration::from_millis(100)).await;
    let answer = caller.answer().await.expect("an answer to an upload");
    assert_eq!(answer.head.status, 200, "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn restarts_with_uploads_under_way_fail_nobody() {
    let place = Place::new();
    place.configure("", "");
    let (proxy, at) = tcp("127.0.0.1:0");
    let holder = Holder::default().hold("wxgate.socket", &proxy);
    let mut process = holder.serve(&place).await;
    let over = Arc::new(AtomicBool::new(false));
    let mut callers = JoinSet::new();
    for number in 0..10 {
        callers.spawn(call(at.clone(), number % 2 == 0, PATIENCE, Arc::clone(&over)));
    }
    for _ in 0..stops() {
        let mut uploads = JoinSet::new();
        uploads.spawn(upload(at.clone()));
        until(|| "some calls", async || process.access_lines().len() > 50).await;
        process.signal("TERM");
        assert_eq!(process.ended().await.code(), Some(0));
        assert_eq!(process.logged("stopped").await["cut_off"], 0);
        process = holder.serve(&place).await;
        uploads.join_all().await;
    }
    over.store(true, Ordering::Relaxed);
    let calls: usize = callers.join_all().await.into_iter().sum();
    assert!(calls > 100 * stops(), "{calls} calls");
    process.signal("TERM");
    assert_eq!(process.ended().await.code(), Some(0));
}
