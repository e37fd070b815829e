//! Where the events of third-party platforms go: to the keepers of their credentials.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime;
use tokio::sync::watch;

use crate::callback::{Arrived, Deliver, NotTaken};
use crate::secret::Secret;
use crate::token::Manager;
use crate::wechat::Issuer;
use crate::wechat::callback::Event;

/// Codes whose exchange is remembered; WeChat repeats a push within seconds.
const MOST_EXCHANGES: usize = 1000;

/// Hands events to the keepers of `manager`. Exchanges of codes run on the runtime that this is called in.
pub(super) fn to(manager: Manager) -> Deliver {
    let exchanges =
        Arc::new(Exchanges { manager, runtime: runtime::Handle::current(), codes: Mutex::default() });
    Arc::new(move |arrived| {
        let exchanges = Arc::clone(&exchanges);
        Box::pin(async move { exchanges.take(arrived).await })
    })
}

/// A code is good once: its exchange goes on when WeChat has waited for too long, and is not begun anew when it pushes the
/// event again.
struct Exchanges {
    manager: Manager,
    runtime: runtime::Handle,
    /// By platform, account and code. Locked for a look-up.
    codes: Mutex<HashMap<(Arc<str>, String), Exchange>>,
}

/// How an exchange ended, once it has.
type Exchange = watch::Receiver<Option<Result<(), String>>>;

impl Exchanges {
    async fn take(&self, arrived: Arrived) -> Result<(), NotTaken> {
        let Arrived { app, event } = arrived;
        match event {
            Event::VerifyTicket { ticket, created } => {
                kept(self.manager.ticket_arrived(&app, Issuer::Component, ticket, created).await)
            }
            Event::SuiteTicket { ticket, created } => {
                kept(self.manager.ticket_arrived(&app, Issuer::Suite, ticket, created).await)
            }
            Event::Authorized { appid, code, .. } | Event::UpdateAuthorized { appid, code, .. } => {
                self.exchange(app, &appid, code).await
            }
            Event::Unauthorized { appid, created } => kept(self.manager.revoked(&app, &appid, created).await),
            // What a company granted a suite is for the services that work with it.
            Event::CorpAuthorized { .. }
            | Event::CorpUpdated { .. }
            | Event::CorpUnauthorized { .. }
            | Event::Other { .. } => Ok(()),
        }
    }

    async fn exchange(&self, app: Arc<str>, appid: &str, code: Secret) -> Result<(), NotTaken> {
        let mut done = {
            let mut codes = self.codes.lock().unwrap_or_else(PoisonError::into_inner);
            let key = (Arc::clone(&app), format!("{appid} {}", code.expose()));
            if codes.len() >= MOST_EXCHANGES {
                codes.retain(|_, done| done.borrow().is_none());
            }
            match codes.get(&key).filter(|done| !matches!(&*done.borrow(), Some(Err(_)))) {
                Some(done) => done.clone(),
                None => {
                    let (tell, done) = watch::channel(None);
                    let manager = self.manager.clone();
                    self.runtime.spawn(async move {
                        let result = manager.authorized(&app, &code).await;
                        let result = result.map(drop).map_err(|failure| failure.to_string());
                        if let Err(failure) = &result {
                            tracing::warn!(%app, "an account's authorisation could not be taken: {failure}");
                        }
                        tell.send_replace(Some(result));
                    });
                    codes.insert(key, done.clone());
                    done
                }
            }
        };
        let done = done.wait_for(Option::is_some).await;
        match done.as_deref() {
            Ok(Some(Ok(()))) => Ok(()),
            Ok(Some(Err(failure))) => Err(NotTaken(failure.clone().into())),
            Ok(None) | Err(_) => Err(NotTaken("the exchange of the code ended early".into())),
        }
    }
}

fn kept(result: Result<(), crate::store::StoreError>) -> Result<(), NotTaken> {
    result.map_err(|error| NotTaken(error.into()))
}
