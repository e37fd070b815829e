//! The loop of one app's keeper: messages, and what is due without anybody asking.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, timeout};

use super::events::Events;
use super::grant::Grant;
use super::handle::{Message, Settings, Shared};
use super::held::Held;
use super::obstacle::{Obstacle, Storeless};
use super::renewal::{Limits, Renewal};
use super::schedule::{Ceilings, Moment, Pause};
use super::status::Reason;
use super::verdicts::Verdicts;
use super::{Failure, RefreshReport, RefreshResult, Token, Unavailable};
use crate::observe::clock::Clock;
use crate::store::{ForceBudget, Record, Store};
use crate::upstream::control::Control;
use crate::wechat::Issuer;

/// A wall clock that is stepped is noticed within this time.
const LONGEST_NAP: Duration = Duration::from_secs(15);
const LONGEST_NAP_ON_DEMAND: Duration = Duration::from_secs(300);
const CLOCK_TICK: Duration = Duration::from_millis(1);

/// What keepers work with.
#[derive(Clone, Debug)]
pub(super) struct Tools {
    pub store: Store,
    pub clock: Clock,
    /// Bounds the first fetches of a start with many apps.
    pub starts: Arc<Semaphore>,
    /// Bounds what is fetched on demand at once: thousands of accounts may be asked for in the same second, and a store
    /// that answers late counts as down.
    pub turns: Arc<Semaphore>,
    /// The same for accounts that are looked up.
    pub look_ups: Arc<Semaphore>,
    /// What there is to tell people.
    pub events: Events,
    /// This process among the replicas.
    pub owner: Arc<str>,
    /// Off to see that its lack is found.
    #[cfg(test)]
    pub looks_again: bool,
}

/// The only one who decides about an app's token. Handles one thing at a time.
pub(super) struct Keeper {
    pub(super) shared: Arc<Shared>,
    pub(super) tools: Tools,
    pub(super) issuer: Issuer,
    /// What WeChat handed over to fetch with.
    pub(super) grant: Grant,
    /// Makes this app's calls.
    pub(super) control: Control,
    inbox: mpsc::UnboundedReceiver<Message>,
    /// Under which the store keeps this token.
    pub(super) key: String,
    pub(super) held: Option<Held>,
    /// About the generation held.
    pub(super) verdicts: Verdicts,
    /// The highest generation seen.
    pub(super) generation: u64,
    pub(super) obstacle: Obstacle,
    /// When the budget allows the force that a dead token needs.
    pub(super) force_due: Option<Pause>,
    pub(super) forces: ForceBudget,
    pub(super) ceilings: Ceilings,
    /// Whether a first fetch was made, or none was needed.
    pub(super) started: bool,
    /// Nobody has used it since the last refresh, so that none is made before somebody asks.
    idle: bool,
    /// The token held lost a compare-and-set race in classic mode, where the loser may hold the only live one.
    pub(super) suspect: bool,
    /// A classic fetch whose answer was lost may have rotated the token held.
    pub(super) answer_lost: bool,
    /// Fetches in classic mode without the store, one after the other, and how long until the next.
    pub(super) storeless: Storeless,
    /// The last generation for which interference was reported.
    pub(super) interfered: u64,
    /// Where and when the token was rejected that is being looked into.
    pub(super) rejected: Option<(&'static str, Instant)>,
}

/// What a keeper does of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The first fetch, or another try once the obstacle is over.
    Retry,
    Force,
    Ahead,
    ProbeSuspect,
    /// Nothing, until somebody asks.
    Rest,
}

impl Keeper {
    pub(super) fn new(
        shared: Arc<Shared>,
        inbox: mpsc::UnboundedReceiver<Message>,
        control: Control,
        tools: Tools,
    ) -> Self {
        let settings = shared.settings.load();
        let issuer = settings.credential.issuer;
        let key = settings.credential.key(&settings.app);
        drop(settings);
        Self {
            shared,
            tools,
            issuer,
            grant: Grant::default(),
            control,
            inbox,
            key,
            held: None,
            verdicts: Verdicts::default(),
            generation: 0,
            obstacle: Obstacle::default(),
            force_due: None,
            forces: ForceBudget::default(),
            ceilings: Ceilings::of(issuer),
            started: false,
            idle: false,
            suspect: false,
            answer_lost: false,
            storeless: Storeless::default(),
            interfered: 0,
            rejected: None,
        }
    }

