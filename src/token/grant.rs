//! What WeChat handed over to fetch a credential with: a platform's verify ticket, an account's
//! refresh token.
//!
//! A refresh token that is lost costs the account's administrator another authorisation, so it is
//! saved before it is used, and what the store holds counts. An empty one is an authorisation that
//! was taken back.

use std::sync::Arc;
use std::time::Duration;

use super::credential::Credential;
use super::life::Failure;
use super::options::AppOptions;
use crate::observe::clock::Timestamp;
use crate::secret::Secret;
use crate::store::{Record, Saved, Store, StoreError};
use crate::wechat::Issuer;

/// WeChat pushes a ticket every ten minutes, and takes one for twelve hours.
const TICKETS_LAST: Duration = Duration::from_secs(12 * 3600);

/// The latest that is known of.
#[derive(Debug, Default)]
pub(super) struct Grant {
    held: Option<Record>,
    /// The store doesn't have it yet.
    unsaved: bool,
    /// The generation that WeChat refused for good.
    refused: Option<u64>,
}

/// Under which the store keeps what the credential is fetched with, if it takes such a thing.
pub(super) fn key(app: &AppOptions, credential: &Credential) -> Option<String> {
    match credential.issuer {
        Issuer::Component => Some(format!("component_verify_ticket:{}", app.appid)),
        Issuer::Suite => Some(format!("suite_ticket:{}", credential.owner)),
        Issuer::Authorizer => Some(refresh_token_key(&app.appid, &credential.owner)),
        _ => None,
    }
}

pub(super) fn refresh_token_key(component: &str, authorizer: &str) -> String {
    format!("refresh_token:{component}:{authorizer}")
}

/// A ticket, numbered by when WeChat made it: pushes may overtake each other.
pub(super) fn ticket(value: Secret, created: Timestamp) -> Record {
    Record {
        value: Arc::new(value),
        generation: u64::try_from(created.0 / 1000).unwrap_or_default(),
        fetched_at: created,
        expires_at: created.plus(TICKETS_LAST),
    }
}

/// Saves a refresh token over whatever there was; an empty one takes the authorisation back.
pub(super) async fn save_refresh_token(
    store: &Store,
    key: &str,
    value: Secret,
    now: Timestamp,
) -> Result<Record, StoreError> {
    let mut record =
        Record { value: Arc::new(value), generation: 1, fetched_at: now, expires_at: Timestamp::NEVER };
    if let Some(present) = store.load(key).await? {
        if present.value.matches(&record.value) {
            return Ok(present);
        }
        record.generation = present.generation + 1;
    }
    loop {
        match store.save(key, &record).await? {
            Saved::Saved => return Ok(record),
            Saved::Superseded(other) if other.value.matches(&record.value) => return Ok(other),
            Saved::Superseded(other) => record.generation = other.generation + 1,
        }
    }
}

/// Saves a refresh token that WeChat, asked at `asked_at`, showed, where the store has none: what
/// is there may be newer. An authorisation that was taken back since then stays so.
pub(super) async fn take_in(
    store: &Store,
    key: &str,
    value: Secret,
    present: Option<Record>,
    asked_at: Timestamp,
    now: Timestamp,
) -> Result<Option<Record>, StoreError> {
    let generation = match present {
        None => 1,
        Some(taken_back) if taken_back.value.expose().is_empty() && taken_back.fetched_at < asked_at => {
            taken_back.generation + 1
        }
        Some(_) => return Ok(None),
    };
    let record = Record { value: Arc::new(value), generation, fetched_at: now, expires_at: Timestamp::NEVER };
    match store.save(key, &record).await? {
        Saved::Saved => Ok(Some(record)),
        Saved::Superseded(_) => Ok(None),
    }
}

/// Saves the refresh token by which the platform `component` acts for the account `authorizer`,
/// unless it is there already. A proxy that runs on the store takes it over.
///
/// # Errors
/// The store failed.
pub async fn import_refresh_token(
    store: &Store,
    component: &str,
    authorizer: &str,
    value: Secret,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let key = refresh_token_key(component, authorizer);
    if store.load(&key).await?.is_some_and(|present| present.value.matches(&value)) {
        return Ok(false);
    }
    save_refresh_token(store, &key, value, now).await.map(|_| true)
}

impl Grant {
    /// Takes over a newer one.
    pub(super) fn put(&mut self, record: Record) -> bool {
        let newer = self.held.as_ref().is_none_or(|held| record.supersedes(held));
        if newer {
            self.held = Some(record);
            self.unsaved = false;
        }
        newer
    }

    /// WeChat will never take the one held.
    pub(super) fn refuse(&mut self) {
        self.refused = self.held.as_ref().map(|held| held.generation);
    }

    /// The one to fetch with.
    pub(super) async fn look(
        &mut self,
        store: &Store,
        key: &str,
        now: Timestamp,
    ) -> Result<Arc<Secret>, Failure> {
        if self.unsaved {
            self.save(store, key).await.map_err(unsaved)?;
        }
        match store.load(key).await {
            Ok(Some(record)) => drop(self.put(record)),
            // A store that was flushed has it back from here.
            Ok(None) => drop(self.save(store, key).await),
            Err(error) if self.held.is_none() => {
                return Err(Failure::transient(format!("the store can't be asked: {}", error.chain())));
            }
            Err(_) => {}
        }
        match &self.held {
            Some(held) if self.refused == Some(held.generation) => {
                Err(Failure::unauthorized("WeChat refused this refresh token for good (61023)"))
            }
            Some(held) if held.value.expose().is_empty() => {
                Err(Failure::unauthorized("the account took its authorisation back"))
            }
            Some(held) if held.expires_at > now => Ok(Arc::clone(&held.value)),
            _ => Err(Failure::ticketless()),
        }
    }

    /// WeChat sent another refresh token along: it is saved before anything is done with it.
    pub(super) async fn replace(&mut self, store: &Store, key: &str, value: &str, now: Timestamp) {
        let Some(held) = &self.held else { return };
        if held.value.expose() == value || value.is_empty() {
            return;
        }
        let generation = held.generation + 1;
        let value = Arc::new(Secret::new(value));
        self.held = Some(Record { value, generation, fetched_at: now, expires_at: Timestamp::NEVER });
        self.unsaved = true;
        if let Err(error) = self.save(store, key).await {
            tracing::error!(
                "a new refresh token is in memory alone until the store takes it: {}",
                error.chain()
            );
        }
    }

    async fn save(&mut self, store: &Store, key: &str) -> Result<(), StoreError> {
        let Some(held) = &self.held else { return Ok(()) };
        match store.save(key, held).await? {
            Saved::Saved => {}
            Saved::Superseded(other) => self.held = Some(other),
        }
        self.unsaved = false;
        Ok(())
    }
}

/// What isn't saved isn't used: WeChat may take the one before it no longer once this one was
/// shown.
fn unsaved(error: StoreError) -> Failure {
    Failure::transient(format!("a refresh token waits for the store to take it: {}", error.chain()))
}
