//! What operators did to the running proxy, or were denied: a line each, `kind` `audit`, and the
//! latest of them in memory.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

use super::clock::{Clock, Timestamp};
use super::redact::redacted;
use super::remote::Remote;

/// Written whatever `log.level` is.
pub(super) const TARGET: &str = "wxgate::audit";

/// A stranger's input may be longer than any app's name or endpoint.
const LONGEST_TEXT: usize = 128;

/// Kept in memory, at most.
const MOST_ACTIONS: usize = 100;
/// The same of what was denied, which must not push out what was done.
const MOST_DENIED: usize = 20;
/// Characters of a cause that are kept.
const LONGEST_CAUSE: usize = 500;

/// The latest actions, for as long as the process runs.
#[derive(Debug, Default)]
pub struct Trail(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    actions: VecDeque<Audited>,
    denied: VecDeque<Audited>,
}

/// An action, as the log has it.
#[derive(Clone, Debug)]
pub struct Audited {
    /// When it ended.
    pub at: Timestamp,
    /// Who asked; none where a signal did.
    pub remote: Option<Remote>,
    /// What was asked for.
    pub action: &'static str,
    /// The app that it concerns.
    pub app: Option<String>,
    /// The endpoint that it concerns alone.
    pub endpoint: Option<String>,
    /// `done`, `failed` or `denied`.
    pub outcome: &'static str,
    /// Why it failed, or was denied.
    pub cause: Option<String>,
    /// How many like it this stands for, where not each has its own.
    pub count: Option<u64>,
}

impl Trail {
    /// The latest first.
    pub fn latest(&self) -> Vec<Audited> {
        let kept = self.0.lock();
        let mut all: Vec<_> = kept.actions.iter().chain(&kept.denied).cloned().collect();
        all.sort_by_key(|audited| std::cmp::Reverse(audited.at));
        all
    }

    fn keep(&self, audited: Audited) {
        let kept = &mut *self.0.lock();
        let (list, most) = match audited.outcome {
            "denied" => (&mut kept.denied, MOST_DENIED),
            _ => (&mut kept.actions, MOST_ACTIONS),
        };
        list.push_front(audited);
        list.truncate(most);
    }
}

/// An action under way. Its line is written when this is dropped, so operators who hang up before
/// the response are in the log as well.
#[derive(Debug)]
pub struct Audit {
    remote: Option<Remote>,
    action: &'static str,
    app: Option<String>,
    endpoint: Option<String>,
    outcome: &'static str,
    /// Why it failed, or was denied.
    cause: Option<Cow<'static, str>>,
    /// How many like it this line stands for, where not each has one.
    count: Option<u64>,
    /// Where it is kept as well.
    trail: Option<Arc<Trail>>,
}

impl Audit {
    /// `action` is asked for by `remote`, or by a signal.
    pub fn begin(remote: Option<Remote>, action: &'static str) -> Self {
        let cause = Some("whoever asked hung up before it was done".into());
        Self { remote, action, app: None, endpoint: None, outcome: "failed", cause, count: None, trail: None }
    }

    /// It is kept in this as well.
    #[must_use]
    pub fn kept_in(mut self, trail: &Arc<Trail>) -> Self {
        self.trail = Some(Arc::clone(trail));
        self
    }

    /// It concerns this app. What only stands in the place of an app's name may be a key.
    #[must_use]
    pub fn of(mut self, app: Option<&str>, is_known: impl Fn(&str) -> bool) -> Self {
        self.app = app.map(|app| if is_known(app) { app.to_owned() } else { clean(app) });
        self
    }

    /// It concerns this endpoint alone.
    pub fn concerns(&mut self, endpoint: &str) {
        self.endpoint = Some(clean(endpoint));
    }

    /// It was done.
    pub fn done(mut self) {
        (self.outcome, self.cause) = ("done", None);
    }

    /// It was not done, or only in part.
    pub fn failed(mut self, cause: impl Into<Cow<'static, str>>) {
        self.cause = Some(cause.into());
    }

    /// It was not begun. `reason` is as in `wxgate_admin_denied_total`.
    pub fn denied(mut self, reason: &'static str) {
        (self.outcome, self.cause) = ("denied", Some(reason.into()));
    }

    /// The same of the last of so many reads.
    pub fn denied_reads(mut self, reason: &'static str, count: u64) {
        self.count = Some(count);
        self.denied(reason);
    }
}

impl Drop for Audit {
    fn drop(&mut self) {
        let Self { action, outcome, count, .. } = *self;
        let remote = self.remote.map(tracing::field::display);
        let (app, endpoint, cause) = (self.app.as_deref(), self.endpoint.as_deref(), self.cause.as_deref());
        if outcome == "done" {
            tracing::info!(target: TARGET, kind = "audit", remote, action, outcome, app, endpoint, "{action} {outcome}");
        } else {
            tracing::warn!(target: TARGET, kind = "audit", remote, action, outcome, app, endpoint, cause, count, "{action} {outcome}");
        }
        if let Some(trail) = &self.trail {
            trail.keep(Audited {
                at: Clock::default().now(),
                remote: self.remote,
                action,
                app: self.app.take(),
                endpoint: self.endpoint.take(),
                outcome,
                cause: self.cause.take().map(|cause| cause.chars().take(LONGEST_CAUSE).collect()),
                count,
            });
        }
    }
}

fn clean(text: &str) -> String {
    redacted(text).flat_map(str::chars).take(LONGEST_TEXT).collect()
}
