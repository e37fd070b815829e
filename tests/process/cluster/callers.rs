//! Callers that never stop asking, and what they saw.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::fleet::Fleet;
use crate::client::client;
use crate::until::until;

/// Between two requests of a caller, so that two cores carry all replicas.
const THINKING: Duration = Duration::from_millis(150);

/// Callers at work.
pub struct Callers {
    stop: Arc<AtomicBool>,
    /// Of each caller, how many answers it has.
    rounds: Vec<Arc<AtomicUsize>>,
    tasks: JoinSet<Seen>,
}

/// What callers saw.
#[derive(Debug, Default)]
pub struct Seen {
    pub answers: usize,
    /// Anything but WeChat's good answer.
    pub errors: Vec<String>,
    pub longest: Duration,
}

impl Seen {
    /// Nothing but good answers, and some.
    pub fn nothing_bad(&self, fleet: &Fleet) {
        let errors = &self.errors[..self.errors.len().min(3)];
        assert!(errors.is_empty(), "{} errors, like {errors:#?}\n{}", self.errors.len(), fleet.logs());
        assert!(self.answers > 0);
    }
}

impl Callers {
    /// That many callers of each replica in `replicas`.
    pub fn start(fleet: &Fleet, replicas: std::ops::Range<usize>, each: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (mut tasks, mut rounds) = (JoinSet::new(), Vec::new());
        for replica in &fleet.replicas[replicas] {
            let client = client();
            for caller in 0..each {
                let url = format!("http://{}/cgi-bin/user/info?openid=o{caller}", replica.authority);
                let round = Arc::<AtomicUsize>::default();
                rounds.push(Arc::clone(&round));
                tasks.spawn(ask(client.clone(), url, Arc::clone(&stop), round));
            }
        }
        Self { stop, rounds, tasks }
    }

    /// Waits until every caller has had an answer to a request that it sends from now on.
    pub async fn round(&self) {
        let goals: Vec<_> = self.rounds.iter().map(|round| round.load(Ordering::Relaxed) + 2).collect();
        for (round, goal) in self.rounds.iter().zip(goals) {
            until(|| "a caller's answers", async || round.load(Ordering::Relaxed) >= goal).await;
        }
    }

    /// Has them stop, and tells what they saw.
    pub async fn stop(mut self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Seen::default();
        while let Some(seen) = self.tasks.join_next().await {
            let seen = seen.expect("no caller panics");
            all.answers += seen.answers;
            all.errors.extend(seen.errors);
            all.longest = all.longest.max(seen.longest);
        }
        all
    }
}

async fn ask(client: reqwest::Client, url: String, stop: Arc<AtomicBool>, round: Arc<AtomicUsize>) -> Seen {
    let mut seen = Seen::default();
    while !stop.load(Ordering::Relaxed) {
        let asked = Instant::now();
        match answer(&client, &url).await {
            Ok(()) => seen.answers += 1,
            Err(error) => seen.errors.push(error),
        }
        seen.longest = seen.longest.max(asked.elapsed());
        round.fetch_add(1, Ordering::Relaxed);
        sleep(THINKING).await;
    }
    seen
}

async fn answer(client: &reqwest::Client, url: &str) -> Result<(), String> {
    let answer = client.get(url).send().await.map_err(|error| format!("{error:?}"))?;
    let status = answer.status();
    let body = answer.bytes().await.map_err(|error| format!("{error:?}"))?;
    let json: Value = serde_json::from_slice(&body).map_err(|error| format!("{status} {error}"))?;
    if status == 200 && json["openid"].is_string() { Ok(()) } else { Err(format!("{status} {json}")) }
}
