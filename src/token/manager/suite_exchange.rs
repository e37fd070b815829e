//! The exchange of a company's code for the permanent one: once, whichever replicas and SDKs have
//! it, and taken up where another process stopped.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::Manager;
use super::app_tokens::AppTokens;
use super::authorization_code::{Authorized, look_up, remember};
use super::suite::Suite;
use super::suite_held::Held;
use crate::observe::clock::Timestamp;
use crate::secret::Secret;
use crate::store::{Record, Saved, StoreError};
use crate::texts::{text, words};
use crate::token::auth_code::{AuthCode, Cause, CorporationGrant, Progress};
use crate::token::fetch::{CODE_REFUSED, CodeAnswer, get_permanent_code};
use crate::token::grant;
use crate::token::life::Failure;
use crate::token::status::{Event, Happened};
use crate::token::task::{LEASE, RefreshTask};
use crate::wechat::Issuer;

/// How often it is looked for codes that another process left.
const LOOK: Duration = Duration::from_secs(30);
/// Until an exchange that failed is tried again, at first and at last.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));
/// The same for WeCom's answer, which the store did not take.
const SAVE_AGAIN: Duration = Duration::from_millis(500);

impl Manager {
    /// Takes up the codes in the store, and from now on those that other processes leave there.
    pub(super) fn take_up_codes(&self) -> JoinHandle<()> {
        let registry = Arc::downgrade(&self.0);
        self.0.runtime.spawn(async move {
            while let Some(registry) = registry.upgrade() {
                Self(registry).look_for_codes().await;
                sleep(LOOK).await;
            }
        })
    }

    async fn look_for_codes(&self) {
        let names: Vec<_> = {
            let apps = self.0.apps();
            let suites = apps.all().filter(|app| app.suite().is_some());
            suites.map(|app: &AppTokens| app.main.name()).collect()
        };
        for suite in names.iter().filter_map(|name| self.suite(name)) {
            let prefix = AuthCode::prefix(&suite.id);
            let Ok(keys) = self.0.deps.store.keys(&prefix).await else { continue };
            self.0.codes.forget_others(&prefix, &keys);
            for key in keys {
                // The store tells of those that it refuses.
                let Ok(Some(record)) = self.0.deps.store.load(&key).await else { continue };
                let Some(code) = AuthCode::read(&record) else { continue };
                match code.loss(&suite.app, &suite.id) {
                    Some(lost) => self.tell_lost(&key, lost),
                    None => self.pursue(suite.clone(), key[prefix.len()..].to_owned(), None),
                }
            }
        }
    }

    /// Exchanges a code in the background, again and again until it is settled, unless that is
    /// being done. One that WeCom hasn't pushed has a place among those.
    pub(super) fn pursue(&self, suite: Suite, digest: String, place: Option<OwnedSemaphorePermit>) {
        let key = AuthCode::key(&suite.id, &digest);
        if !self.0.codes.pursue(&key, place) {
            return;
        }
        let registry = Arc::downgrade(&self.0);
        self.0.runtime.spawn(async move {
            let (mut pause, longest) = PAUSES;
            // Its app may be configured otherwise by now, or be gone.
            while let Some(manager) = registry.upgrade().map(Self)
                && let Some(suite) = manager.suite(&suite.app).filter(|now| now.id == suite.id)
            {
                match manager.exchange_code(&suite, &digest).await {
                    Ok(_) => break,
                    Err(failure) if failure.permanent => break,
                    Err(failure) => tracing::warn!(
                        app = %suite.app,
                        "{}",
                        text!("could not exchange the code of a company yet; will retry: {failure}", failure)
                    ),
                }
                drop(manager);
                sleep(pause).await;
                pause = (pause * 2).min(longest);
            }
            if let Some(registry) = registry.upgrade() {
                registry.codes.pursued(&key);
            }
        });
    }

    /// What came of a code; a permanent failure if nothing will.
    pub(super) async fn exchange_code(&self, suite: &Suite, digest: &str) -> Result<Authorized, Failure> {
        let exchange = || {
            let (manager, suite, digest) = (self.clone(), suite.clone(), digest.to_owned());
            async move { manager.exchange_leased(&suite, &digest).await }
        };
        self.0.exchanges.once(&self.0.runtime, format!("{} {digest}", suite.app), exchange).await
    }

