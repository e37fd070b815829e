//! A replica with its callers, which can die at any moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::plan::Plan;
use super::wechat::{WeChat, way};
use crate::observe::clock::Clock;
use crate::secret::Secret;
use crate::store::Store;
use crate::token::{AppOptions, Handle, Manager, Options, Rejection, Verdict};
use crate::upstream::control::Control;
use crate::wechat::AppKind;

pub(super) const REFRESH_WAIT: Duration = Duration::from_secs(5);
/// The pipeline's bound.
const REPLAYS: usize = 2;

/// What callers saw, of all replicas.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub calls: AtomicU64,
    /// Calls that failed, and when.
    pub failures: Mutex<Vec<(Instant, String)>>,
    /// What must never happen.
    pub violations: Mutex<Vec<String>>,
}

impl Seen {
    fn failed(&self, why: String) {
        self.failures.lock().push((Instant::now(), why));
    }

    fn violated(&self, what: String) {
        self.violations.lock().push(what);
    }
}

/// One life of a process.
pub(super) struct Replica {
    pub manager: Manager,
    pub handle: Handle,
    callers: JoinSet<()>,
}

impl Replica {
    pub(super) fn start(
        id: usize,
        plan: &Plan,
        store: Store,
        wechat: &Arc<WeChat>,
        clock: &Clock,
        seen: &Arc<Seen>,
    ) -> Self {
        let app = AppOptions {
            name: "shop".into(),
            appid: "wx1".into(),
            secret: Arc::new(Secret::new("a-secret-of-no-account")),
            kind: AppKind::MiniProgram,
            mode: plan.mode,
            probe: "/probe".into(),
            agent: None,
            suite: None,
            provider_secret: None,
        };
        let options = Options { fetch_timeout: Duration::from_secs(3), refresh_wait: REFRESH_WAIT };
        let control = Control::scripted(wechat.script(id));
        let manager = Manager::simulated((app, control), options, store, clock.clone(), plan.looks_again);
        let handle = manager.handle("shop").expect("configured");
        let mut callers = JoinSet::new();
        callers.spawn(never_older(id, handle.clone(), Arc::clone(seen)));
        for _ in 0..plan.callers {
            let caller = Caller {
                replica: id,
                handle: handle.clone(),
                wechat: Arc::clone(wechat),
                seen: Arc::clone(seen),
            };
            callers.spawn(caller.run());
        }
        Self { manager, handle, callers }
    }

    /// kill -9: nothing is awaited, nothing is given back.
    pub(super) fn die(mut self) {
        self.callers.abort_all();
        self.manager.crash();
    }
}

struct Caller {
    replica: usize,
    handle: Handle,
    wechat: Arc<WeChat>,
    seen: Arc<Seen>,
}

/// Watches that what requests read never goes back.
async fn never_older(replica: usize, handle: Handle, seen: Arc<Seen>) {
    let mut changes = handle.changes();
    let mut newest = 0;
    while changes.changed().await.is_ok() {
        let generation = handle.current().map_or(newest, |token| token.generation);
        if generation < newest {
            seen.violated(format!("replica {replica} published generation {generation} after {newest}"));
        }
        newest = generation;
    }
}

impl Caller {
    async fn run(self) {
        loop {
            sleep(Duration::from_millis(fastrand::u64(0..300))).await;
            self.seen.calls.fetch_add(1, Ordering::Relaxed);
            if let Err(why) = self.call().await {
                self.seen.failed(format!("replica {}: {why}", self.replica));
            }
        }
    }

    async fn call(&self) -> Result<(), String> {
        let asked = Instant::now();
        let obtained = self.handle.obtain().await;
        self.waited("obtain", asked);
        let mut token = obtained.map_err(|unavailable| unavailable.to_string())?;
        let mut replayed_alive = false;
        for _ in 0..=REPLAYS {
            let sent_at = Instant::now();
            sleep(way()).await;
            let lives = self.wechat.lives(token.value.expose());
            sleep(way()).await;
            if lives {
                self.handle.succeeded(token.generation, sent_at);
                return Ok(());
            }
            let rejection = Rejection {
                generation: token.generation,
                endpoint: fastrand::u64(1..4),
                endpoint_path: "/cgi-bin/user/info",
                errcode: 40001,
                sent_at,
                received_at: Instant::now(),
                replayed_alive,
            };
            let asked = Instant::now();
            let verdict = self.handle.rejected(rejection).await;
            self.waited("rejected", asked);
            (token, replayed_alive) = match verdict {
                Verdict::Replay(token) => (token, false),
                Verdict::ReplayAfter(token, delay) => {
                    sleep(delay).await;
                    (token, true)
                }
                Verdict::PassOn => return Err("WeChat's rejection was passed on".into()),
                Verdict::Unavailable(unavailable) => return Err(unavailable.to_string()),
            };
        }
        Err("rejected after all replays".into())
    }

    fn waited(&self, what: &str, since: Instant) {
        if since.elapsed() > REFRESH_WAIT + Duration::from_millis(100) {
            self.seen.violated(format!("{what} of replica {} took {:?}", self.replica, since.elapsed()));
        }
    }
}
