//! What there is to see of a token's life: counters, the last refresh and failure, and the status made of them.

use std::sync::Arc;
use std::time::Duration;

use super::Failure;
use super::handle::Settings;
use crate::observe::clock::Timestamp;
use crate::observe::exposition::Exposition;
use crate::store::ForceBudget;
use crate::wechat::{AppKind, TokenMode};

/// Why a token was fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// None was ever held since the process started.
    Startup,
    /// The one held was in its last minutes, or had expired.
    Ahead,
    /// WeChat rejected the one held.
    Rejected,
    /// The one held is dead and WeChat still hands it out: fetched by force.
    Forced,
    /// An admin asked, with or without force.
    Admin,
}

/// How a fetch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A different token came.
    Replaced,
    /// The token held already came.
    Same,
    /// None came.
    Failed,
}

/// A fetch that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refresh {
    /// When it ended.
    pub at: Timestamp,
    /// Why it was made.
    pub reason: Reason,
    /// How it ended.
    pub outcome: Outcome,
    /// How long the call took.
    pub took: Duration,
}

/// How an app's credential is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// A usable token is held.
    Ready,
    /// No token yet, and none has been refused.
    Starting,
    /// No usable token; the last try failed and is repeated with a backoff.
    Failing,
    /// No usable token; WeChat's refusal needs somebody to act, see the last failure's remedy.
    CircuitOpen,
    /// WeChat rejects the token held, and no other is to be had yet.
    Rejected,
    /// The token held has expired.
    Expired,
}

/// An app's credential at a glance; never the token.
#[derive(Clone, Debug)]
pub struct Status {
    /// The app's name.
    pub name: Arc<str>,
    /// WeChat's identifier of the account.
    pub appid: Arc<str>,
    /// Kind of account.
    pub kind: AppKind,
    /// Which token endpoint is used.
    pub mode: TokenMode,
    /// How it is doing.
    pub state: State,
    /// Of the token held, usable or not.
    pub generation: Option<u64>,
    /// When WeChat handed it out.
    pub fetched_at: Option<Timestamp>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// When the next refresh or retry is due.
    pub next_refresh_at: Option<Timestamp>,
    /// The last fetch.
    pub last_refresh: Option<Refresh>,
    /// The last failure and when it happened; stays after a success.
    pub last_failure: Option<(Timestamp, Failure)>,
    /// Whether the last failure still stands in the way: no request causes a fetch.
    pub failing: bool,
    /// Forced refreshes left today.
    pub forces_left_today: u32,
    /// How often somebody else fetched with this secret.
    pub interference: u64,
    /// What else of the app's is in use.
    pub further: Vec<Further>,
    /// Of a third-party platform alone.
    pub authorizers: Option<Authorizers>,
}

/// A credential beside an app's token.
#[derive(Clone, Debug)]
pub struct Further {
    /// Its name, like `jsapi_ticket`.
    pub credential: &'static str,
    /// How it is doing.
    pub state: State,
    /// Of the one held.
    pub generation: Option<u64>,
    /// When that ends.
    pub expires_at: Option<Timestamp>,
    /// The last failure and when it happened.
    pub last_failure: Option<(Timestamp, Failure)>,
}

/// The accounts that a third-party platform acts for, as far as this process was asked for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authorizers {
    /// A token is held.
    pub in_use: usize,
    /// Their last fetch failed.
    pub failing: usize,
}

/// What a keeper writes down; read by status and metrics.
#[derive(Debug, Default)]
pub(super) struct Journal {
    refreshes: [[u64; Outcome::ALL.len()]; Reason::ALL.len()],
    pub last_refresh: Option<Refresh>,
    pub last_failure: Option<(Timestamp, Failure)>,
    /// The failure that still stands in the way.
    pub obstacle: Option<Failure>,
    pub dead: bool,
    pub next_refresh_at: Option<Timestamp>,
    pub forces: ForceBudget,
    pub interference: u64,
}

impl Reason {
    const ALL: [Self; 5] = [Self::Startup, Self::Ahead, Self::Rejected, Self::Forced, Self::Admin];

    /// The metric label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Startup => "startup",
            Self::Ahead => "ahead",
            Self::Rejected => "rejected",
            Self::Forced => "forced",
            Self::Admin => "admin",
        }
    }
}

impl Outcome {
    const ALL: [Self; 3] = [Self::Replaced, Self::Same, Self::Failed];

    /// The metric label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Replaced => "replaced",
            Self::Same => "same",
            Self::Failed => "failed",
        }
    }
}

impl State {
    /// In snake case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Starting => "starting",
            Self::Failing => "failing",
            Self::CircuitOpen => "circuit_open",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
        }
    }
}

impl Journal {
    pub(super) fn refreshed(&mut self, refresh: Refresh) {
        self.refreshes[refresh.reason as usize][refresh.outcome as usize] += 1;
        self.last_refresh = Some(refresh);
    }

