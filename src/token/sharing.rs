//! What passes between a keeper and the store: leases, records, the force budget.
//!
//! A store that fails costs nothing but sharing: each replica is its own single flight then, serves from
//! memory, and offers its token again later.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::credential::Credential;
use super::fetch::probe;
use super::keeper::Keeper;
use super::status::Reason;
use super::{AppOptions, Token};
use crate::observe::clock::Timestamp;
use crate::store::{ForceRefused, Lease, Record, Saved, Store, StoreError};
use crate::upstream::control::Control;
use crate::wechat::errcode::Proof;

/// Longer than a token call, so that a replica that dies while it fetches holds the others up only briefly.
pub(super) const LEASE: Duration = Duration::from_secs(4);
/// How often those who wait for another replica's fetch look at the store.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What came of asking to be the one who fetches.
pub(super) enum Claim {
    /// `None` without a store.
    Granted(Option<Lease>),
    /// Another replica fetched meanwhile.
    Adopted,
    /// Another replica has been at it for too long.
    Busy,
}

/// What the store's token is worth, found out without a fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// WeChat takes it.
    Alive,
    /// WeChat rejects it.
    Dead,
    /// WeChat could not be asked, or its answer doesn't tell.
    Undecided,
    /// There is none, or it has expired.
    Missing,
}

/// Probes the token that the store holds for `app`.
///
/// # Errors
/// The store failed.
pub async fn probe_stored(
    store: &Store,
    control: &Control,
    app: &AppOptions,
    now: Timestamp,
    timeout: Duration,
) -> Result<Stored, StoreError> {
    let credential = Credential::main(app);
    let record = store.load(&credential.key(app)).await?;
    let Some(record) = record.filter(|record| record.expires_at > now) else { return Ok(Stored::Missing) };
    Ok(match probe(control, app, credential.issuer, &record.value, timeout).await {
        Proof::Alive => Stored::Alive,
        Proof::Dead => Stored::Dead,
        Proof::Undecided => Stored::Undecided,
    })
}

impl Keeper {
    pub(super) async fn claim(&mut self) -> Claim {
        let give_up = Instant::now() + self.settings().options.refresh_wait;
        loop {
            match self.tools.store.lease(&self.key, &self.tools.owner, LEASE).await {
                Ok(None) if Instant::now() >= give_up => return Claim::Busy,
                Ok(None) => sleep(LOOK_AGAIN).await,
                Ok(lease) => return Claim::Granted(lease),
                Err(_) => return Claim::Granted(None),
            }
            if self.adopt_newer().await {
                return Claim::Adopted;
            }
        }
    }

    /// Takes a newer token from the store, if there is one that has not expired.
    pub(super) async fn adopt_newer(&mut self) -> bool {
        match self.tools.store.load(&self.key).await {
            Ok(Some(record)) => self.adopt(record),
            Ok(None) => false,
            Err(error) => {
                self.store_failed(&error);
                false
            }
        }
    }

    fn adopt(&mut self, record: Record) -> bool {
        self.generation = self.generation.max(record.generation);
        let token = Token::from(record);
        let rotates = self.issuer.rotates();
        let mut in_doubt = false;
        if let Some(held) = &mut self.held {
            if !Record::from(&token).supersedes(&Record::from(&*held.token)) {
                return false;
            }
            if held.token.value.matches(&token.value) {
                // The sides of a split may have numbered it differently; what is known of it stays.
                held.token = Arc::new(Token { generation: token.generation, ..Token::clone(&held.token) });
                self.publish();
                return false;
            }
            // Where fetches rotate, the later one ended the other token, whatever the generations say after a split.
            in_doubt = rotates && held.token.fetched_at > token.fetched_at;
        }
        if self.expired(&token) {
            return false;
        }
        self.hold(token);
        self.suspect = in_doubt;
        true
    }

    /// The store holds this now, by another replica's doing or because it lost what it had: the higher record is
    /// published anew.
    pub(super) async fn compare(&mut self, stored: Option<Record>) {
        if self.storeless.end() {
            self.obstacle.clear();
        }
        if let Some(record) = &stored
            && self.adopt(record.clone())
        {
            return;
        }
        let Some(own) = self.usable().map(|token| Record::from(&*token)) else { return };
        if stored.is_none_or(|stored| own.supersedes(&stored)) {
            self.publish_anew().await;
        }
    }

    /// Saves a new token before it is used. Gives back the one to hold, which may be another replica's, and
    /// whether ours lost a race that leaves that one in doubt.
    pub(super) async fn save(&mut self, mut token: Token) -> (Token, bool) {
        loop {
            let other = match self.tools.store.save(&self.key, &Record::from(&token)).await {
                Ok(Saved::Saved) => return (token, false),
                // Once the store is back it is compared with what is held.
                Err(error) => {
                    self.store_failed(&error);
                    return (token, false);
                }
                Ok(Saved::Superseded(other)) => Token::from(other),
            };
            self.generation = self.generation.max(other.generation);
            let same = other.value.matches(&token.value);
            if same || !self.expired(&other) {
                // Where every fetch rotates, ours may have been the later one.
                let in_doubt = !same && self.issuer.rotates();
                return (other, in_doubt);
            }
            // An expired record settles only which number comes next.
            token.generation = self.generation + 1;
        }
    }

    /// Offers the token held to the store again.
    pub(super) async fn publish_anew(&mut self) {
        let Some(held) = &self.held else { return };
        let own = Token::clone(&held.token);
        let generation = own.generation;
        let (token, in_doubt) = self.save(own).await;
        if token.generation != generation {
            self.hold(token);
            self.suspect = in_doubt;
        }
    }

    /// A token that won a race in classic mode may be dead from the start.
    pub(super) async fn probe_suspect(&mut self) {
        self.suspect = false;
        if self.pulse().await == Proof::Dead {
            self.recover(Reason::Rejected).await;
        }
    }

    pub(super) async fn learn_forces(&mut self) {
        if self.issuer.forces()
            && let Ok(forces) = self.tools.store.forces(&self.force_key()).await
        {
            self.forces = self.forces.or_more(forces);
        }
    }

    /// Without a store the process's own count must do.
    pub(super) async fn spend_force(&mut self) -> Result<(), ForceRefused> {
        let (now, own) = (self.now().wall, self.forces);
        self.forces = match self.tools.store.spend_force(&self.force_key(), own, now).await {
            Ok(spent) => spent?,
            Err(_) => {
                let mut spent = own;
                spent.spend(now)?;
                spent
            }
        };
        Ok(())
    }

    /// That the store as a whole is down it tells itself, once; what concerns this app is told here.
    fn store_failed(&self, error: &StoreError) {
        if !matches!(error, StoreError::Down | StoreError::Timeout(_)) {
            let source = std::error::Error::source(error).map(ToString::to_string);
            tracing::warn!(app = %self.settings().app.name, source, "the token is not shared: {error}");
        }
    }

    fn force_key(&self) -> String {
        format!("force:{}", self.settings().app.appid)
    }

    fn expired(&self, token: &Token) -> bool {
        let now = self.now();
        self.aging(token.clone(), now).remaining(now).is_zero()
    }
}
