//! Tickets that web pages are signed with, out of wxgate's keeping: WeChat gives out few, and each
//! is good for all.

use http::Method;

use super::account::{Account, Authorizer};
use super::target::RequestTarget;
use crate::message::{host, query};
use crate::pipeline::directory::App;
use crate::pipeline::error::Error;
use crate::texts::words;
use crate::token::Handle;
use crate::wechat::{Family, Issuer, TicketKind, jssdk};

/// No path of WeChat's begins so.
pub(super) const SIGNATURE: &str = "/wxgate/jssdk/signature";

/// What a request wants of a ticket.
pub(crate) enum TicketUse<'a> {
    /// The ticket itself, from WeChat's own endpoint.
    HandOut(KeptTicket<'a>),
    /// A signature for the page at this address.
    Sign(KeptTicket<'a>, String),
}

/// A ticket that is kept, and whose.
pub(crate) enum KeptTicket<'a> {
    /// An app's own.
    App(&'a Handle),
    /// That of an account which a platform acts for.
    Account(&'a Authorizer, TicketKind),
}

impl<'a> KeptTicket<'a> {
    fn of(account: &'a Account<'_>, kind: TicketKind) -> Option<Self> {
        match &account.authorizer {
            Some(authorizer) if account.app.kind.is_platform() => Some(Self::Account(authorizer, kind)),
            // Of companies that a suite acts for none is kept.
            Some(_) => None,
            None => account.app.further(Issuer::Ticket(kind)).map(Self::App),
        }
    }
}

/// What the request wants of a ticket that is kept for this account, if anything.
pub(crate) fn wanted<'a>(
    account: &'a Account<'_>,
    method: &Method,
    target: &RequestTarget<'_>,
) -> Result<Option<TicketUse<'a>>, Error> {
    let path = target.known_path();
    let has_type =
        |name: &str| target.query.and_then(|query| query::get(query, "type")).is_some_and(|own| own == name);
    let family = account.app.kind.family();
    let kind = match &*path {
        SIGNATURE if family != Family::Work => Some(TicketKind::JsApi),
        SIGNATURE if has_type("agent_config") => Some(TicketKind::WorkAgent),
        SIGNATURE => Some(TicketKind::WorkCorporation),
        path => TicketKind::asked(family, path, has_type),
    };
    let Some(kind) = kind else { return Ok(None) };
    let kept = KeptTicket::of(account, kind);
    if path == SIGNATURE {
        let page = page(account.app, target)?;
        let kept = kept.ok_or_else(|| {
            Error::EndpointForbidden(words!(
                "only official accounts, those that a platform acts for, and WeCom apps have JS-SDK tickets"
            ))
        })?;
        return Ok(Some(TicketUse::Sign(kept, page)));
    }
    // Where nothing is kept, the call goes to WeChat.
    Ok(kept.filter(|_| *method == Method::GET).map(TicketUse::HandOut))
}

/// The page's address as WeChat signs it, if its host is one of the app's: a signature for a page
/// lets that page use the account's JS-SDK.
fn page(app: &App, target: &RequestTarget<'_>) -> Result<String, Error> {
    let url = target.query.and_then(|query| query::get(query, "url")).filter(|url| !url.is_empty());
    let url = url.ok_or_else(|| {
        Error::BadRequest(words!("url is missing: the page that calls wx.config, percent-encoded"))
    })?;
    let page = url.split('#').next().unwrap_or_default();
    let rest = page.strip_prefix("https://").or_else(|| page.strip_prefix("http://"));
    let rest = rest.ok_or_else(|| Error::BadRequest(words!("url must begin with https:// or http://")))?;
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    if authority.contains(['@', '\\']) || page.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
        return Err(Error::BadRequest(words!("url is not a plain web address")));
    }
    if jssdk::reads_as_two(page) {
        return Err(Error::BadRequest(words!("url is ambiguous: &timestamp= directly precedes &url= in it")));
    }
    let host = host::name(authority).to_ascii_lowercase();
    if app.jssdk_hosts.is_empty() {
        return Err(Error::EndpointForbidden(words!(
            "app {app} signs no pages: list their hosts in its jssdk_hosts",
            app = app.name
        )));
    }
    if !app.jssdk_hosts.contains(&host) {
        return Err(Error::CallerForbidden(words!(
            "the url's host is not among the jssdk_hosts of app {app}",
            app = app.name
        )));
    }
    Ok(page.to_owned())
}
