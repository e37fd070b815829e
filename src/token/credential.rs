//! Which of an app's credentials a refresh task fetches.

use std::sync::Arc;

use super::handle::Handle;
use super::options::AppOptions;
use crate::secret::Secret;
use crate::wechat::{Issuer, TicketKind};

/// One credential of an app.
#[derive(Clone, Debug)]
pub(super) struct Credential {
    pub issuer: Issuer,
    /// Whose it is, by WeChat's name: the app's, or that of an account that authorised it.
    pub owner: Arc<str>,
    /// The credential that it is fetched with, where that isn't a secret.
    pub by: Option<Handle>,
}

impl Credential {
    /// The token that requests for `app` carry.
    pub(super) fn main(app: &AppOptions) -> Self {
        Self { issuer: app.kind.issuer(app.mode), owner: Arc::clone(&app.appid), by: None }
    }

    /// The other credentials of `app`. They are fetched on demand only.
    pub(super) fn further(app: &AppOptions, main: &Handle) -> Vec<Self> {
        let has = |issuer: &&Issuer| match issuer {
            Issuer::Suite => app.suite.is_some(),
            Issuer::Provider => app.provider_secret.is_some(),
            // There is one for each account that authorised it.
            Issuer::Authorizer | Issuer::Corporation => false,
            _ => true,
        };
        let credential = |issuer: &Issuer| Self {
            issuer: *issuer,
            owner: match (issuer, &app.suite) {
                (Issuer::Suite, Some(suite)) => Arc::clone(&suite.id),
                _ => Arc::clone(&app.appid),
            },
            by: matches!(issuer, Issuer::Ticket(_)).then(|| main.clone()),
        };
        app.kind.further().iter().filter(has).map(credential).collect()
    }

    /// The token by which the platform whose token is `by` acts for `owner`.
    pub(super) fn authorizer(owner: Arc<str>, by: Handle) -> Self {
        Self { issuer: Issuer::Authorizer, owner, by: Some(by) }
    }

    /// A ticket of the account that a platform acts for by the token `by`.
    pub(super) fn authorizers_ticket(kind: TicketKind, owner: Arc<str>, by: Handle) -> Self {
        Self { issuer: Issuer::Ticket(kind), owner, by: Some(by) }
    }

    /// The token by which the suite whose token is `by` acts for the company `owner`.
    pub(super) fn corporation(owner: Arc<str>, by: Handle) -> Self {
        Self { issuer: Issuer::Corporation, owner, by: Some(by) }
    }

    /// The id and the secret that it is fetched with; where there are none, the key that the
    /// configuration lacks.
    pub(super) fn login<'a>(&self, app: &'a AppOptions) -> Result<(&'a str, &'a Secret), &'static str> {
        match (self.issuer, &app.suite, &app.provider_secret) {
            (Issuer::Suite, Some(suite), _) => Ok((&suite.id, &suite.secret)),
            (Issuer::Suite, None, _) => Err("suite_id"),
            (Issuer::Provider, _, Some(secret)) => Ok((&app.appid, secret)),
            (Issuer::Provider, _, None) => Err("provider_secret"),
            _ => Ok((&app.appid, &app.secret)),
        }
    }

    /// Fetched on first use, and refreshed ahead of its expiry only while it is in use: there may
    /// be thousands.
    pub(super) fn is_on_demand(&self) -> bool {
        !matches!(self.issuer, Issuer::App(_) | Issuer::Work | Issuer::Component)
    }

    /// Under which the store keeps it.
    pub(super) fn key(&self, app: &AppOptions) -> String {
        let (name, owner) = (self.issuer.credential(), &self.owner);
        match self.issuer {
            Issuer::App(mode) => format!("{name}:{}:{owner}", mode.as_str()),
            // A corporation's apps have a secret and a token each.
            Issuer::Work | Issuer::Ticket(TicketKind::WorkCorporation | TicketKind::WorkAgent) => {
                format!("{name}:{owner}:{}", app.agent.as_deref().unwrap_or("-"))
            }
            Issuer::Authorizer => format!("{name}:{}:{owner}", app.appid),
            // An account that a platform acts for may be an app of the configuration as well.
            Issuer::Ticket(_) if app.kind.is_platform() => format!("{name}:{}:{owner}", app.appid),
            Issuer::Corporation => format!("{name}:{}:{owner}", app.suite_id()),
            _ => format!("{name}:{owner}"),
        }
    }

    /// Whether `other` is the same credential, so that its task can continue.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let fetched_alike = match (&self.by, &other.by) {
            (Some(own), Some(other)) => own.is_same(other),
            (own, other) => own.is_none() && other.is_none(),
        };
        self.issuer == other.issuer && self.owner == other.owner && fetched_alike
    }
}
