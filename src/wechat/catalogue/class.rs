//! The classes of credentials that endpoints want.

use crate::texts::{marked, translated};
use crate::wechat::errcode::TokenCodes;
use crate::wechat::family::Family;
use crate::wechat::issuer::Issuer;

/// Which credential a path demands, or hands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CredentialClass {
    /// The app's token as `access_token`; also what is assumed of unknown paths.
    AppToken,
    /// As `access_token` the token of whichever the app is, an account or a third-party platform.
    AppOrComponentToken,
    /// A third-party platform's token as `component_access_token`.
    ComponentToken,
    /// A third-party platform's token as `access_token`.
    ComponentTokenAsAccessToken,
    /// The user's OAuth token or refresh token, which the caller brings itself.
    UserOauth,
    /// The appid and the app's secret in the query.
    AppSecret,
    /// A third-party platform's appid and secret in the query.
    ComponentSecret,
    /// `/cgi-bin/token` and `/cgi-bin/stable_token`; WeCom's `/cgi-bin/gettoken`.
    TokenEndpoint,
    /// Hands out credentials of another kind than the app's token.
    IssuesCredential,
    /// A WeCom suite's token as `suite_access_token`.
    SuiteToken,
    /// A WeCom suite's token as `access_token`.
    SuiteTokenAsAccessToken,
    /// A WeCom provider's token as `provider_access_token`.
    ProviderToken,
    /// A WeCom provider's token as `access_token`.
    ProviderTokenAsAccessToken,
    /// A device's token or its model's, which the caller brings itself, as `device_access_token` or
    /// `model_access_token`.
    HardwareToken,
    /// No credential in the query: browser pages, the QR image that a ticket names.
    None,
}

/// What sets a class apart.
struct ClassSpec {
    /// As the admin API has it.
    name: &'static str,
    /// How `catalogue.tsv` spells it.
    columns: &'static [&'static str],
    /// What an endpoint of this class requires, for people.
    words: &'static str,
    /// The query parameter that takes a token.
    parameter: Option<&'static str>,
    /// The only one whose token will do, whatever the app is.
    issuer: Option<Issuer>,
}

impl CredentialClass {
    const ALL: [Self; 15] = [
        Self::AppToken,
        Self::AppOrComponentToken,
        Self::ComponentToken,
        Self::ComponentTokenAsAccessToken,
        Self::UserOauth,
        Self::AppSecret,
        Self::ComponentSecret,
        Self::TokenEndpoint,
        Self::IssuesCredential,
        Self::SuiteToken,
        Self::SuiteTokenAsAccessToken,
        Self::ProviderToken,
        Self::ProviderTokenAsAccessToken,
        Self::HardwareToken,
        Self::None,
    ];

