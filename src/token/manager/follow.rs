//! What reaches tasks from the store: tokens, tickets and refresh tokens that other replicas saved.

use std::sync::{Arc, Weak};

use super::app_tokens::AppTokens;
use super::registry::Registry;
use crate::store::{Change, Changes, PERMANENT_CODE, REFRESH_TOKEN, Record};
use crate::token::handle::{Shared, TaskMessage};

/// Of so many looks at the whole store, one is at what is kept on demand too.
const THOROUGH: u32 = 10;

/// Follows the store's changes until the store or the manager is gone.
pub(super) async fn follow(mut changes: Changes, registry: Weak<Registry>) {
    let mut looks = 0_u32;
    while let Some(change) = changes.next().await {
        let Some(registry) = registry.upgrade() else { return };
        looks = looks.wrapping_add(u32::from(change == Change::Any));
        let thorough = looks.is_multiple_of(THOROUGH);
        if let Change::Key(key) = &change
            && [REFRESH_TOKEN, PERMANENT_CODE].iter().any(|kind| key.starts_with(kind))
        {
            registry.note_authorization();
        }
        registry.compare(&change, thorough).await;
        registry.hand_over(&change, thorough).await;
    }
}

impl Registry {
    /// Has tasks look at what the store holds now, where it isn't what they published. What is kept
    /// on demand is looked at only if it is named, or `thorough`ly: there may be thousands.
    async fn compare(&self, change: &Change, thorough: bool) {
        let concerned: Vec<_> = {
            let apps = self.apps();
            let all = apps.all().flat_map(AppTokens::all);
            let concerned = all.filter(|task| match change {
                Change::Key(changed) => **changed == *task.key,
                Change::Any if task.shared.on_demand => thorough && task.holds(),
                Change::Any => true,
            });
            concerned.map(|task| (task.key.clone(), Arc::clone(&task.shared))).collect()
        };
        let keys: Vec<_> = concerned.iter().map(|(key, _)| key.as_str()).collect();
        if keys.is_empty() {
            return;
        }
        let Ok(records) = self.deps.store.load_all(&keys).await else { return };
        for ((_, shared), record) in concerned.iter().zip(records) {
            let record = match record {
                Ok(record) => record,
                // A refused record counts as missing. Not at once: a replica with another key may
                // have written it, and would do so again.
                Err(error) if thorough && *change == Change::Any && error.refusal().is_some() => None,
                Err(_) => continue,
            };
            if differs(record.as_ref(), shared) {
                shared.tell(TaskMessage::Stored(record));
            }
        }
    }

    /// Hands a ticket or refresh token that another replica took in to the task that fetches with
    /// it; where none is named, to each that can't fetch now. One that is refused, which a
    /// `thorough` look finds, is put right by the task that holds a good one.
    async fn hand_over(&self, change: &Change, thorough: bool) {
        let concerned: Vec<_> = {
            let apps = self.apps();
            let granted = apps.all().flat_map(AppTokens::all).filter_map(|task| {
                let key = task.grant.as_ref()?;
                let concerned = match change {
                    Change::Key(changed) => **changed == **key,
                    Change::Any => thorough && task.holds() || task.shared.stats().failing.is_some(),
                };
                concerned.then(|| (key.clone(), Arc::clone(&task.shared)))
            });
            granted.collect()
        };
        let keys: Vec<_> = concerned.iter().map(|(key, _)| key.as_str()).collect();
        if keys.is_empty() {
            return;
        }
        let Ok(records) = self.deps.store.load_all(&keys).await else { return };
        for ((_, shared), record) in concerned.iter().zip(records) {
            match record {
                Ok(Some(record)) => shared.granted(record),
                Ok(None) => {}
                Err(error) if thorough && *change == Change::Any && error.refusal().is_some() => {
                    shared.tell(TaskMessage::GrantRefused);
                }
                Err(_) => {}
            }
        }
    }
}

fn differs(record: Option<&Record>, shared: &Shared) -> bool {
    match (record, &shared.view.load().token) {
        (Some(record), Some(token)) => {
            record.generation != token.generation || !record.value.matches(&token.value)
        }
        (record, token) => record.is_some() || token.is_some(),
    }
}
