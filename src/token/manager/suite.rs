//! What companies do that authorise a suite, as WeCom pushes it and SDKs ask for it.

use std::sync::Arc;
use std::time::Duration;

use super::Manager;
use super::authorization_code::{Authorized, digest_of, look_up};
use super::platform::shutting_down;
use crate::observe::clock::Timestamp;
use crate::secret::Secret;
use crate::store::{Saved, StoreError};
use crate::texts::{text, words};
use crate::token::auth_code::AuthCode;
use crate::token::grant;
use crate::token::handle::Handle;
use crate::token::life::{Failure, Unavailable};
use crate::upstream::control::Control;

/// A suite as it is configured.
#[derive(Clone)]
pub(super) struct Suite {
    /// The name of its app.
    pub(super) app: Arc<str>,
    pub(super) id: Arc<str>,
    pub(super) control: Control,
    /// Of its token.
    pub(super) token: Handle,
    /// Of one call.
    pub(super) timeout: Duration,
}

impl Manager {
    /// A company authorised the suite of the app of that name, or its permanent code was reset, and
    /// WeCom pushed this code. It is in the store when this ends, and is exchanged in the
    /// background.
    ///
    /// # Errors
    /// The store didn't take it.
    pub async fn corporation_authorized(
        &self,
        app: &str,
        code: &Secret,
        created: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(suite) = self.suite(app) else { return Ok(()) };
        self.keep_code(&suite, code, created, true).await?;
        self.pursue(suite, digest_of(code));
        Ok(())
    }

    /// An SDK shows a code that a company authorised the suite with: what came of it.
    pub(super) async fn corporation_shown(
        &self,
        suite: &Suite,
        code: &Secret,
    ) -> Result<Authorized, Failure> {
        let (digest, now) = (digest_of(code), self.0.deps.clock.now());
        let (manager, suite, code) = (self.clone(), suite.clone(), Secret::new(code.expose()));
        let exchange = self.0.runtime.spawn(async move {
            manager.keep_code(&suite, &code, now, false).await.map_err(|error| {
                Failure::transient(words!(
                    "could not save the code to the store: {error}",
                    error = error.chain()
                ))
            })?;
            let exchanged = manager.exchange_code(&suite, &digest).await;
            if exchanged.as_ref().is_err_and(|failure| !failure.permanent) {
                manager.pursue(suite, digest);
            }
            exchanged
        });
        exchange.await.unwrap_or_else(|_| Err(Failure::transient(shutting_down().cause)))
    }

    /// Saves a code, unless it is known.
    async fn keep_code(
        &self,
        suite: &Suite,
        code: &Secret,
        created: Timestamp,
        pushed: bool,
    ) -> Result<(), StoreError> {
        let (store, now) = (&self.0.deps.store, self.0.deps.clock.now());
        let digest = digest_of(code);
        if look_up(store, &suite.shared_key(&digest), now).await.is_some() {
            return Ok(());
        }
        let key = AuthCode::key(&suite.id, &digest);
        if store.load(&key).await?.is_some() {
            return Ok(());
        }
        let record = AuthCode::new(code, created, pushed).record(None, now);
        store.save(&key, &record).await.map(drop)
    }

    /// A company granted the suite other rights: there is nothing to fetch.
    pub fn corporation_changed(&self, app: &str, corporation: &str) {
        tracing::info!(app, corporation, "{}", text!("a company changed what it grants the suite"));
    }

    /// A company removed the suite at that time; a later authorisation stays.
    ///
    /// # Errors
    /// The store didn't take it.
    pub async fn corporation_left(
        &self,
        app: &str,
        corporation: &str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(suite) = self.suite(app) else { return Ok(()) };
        let key = grant::permanent_code_key(&suite.id, corporation);
        let record = grant::permanent_code(Secret::new(""), at);
        if let Saved::Saved = self.0.deps.store.save_over_refused(&key, &record).await? {
            self.hand_over(app, corporation, record);
            tracing::info!(app, corporation, "{}", text!("a company removed the suite"));
        }
        Ok(())
    }

    /// The permanent code by which the suite of the app of that name acts for a company, if it
    /// does.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn permanent_code(
        &self,
        app: &str,
        corporation: &str,
    ) -> Result<Option<Arc<Secret>>, Unavailable> {
        let Some(suite) = self.suite(app) else { return Ok(None) };
        let (store, key) = (self.0.deps.store.clone(), grant::permanent_code_key(&suite.id, corporation));
        // On the control plane's runtime, as all look-ups.
        let loaded = self.0.runtime.spawn(async move { store.load(&key).await });
        match loaded.await {
            Ok(Ok(record)) => Ok(record.map(|record| record.value).filter(|code| !code.expose().is_empty())),
            Ok(Err(error)) => Err(Unavailable {
                cause: words!(
                    "could not look up the permanent code of this company: {error}",
                    error = error.chain()
                ),
                errcode: None,
            }),
            Err(_) => Err(shutting_down()),
        }
    }

    /// The suite of the app of that name.
    pub(super) fn suite(&self, app: &str) -> Option<Suite> {
        let apps = self.0.apps();
        let tokens = apps.app(app)?;
        let task = tokens.suite()?;
        let configured = task.shared.configured.load();
        Some(Suite {
            app: Arc::clone(&configured.app.name),
            id: Arc::clone(&configured.app.suite.as_ref()?.id),
            control: tokens.control.clone(),
            token: task.handle(),
            timeout: configured.options.fetch_timeout,
        })
    }
}

impl Suite {
    /// Under which the store has what came of a code, for all replicas.
    pub(super) fn shared_key(&self, digest: &str) -> String {
        format!("authorization_code:{}:{digest}", self.id)
    }
}
