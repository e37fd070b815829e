//! What passes between a refresh task and the store: leases, records, the force budget.
//!
//! If the store fails, only sharing is lost: each replica then fetches for itself, serves from
//! memory, and offers its token to the store again later.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

use super::lease::{LEASE, LEASE_RENEWAL, OthersLease};
use super::refresh_task::RefreshTask;
use crate::store::{ForceRefused, Lease, Record, Saved, Store, StoreError, next_generation};
use crate::texts::text;
use crate::token::handle::TaskMessage;
use crate::token::life::Token;

/// How often the store is checked while another replica fetches.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The result of asking for the lease.
pub(super) enum LeaseResult {
    /// `None` without a store.
    Granted(Option<Lease>),
    /// Another replica fetched meanwhile.
    Adopted,
    /// Another replica has held the lease for too long.
    Busy,
}

impl RefreshTask {
    /// Waits as long for the store as a call to WeChat takes: two replicas that fetch at once end
    /// each other's token in classic mode.
    pub(super) async fn acquire_lease(&mut self) -> LeaseResult {
        let options = self.configured().options.clone();
        let give_up = Instant::now() + options.refresh_wait;
        loop {
            let longest = options.fetch_timeout + LEASE_RENEWAL;
            let stale = self.others_lease.as_ref().and_then(|lease| lease.stale(longest, Instant::now()));
            let (key, owner) = (&self.key, &self.owner);
            let answer = self.deps.store.lease_over(key, owner, stale, LEASE).await;
            let now = Instant::now();
            match answer {
                Ok(Ok(lease)) => {
                    if lease.taken_over {
                        tracing::warn!(app = %self.app_name(), "{}", text!("took over a lease that was no longer renewed"));
                    }
                    self.others_lease = None;
                    return LeaseResult::Granted(Some(lease));
                }
                Ok(Err(holder)) => {
                    self.others_lease = Some(OthersLease::saw(self.others_lease.take(), holder, now));
                }
                Err(_) => match &mut self.others_lease {
                    Some(lease) if lease.is_believed(now) => lease.lost_sight(),
                    _ => return LeaseResult::Granted(None),
                },
            }
            if now >= give_up {
                return LeaseResult::Busy;
            }
            sleep(LOOK_AGAIN).await;
            if self.adopt_newer().await {
                return LeaseResult::Adopted;
            }
        }
    }

    /// Renews the lease for as long as it is polled.
    pub(crate) async fn keep(store: &Store, lease: Option<&Lease>) -> Infallible {
        let Some(lease) = lease else { return std::future::pending().await };
        loop {
            sleep(LEASE_RENEWAL).await;
            // The next one may come in time.
            let _ = store.renew(lease, LEASE).await;
        }
    }

    /// Completes a late save and then releases the lease, in the background.
    pub(super) fn finish(&mut self, lease: Option<Lease>) {
        let (store, shared) = (self.deps.store.clone(), Arc::clone(&self.shared));
        let (save, app) = (self.late_save.take(), self.app_name());
        if save.is_none() && lease.is_none() {
            return;
        }
        while self.finishing.try_join_next().is_some() {}
        self.finishing.spawn(async move {
            if let Some(save) = save {
                let save = async {
                    match save.await {
                        Ok(Ok(Saved::Superseded(other))) => shared.tell(TaskMessage::Stored(Some(other))),
                        Ok(Err(error)) => store_failed(&app, &error),
                        Ok(Ok(Saved::Saved)) | Err(_) => {}
                    }
                };
                tokio::select! {
                    () = save => {}
                    never = Self::keep(&store, lease.as_ref()) => match never {},
                }
            }
            if let Some(lease) = lease {
                let _ = store.release(&lease).await;
            }
        });
    }

    /// Adopts a newer token from the store, if there is one that has not expired.
    pub(super) async fn adopt_newer(&mut self) -> bool {
        let loaded = self.deps.store.load(&self.key).await;
        self.adopt_loaded(loaded)
    }

    /// The same where requests wait: doesn't wait for a slow store.
    pub(super) async fn adopt_newer_promptly(&mut self) -> bool {
        let loaded = self.deps.store.load_promptly(&self.key).await;
        self.adopt_loaded(loaded)
    }

    fn adopt_loaded(&mut self, loaded: Result<Option<Record>, StoreError>) -> bool {
        match loaded {
            Ok(Some(record)) => self.adopt(record),
            Ok(None) => false,
            Err(error) => {
                store_failed(&self.app_name(), &error);
                false
            }
        }
    }

    fn adopt(&mut self, record: Record) -> bool {
        let adopted = self.life.adopt(record, self.now());
        self.started |= adopted;
        if adopted {
            self.others_lease = None;
        }
        self.publish();
        adopted
    }

    /// The store holds this now, because another replica saved it or because the store lost data:
    /// whichever record is higher is published again.
    pub(super) async fn compare(&mut self, stored: Option<Record>) {
        if self.life.store_is_back() {
            self.life.unblock();
        }
        if let Some(record) = &stored
            && self.adopt(record.clone())
        {
            return;
        }
        let Some(own) = self.usable().map(|token| Record::from(&*token)) else { return };
        if stored.is_none_or(|stored| own.supersedes(&stored)) {
            self.republish().await;
            self.finish(None);
        }
    }

    /// Saves a new token before it is used, by compare-and-set. Returns the one to hold, which is
    /// another replica's if that was first, and whether the race leaves that one in doubt. A late
    /// save is left to [`RefreshTask::finish`], so that waiting requests get the token.
    pub(super) async fn save(&mut self, mut token: Token) -> (Token, bool) {
        loop {
            let (store, key, record) = (self.deps.store.clone(), self.key.clone(), Record::from(&token));
            let mut save = Box::pin(async move { store.save(&key, &record).await });
            let Some(saved) = self.deps.store.promptly(&mut save).await else {
                self.late_save = Some(Handle::current().spawn(save));
                return (token, false);
            };
            let winner = match saved {
                Ok(Saved::Saved) => return (token, false),
                // Once the store is back it is compared with what is held.
                Err(error) => {
                    store_failed(&self.app_name(), &error);
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
            token.generation = next_generation(self.life.newest());
        }
    }

    /// Offers the token held to the store again.
    pub(super) async fn republish(&mut self) {
        let Some(own) = self.life.token().map(|token| Token::clone(token)) else { return };
        let generation = own.generation;
        let (token, in_doubt) = self.save(own).await;
        if token.generation != generation {
            self.hold(token, in_doubt);
        }
    }

    pub(super) async fn learn_forces(&mut self) {
        if self.credential.issuer.forces()
            && let Some(Ok(forces)) =
                self.deps.store.promptly(self.deps.store.forces(&self.force_key())).await
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

    fn force_key(&self) -> String {
        format!("force:{}", self.configured().app.appid)
    }
}

/// The store itself logs, once, that it is down or refuses a record; this logs other errors that
/// concern the app.
fn store_failed(app: &str, error: &StoreError) {
    let told = matches!(error, StoreError::Late | StoreError::Down | StoreError::Timeout(_));
    if !told && error.refusal().is_none() {
        let source = std::error::Error::source(error).map(ToString::to_string);
        tracing::warn!(app, source, "{}", text!("could not save the token to the store: {error}", error));
    }
}
