//! How sending ended, counted.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use super::Kind;
use crate::observe::exposition::Exposition;

/// How sending ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outcome {
    Sent,
    Failed,
    /// There were too many.
    Lost,
}

/// Notices by kind of target and how it ended.
#[derive(Debug, Default)]
pub(super) struct Counts(Mutex<BTreeMap<(&'static str, Outcome), u64>>);

impl Counts {
    pub(super) fn add(&self, kind: Kind, outcome: Outcome, by: u64) {
        let mut counts = self.0.lock();
        *counts.entry((kind.as_str(), outcome)).or_default() += by;
    }

    pub(super) fn expose(&self, out: &mut Exposition) {
        let counts = self.0.lock();
        out.counter("wxgate_notices_total", "Notices to people, by kind of target and how sending ended.");
        for ((kind, outcome), count) in counts.iter() {
            let outcome = match outcome {
                Outcome::Sent => "sent",
                Outcome::Failed => "failed",
                Outcome::Lost => "lost",
            };
            out.sample(&[("kind", kind), ("outcome", outcome)], *count as f64);
        }
    }
}
