//! wxgate's own counters and budgets of a day, begun anew because an operator says so.

use std::sync::Arc;

use super::limit::Limits;
use super::shared::Shared;
use super::{App, Quota};
use crate::store::{StoreError, Total};

/// What began anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reset {
    /// Calls of the app that were counted today until now.
    pub counted: u64,
    /// The names of the budgets.
    pub budgets: Vec<String>,
    /// The names of those that didn't: what the store says of how often they did can't be.
    pub damaged: Vec<String>,
}

impl Quota {
    /// Has today's counters of an app, and the budgets that its requests draw on, begin anew for
    /// all replicas. `callers` are those who may use the app. None if there is no such app.
    pub async fn reset(
        &self,
        app: &str,
        limits: &Limits,
        callers: &[Arc<str>],
    ) -> Option<Result<Reset, StoreError>> {
        let app = self.0.app(app)?;
        let mut reset = Reset::default();
        let done = async {
            let (counted, resets) = self.0.begin_anew(&app).await?;
            reset.counted = counted;
            if resets.is_none() {
                reset.damaged.push(app.name.to_string());
            }
            for (name, done) in limits.begin_anew(&app.name, callers).await? {
                let names = if done { &mut reset.budgets } else { &mut reset.damaged };
                names.push(name);
            }
            Ok(())
        };
        let done: Result<(), StoreError> = done.await;
        Some(done.map(|()| reset))
    }
}

impl Shared {
    /// Has the app's counters begin anew: what was counted until now, and how often that was done.
    async fn begin_anew(&self, app: &App) -> Result<(u64, Total), StoreError> {
        let _turn = self.turn.lock().await;
        self.flush_in_turn().await?;
        let label = self.names.label(&app.name);
        let (day, known, counted) = {
            let ledger = self.ledger.lock();
            let of_app = ledger.calls().filter(|(key, _)| key.app == label);
            let counted = of_app.fold(0, |sum: u64, (_, count)| sum.saturating_add(count));
            (ledger.day(), ledger.resets(label), counted)
        };
        let resets = self.store.begin_anew(day, &[(&*app.name, known)]).await?.pop().flatten();
        if let Some(resets) = resets {
            let mut ledger = self.ledger.lock();
            if ledger.day() == day {
                ledger.begin_anew(label, resets);
            }
        }
        // What WeChat counted is compared with the counters as they are from now on.
        self.change(app, |notes, _| notes.endpoints.clear()).await;
        Ok((counted, resets))
    }
}