    async fn exchange_leased(&self, suite: &Suite, digest: &str) -> Result<Authorized, Failure> {
        let store = &self.0.deps.store;
        let shared = suite.shared_key(digest);
        // Another replica may have been first.
        if let Some(authorized) = look_up(store, &shared, self.0.deps.clock.now()).await {
            return Ok(authorized);
        }
        let key = AuthCode::key(&suite.id, digest);
        // Without the suite's token the exchange can't begin; a code that is too old is still
        // looked at.
        let token = suite.token.obtain().await;
        let _under_way = self.0.codes.under_way().await;
        let owner = format!("{:032x}", fastrand::u128(..));
        let Ok(lease) = store.lease(&key, &owner, LEASE).await.map_err(unreachable)? else {
            return Err(Failure::transient(words!("another replica is exchanging it")));
        };
        let work = async {
            // Settled since it was looked for.
            let Some(held) = self.load(key).await? else {
                let found = look_up(store, &shared, self.0.deps.clock.now()).await;
                return found.ok_or_else(|| refused(words!("the code is not known any more"), None));
            };
            let held = match held.code.progress {
                Progress::Answered(_) => held,
                Progress::Lost(_) => return Err(lost()),
                Progress::Waiting | Progress::Begun(_) => {
                    let cause = token.err().map(|error| Failure::transient(error.cause));
                    self.ask(suite, held, cause).await?
                }
            };
            self.settle(suite, held, &shared).await
        };
        let result = tokio::select! {
            result = work => result,
            never = RefreshTask::keep(store, Some(&lease)) => match never {},
        };
        // One that isn't given back ends by itself.
        let _ = store.release(&lease).await;
        result
    }

    async fn load(&self, key: String) -> Result<Option<Held>, Failure> {
        let Some(record) = self.0.deps.store.load(&key).await.map_err(unreachable)? else {
            return Ok(None);
        };
        let code = AuthCode::read(&record);
        let code = code.ok_or_else(|| refused(words!("what the store has of the code is damaged"), None))?;
        Ok(Some(Held { key, code, record }))
    }

    /// Asks WeCom, unless the suite has no token for this reason, and saves what it answered.
    async fn ask(&self, suite: &Suite, mut held: Held, tokenless: Option<Failure>) -> Result<Held, Failure> {
        if let Some(cause) = held.code.given_up(self.0.deps.clock.now()) {
            return self.give_up(suite, held, cause, lost()).await;
        }
        if let Some(failure) = tokenless {
            return Err(failure);
        }
        let begun_before = matches!(held.code.progress, Progress::Begun(_));
        if !begun_before {
            held.code.begin(self.0.deps.clock.now());
            self.save(&mut held).await?;
            if !held.code.is_being_asked() {
                // A holder of the lease before was late, and has come further.
                return Ok(held);
            }
        }
        let code = held.code.code();
        let error = match get_permanent_code(&suite.control, &suite.token, &code, suite.timeout).await {
            Ok(CodeAnswer::Granted(grant)) => {
                held.code.answered(grant);
                self.save_at_any_rate(suite, &mut held).await;
                return Ok(held);
            }
            Ok(CodeAnswer::Malformed(corporation @ Some(_))) => {
                return self.lose(suite, held, Cause::Malformed, corporation).await;
            }
            // It may not have been WeCom that answered: the next exchange will tell.
            Ok(CodeAnswer::Malformed(None)) => {
                return Err(Failure::transient(words!("WeCom's response lacks the permanent code")));
            }
            Err(error) => error,
        };
        let failure = *error.failure;
        match failure.errcode {
            Some(code) if CODE_REFUSED.contains(&code) => {
                let cause = held.code.why_refused(begun_before, self.0.deps.clock.now());
                self.give_up(suite, held, cause, Failure { permanent: true, ..failure }).await
            }
            _ => {
                if !error.lost && !begun_before {
                    held.code.wait();
                    // If it isn't saved, the code counts as one that WeCom may have taken.
                    let _ = self.save(&mut held).await;
                }
                Err(Failure { permanent: false, ..failure })
            }
        }
    }

    /// Keeps the permanent code, and then forgets the code that it was exchanged for.
    async fn settle(&self, suite: &Suite, held: Held, shared: &str) -> Result<Authorized, Failure> {
        let (store, now) = (&self.0.deps.store, self.0.deps.clock.now());
        let Progress::Answered(CorporationGrant { corporation, permanent_code, info }) = &held.code.progress
        else {
            return Err(lost());
        };
        let record = grant::permanent_code(Secret::new(permanent_code.as_str()), held.code.made());
        let kept = self.keep_permanent_code(suite, &held.code, corporation, record).await;
        let kept = kept.map_err(|error| {
            Failure::transient(words!(
                "could not save the permanent code to the store: {error}",
                error = error.chain()
            ))
        })?;
        if let Some(record) = kept {
            self.hand_over(&suite.app, corporation, record);
            tracing::info!(
                app = %suite.app,
                corporation,
                "{}",
                text!("a company authorised the suite; its permanent code is in the store")
            );
        }
        self.make_up_for(suite, corporation).await;
        let authorized = (Arc::from(corporation.as_str()), info.clone());
        remember(store, shared, &authorized, now).await;
        // What is left is settled again at the next look, which changes nothing.
        let _ = store.remove(&held.key, &held.record).await;
        Ok(authorized)
    }

