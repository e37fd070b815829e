//! The endpoint catalogue: what each of WeChat's paths demands, and which ones need care.
//!
//! The table is `catalogue.tsv`, made by `tests/it/catalogue/regenerate.py` from what WeChat's public SDKs call. Rules
//! that are ours and not WeChat's (what is guarded, what hands out credentials) are in `rules`.
//!
//! WeCom has paths that the official platform has too, with other meanings (`/cgi-bin/menu/create`, `/cgi-bin/user/get`),
//! so there are two ways in: [`find`] and [`find_work`].

mod rules;
mod table;

use std::borrow::Cow;
use std::sync::LazyLock;

use self::rules::Rules;
use self::table::{Index, Table};
use crate::wechat::Family;

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
    /// A WeCom provider's token as `provider_access_token`.
    ProviderToken,
    /// A WeCom provider's token as `access_token`.
    ProviderTokenAsAccessToken,
    /// No credential in the query: browser pages, the QR image that a ticket names.
    None,
}

/// What is known of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// As catalogued; `other` for every path that isn't.
    pub path: &'static str,
    /// On which of WeChat's hosts.
    pub family: Family,
    /// Position in [`all`]; 0 is `other`.
    pub id: u16,
    /// What it demands.
    pub class: CredentialClass,
    /// `GET` or `POST`, as the SDKs call it; none where they don't show it.
    pub method: Option<&'static str>,
    /// May answer with a file, so that a body with an `errcode` need not be an error.
    pub binary: bool,
    /// Only for callers whose rules name it exactly.
    pub guarded: bool,
    /// Takes a code that WeChat accepts once: not repeated if WeChat may have seen it. A replay is no such repetition,
    /// since a token is rejected before the code is looked at.
    pub one_time_code: bool,
    /// Known to demand the app's token, so that a success proves the token alive.
    pub evidence: bool,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::parse(include_str!("catalogue.tsv")));

/// The form in which paths are compared: lower case, no trailing `/`.
///
/// WeChat's servers take some paths in any case and with a trailing `/`; a guard must see through both.
pub fn normalise(path: &str) -> Cow<'_, str> {
    let path = path.trim_end_matches('/');
    if path.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(path.to_ascii_lowercase())
    } else {
        Cow::Borrowed(path)
    }
}

/// What is known of `path` on the official platform's hosts; it is taken as it is first, then without case and
/// trailing `/`.
///
/// An endpoint of WeCom's is named too if it has no namesake here and wants or issues a credential of WeCom's alone: an
/// app of the official platform has none, and is better told so than sent to a path that isn't there. WeCom's token
/// endpoint, to it, issues credentials like any other.
pub fn find(path: &str) -> &'static Endpoint {
    let table = &*TABLE;
    look_up(table, &table.main, path, |path| {
        let foreign = table.get(&table.work, path).and_then(|endpoint| match endpoint.class {
            CredentialClass::SuiteToken
            | CredentialClass::ProviderToken
            | CredentialClass::ProviderTokenAsAccessToken
            | CredentialClass::IssuesCredential => Some(endpoint),
            CredentialClass::TokenEndpoint => table.gettoken_elsewhere.as_ref(),
            _ => None,
        });
        foreign.unwrap_or_else(|| Rules::of(Family::Api).assume(path))
    })
}

/// What is known of `path` at WeCom, compared as by [`find`].
pub fn find_work(path: &str) -> &'static Endpoint {
    let table = &*TABLE;
    look_up(table, &table.work, path, |path| Rules::of(Family::Work).assume(path))
}

/// Every endpoint that [`find`] and [`find_work`] can name, by [`Endpoint::id`]: `other`, those of the official platform,
/// then WeCom's.
pub fn all() -> &'static [Endpoint] {
    &TABLE.endpoints
}

fn look_up(
    table: &'static Table,
    index: &'static Index,
    path: &str,
    unknown: impl FnOnce(&str) -> &'static Endpoint,
) -> &'static Endpoint {
    if let Some(endpoint) = table.get(index, path) {
        return endpoint;
    }
    let path = normalise(path);
    table.get(index, &path).unwrap_or_else(|| unknown(&path))
}

