//! What requests and the admin ask of an app's keeper.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout};

use super::credential::Credential;
use super::evidence::Evidence;
use super::held::View;
use super::status::Journal;
use super::{AppOptions, Failure, Options, RefreshReport, RefreshResult, Rejection, Status, Token};
use super::{Unavailable, Verdict};
use crate::observe::clock::Clock;
use crate::store::Record;
use crate::upstream::control::Control;
use crate::wechat::Issuer;

/// Asks about one app's token. Cheap to clone; usable from any thread and runtime.
#[derive(Clone, Debug)]
pub struct Handle {
    pub(super) shared: Arc<Shared>,
}

/// What a keeper and its handles share.
#[derive(Debug)]
pub(super) struct Shared {
    pub view: ArcSwap<View>,
    /// Told of each change of the view.
    pub changes: watch::Sender<()>,
    pub evidence: Evidence,
    pub settings: ArcSwap<Settings>,
    pub clock: Clock,
    /// Fetched when somebody asks, and renewed while it is in use.
    pub on_demand: bool,
    /// Somebody has used it since it was last asked whether anybody does.
    wanted: AtomicBool,
    /// Locked for a read or a write of its fields, never over an await.
    journal: Mutex<Journal>,
    /// Unbounded, so that asking never waits: what is in it are requests in flight, and those are limited.
    messages: mpsc::UnboundedSender<Message>,
}

/// The configuration as it stands; a reload replaces it.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub app: AppOptions,
    pub credential: Credential,
    pub options: Options,
}

/// What a keeper is asked. Whoever asks may be gone when the answer comes.
#[derive(Debug)]
pub(super) enum Message {
    Obtain(oneshot::Sender<Result<Arc<Token>, Unavailable>>),
    Rejected(Rejection, oneshot::Sender<Verdict>),
    Freshen {
        generation: u64,
        reply: oneshot::Sender<()>,
    },
    Refresh {
        force: bool,
        reply: oneshot::Sender<RefreshReport>,
    },
    /// What the store holds, which isn't what the keeper published.
    Stored(Option<Record>),
    SecretChanged,
    /// What WeChat handed over to fetch with.
    Granted(Record),
    /// Makes the app's calls from now on.
    Control(Control),
    Stop,
    #[cfg(test)]
    Panic,
}

/// Why a keeper did not answer.
enum Silence {
    /// Not in time.
    Late,
    /// It stopped, or failed over this very question.
    Gone,
}

impl Shared {
    pub(super) fn new(settings: Settings, clock: Clock) -> (Self, mpsc::UnboundedReceiver<Message>) {
        let (messages, inbox) = mpsc::unbounded_channel();
        let on_demand = settings.credential.is_on_demand();
        let shared = Self {
            on_demand,
            wanted: AtomicBool::new(!on_demand),
            view: ArcSwap::default(),
            changes: watch::Sender::default(),
            evidence: Evidence::default(),
            settings: ArcSwap::from_pointee(settings),
            clock,
            journal: Mutex::default(),
            messages,
        };
        (shared, inbox)
    }

    pub(super) fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether somebody has used it since this was asked last; always, of what isn't kept on demand.
    pub(super) fn was_wanted(&self) -> bool {
        !self.on_demand || self.wanted.swap(false, Ordering::Relaxed)
    }

    /// Read before it is written: what all workers write to, each of them waits for.
    fn want(&self) {
        if !self.wanted.load(Ordering::Relaxed) {
            self.wanted.store(true, Ordering::Relaxed);
        }
    }

    /// Leaves a message that expects no answer; one for a keeper that has stopped is dropped.
    pub(super) fn tell(&self, message: Message) {
        let _ = self.messages.send(message);
    }
}

impl Handle {
    /// Handles as [`Manager::credentials`](super::Manager::credentials) gives them, but with no keeper behind: there is
    /// never a token. For saying what would be done.
    pub fn unkept(app: &AppOptions, options: &Options, clock: &Clock) -> Vec<(Issuer, Self)> {
        let handle = |credential: Credential| {
            let issuer = credential.issuer;
            let settings = Settings { app: app.clone(), credential, options: options.clone() };
            (issuer, Self { shared: Arc::new(Shared::new(settings, clock.clone()).0) })
        };
        let main = handle(Credential::main(app));
        let further: Vec<_> = Credential::further(app, &main.1).into_iter().map(handle).collect();
        std::iter::once(main).chain(further).collect()
    }

    /// The usable token, if there is one.
    pub fn current(&self) -> Option<Arc<Token>> {
        self.shared.view.load().usable().cloned()
    }

    /// Reads the usable token, if there is one. For the hot path: unlike [`Handle::current`] it counts no
    /// reference, so it writes to no memory that threads share.
    pub fn read<R>(&self, read: impl FnOnce(&Token) -> R) -> Option<R> {
        self.shared.want();
        self.shared.view.load().usable().map(|token| read(token))
    }