    const fn spec(self) -> ClassSpec {
        match self {
            Self::AppToken => ClassSpec {
                name: "app_token",
                // An authorizer's token is the app's own, seen from the third-party platform.
                columns: &["app", "authorizer"],
                words: marked!("the app's access token"),
                parameter: Some("access_token"),
                issuer: None,
            },
            Self::AppOrComponentToken => ClassSpec {
                name: "app_or_component_token",
                columns: &["app_or_component", "app_or_component?"],
                words: marked!("the app's access token, or a third-party platform's for itself"),
                parameter: Some("access_token"),
                issuer: None,
            },
            Self::ComponentToken => ClassSpec {
                name: "component_token",
                columns: &["component"],
                words: marked!("a third-party platform's token"),
                parameter: Some("component_access_token"),
                issuer: Some(Issuer::Component),
            },
            Self::ComponentTokenAsAccessToken => ClassSpec {
                name: "component_token_as_access_token",
                columns: &["component_as_access_token"],
                words: marked!("a third-party platform's token"),
                parameter: Some("access_token"),
                issuer: Some(Issuer::Component),
            },
            Self::UserOauth => ClassSpec {
                name: "user_oauth",
                columns: &["user"],
                words: marked!(
                    "the user's own OAuth token or code, which the caller sends; wxgate changes nothing"
                ),
                parameter: None,
                issuer: None,
            },
            Self::AppSecret => ClassSpec {
                name: "app_secret",
                columns: &["secret"],
                words: marked!("the app's appid and secret in the query"),
                parameter: None,
                issuer: None,
            },
            Self::ComponentSecret => ClassSpec {
                name: "component_secret",
                columns: &["component_secret"],
                words: marked!("a third-party platform's appid and secret in the query"),
                parameter: None,
                issuer: None,
            },
            Self::TokenEndpoint => ClassSpec {
                name: "token_endpoint",
                columns: &["token"],
                words: marked!("appid; where callers are configured, the caller's key as secret"),
                parameter: None,
                issuer: None,
            },
            Self::IssuesCredential => ClassSpec {
                name: "issues_credential",
                columns: &["issues"],
                words: marked!("none that a caller may have: it hands out credentials"),
                parameter: None,
                issuer: None,
            },
            Self::SuiteToken => ClassSpec {
                name: "suite_token",
                columns: &["suite"],
                words: marked!("a WeCom suite's token"),
                parameter: Some("suite_access_token"),
                issuer: Some(Issuer::Suite),
            },
            Self::SuiteTokenAsAccessToken => ClassSpec {
                name: "suite_token_as_access_token",
                columns: &["suite_as_access_token"],
                words: marked!("a WeCom suite's token"),
                parameter: Some("access_token"),
                issuer: Some(Issuer::Suite),
            },
            Self::ProviderToken => ClassSpec {
                name: "provider_token",
                columns: &["provider"],
                words: marked!("a WeCom provider's token"),
                parameter: Some("provider_access_token"),
                issuer: Some(Issuer::Provider),
            },
            Self::ProviderTokenAsAccessToken => ClassSpec {
                name: "provider_token_as_access_token",
                columns: &["provider_as_access_token"],
                words: marked!("a WeCom provider's token"),
                parameter: Some("access_token"),
                issuer: Some(Issuer::Provider),
            },
            Self::HardwareToken => ClassSpec {
                name: "hardware_token",
                columns: &["hardware"],
                words: marked!("a device's or its model's token, which the caller sends; wxgate keeps none"),
                parameter: None,
                issuer: None,
            },
            Self::None => ClassSpec {
                name: "none",
                columns: &["none"],
                words: marked!("none"),
                parameter: None,
                issuer: None,
            },
        }
    }

    /// As `catalogue.tsv` spells it.
    pub(super) fn of_column(column: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.spec().columns.contains(&column))
    }

    /// As the admin API has it.
    pub fn as_str(self) -> &'static str {
        self.spec().name
    }

    /// What an endpoint of this class requires, for people.
    pub fn words(self) -> &'static str {
        translated(self.spec().words)
    }

    /// The query parameter for a token that wxgate could hold.
    pub fn token_parameter(self) -> Option<&'static str> {
        self.spec().parameter
    }

    /// The only one whose token will do, whatever the app is; none where no token is wanted, or the
    /// app's own.
    pub fn issuer(self) -> Option<Issuer> {
        self.spec().issuer
    }

    /// The errcodes that tell of the token which an endpoint of this class wants on the hosts of
    /// `family`.
    pub fn codes(self, family: Family) -> &'static TokenCodes {
        match (self.issuer().and_then(Issuer::codes), family) {
            (Some(codes), _) => codes,
            (None, Family::Work) => &TokenCodes::WORK,
            (None, Family::Api | Family::Mp | Family::Open) => &TokenCodes::API,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::CredentialClass;
    use crate::wechat::Family;

    #[test]
    fn each_kind_of_token_is_rejected_by_codes_of_its_own() {
        for (family, class, codes) in [
            (Family::Api, CredentialClass::AppToken, &[40001, 40014, 42001][..]),
            (Family::Api, CredentialClass::AppOrComponentToken, &[40001, 40014, 42001]),
            (Family::Api, CredentialClass::ComponentToken, &[40001, 40014, 42001]),
            (Family::Api, CredentialClass::ComponentTokenAsAccessToken, &[40001, 40014, 42001]),
            // 40001 is a wrong secret there.
            (Family::Work, CredentialClass::AppToken, &[40014, 42001]),
            (Family::Work, CredentialClass::SuiteToken, &[40082, 42009]),
            (Family::Work, CredentialClass::SuiteTokenAsAccessToken, &[40082, 42009]),
            (Family::Work, CredentialClass::ProviderToken, &[40082, 42009]),
            (Family::Work, CredentialClass::ProviderTokenAsAccessToken, &[40082, 42009]),
        ] {
            assert_eq!(class.codes(family).dead, codes, "{family:?} {class:?}");
        }
    }
}
