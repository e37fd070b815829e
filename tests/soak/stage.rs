//! Three replicas between callers and a fake WeChat, on a Redis that a sentinel watches.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use ring::digest::{SHA256, digest};
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep};
use wxgate::observe::hex::hex;
use wxgate::sandbox::{App, AppKind, Fault, Options, Sandbox, Settings, Target};

use crate::callers::{Callers, Doors, KEY, LIMITED, LIMITED_KEY, MESSAGE};
use crate::fleet::{Fleet, SECRET};
use crate::judge::Judge;
use crate::ledger::{Harm, Ledger};
use crate::process::Held;
use crate::redis::{is_whole, roles};
use crate::redis_server::Watched;
use crate::trouble::Trouble;
use crate::until::until;

pub const APPID: &str = "wx0000000000000001";
const REPLICAS: usize = 3;
const CALLERS: usize = 24;
/// Lives to the end, so that what it holds can be compared.
const SPARED: usize = 0;
/// A flush of counters comes each second; more on a busy machine.
const UNFLUSHED: Duration = Duration::from_millis(2500);
/// What a Redis that lost its data gets back from replicas that live comes within one of their looks.
const LOOK: Duration = Duration::from_secs(15);

/// Everything that takes part.
pub struct Stage {
    fleet: Fleet,
    watched: Watched,
    callers: Callers,
    doors: Doors,
    ledger: Ledger,
    judge: Judge,
    began: Instant,
    budget: usize,
    /// The processes' numbers, by replica.
    processes: Vec<usize>,
    next_process: usize,
    count: Count,
    early: Option<Held>,
    /// When the store may have lost what it held.
    losses: Vec<Instant>,
}

/// What explains fetches and forces.
#[derive(Debug, Default)]
struct Count {
    troubles: usize,
    /// Tokens that died: each costs one fetch.
    deaths: u64,
    /// Fetches that may be one too many, each with its reason's number.
    exceptions: u64,
    poisons: u64,
    flushes: usize,
}

impl Stage {
    pub async fn set(minutes: f64) -> Self {
        let watched = Watched::start().await;
        let apps = vec![App::new(APPID, SECRET, AppKind::OfficialAccount)];
        let settings = Settings { journal_limit: 200_000, ..Settings::default() };
        let sandbox = Sandbox::start(Options { apps, settings, ..Options::default() }).expect("it starts");
        for path in [MESSAGE, LIMITED, "/cgi-bin/user/info", "/cgi-bin/media/upload"] {
            sandbox.daily_limit(path, 1_000_000_000);
        }
        // Used up in the middle: an eighth of what callers ask for comes here, if nothing holds them up.
        let budget = (minutes * 60.0 * CALLERS as f64 / 0.16 / 8.0 / 2.0) as usize;
        let app = format!(
            "appid = \"{APPID}\"\n{}daily = {{ \"{LIMITED}\" = {budget} }}\n{}",
            caller("limited", LIMITED_KEY),
            caller("web", KEY)
        );
        let mut fleet = Fleet::before(sandbox, &app, &format!("url = \"{}\"", watched.url()));
        for _ in 0..REPLICAS {
            fleet.add().await;
        }
        fleet.agreed().await;
        let doors: Doors = Arc::new(Mutex::new(Vec::new()));
        for (process, replica) in fleet.replicas.iter().enumerate() {
            doors.lock().push((process, replica.authority.clone()));
        }
        let ledger = Ledger::default();
        let callers = Callers::start(CALLERS, &doors, &ledger);
        Self {
            fleet,
            watched,
            callers,
            doors,
            ledger,
            judge: Judge::default(),
            began: Instant::now(),
            budget,
            processes: (0..REPLICAS).collect(),
            next_process: REPLICAS,
            count: Count::default(),
            early: None,
            losses: Vec::new(),
        }
    }

