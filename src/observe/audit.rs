//! What operators did to the running proxy, or were denied: a line each, `kind` `audit`.

use std::borrow::Cow;

use super::redact::redacted;
use super::remote::Remote;

/// Written whatever `log.level` is.
pub(super) const TARGET: &str = "wxgate::audit";

/// A stranger's input may be longer than any app's name or endpoint.
const LONGEST_TEXT: usize = 128;

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
}

impl Audit {
    /// `action` is asked for by `remote`, or by a signal.
    pub fn begin(remote: Option<Remote>, action: &'static str) -> Self {
        let cause = Some("whoever asked hung up before it was done".into());
        Self { remote, action, app: None, endpoint: None, outcome: "failed", cause, count: None }
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
    }
}

fn clean(text: &str) -> String {
    redacted(text).flat_map(str::chars).take(LONGEST_TEXT).collect()
}
