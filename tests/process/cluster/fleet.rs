//! Replicas of `wxgate serve` before one sandbox.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::client::client;
use crate::until::found;
use serde_json::Value;
use tokio::time::Instant;
use wxgate::sandbox::{App, AppKind, Options, Sandbox};

const APPID: &str = "wx0000000000000001";
pub const SECRET: &str = "app-secret-4f1d";

/// WeChat, a store's URL, and the replicas that share them.
pub struct Fleet {
    pub sandbox: Sandbox,
    pub replicas: Vec<Replica>,
    folder: tempfile::TempDir,
    client: reqwest::Client,
    app: String,
    started: usize,
    /// What replicas that start from now on are.
    pub program: PathBuf,
}

/// One process.
pub struct Replica {
    child: Child,
    log: PathBuf,
    pub authority: String,
    admin: String,
}

impl Fleet {
    /// That many replicas, each with a token. `mode` is the app's `token_mode`; `store` the store's
    /// table.
    pub async fn start(count: usize, mode: &str, store: &str) -> Self {
        let apps = vec![App::new(APPID, SECRET, AppKind::OfficialAccount)];
        let sandbox = Sandbox::start(Options { apps, ..Options::default() }).expect("the sandbox starts");
        let app = format!("appid = \"{APPID}\"\ntoken_mode = \"{mode}\"\n");
        let mut fleet = Self::before(sandbox, &app, store);
        for _ in 0..count {
            fleet.add().await;
        }
        fleet.agreed().await;
        fleet
    }

    /// None yet, for an app that `app` describes.
    pub fn before(sandbox: Sandbox, app: &str, store: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let app = app.to_owned();
        let program = env!("CARGO_BIN_EXE_wxgate").into();
        let fleet =
            Self { sandbox, replicas: Vec::new(), folder, client: client(), app, started: 0, program };
        fleet.configure(store);
        fleet
    }

    /// What replicas that start from now on have as the store's table.
    pub fn configure(&self, store: &str) {
        let (url, app) = (self.sandbox.url(), &self.app);
        let config = format!(
            "[server]\nworkers = 1\nlisten = [\"127.0.0.1:0\"]\n[admin]\nlisten = \"127.0.0.1:0\"\n\
             token = {{ env = \"ADMIN_TOKEN\" }}\n[upstream]\nbase_urls = [\"{url}\"]\n[store]\n{store}\n\
             [[app]]\nname = \"shop\"\nsecret = {{ env = \"SHOP_SECRET\" }}\ndefault = true\n{app}"
        );
        std::fs::write(self.config(), config).expect("written");
    }

