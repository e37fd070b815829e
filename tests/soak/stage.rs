//! Three replicas between callers and a fake WeChat, on a Redis that a sentinel watches.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use ring::digest::{SHA256, digest};
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep};
use wxgate::observe::hex::hex;
use wxgate::sandbox::{App, AppKind, Fault, Options, Sandbox, Settings, Target};

use crate::callers::{Callers, Doors, HASTY_KEY, KEY, LIMITED, LIMITED_KEY, MESSAGE, PATHS};
use crate::fleet::{Fleet, SECRET};
use crate::judge::Judge;
use crate::ledger::{Harm, Ledger, STORE};
use crate::process::Held;
use crate::redis::{failed_over, is_settled, is_whole, master, master_port, server};
use crate::redis_server::Watched;
use crate::trouble::Trouble;
use crate::until::until;

pub const APPID: &str = "wx0000000000000001";
pub const CALLERS: usize = 24;
pub const REPLICAS: usize = 3;
/// Lives to the end, so that what it holds can be compared.
const SPARED: usize = 0;
/// What replicas that live know of each other's counters is written to a store that forgot, and
/// learnt from it, within this time.
const LOOK: Duration = Duration::from_secs(15);
/// A sentinel gives a master up that doesn't answer for half of that.
const FAILS_OVER: Duration = Duration::from_millis(400);
/// Each takes one of the day's 20 forced refreshes, which replicas and faults may need more of.
const MOST_POISONS: u64 = 15;
/// A force is granted half a minute after the last.
const FORCES_APART: Duration = Duration::from_secs(31);

/// Everything that takes part.
pub struct Stage {
    fleet: Fleet,
    watched: Watched,
    callers: Callers,
    doors: Doors,
    ledger: Ledger,
    judge: Judge,
    began: Instant,
    minutes: u32,
    budget: usize,
    /// The port of Redis' master, as far as our doings explain it.
    master: u16,
    /// The harm that lasts until one server follows the other.
    unsettled: Option<usize>,
    /// The processes' numbers, by replica.
    processes: Vec<usize>,
    next_process: usize,
    count: Count,
    early: Option<Held>,
}

/// What explains fetches, forces and what budgets grant.
#[derive(Debug, Default)]
struct Count {
    troubles: usize,
    /// Tokens that died: each costs one fetch.
    deaths: u64,
    /// Fetches that may be one too many, by their reason.
    exceptions: BTreeMap<&'static str, u64>,
    poisons: u64,
}

impl Count {
    /// So many fetches more may come of this.
    fn except(&mut self, reason: &'static str, fetches: u64) {
        *self.exceptions.entry(reason).or_default() += fetches;
    }
}