impl CredentialClass {
    /// As the admin API has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AppToken => "app_token",
            Self::AppOrComponentToken => "app_or_component_token",
            Self::ComponentToken => "component_token",
            Self::ComponentTokenAsAccessToken => "component_token_as_access_token",
            Self::UserOauth => "user_oauth",
            Self::AppSecret => "app_secret",
            Self::ComponentSecret => "component_secret",
            Self::TokenEndpoint => "token_endpoint",
            Self::IssuesCredential => "issues_credential",
            Self::SuiteToken => "suite_token",
            Self::ProviderToken => "provider_token",
            Self::ProviderTokenAsAccessToken => "provider_token_as_access_token",
            Self::None => "none",
        }
    }

    /// The query parameter in which it wants a token that wxgate could hold.
    pub fn token_parameter(self) -> Option<&'static str> {
        match self {
            Self::AppToken
            | Self::AppOrComponentToken
            | Self::ComponentTokenAsAccessToken
            | Self::ProviderTokenAsAccessToken => Some("access_token"),
            Self::ComponentToken => Some("component_access_token"),
            Self::SuiteToken => Some("suite_access_token"),
            Self::ProviderToken => Some("provider_access_token"),
            Self::UserOauth
            | Self::AppSecret
            | Self::ComponentSecret
            | Self::TokenEndpoint
            | Self::IssuesCredential
            | Self::None => None,
        }
    }
}

impl Endpoint {
    /// The query parameter in which it wants the app's secret.
    pub fn secret_parameter(&self) -> Option<&'static str> {
        let clears = || self.path.ends_with("/clear_quota/v2");
        (self.class == CredentialClass::AppSecret).then(|| if clears() { "appsecret" } else { "secret" })
    }

    /// Whether a user's OAuth token is in what it is sent or what it answers. WeCom's users have none.
    pub fn is_of_users(&self) -> bool {
        self.family != Family::Work && (self.one_time_code || self.class == CredentialClass::UserOauth)
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

#[cfg(test)]
mod tests {
    use super::rules::Rules;
    use super::{CredentialClass, Endpoint, all, find, find_work, normalise};
    use crate::wechat::Family;

    fn found(endpoint: &Endpoint, path: &str) -> &'static Endpoint {
        if endpoint.family == Family::Work { find_work(path) } else { find(path) }
    }

    #[test]
    fn ids_are_positions() {
        for (index, endpoint) in all().iter().enumerate() {
            assert_eq!(usize::from(endpoint.id), index, "{}", endpoint.path);
        }
        assert_eq!(all()[0].path, "other");
    }

    #[test]
    fn every_row_is_read_and_found() {
        assert_eq!(all().len(), include_str!("catalogue.tsv").lines().count() + 1);
        for endpoint in &all()[1..] {
            assert_eq!(found(endpoint, endpoint.path), endpoint);
        }
    }

    #[test]
    fn the_lists_name_catalogued_paths() {
        for (family, find) in [(Family::Api, find as fn(&str) -> _), (Family::Work, find_work)] {
            for path in Rules::of(family).guarded {
                let endpoint: &Endpoint = find(path);
                assert!(endpoint.guarded && endpoint.id != 0 && normalise(path) == *path, "{path}");
            }
            for path in Rules::of(family).issuing {
                let endpoint: &Endpoint = find(path);
                assert_eq!(endpoint.class, CredentialClass::IssuesCredential, "{path}");
                assert!(endpoint.id != 0, "{path}");
            }
        }
    }

    #[test]
    fn paths_that_differ_in_case_only_are_alike() {
        for endpoint in &all()[1..] {
            let lower = found(endpoint, &endpoint.path.to_ascii_lowercase());
            let upper = found(endpoint, &format!("{}/", endpoint.path.to_ascii_uppercase()));
            assert_eq!((lower.class, lower.guarded), (endpoint.class, endpoint.guarded), "{}", endpoint.path);
            assert_eq!((upper.class, upper.guarded), (endpoint.class, endpoint.guarded), "{}", endpoint.path);
        }
    }

    #[test]
    fn paths_are_compared_without_case_and_trailing_slash() {
        assert_eq!(normalise("/CGI-BIN/Clear_Quota/"), "/cgi-bin/clear_quota");
        assert_eq!(normalise("/cgi-bin/token"), "/cgi-bin/token");
        assert_eq!(normalise("/"), "");
    }

    #[test]
    fn a_normal_path_is_not_copied() {
        assert!(matches!(normalise("/cgi-bin/token/"), std::borrow::Cow::Borrowed("/cgi-bin/token")));
    }
}