    /// Works until told to stop. Called again after a panic, it goes on with what it knew.
    pub(super) async fn run(&mut self) {
        self.shared.evidence.unwatch();
        if self.held.is_none() {
            let _turn = self.turn().await;
            self.adopt_newer().await;
            self.started = self.usable().is_some();
            self.learn_forces().await;
        }
        loop {
            self.publish();
            let (step, left) = self.next_step(self.now());
            let first = step == Step::Retry && !self.started;
            let longest = self.longest_nap();
            tokio::select! {
                message = self.inbox.recv() => match message {
                    None | Some(Message::Stop) => return,
                    Some(message) => self.answer(message).await,
                },
                Ok(permit) = Arc::clone(&self.tools.starts).acquire_owned(), if first => {
                    self.take(step).await;
                    drop(permit);
                }
                () = nap(&self.tools.clock, left, longest), if !first => {
                    let (step, left) = self.next_step(self.now());
                    if left.is_zero() {
                        self.publish();
                        self.take(step).await;
                    }
                }
            }
        }
    }

    async fn answer(&mut self, message: Message) {
        self.idle = false;
        match message {
            Message::Obtain(reply) => {
                let answer = self.obtain().await;
                let _ = reply.send(answer);
            }
            // Worked off even if the caller has hung up: the next one needs the token.
            Message::Rejected(rejection, reply) => {
                let verdict = self.settle(&rejection).await;
                let _ = reply.send(verdict);
            }
            Message::Freshen { generation, reply } => {
                self.freshen(generation).await;
                let _ = reply.send(());
            }
            Message::Refresh { force, reply } => {
                let report = self.refresh(force).await;
                let _ = reply.send(report);
            }
            Message::Stored(record) => self.compare(record).await,
            Message::SecretChanged => self.obstacle.clear(),
            Message::Granted(record) => self.granted(record),
            Message::Control(control) => {
                // What failed by the old way may succeed by the new one.
                if !control.is_same(&self.control) {
                    self.obstacle.clear();
                }
                self.control = control;
            }
            Message::Stop => {}
            #[cfg(test)]
            Message::Panic => panic!("asked to"),
        }
    }

    fn next_step(&self, now: Moment) -> (Step, Duration) {
        if self.idle {
            return (Step::Rest, Duration::MAX);
        }
        let fetch = match (self.obstacle.left(now), &self.held) {
            (Some(left), _) => (Step::Retry, left),
            (None, Some(held)) if !self.verdicts.dead() => (Step::Ahead, held.until_ahead(now)),
            (None, _) => (Step::Retry, Duration::ZERO),
        };
        let force = self.force_due.map(|pause| (Step::Force, pause.left(now)));
        let suspect = self.suspect.then_some((Step::ProbeSuspect, Duration::ZERO));
        [force, suspect]
            .into_iter()
            .flatten()
            .fold(fetch, |soonest, other| if other.1 < soonest.1 { other } else { soonest })
    }

    async fn take(&mut self, step: Step) {
        self.idle = matches!(step, Step::Retry | Step::Ahead) && !self.shared.was_wanted();
        if self.idle {
            return;
        }
        match step {
            Step::Rest => {}
            Step::Retry => {
                let reason = self.reason();
                self.recover(reason).await;
            }
            Step::Ahead => {
                self.recover(Reason::Ahead).await;
            }
            Step::Force => {
                self.force_due = None;
                if self.verdicts.dead() {
                    self.force(Reason::Forced, Limits::Kept).await;
                }
            }
            Step::ProbeSuspect => self.probe_suspect().await,
        }
    }

