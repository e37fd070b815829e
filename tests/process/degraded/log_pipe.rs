//! A log that nobody reads.

use std::io::Read as _;
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::client::client;
use crate::lifecycle::process::{Place, command, get};
use crate::redis_server::free_port;
use crate::until::until;

/// As long as a path may well be, so that few requests fill all buffers.
const LONG: usize = 6000;

/// A process whose log goes into a pipe that is full before long.
struct Unread {
    child: Child,
    stdout: Option<ChildStdout>,
    client: reqwest::Client,
    url: String,
    admin: String,
}

impl Unread {
    async fn start(place: &Place) -> Self {
        // The log, which would say them, isn't read.
        let (port, admin) = (free_port(), free_port());
        place.configure(&format!("listen = [\"127.0.0.1:{port}\"]"), "");
        let text = std::fs::read_to_string(place.path("wxgate.toml")).expect("written");
        let of_admin = format!("[admin]\nlisten = \"127.0.0.1:{admin}\"");
        place.write("wxgate.toml", &text.replace("[admin]\nlisten = \"127.0.0.1:0\"", &of_admin));
        let mut child = command(place.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it runs");
        let (stdout, client) = (child.stdout.take(), client());
        let (url, admin) = (format!("http://127.0.0.1:{port}"), format!("http://127.0.0.1:{admin}"));
        let process = Self { child, stdout, client, url, admin };
        let ready = async || process.client.get(format!("{}/readyz", process.admin)).send().await.is_ok();
        until(|| "readiness", ready).await;
        process
    }

    /// A call that goes well, and has a long line in the log.
    async fn call(&self) {
        let url = format!("{}/cgi-bin/user/info?openid=o1&{}=1", self.url, "x".repeat(LONG));
        assert_eq!(get(&self.client, &url).await.1["openid"], "o1");
    }

    async fn dropped(&self) -> f64 {
        let metrics = self.client.get(format!("{}/metrics", self.admin)).send().await.expect("an answer");
        let text = metrics.text().await.expect("text");
        let line = text.lines().find_map(|line| line.strip_prefix("wxgate_log_lines_dropped_total "));
        line.and_then(|count| count.parse().ok()).expect("the metric")
    }

    fn terminate(&self) {
        let kill = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(kill.expect("kill runs").success());
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_nobody_reads_holds_up_no_caller_and_the_lines_lost_are_counted() {
    let place = Place::new();
    let mut process = Unread::start(&place).await;
    while process.dropped().await == 0.0 {
        for _ in 0..100 {
            process.call().await;
        }
    }

    // Somebody reads it again.
    let mut stdout = process.stdout.take().expect("once");
    let reader = std::thread::spawn(move || {
        let mut log = Vec::new();
        stdout.read_to_end(&mut log).map(|_| log)
    });
    let kept = async || {
        let dropped = process.dropped().await;
        process.call().await;
        process.dropped().await == dropped
    };
    until(|| "lines that are kept", kept).await;
    process.terminate();
    assert!(process.child.wait().expect("it ended").success());
    let log = reader.join().expect("no panic").expect("the log");
    let log: Vec<serde_json::Value> = String::from_utf8(log)
        .expect("UTF-8")
        .lines()
        .map(|line| serde_json::from_str(line).expect("whole lines"))
        .collect();
    assert!(log.iter().any(|line| line["message"] == "stopped"), "the last line is there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_nobody_reads_keeps_no_process_from_ending() {
    let place = Place::new();
    let mut process = Unread::start(&place).await;
    // More than a pipe takes.
    for _ in 0..100 {
        process.call().await;
    }
    process.terminate();
    until(|| "its end", async || process.child.try_wait().expect("a child").is_some()).await;
}
