//! The tickets that web pages are signed with.

use super::family::Family;

/// What a ticket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TicketKind {
    /// The JS-SDK of official accounts.
    JsApi,
    /// Cards and coupons.
    Card,
    /// The JS-SDK of a WeCom corporation.
    WorkCorporation,
    /// The JS-SDK of a WeCom app.
    WorkAgent,
}

/// What sets a ticket apart.
struct TicketSpec {
    credential: &'static str,
    family: Family,
    path: &'static str,
    /// What `type` says in the query.
    subject: Option<&'static str>,
}

impl TicketKind {
    const ALL: [Self; 4] = [Self::JsApi, Self::Card, Self::WorkCorporation, Self::WorkAgent];

    const fn spec(self) -> TicketSpec {
        match self {
            Self::JsApi => TicketSpec {
                credential: "jsapi_ticket",
                family: Family::Api,
                path: "/cgi-bin/ticket/getticket",
                subject: Some("jsapi"),
            },
            Self::Card => TicketSpec {
                credential: "wx_card_ticket",
                family: Family::Api,
                path: "/cgi-bin/ticket/getticket",
                subject: Some("wx_card"),
            },
            Self::WorkCorporation => TicketSpec {
                credential: "corp_jsapi_ticket",
                family: Family::Work,
                path: "/cgi-bin/get_jsapi_ticket",
                subject: None,
            },
            Self::WorkAgent => TicketSpec {
                credential: "agent_config_ticket",
                family: Family::Work,
                path: "/cgi-bin/ticket/get",
                subject: Some("agent_config"),
            },
        }
    }

    /// The one that a call for `path` (lower case, no trailing slash) asks for; `has_type` says
    /// whether the `type` in its query is this one.
    pub fn asked(family: Family, path: &str, has_type: impl Fn(&str) -> bool) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| {
            let spec = kind.spec();
            spec.family == family && spec.path == path && spec.subject.is_none_or(&has_type)
        })
    }

    /// Its name in metrics, status and the store.
    pub(super) const fn credential(self) -> &'static str {
        self.spec().credential
    }

    /// Whose hosts hand it out.
    pub(super) const fn family(self) -> Family {
        self.spec().family
    }

    /// Where it is handed out.
    pub fn path(self) -> &'static str {
        self.spec().path
    }

    /// What stands in the query before the token.
    pub fn query(self) -> String {
        self.spec().subject.map(|subject| format!("type={subject}")).unwrap_or_default()
    }
}
