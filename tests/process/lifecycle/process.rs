//! `wxgate serve` before a sandbox, with its log.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::until::{found, until};
use serde_json::Value;
use wxgate::sandbox::{App, AppKind, Options, Sandbox};

pub const APPID: &str = "wx0000000000000001";
pub const OTHER_APPID: &str = "wx0000000000000002";
/// No log may show them.
pub const SECRET: &str = "canary-app-secret-4f1d";
pub const NEW_SECRET: &str = "canary-app-secret-b3c8";

/// A folder with a configuration, and the WeChat that it names.
pub struct Place {
    pub folder: tempfile::TempDir,
    pub sandbox: Sandbox,
}

/// A running program.
pub struct Process {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    reader: Option<std::thread::JoinHandle<()>>,
}

impl Place {
    /// Must be called within a runtime, which runs the sandbox.
    pub fn new() -> Self {
        let app = |appid: &str, kind| App::new(appid, SECRET, kind);
        let apps = vec![app(APPID, AppKind::OfficialAccount), app(OTHER_APPID, AppKind::MiniProgram)];
        let sandbox = Sandbox::start(Options { apps, ..Options::default() }).expect("the sandbox starts");
        // Its secrets are nobody else's.
        let closed = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        let folder = tempfile::Builder::new().permissions(closed).tempdir().expect("a folder");
        let place = Self { folder, sandbox };
        place.write("shop.secret", &format!("{SECRET}\n"));
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Replaces a file at once, as a careful operator and Kubernetes do.
    pub fn write(&self, name: &str, text: &str) {
        let new = self.path("new");
        std::fs::write(&new, text).expect("written");
        std::fs::rename(new, self.path(name)).expect("renamed");
    }

    /// Writes the configuration: `server` are keys of `[server]`, `rest` whole tables behind the
    /// shop app.
    pub fn configure(&self, server: &str, rest: &str) {
        let url = self.sandbox.url();
        // Tests tell refusals apart by their statuses.
        let error_status = if server.contains("error_status") { "" } else { "error_status = \"http\"" };
        let listen = if server.contains("listen") { "" } else { "listen = [\"127.0.0.1:0\"]" };
        self.write(
            "wxgate.toml",
            &format!(
                "[server]\nworkers = 2\n{listen}\n{error_status}\n{server}\n[admin]\nlisten = \"127.0.0.1:0\"\n\
                 [upstream]\nbase_urls = [\"{url}\"]\nresponse_timeout = \"30s\"\n\
                 [[app]]\nname = \"shop\"\nappid = \"{APPID}\"\nsecret = {{ file = \"shop.secret\" }}\ndefault = true\n\
                 {rest}"
            ),
        );
    }

    /// Puts this before all tables of the configuration.
    pub fn above(&self, text: &str) {
        let rest = std::fs::read_to_string(self.path("wxgate.toml")).expect("configured");
        self.write("wxgate.toml", &format!("{text}\n{rest}"));
    }

    /// Starts the program.
    pub fn run(&self) -> Process {
        Process::by(command(self.folder.path()))
    }

    /// Starts the program and waits until it listens.
    pub async fn serve(&self) -> Process {
        let process = self.run();
        process.logged("admin listening").await;
        process
    }

    /// Starts a program that can't serve; gives its exit code and what it wrote to stderr.
    pub fn fail(&self) -> (Option<i32>, String) {
        let output = command(self.folder.path()).output().expect("it ran");
        (output.status.code(), String::from_utf8(output.stderr).expect("UTF-8"))
    }
}

/// `wxgate serve` in a folder, with an empty environment.
pub fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wxgate"));
    command.args(["serve", "--config", "wxgate.toml"]).current_dir(folder).env_clear();
    command
}

impl Process {
    /// Starts a command that ends in the program.
    pub fn by(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .stdin(Stdio::null())
            .spawn()
            .expect("it runs");
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let (kept, stdout) = (Arc::clone(&lines), child.stdout.take().expect("stdout"));
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                kept.lock().push(line);
            }
        });
        Self { child, lines, reader: Some(reader) }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The log so far, whatever its form.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().clone()
    }

    /// Waits for a line with this in it.
    pub async fn line(&self, text: &str) -> String {
        let with = async || self.lines().into_iter().find(|line| line.contains(text));
        found(|| format!("{text:?} in {:#?}", self.lines()), with).await
    }

    /// The log so far. Each line must be JSON and show no secret.
    pub fn log(&self) -> Vec<Value> {
        let lines = self.lines.lock();
        let parse = |line: &String| {
            assert!(!line.contains("canary"), "a secret is logged: {line}");
            serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"))
        };
        lines.iter().map(parse).collect()
    }

    /// The access lines so far.
    pub fn access_lines(&self) -> Vec<Value> {
        self.log().into_iter().filter(|line| line["kind"] == "access").collect()
    }

    /// Waits for an event.
    pub async fn logged(&self, message: &str) -> Value {
        self.logged_times(message, 1).await
    }

    /// Waits until an event has been logged so often; gives the last.
    pub async fn logged_times(&self, message: &str, times: usize) -> Value {
        let is = |line: &Value| line["message"].as_str().is_some_and(|text| text.starts_with(message));
        let logged = async || self.log().into_iter().filter(is).nth(times - 1);
        found(|| format!("{message:?} in {:#?}", self.log()), logged).await
    }

    /// Where it listens.
    pub async fn authority(&self) -> String {
        self.logged("listening").await["address"].as_str().expect("an address").to_owned()
    }

    pub async fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.authority().await)
    }

    pub fn signal(&self, name: &str) {
        let kill = Command::new("kill").args([&format!("-{name}"), &self.id().to_string()]).status();
        assert!(kill.expect("kill runs").success());
    }

    /// Stops it where it is: none of its threads moves any more.
    pub async fn stand_still(&self) {
        self.signal("STOP");
        let tasks = format!("/proc/{}/task", self.id());
        let stands_still = async || {
            let threads = std::fs::read_dir(&tasks).expect("it lives");
            let stat = |thread: std::fs::DirEntry| std::fs::read_to_string(thread.path().join("stat"));
            threads.filter_map(Result::ok).all(|thread| stat(thread).is_ok_and(|stat| stat.contains(") T ")))
        };
        until(|| "that it stands still", stands_still).await;
    }

    /// Waits for the end; nothing may have gone to stderr.
    pub async fn ended(&mut self) -> ExitStatus {
        let (status, stderr) = self.ended_with_stderr().await;
        assert_eq!(stderr, "");
        status
    }

    /// Waits for the end; gives what went to stderr too.
    pub async fn ended_with_stderr(&mut self) -> (ExitStatus, String) {
        let status = found(|| "its end", async || self.child.try_wait().expect("a child")).await;
        self.reader.take().expect("ended once").join().expect("the log is read");
        let mut stderr = String::new();
        self.child.stderr.take().expect("stderr").read_to_string(&mut stderr).expect("UTF-8");
        (status, stderr)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The status and body of an answer.
pub async fn get(client: &reqwest::Client, url: &str) -> (u16, Value) {
    let response = client.get(url).send().await.expect("an answer");
    let status = response.status().as_u16();
    let body = response.bytes().await.expect("a body");
    (status, serde_json::from_slice(&body).expect("JSON"))
}
