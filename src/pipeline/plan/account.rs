//! The account that a request is for.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use super::hints::{AppHints, NamedBy};
use super::placeholder::Placeholder;
use crate::message::spelling::suggestion;
use crate::pipeline::directory::{App, Authenticated, Caller, Directory};
use crate::pipeline::error::{Error, quoted};
use crate::texts::words;
use crate::token::Handle;
use crate::upstream::Site;
use crate::wechat::Family;
use crate::wechat::catalogue::Endpoint;

/// An app, and where that is a third-party platform or has a suite, the account that it is to act
/// for.
pub(crate) struct Account<'d> {
    pub(crate) app: &'d App,
    pub(crate) authorizer: Option<Rc<Authorizer>>,
    pub(crate) named_by: NamedBy,
}

/// An account that authorised a third-party platform, or a company that authorised a suite.
#[derive(Debug)]
pub(crate) struct Authorizer {
    pub(crate) appid: Arc<str>,
    /// Position of the platform, or of the suite's app, among the apps.
    pub(crate) platform: usize,
    pub(crate) token: Handle,
}

impl<'d> Account<'d> {
    /// Settles the account; `authorizer` is the one among the names that is not a configured app.
    pub(crate) fn settle(
        directory: &'d Directory,
        caller: Option<Authenticated<'d>>,
        hints: &AppHints<'d, '_>,
        authorizer: Option<Rc<Authorizer>>,
    ) -> Result<Self, Error> {
        let who = directory.rules(caller);
        let mut named: Option<(&App, NamedBy)> = None;
        for (by, name) in hints.named() {
            let of_platform = || authorizer.as_ref().filter(|a| a.is_named(name))?.platform(directory);
            let app = directory.app(name).or_else(of_platform);
            let app = app.ok_or_else(|| unknown_app(directory, who, Authorizer::shown(name), by))?;
            match named {
                Some((other, _)) if !std::ptr::eq(other, app) => {
                    return Err(Error::BadRequest(words!("the request names two different apps")));
                }
                Some(_) => {}
                None => named = Some((app, by)),
            }
        }
        let (app, named_by) = match (named, &hints.placeholder) {
            (Some((app, _)), Placeholder::Holds { app: other, .. }) if !std::ptr::eq(app, *other) => {
                return Err(Error::BadRequest(words!(
                    "the placeholder token is for another app than the request names"
                )));
            }
            (Some(named), _) => named,
            (None, &Placeholder::Holds { app, .. }) => (app, NamedBy::Placeholder),
            // It was meant for an app that can't be told any more: a guess could send it to the
            // wrong account.
            (None, Placeholder::Void(reason)) => return Err(Error::PlaceholderExpired(reason)),
            (None, Placeholder::Absent) => unnamed(directory, who, hints.host)?,
        };
        if let Some(claimed) = hints.placeholder.authorizer()
            && !authorizer.as_ref().is_some_and(|authorizer| authorizer.is_named(claimed))
        {
            return Err(Error::BadRequest(words!(
                "the placeholder token is for another account than the request names"
            )));
        }
        match who {
            Some(who) if !who.may_use(app) => {
                let mut names = hints.named().map(|(_, name)| Authorizer::shown(name));
                Err(forbidden_app(names.next(), named_by))
            }
            _ => Ok(Self { app, authorizer, named_by }),
        }
    }

    /// Whether a token call for `id` can be for it.
    pub(crate) fn is_meant_by(&self, id: &str) -> bool {
        self.app.is_meant_by(id) || self.authorizer.as_ref().is_some_and(|authorizer| authorizer.is_named(id))
    }

    /// Which of WeChat's hosts has `endpoint` for it.
    pub(crate) fn site(&self, endpoint: &Endpoint) -> Site {
        match (self.app.kind.family(), endpoint.family) {
            (Family::Work, _) => Site::Work,
            (_, Family::Mp) => Site::Mp,
            (_, Family::Api | Family::Open | Family::Work) => Site::Api,
        }
    }

    /// Its appid.
    pub(crate) fn appid(&self) -> &str {
        self.authorizer.as_ref().map_or(&self.app.appid, |authorizer| &authorizer.appid)
    }

    /// The credential that the account's requests carry where nothing else is asked for.
    pub(crate) fn token(&self) -> &Handle {
        self.authorizer.as_ref().map_or(&self.app.token, |authorizer| &authorizer.token)
    }
}

