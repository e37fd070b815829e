//! A real redis-server on a free port, ended with the test.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::until::{LOST, found, until};
use tokio::time::Instant;

/// A server that keeps nothing on disk.
pub struct RedisServer {
    child: Child,
    folder: tempfile::TempDir,
    port: u16,
    arguments: Vec<String>,
}

impl RedisServer {
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// With more arguments, like `["--requirepass", "p"]`.
    pub async fn with(arguments: &[&str]) -> Self {
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let give_up = Instant::now() + LOST;
        loop {
            let folder = tempfile::tempdir().expect("a folder");
            let port = free_port();
            let child = spawn(folder.path(), port, &arguments);
            let mut server = Self { child, folder, port, arguments: arguments.clone() };
            // Somebody else may have taken the port meanwhile.
            if server.answers().await {
                return server;
            }
            assert!(Instant::now() < give_up, "redis-server does not start: {}", server.log());
        }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// What `redis-cli` prints for a command.
    pub fn command(&self, arguments: &[&str]) -> String {
        let output = Command::new("redis-cli")
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string()])
            .args(arguments)
            .output()
            .expect("redis-cli runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// STOP, CONT, ...
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(status.expect("kill runs").success());
    }

    /// kill -9.
    pub fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ended");
    }

    /// A new server on the same port, with no data.
    pub async fn restart(&mut self) {
        self.child = spawn(self.folder.path(), self.port, &self.arguments);
        assert!(self.answers().await, "redis-server does not start again: {}", self.log());
    }

    /// Waits until it takes commands; false if it ended.
    async fn answers(&mut self) -> bool {
        found(
            || "redis-server ready or ended",
            async || {
                let log = self.log();
                let ready = log.contains("eady to accept connections") || log.contains("Sentinel ID is");
                if ready { Some(true) } else { self.child.try_wait().expect("a child").map(|_| false) }
            },
        )
        .await
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A master, its replica and their sentinel.
pub struct Watched {
    pub master: RedisServer,
    pub replica: RedisServer,
    pub sentinel: RedisServer,
    _folder: tempfile::TempDir,
}

impl Watched {
    pub async fn start() -> Self {
        let master = RedisServer::start().await;
        let port = master.port().to_string();
        let replica = RedisServer::with(&["--replicaof", "127.0.0.1", &port]).await;
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("sentinel.conf");
        let text = format!(
            "sentinel monitor main 127.0.0.1 {port} 1\nsentinel down-after-milliseconds main 500\n\
             sentinel failover-timeout main 3000\n"
        );
        std::fs::write(&file, text).expect("written");
        let sentinel = RedisServer::with(&[file.to_str().expect("UTF-8"), "--sentinel"]).await;
        let watched = Self { master, replica, sentinel, _folder: folder };
        let told = || watched.sentinel.command(&["SENTINEL", "master", "main"]);
        until(|| "the replica, found by the sentinel", async || told().contains("num-slaves\n1")).await;
        watched
    }

    pub fn url(&self) -> String {
        format!("redis-sentinel://127.0.0.1:{}/main/0", self.sentinel.port())
    }
}

/// A port that nobody listens on at the moment. While others' connections have all of them, waits
/// for one.
#[expect(clippy::disallowed_methods, reason = "hardly ever, and in a test that can't go on anyway")]
pub fn free_port() -> u16 {
    let give_up = Instant::now() + LOST;
    loop {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, 0)) {
            Ok(listener) => return listener.local_addr().expect("bound").port(),
            Err(error) => assert!(Instant::now() < give_up, "no port: {error}"),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn spawn(folder: &Path, port: u16, arguments: &[String]) -> Child {
    let log: PathBuf = folder.join("log");
    let _ = std::fs::remove_file(&log);
    let mut command = Command::new("redis-server");
    // A sentinel's first argument is the file that it keeps its state in.
    let (file, rest) = match arguments.split_first() {
        Some((first, rest)) if !first.starts_with("--") => (Some(first), rest),
        _ => (None, arguments),
    };
    command
        .args(file)
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        .args(["--dir", folder.to_str().expect("UTF-8"), "--logfile", log.to_str().expect("UTF-8")])
        .args(rest)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server is installed: tests/run --install")
}