    /// Lets a trouble happen, alone.
    pub async fn suffer(&mut self, trouble: Trouble, random: &mut fastrand::Rng) {
        self.count.troubles += 1;
        println!("{:>7.1} s  {trouble:?}", self.began.elapsed().as_secs_f64());
        let lasts = Duration::from_millis(random.u64(300..3000));
        let victim = random.usize(SPARED + 1..REPLICAS);
        let each = REPLICAS as u64;
        match trouble {
            Trouble::Fault(fault) => {
                if fault.path.is_none() {
                    // A fetch whose answer was lost is made again, by whoever needs it.
                    self.count.exceptions += 4 * each;
                }
                self.fault(fault, lasts).await;
            }
            Trouble::Lag(lag) => {
                let span = self.ledger.begin(Harm::Lag);
                self.fleet.sandbox.lag(lag);
                sleep(lasts).await;
                self.fleet.sandbox.end_lag();
                self.ledger.end(span);
                self.count.exceptions += each;
            }
            Trouble::Rotate => self.dies(|sandbox| sandbox.rotate(Target::default())).await,
            Trouble::Expire => self.dies(|sandbox| sandbox.expire(Target::default())).await,
            Trouble::Clock(seconds) => {
                self.dies(|sandbox| {
                    sandbox.advance(seconds * 1000);
                    1
                })
                .await;
            }
            Trouble::Poison => {
                // Only a force helps, and WeChat grants one in half a minute.
                let span = self.ledger.begin(Harm::Lag);
                self.count.poisons += 1;
                self.count.exceptions += 4 * each;
                self.fleet.sandbox.poison(Target::default());
                sleep(Duration::from_secs(31)).await;
                self.ledger.end(span);
            }
            Trouble::Kill => {
                let span = self.ledger.begin(Harm::Killed(self.processes[victim]));
                self.fleet.replicas[victim].kill();
                self.ledger.end(span);
                self.count.exceptions += 1;
                sleep(lasts).await;
                self.start(victim).await;
            }
            Trouble::Restart => {
                let span = self.ledger.begin(Harm::Drained(self.processes[victim]));
                block_in_place(|| self.fleet.replicas[victim].end());
                self.ledger.end(span);
                self.start(victim).await;
            }
            Trouble::Standstill => {
                self.fleet.replicas[victim].signal("STOP");
                sleep(lasts).await;
                self.fleet.replicas[victim].signal("CONT");
                self.count.exceptions += 1;
            }
            Trouble::Reload => {
                for replica in &self.fleet.replicas {
                    replica.signal("HUP");
                }
            }
            Trouble::RedisPause => {
                self.loss();
                roles(&mut self.watched).0.signal("STOP");
                sleep(lasts).await;
                self.watched.replica.signal("CONT");
                self.watched.master.signal("CONT");
            }
            Trouble::RedisFlush => {
                self.loss();
                self.count.flushes += 1;
                roles(&mut self.watched).0.command(&["FLUSHALL"]);
            }
            Trouble::RedisKill if is_whole(&self.watched) => {
                self.loss();
                self.count.flushes += 1;
                roles(&mut self.watched).0.kill();
                sleep(Duration::from_secs(3)).await;
                // The one that is master now is the other.
                roles(&mut self.watched).1.restart().await;
            }
            Trouble::RedisFailover if is_whole(&self.watched) => {
                self.loss();
                self.watched.sentinel.command(&["SENTINEL", "FAILOVER", "main"]);
                sleep(Duration::from_secs(2)).await;
            }
            Trouble::RedisKill | Trouble::RedisFailover => {
                println!("           not now: no replica follows yet")
            }
        }
    }

    /// The store may lose what came last, and replicas that don't see it fetch for themselves.
    fn loss(&mut self) {
        self.losses.push(Instant::now());
        self.count.exceptions += REPLICAS as u64 - 1;
    }

    async fn fault(&mut self, fault: Fault, lasts: Duration) {
        let span = self.ledger.begin(Harm::Upstream);
        let number = self.fleet.sandbox.fault(fault);
        sleep(lasts).await;
        self.fleet.sandbox.end_fault(number);
        self.ledger.end(span);
    }

    /// The token dies, which no caller may see.
    async fn dies(&mut self, death: impl FnOnce(&Sandbox) -> usize) {
        let span = self.ledger.begin(Harm::Nothing);
        self.count.deaths += u64::from(death(&self.fleet.sandbox) > 0);
        sleep(Duration::from_millis(500)).await;
        self.ledger.end(span);
    }

    async fn start(&mut self, victim: usize) {
        self.fleet.restart(victim).await;
        let process = self.next_process;
        self.next_process += 1;
        self.processes[victim] = process;
        self.doors.lock()[victim] = (process, self.fleet.replicas[victim].authority.clone());
    }