    /// The configuration's file.
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("wxgate.toml")
    }

    /// One more replica.
    pub async fn add(&mut self) {
        let log = self.folder.path().join(format!("log.{}", self.started));
        self.started += 1;
        self.replicas.push(Replica::start(&self.program, self.folder.path(), log).await);
    }

    /// Starts a replica that was killed anew.
    pub async fn restart(&mut self, index: usize) {
        let log = self.replicas[index].log.clone();
        self.replicas[index] = Replica::start(&self.program, self.folder.path(), log).await;
    }

    /// The generation that each replica holds; `None` where it has no usable token or doesn't
    /// answer.
    pub async fn generations(&self) -> Vec<Option<u64>> {
        let mut generations = Vec::new();
        for replica in &self.replicas {
            generations.push(self.generation(replica).await);
        }
        generations
    }

    /// The generation that a replica holds.
    pub async fn generation(&self, replica: &Replica) -> Option<u64> {
        let status = self.status(replica).await?;
        let app = &status["apps"][0];
        (app["state"] == "ready").then(|| app["token"]["generation"].as_u64()).flatten()
    }

    /// What a replica's status says.
    pub async fn status(&self, replica: &Replica) -> Option<Value> {
        let url = format!("http://{}/api/v1/status", replica.admin);
        let answer = self.client.get(url).bearer_auth("admin").send().await.ok()?;
        serde_json::from_slice(&answer.bytes().await.ok()?).ok()
    }

    /// Waits until all replicas hold the same generation, `at_least` this one; gives it and how
    /// long that took.
    pub async fn agreed_on(&self, at_least: u64) -> (u64, Duration) {
        let began = Instant::now();
        let agreed = async || {
            let generations = self.generations().await;
            let first = (*generations.first()?)?;
            (first >= at_least && generations.iter().all(|other| *other == Some(first))).then_some(first)
        };
        let generation = found(|| format!("agreement on {at_least}\n{}", self.logs()), agreed).await;
        (generation, began.elapsed())
    }

    pub async fn agreed(&self) -> u64 {
        self.agreed_on(1).await.0
    }

    /// Fetches and forces so far.
    pub fn counts(&self) -> (u64, u64) {
        let counts = self.sandbox.counts();
        (counts.fetches, counts.forces)
    }

    /// Has a replica read its configuration again.
    pub async fn reload(&self, replica: &Replica) {
        let url = format!("http://{}/api/v1/reload", replica.admin);
        let answer = self.client.post(url).bearer_auth("admin").send().await.expect("an answer");
        assert!(answer.status().is_success(), "{answer:?}");
    }

    /// The sum of a metric over all replicas.
    pub async fn metric(&self, sample: &str) -> f64 {
        let mut sum = 0.0;
        for replica in &self.replicas {
            sum += self.metric_of(replica, sample).await;
        }
        sum
    }

    /// A metric of one replica.
    pub async fn metric_of(&self, replica: &Replica, sample: &str) -> f64 {
        let url = format!("http://{}/metrics", replica.admin);
        let answer = self.client.get(url).bearer_auth("admin").send().await.expect("an answer");
        let text = answer.text().await.expect("text");
        let value = text.lines().find_map(|line| line.strip_prefix(sample)?.trim().parse::<f64>().ok());
        value.unwrap_or_default()
    }

    /// What the replicas wrote, for a test that fails.
    pub fn logs(&self) -> String {
        let mut logs = String::new();
        for replica in &self.replicas {
            let text = std::fs::read_to_string(&replica.log).unwrap_or_default();
            for line in text.lines().filter(|line| !line.contains("\"kind\":\"access\"")) {
                logs += &format!("{}: {line}\n", replica.authority);
            }
        }
        logs
    }
}

impl Replica {
    /// With the configuration in this folder.
    pub async fn start(program: &Path, folder: &Path, log: PathBuf) -> Self {
        let out = std::fs::File::create(&log).expect("a log");
        let child = Command::new(program)
            .args(["serve", "--config", "wxgate.toml"])
            .current_dir(folder)
            .env_clear()
            .env("SHOP_SECRET", SECRET)
            .env("ADMIN_TOKEN", "admin")
            .stdin(Stdio::null())
            .stderr(out.try_clone().expect("a handle"))
            .stdout(out)
            .spawn()
            .expect("started");
        let mut replica = Self { child, log, authority: String::new(), admin: String::new() };
        let log = || format!("a listener: {}", std::fs::read_to_string(&replica.log).unwrap_or_default());
        let listening = async || replica.logged("listening").zip(replica.logged("admin listening"));
        (replica.authority, replica.admin) = found(log, listening).await;
        replica
    }

    /// The address in the log line with this message.
    pub fn logged(&self, message: &str) -> Option<String> {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let mut events = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let event = events.find(|event| event["message"] == message)?;
        event["address"].as_str().map(str::to_owned)
    }

    /// What it wrote so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// STOP, CONT, HUP, ...
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.id().to_string()]).status();
        assert!(status.expect("kill runs").success());
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// kill -TERM, and waits until it has ended.
    pub fn end(&mut self) {
        self.signal("TERM");
        assert!(self.child.wait().expect("it ended").success(), "{}", self.log());
    }

    /// kill -9.
    pub fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ended");
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
