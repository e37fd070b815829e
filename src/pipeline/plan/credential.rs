//! Which credential a request gets, in place of what the caller brought.

use std::borrow::Cow;
use std::sync::Arc;

use super::account::Account;
use super::target::RequestTarget;
use crate::message::credential::{CredentialParam, SECRETS};
use crate::message::query;
use crate::pipeline::directory::{App, Directory};
use crate::pipeline::error::Error;
use crate::pipeline::options::{OwnCredential, SigningOptions};
use crate::pipeline::user_tokens::UserTokens;
use crate::texts::words;
use crate::token::Handle;
use crate::wechat::catalogue::{CredentialClass, Endpoint};
use crate::wechat::signing::Keys;
use crate::wechat::{Issuer, placeholder};

/// What goes into a request.
pub(crate) enum CredentialPlan<'a> {
    /// A token that wxgate keeps.
    Token(KeptToken<'a>),
    /// These parameters, of which one is a secret.
    Secret([(&'static str, &'a str); 2]),
    /// Nothing: what looks like a credential is taken out.
    Nothing,
    /// Nothing, and nothing is taken out: the user's token is the caller's business. So a code that
    /// rejects it starts no refresh.
    AsSent,
}

/// A token that wxgate keeps, and how WeChat knows it.
#[derive(Clone, Copy)]
pub(crate) struct KeptToken<'a> {
    pub(crate) handle: &'a Handle,
    pub(crate) param: CredentialParam,
    pub(crate) issuer: Issuer,
    /// How the request with it is signed, if it is.
    pub(crate) signing: Option<&'a SigningOptions>,
}

/// On endpoints whose form is passed on unchanged, a placeholder or an API key in it would too.
pub(crate) fn check_form(
    directory: &Directory,
    credential: &CredentialPlan<'_>,
    target: &RequestTarget<'_>,
) -> Result<(), Error> {
    let Some(form) = target.form.filter(|_| matches!(credential, CredentialPlan::Nothing)) else {
        return Ok(());
    };
    let is_callers =
        |value: &str| placeholder::looks_like(value) || directory.caller_with_key(value.as_bytes()).is_some();
    if form.credentials().any(|(_, value)| is_callers(value.trim())) {
        return Err(Error::BadRequest(words!(
            "this endpoint takes no token and its form is passed on: leave access_token out"
        )));
    }
    Ok(())
}

impl<'a> CredentialPlan<'a> {
    /// What a request of `account` for `endpoint` gets.
    pub(crate) fn new(account: &'a Account<'_>, endpoint: &Endpoint) -> Result<Self, Error> {
        let app = account.app;
        let token =
            |handle, param, issuer| Ok(Self::Token(KeptToken { handle, param, issuer, signing: None }));
        if let Some(issuer) = endpoint.class.issuer() {
            let param = endpoint.class.token_parameter().and_then(CredentialParam::named);
            return token(handle_of(app, issuer)?, param.unwrap_or(CredentialParam::AccessToken), issuer);
        }
        match endpoint.class {
            CredentialClass::AppToken | CredentialClass::AppOrComponentToken => match &account.authorizer {
                Some(authorizer) => token(&authorizer.token, CredentialParam::AccessToken, app.acts_by()),
                None if app.kind.is_platform() && endpoint.class == CredentialClass::AppToken => {
                    Err(Error::BadRequest(words!(
                        "this endpoint requires the token of an account that authorised the platform: name \
                             it by path prefix, /@APPID/"
                    )))
                }
                None => token(&app.token, CredentialParam::AccessToken, app.issuer),
            },
            CredentialClass::AppSecret if app.kind.is_platform() => Err(Error::BadRequest(words!(
                "this endpoint requires an account's own AppSecret, which a platform does not have: call \
                     the one below /sns/component/ or /sns/oauth2/component/"
            ))),
            CredentialClass::AppSecret => {
                let secret = endpoint.secret_parameter().unwrap_or("secret");
                Ok(Self::Secret([("appid", &app.appid), (secret, app.secret.expose())]))
            }
            CredentialClass::ComponentSecret => {
                check_platform(app)?;
                Ok(Self::Secret([("component_appid", &*app.appid), ("appsecret", app.secret.expose())]))
            }
            CredentialClass::UserOauth => Ok(Self::AsSent),
            // Token endpoints, pages for browsers.
            _ => Ok(Self::Nothing),
        }
    }