    /// Told whenever another token is published, or the one that was is found dead.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.shared.changes.subscribe()
    }

    /// Whether the same keeper stands behind both.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// A usable token. Where there is none, waits for a fetch in progress, or starts one unless a backoff, the
    /// circuit or a ceiling forbids it; then the error comes at once. Takes at most `refresh_wait`.
    pub async fn obtain(&self) -> Result<Arc<Token>, Unavailable> {
        self.shared.want();
        if let Some(token) = self.current() {
            return Ok(token);
        }
        match self.ask(self.refresh_wait(), Message::Obtain).await {
            Ok(answer) => answer,
            Err(silence) => self.current().ok_or_else(|| self.unavailable(silence)),
        }
    }

    /// What becomes of a request whose token WeChat rejected. Has the token replaced if that is called for,
    /// once for all who ask. Takes at most `refresh_wait`; goes on if the caller hangs up.
    pub async fn rejected(&self, rejection: Rejection) -> Verdict {
        let generation = rejection.generation;
        if let Some(token) = self.current().filter(|token| token.generation > generation) {
            return Verdict::Replay(token);
        }
        match self.ask(self.refresh_wait(), |reply| Message::Rejected(rejection, reply)).await {
            Ok(verdict) => verdict,
            Err(silence) => match self.current() {
                Some(token) if token.generation > generation => Verdict::Replay(token),
                // Nobody has proven it dead.
                Some(_) => Verdict::PassOn,
                None => Verdict::Unavailable(self.unavailable(silence)),
            },
        }
    }

    /// The token for an upload too long to be replayed: one in its last minutes is renewed first. Falls back
    /// to what is held, then to `token`. Takes at most `refresh_wait`.
    pub async fn freshen(&self, token: Arc<Token>) -> Arc<Token> {
        if let Some(fresh) = self.shared.view.load().fresh() {
            return Arc::clone(fresh);
        }
        let generation = token.generation;
        let _ = self.ask(self.refresh_wait(), |reply| Message::Freshen { generation, reply }).await;
        self.current().unwrap_or(token)
    }

    /// WeChat let a call in that was sent at `sent_at` with this generation: HTTP 200 with errcode 0 or none,
    /// 45009 or 48001, on an endpoint that demands the app's token. One relaxed load unless a ladder runs.
    pub fn succeeded(&self, generation: u64, sent_at: Instant) {
        self.shared.evidence.report(generation, sent_at);
    }

    /// An admin's refresh: closes an open circuit and passes the ceilings. With `force` it counts against
    /// WeChat's force budget, written before the call; classic mode knows no force, there any fetch rotates.
    pub async fn refresh(&self, force: bool) -> RefreshReport {
        // It may have to wait for a ladder in progress, and is never worth less than its own fetch.
        let patience = self.refresh_wait() + self.shared.settings.load().options.fetch_timeout * 4;
        match self.ask(patience, |reply| Message::Refresh { force, reply }).await {
            Ok(report) => report,
            Err(silence) => RefreshReport {
                result: RefreshResult::Failed(Failure::transient(self.unavailable(silence).cause)),
                generation: self.shared.view.load().token.as_ref().map(|token| token.generation),
                forces_left: self.shared.journal().forces.left(self.shared.clock.now()),
            },
        }
    }

    /// How the app's credential is doing.
    pub fn status(&self) -> Status {
        let view = self.shared.view.load();
        let settings = self.shared.settings.load();
        let journal = self.shared.journal();
        let app = &settings.app;
        let token = view.token.as_ref();
        Status {
            name: Arc::clone(&app.name),
            appid: Arc::clone(&app.appid),
            kind: app.kind,
            mode: app.mode,
            state: journal.state(view.usable().is_some(), token.is_some()),
            generation: token.map(|token| token.generation),
            fetched_at: token.map(|token| token.fetched_at),
            expires_at: token.map(|token| token.expires_at),
            next_refresh_at: journal.next_refresh_at,
            last_refresh: journal.last_refresh,
            last_failure: journal.last_failure.clone(),
            failing: journal.obstacle.is_some(),
            forces_left_today: journal.forces.left(self.shared.clock.now()),
            interference: journal.interference,
            further: Vec::new(),
            authorizers: None,
        }
    }

    fn refresh_wait(&self) -> Duration {
        self.shared.settings.load().options.refresh_wait
    }

    async fn ask<T>(
        &self,
        patience: Duration,
        message: impl FnOnce(oneshot::Sender<T>) -> Message,
    ) -> Result<T, Silence> {
        let (reply, answer) = oneshot::channel();
        self.shared.messages.send(message(reply)).map_err(|_| Silence::Gone)?;
        match timeout(patience, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(Silence::Gone),
            Err(_) => Err(Silence::Late),
        }
    }

    fn unavailable(&self, silence: Silence) -> Unavailable {
        let failure = self.shared.journal().obstacle.clone();
        let what = match silence {
            Silence::Late => format!("no token came within {:?}", self.refresh_wait()),
            Silence::Gone => {
                "this app's token is no longer kept: it is being reconfigured or shut down".into()
            }
        };
        Unavailable {
            errcode: failure.as_ref().and_then(|failure| failure.errcode),
            cause: failure.map_or_else(|| what.clone(), |failure| format!("{what}; {failure}")),
        }
    }
}