    /// Judges what has happened so far.
    pub fn look(&mut self) {
        self.judge.look(&self.fleet.sandbox, false);
        let warm = Duration::from_secs(if self.budget > 3000 { 120 } else { 20 });
        if self.early.is_none() && self.began.elapsed() > warm {
            self.early = Some(Held::by(self.fleet.replicas[SPARED].id()));
        }
        self.nothing_bad();
    }

    fn nothing_bad(&self) {
        let bad = self.ledger.bad();
        assert!(
            bad.is_empty(),
            "{} that nothing explains:\n{}\n{}",
            bad.len(),
            bad[..bad.len().min(5)].join("\n"),
            self.fleet.logs()
        );
        assert!(self.judge.twice.is_empty(), "carried out twice: {:#?}", self.judge.twice);
    }

    /// Lets callers stop, and counts.
    pub async fn end(mut self) {
        let Self { callers, fleet, .. } = self;
        callers.stop().await;
        let rest = async || {
            fleet.metric("wxgate_inflight_requests ").await == 0.0 && {
                let generations = fleet.generations().await;
                generations[0].is_some() && generations.iter().all(|other| *other == generations[0])
            }
        };
        until(|| format!("a rest\n{}", fleet.logs()), rest).await;
        sleep(LOOK).await;
        self.judge.look(&fleet.sandbox, true);
        println!("{}", self.ledger.table());

        // Tokens.
        let counts = fleet.sandbox.counts();
        println!("{counts:?} {:?}", self.count);
        let explained = 1 + self.count.deaths + self.count.exceptions;
        assert!(counts.fetches <= explained, "{} fetches, {explained} explained", counts.fetches);
        assert!(
            counts.forces <= 4 * self.count.poisons + self.count.exceptions / 4,
            "{} forces",
            counts.forces
        );

        // The budget: what a store that lost its data grants anew is a slice for each replica (store/budgets).
        let most = self.budget + self.count.flushes * REPLICAS * (self.budget / 64).max(1);
        println!("{} of {} passed", self.judge.limited, self.budget);
        assert!(self.judge.limited <= most, "{} > {most}", self.judge.limited);

        // Counters.
        let sample = format!("wxgate_calls_today{{app=\"shop\",caller=\"web\",endpoint=\"{MESSAGE}\"}} ");
        let told = fleet.metric_of(&fleet.replicas[SPARED], &sample).await;
        let (mut good, mut doubtful) = (0, 0);
        for (process, moments) in self.ledger.good_messages() {
            good += moments.len();
            let Some(killed) = self.ledger.killed(process) else { continue };
            let lost = self.losses.iter().any(|loss| *loss + LOOK > killed && killed + LOOK > *loss);
            let since = killed.checked_sub(if lost { LOOK * 2 } else { UNFLUSHED }).expect("long ago");
            doubtful += moments.iter().filter(|at| **at > since).count();
        }
        println!(
            "{told} messages counted, {good} answered well, {doubtful} of these in a process's last moments"
        );
        assert!(told + doubtful as f64 >= good as f64, "{told} counted of {good}");

        // What the one that lived all the time holds.
        let late = Held::by(fleet.replicas[SPARED].id());
        println!("{:?} early, {late:?} in the end", self.early);
        if let Some(early) = self.early {
            assert!(late.kib <= early.kib + early.kib / 2 + 32 * 1024, "memory: {early:?} {late:?}");
            assert!(late.descriptors <= early.descriptors + 8, "descriptors: {early:?} {late:?}");
            assert!(late.threads <= early.threads + 4, "threads: {early:?} {late:?}");
        }
        let bad = self.ledger.bad();
        assert!(bad.is_empty(), "{bad:#?}");
        assert!(self.judge.twice.is_empty(), "carried out twice: {:#?}", self.judge.twice);
        println!("{} troubles, {} POSTs, none twice", self.count.troubles, self.judge.carried_out);
    }
}

fn caller(name: &str, key: &str) -> String {
    let hash = hex(digest(&SHA256, key.as_bytes()));
    format!("[[caller]]\nname = \"{name}\"\nkey_sha256 = [\"{hash}\"]\napps = [\"shop\"]\n")
}