    /// The same for a request that is signed as `options` say.
    pub(super) fn signed(self, options: Option<&'a SigningOptions>) -> Self {
        match self {
            Self::Token(token) if token.param == CredentialParam::AccessToken => {
                Self::Token(KeptToken { signing: options, ..token })
            }
            other => other,
        }
    }

    /// By what a request with it is signed; none if it isn't.
    pub(crate) fn keys(&self) -> Option<&'a Arc<Keys>> {
        let Self::Token(KeptToken { signing: Some(signing), .. }) = self else { return None };
        signing.keys.as_ref()
    }

    /// Where a caller's own token is not to be replaced, it is refused. A placeholder is not a
    /// token of the caller's own.
    pub(crate) fn check_own(
        &self,
        app: &App,
        target: &RequestTarget<'_>,
        user_tokens: &UserTokens,
    ) -> Result<(), Error> {
        if !matches!(self, Self::Token(_)) {
            return Ok(());
        }
        for value in target.credentials().filter(|value| !placeholder::looks_like(value)) {
            // The confusion of two kinds of access_token, the other way round than
            // `check_confusion` has it.
            if user_tokens.knows(value.trim()) {
                return Err(Error::BadRequest(words!(
                    "this endpoint requires the app's token, which wxgate adds, but got a user's OAuth \
                         access_token (from /sns/oauth2/access_token): leave it out"
                )));
            }
            if app.own_credential == OwnCredential::Reject {
                return Err(Error::BadRequest(words!(
                    "leave the token out: this app rejects tokens in requests (own_credential)"
                )));
            }
        }
        Ok(())
    }
}

fn check_platform(app: &App) -> Result<(), Error> {
    if app.kind.is_platform() {
        return Ok(());
    }
    Err(Error::EndpointForbidden(words!(
        "this endpoint requires a third-party platform, which this app is not"
    )))
}

/// What this issuer hands out, for endpoints that take nothing else.
fn handle_of(app: &App, issuer: Issuer) -> Result<&Handle, Error> {
    if issuer == Issuer::Component {
        check_platform(app)?;
        return Ok(&app.token);
    }
    app.further(issuer).ok_or_else(|| {
        Error::EndpointForbidden(words!(
            "this endpoint requires a WeCom credential (suite_id, provider_secret) that this app lacks"
        ))
    })
}

/// What a caller brings to an endpoint that wants the AppSecret, in the query and in a form.
#[derive(Default)]
pub(crate) struct Login<'r> {
    pub(crate) appids: Vec<Cow<'r, str>>,
    /// Those of an SDK that knows no other way: its API key, the real one from before, or nothing
    /// of worth.
    pub(crate) secrets: Vec<Cow<'r, str>>,
}

impl<'r> Login<'r> {
    /// The fields that may be set in a request for `endpoint`.
    pub(crate) fn fields(endpoint: &Endpoint) -> &'static [&'static str] {
        match endpoint.class {
            CredentialClass::AppSecret => &["appid", "secret", "appsecret"],
            CredentialClass::ComponentSecret => &["component_appid", "appsecret"],
            _ => &[],
        }
    }

    pub(crate) fn read(target: &RequestTarget<'r>) -> Self {
        if target.endpoint.secret_parameter().is_none() {
            return Self::default();
        }
        let brought = |names: &[&str]| {
            let mut values: Vec<Cow<'r, str>> = Vec::new();
            for name in names {
                values.extend(target.query.into_iter().flat_map(|query| query::get_all(query, name)));
                values.extend(target.form.into_iter().flat_map(|form| form.get_all(name)).map(Cow::from));
            }
            values.retain(|value| !value.is_empty());
            values
        };
        Self { appids: brought(&["appid"]), secrets: brought(&SECRETS) }
    }

    /// The appid, which is the same wherever it stands.
    pub(crate) fn appid(self) -> Result<Option<Cow<'r, str>>, Error> {
        let mut appids = self.appids;
        appids.dedup();
        if appids.len() > 1 {
            return Err(Error::BadRequest(words!("the request has different appids")));
        }
        Ok(appids.pop())
    }
}
