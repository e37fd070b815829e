//! Who hands out a credential, and how what it hands out behaves.

use super::catalogue::CredentialClass;
use super::{Family, TokenMode, errcode};

/// Where a credential comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Issuer {
    /// An app's token, by one of the main host's two token endpoints.
    App(TokenMode),
    /// A WeCom app's token: `GET /cgi-bin/gettoken`.
    Work,
    /// A third-party platform's own token: `POST /cgi-bin/component/api_component_token`.
    Component,
    /// The token by which a platform acts for an account: `POST /cgi-bin/component/api_authorizer_token`.
    Authorizer,
    /// A WeCom suite's token: `POST /cgi-bin/service/get_suite_token`.
    Suite,
    /// A WeCom provider's token: `POST /cgi-bin/service/get_provider_token`.
    Provider,
    /// A ticket that web pages are signed with.
    Ticket(TicketKind),
}

/// What a ticket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TicketKind {
    /// The JS-SDK of official accounts: `/cgi-bin/ticket/getticket?type=jsapi`.
    JsApi,
    /// Cards and coupons: `/cgi-bin/ticket/getticket?type=wx_card`.
    Card,
    /// The JS-SDK of a WeCom corporation: `/cgi-bin/get_jsapi_ticket`.
    WorkCorporation,
    /// The JS-SDK of a WeCom app: `/cgi-bin/ticket/get?type=agent_config`.
    WorkAgent,
}

impl Issuer {
    /// The credential's name in metrics, status and the store.
    pub fn credential(self) -> &'static str {
        match self {
            Self::App(_) | Self::Work => "access_token",
            Self::Component => "component_access_token",
            Self::Authorizer => "authorizer_access_token",
            Self::Suite => "suite_access_token",
            Self::Provider => "provider_access_token",
            Self::Ticket(TicketKind::JsApi) => "jsapi_ticket",
            Self::Ticket(TicketKind::Card) => "wx_card_ticket",
            Self::Ticket(TicketKind::WorkCorporation) => "corp_jsapi_ticket",
            Self::Ticket(TicketKind::WorkAgent) => "agent_config_ticket",
        }
    }

    /// What it is called in WeChat's answer to a fetch.
    pub fn field(self) -> &'static str {
        match self {
            Self::Ticket(_) => "ticket",
            _ => self.credential(),
        }
    }

    /// Whose hosts hand it out.
    pub fn family(self) -> Family {
        match self {
            Self::App(_)
            | Self::Component
            | Self::Authorizer
            | Self::Ticket(TicketKind::JsApi | TicketKind::Card) => Family::Api,
            Self::Work
            | Self::Suite
            | Self::Provider
            | Self::Ticket(TicketKind::WorkCorporation | TicketKind::WorkAgent) => Family::Work,
        }
    }

    /// Whether each fetch ends the credential fetched before, so that one is worth it only for a credential that is
    /// proven dead. WeChat says so of `/cgi-bin/token`, and nothing of the platform's; those are taken to.
    pub fn rotates(self) -> bool {
        matches!(self, Self::App(TokenMode::Classic) | Self::Component | Self::Authorizer)
    }

    /// Whether WeChat can be made to replace a credential that it would hand out again.
    pub fn forces(self) -> bool {
        self == Self::App(TokenMode::Stable)
    }

    /// Whether `expires_in` counts from when WeChat made the credential although it hands out an older one: the tickets'
    /// is always 7200 (developers.weixin.qq.com/community/develop/doc/000e0adca68568abb1ab525365b000).
    pub fn overstates_lifetime(self) -> bool {
        matches!(self, Self::Ticket(_))
    }

    /// Whether a top-level errcode says that WeChat doesn't take the credential.
    pub fn is_rejected_by(self, code: i64) -> bool {
        let (family, class) = match self {
            Self::App(_) | Self::Authorizer => (Family::Api, CredentialClass::AppToken),
            Self::Component => (Family::Api, CredentialClass::ComponentToken),
            Self::Work => (Family::Work, CredentialClass::AppToken),
            Self::Suite => (Family::Work, CredentialClass::SuiteToken),
            Self::Provider => (Family::Work, CredentialClass::ProviderToken),
            // Only the browser learns that a ticket is dead.
            Self::Ticket(_) => return false,
        };
        errcode::rejects(family, class, code)
    }
}