    /// Waits for this keeper's turn, if it is one of many.
    pub(super) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        if !self.shared.on_demand {
            return None;
        }
        Arc::clone(&self.tools.turns).acquire_owned().await.ok()
    }

    /// A clock that was stepped may be noticed later by those of whom there are thousands.
    fn longest_nap(&self) -> Duration {
        if self.shared.on_demand { LONGEST_NAP_ON_DEMAND } else { LONGEST_NAP }
    }

    /// WeChat handed over another ticket or refresh token, or an account took its authorisation back.
    fn granted(&mut self, record: Record) {
        let taken_back = record.value.expose().is_empty();
        if !self.grant.put(record) {
            return;
        }
        self.obstacle.clear();
        if taken_back {
            self.verdicts.found_dead();
            self.fail(Failure::unauthorized("the account took its authorisation back"));
        }
    }

    /// A usable token, or why there is none. Fetches one unless something stands in the way.
    pub(super) async fn obtain(&mut self) -> Result<Arc<Token>, Unavailable> {
        if self.usable().is_none() && !self.barred() {
            let reason = self.reason();
            self.recover(reason).await;
        }
        self.usable().ok_or_else(|| self.unavailable())
    }

    async fn freshen(&mut self, generation: u64) {
        let now = self.now();
        let due = |held: &Held| held.token.generation == generation && held.renewable(now);
        if self.held.as_ref().is_some_and(due) && !self.barred() {
            self.recover(Reason::Ahead).await;
        }
    }

    async fn refresh(&mut self, force: bool) -> RefreshReport {
        self.obstacle.clear();
        let renewal = if force && self.issuer.forces() {
            self.force(Reason::Admin, Limits::Passed).await
        } else {
            self.renew(Reason::Admin, Limits::Passed).await
        };
        if renewal == Renewal::Same && self.verdicts.dead() {
            self.fail(Failure::transient("WeChat still hands out the token that it rejects"));
        }
        self.publish();
        RefreshReport {
            result: match renewal {
                Renewal::New => RefreshResult::Replaced,
                Renewal::Same => RefreshResult::Same,
                Renewal::Refused { next_at } => RefreshResult::Refused { next_at },
                Renewal::Failed => RefreshResult::Failed(self.failure()),
            },
            generation: self.held.as_ref().map(|held| held.token.generation),
            forces_left: self.forces.left(self.now().wall),
        }
    }

    /// Tries to get a token that WeChat takes.
    pub(super) async fn recover(&mut self, reason: Reason) -> Renewal {
        let renewal = self.renew(reason, Limits::Kept).await;
        if renewal == Renewal::Same && self.verdicts.dead() {
            return self.force(Reason::Forced, Limits::Kept).await;
        }
        renewal
    }

    /// Remembers a failure, and bars fetches for a while.
    pub(super) fn fail(&mut self, failure: Failure) {
        let now = self.now();
        let app = Arc::clone(&self.settings().app.name);
        let retry_in = self.obstacle.fail(failure.clone(), now, fastrand::f64());
        if failure.permanent {
            self.force_due = None;
            tracing::error!(%app, ?retry_in, "no token, and no request causes a fetch: {failure}");
        } else {
            tracing::warn!(%app, ?retry_in, "no token: {failure}");
        }
        self.shared.journal().last_failure = Some((now.wall, failure));
    }

    pub(super) fn barred(&self) -> bool {
        self.obstacle.bars(self.now())
    }

    pub(super) fn unavailable(&self) -> Unavailable {
        let failure = self.failure();
        let left = self.obstacle.left(self.now()).unwrap_or_default();
        Unavailable {
            cause: format!("{failure}; next try in {} s", left.as_secs().max(1)),
            errcode: failure.errcode,
        }
    }

    pub(super) fn failure(&self) -> Failure {
        match (self.obstacle.failure(), &self.held) {
            (Some(failure), _) => failure.clone(),
            (None, Some(_)) => Failure::transient("the token held has expired"),
            (None, None) => Failure::transient("no token is held yet"),
        }
    }

    /// Why a token would be fetched now.
    fn reason(&self) -> Reason {
        match &self.held {
            None => Reason::Startup,
            Some(_) if self.verdicts.dead() => Reason::Rejected,
            Some(_) => Reason::Ahead,
        }
    }

    /// The token held, if it is neither expired nor proven dead.
    pub(super) fn usable(&self) -> Option<Arc<Token>> {
        let now = self.now();
        let held = self.held.as_ref()?;
        (!self.verdicts.dead() && !held.remaining(now).is_zero()).then(|| Arc::clone(&held.token))
    }

    /// Shows requests, status and metrics what is held.
    pub(super) fn publish(&self) {
        let now = self.now();
        let view = self.held.as_ref().map(|held| held.view(now, self.verdicts.dead())).unwrap_or_default();
        // A store makes every reader fetch the pointer anew, so it is done only when something changed.
        if view.differs(&self.shared.view.load()) {
            self.shared.view.store(Arc::new(view));
            self.shared.changes.send_replace(());
        }
        let mut journal = self.shared.journal();
        journal.obstacle = self.obstacle.failure().cloned();
        journal.dead = self.verdicts.dead();
        journal.forces = self.forces;
        journal.next_refresh_at = (!self.idle).then(|| now.wall.plus(self.next_step(now).1));
    }

    pub(super) fn now(&self) -> Moment {
        Moment::now(&self.tools.clock)
    }

    pub(super) fn settings(&self) -> Arc<Settings> {
        self.shared.settings.load_full()
    }
}

/// Sleeps for `left`, less if the wall clock jumps ahead, and never long.
async fn nap(clock: &Clock, left: Duration, longest: Duration) {
    // The wall clock counts whole milliseconds: for less it would be no sleep at all, and the loop would spin.
    let left = if left.is_zero() { left } else { left.clamp(CLOCK_TICK, longest) };
    let _ = timeout(left, clock.sleep_until(clock.now().plus(left))).await;
}
