//! What requests and admins ask of an app's refresh task, each wait bounded.
//!
//! | file | holds |
//! | --- | --- |
//! | `inbox` | the messages to a refresh task, and its replies |
//! | `shared` | what it shares with its handles: the view that requests read, the inbox |
//! | `evidence` | what traffic shows about a token that is being looked into |

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, timeout};

use super::life::{Failure, Moment, Rejection, Token, Unavailable};
use super::status::Status;
use crate::texts::words;

mod evidence;
mod inbox;
mod shared;

pub(crate) use inbox::TaskMessage;
pub use inbox::{RefreshReport, RefreshResult, Verdict};
pub(crate) use shared::{Configured, Shared};

/// Asks about one app's token. Cheap to clone; usable from any thread and runtime.
#[derive(Clone, Debug)]
pub struct Handle {
    pub(crate) shared: Arc<Shared>,
}

/// Why a refresh task did not reply.
enum NoAnswer {
    /// Not in time.
    Late,
    /// It stopped, or failed over this very question.
    Gone,
}

impl Handle {
    /// The usable token, if there is one.
    pub fn current(&self) -> Option<Arc<Token>> {
        self.shared.view.load().usable(Instant::now()).cloned()
    }

    /// Reads the usable token, if there is one. For the hot path: unlike [`Handle::current`] it
    /// counts no reference, so it writes to no memory that threads share.
    pub fn read<R>(&self, read: impl FnOnce(&Token) -> R) -> Option<R> {
        self.shared.want();
        self.shared.view.load().usable(Instant::now()).map(|token| read(token))
    }

    /// Changes whenever another token is published, or the published one is found dead.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.shared.changes.subscribe()
    }

    /// Whether the same refresh task stands behind both.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// Whether the account that it is of took its authorisation back.
    pub fn is_taken_back(&self) -> bool {
        self.shared.is_taken_back()
    }

    /// A usable token. Where there is none, waits for a fetch in progress, or starts one unless a
    /// backoff, the circuit or a ceiling forbids it; then the error comes at once. Takes at most
    /// `refresh_wait`.
    pub async fn obtain(&self) -> Result<Arc<Token>, Unavailable> {
        self.shared.want();
        if let Some(token) = self.current() {
            return Ok(token);
        }
        match self.ask(self.refresh_wait(), TaskMessage::Obtain).await {
            Ok(answer) => answer,
            Err(no_answer) => self.current().ok_or_else(|| self.unavailable(no_answer)),
        }
    }

    /// Decides what happens to a request whose token WeChat rejected. Has the token replaced if
    /// necessary, once for all requests concerned. Takes at most `refresh_wait`; continues if the
    /// caller hangs up.
    pub async fn rejected(&self, rejection: Rejection) -> Verdict {
        let generation = rejection.generation;
        if let Some(token) = self.current().filter(|token| token.generation > generation) {
            return Verdict::Replay(token);
        }
        match self.ask(self.refresh_wait(), |reply| TaskMessage::Rejected(rejection, reply)).await {
            Ok(verdict) => verdict,
            Err(no_answer) => match self.current() {
                Some(token) if token.generation > generation => Verdict::Replay(token),
                // It isn't proven dead.
                Some(_) => Verdict::PassOn,
                None => Verdict::Unavailable(self.unavailable(no_answer)),
            },
        }
    }

    /// The token for an upload too long to be replayed: one in its last minutes is renewed first.
    /// Falls back to what is held, then to `token`. Takes at most `refresh_wait`.
    pub async fn freshen(&self, token: Arc<Token>) -> Arc<Token> {
        if let Some(fresh) = self.shared.view.load().fresh(Instant::now()) {
            return Arc::clone(fresh);
        }
        let generation = token.generation;
        let _ = self.ask(self.refresh_wait(), |reply| TaskMessage::Freshen { generation, reply }).await;
        self.current().unwrap_or(token)
    }

    /// WeChat accepted a request that was sent at `sent_at` with this generation: HTTP 200, on an
    /// endpoint that demands the app's token, with an errcode that proves the token alive. One
    /// relaxed load unless a rejection is looked into.
    pub fn succeeded(&self, generation: u64, sent_at: Instant) {
        self.shared.evidence.report(generation, sent_at);
    }

    /// An admin's refresh: closes an open circuit and passes the ceilings. With `force` it counts
    /// against WeChat's force budget, written before the call; classic mode knows no force, there
    /// any fetch rotates.
    pub async fn refresh(&self, force: bool) -> RefreshReport {
        // It may have to wait for a rejection that is being handled, and then for its own fetch.
        let patience = self.refresh_wait() + self.shared.configured.load().options.fetch_timeout * 4;
        match self.ask(patience, |reply| TaskMessage::Refresh { force, reply }).await {
            Ok(report) => report,
            Err(no_answer) => RefreshReport {
                result: RefreshResult::Failed(Failure::transient(self.unavailable(no_answer).cause)),
                generation: self.shared.view.load().token.as_ref().map(|token| token.generation),
                forces_left: self.shared.stats().forces.left(self.shared.clock.now()),
            },
        }
    }

    /// How the app's credential is doing.
    pub fn status(&self) -> Status {
        let view = self.shared.view.load();
        let configured = self.shared.configured.load();
        let stats = self.shared.stats();
        let now = Moment { wall: self.shared.clock.now(), steady: Instant::now() };
        Status::of(&configured.app, &view, &stats, now)
    }

    fn refresh_wait(&self) -> Duration {
        self.shared.configured.load().options.refresh_wait
    }

    async fn ask<T>(
        &self,
        patience: Duration,
        message: impl FnOnce(oneshot::Sender<T>) -> TaskMessage,
    ) -> Result<T, NoAnswer> {
        let (reply, answer) = oneshot::channel();
        self.shared.messages.send(message(reply)).map_err(|_| NoAnswer::Gone)?;
        match timeout(patience, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(NoAnswer::Gone),
            Err(_) => Err(NoAnswer::Late),
        }
    }

    fn unavailable(&self, no_answer: NoAnswer) -> Unavailable {
        let failure = self.shared.stats().failing.clone();
        let what = match no_answer {
            NoAnswer::Late => {
                words!("no token within {wait}", wait = format_args!("{:?}", self.refresh_wait()))
            }
            NoAnswer::Gone => words!("the app is being reconfigured, or wxgate is shutting down"),
        };
        Unavailable {
            errcode: failure.as_ref().and_then(|failure| failure.errcode),
            cause: match failure {
                Some(failure) => words!("{what}; {failure}", what, failure),
                None => what,
            },
        }
    }
}
