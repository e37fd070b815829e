//! What a third-party platform's keepers are told: tickets, and the accounts that authorise the platform.

use std::sync::Arc;

use super::credential::Credential;
use super::grant;
use super::handle::{Message, Settings};
use super::kept::{App, Keeping};
use super::{Handle, Manager, Unavailable};
use crate::observe::clock::Timestamp;
use crate::secret::Secret;
use crate::store::StoreError;
use crate::upstream::control::Control;
use crate::wechat::Issuer;

impl Manager {
    /// A handle to the token by which `platform` acts for the account `appid`; none if that account never authorised
    /// it. An account is looked up in the store when it is first asked for.
    ///
    /// # Errors
    /// The store can't be asked.
    pub async fn authorizer(&self, platform: &str, appid: &str) -> Result<Option<Handle>, Unavailable> {
        if let Some(handle) = self.kept_authorizer(platform, appid) {
            return Ok(Some(handle));
        }
        // On the control plane's runtime: a worker with its hands full would take the store for late.
        let (manager, platform, appid) = (self.clone(), platform.to_owned(), Arc::from(appid));
        let looked_up = self.0.runtime.spawn(async move { manager.look_up(&platform, appid).await });
        looked_up.await.unwrap_or_else(|_| {
            Err(Unavailable { cause: "the proxy is shutting down".into(), errcode: None })
        })
    }

    async fn look_up(&self, platform: &str, appid: Arc<str>) -> Result<Option<Handle>, Unavailable> {
        let _turn = self.0.tools.look_ups.acquire().await;
        // Others may have asked for the same account, and been faster.
        if let Some(handle) = self.kept_authorizer(platform, &appid) {
            return Ok(Some(handle));
        }
        let Some((component, ..)) = self.platform(platform) else { return Ok(None) };
        let record = match self.0.tools.store.load(&grant::refresh_token_key(&component, &appid)).await {
            Ok(Some(record)) => record,
            Ok(None) => return Ok(None),
            Err(error) => {
                let cause = format!(
                    "whether this account has authorised the platform can't be told: {}",
                    error.chain()
                );
                return Err(Unavailable { cause, errcode: None });
            }
        };
        let mut kept = self.kept();
        let Some(app) = kept.app_mut(platform) else { return Ok(None) };
        let (settings, by) = (app.main.shared.settings.load_full(), app.main.handle());
        let control = app.control.clone();
        let keeping = app.authorizers.entry(appid).or_insert_with_key(|appid| {
            let credential = Credential::authorizer(Arc::clone(appid), by);
            let keeping = self.keep(Settings { credential, ..Settings::clone(&settings) }, control);
            keeping.shared.tell(Message::Granted(record));
            keeping
        });
        Ok(Some(keeping.handle()))
    }

    fn kept_authorizer(&self, platform: &str, appid: &str) -> Option<Handle> {
        let kept = self.kept();
        kept.app(platform)?.authorizers.get(appid).map(Keeping::handle)
    }

    /// WeChat pushed a ticket for the app of that name, with which `issuer`'s credential is fetched.
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
        let credentials = self.credentials(app).unwrap_or_default();
        let keeper = credentials.into_iter().find(|(other, _)| *other == issuer);
        let Some((_, keeper)) = keeper else { return Ok(()) };
        let settings = keeper.shared.settings.load_full();
        let Some(key) = grant::key(&settings.app, &settings.credential) else { return Ok(()) };
        let record = grant::ticket(ticket, created);
        keeper.shared.tell(Message::Granted(record.clone()));
        self.0.tools.store.save(&key, &record).await.map(drop)
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
        let (key, now) = (grant::refresh_token_key(&component, appid), self.0.tools.clock.now());
        let record = grant::save_refresh_token(&self.0.tools.store, &key, refresh_token, now).await?;
        if let Some(keeping) = self.kept().app(platform).and_then(|app| app.authorizers.get(appid)) {
            keeping.shared.tell(Message::Granted(record));
        }
        Ok(())
    }

    /// An account took its authorisation back at that time; one that it gave later stays.
    ///
    /// # Errors
    /// The store didn't take it.
    pub async fn revoked(&self, platform: &str, appid: &str, at: Timestamp) -> Result<(), StoreError> {
        let Some((component, ..)) = self.platform(platform) else { return Ok(()) };
        let key = grant::refresh_token_key(&component, appid);
        match self.0.tools.store.load(&key).await? {
            Some(present) if present.fetched_at <= at => self.granted(platform, appid, Secret::new("")).await,
            _ => Ok(()),
        }
    }

    pub(super) fn platform(&self, name: &str) -> Option<(Arc<str>, Control, Handle)> {
        let kept = self.kept();
        let App { main, control, .. } = kept.app(name)?;
        Some((Arc::clone(&main.shared.settings.load().app.appid), control.clone(), main.handle()))
    }
}
