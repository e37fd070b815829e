//! A cluster, what befalls it, and what must hold.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::plan::Plan;
use super::replica::{Replica, Seen};
use super::wechat::WeChat;
use crate::observe::clock::Clock;
use crate::store::simulated::Server;

/// From the start until nothing happens any more.
const BUSY: Duration = Duration::from_secs(40);
/// For backoffs and leases to run out.
const QUIET: Duration = Duration::from_secs(30);
/// At the very end no call may fail.
const LAST: Duration = Duration::from_secs(5);
/// Apart enough for a request to be replayed in between.
const BETWEEN_ROTATIONS: Duration = Duration::from_secs(4);
/// How long after a fault a fetch may be due to it: a lease, a wait for it, a backoff.
const AFTERMATH: Duration = Duration::from_secs(10);

/// Needless fetches of each replica while the store is down: two at once, more with growing pauses.
const FOR_AN_OUTAGE: usize = 6;
const FOR_ANOTHER_FAULT: usize = 2;

/// What happened.
#[derive(Debug, Default)]
pub(super) struct Figures {
    pub calls: u64,
    pub failures: usize,
    pub rotations: usize,
    pub faults: usize,
    pub fetches: usize,
    pub forces: usize,
    /// Fetches while the token lived.
    pub needless: usize,
}

impl Figures {
    pub(super) fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.failures += other.failures;
        self.rotations += other.rotations;
        self.faults += other.faults;
        self.fetches += other.fetches;
        self.forces += other.forces;
        self.needless += other.needless;
    }
}

pub(super) struct World<'p> {
    plan: &'p Plan,
    began: Instant,
    clock: Clock,
    server: Arc<Server>,
    wechat: Arc<WeChat>,
    seen: Arc<Seen>,
    replicas: Vec<Replica>,
    rotations: usize,
    /// When each fault began and ended.
    faults: Vec<(Instant, Instant)>,
    /// How many of them took the store away.
    outages: usize,
    /// Rotations and faults, in words.
    events: Vec<(Instant, String)>,
}

impl<'p> World<'p> {
    pub(super) fn new(plan: &'p Plan) -> Self {
        Self {
            plan,
            began: Instant::now(),
            clock: Clock::simulated(),
            server: Server::new(),
            wechat: WeChat::new(plan.mode),
            seen: Arc::default(),
            replicas: Vec::new(),
            rotations: 0,
            faults: Vec::new(),
            outages: 0,
            events: Vec::new(),
        }
    }

    /// What happened, in order: for whoever looks into a violation.
    fn story(&self) -> String {
        let at = |moment: Instant| moment.saturating_duration_since(self.began).as_millis();
        let mut lines: Vec<(u128, String)> = Vec::new();
        for fetch in self.wechat.fetches() {
            let why = if fetch.needed { "needed" } else { "needless" };
            let how = if fetch.forced { ", forced" } else { "" };
            lines.push((at(fetch.at), format!("replica {} fetched: {why}{how}", fetch.replica)));
        }
        lines.extend(
            self.wechat.lost().iter().map(|lost| (at(*lost), "an answer was lost or late".to_owned())),
        );
        lines.extend(self.events.iter().map(|(when, what)| (at(*when), what.clone())));
        for (when, why) in self.seen.failures.lock().iter() {
            lines.push((at(*when), format!("a call failed: {why}")));
        }
        lines.sort();
        lines.iter().map(|(when, what)| format!("\n{when:>8} ms  {what}")).collect()
    }

    pub(super) async fn run(mut self) -> Result<Figures, String> {
        for id in 0..self.plan.replicas {
            let replica = self.replica(id);
            self.replicas.push(replica);
        }
        let mut rotation = self.began + Duration::from_millis(fastrand::u64(500..6000));
        let mut fault = self.began + Duration::from_millis(fastrand::u64(1000..8000));
        while self.began.elapsed() < BUSY {
            if rotation < fault || !(self.plan.faults || self.plan.pauses) {
                sleep_until(rotation).await;
                self.wechat.rotate();
                self.happened("the token was ended from outside");
                self.rotations += 1;
                rotation += BETWEEN_ROTATIONS + Duration::from_millis(fastrand::u64(0..6000));
            } else if self.plan.pauses {
                sleep_until(fault).await;
                let lasts = Duration::from_millis(fastrand::u64(300..=2500));
                self.happened(&format!("the store stands still for {lasts:?}"));
                self.server.pause(lasts);
                fault += BETWEEN_ROTATIONS + Duration::from_millis(fastrand::u64(0..3000));
            } else {
                sleep_until(fault).await;
                self.befall().await;
                fault += Duration::from_millis(fastrand::u64(1000..12_000));
            }
        }
        self.wechat.lossy(0.0);
        self.server.lossy(0.0);
        sleep(QUIET).await;
        self.judge().map_err(|violation| format!("{violation}{}", self.story()))
    }