impl Stage {
    pub async fn set(minutes: u32, seed: u64) -> Self {
        let watched = Watched::start().await;
        let whole = async || {
            sleep(Duration::from_millis(100)).await;
            is_whole(&watched)
        };
        until(|| "a Redis that the sentinel knows to follow the other", whole).await;
        let apps = vec![App::new(APPID, SECRET, AppKind::OfficialAccount)];
        let settings = Settings { journal_limit: 200_000, ..Settings::default() };
        let sandbox = Sandbox::start(Options { apps, settings, ..Options::default() }).expect("it starts");
        for path in PATHS {
            sandbox.daily_limit(path, 1_000_000_000);
        }
        // Used up in the middle: an eighth of what callers ask for comes here, if nothing holds
        // them up.
        let budget = minutes as usize * 60 * CALLERS * 100 / 16 / 8 / 2;
        // What WeChat leaves unanswered is over soon.
        let app = format!(
            "appid = \"{APPID}\"\n[app.upstream]\nresponse_timeout = \"5s\"\n\
             slow_response_timeout = \"5s\"\n{}daily = {{ \"{LIMITED}\" = {budget} }}\n{}{}",
            caller("limited", LIMITED_KEY),
            caller("web", KEY),
            caller("hasty", HASTY_KEY)
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
        let ledger = Ledger::new(budget);
        let callers = Callers::start(CALLERS, seed, &doors, &ledger);
        let master = master_port(&watched);
        Self {
            fleet,
            watched,
            callers,
            doors,
            ledger,
            judge: Judge::default(),
            began: Instant::now(),
            minutes,
            budget,
            master,
            unsettled: None,
            processes: (0..REPLICAS).collect(),
            next_process: REPLICAS,
            count: Count::default(),
            early: None,
        }
    }

    /// Lets a trouble happen, alone.
    pub async fn suffer(&mut self, trouble: Trouble, random: &mut fastrand::Rng) {
        self.count.troubles += 1;
        println!("{:>7.1} s  {trouble:?}", self.began.elapsed().as_secs_f64());
        // Drawn whatever comes, so that a seed stays the same play.
        let lasts = Duration::from_millis(random.u64(300..3000));
        let victim = random.usize(SPARED + 1..REPLICAS);
        let each = REPLICAS as u64;
        // While all hold the same token, and it lives, none of what follows needs another.
        if !agree(&self.fleet).await {
            self.count.except("trouble while a token is fetched", each + 1);
        }
        match trouble {
            Trouble::Fault(fault) => {
                self.fault(fault, lasts).await;
            }
            Trouble::Lag(lag) => {
                let span = self.ledger.begin(Harm::Lag);
                self.fleet.sandbox.lag(lag);
                sleep(lasts).await;
                self.fleet.sandbox.end_lag();
                self.ledger.end(span);
                // The first rejection of a token is answered by a fetch.
                self.count.except("endpoints that reject living tokens", each + 1);
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
            Trouble::Poison if self.count.poisons < MOST_POISONS => {
                let span = self.ledger.begin(Harm::Nothing);
                self.count.poisons += 1;
                // In vain by each replica, then by force.
                self.count.except("tokens that only a force replaces", each + 1);
                self.fleet.sandbox.poison(Target::default());
                sleep(FORCES_APART).await;
                self.ledger.end(span);
            }
            Trouble::Poison => not_now("the day's forces are to last"),
            Trouble::Kill => {
                let span = self.ledger.begin(Harm::Killed(self.processes[victim]));
                self.fleet.replicas[victim].kill();
                sleep(lasts).await;
                self.start(victim).await;
                self.ledger.end(span);
            }
            Trouble::Restart => {
                let span = self.ledger.begin(Harm::Drained(self.processes[victim]));
                block_in_place(|| self.fleet.replicas[victim].end());
                self.start(victim).await;
                self.ledger.end(span);
            }
            Trouble::Standstill => {
                let span = self.ledger.begin(Harm::Nothing);
                self.fleet.replicas[victim].signal("STOP");
                sleep(lasts).await;
                self.fleet.replicas[victim].signal("CONT");
                self.ledger.end(span);
            }
            Trouble::Reload => {
                for replica in &self.fleet.replicas {
                    replica.signal("HUP");
                }
            }
            Trouble::RedisPause => {
                let span = self.ledger.begin(Harm::Store);
                if lasts > FAILS_OVER {
                    self.ledger.forgot();
                }
                master(&mut self.watched).signal("STOP");
                sleep(lasts).await;
                self.watched.replica.signal("CONT");
                self.watched.master.signal("CONT");
                // Whether the sentinel has given it up is the sentinel's.
                self.settles(span);
            }
            Trouble::RedisFlush => {
                let span = self.ledger.begin(Harm::Store);
                self.ledger.forgot();
                master(&mut self.watched).command(&["FLUSHALL"]);
                self.ledger.end(span);
            }
            Trouble::RedisKill if is_whole(&self.watched) => {
                let span = self.ledger.begin(Harm::Store);
                self.ledger.forgot();
                let dead = master_port(&self.watched);
                server(&mut self.watched, dead).kill();
                failed_over(&self.watched, dead).await;
                server(&mut self.watched, dead).restart().await;
                self.settles(span);
            }
            Trouble::RedisFailover if is_whole(&self.watched) => {
                let span = self.ledger.begin(Harm::Store);
                // What the other one hasn't got yet is lost.
                self.ledger.forgot();
                let before = master_port(&self.watched);
                let told = self.watched.sentinel.command(&["SENTINEL", "FAILOVER", "main"]);
                if told.starts_with("OK") {
                    failed_over(&self.watched, before).await;
                } else {
                    not_now(told.trim());
                }
                self.settles(span);
            }
            Trouble::RedisKill | Trouble::RedisFailover => not_now("no Redis follows the other yet"),
        }
    }

    /// There is a master, but what was written to the former one is lost until it follows.
    fn settles(&mut self, span: usize) {
        self.master = master_port(&self.watched);
        if let Some(former) = self.unsettled.replace(span) {
            self.ledger.end(former);
        }
    }

    fn is_settled(&mut self) -> bool {
        if let Some(span) = self.unsettled
            && is_settled(&self.watched)
        {
            self.ledger.end(span);
            self.ledger.forgot();
            self.unsettled = None;
        }
        self.unsettled.is_none()
    }

    async fn fault(&mut self, fault: Fault, lasts: Duration) {
        let span = self.ledger.begin(Harm::Fault(fault.clone()));
        let number = self.fleet.sandbox.fault(fault);
        sleep(lasts).await;
        self.fleet.sandbox.end_fault(number);
        self.ledger.end(span);
    }

    /// The token dies, which no caller may see.
    async fn dies(&mut self, death: impl FnOnce(&Sandbox) -> usize) {
        let span = self.ledger.begin(Harm::Nothing);
        if self.ledger.harmed_store(STORE) {
            // Replicas that don't see the store each fetch for themselves.
            self.count.except("a death without a store", REPLICAS as u64 - 1);
        }
        self.count.deaths += u64::from(death(&self.fleet.sandbox) > 0);
        sleep(Duration::from_millis(500)).await;
        self.ledger.end(span);
    }

    async fn start(&mut self, victim: usize) {
        // It would work with another Redis than the others.
        until(
            || "one Redis that follows the other",
            async || {
                sleep(Duration::from_millis(100)).await;
                self.is_settled()
            },
        )
        .await;
        if self.ledger.harmed_store(LOOK) {
            self.count.except("a start on a store that forgot", 1);
        }
        self.fleet.restart(victim).await;
        let process = self.next_process;
        self.next_process += 1;
        self.processes[victim] = process;
        self.doors.lock()[victim] = (process, self.fleet.replicas[victim].authority.clone());
    }

    /// Judges what has happened so far.
    pub async fn look(&mut self) {
        self.judge.look(&self.fleet.sandbox, false);
        let master = master_port(&self.watched);
        if master != self.master {
            println!("           Redis has another master by now");
            let span = self.ledger.begin(Harm::Store);
            self.ledger.forgot();
            self.settles(span);
        }
        self.is_settled();
        let warm = Duration::from_secs(if self.minutes >= 5 { 120 } else { 20 });
        if self.early.is_none() && self.began.elapsed() > warm {
            self.early = Some(Held::by(&self.fleet, SPARED).await);
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
        // Under load, as the early ones.
        let late = Held::by(&self.fleet, SPARED).await;
        let callers = std::mem::take(&mut self.callers);
        callers.stop().await;
        let fleet = &self.fleet;
        // Connections, requests, and a token that all agree on.
        let rest = async || {
            let open = fleet.metric("wxgate_connections{state=\"active\"} ").await
                + fleet.metric("wxgate_connections{state=\"idle\"} ").await
                + fleet.metric("wxgate_upstream_connections{state=\"active\"} ").await
                + fleet.metric("wxgate_inflight_requests ").await;
            open == 0.0 && agree(fleet).await
        };
        until(|| format!("a rest\n{}", fleet.logs()), rest).await;
        self.judge.look(&fleet.sandbox, true);
        println!("{}", self.ledger.table());
        println!("{:#?}", self.count);
        self.nothing_bad();
        self.fetches_are_explained();
        self.the_budget_was_kept();
        self.every_message_was_counted().await;
        self.nothing_leaked(late);
        println!("{} troubles, {} POSTs, none twice", self.count.troubles, self.judge.carried_out);
    }

    /// A fetch for each token that died, and no more without a reason.
    fn fetches_are_explained(&self) {
        let counts = self.fleet.sandbox.counts();
        let Count { deaths, poisons, exceptions, .. } = &self.count;
        let most = 1 + deaths + exceptions.values().sum::<u64>();
        println!(
            "{} fetches of {most} explained, {} forces, {} probes",
            counts.fetches, counts.forces, counts.probes
        );
        assert!(counts.fetches <= most, "{} fetches, {most} explained", counts.fetches);
        assert!(counts.forces <= 2 * poisons, "{} forces, {poisons} poisoned", counts.forces);
    }

    /// What a store that lost its data grants anew is a slice for each replica (store/budgets).
    fn the_budget_was_kept(&self) {
        let most = self.ledger.most_limited();
        println!("{} of {} passed, {most} at most", self.judge.limited, self.budget);
        assert!(self.judge.limited <= most, "{} > {most}", self.judge.limited);
    }

    /// What callers saw let through is what the replicas count together, but for the last moments
    /// of those that were killed.
    async fn every_message_was_counted(&self) {
        let messages = self.ledger.messages();
        let (mut let_through, mut lost) = (0, 0);
        for (process, moments) in &messages.let_through {
            let_through += moments.len();
            let Some(since) = self.ledger.uncounted_since(*process) else { continue };
            lost += moments.iter().filter(|at| **at > since).count();
        }
        let (least, most) = (let_through - lost, let_through + messages.doubtful);
        let sample = format!("wxgate_calls_today{{app=\"shop\",caller=\"web\",endpoint=\"{MESSAGE}\"}} ");
        // Each replica tells its own at once, and learns of the others' after a look.
        let told = async || self.fleet.metric_of(&self.fleet.replicas[SPARED], &sample).await as usize;
        let mut counted = told().await;
        let give_up = Instant::now() + 2 * LOOK;
        while counted < least && Instant::now() < give_up {
            sleep(Duration::from_millis(200)).await;
            counted = told().await;
        }
        println!("{counted} messages counted, {least} to {most} let through");
        assert!(counted >= least && counted <= most, "{counted} counted, {least} to {most} let through");
    }

    /// What the one that lived all the time holds.
    fn nothing_leaked(&self, late: Held) {
        println!("{:?} early, {late:?} in the end", self.early);
        let Some(early) = self.early else { return };
        assert!(late.kib <= early.kib + early.kib / 2 + 32 * 1024, "memory: {early:?} {late:?}");
        assert!(late.descriptors <= early.descriptors + 16, "descriptors: {early:?} {late:?}");
        assert!(late.threads <= early.threads + 4, "threads: {early:?} {late:?}");
    }
}

/// Whether all replicas hold the same token, and none has found it dead.
async fn agree(fleet: &Fleet) -> bool {
    let generations = fleet.generations().await;
    generations[0].is_some() && generations.iter().all(|other| *other == generations[0])
}

fn not_now(why: &str) {
    println!("           not now: {why}");
}

fn caller(name: &str, key: &str) -> String {
    let hash = hex(digest(&SHA256, key.as_bytes()));
    format!("[[caller]]\nname = \"{name}\"\nkey_sha256 = [\"{hash}\"]\napps = [\"shop\"]\n")
}
