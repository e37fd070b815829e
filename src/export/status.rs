//! What there is to see of exports: status and metrics.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::Destination;
use super::outcome::Found;
use crate::observe::clock::Timestamp;
use crate::observe::exposition::Exposition;
use crate::texts::Words;

/// How an export is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Where it writes, without secrets.
    pub to: String,
    /// The generation that is there, as far as it is known.
    pub generation: Option<u64>,
    /// When it was written or found to be there for the last time.
    pub checked_at: Option<Timestamp>,
    /// Why the last attempt failed, if it did.
    pub problem: Option<Words>,
    /// How often another program had written there.
    pub overwritten: u64,
}

/// What is remembered of an export.
#[derive(Debug, Default)]
pub(super) struct Journal {
    pub generation: Option<u64>,
    pub checked_at: Option<Timestamp>,
    pub problem: Option<Words>,
    pub overwritten: u64,
}

impl Journal {
    pub(super) fn status(&self, destination: &Destination) -> Status {
        Status {
            to: destination.to_string(),
            generation: self.generation,
            checked_at: self.checked_at,
            problem: self.problem.clone(),
            overwritten: self.overwritten,
        }
    }
}

/// Results of exports by app.
#[derive(Debug, Default)]
pub(super) struct Counts(Mutex<BTreeMap<(Arc<str>, &'static str), u64>>);

impl Counts {
    pub(super) fn written(&self, app: &Arc<str>) {
        self.add(app, "written");
    }

    pub(super) fn failed(&self, app: &Arc<str>) {
        self.add(app, "failed");
    }

    pub(super) fn foreign(&self, app: &Arc<str>, found: Found) {
        self.add(
            app,
            match found {
                Found::Placeholder => "placeholder",
                Found::Other => "foreign",
            },
        );
    }

    fn add(&self, app: &Arc<str>, result: &'static str) {
        let mut counts = self.0.lock();
        *counts.entry((Arc::clone(app), result)).or_default() += 1;
    }

    pub(super) fn expose(&self, out: &mut Exposition) {
        out.counter(
            "wxgate_exports_total",
            "Exports of tokens by result (written, failed; foreign, placeholder: somebody else had written there).",
        );
        for ((app, result), count) in self.0.lock().iter() {
            out.sample(&[("app", app), ("result", result)], *count as f64);
        }
    }
}
