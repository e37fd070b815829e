//! What passes between a refresh task and the store: leases, records, the force budget.
//!
//! A store that fails costs nothing but sharing: each replica is its own single flight then, serves
//! from memory, and offers its token again later.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::refresh_task::RefreshTask;
use crate::store::{ForceRefused, Lease, Record, Saved, StoreError};
use crate::token::life::Token;

/// Longer than a token call, so that a replica that dies while it fetches holds the others up only
/// briefly.
pub(super) const LEASE: Duration = Duration::from_secs(4);
/// How often those who wait for another replica's fetch look at the store.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What came of asking to be the one who fetches.
pub(super) enum LeaseResult {
    /// `None` without a store.
    Granted(Option<Lease>),
    /// Another replica fetched meanwhile.
    Adopted,
    /// Another replica has been at it for too long.
    Busy,
}

impl RefreshTask {
    pub(super) async fn acquire_lease(&mut self) -> LeaseResult {
        let give_up = Instant::now() + self.configured().options.refresh_wait;
        loop {
            match self.deps.store.lease(&self.key, &self.deps.owner, LEASE).await {
                Ok(None) if Instant::now() >= give_up => return LeaseResult::Busy,
                Ok(None) => sleep(LOOK_AGAIN).await,
                Ok(lease) => return LeaseResult::Granted(lease),
                Err(_) => return LeaseResult::Granted(None),
            }
            if self.adopt_newer().await {
                return LeaseResult::Adopted;
            }
        }
    }

    /// Takes a newer token from the store, if there is one that has not expired.
    pub(super) async fn adopt_newer(&mut self) -> bool {
        match self.deps.store.load(&self.key).await {
            Ok(Some(record)) => self.adopt(record),
            Ok(None) => false,
            Err(error) => {
                self.store_failed(&error);
                false
            }
        }
    }

    fn adopt(&mut self, record: Record) -> bool {
        let adopted = self.life.adopt(record, self.now());
        self.started |= adopted;
        self.publish();
        adopted
    }

    /// The store holds this now, by another replica's doing or because it lost what it had: the
    /// higher record is published anew.
    pub(super) async fn compare(&mut self, stored: Option<Record>) {
        if self.life.store_is_back() {
            self.life.unbar();
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

    /// Saves a new token before it is used, by compare-and-set. Gives back the one to hold, which
    /// is another replica's if that was first, and whether the race leaves that one in doubt.
    pub(super) async fn save(&mut self, mut token: Token) -> (Token, bool) {
        loop {
            let winner = match self.deps.store.save(&self.key, &Record::from(&token)).await {
                Ok(Saved::Saved) => return (token, false),
                // Once the store is back it is compared with what is held.
                Err(error) => {
                    self.store_failed(&error);
                    return (token, false);
                }
                Ok(Saved::Superseded(other)) => Token::from(other),
            };
            self.life.seen(winner.generation);
            let same = winner.value.matches(&token.value);
            if same || !winner.has_expired(self.now().wall) {
                // Where every fetch rotates, ours may have been the later one.
                let in_doubt = !same && self.credential.issuer.rotates();
                return (winner, in_doubt);
            }
            // An expired record settles only which number comes next.
            token.generation = self.life.newest() + 1;
        }
    }

    /// Offers the token held to the store again.
    pub(super) async fn publish_anew(&mut self) {
        let Some(own) = self.life.token().map(|token| Token::clone(token)) else { return };
        let generation = own.generation;
        let (token, in_doubt) = self.save(own).await;
        if token.generation != generation {
            self.hold(token, in_doubt);
        }
    }

    pub(super) async fn learn_forces(&mut self) {
        if self.credential.issuer.forces()
            && let Ok(forces) = self.deps.store.forces(&self.force_key()).await
        {
            self.life.set_forces(self.life.forces().or_more(forces));
        }
    }

    /// Without a store the process's own count must do.
    pub(super) async fn spend_force(&mut self) -> Result<(), ForceRefused> {
        let (now, mut own) = (self.now().wall, self.life.forces());
        let spent = match self.deps.store.spend_force(&self.force_key(), own, now).await {
            Ok(spent) => spent?,
            Err(_) => {
                own.spend(now)?;
                own
            }
        };
        self.life.set_forces(spent);
        Ok(())
    }

    /// That the store as a whole is down it tells itself, once; what concerns this app is told
    /// here.
    fn store_failed(&self, error: &StoreError) {
        if !matches!(error, StoreError::Down | StoreError::Timeout(_)) {
            let source = std::error::Error::source(error).map(ToString::to_string);
            tracing::warn!(app = %self.app_name(), source, "the token is not shared: {error}");
        }
    }

    fn force_key(&self) -> String {
        format!("force:{}", self.configured().app.appid)
    }
}
