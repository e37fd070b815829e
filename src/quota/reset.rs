//! Resets wxgate's own counters and budgets of a day at an operator's request.

use std::sync::Arc;

use super::limit::Limits;
use super::shared::Shared;
use super::{App, Quota};
use crate::store::StoreError;

/// What was reset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reset {
    /// Calls of the app that were counted today until now.
    pub counted: u64,
    /// The names of the budgets.
    pub budgets: Vec<String>,
}

impl Quota {
    /// Resets today's counters of an app, and the budgets that its requests draw on, for all
    /// replicas. `callers` are those who may use the app. None if there is no such app.
    pub async fn reset(
        &self,
        app: &str,
        limits: &Limits,
        callers: &[Arc<str>],
    ) -> Option<Result<Reset, StoreError>> {
        let app = self.0.app(app)?;
        let done = async {
            let counted = self.0.reset_counters(&app).await?;
            let budgets = limits.reset_budgets(&app.name, callers).await?;
            Ok(Reset { counted, budgets })
        };
        Some(done.await)
    }
}

impl Shared {
    /// Resets the app's counters; returns what was counted until now.
    async fn reset_counters(&self, app: &App) -> Result<u64, StoreError> {
        let _turn = self.turn.lock().await;
        self.flush_in_turn().await?;
        let label = self.names.label(&app.name);
        let (day, known, counted) = {
            let ledger = self.ledger.lock();
            let of_app = ledger.calls().filter(|(key, _)| key.app == label);
            let counted = of_app.fold(0, |sum: u64, (_, count)| sum.saturating_add(count));
            (ledger.day(), ledger.resets(label), counted)
        };
        let resets = self.store.reset_counters(day, &[(&*app.name, known)]).await?.pop();
        if let Some(resets) = resets {
            let mut ledger = self.ledger.lock();
            if ledger.day() == day {
                ledger.reset(label, resets);
            }
        }
        // What WeChat counted is compared with the counters as they are from now on.
        self.change(app, |notes, _| notes.endpoints.clear()).await;
        Ok(counted)
    }
}
