//! What is known of an endpoint.

use super::class::CredentialClass;
use crate::wechat::family::Family;

/// What is known of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// As catalogued; `other` for every path that isn't.
    pub path: &'static str,
    /// On which of WeChat's hosts.
    pub family: Family,
    /// Position in [`all`](super::all); 0 is `other`.
    pub id: u16,
    /// What it demands.
    pub class: CredentialClass,
    /// `GET` or `POST`, as the SDKs call it; none where they don't show it.
    pub method: Option<&'static str>,
    /// May return a file, so that a body with an `errcode` need not be an error.
    pub binary: bool,
    /// Only for callers whose rules name it exactly.
    pub guarded: bool,
    /// Guarded since it moves money.
    pub money: bool,
    /// Responses hold refresh tokens of accounts, which are removed.
    pub grants: bool,
    /// Takes a code that WeChat accepts once: not repeated if WeChat may have seen it. A replay is
    /// no such repetition, since a token is rejected before the code is looked at.
    pub one_time_code: bool,
    /// WeChat may work on it for long after the request's last byte.
    pub slow: bool,
    /// Known to demand the app's token, so that a success proves the token alive.
    pub evidence: bool,
    /// WeChat takes signed and encrypted calls of it (API 安全), or takes no others.
    pub signed: bool,
    /// What WeChat's 45009 counts over there, as far as it is known.
    pub window: Option<Window>,
}

/// The period over which WeChat counts calls before it returns 45009.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// It may be a minute as well as the day.
    Minute,
    /// A day of Beijing.
    Day,
}

impl Window {
    /// As `catalogue.tsv` and the admin API have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Day => "day",
        }
    }

    pub(super) fn of_column(column: &str) -> Option<Self> {
        [Self::Minute, Self::Day].into_iter().find(|window| window.as_str() == column)
    }
}

impl Endpoint {
    /// The query parameter for the app's secret.
    pub fn secret_parameter(&self) -> Option<&'static str> {
        let clears = || self.path.ends_with("/clear_quota/v2");
        (self.class == CredentialClass::AppSecret).then(|| if clears() { "appsecret" } else { "secret" })
    }

    /// Whether a user's OAuth token is in what it is sent or what it answers. WeCom's users have
    /// none.
    pub fn is_of_users(&self) -> bool {
        self.family != Family::Work && (self.one_time_code || self.class == CredentialClass::UserOauth)
    }

    /// Whether a user logs in by it, with a code.
    pub fn is_login(&self) -> bool {
        self.one_time_code && self.class != CredentialClass::UserOauth
    }

    /// Whether it hands out a credential.
    pub fn issues(&self) -> bool {
        matches!(self.class, CredentialClass::TokenEndpoint | CredentialClass::IssuesCredential)
    }

    /// The query parameter that wxgate fills.
    pub fn parameter(&self) -> Option<&'static str> {
        self.class.token_parameter().or_else(|| self.secret_parameter())
    }
}