    /// Saves the permanent code that WeCom gave for `code`, unless the store has it already or has
    /// a later one; what was saved.
    async fn keep_permanent_code(
        &self,
        suite: &Suite,
        code: &AuthCode,
        corporation: &str,
        mut record: Record,
    ) -> Result<Option<Record>, StoreError> {
        let (store, key) = (&self.0.deps.store, grant::permanent_code_key(&suite.id, corporation));
        while let Saved::Superseded(other) = store.save_over_refused(&key, &record).await? {
            if other.value.matches(&record.value) {
                return Ok(None);
            }
            if !code.is_latest(self.0.deps.clock.now()) {
                tracing::warn!(
                    app = %suite.app,
                    corporation,
                    authorized_at = code.made().rfc3339(),
                    "{}",
                    text!("a company's permanent code is not used: by WeCom's times it authorised or removed the suite later")
                );
                return Ok(None);
            }
            record = grant::permanent_code_after(Secret::new(record.value.expose()), &other);
        }
        Ok(Some(record))
    }

    /// The company authorised the suite again: what was lost of it before is of no more concern.
    async fn make_up_for(&self, suite: &Suite, corporation: &str) {
        let store = &self.0.deps.store;
        let prefix = AuthCode::prefix(&suite.id);
        for key in self.0.codes.lost_of(&prefix, corporation) {
            if let Ok(Some(record)) = store.load(&key).await
                && store.remove(&key, &record).await.is_ok()
            {
                self.0.codes.forget(&key);
            }
        }
    }

    /// Nothing will come of the code, nor is anything lost if an SDK made it up.
    async fn give_up(
        &self,
        suite: &Suite,
        held: Held,
        cause: Cause,
        failure: Failure,
    ) -> Result<Held, Failure> {
        // It stays if WeCom pushed it meanwhile.
        if held.code.is_worth_nothing(cause)
            && !matches!(self.0.deps.store.remove(&held.key, &held.record).await, Ok(false))
        {
            return Err(failure);
        }
        self.lose(suite, held, cause, None).await
    }

    /// Nothing will come of the code, unless another replica has WeCom's answer.
    async fn lose(
        &self,
        suite: &Suite,
        mut held: Held,
        cause: Cause,
        corporation: Option<String>,
    ) -> Result<Held, Failure> {
        held.code.lose(cause, corporation, self.0.deps.clock.now());
        self.save(&mut held).await?;
        let Some(loss) = held.code.loss(&suite.app, &suite.id) else { return Ok(held) };
        self.tell_lost(&held.key, loss);
        Err(lost())
    }

    /// Tells people, once.
    fn tell_lost(&self, key: &str, lost: crate::token::LostAuthorization) {
        let (app, cause) = (Arc::clone(&lost.app), lost.cause.clone());
        if !self.0.codes.lose(key, lost.clone()) {
            return;
        }
        tracing::error!(
            %app,
            corporation = lost.corporation,
            authorized_at = lost.authorized_at.rfc3339(),
            exchanged_at = lost.exchanged_at.map(Timestamp::rfc3339),
            "{}",
            text!("the authorisation of a company is lost: {cause}; remedy: {remedy}", cause, remedy = lost.remedy)
        );
        let (at, credential) = (lost.lost_at, Issuer::Corporation.credential());
        self.0.deps.events.add(Event { at, app, credential, what: Happened::AuthorizationLost(lost) });
    }

    async fn save(&self, held: &mut Held) -> Result<(), Failure> {
        match held.save(&self.0.deps.store, self.0.deps.clock.now()).await.map_err(unreachable)? {
            true => Ok(()),
            false => Err(Failure::transient(words!("another replica has exchanged it"))),
        }
    }

    /// WeCom won't say it again, so it is tried for as long as the process runs.
    async fn save_at_any_rate(&self, suite: &Suite, held: &mut Held) {
        let mut told = false;
        while let Err(error) = held.save(&self.0.deps.store, self.0.deps.clock.now()).await {
            if !told {
                tracing::error!(
                    app = %suite.app,
                    "{}",
                    text!("the permanent code of a company could not be saved yet; will retry: {error}", error = error.chain())
                );
                told = true;
            }
            sleep(SAVE_AGAIN).await;
        }
    }
}

fn unreachable(error: StoreError) -> Failure {
    Failure::transient(words!("the store failed: {error}", error = error.chain()))
}

fn lost() -> Failure {
    refused(
        words!("the authorisation is lost: the company's administrator has to authorise again"),
        Some(40078),
    )
}

fn refused(message: crate::texts::Words, errcode: Option<i64>) -> Failure {
    Failure { errcode, message, remedy: None, permanent: true }
}
