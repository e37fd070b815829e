//! Tickets that web pages are signed with, out of wxgate's keeping: WeChat gives out few, and each is good for all.

use http::Method;
use serde_json::json;

use super::account::Account;
use super::directory::{App, host_name};
use super::error::Error;
use super::own;
use super::route::Target;
use crate::message::query;
use crate::observe::clock::Timestamp;
use crate::server::Response;
use crate::token::Handle;
use crate::wechat::{Family, Issuer, TicketKind, catalogue, jssdk};

/// No path of WeChat's begins so.
const SIGNATURE: &str = "/wxgate/jssdk/signature";

/// What a request wants of a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// The ticket itself, from WeChat's own endpoint.
    Ticket(TicketKind),
    /// A page's signature.
    Signature(TicketKind),
}

/// What the request wants of a ticket that is kept for this account, if anything.
pub(super) fn wish(account: &Account<'_>, method: &Method, target: &Target<'_>) -> Option<Wish> {
    let kind = |name| target.query.and_then(|query| query::get(query, name));
    let family = account.app.kind.family();
    let wish = match (&*catalogue::normalise(target.path), kind("type").as_deref()) {
        (SIGNATURE, Some("agent_config")) if family == Family::Work => Wish::Signature(TicketKind::WorkAgent),
        (SIGNATURE, _) if family == Family::Work => Wish::Signature(TicketKind::WorkCorporation),
        (SIGNATURE, _) => Wish::Signature(TicketKind::JsApi),
        (path, subject) => Wish::Ticket(TicketKind::asked(family, path, subject)?),
    };
    match wish {
        // Nothing is kept of these: the call goes to WeChat.
        Wish::Ticket(_) if *method != Method::GET || account.authorizer.is_some() => None,
        Wish::Ticket(kind) => account.app.further(Issuer::Ticket(kind)).map(|_| wish),
        Wish::Signature(_) => Some(wish),
    }
}

/// The answer, with a ticket that is fetched if none is held.
pub(super) async fn answer(
    wish: Wish,
    account: &Account<'_>,
    target: &Target<'_>,
    now: Timestamp,
) -> Result<Response, Error> {
    match wish {
        Wish::Ticket(kind) => {
            let ticket = handle(account, kind)?.obtain().await?;
            Ok(own::credential(&json!({
                "errcode": 0,
                "errmsg": "ok",
                "ticket": ticket.value.expose(),
                "expires_in": ticket.expires_at.since(now).as_secs(),
            })))
        }
        Wish::Signature(kind) => {
            let url = page(account.app, target)?;
            let handle = handle(account, kind)?;
            let ticket = handle.obtain().await?;
            let nonce = format!("{:032x}", fastrand::u128(..));
            let timestamp = now.0 / 1000;
            Ok(own::credential(&json!({
                "appId": &*account.app.appid,
                "timestamp": timestamp,
                "nonceStr": nonce,
                "signature": jssdk::signature(&ticket.value, &nonce, timestamp, &url),
            })))
        }
    }
}

fn handle<'a>(account: &'a Account<'_>, kind: TicketKind) -> Result<&'a Handle, Error> {
    account.app.further(Issuer::Ticket(kind)).filter(|_| account.authorizer.is_none()).ok_or(
        Error::EndpointForbidden("only official accounts and WeCom apps have tickets for the JS-SDK".into()),
    )
}

/// The page's address as WeChat signs it, if its host is one of the app's: whoever gets a signature for a page can use
/// the account's JS-SDK there.
fn page(app: &App, target: &Target<'_>) -> Result<String, Error> {
    let bad = |text: &'static str| Error::BadRequest(text.into());
    let url = target.query.and_then(|query| query::get(query, "url")).filter(|url| !url.is_empty());
    let url = url.ok_or_else(|| {
        bad("url is missing: the address of the page that calls wx.config, percent-encoded")
    })?;
    let page = url.split('#').next().unwrap_or_default();
    let rest = page.strip_prefix("https://").or_else(|| page.strip_prefix("http://"));
    let rest =
        rest.ok_or_else(|| bad("url is no address of a web page: it begins with https:// or http://"))?;
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    if authority.contains(['@', '\\']) || page.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
        return Err(bad("url is no plain address of a web page"));
    }
    let host = host_name(authority).to_ascii_lowercase();
    if app.jssdk_hosts.is_empty() {
        return Err(Error::EndpointForbidden(
            format!("no page is signed for app {}: list the hosts of its pages in jssdk_hosts", app.name)
                .into(),
        ));
    }
    if !app.jssdk_hosts.contains(&host) {
        return Err(Error::CallerForbidden(
            format!("the url's host is not among the jssdk_hosts of app {}", app.name).into(),
        ));
    }
    Ok(page.to_owned())
}
