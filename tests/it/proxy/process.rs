//! The real program, as an operator runs it.

use std::io::{BufRead as _, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::watch;

use crate::harness::{ADMIN_TOKEN, OTHER_SECRET, SECRET};

/// `wxgate serve`, ended with the test.
pub struct Process {
    child: Child,
    output: Arc<Mutex<String>>,
    folder: tempfile::TempDir,
    /// Where callers come in.
    pub authority: String,
    /// Where operators come in.
    pub admin: String,
}

impl Process {
    /// Serves this configuration, whose `[server]` and `[admin]` tables listen on port 0, and waits
    /// until it listens.
    pub async fn serve(config: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("wxgate.toml"), config).expect("written");
        let mut child = Command::new(env!("CARGO_BIN_EXE_wxgate"))
            .args(["serve", "--config", "wxgate.toml"])
            .current_dir(folder.path())
            .env_clear()
            .env("SHOP_SECRET", SECRET)
            .env("OTHER_SECRET", OTHER_SECRET)
            .env("ADMIN_TOKEN", ADMIN_TOKEN)
            .env("RUST_LOG", "trace")
            .env("RUST_BACKTRACE", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("started");
        let output = Arc::new(Mutex::new(String::new()));
        let (found, mut addresses) = watch::channel((None, None));
        let stdout = child.stdout.take().expect("piped");
        let listening = move |line: &str| {
            let Ok(event) = serde_json::from_str::<Value>(line) else { return };
            let address = || event["address"].as_str().map(str::to_owned);
            match event["message"].as_str() {
                Some("listening") => found.send_modify(|found| found.0 = address()),
                Some("admin listening") => found.send_modify(|found| found.1 = address()),
                _ => {}
            }
        };
        collect(stdout, Arc::clone(&output), listening);
        collect(child.stderr.take().expect("piped"), Arc::clone(&output), |_| {});
        let both = addresses.wait_for(|found| found.0.is_some() && found.1.is_some()).await;
        let Ok((Some(authority), Some(admin))) = both.map(|both| both.clone()) else {
            panic!("does not listen: {}", output.lock());
        };
        Self { child, output, folder, authority, admin }
    }

    /// Where its configuration is.
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("wxgate.toml")
    }

    /// A field of `/proc/PID/status`, in bytes.
    pub fn memory(&self, field: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")).map(str::parse::<u64>);
        kilobytes.expect("a field").expect("a number") * 1024
    }

    /// Ends it by SIGTERM and gives all that it ever wrote.
    pub async fn end(mut self) -> String {
        let id = self.child.id().to_string();
        let killed = Command::new("kill").args(["-TERM", &id]).status().expect("kill");
        assert!(killed.success());
        let (status, this) =
            tokio::task::spawn_blocking(move || (self.child.wait(), self)).await.expect("joined");
        assert_eq!(status.expect("ended").code(), Some(0));
        // The pipes end with the process; their readers give their share of the text back.
        while Arc::strong_count(&this.output) > 1 {
            tokio::task::yield_now().await;
        }
        this.output.lock().clone()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(pipe: impl Read + Send + 'static, into: Arc<Mutex<String>>, look: impl Fn(&str) + Send + 'static) {
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            look(&line);
            let mut text = into.lock();
            text.push_str(&line);
            text.push('\n');
        }
    });
}
