//! Exchanges of the codes by which accounts that authorised a platform are known.
//!
//! WeChat pushes a code to the platform's callback, and sends the account's administrator back to the platform's page with
//! the same one; it takes each once. So it is exchanged once, whoever asks first, and the others are told what came of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::fetch::query_auth;
use super::{Failure, Manager};
use crate::observe::clock::Timestamp;
use crate::secret::Secret;
use crate::store::Record;

/// Exchanges that a process remembers.
const MOST: usize = 1000;
/// How long the store knows what became of a code; WeChat's codes live for minutes.
const REMEMBERED: Duration = Duration::from_secs(3600);

/// The account's appid, and what WeChat told of it beside its tokens.
pub type Authorized = (Arc<str>, Value);

/// What came of a code, once it has.
type Outcome = Option<Result<Authorized, Failure>>;

/// By platform and digest of the code.
#[derive(Debug, Default)]
pub(super) struct Exchanges(Mutex<HashMap<String, watch::Receiver<Outcome>>>);

impl Manager {
    /// Exchanges the code of an account that authorised the platform for its refresh token, and keeps that. Goes on when
    /// nobody waits for it any more.
    ///
    /// # Errors
    /// WeChat gave none, or the store didn't take it.
    pub async fn authorized(&self, platform: &str, code: &Secret) -> Result<Authorized, Failure> {
        let hex: String = digest(&SHA256, code.expose().as_bytes())
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let mut done = {
            let mut exchanges = self.0.exchanges.0.lock().unwrap_or_else(PoisonError::into_inner);
            if exchanges.len() >= MOST {
                exchanges.retain(|_, done| done.borrow().is_none());
            }
            let key = format!("{platform} {hex}");
            match exchanges.get(&key).filter(|done| !matches!(&*done.borrow(), Some(Err(_)))) {
                Some(done) => done.clone(),
                None => {
                    let (tell, done) = watch::channel(None);
                    let (manager, platform) = (self.clone(), platform.to_owned());
                    let code = Secret::new(code.expose());
                    self.0.runtime.spawn(async move {
                        tell.send_replace(Some(manager.exchange(&platform, &code, &hex).await));
                    });
                    exchanges.insert(key, done.clone());
                    done
                }
            }
        };
        let ended = done.wait_for(Option::is_some).await;
        let result = ended.ok().and_then(|result| result.clone());
        result.unwrap_or_else(|| Err(Failure::transient("the exchange of the code ended early")))
    }

    async fn exchange(&self, platform: &str, code: &Secret, hex: &str) -> Result<Authorized, Failure> {
        let unknown = || Failure::transient("the platform is not configured");
        let (component, control, by) = self.platform(platform).ok_or_else(unknown)?;
        let (store, now) = (&self.0.tools.store, self.0.tools.clock.now());
        let key = format!("authorization_code:{component}:{hex}");
        // Another replica may have been first.
        if let Ok(Some(record)) = store.load(&key).await
            && let Some(authorized) = remembered(&record, now)
        {
            return Ok(authorized);
        }
        let timeout = by.shared.settings.load().options.fetch_timeout;
        let authorization = query_auth(&control, &by, &component, code, timeout).await?;
        let kept = self.granted(platform, &authorization.appid, authorization.refresh_token).await;
        kept.map_err(|error| {
            Failure::transient(format!("the store didn't take the refresh token: {}", error.chain()))
        })?;
        let text = json!([&*authorization.appid, authorization.info]).to_string();
        let value = Arc::new(Secret::new(text));
        let record = Record { value, generation: 1, fetched_at: now, expires_at: now.plus(REMEMBERED) };
        // What other replicas aren't told costs a repeated call its answer, and no authorisation.
        let _ = store.save(&key, &record).await;
        Ok((authorization.appid, authorization.info))
    }
}

fn remembered(record: &Record, now: Timestamp) -> Option<Authorized> {
    if record.expires_at <= now {
        return None;
    }
    let (appid, info): (String, Value) = serde_json::from_str(record.value.expose()).ok()?;
    Some((appid.into(), info))
}
