//! Calls for tokens, which wxgate answers with a placeholder: which they are, and what they say.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::account::Account;
use super::target::Target;
use crate::message::query;
use crate::pipeline::directory::Directory;
use crate::pipeline::error::Error;
use crate::secret::Secret;
use crate::wechat::{AppKind, Issuer, catalogue};

/// What a token call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// `/cgi-bin/token`, `/cgi-bin/stable_token`
    App,
    /// WeCom's `/cgi-bin/gettoken`
    Work,
    /// `/cgi-bin/component/api_component_token`
    Component,
    /// `/cgi-bin/component/api_authorizer_token`
    Authorizer,
    /// `/cgi-bin/component/api_query_auth`: what an account granted that has just authorised the platform
    Authorization,
    /// WeCom's `/cgi-bin/service/get_suite_token`
    Suite,
    /// WeCom's `/cgi-bin/service/get_provider_token`
    Provider,
}

/// What a token call says, in its query or its JSON body.
#[derive(Default)]
pub(crate) struct TokenCall {
    /// Of the app that is to be acted for.
    pub(crate) appid: Option<String>,
    /// The caller's API key.
    pub(crate) secret: Option<String>,
    /// The account that a platform is to act for.
    pub(crate) authorizer: Option<String>,
    /// By which an account that authorised a platform is known.
    pub(crate) code: Option<Secret>,
}

/// What a request asks for, if it is a call for a token that one of the apps could have.
pub(crate) fn asked(directory: &Directory, target: &Target<'_>) -> Option<Asked> {
    if !target.endpoint.issues() {
        return None;
    }
    let asked = match &*catalogue::normalise(target.path) {
        "/cgi-bin/token" | "/cgi-bin/stable_token" => Asked::App,
        "/cgi-bin/gettoken" => Asked::Work,
        "/cgi-bin/component/api_component_token" => Asked::Component,
        "/cgi-bin/component/api_authorizer_token" => Asked::Authorizer,
        "/cgi-bin/component/api_query_auth" => Asked::Authorization,
        "/cgi-bin/service/get_suite_token" => Asked::Suite,
        "/cgi-bin/service/get_provider_token" => Asked::Provider,
        _ => return None,
    };
    // Without such an app these are endpoints that hand out credentials like others.
    let known = asked == Asked::App || directory.apps.iter().any(|app| asked.fits(app.kind));
    known.then_some(asked)
}

impl Asked {
    /// How WeChat calls the app's identifier and its secret here. The last two carry the platform's token in the place
    /// of a secret.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::App => ("appid", "secret"),
            Self::Work => ("corpid", "corpsecret"),
            Self::Suite => ("suite_id", "suite_secret"),
            Self::Provider => ("corpid", "provider_secret"),
            Self::Component | Self::Authorizer | Self::Authorization => {
                ("component_appid", "component_appsecret")
            }
        }
    }

    /// What the token is called in the answer.
    pub(crate) fn field(self) -> &'static str {
        match self {
            Self::App | Self::Work => "access_token",
            Self::Component => "component_access_token",
            Self::Authorizer | Self::Authorization => "authorizer_access_token",
            Self::Suite => "suite_access_token",
            Self::Provider => "provider_access_token",
        }
    }

    /// Whether apps of this kind have such a token.
    fn fits(self, kind: AppKind) -> bool {
        match self {
            Self::App => kind.has_token_modes(),
            Self::Work | Self::Suite | Self::Provider => kind == AppKind::Work,
            Self::Component | Self::Authorizer | Self::Authorization => kind == AppKind::Component,
        }
    }

    /// Whether the call carries a token, which then says who calls.
    pub(crate) fn is_by_token(self) -> bool {
        matches!(self, Self::Authorizer | Self::Authorization)
    }

    /// Refuses a call for what an account of this kind has not: its answer would be a token that is good for nothing.
    pub(crate) fn check_has(self, account: &Account<'_>) -> Result<(), Error> {
        let app = account.app;
        let has = match self {
            Self::App if app.kind == AppKind::Component => account.authorizer.is_some(),
            Self::App => app.kind != AppKind::Work,
            Self::Work => app.kind == AppKind::Work,
            Self::Component | Self::Authorizer | Self::Authorization => app.kind == AppKind::Component,
            Self::Suite => app.further(Issuer::Suite).is_some(),
            Self::Provider => app.further(Issuer::Provider).is_some(),
        };
        if has {
            return Ok(());
        }
        Err(Error::EndpointForbidden(
            format!("this endpoint issues a credential of another kind than app {} has", app.name).into(),
        ))
    }
}

impl TokenCall {
    /// Reads a token call from its query and its body, which wins.
    pub(crate) fn read(asked: Asked, query: Option<&str>, body: &[u8]) -> Result<Self, Error> {
        let fields: Map<String, Value> = if body.iter().all(u8::is_ascii_whitespace) {
            Map::new()
        } else {
            serde_json::from_slice(body)
                .map_err(|_| Error::BadRequest("the body of a token call must be a JSON object".into()))?
        };
        let said = |name: &str| match fields.get(name) {
            Some(Value::String(text)) => Ok(Some(text.clone())),
            None | Some(Value::Null) => {
                Ok(query.and_then(|query| query::get(query, name)).map(Cow::into_owned))
            }
            Some(_) => {
                Err(Error::BadRequest(format!("{name} in the body of a token call must be a string").into()))
            }
        };
        let (id, secret) = asked.names();
        let given = |name: &str| said(name).map(|text| text.filter(|text| !text.is_empty()));
        Ok(Self {
            appid: given(id)?,
            secret: said(secret)?.filter(|_| !asked.is_by_token()),
            authorizer: given("authorizer_appid")?.filter(|_| asked == Asked::Authorizer),
            code: given("authorization_code")?.filter(|_| asked == Asked::Authorization).map(Secret::new),
        })
    }

    /// What of it names the account. An appid that several apps of a corporation have names none of them.
    pub(crate) fn account_name(&self, directory: &Directory) -> Option<&str> {
        let ambiguous = |id: &&str| directory.app(id).is_none() && directory.has_appid(id);
        self.authorizer.as_deref().or_else(|| self.appid.as_deref().filter(|id| !ambiguous(id)))
    }
}
