//! What third-party platforms need: tickets, and the accounts that authorise a platform.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::Manager;
use super::app_tokens::{AppTokens, TaskHandle};
use super::authorization_code::{Authorized, digest_of, look_up, remember};
use crate::observe::clock::Timestamp;
use crate::secret::Secret;
use crate::store::{Record, StoreError};
use crate::texts::{text, words};
use crate::token::credential::Credential;
use crate::token::fetch::query_auth;
use crate::token::grant;
use crate::token::handle::{Configured, Handle};
use crate::token::life::{Failure, Unavailable};
use crate::upstream::control::Control;
use crate::wechat::{Issuer, TicketKind};

/// How many refresh tokens are saved at once while a request waits: WeChat returns up to 500.
const SAVES: usize = 16;

impl Manager {
    /// A handle to the token by which `platform`, or the suite of the app of that name, acts for
    /// the account `appid`; none if that account never authorised it. An account is looked up in
    /// the store when it is first asked for.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn authorizer(&self, platform: &str, appid: &str) -> Result<Option<Handle>, Unavailable> {
        if let Some(handle) = self.known_authorizer(platform, appid) {
            return Ok(Some(handle));
        }
        // On the control plane's runtime: a worker with its hands full would take the store for
        // late.
        let (manager, platform, appid) = (self.clone(), platform.to_owned(), Arc::from(appid));
        let looked_up = self.0.runtime.spawn(async move { manager.look_up(&platform, appid).await });
        looked_up.await.unwrap_or_else(|_| Err(shutting_down()))
    }

    async fn look_up(&self, platform: &str, appid: Arc<str>) -> Result<Option<Handle>, Unavailable> {
        let _turn = self.0.deps.look_ups.acquire().await;
        // Another request for the same account may have been faster.
        if let Some(handle) = self.known_authorizer(platform, &appid) {
            return Ok(Some(handle));
        }
        let Some((key, _)) = self.0.apps().app(platform).and_then(|app| app.acting_for(&appid)) else {
            return Ok(None);
        };
        // A store that is late is waited for, although requests do: there is nothing else to serve
        // them from.
        let record = match self.0.deps.store.load(&key).await {
            Ok(Some(record)) => record,
            Ok(None) => return Ok(None),
            Err(error) => {
                let cause = words!(
                    "could not look up whether this account has authorised the platform: {error}",
                    error = error.chain()
                );
                return Err(Unavailable { cause, errcode: None });
            }
        };
        let mut apps = self.0.apps();
        let Some(app) = apps.app_mut(platform) else { return Ok(None) };
        let Some((_, credential)) = app.acting_for(&appid) else { return Ok(None) };
        let configured = app.main.shared.configured.load_full();
        let (control, turns) = (app.control.clone(), Arc::clone(&app.turns));
        let task = app.authorizers.entry(appid).or_insert_with(|| {
            let task = self.spawn(Configured::clone(&configured), credential, control, &turns);
            task.shared.granted(record);
            task
        });
        Ok(Some(task.handle()))
    }

    /// A handle to a ticket of an account that `platform` acts for, and whose token was asked for
    /// before. A ticket is looked after from when it is first asked for.
    ///
    /// # Errors
    /// The platform is no longer configured.
    pub fn authorizer_ticket(
        &self,
        platform: &str,
        appid: &Arc<str>,
        kind: TicketKind,
    ) -> Result<Handle, Unavailable> {
        let gone = || Unavailable { cause: words!("the platform is not configured"), errcode: None };
        let mut apps = self.0.apps();
        let app = apps.app_mut(platform).ok_or_else(gone)?;
        let by = app.authorizers.get(appid).map(TaskHandle::handle).ok_or_else(gone)?;
        let (configured, control) = (app.main.shared.configured.load_full(), app.control.clone());
        let turns = Arc::clone(&app.turns);
        let task = app.tickets.entry((Arc::clone(appid), kind)).or_insert_with(|| {
            let credential = Credential::authorizers_ticket(kind, Arc::clone(appid), by);
            self.spawn(Configured::clone(&configured), credential, control, &turns)
        });
        Ok(task.handle())
    }

    /// How many authorisations accounts gave or took back, as far as is known here: while it is the
    /// same, what was looked up is not to be looked up again.
    pub fn authorizations(&self) -> u64 {
        self.0.authorizations()
    }

    fn known_authorizer(&self, platform: &str, appid: &str) -> Option<Handle> {
        let apps = self.0.apps();
        apps.app(platform)?.authorizers.get(appid).map(TaskHandle::handle)
    }

    /// WeChat pushed a ticket for the app of that name, with which `issuer`'s credential is
    /// fetched.
    ///
    /// # Errors
    /// The store didn't take it; it is used from memory meanwhile.
    pub async fn ticket_arrived(
        &self,
        app: &str,
        issuer: Issuer,
        ticket: Secret,
        created: Timestamp,
    ) -> Result<(), StoreError> {
        let (task, key) = {
            let apps = self.0.apps();
            let mut tasks = apps.app(app).into_iter().flat_map(AppTokens::own);
            let Some(task) = tasks.find(|task| task.credential.issuer == issuer) else { return Ok(()) };
            let Some(key) = &task.grant else { return Ok(()) };
            (Arc::clone(&task.shared), key.clone())
        };
        let record = grant::ticket(ticket, created);
        task.granted(record.clone());
        self.0.deps.store.save(&key, &record).await.map(drop)
    }

    /// An account granted the platform this refresh token.
    ///
    /// # Errors
    /// The store didn't take it.
    pub async fn granted(
        &self,
        platform: &str,
        appid: &str,
        refresh_token: Secret,
    ) -> Result<(), StoreError> {
        let Some((component, ..)) = self.platform(platform) else { return Ok(()) };
        let (key, now) = (grant::refresh_token_key(&component, appid), self.0.deps.clock.now());
        let record = grant::save_refresh_token(&self.0.deps.store, &key, refresh_token, now).await?;
        self.hand_over(platform, appid, record);
        Ok(())
    }

    /// Tells the task of an account of what was granted.
    pub(super) fn hand_over(&self, platform: &str, appid: &str, record: Record) {
        if let Some(task) = self.0.apps().app(platform).and_then(|app| app.authorizers.get(appid)) {
            task.shared.granted(record);
        }
        self.0.note_authorization();
    }

    /// WeChat, asked at `asked_at`, showed these refresh tokens of accounts. Those that the store
    /// lacks are kept. Continues even if the caller hangs up.
    ///
    /// # Errors
    /// The store can't be read, or didn't save one.
    pub async fn take_in(
        &self,
        platform: &str,
        shown: Vec<(&str, Secret)>,
        asked_at: Timestamp,
    ) -> Result<(), Unavailable> {
        let Some((component, ..)) = self.platform(platform) else { return Ok(()) };
        let shown: Vec<_> =
            shown.into_iter().map(|(appid, token)| (Arc::<str>::from(appid), token)).collect();
        let (manager, platform) = (self.clone(), platform.to_owned());
        let taken_in = self.0.runtime.spawn(async move {
            let taken_in = manager.take_in_all(&platform, &component, shown, asked_at).await;
            taken_in.map_err(|error| Unavailable {
                cause: words!(
                    "could not save the refresh tokens in WeChat's response: {error}",
                    error = error.chain()
                ),
                errcode: None,
            })
        });
        taken_in.await.unwrap_or_else(|_| Err(shutting_down()))
    }

    async fn take_in_all(
        &self,
        platform: &str,
        component: &str,
        shown: Vec<(Arc<str>, Secret)>,
        asked_at: Timestamp,
    ) -> Result<(), StoreError> {
        let (store, now) = (&self.0.deps.store, self.0.deps.clock.now());
        let keys: Vec<_> =
            shown.iter().map(|(appid, _)| grant::refresh_token_key(component, appid)).collect();
        let present = store.load_all(&keys.iter().map(String::as_str).collect::<Vec<_>>()).await?;
        let mut lacking = shown.into_iter().zip(keys).zip(present).filter_map(|((account, key), present)| {
            // What can't be read may be the newer one.
            Some((account, key, present.ok()?))
        });
        let mut saves = JoinSet::new();
        let (mut count, mut failed) = (0, None);
        loop {
            while saves.len() < SAVES
                && failed.is_none()
                && let Some(((appid, token), key, present)) = lacking.next()
            {
                let store = store.clone();
                saves.spawn(async move {
                    (appid, grant::take_in(&store, &key, token, present, asked_at, now).await)
                });
            }
            match saves.join_next().await {
                None => break,
                Some(Ok((appid, Ok(Some(record))))) => {
                    self.hand_over(platform, &appid, record);
                    count += 1;
                }
                Some(Ok((_, Ok(None)))) => {}
                Some(Ok((_, Err(error)))) => failed = failed.or(Some(error)),
                Some(Err(panicked)) => std::panic::resume_unwind(panicked.into_panic()),
            }
        }
        if count > 0 {
            tracing::info!(
                app = platform,
                accounts = count,
                "{}",
                text!("saved refresh tokens that the store lacked")
            );
        }
        failed.map_or(Ok(()), Err)
    }

    /// An account revoked its authorisation at that time; a later one stays.
    ///
    /// # Errors
    /// The store didn't take it.
    pub async fn revoked(&self, platform: &str, appid: &str, at: Timestamp) -> Result<(), StoreError> {
        let Some((component, ..)) = self.platform(platform) else { return Ok(()) };
        let key = grant::refresh_token_key(&component, appid);
        match self.0.deps.store.load(&key).await? {
            Some(present) if present.fetched_at <= at => self.granted(platform, appid, Secret::new("")).await,
            _ => Ok(()),
        }
    }

    /// Exchanges the code of an account that authorised the platform for its refresh token, or that
    /// of a company for its permanent code, and keeps that. Continues even if the caller hangs up.
    ///
    /// # Errors
    /// WeChat gave none, or the store didn't take it.
    pub async fn authorized(&self, platform: &str, code: &Secret) -> Result<Authorized, Failure> {
        if let Some(suite) = self.suite(platform) {
            return self.corporation_shown(&suite, code).await;
        }
        let digest = digest_of(code);
        let key = format!("{platform} {digest}");
        let exchange = || {
            let (manager, platform, code) = (self.clone(), platform.to_owned(), Secret::new(code.expose()));
            async move { manager.exchange(&platform, &code, &digest).await }
        };
        self.0.exchanges.once(&self.0.runtime, key, exchange).await
    }

    async fn exchange(&self, platform: &str, code: &Secret, digest: &str) -> Result<Authorized, Failure> {
        let unknown = || Failure::transient(words!("the platform is not configured"));
        let (component, control, by) = self.platform(platform).ok_or_else(unknown)?;
        let (store, now) = (&self.0.deps.store, self.0.deps.clock.now());
        let key = format!("authorization_code:{component}:{digest}");
        // Another replica may have been first.
        if let Some(authorized) = look_up(store, &key, now).await {
            return Ok(authorized);
        }
        let timeout = by.shared.configured.load().options.fetch_timeout;
        let authorization = query_auth(&control, &by, &component, code, timeout).await?;
        let kept = self.granted(platform, &authorization.appid, authorization.refresh_token).await;
        kept.map_err(|error| {
            Failure::transient(words!(
                "could not save the refresh token to the store: {error}",
                error = error.chain()
            ))
        })?;
        let authorized = (authorization.appid, authorization.info);
        remember(store, &key, &authorized, now).await;
        Ok(authorized)
    }

    fn platform(&self, name: &str) -> Option<(Arc<str>, Control, Handle)> {
        let apps = self.0.apps();
        let AppTokens { main, control, .. } = apps.app(name)?;
        Some((Arc::clone(&main.shared.configured.load().app.appid), control.clone(), main.handle()))
    }
}

pub(super) fn shutting_down() -> Unavailable {
    Unavailable { cause: words!("wxgate is shutting down"), errcode: None }
}
