//! The account that a request is for, and which of its credentials an endpoint gets.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::Options;
use super::directory::{App, Directory};
use super::error::Error;
use super::route::{Named, Placeholder};
use crate::message::query::CredentialParam;
use crate::observe::clock::Clock;
use crate::token::{self, Handle, Manager};
use crate::wechat::Issuer;
use crate::wechat::catalogue::{CredentialClass, Endpoint};

/// An app, and where that is a third-party platform, the account that it is to act for.
pub(super) struct Account<'d> {
    pub(super) app: &'d App,
    pub(super) authorizer: Option<Rc<Authorizer>>,
}

/// An account that authorised a third-party platform.
#[derive(Debug)]
pub(super) struct Authorizer {
    pub(super) appid: Arc<str>,
    /// Position of the platform among the apps.
    platform: usize,
    token: Handle,
}

/// What an endpoint gets of an account.
pub(super) enum Wanted<'a> {
    /// A credential that is kept.
    Token(Kept<'a>),
    /// These parameters, of which one is a secret.
    Secret([(&'static str, &'a str); 2]),
    /// Nothing: what looks like a credential is taken out.
    Nothing,
    /// Nothing, and nothing is taken out: the user's token is the caller's business.
    AsSent,
}

/// A credential that is kept, and how WeChat knows it.
#[derive(Clone, Copy)]
pub(super) struct Kept<'a> {
    pub(super) handle: &'a Handle,
    pub(super) param: CredentialParam,
    pub(super) issuer: Issuer,
}

impl Account<'_> {
    /// What a request for `endpoint` gets.
    pub(super) fn wanted(&self, endpoint: &Endpoint) -> Result<Wanted<'_>, Error> {
        let app = self.app;
        let kept = |handle, param, issuer| Ok(Wanted::Token(Kept { handle, param, issuer }));
        if let Some(issuer) = endpoint.class.issuer() {
            let param = endpoint.class.token_parameter().and_then(CredentialParam::named);
            return kept(self.issued(issuer)?, param.unwrap_or(CredentialParam::AccessToken), issuer);
        }
        match endpoint.class {
            CredentialClass::AppToken | CredentialClass::AppOrComponentToken => match &self.authorizer {
                Some(authorizer) => kept(&authorizer.token, CredentialParam::AccessToken, Issuer::Authorizer),
                None if app.kind.is_platform() && endpoint.class == CredentialClass::AppToken => {
                    Err(Error::BadRequest(
                        "this endpoint wants the token of an account that authorised the platform: name it by path \
                         prefix, /@APPID/"
                            .into(),
                    ))
                }
                None => kept(&app.token, CredentialParam::AccessToken, app.issuer),
            },
            CredentialClass::AppSecret if app.kind.is_platform() => Err(Error::BadRequest(
                "this endpoint wants an account's own AppSecret, which a platform never has: call the one below \
                 /sns/component/ or /sns/oauth2/component/"
                    .into(),
            )),
            CredentialClass::AppSecret => {
                let secret = endpoint.secret_parameter().unwrap_or("secret");
                Ok(Wanted::Secret([("appid", &app.appid), (secret, app.secret.expose())]))
            }
            CredentialClass::ComponentSecret => {
                self.component()?;
                let own = [("component_appid", &*app.appid), ("appsecret", app.secret.expose())];
                Ok(Wanted::Secret(own))
            }
            CredentialClass::UserOauth => Ok(Wanted::AsSent),
            // Token endpoints, pages for browsers.
            _ => Ok(Wanted::Nothing),
        }
    }

    /// Whether a token call for `id` can be for it.
    pub(super) fn is_meant_by(&self, id: &str) -> bool {
        self.app.is_meant_by(id) || self.authorizer.as_ref().is_some_and(|authorizer| authorizer.is_named(id))
    }

    /// The credential that the account's requests carry where nothing else is asked for.
    pub(super) fn token(&self) -> &Handle {
        self.authorizer.as_ref().map_or(&self.app.token, |authorizer| &authorizer.token)
    }

    fn component(&self) -> Result<(), Error> {
        if self.app.kind.is_platform() {
            return Ok(());
        }
        Err(Error::EndpointForbidden(
            "this endpoint wants the credential of a third-party platform, which this app is not".into(),
        ))
    }

    /// What this issuer hands out, for endpoints that take nothing else.
    fn issued(&self, issuer: Issuer) -> Result<&Handle, Error> {
        if issuer == Issuer::Component {
            self.component()?;
            return Ok(&self.app.token);
        }
        self.app.further(issuer).ok_or(Error::EndpointForbidden(
            "this endpoint wants a credential of WeCom that this app does not have (suite_id, provider_secret)".into(),
        ))
    }
}

