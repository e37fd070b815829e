//! Where the events of third-party platforms go: to the tasks that keep their credentials.

use crate::callback::{Arrived, Deliver, NotTaken};
use crate::store::StoreError;
use crate::texts::text;
use crate::token::Manager;
use crate::wechat::Issuer;
use crate::wechat::callback::Event;

/// Hands events to the token tasks of `manager`.
pub(in crate::app) fn to(manager: Manager) -> Deliver {
    std::sync::Arc::new(move |arrived| {
        let manager = manager.clone();
        Box::pin(async move { take(&manager, arrived).await })
    })
}

async fn take(manager: &Manager, arrived: Arrived) -> Result<(), NotTaken> {
    let Arrived { app, event } = arrived;
    match event {
        Event::VerifyTicket { ticket, created } => {
            kept(manager.ticket_arrived(&app, Issuer::Component, ticket, created).await)
        }
        Event::SuiteTicket { ticket, created } => {
            kept(manager.ticket_arrived(&app, Issuer::Suite, ticket, created).await)
        }
        Event::Authorized { code, .. } | Event::UpdateAuthorized { code, .. } => {
            let authorized = manager.authorized(&app, &code).await;
            authorized.map(drop).map_err(|failure| {
                tracing::warn!(%app, "{}", text!("could not complete an account's authorisation: {failure}", failure));
                NotTaken(failure.to_string().into())
            })
        }
        Event::Unauthorized { appid, created } => kept(manager.revoked(&app, &appid, created).await),
        Event::CorpAuthorized { code, created } | Event::CorpCodeReset { code, created } => {
            kept(manager.corporation_authorized(&app, &code, created).await)
        }
        Event::CorpUpdated { corpid, .. } => {
            manager.corporation_changed(&app, &corpid);
            Ok(())
        }
        Event::CorpUnauthorized { corpid, created } => {
            kept(manager.corporation_left(&app, &corpid, created).await)
        }
        Event::Other { .. } => Ok(()),
    }
}

fn kept(result: Result<(), StoreError>) -> Result<(), NotTaken> {
    result.map_err(|error| NotTaken(error.into()))
}
