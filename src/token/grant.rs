//! What WeChat granted for fetching a credential: a platform's verify ticket, an account's refresh
//! token, a company's permanent code.
//!
//! If a refresh token is lost, the account's administrator has to authorise the platform again, so
//! it is saved before it is used, and the store's is the one that counts. An empty one stands for
//! an authorisation that was revoked.

use std::sync::Arc;
use std::time::Duration;

use super::credential::Credential;
use super::life::Failure;
use super::options::AppOptions;
use crate::observe::clock::Timestamp;
use crate::secret::Secret;
use crate::store::{
    PERMANENT_CODE, REFRESH_TOKEN, Record, Saved, Store, StoreError, is_text, next_generation,
};
use crate::texts::{Words, text, words};
use crate::wechat::{Family, Issuer};

/// WeChat pushes a ticket every ten minutes, and takes one for twelve hours.
const TICKETS_LAST: Duration = Duration::from_secs(12 * 3600);

/// The latest one known.
#[derive(Debug, Default)]
pub(super) struct Grant {
    held: Option<Record>,
    /// Not saved to the store yet.
    unsaved: bool,
    /// The generation that WeChat has refused permanently.
    refused: Option<u64>,
}

/// The store's key for the ticket or refresh token that the credential is fetched with, if it needs
/// one.
pub(super) fn key(app: &AppOptions, credential: &Credential) -> Option<String> {
    match credential.issuer {
        Issuer::Component => Some(format!("component_verify_ticket:{}", app.appid)),
        Issuer::Suite => Some(format!("suite_ticket:{}", credential.owner)),
        Issuer::Authorizer => Some(refresh_token_key(&app.appid, &credential.owner)),
        Issuer::Corporation => Some(permanent_code_key(app.suite_id(), &credential.owner)),
        _ => None,
    }
}

pub(super) fn refresh_token_key(component: &str, authorizer: &str) -> String {
    format!("{REFRESH_TOKEN}{component}:{authorizer}")
}

pub(super) fn permanent_code_key(suite: &str, corporation: &str) -> String {
    format!("{PERMANENT_CODE}{suite}:{corporation}")
}

/// A ticket, numbered by when WeChat made it: pushes may overtake each other.
pub(super) fn ticket(value: Secret, created: Timestamp) -> Record {
    Record {
        value: Arc::new(value),
        generation: seconds(created),
        fetched_at: created,
        expires_at: created.plus(TICKETS_LAST),
    }
}

/// A permanent code, numbered by when the company authorised the suite, or with an empty one by
/// when it left: what an older authorisation brings never replaces that of a newer one. One second
/// has room for both, and then the company is taken to have come back.
pub(super) fn permanent_code(value: Secret, at: Timestamp) -> Record {
    let fetched_at = if value.expose().is_empty() { at } else { Timestamp(at.0.saturating_add(1)) };
    Record { value: Arc::new(value), generation: seconds(at), fetched_at, expires_at: Timestamp::NEVER }
}

/// A permanent code that certainly is newer than `other`, whatever its time.
pub(super) fn permanent_code_after(value: Secret, other: &Record) -> Record {
    Record {
        value: Arc::new(value),
        generation: other.generation,
        fetched_at: Timestamp(other.fetched_at.0.saturating_add(1)),
        expires_at: Timestamp::NEVER,
    }
}

fn seconds(time: Timestamp) -> u64 {
    u64::try_from(time.0 / 1000).unwrap_or_default()
}

