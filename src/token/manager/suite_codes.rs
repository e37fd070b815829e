//! Which codes of companies this process exchanges, and which were lost.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, RwLock, RwLockReadGuard, Semaphore};
use tokio::time::timeout;

use crate::token::auth_code::LostAuthorization;

/// How many codes are exchanged at once that SDKs showed and WeCom has not pushed: an SDK may send
/// anything.
const MOST_SHOWN: usize = 100;

/// By the store's keys of the codes.
#[derive(Debug)]
pub(super) struct SuiteCodes {
    /// With their places among those that SDKs showed.
    pursued: Mutex<HashMap<String, Option<OwnedSemaphorePermit>>>,
    shown: Arc<Semaphore>,
    lost: Mutex<BTreeMap<String, LostAuthorization>>,
    /// Read by each exchange while WeCom's answer may not be in the store yet.
    exchanging: RwLock<()>,
}

impl Default for SuiteCodes {
    fn default() -> Self {
        Self {
            pursued: Mutex::default(),
            shown: Arc::new(Semaphore::new(MOST_SHOWN)),
            lost: Mutex::default(),
            exchanging: RwLock::default(),
        }
    }
}

impl SuiteCodes {
    /// A place among the codes that SDKs showed, until it is dropped; none if all are taken.
    pub(super) fn place_for_shown(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.shown).try_acquire_owned().ok()
    }

    /// Whether the code of this key wasn't pursued yet; from now on it is, and keeps its place.
    pub(super) fn pursue(&self, key: &str, place: Option<OwnedSemaphorePermit>) -> bool {
        let mut pursued = self.pursued.lock();
        let known = pursued.contains_key(key);
        let kept = pursued.entry(key.to_owned()).or_default();
        if kept.is_none() {
            *kept = place;
        }
        !known
    }

    pub(super) fn pursued(&self, key: &str) {
        self.pursued.lock().remove(key);
    }

    /// Whether that was not known yet.
    pub(super) fn lose(&self, key: &str, lost: LostAuthorization) -> bool {
        self.lost.lock().insert(key.to_owned(), lost).is_none()
    }

    /// The lost codes whose keys begin with `prefix` and that are known to be this company's.
    pub(super) fn lost_of(&self, prefix: &str, corporation: &str) -> Vec<String> {
        let lost = self.lost.lock();
        let own = lost.iter().filter(|(key, lost)| {
            key.starts_with(prefix) && lost.corporation.as_deref() == Some(corporation)
        });
        own.map(|(key, _)| key.clone()).collect()
    }

    /// What was lost by this key is of no more concern.
    pub(super) fn forget(&self, key: &str) {
        self.lost.lock().remove(key);
    }

    /// Forgets those of lost codes that begin with `prefix` and are not among `keys`.
    pub(super) fn forget_others(&self, prefix: &str, keys: &[String]) {
        self.lost.lock().retain(|key, _| !key.starts_with(prefix) || keys.contains(key));
    }

    /// The latest first.
    pub(super) fn lost(&self) -> Vec<LostAuthorization> {
        let mut lost: Vec<_> = self.lost.lock().values().cloned().collect();
        lost.sort_by_key(|lost| std::cmp::Reverse(lost.lost_at));
        lost
    }

    /// An exchange is under way until this is dropped.
    pub(super) async fn under_way(&self) -> RwLockReadGuard<'_, ()> {
        self.exchanging.read().await
    }

    /// Waits for exchanges that are under way, and lets none begin.
    pub(super) async fn finish(&self, patience: Duration) {
        if let Ok(guard) = timeout(patience, self.exchanging.write()).await {
            std::mem::forget(guard);
        }
    }
}
