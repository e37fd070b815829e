//! Where tokens are kept.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::store;

/// Where tokens are kept.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Store {
    /// Its URL, without secrets.
    pub url: String,
    /// Whether writes to it are shared with other replicas.
    pub up: bool,
    /// Why not; tokens are then served from memory.
    pub problem: Option<String>,
    /// Records in it that wxgate refuses to believe, as far as it has read them.
    pub refused: Vec<RefusedRecord>,
}

/// A record in the store that wxgate refuses to believe.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RefusedRecord {
    /// Its key.
    pub key: String,
    /// `unsealed`, `unknown_key`, `broken_seal`, `damaged` or `format`.
    pub reason: String,
    /// When that was first seen.
    pub since: String,
    /// It cannot be fetched again, so it is left as it is. Any other record is replaced by the next
    /// good one.
    pub kept: bool,
}

impl From<&store::Store> for Store {
    fn from(store: &store::Store) -> Self {
        let problem = store.problem().map(|problem| problem.to_string());
        Self {
            url: store.location().to_string(),
            up: problem.is_none(),
            problem,
            refused: store.refused().into_iter().map(RefusedRecord::from).collect(),
        }
    }
}

impl From<store::Refused> for RefusedRecord {
    fn from(refused: store::Refused) -> Self {
        let store::Refused { key, reason, since } = refused;
        let kept = store::is_irreplaceable(&key);
        Self { key, reason: reason.as_str().to_owned(), since: since.rfc3339(), kept }
    }
}