    pub(super) fn state(&self, usable: bool, held: bool) -> State {
        match &self.obstacle {
            _ if usable => State::Ready,
            Some(failure) if failure.permanent => State::CircuitOpen,
            _ if self.dead => State::Rejected,
            Some(_) => State::Failing,
            None if held => State::Expired,
            None => State::Starting,
        }
    }

    fn refreshes(&self) -> impl Iterator<Item = (Reason, Outcome, u64)> + '_ {
        Reason::ALL
            .into_iter()
            .flat_map(|reason| Outcome::ALL.into_iter().map(move |outcome| (reason, outcome)))
            .map(|(reason, outcome)| (reason, outcome, self.refreshes[reason as usize][outcome as usize]))
            .filter(|(_, _, count)| *count > 0)
    }
}

/// One app's part of a scrape.
pub(super) struct Sample {
    app: Arc<str>,
    credential: &'static str,
    pub generation: Option<u64>,
    pub expires_in: Option<Duration>,
    usable: Option<bool>,
    pub refreshes: Vec<(Reason, Outcome, u64)>,
    pub interference: u64,
}

impl Sample {
    /// `usable` is whether requests can have the token, none where nobody asks for it.
    pub(super) fn new(
        settings: &Settings,
        token: Option<(u64, Duration)>,
        usable: Option<bool>,
        journal: &Journal,
    ) -> Self {
        Self {
            usable,
            app: Arc::clone(&settings.app.name),
            credential: settings.credential.issuer.credential(),
            generation: token.map(|(generation, _)| generation),
            expires_in: token.map(|(_, expires_in)| expires_in),
            refreshes: journal.refreshes().collect(),
            interference: journal.interference,
        }
    }

    /// Both as one, of which there is no age, no generation and no knowing whether it is usable.
    pub(super) fn and(mut self, other: Self) -> Self {
        (self.generation, self.expires_in, self.usable) = (None, None, None);
        self.interference += other.interference;
        for (reason, outcome, count) in other.refreshes {
            match self.refreshes.iter_mut().find(|own| (own.0, own.1) == (reason, outcome)) {
                Some(own) => own.2 += count,
                None => self.refreshes.push((reason, outcome, count)),
            }
        }
        self
    }

    fn labels(&self) -> [(&'static str, &str); 2] {
        [("app", &*self.app), ("kind", self.credential)]
    }
}

/// Writes the families of all apps.
pub(super) fn expose(samples: &[Sample], out: &mut Exposition) {
    out.counter(
        "wxgate_token_refresh_total",
        "Token fetches by reason (startup, ahead, rejected, forced, admin) and outcome (replaced, same, failed).",
    );
    for sample in samples {
        for (reason, outcome, count) in &sample.refreshes {
            let [app, kind] = sample.labels();
            let labels = [app, kind, ("reason", reason.as_str()), ("outcome", outcome.as_str())];
            out.sample(&labels, *count as f64);
        }
    }
    out.gauge("wxgate_token_usable", "Whether a token is held that is neither expired nor rejected, 1 or 0.");
    for sample in samples {
        if let Some(usable) = sample.usable {
            out.sample(&sample.labels(), f64::from(u8::from(usable)));
        }
    }
    out.gauge("wxgate_token_expires_in_seconds", "Until the token held ends.");
    for sample in samples {
        if let Some(expires_in) = sample.expires_in {
            out.sample(&sample.labels(), expires_in.as_secs_f64());
        }
    }
    out.gauge("wxgate_token_generation", "Generation of the token held.");
    for sample in samples {
        if let Some(generation) = sample.generation {
            out.sample(&sample.labels(), generation as f64);
        }
    }
    out.counter(
        "wxgate_token_interference_total",
        "Times that somebody else fetched with this app's secret.",
    );
    for sample in samples {
        if sample.interference > 0 {
            out.sample(&[("app", &*sample.app)], sample.interference as f64);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Journal, Outcome, Reason, Refresh, State};
    use crate::observe::clock::Timestamp;
    use crate::token::Failure;

    #[test]
    fn a_series_exists_only_for_what_happened() {
        let mut journal = Journal::default();
        assert_eq!(journal.refreshes().count(), 0);
        journal.refreshed(Refresh {
            at: Timestamp(0),
            reason: Reason::Forced,
            outcome: Outcome::Same,
            took: Duration::ZERO,
        });
        assert_eq!(journal.refreshes().collect::<Vec<_>>(), [(Reason::Forced, Outcome::Same, 1)]);
    }

    #[test]
    fn the_state_names_what_somebody_must_act_on_first() {
        let mut journal = Journal::default();
        assert_eq!(journal.state(false, false), State::Starting);
        assert_eq!(journal.state(false, true), State::Expired);
        journal.obstacle = Some(Failure::transient("busy"));
        assert_eq!(journal.state(false, false), State::Failing);
        journal.dead = true;
        assert_eq!(journal.state(false, true), State::Rejected);
        journal.obstacle = Some(Failure::looped());
        assert_eq!(journal.state(false, true), State::CircuitOpen);
        assert_eq!(journal.state(true, true), State::Ready);
    }
}