/// The app of a request that names none.
fn unnamed<'d>(
    directory: &'d Directory,
    who: Option<&'d Caller>,
    host: Option<&str>,
) -> Result<(&'d App, NamedBy), Error> {
    let of_host = || Some((directory.app_of_host(host?)?, NamedBy::Host));
    let only = || Some((who?.only_app(directory)?, NamedBy::OnlyApp));
    let default = || Some((directory.default_app()?, NamedBy::Default));
    of_host().or_else(only).or_else(default).ok_or_else(|| {
        Error::AppUnknown(words!("name an app: path /@NAME/..., header X-Wxgate-App, or `default = true`"))
    })
}

/// Where callers are configured, strangers don't learn which apps exist.
fn unknown_app(directory: &Directory, who: Option<&Caller>, name: &str, by: NamedBy) -> Error {
    let mut sharing = directory.apps.iter().filter(|app| *app.appid == *name);
    if let Some(app) = sharing.find(|app| who.is_none_or(|who| who.may_use(app))) {
        return Error::AppUnknown(words!(
            "several apps share {appid}: name one of them, such as /@{name}/ or /@{identity}/",
            appid = app.appid,
            name = app.name,
            identity = app.identity
        ));
    }
    if directory.has_callers() {
        return forbidden_app(Some(name), by);
    }
    let known = directory.apps.iter().flat_map(|app| [&*app.name, &*app.appid]);
    let near = suggestion(name, known);
    let name = quoted(name);
    Error::AppUnknown(match near {
        Some(near) => words!("no app is named {name}, did you mean {near}?", name, near),
        None => words!("no app is named {name}", name),
    })
}

/// In the same words whether or not the app exists.
fn forbidden_app(name: Option<&str>, by: NamedBy) -> Error {
    Error::CallerForbidden(match (name.map(quoted), by) {
        (Some(app), _) => words!("app {app} is not among this caller's `apps`", app),
        (_, NamedBy::Host) => words!("the app of this Host is not among this caller's `apps`"),
        (_, NamedBy::Placeholder) => {
            words!("the app of this placeholder token is not among this caller's `apps`")
        }
        (_, NamedBy::Default | NamedBy::OnlyApp) => {
            words!("the default app is not among this caller's `apps`")
        }
        _ => words!("the app that the request names is not among this caller's `apps`"),
    })
}

impl Authorizer {
    /// The name in a request that is not an app of the configuration: an authorizer's, if a
    /// platform may act for it.
    pub(crate) fn name_in<'h>(directory: &Directory, hints: &'h AppHints<'_, '_>) -> Option<Cow<'h, str>> {
        let names = hints.named().map(|(_, name)| name);
        let mut names = names.chain(hints.placeholder.authorizer());
        let name = names.find(|name| directory.app(name).is_none() && !directory.has_appid(name))?;
        // A token call names the app, too, by its path or by a placeholder.
        let beside = || Self::beside(directory, hints).filter(|_| hints.appid.as_deref() == Some(name));
        Some(match (Self::parts(name), beside()) {
            ((appid, None), Some(app)) => format!("{appid}@{}", app.name).into(),
            _ => name.into(),
        })
    }

    /// The app that a request names beside it, if that acts for others.
    fn beside<'d>(directory: &'d Directory, hints: &AppHints<'d, '_>) -> Option<&'d App> {
        let named = hints.named().find_map(|(_, name)| directory.app(name));
        let app = named.or(match hints.placeholder {
            Placeholder::Holds { app, .. } => Some(app),
            Placeholder::Absent | Placeholder::Void(_) => None,
        });
        app.filter(|app| app.acts_for_others())
    }

    /// `APPID`, or `APPID@APP` where it authorised several. `APPID@` is none of the configured
    /// apps, whatever their appids.
    pub(crate) fn parts(name: &str) -> (&str, Option<&str>) {
        let (appid, app) = name.split_once('@').unwrap_or((name, ""));
        (appid, Some(app).filter(|app| !app.is_empty()))
    }

    /// A name as the caller knows it.
    fn shown(name: &str) -> &str {
        name.strip_suffix('@').unwrap_or(name)
    }

    /// Whether a request means it by `name`.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        *self.appid == *Self::parts(name).0
    }

    /// The platform that acts for it, or the app whose suite does.
    fn platform<'d>(&self, directory: &'d Directory) -> Option<&'d App> {
        directory.apps.get(self.platform)
    }
}

/// Whether `app` may act for an account of this name: what can't be one needs no look at the store.
pub(crate) fn may_be_for(app: &App, name: &str) -> bool {
    if app.kind.is_platform() { is_appid(name) } else { is_corpid(name) }
}

pub(crate) fn is_appid(name: &str) -> bool {
    name.len() <= 64 && name.starts_with("wx") && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// A suite knows companies by ids of its own, which begin with wp.
fn is_corpid(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let known = ["ww", "wx", "wp"].iter().any(|begin| name.starts_with(begin));
    known && name.len() <= 64 && name.bytes().all(plain)
}