/// Saves a refresh token that WeChat granted just now over whatever there was; an empty one takes
/// the authorisation back.
pub(super) async fn save_refresh_token(
    store: &Store,
    key: &str,
    value: Secret,
    now: Timestamp,
) -> Result<Record, StoreError> {
    let mut record =
        Record { value: Arc::new(value), generation: 1, fetched_at: now, expires_at: Timestamp::NEVER };
    match store.load(key).await {
        Ok(Some(present)) if present.value.matches(&record.value) => return Ok(present),
        Ok(Some(present)) => record.generation = next_generation(present.generation),
        Ok(None) => {}
        // The other replicas' generation can't be trusted; the time in seconds is higher.
        Err(error) if error.refusal().is_some() => record.generation = seconds(now),
        Err(error) => return Err(error),
    }
    loop {
        match store.save_over_refused(key, &record).await? {
            Saved::Saved => return Ok(record),
            Saved::Superseded(other) if other.value.matches(&record.value) => return Ok(other),
            Saved::Superseded(other) => record.generation = next_generation(other.generation),
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
            next_generation(taken_back.generation)
        }
        Some(_) => return Ok(None),
    };
    let record = Record { value: Arc::new(value), generation, fetched_at: now, expires_at: Timestamp::NEVER };
    match store.save(key, &record).await? {
        Saved::Saved => Ok(Some(record)),
        Saved::Superseded(_) => Ok(None),
    }
}

/// Saves the permanent code by which the suite `suite` acts for the company `corporation`, unless
/// the store has one. A proxy that runs on the store takes it over.
///
/// # Errors
/// The store failed.
pub async fn import_permanent_code(
    store: &Store,
    suite: &str,
    corporation: &str,
    value: Secret,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let key = permanent_code_key(suite, corporation);
    let present = store.load(&key).await?;
    take_in(store, &key, value, present, now, now).await.map(|saved| saved.is_some())
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
    // Only WeChat may replace a record that the store refuses.
    if store.load(&key).await?.is_some_and(|present| present.value.matches(&value)) {
        return Ok(false);
    }
    save_refresh_token(store, &key, value, now).await.map(|_| true)
}

impl Grant {
    /// Replaces the one held by a newer one.
    pub(super) fn put(&mut self, record: Record) -> bool {
        let newer = self.held.as_ref().is_none_or(|held| record.supersedes(held));
        if newer {
            self.held = Some(record);
            self.unsaved = false;
        }
        newer
    }

    /// Whether the account took its authorisation back; none if nothing is held.
    pub(super) fn is_taken_back(&self) -> Option<bool> {
        self.held.as_ref().map(|held| held.value.expose().is_empty())
    }

    /// WeChat will never accept the one held again.
    pub(super) fn refuse(&mut self) {
        self.refused = self.held.as_ref().map(|held| held.generation);
    }

    /// Returns the one to fetch with.
    pub(super) async fn look(
        &mut self,
        store: &Store,
        key: &str,
        family: Family,
        now: Timestamp,
    ) -> Result<Arc<Secret>, Failure> {
        if self.unsaved {
            self.save(store, key).await.map_err(unsaved)?;
        }
        match store.load(key).await {
            Ok(Some(record)) => drop(self.put(record)),
            // A store that was flushed or overwritten gets it back.
            Ok(None) => drop(self.save(store, key).await),
            Err(error) if self.held.is_some() && error.refusal().is_some() => {
                drop(self.save(store, key).await);
            }
            Err(error) if self.held.is_none() => {
                return Err(Failure::transient(words!(
                    "could not read from the store: {error}",
                    error = error.chain()
                )));
            }
            Err(_) => {}
        }
        match &self.held {
            Some(held) if self.refused == Some(held.generation) => {
                Err(Failure::unauthorized(family, refused(family)))
            }
            Some(held) if held.value.expose().is_empty() => {
                Err(Failure::unauthorized(family, words!("the account revoked its authorisation")))
            }
            Some(held) if held.expires_at > now => Ok(Arc::clone(&held.value)),
            _ => Err(Failure::ticketless()),
        }
    }

