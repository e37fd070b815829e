//! Calls without end while replicas come and go.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::client::client;
use crate::until::until;

/// A replica that takes calls, and how many it has under way.
struct Taker {
    authority: String,
    calls: AtomicUsize,
}

/// Calls without end, for whichever replica takes them.
pub struct Load {
    takers: Arc<Mutex<Vec<Arc<Taker>>>>,
    failed: Arc<Mutex<Vec<String>>>,
    made: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
    callers: JoinSet<()>,
}

impl Load {
    /// So many callers; `prefixes` stand before the paths of their calls in turn, and say which app
    /// is meant.
    pub fn start(callers: usize, prefixes: Vec<String>) -> Self {
        let prefixes: Arc<[String]> = prefixes.into();
        let mut load = Self {
            takers: Arc::default(),
            failed: Arc::default(),
            made: Arc::default(),
            over: Arc::default(),
            callers: JoinSet::new(),
        };
        for number in 0..callers {
            let (takers, failed) = (Arc::clone(&load.takers), Arc::clone(&load.failed));
            let (made, over) = (Arc::clone(&load.made), Arc::clone(&load.over));
            let prefixes = Arc::clone(&prefixes);
            load.callers.spawn(async move {
                let client = client();
                let mut turn = number;
                while !over.load(Ordering::Relaxed) {
                    turn += 1;
                    let taker = {
                        let takers = takers.lock();
                        let taker = takers.get(turn % takers.len().max(1)).map(Arc::clone);
                        taker.inspect(|taker| _ = taker.calls.fetch_add(1, Ordering::Relaxed))
                    };
                    let Some(taker) = taker else {
                        tokio::task::yield_now().await;
                        continue;
                    };
                    // Each replica gets them all, however many of both there are.
                    let prefix = &prefixes[(turn + turn / prefixes.len()) % prefixes.len()];
                    let url = format!("http://{}{prefix}/cgi-bin/user/info?openid=o", taker.authority);
                    let request = client.get(&url).header("connection", "close");
                    let answer = async { request.send().await?.text().await }.await;
                    match answer {
                        Ok(text) if text.contains("\"openid\":\"o\"") => {}
                        other => failed.lock().push(format!("{url}: {other:?}")),
                    }
                    made.fetch_add(1, Ordering::Relaxed);
                    taker.calls.fetch_sub(1, Ordering::Relaxed);
                    sleep(Duration::from_millis(5)).await;
                }
            });
        }
        load
    }

    pub fn add(&self, authority: &str) {
        let taker = Taker { authority: authority.to_owned(), calls: AtomicUsize::new(0) };
        self.takers.lock().push(Arc::new(taker));
    }

    /// From now on it gets no calls, and has none under way.
    pub async fn remove(&self, authority: &str) {
        let removed = {
            let mut takers = self.takers.lock();
            let at = takers.iter().position(|taker| taker.authority == authority).expect("it takes calls");
            takers.remove(at)
        };
        until(|| "the last of its calls", async || removed.calls.load(Ordering::Relaxed) == 0).await;
    }

    /// How many calls were answered so far.
    pub fn made(&self) -> usize {
        self.made.load(Ordering::Relaxed)
    }

    /// Waits for so many more.
    pub async fn goes_on(&self, calls: usize) {
        let goal = self.made() + calls;
        until(|| "more calls", async || self.made() >= goal).await;
    }

    /// Ends it; how many calls there were, and those that failed.
    pub async fn end(self) -> (usize, Vec<String>) {
        self.over.store(true, Ordering::Relaxed);
        self.callers.join_all().await;
        (self.made.load(Ordering::Relaxed), std::mem::take(&mut *self.failed.lock()))
    }
}
