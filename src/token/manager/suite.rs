//! What companies do that authorise a suite, as WeCom pushes it and SDKs ask for it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;

use super::Manager;
use super::authorization_code::{Authorized, digest_of, look_up};
use super::platform::shutting_down;
use crate::observe::clock::Timestamp;
use crate::secret::Secret;
use crate::store::{Saved, StoreError, is_text};
use crate::texts::{text, words};
use crate::token::auth_code::AuthCode;
use crate::token::grant;
use crate::token::handle::Handle;
use crate::token::life::{Failure, Unavailable};
use crate::upstream::control::Control;

/// Bytes of the longest code that is taken from an SDK; WeCom asks for room for as many.
const LONGEST_CODE: usize = 512;

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
        self.pursue(suite, digest_of(code), None);
        Ok(())
    }

    /// An SDK shows a code that a company authorised the suite with: what came of it.
    pub(super) async fn corporation_shown(
        &self,
        suite: &Suite,
        code: &Secret,
    ) -> Result<Authorized, Failure> {
        let text = code.expose();
        if text.len() > LONGEST_CODE || !is_text(text) {
            let message = words!("this is no code by which a company authorises a suite");
            return Err(Failure { errcode: Some(40078), message, remedy: None, permanent: true });
        }
        let (manager, suite, code) = (self.clone(), suite.clone(), Secret::new(text));
        let exchange = self.0.runtime.spawn(async move {
            let digest = digest_of(&code);
            let place = manager.keep_shown(&suite, &code, &digest).await?;
            let exchanged = manager.exchange_code(&suite, &digest).await;
            if exchanged.as_ref().is_err_and(|failure| !failure.permanent) {
                manager.pursue(suite, digest, place);
            }
            exchanged
        });
        exchange.await.unwrap_or_else(|_| Err(Failure::transient(shutting_down().cause)))
    }

    /// Saves a code that an SDK shows, unless it is known; the place that it takes. An SDK may send
    /// anything, so few of these are saved at once, and none while WeCom can't be asked.
    async fn keep_shown(
        &self,
        suite: &Suite,
        code: &Secret,
        digest: &str,
    ) -> Result<Option<OwnedSemaphorePermit>, Failure> {
        let (store, now) = (&self.0.deps.store, self.0.deps.clock.now());
        let unsaved = |error: StoreError| {
            Failure::transient(words!("could not save the code to the store: {error}", error = error.chain()))
        };
        if look_up(store, &suite.shared_key(digest), now).await.is_some()
            || store.load(&AuthCode::key(&suite.id, digest)).await.map_err(unsaved)?.is_some()
        {
            return Ok(None);
        }
        suite.token.obtain().await.map_err(|error| Failure::transient(error.cause))?;
        let Some(place) = self.0.codes.place_for_shown() else {
            return Err(Failure::transient(words!(
                "too many codes that WeCom has not pushed are being exchanged"
            )));
        };
        self.keep_code(suite, code, now, false).await.map_err(unsaved)?;
        Ok(Some(place))
    }

    /// Saves a code, unless it is known; what was not known is whether and when WeCom pushed it, if
    /// an SDK was first.
    async fn keep_code(
        &self,
        suite: &Suite,
        code: &Secret,
        created: Timestamp,
        pushed: bool,
    ) -> Result<(), StoreError> {
        let (store, now) = (&self.0.deps.store, self.0.deps.clock.now());
        let digest = digest_of(code);
        let (key, shared) = (AuthCode::key(&suite.id, &digest), suite.shared_key(&digest));
        loop {
            if let Some((corporation, _)) = look_up(store, &shared, now).await {
                return match pushed {
                    true => self.authorized_at(suite, &corporation, created).await,
                    false => Ok(()),
                };
            }
            let before = store.load(&key).await?;
            let code = match &before {
                None => AuthCode::new(code, created, pushed),
                Some(record) => {
                    let Some(mut known) = AuthCode::read(record) else { return Ok(()) };
                    if !pushed || !known.confirm(created) {
                        return Ok(());
                    }
                    known
                }
            };
            let record = code.record(before.as_ref(), now);
            if store.save_after(&key, before.as_ref(), &record).await? {
                // Settled and removed between the two looks.
                if before.is_none() && look_up(store, &shared, now).await.is_some() {
                    store.remove(&key, &record).await?;
                    continue;
                }
                return Ok(());
            }
        }
    }

    /// WeCom tells when a company authorised the suite whose permanent code is known already: if
    /// that is later than thought, what happened before is older than the code.
    async fn authorized_at(
        &self,
        suite: &Suite,
        corporation: &str,
        created: Timestamp,
    ) -> Result<(), StoreError> {
        let (store, key) = (&self.0.deps.store, grant::permanent_code_key(&suite.id, corporation));
        // A company that has left meanwhile stays away.
        let Some(present) = store.load(&key).await?.filter(|present| !present.value.expose().is_empty())
        else {
            return Ok(());
        };
        let dated = grant::permanent_code(Secret::new(present.value.expose()), created);
        if dated.supersedes(&present) {
            // Another one is later by itself.
            store.save_after(&key, Some(&present), &dated).await?;
        }
        Ok(())
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
