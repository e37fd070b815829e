//! A real Prometheus on a free port, ended with the test.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{deployed, read};
use crate::until::LOST;

/// A program of Debian's package `prometheus`, as `tests/run` has unpacked it or as it is
/// installed.
pub(crate) fn program(name: &str) -> PathBuf {
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/prometheus/usr/bin").join(name);
    if unpacked.exists() { unpacked } else { name.into() }
}

/// A server that scrapes one wxgate each second and knows the alerts.
pub(crate) struct Prometheus {
    child: Child,
    folder: tempfile::TempDir,
    url: String,
    client: reqwest::Client,
}

impl Prometheus {
    /// Scrapes `target`, `host:port`, by the example configuration.
    pub(crate) async fn scraping(target: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = read(&deployed("prometheus/wxgate.yml"));
        let config = config.replace(": 15s", ": 1s").replace("127.0.0.1:9090", target);
        std::fs::write(folder.path().join("wxgate.yml"), config).expect("written");
        std::fs::copy(deployed("prometheus/alerts.yml"), folder.path().join("alerts.yml")).expect("copied");
        let tls = wxgate::upstream::tls::client_config(None).expect("roots");
        let client = reqwest::Client::builder().no_proxy().tls_backend_preconfigured(tls).build();
        let client = client.expect("a client");
        let give_up = Instant::now() + LOST;
        let (mut child, mut url) = spawn(folder.path());
        loop {
            let ready = client.get(format!("{url}/-/ready")).send().await;
            if ready.is_ok_and(|answer| answer.status() == 200) {
                return Self { child, folder, url, client };
            }
            // Somebody else may have taken the port meanwhile.
            if child.try_wait().expect("a child").is_some() {
                (child, url) = spawn(folder.path());
            }
            assert!(Instant::now() < give_up, "prometheus does not start: {}", log(folder.path()));
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// What the API says to `path` with this query or other parameter.
    pub(crate) async fn ask(&self, path: &str, parameters: &[(&str, &str)]) -> Value {
        let request = self.client.post(format!("{}/api/v1/{path}", self.url));
        let encoded = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        let request = request.header("Content-Type", "application/x-www-form-urlencoded").body(encoded);
        let bytes = request.send().await.expect("an answer").bytes().await.expect("a body");
        let answer: Value = serde_json::from_slice(&bytes).expect("JSON");
        assert_eq!(
            answer["status"],
            "success",
            "{path} {parameters:?}: {answer}\n{}",
            log(self.folder.path())
        );
        answer["data"].clone()
    }

    /// The rules or alerts, which are only to be got.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let answer = self.client.get(format!("{}/api/v1/{path}", self.url)).send().await.expect("an answer");
        let answer: Value = serde_json::from_slice(&answer.bytes().await.expect("a body")).expect("JSON");
        answer["data"].clone()
    }

    /// The series that an instant query finds.
    pub(crate) async fn query(&self, query: &str) -> Vec<Value> {
        self.ask("query", &[("query", query)]).await["result"].as_array().cloned().unwrap_or_default()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // Its data goes with the folder: there is nothing to write out.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(folder: &Path) -> (Child, String) {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr());
    let address = port.expect("a free port").to_string();
    let log = std::fs::File::create(folder.join("log")).expect("a file");
    let child = Command::new(program("prometheus"))
        .arg(format!("--config.file={}", folder.join("wxgate.yml").display()))
        .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
        .arg(format!("--web.listen-address={address}"))
        .arg("--enable-feature=exemplar-storage")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn();
    (child.expect("prometheus runs: tests/run --install fetches it"), format!("http://{address}"))
}

fn log(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("log")).unwrap_or_default()
}
