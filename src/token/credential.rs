//! Which of an app's credentials a keeper keeps.

use std::sync::Arc;

use super::handle::Handle;
use super::options::AppOptions;
use crate::wechat::{AppKind, Issuer, TicketKind};

/// One credential of an app.
#[derive(Clone, Debug)]
pub(super) struct Credential {
    pub issuer: Issuer,
    /// Whose it is, by WeChat's name: the app's, or that of an account that authorised it.
    pub owner: Arc<str>,
    /// The credential that it is fetched with, where no secret does.
    pub by: Option<Handle>,
}

impl Credential {
    /// The token that requests for `app` carry.
    pub(super) fn main(app: &AppOptions) -> Self {
        let issuer = match app.kind {
            AppKind::OfficialAccount | AppKind::MiniProgram => Issuer::App(app.mode),
            AppKind::Work => Issuer::Work,
            AppKind::Component => Issuer::Component,
        };
        Self { issuer, owner: Arc::clone(&app.appid), by: None }
    }

    /// What else an app of this kind has. None is fetched before somebody asks for it.
    pub(super) fn further(app: &AppOptions, main: &Handle) -> Vec<Self> {
        let ticket = |kind| Self {
            issuer: Issuer::Ticket(kind),
            owner: Arc::clone(&app.appid),
            by: Some(main.clone()),
        };
        match app.kind {
            AppKind::OfficialAccount => vec![ticket(TicketKind::JsApi), ticket(TicketKind::Card)],
            AppKind::Work => {
                let own = |issuer, owner| Self { issuer, owner, by: None };
                let suite = app.suite.as_ref().map(|suite| own(Issuer::Suite, Arc::clone(&suite.id)));
                let provider = app.provider_secret.as_ref();
                let provider = provider.map(|_| own(Issuer::Provider, Arc::clone(&app.appid)));
                let tickets = [ticket(TicketKind::WorkCorporation), ticket(TicketKind::WorkAgent)];
                tickets.into_iter().chain(suite).chain(provider).collect()
            }
            AppKind::MiniProgram | AppKind::Component => Vec::new(),
        }
    }

    /// The token by which the platform whose token is `by` acts for `owner`.
    pub(super) fn authorizer(owner: Arc<str>, by: Handle) -> Self {
        Self { issuer: Issuer::Authorizer, owner, by: Some(by) }
    }

    /// Fetched when somebody first asks for it, and ahead of its end only while it is in use: there may be thousands.
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
            Issuer::Component | Issuer::Suite | Issuer::Provider | Issuer::Ticket(_) => {
                format!("{name}:{owner}")
            }
        }
    }

    /// Whether `other` is the same credential, so that its keeper can go on.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let fetched_alike = match (&self.by, &other.by) {
            (Some(own), Some(other)) => own.is_same(other),
            (own, other) => own.is_none() && other.is_none(),
        };
        self.issuer == other.issuer && self.owner == other.owner && fetched_alike
    }
}
