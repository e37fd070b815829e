//! A refresh task's figures: counters, the last refresh and failure.

use super::state::State;
use crate::observe::clock::Timestamp;
use crate::store::ForceBudget;
use crate::token::life::{Failure, Outcome, Reason, Refresh};

/// A refresh task's figures; read by status and metrics.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    refreshes: [[u64; Outcome::ALL.len()]; Reason::ALL.len()],
    pub last_refresh: Option<Refresh>,
    pub last_failure: Option<(Timestamp, Failure)>,
    /// The failure that still blocks fetches.
    pub failing: Option<Failure>,
    pub dead: bool,
    pub next_refresh_at: Option<Timestamp>,
    pub forces: ForceBudget,
    pub interference: u64,
}

impl Stats {
    pub(crate) fn refreshed(&mut self, refresh: Refresh) {
        self.refreshes[refresh.reason as usize][refresh.outcome as usize] += 1;
        self.last_refresh = Some(refresh);
    }

    pub(crate) fn state(&self, usable: bool, held: bool) -> State {
        match &self.failing {
            _ if usable => State::Ready,
            Some(failure) if failure.permanent => State::CircuitOpen,
            _ if self.dead => State::Rejected,
            Some(_) => State::Failing,
            None if held => State::Expired,
            None => State::Starting,
        }
    }

    pub(super) fn refreshes(&self) -> impl Iterator<Item = (Reason, Outcome, u64)> + '_ {
        Reason::ALL
            .into_iter()
            .flat_map(|reason| Outcome::ALL.into_iter().map(move |outcome| (reason, outcome)))
            .map(|(reason, outcome)| (reason, outcome, self.refreshes[reason as usize][outcome as usize]))
            .filter(|(_, _, count)| *count > 0)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::state::State;
    use super::Stats;
    use crate::observe::clock::Timestamp;
    use crate::texts::Words;
    use crate::token::life::{Failure, Outcome, Reason, Refresh};

    #[test]
    fn a_series_exists_only_for_what_happened() {
        let mut stats = Stats::default();
        assert_eq!(stats.refreshes().count(), 0);
        stats.refreshed(Refresh {
            at: Timestamp(0),
            reason: Reason::Forced,
            outcome: Outcome::Same,
            took: Duration::ZERO,
        });
        assert_eq!(stats.refreshes().collect::<Vec<_>>(), [(Reason::Forced, Outcome::Same, 1)]);
    }

    #[test]
    fn the_state_names_what_somebody_must_act_on_first() {
        let mut stats = Stats::default();
        assert_eq!(stats.state(false, false), State::Starting);
        assert_eq!(stats.state(false, true), State::Expired);
        stats.failing = Some(Failure::transient(Words::untranslated("busy")));
        assert_eq!(stats.state(false, false), State::Failing);
        stats.dead = true;
        assert_eq!(stats.state(false, true), State::Rejected);
        stats.failing = Some(Failure::looped());
        assert_eq!(stats.state(false, true), State::CircuitOpen);
        assert_eq!(stats.state(true, true), State::Ready);
    }
}
