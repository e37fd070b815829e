//! Responds with a ticket that wxgate keeps, or with a page's signature by it.

use std::sync::Arc;

use serde_json::json;

use super::local_response;
use crate::observe::clock::Timestamp;
use crate::pipeline::error::Error;
use crate::pipeline::plan::{Account, KeptTicket, TicketUse};
use crate::server::Response;
use crate::token::{Manager, Token};
use crate::wechat::jssdk;

/// The response, with a ticket that is fetched if none is held.
pub(crate) async fn answer(
    wanted: &TicketUse<'_>,
    account: &Account<'_>,
    manager: &Manager,
    now: Timestamp,
) -> Result<Response, Error> {
    match wanted {
        TicketUse::HandOut(kept) => {
            let ticket = obtain(kept, account, manager).await?;
            Ok(local_response::credential(&json!({
                "errcode": 0,
                "errmsg": "ok",
                "ticket": ticket.value.expose(),
                "expires_in": ticket.expires_at.since(now).as_secs(),
            })))
        }
        TicketUse::Sign(kept, page) => {
            let ticket = obtain(kept, account, manager).await?;
            let nonce = format!("{:032x}", fastrand::u128(..));
            let timestamp = now.0 / 1000;
            Ok(local_response::credential(&json!({
                "appId": account.appid(),
                "timestamp": timestamp,
                "nonceStr": nonce,
                "signature": jssdk::signature(&ticket.value, &nonce, timestamp, page),
            })))
        }
    }
}

async fn obtain(
    kept: &KeptTicket<'_>,
    account: &Account<'_>,
    manager: &Manager,
) -> Result<Arc<Token>, Error> {
    match kept {
        KeptTicket::App(handle) => Ok(handle.obtain().await?),
        KeptTicket::Account(authorizer, kind) => {
            // An account that left has a ticket for a while, and no token at once.
            authorizer.token.obtain().await?;
            let handle = manager.authorizer_ticket(&account.app.name, &authorizer.appid, *kind)?;
            Ok(handle.obtain().await?)
        }
    }
}
