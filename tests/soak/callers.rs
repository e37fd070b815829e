//! Services of several kinds, each on its own connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::client::client;
use crate::ledger::{Ledger, Outcome, Seen};

pub const KEY: &str = "wxg_key-of-web";
pub const LIMITED_KEY: &str = "wxg_key-of-limited";
pub const HASTY_KEY: &str = "wxg_key-of-hasty";
/// Of which every request is counted: nobody else calls it.
pub const MESSAGE: &str = "/cgi-bin/message/custom/send";
pub const LIMITED: &str = "/cgi-bin/message/template/send";
/// Whose callers hang up, so that nobody knows what became of a request.
const HASTY: &str = "/cgi-bin/message/custom/typing";
const USER: &str = "/cgi-bin/user/info";
const UPLOAD: &str = "/cgi-bin/media/upload";
const TOKEN: &str = "/cgi-bin/token";
/// All that are called.
pub const PATHS: [&str; 5] = [MESSAGE, LIMITED, HASTY, USER, UPLOAD];
/// Between two requests of a caller, so that two cores carry all replicas.
const THINKING: Duration = Duration::from_millis(150);
/// Longer than wxgate lets anybody wait.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where replicas are: the number of the process, and its address.
pub type Doors = Arc<Mutex<Vec<(usize, String)>>>;

/// Callers at work.
#[derive(Default)]
pub struct Callers {
    stop: Arc<AtomicBool>,
    tasks: JoinSet<()>,
}

/// Of all requests, what must not be carried out twice.
#[derive(Clone, Default)]
pub struct Posts(Arc<AtomicU64>);

/// A service.
struct Caller {
    client: reqwest::Client,
    doors: Doors,
    ledger: Ledger,
    posts: Posts,
    random: fastrand::Rng,
}

impl Callers {
    pub fn start(count: usize, seed: u64, doors: &Doors, ledger: &Ledger) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let posts = Posts::default();
        let mut tasks = JoinSet::new();
        for number in 0..count {
            let mut caller = Caller {
                client: client(),
                doors: Arc::clone(doors),
                ledger: ledger.clone(),
                posts: posts.clone(),
                random: fastrand::Rng::with_seed(seed.wrapping_mul(1000) + number as u64),
            };
            let stop = Arc::clone(&stop);
            tasks.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    caller.asks().await;
                    sleep(THINKING).await;
                }
            });
        }
        Self { stop, tasks }
    }

    /// Has them stop after the requests in progress.
    pub async fn stop(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.tasks.join_next().await {
            ended.expect("no caller panics");
        }
    }
}

impl Posts {
    /// A body that no other request has, of about this length.
    fn body(&self, length: usize) -> String {
        let number = self.0.fetch_add(1, Ordering::Relaxed);
        format!(
            r#"{{"touser":"o{number}","template_id":"t","msgtype":"text","text":{{"content":"{}"}}}}"#,
            "x".repeat(length)
        )
    }
}

impl Caller {
    async fn asks(&mut self) {
        let (process, authority) = {
            let doors = self.doors.lock();
            doors[self.random.usize(..doors.len())].clone()
        };
        let url = |path: &str| format!("http://{authority}{path}");
        let json = |request: reqwest::RequestBuilder| request.header("Content-Type", "application/json");
        let kind = self.random.usize(..8);
        let begun = Instant::now();
        let (what, path, outcome) = match kind {
            0 | 1 => {
                let openid = format!("o{}", self.random.u64(..));
                let url = url(&format!("{USER}?openid={openid}"));
                let outcome = answered(self.client.get(url).header("X-Wxgate-Key", KEY)).await;
                ("user", USER, checked(outcome, |body| body["openid"] == *openid))
            }
            2 | 3 => {
                let request = self.client.post(url(MESSAGE)).header("X-Wxgate-Key", KEY);
                ("message", MESSAGE, of(answered(json(request).body(self.posts.body(2000))).await))
            }
            4 => {
                let request = self.client.post(url(LIMITED)).header("X-Wxgate-Key", LIMITED_KEY);
                ("limited", LIMITED, of(answered(json(request).body(self.posts.body(100))).await))
            }
            5 => {
                let request = self.client.post(url(&format!("{UPLOAD}?type=image")));
                let form = format!(
                    "--b\r\nContent-Disposition: form-data; name=\"media\"; filename=\"a.png\"\r\n\
                     Content-Type: image/png\r\n\r\n{}\r\n--b--\r\n",
                    self.posts.body(200_000)
                );
                let request = request.header("X-Wxgate-Key", KEY);
                let request = request.header("Content-Type", "multipart/form-data; boundary=b").body(form);
                let outcome = checked(answered(request).await, |body| body["media_id"].is_string());
                ("upload", UPLOAD, outcome)
            }
            6 => {
                // As an SDK does that is given a key as its AppSecret.
                let token = url(&format!(
                    "{TOKEN}?grant_type=client_credential&appid={}&secret={KEY}",
                    crate::stage::APPID
                ));
                match answered(self.client.get(token)).await {
                    Ok(body) if body["access_token"].is_string() => {
                        let token = body["access_token"].as_str().unwrap_or_default();
                        let url = url(&format!("{USER}?access_token={token}&openid=sdk"));
                        let outcome = answered(self.client.get(url)).await;
                        ("sdk", USER, checked(outcome, |body| body["openid"] == "sdk"))
                    }
                    other => ("token call", TOKEN, checked(other, |_| false)),
                }
            }
            _ => {
                let patience = Duration::from_millis(self.random.u64(..20));
                let request = self.client.post(url(HASTY)).header("X-Wxgate-Key", HASTY_KEY);
                let answer = answered(json(request).body(self.posts.body(20_000)));
                let outcome = timeout(patience, answer).await.map_or(Outcome::GivenUp, of);
                ("hang-up", HASTY, outcome)
            }
        };
        let ended = Instant::now();
        self.ledger.record(Seen { what, path, process, begun, ended, outcome });
    }
}

/// WeChat's good answer, or what came instead.
async fn answered(request: reqwest::RequestBuilder) -> Result<Value, Outcome> {
    let broken = |error: reqwest::Error| Outcome::Broken(format!("{error:?}"));
    let whole = async {
        let answer = request.send().await.map_err(broken)?;
        let status = answer.status();
        let own = answer.headers().get("x-wxgate-error").cloned();
        let body = answer.bytes().await.map_err(broken)?;
        if let Some(code) = own {
            return Err(Outcome::Own(code.to_str().unwrap_or_default().to_owned()));
        }
        match serde_json::from_slice::<Value>(&body) {
            Ok(json) if status == 200 => match json["errcode"].as_i64() {
                None | Some(0) => Ok(json),
                Some(code) => Err(Outcome::Wechat(code)),
            },
            // A gateway's page, an empty body.
            _ => Err(Outcome::Wechat(0)),
        }
    };
    timeout(PATIENCE, whole).await.unwrap_or_else(|_| Err(Outcome::Wrong("no answer".into())))
}

fn of(answer: Result<Value, Outcome>) -> Outcome {
    checked(answer, |_| true)
}

fn checked(answer: Result<Value, Outcome>, is_ours: impl Fn(&Value) -> bool) -> Outcome {
    match answer {
        Ok(body) if is_ours(&body) => Outcome::Good,
        Ok(body) => Outcome::Wrong(body.to_string()),
        Err(outcome) => outcome,
    }
}
