//! Everything in a request that may name the app.

use std::borrow::Cow;

use http::header::HeaderName;

use super::placeholder::Placeholder;
use super::target::RequestTarget;
use crate::message::noted::Noted;
use crate::pipeline::directory::{App, Caller};
use crate::pipeline::error::Error;
use crate::texts::words;

/// Names the app; in a response to `X-Wxgate-Explain` it says which app it was.
pub(crate) const APP_HEADER: HeaderName = HeaderName::from_static("x-wxgate-app");

/// What named the app of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedBy {
    /// `/@NAME/`
    Prefix,
    /// `X-Wxgate-App`
    Header,
    /// The query's `from_appid`.
    FromAppid,
    /// The `appid` of a token call.
    Appid,
    /// A placeholder token.
    Placeholder,
    /// The app claims the request's `Host`.
    Host,
    /// It is the only one that the caller may use.
    OnlyApp,
    /// `default = true`
    Default,
}

/// What names the app, in the contract's order.
pub(crate) struct AppHints<'d, 'r> {
    pub(crate) prefix: Option<&'r str>,
    pub(crate) header: Option<&'r str>,
    pub(crate) from_appid: Option<&'r str>,
    pub(crate) placeholder: Placeholder<'d>,
    /// What a token call, or one that wants the AppSecret, says whose token or secret that is.
    pub(crate) appid: Option<Cow<'r, str>>,
    pub(crate) host: Option<&'r str>,
    /// What says which apps the caller may use; none if nothing is said.
    rules: Option<&'d Caller>,
}

impl<'d, 'r> AppHints<'d, 'r> {
    /// What target and headers say, and besides `placeholder`, `appid` and the caller's `rules`.
    pub(crate) fn new(
        target: &RequestTarget<'r>,
        headers: &Noted<'r>,
        placeholder: Placeholder<'d>,
        appid: Option<Cow<'r, str>>,
        rules: Option<&'d Caller>,
    ) -> Result<Self, Error> {
        let RequestTarget { prefix, from_appid, host, .. } = *target;
        if target.from_appid_differs {
            return Err(Error::BadRequest(words!("the query has different values of from_appid")));
        }
        if headers.several_apps {
            return Err(Error::BadRequest(words!("the X-Wxgate-App header is given twice")));
        }
        let header = headers.app.map(|name| name.to_str().unwrap_or_default());
        Ok(Self { prefix, header, from_appid, placeholder, appid, host, rules })
    }

    /// Whether an account is looked for among those that `app` acts for: what the caller may not
    /// use is as if it weren't there.
    pub(crate) fn may_mean(&self, app: &App) -> bool {
        self.rules.is_none_or(|who| who.may_use(app))
    }

    /// What names an app, or an account that a platform acts for, by name or appid; the first
    /// counts as what named it.
    pub(crate) fn named(&self) -> impl Iterator<Item = (NamedBy, &str)> {
        let named = [
            (NamedBy::Prefix, self.prefix),
            (NamedBy::Header, self.header),
            (NamedBy::FromAppid, self.from_appid),
            (NamedBy::Appid, self.appid.as_deref()),
        ];
        named.into_iter().filter_map(|(by, name)| Some((by, name?)))
    }
}