/// A worker's memory of the accounts that it was asked for, so that it asks the token manager, which all workers share,
/// once for each.
#[derive(Debug, Default)]
pub(super) struct Authorizers(RefCell<HashMap<String, Rc<Authorizer>>>);

impl Authorizers {
    /// Other platforms may be configured now.
    pub(super) fn forget(&self) {
        self.0.borrow_mut().clear();
    }

    /// The account among the names in a request that is no app of the configuration, if a platform may act for it.
    pub(super) async fn find(
        &self,
        directory: &Directory,
        manager: &Manager,
        named: &Named<'_, '_>,
    ) -> Result<Option<Rc<Authorizer>>, Error> {
        if !directory.has_platforms() {
            return Ok(None);
        }
        let claimed = match &named.placeholder {
            Placeholder::Holds { authorizer, .. } => authorizer.as_deref(),
            Placeholder::Absent | Placeholder::Void(_) => None,
        };
        let Some(name) = named.names().chain(claimed).find(|name| directory.app(name).is_none()) else {
            return Ok(None);
        };
        if let Some(known) = self.0.borrow().get(name) {
            return Ok(Some(Rc::clone(known)));
        }
        let found = look_up(directory, manager, name).await?.map(Rc::new);
        if let Some(found) = &found {
            self.0.borrow_mut().insert(name.to_owned(), Rc::clone(found));
        }
        Ok(found)
    }
}

/// `APPID`, or `APPID@PLATFORM` where it authorised several.
async fn look_up(directory: &Directory, manager: &Manager, name: &str) -> Result<Option<Authorizer>, Error> {
    let (appid, platform) = match name.split_once('@') {
        Some((appid, platform)) => (appid, Some(platform)),
        None => (name, None),
    };
    if !is_appid(appid) {
        return Ok(None);
    }
    let meant = |app: &&App| platform.is_none_or(|platform| app.is_named(platform));
    let mut found: Option<Authorizer> = None;
    for app in directory.platforms().filter(meant) {
        let Some(token) = manager.authorizer(&app.name, appid).await? else { continue };
        if found.is_some() {
            return Err(Error::BadRequest(
                "this account authorised several platforms: name one of them too, /@APPID@PLATFORM/".into(),
            ));
        }
        found = Some(Authorizer { appid: appid.into(), platform: app.index, token });
    }
    Ok(found)
}

/// What is none needs no look at the store.
fn is_appid(name: &str) -> bool {
    name.len() <= 64 && name.starts_with("wx") && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

impl Authorizer {
    /// The one that a request means if it has authorised the only platform there is; without a keeper.
    pub(super) fn assumed(
        directory: &Directory,
        named: &Named<'_, '_>,
        options: &Options,
        tokens: &token::Options,
    ) -> Option<Rc<Self>> {
        let name = named.names().find(|name| directory.app(name).is_none())?;
        let appid = name.split_once('@').map_or(name, |(appid, _)| appid);
        let platform = directory.platforms().next().filter(|_| is_appid(appid))?;
        let app = options.apps.iter().find(|app| app.token.name == platform.name)?;
        let (_, token) = Handle::unkept(&app.token, tokens, &Clock::default()).into_iter().next()?;
        Some(Rc::new(Self { appid: appid.into(), platform: platform.index, token }))
    }

    /// Whether a request means it by `name`.
    pub(super) fn is_named(&self, name: &str) -> bool {
        *self.appid == *name || name.split_once('@').is_some_and(|(appid, _)| *self.appid == *appid)
    }

    /// The platform that acts for it.
    pub(super) fn platform<'d>(&self, directory: &'d Directory) -> Option<&'d App> {
        directory.apps.get(self.platform)
    }
}