    fn replica(&self, id: usize) -> Replica {
        let store = self.server.store(id);
        Replica::start(id, self.plan, store, &self.wechat, &self.clock, &self.seen)
    }

    fn happened(&mut self, what: &str) {
        self.events.push((Instant::now(), what.to_owned()));
    }

    async fn befall(&mut self) {
        let began = Instant::now();
        let lasts = Duration::from_millis(fastrand::u64(50..5000));
        let one = fastrand::usize(..self.replicas.len());
        let mut ended = began;
        let kind = fastrand::u8(..7);
        self.outages += usize::from(matches!(kind, 1 | 2 | 5 | 6));
        match kind {
            0 => {
                self.happened(&format!("replica at {one} killed"));
                let dead = self.replicas.swap_remove(one);
                dead.die();
                sleep(Duration::from_millis(fastrand::u64(0..2000))).await;
                let born = self.replica(self.replicas.len());
                self.replicas.push(born);
            }
            1 => {
                self.happened(&format!("store down for {lasts:?}"));
                (0..=self.plan.replicas).for_each(|id| self.server.cut_off(id, lasts));
                ended += lasts;
            }
            2 => {
                self.happened(&format!("replica {one} cut off from the store for {lasts:?}"));
                self.server.cut_off(one, lasts);
                ended += lasts;
            }
            3 => {
                self.happened("store flushed");
                self.server.flush();
            }
            4 => {
                self.happened(&format!("answers of WeChat lost for {lasts:?}"));
                self.wechat.lossy(0.3);
                sleep(lasts).await;
                self.wechat.lossy(0.0);
            }
            5 => {
                self.happened(&format!("the store stands still for {lasts:?}"));
                self.server.pause(lasts);
                ended += lasts;
            }
            _ => {
                self.happened(&format!("answers of the store lost for {lasts:?}"));
                self.server.lossy(0.1);
                sleep(lasts).await;
                self.server.lossy(0.0);
            }
        }
        self.faults.push((began, ended.max(Instant::now())));
    }

    fn judge(&self) -> Result<Figures, String> {
        let at = |moment: Instant| moment.saturating_duration_since(self.began);
        if let Some(violation) = self.seen.violations.lock().first() {
            return Err(violation.clone());
        }
        if let Some(overwrite) = self.server.overwrites().first() {
            return Err(format!("an older token went over a newer one: {overwrite}"));
        }
        let fetches = self.wechat.fetches();
        for fetch in fetches.iter().filter(|fetch| !fetch.needed) {
            if !self.excused(fetch.at) {
                return Err(format!(
                    "{:?} replica {} fetched while the token lived",
                    at(fetch.at),
                    fetch.replica
                ));
            }
        }
        for fetch in fetches.iter().filter(|fetch| fetch.forced) {
            if !self.excused(fetch.at) {
                return Err(format!("{:?} replica {} forced a token", at(fetch.at), fetch.replica));
            }
        }
        let needless = fetches.iter().filter(|fetch| !fetch.needed).count();
        let others = self.faults.len() - self.outages;
        if needless > self.plan.replicas * (FOR_AN_OUTAGE * self.outages + FOR_ANOTHER_FAULT * others) {
            let outages = self.outages;
            return Err(format!(
                "{needless} needless fetches for {outages} outages and {others} other faults"
            ));
        }
        let failures = self.seen.failures.lock();
        for (when, why) in failures.iter() {
            if !self.excused(*when) || when.elapsed() < LAST {
                return Err(format!("{:?} a call failed: {why}", at(*when)));
            }
        }
        for (id, replica) in self.replicas.iter().enumerate() {
            match replica.handle.current() {
                Some(token) if self.wechat.lives(token.value.expose()) => {}
                Some(token) => {
                    return Err(format!("replica {id} holds a dead token, generation {}", token.generation));
                }
                None => return Err(format!("replica {id} holds no token")),
            }
        }
        let mut generations =
            self.replicas.iter().map(|replica| replica.handle.current().map(|t| t.generation));
        let first = generations.next();
        if !generations.all(|generation| Some(generation) == first) {
            return Err("the replicas count generations differently".into());
        }
        Ok(Figures {
            calls: self.seen.calls.load(Ordering::Relaxed),
            failures: failures.len(),
            rotations: self.rotations,
            faults: self.faults.len(),
            fetches: fetches.len(),
            forces: fetches.iter().filter(|fetch| fetch.forced).count(),
            needless,
        })
    }

    /// Whether a fault was going on, or had been shortly before.
    fn excused(&self, moment: Instant) -> bool {
        let near = |began: Instant, ended: Instant| began <= moment && moment <= ended + AFTERMATH;
        self.faults.iter().any(|(began, ended)| near(*began, *ended))
            || self.wechat.lost().iter().any(|lost| near(*lost, *lost + Duration::from_secs(4)))
    }
}