    /// WeChat returned another refresh token: it is saved before it is used.
    pub(super) async fn replace(&mut self, store: &Store, key: &str, value: &str, now: Timestamp) {
        let Some(held) = &self.held else { return };
        if held.value.expose() == value || value.is_empty() {
            return;
        }
        if !is_text(value) {
            tracing::warn!(
                "{}",
                text!("the refresh token in WeChat's response is malformed; keeping the previous one")
            );
            return;
        }
        let generation = next_generation(held.generation);
        let value = Arc::new(Secret::new(value));
        self.held = Some(Record { value, generation, fetched_at: now, expires_at: Timestamp::NEVER });
        self.unsaved = true;
        if let Err(error) = self.save(store, key).await {
            tracing::error!(
                "{}",
                text!("new refresh token not saved yet; will retry: {error}", error = error.chain())
            );
        }
    }

    /// Saves the one held, also over a record that the store refuses: nothing newer is known for
    /// certain.
    pub(super) async fn save(&mut self, store: &Store, key: &str) -> Result<(), StoreError> {
        let Some(held) = &self.held else { return Ok(()) };
        match store.save_over_refused(key, held).await? {
            Saved::Saved => {}
            Saved::Superseded(other) => self.held = Some(other),
        }
        self.unsaved = false;
        Ok(())
    }
}

fn refused(family: Family) -> Words {
    match family {
        Family::Work => words!("WeCom refused this permanent code for good"),
        Family::Api | Family::Mp | Family::Open => words!("WeChat refused this refresh token for good"),
    }
}

/// It isn't used before it is saved: WeChat may no longer accept the previous one.
fn unsaved(error: StoreError) -> Failure {
    Failure::transient(words!(
        "a refresh token could not be saved to the store yet: {error}",
        error = error.chain()
    ))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Grant, import_refresh_token, refresh_token_key, save_refresh_token, take_in};
    use crate::observe::clock::{Clock, Timestamp};
    use crate::secret::Secret;
    use crate::store::{Location, Options, Record, Seal, Store};
    use crate::wechat::Family;

    #[tokio::test]
    async fn a_refused_refresh_token_gives_way_to_what_wechat_grants_and_to_what_is_held_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let open = async |key: Option<&str>| {
            let seal = key.map(|key| Arc::new(Seal::new(&Secret::new(key), None).expect("a key")));
            let location = Location::File(folder.path().join("store"));
            Store::open(&Options { location, seal }).await.expect("it opens")
        };
        let store = open(Some("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")).await;
        let (clear, now) = (open(None).await, Clock::default().now());
        let key = refresh_token_key("wxc", "wx1");
        let record = |value: &str, generation| Record {
            value: Arc::new(Secret::new(value)),
            generation,
            fetched_at: now,
            expires_at: Timestamp::NEVER,
        };
        let plant =
            async || drop(clear.save_over_refused(&key, &record("planted", 77)).await.expect("saved"));
        let kept = async || store.load(&key).await.map(|record| record.map(|r| r.value.expose().to_owned()));

        let mut replica = Grant::default();
        assert!(replica.put(record("held", 5)));
        std::fs::remove_dir_all(folder.path().join("store/entries")).expect("emptied");
        std::fs::create_dir(folder.path().join("store/entries")).expect("a folder");
        plant().await;
        assert!(kept().await.is_err());
        let shown = take_in(&store, &key, Secret::new("shown"), None, now, now).await;
        assert!(shown.is_err(), "what an answer shows may be older");
        assert!(import_refresh_token(&store, "wxc", "wx1", Secret::new("imported"), now).await.is_err());
        assert!(kept().await.is_err(), "left as it was");

        let fetched_with = replica.look(&store, &key, Family::Api, now).await.expect("the one held");
        assert_eq!(fetched_with.expose(), "held");
        assert_eq!(kept().await.expect("put back").as_deref(), Some("held"));

        std::fs::remove_dir_all(folder.path().join("store/entries")).expect("emptied");
        std::fs::create_dir(folder.path().join("store/entries")).expect("a folder");
        plant().await;
        let granted = save_refresh_token(&store, &key, Secret::new("granted"), now).await.expect("saved");
        assert_eq!(kept().await.expect("saved").as_deref(), Some("granted"));
        assert!(replica.put(granted), "replicas that hold one take it for newer");
    }
}
