//! The calls that hand out tokens, as wxgate makes them and as callers do.

use super::family::Family;
use super::issuer::{Issuer, TokenMode};

/// How a request carries its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A GET with a query.
    Query,
    /// A POST of a JSON object.
    Json,
}

/// A call that hands out a token.
#[derive(Debug)]
pub struct TokenEndpoint {
    /// In normal form.
    pub path: &'static str,
    /// How wxgate calls it.
    pub form: Form,
    /// Of what it hands out.
    pub issuer: Issuer,
    /// Parameters that are the same in each request.
    pub fixed: &'static [(&'static str, &'static str)],
    /// How the app's identifier is called; empty where it isn't said.
    pub id: &'static str,
    /// How its secret is called. Where the call carries a token it isn't sent, and not believed.
    pub secret: &'static str,
    /// The token that the call carries in the place of a secret.
    pub by: Option<Issuer>,
    /// How that is called which WeChat handed over to fetch with.
    pub grant: Option<&'static str>,
    /// How the account is called that a platform or a suite is to act for.
    pub account: Option<&'static str>,
    /// How the code is called by which an account that authorised a platform or a suite is known.
    pub code: Option<&'static str>,
}

/// What most calls are like.
const CALL: TokenEndpoint = TokenEndpoint {
    path: "",
    form: Form::Json,
    issuer: Issuer::App(TokenMode::Stable),
    fixed: &[],
    id: "appid",
    secret: "secret",
    by: None,
    grant: None,
    account: None,
    code: None,
};

/// What a third-party platform's calls are like.
const COMPONENT: TokenEndpoint =
    TokenEndpoint { id: "component_appid", secret: "component_appsecret", ..CALL };

/// What a suite's calls for a company are like.
const CORPORATION: TokenEndpoint =
    TokenEndpoint { issuer: Issuer::Corporation, id: "", secret: "", by: Some(Issuer::Suite), ..CALL };

static ALL: [TokenEndpoint; 10] = [
    TokenEndpoint {
        path: "/cgi-bin/stable_token",
        issuer: Issuer::App(TokenMode::Stable),
        fixed: &[("grant_type", "client_credential")],
        ..CALL
    },
    TokenEndpoint {
        path: "/cgi-bin/token",
        form: Form::Query,
        issuer: Issuer::App(TokenMode::Classic),
        fixed: &[("grant_type", "client_credential")],
        ..CALL
    },
    TokenEndpoint {
        path: "/cgi-bin/gettoken",
        form: Form::Query,
        issuer: Issuer::Work,
        id: "corpid",
        secret: "corpsecret",
        ..CALL
    },
    TokenEndpoint {
        path: "/cgi-bin/component/api_component_token",
        issuer: Issuer::Component,
        grant: Some("component_verify_ticket"),
        ..COMPONENT
    },
    TokenEndpoint {
        path: "/cgi-bin/component/api_authorizer_token",
        issuer: Issuer::Authorizer,
        by: Some(Issuer::Component),
        grant: Some("authorizer_refresh_token"),
        account: Some("authorizer_appid"),
        ..COMPONENT
    },
    TokenEndpoint::EXCHANGE,
    TokenEndpoint {
        path: "/cgi-bin/service/get_suite_token",
        issuer: Issuer::Suite,
        id: "suite_id",
        secret: "suite_secret",
        grant: Some("suite_ticket"),
        ..CALL
    },
    TokenEndpoint {
        path: "/cgi-bin/service/get_corp_token",
        grant: Some("permanent_code"),
        account: Some("auth_corpid"),
        ..CORPORATION
    },
    TokenEndpoint::PERMANENT_CODE,
    TokenEndpoint {
        path: "/cgi-bin/service/get_provider_token",
        issuer: Issuer::Provider,
        id: "corpid",
        secret: "provider_secret",
        ..CALL
    },
];

impl TokenEndpoint {
    /// Where the code of an account is exchanged for what it granted.
    pub const EXCHANGE: Self = Self {
        path: "/cgi-bin/component/api_query_auth",
        issuer: Issuer::Authorizer,
        by: Some(Issuer::Component),
        code: Some("authorization_code"),
        ..COMPONENT
    };

    /// Where the code of a company is exchanged for a permanent one.
    pub const PERMANENT_CODE: Self =
        Self { path: "/cgi-bin/service/get_permanent_code", code: Some("auth_code"), ..CORPORATION };

    /// The one with this path (lower case, no trailing slash).
    pub fn find(path: &str) -> Option<&'static Self> {
        ALL.iter().find(|endpoint| endpoint.path == path)
    }

    /// The one by which wxgate fetches what `issuer` hands out; none for tickets, which aren't
    /// tokens.
    pub fn of(issuer: Issuer) -> Option<&'static Self> {
        ALL.iter().find(|endpoint| endpoint.issuer == issuer && endpoint.code.is_none())
    }

    /// Whether its responses have an errcode even on success, as WeCom's do.
    pub fn says_ok(&self) -> bool {
        self.issuer.family() == Family::Work
    }
}

#[cfg(test)]
mod tests {
    use super::{ALL, TokenEndpoint};
    use crate::wechat::catalogue::{find_at, normalise};
    use crate::wechat::{AppKind, TokenMode};

    #[test]
    fn each_is_catalogued_as_handing_out_credentials() {
        for endpoint in &ALL {
            let known = find_at(endpoint.issuer.family(), endpoint.path);
            assert!(known.issues() && known.id != 0, "{}", endpoint.path);
            assert_eq!(normalise(endpoint.path), endpoint.path);
        }
    }

    #[test]
    fn every_token_has_one() {
        for kind in AppKind::ALL {
            for mode in [TokenMode::Stable, TokenMode::Classic] {
                assert!(TokenEndpoint::of(kind.issuer(mode)).is_some(), "{kind:?}");
            }
            for issuer in kind.further().iter().filter(|issuer| !issuer.overstates_lifetime()) {
                assert!(TokenEndpoint::of(*issuer).is_some(), "{issuer:?}");
            }
        }
    }
}
