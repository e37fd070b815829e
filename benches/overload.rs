//! More requests than there is room for: `cargo bench --bench overload`.
//!
//! WeChat takes 50 ms for each, and 64 may be at work: so there is a capacity of 1,280 requests a
//! second, of which 1, 2, 5 and 10 times as many are offered, at an even pace and whatever becomes
//! of those before. Then the calls of one app hang while another's are counted. nginx with
//! `limit_conn` does the same, where it is installed.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a program for people, which ends where its setting fails"
)]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufStream};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use wxgate::sandbox::{Action, App, AppKind, Fault, Options, Sandbox};

const PLACES: u32 = 64;
const TAKES: Duration = Duration::from_millis(50);
const HANGS: Duration = Duration::from_secs(15);
const WHILE: Duration = Duration::from_secs(5);

const USUAL: &str = "/cgi-bin/user/info";
const SHORT: &str = "/cgi-bin/menu/get";
const HANGING: &str = "/cgi-bin/user/get";

/// What became of the requests, with how long each took.
#[derive(Default)]
struct Outcome {
    served: Vec<Duration>,
    refused: Vec<Duration>,
    failed: usize,
}

/// A server before the sandbox, ended when this is dropped.
struct Server {
    child: Child,
    authority: String,
    _folder: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn wxgate(upstream: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let app = |name: &str, number: u8| {
            format!(
                "[[app]]\nname = \"{name}\"\nappid = \"wx000000000000000{number}\"\nsecret = {{ env = \"SECRET\" }}\n"
            )
        };
        let text = format!(
            "[server]\nlisten = [\"127.0.0.1:{port}\"]\nworkers = 1\nmax_inflight = {PLACES}\n\
             [admin]\nlisten = \"127.0.0.1:0\"\n[store]\nurl = \"memory:\"\n\
             [upstream]\nbase_urls = [\"{upstream}\"]\nresponse_timeout = \"30s\"\n{}{}",
            app("shop", 1),
            app("game", 2)
        );
        std::fs::write(folder.path().join("wxgate.toml"), text).expect("written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_wxgate"));
        command.args(["serve", "--config", "wxgate.toml"]).env("SECRET", "s");
        Self::start(command, folder, port)
    }

    /// None where there is no nginx.
    fn nginx(upstream: &str) -> Option<Self> {
        let program =
            ["/usr/sbin/nginx", "/usr/bin/nginx"].into_iter().find(|path| Path::new(path).exists())?;
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let upstream = upstream.trim_start_matches("http://");
        let text = format!(
            "daemon off; worker_processes 1; pid nginx.pid; error_log /dev/null;\n\
             events {{ worker_connections 8192; }}\n\
             http {{ access_log off; limit_conn_zone $server_name zone=all:1m; limit_conn_log_level info;\n\
             upstream wechat {{ server {upstream}; keepalive 64; }}\n\
             server {{ listen 127.0.0.1:{port}; server_name wxgate; limit_conn all {PLACES}; keepalive_requests 1000000;\n\
             location ~ ^/@[a-z]+(/.*)$ {{ proxy_http_version 1.1; proxy_set_header Connection ''; \
             proxy_pass http://wechat$1?access_token=t; }} }} }}\n"
        );
        std::fs::write(folder.path().join("nginx.conf"), text).expect("written");
        let mut command = Command::new(program);
        command.arg("-p").arg(folder.path()).args(["-c", "nginx.conf"]);
        Some(Self::start(command, folder, port))
    }

    fn start(mut command: Command, folder: tempfile::TempDir, port: u16) -> Self {
        command.current_dir(folder.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("it starts");
        Self { child, authority: format!("127.0.0.1:{port}"), _folder: folder }
    }

    /// Waits until it serves.
    async fn ready(self) -> Self {
        while ask(&self.authority, &mut None, &format!("/@shop{SHORT}")).await != Some(200)
            || ask(&self.authority, &mut None, &format!("/@game{SHORT}")).await != Some(200)
        {
            sleep(Duration::from_millis(50)).await;
        }
        self
    }

    /// Offers so many requests a second for a while.
    async fn offer(&self, path: &str, each_second: u32, time: Duration) -> Outcome {
        let idle: Arc<Mutex<Vec<BufStream<TcpStream>>>> = Arc::default();
        let outcome: Arc<Mutex<Outcome>> = Arc::default();
        let (path, began) = (Arc::<str>::from(path), Instant::now());
        let mut requests = JoinSet::new();
        let mut ticks = interval(Duration::from_millis(2));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut sent = 0;
        while began.elapsed() < time {
            ticks.tick().await;
            let due = (began.elapsed().as_secs_f64() * f64::from(each_second)) as u64;
            for _ in sent..due {
                let (idle, outcome, path) = (Arc::clone(&idle), Arc::clone(&outcome), Arc::clone(&path));
                let authority = self.authority.clone();
                requests.spawn(async move {
                    let mut connection = idle.lock().pop();
                    let asked = Instant::now();
                    let status = ask(&authority, &mut connection, &path).await;
                    let took = asked.elapsed();
                    idle.lock().extend(connection);
                    let mut outcome = outcome.lock();
                    match status {
                        Some(200) => outcome.served.push(took),
                        Some(503) => outcome.refused.push(took),
                        _ => outcome.failed += 1,
                    }
                });
            }
            sent = sent.max(due);
        }
        // What hangs is counted as what it is.
        let rest = async { while requests.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(Duration::from_secs(2), rest).await;
        requests.shutdown().await;
        std::mem::take(&mut *outcome.lock())
    }
}

/// The status of a GET, by a connection that is kept unless it ends.
async fn ask(authority: &str, connection: &mut Option<BufStream<TcpStream>>, path: &str) -> Option<u16> {
    let mut stream = match connection.take() {
        Some(stream) => stream,
        None => BufStream::new(TcpStream::connect(authority).await.ok()?),
    };
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).await.ok()?;
    stream.flush().await.ok()?;
    let (mut status, mut length, mut closes, mut line) = (None, 0, false, String::new());
    loop {
        line.clear();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let lower = line.trim_end().to_ascii_lowercase();
        if lower.is_empty() {
            break;
        } else if status.is_none() {
            status = lower.split(' ').nth(1).and_then(|status| status.parse().ok());
        } else if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        } else if lower == "connection: close" {
            closes = true;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    *connection = (!closes).then_some(stream);
    status
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    listener.local_addr().expect("an address").port()
}

fn milliseconds(times: &mut [Duration], part: f64) -> String {
    times.sort_unstable();
    let at = (times.len() as f64 * part) as usize;
    times
        .get(at.min(times.len().saturating_sub(1)))
        .map_or_else(|| "-".into(), |time| format!("{:.1}", time.as_secs_f64() * 1000.0))
}

async fn overload(name: &str, server: &Server) {
    let capacity = (f64::from(PLACES) / TAKES.as_secs_f64()) as u32;
    let mut best = 0.0_f64;
    for factor in [1, 2, 5, 10] {
        let path = format!("/@shop{USUAL}");
        server.offer(&path, capacity * factor, Duration::from_secs(1)).await;
        let Outcome { mut served, mut refused, failed } = server.offer(&path, capacity * factor, WHILE).await;
        let goodput = served.len() as f64 / WHILE.as_secs_f64();
        best = best.max(goodput);
        println!(
            "| {name} | {factor} | {:.0} | {goodput:.0} | {:.0} % | {} / {} | {} / {} / {} | {failed} |",
            (served.len() + refused.len()) as f64 / WHILE.as_secs_f64(),
            goodput / best * 100.0,
            milliseconds(&mut served, 0.5),
            milliseconds(&mut served, 0.99),
            milliseconds(&mut refused, 0.5),
            milliseconds(&mut refused, 0.99),
            milliseconds(&mut refused, 1.0),
        );
    }
}

async fn hanging(name: &str, server: &Server) {
    let (shop, game) = (format!("/@shop{HANGING}"), format!("/@game{SHORT}"));
    for beside in [false, true] {
        let hang = async {
            if beside {
                server.offer(&shop, 200, WHILE + Duration::from_secs(1)).await;
            }
        };
        let counted = async {
            // Until all that may hang does.
            sleep(Duration::from_secs(1)).await;
            server.offer(&game, 200, WHILE).await
        };
        let ((), Outcome { mut served, refused, failed }) = tokio::join!(hang, counted);
        println!(
            "| {name} | {} | {} | {} / {} | {} | {failed} |",
            if beside { "hangs" } else { "is quiet" },
            served.len(),
            milliseconds(&mut served, 0.5),
            milliseconds(&mut served, 0.99),
            refused.len(),
        );
    }
}

#[tokio::main]
async fn main() {
    let app = |number: u8| App::new(format!("wx000000000000000{number}"), "s", AppKind::OfficialAccount);
    let options = Options { apps: vec![app(1), app(2)], ..Options::default() };
    let sandbox = Sandbox::start(options).expect("the sandbox starts");
    let latency = |time: Duration| Action::Latency { milliseconds: time.as_millis() as u64 };
    sandbox.fault(Fault::new(latency(TAKES)).path(USUAL));
    sandbox.fault(Fault::new(latency(TAKES / 5)).path(SHORT));
    sandbox.fault(Fault::new(latency(HANGS)).path(HANGING));
    let upstream = sandbox.url();
    let mut servers = vec![("wxgate", Server::wxgate(&upstream).ready().await)];
    match Server::nginx(&upstream) {
        Some(nginx) => servers.push(("nginx", nginx.ready().await)),
        None => println!("nginx isn't installed: it is left out"),
    }
    println!(
        "| server | times its capacity | offered/s | served/s | of its best | p50 / p99 ms | refused p50 / p99 / longest ms | failed |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    for (name, server) in &servers {
        overload(name, server).await;
    }
    println!();
    println!("| server | the other app | served | p50 / p99 ms | refused | failed |");
    println!("| --- | --- | --- | --- | --- | --- |");
    for (name, server) in &servers {
        hanging(name, server).await;
    }
}
