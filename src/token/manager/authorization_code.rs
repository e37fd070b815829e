//! Exchanges of the codes by which accounts that authorised a platform are known.
//!
//! WeChat pushes a code to the platform's callback, and sends the account's administrator back to
//! the platform's page with the same one; it accepts each once. So the first to ask exchanges it,
//! and the others get the same result.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use tokio::runtime;
use tokio::sync::watch;

use crate::observe::clock::Timestamp;
use crate::observe::hex::hex;
use crate::secret::Secret;
use crate::store::{Record, Store};
use crate::texts::words;
use crate::token::life::Failure;

/// Exchanges that a process remembers.
const MOST: usize = 1000;
/// How long the store keeps the result of a code; WeChat's codes are valid for minutes.
const REMEMBERED: Duration = Duration::from_secs(3600);

/// The account's appid, and what WeChat returned about it apart from its tokens.
pub type Authorized = (Arc<str>, Value);

/// The result of a code, once it is known.
type Exchanged = Option<Result<Authorized, Failure>>;

/// By platform and digest of the code.
#[derive(Debug, Default)]
pub(super) struct Exchanges(Mutex<HashMap<String, watch::Receiver<Exchanged>>>);

impl Exchanges {
    /// The result of a code: `exchange` runs once, whoever asks, unless it failed before. It
    /// continues even if no one waits for it any more.
    pub(super) async fn once<F>(
        &self,
        runtime: &runtime::Handle,
        key: String,
        exchange: impl FnOnce() -> F,
    ) -> Result<Authorized, Failure>
    where
        F: Future<Output = Result<Authorized, Failure>> + Send + 'static,
    {
        let mut done = {
            let mut exchanges = self.0.lock();
            if exchanges.len() >= MOST {
                exchanges.retain(|_, done| done.borrow().is_none());
            }
            match exchanges.get(&key).filter(|done| !matches!(&*done.borrow(), Some(Err(_)))) {
                Some(done) => done.clone(),
                None => {
                    let (tell, done) = watch::channel(None);
                    let exchange = exchange();
                    runtime.spawn(async move { tell.send_replace(Some(exchange.await)) });
                    exchanges.insert(key, done.clone());
                    done
                }
            }
        };
        let ended = done.wait_for(Option::is_some).await;
        let result = ended.ok().and_then(|result| result.clone());
        result.unwrap_or_else(|| Err(Failure::transient(words!("the exchange of the code was interrupted"))))
    }
}

/// Identifies a code without revealing it.
pub(super) fn digest_of(code: &Secret) -> String {
    hex(digest(&SHA256, code.expose().as_bytes()))
}

/// The result of a code at another replica, by its key in the store.
pub(super) async fn look_up(store: &Store, key: &str, now: Timestamp) -> Option<Authorized> {
    let record = store.load(key).await.ok()??;
    if record.expires_at <= now {
        return None;
    }
    let (appid, info): (String, Value) = serde_json::from_str(record.value.expose()).ok()?;
    Some((appid.into(), info))
}

/// Shares a result with other replicas. If this fails, a repeated request gets no result, but no
/// authorisation is lost.
pub(super) async fn remember(store: &Store, key: &str, (appid, info): &Authorized, now: Timestamp) {
    let value = Arc::new(Secret::new(json!([&**appid, info]).to_string()));
    let record = Record { value, generation: 1, fetched_at: now, expires_at: now.plus(REMEMBERED) };
    let _ = store.save(key, &record).await;
}
