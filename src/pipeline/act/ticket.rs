//! Responds with a ticket that wxgate keeps, or with a page's signature by it.

use serde_json::json;

use super::local_response;
use crate::observe::clock::Timestamp;
use crate::pipeline::error::Error;
use crate::pipeline::plan::{Account, TicketUse};
use crate::server::Response;
use crate::wechat::jssdk;

/// The response, with a ticket that is fetched if none is held.
pub(crate) async fn answer(
    wanted: &TicketUse<'_>,
    account: &Account<'_>,
    now: Timestamp,
) -> Result<Response, Error> {
    match wanted {
        TicketUse::HandOut(handle) => {
            let ticket = handle.obtain().await?;
            Ok(local_response::credential(&json!({
                "errcode": 0,
                "errmsg": "ok",
                "ticket": ticket.value.expose(),
                "expires_in": ticket.expires_at.since(now).as_secs(),
            })))
        }
        TicketUse::Sign(handle, page) => {
            let ticket = handle.obtain().await?;
            let nonce = format!("{:032x}", fastrand::u128(..));
            let timestamp = now.0 / 1000;
            Ok(local_response::credential(&json!({
                "appId": &*account.app.appid,
                "timestamp": timestamp,
                "nonceStr": nonce,
                "signature": jssdk::signature(&ticket.value, &nonce, timestamp, page),
            })))
        }
    }
}
