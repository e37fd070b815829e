//! Which request means what.

use std::borrow::Cow;

use http::Method;

use super::guard::Need;
use super::page::{self, Asset};

/// What is asked for.
#[derive(Debug, PartialEq)]
pub(super) enum Route<'a> {
    Health,
    Ready,
    Metrics,
    Status,
    Endpoints,
    Quota,
    Traffic,
    Activity,
    Events,
    Asset(&'static Asset),
    /// With the app's name.
    Refresh(Cow<'a, str>),
    /// With the app's name.
    ClearQuota(Cow<'a, str>),
    /// With the app's name.
    ResetQuota(Cow<'a, str>),
    /// With the app's name.
    LookUp(Cow<'a, str>),
    Reload,
}

/// Nothing is there, or not for this method.
#[derive(Debug, PartialEq)]
pub(super) enum Lost {
    NoSuchPath,
    OtherMethod { allow: &'static str },
}

impl<'a> Route<'a> {
    pub(super) fn find(method: &Method, path: &'a str) -> Result<Self, Lost> {
        let route = match path {
            "/healthz" => Self::Health,
            "/readyz" => Self::Ready,
            "/metrics" => Self::Metrics,
            "/api/v1/status" => Self::Status,
            "/api/v1/endpoints" => Self::Endpoints,
            "/api/v1/quota" => Self::Quota,
            "/api/v1/traffic" => Self::Traffic,
            "/api/v1/activity" => Self::Activity,
            "/api/v1/events" => Self::Events,
            "/api/v1/reload" => Self::Reload,
            _ => match (of_app(path), page::asset(path)) {
                (Some((app, "refresh")), _) => Self::Refresh(decoded(app)),
                (Some((app, "clear-quota")), _) => Self::ClearQuota(decoded(app)),
                (Some((app, "quota/reset")), _) => Self::ResetQuota(decoded(app)),
                (Some((app, "rid")), _) => Self::LookUp(decoded(app)),
                (_, Some(asset)) => Self::Asset(asset),
                _ => return Err(Lost::NoSuchPath),
            },
        };
        match (route.need(), method) {
            (Need::Change, &Method::POST) => Ok(route),
            (Need::Change, _) => Err(Lost::OtherMethod { allow: "POST" }),
            (_, &Method::GET | &Method::HEAD) => Ok(route),
            _ => Err(Lost::OtherMethod { allow: "GET, HEAD" }),
        }
    }

    /// What is done, as the log of actions names it; `query` is the request's.
    pub(super) fn action(&self, query: &str) -> &'static str {
        match self {
            Self::Refresh(_) if is_forced(query) => "force",
            Self::Refresh(_) => "refresh",
            Self::ClearQuota(_) => "clear_quota",
            Self::ResetQuota(_) => "quota_reset",
            Self::LookUp(_) => "rid",
            Self::Reload => "reload",
            _ => "read",
        }
    }

    /// The app that it is done to.
    pub(super) fn app(&self) -> Option<&str> {
        match self {
            Self::Refresh(app) | Self::ClearQuota(app) | Self::ResetQuota(app) | Self::LookUp(app) => {
                Some(app)
            }
            _ => None,
        }
    }

    pub(super) fn need(&self) -> Need {
        match self {
            Self::Health => Need::Nothing,
            // The page's own files show nothing: what they show comes from the status, and with
            // them the browser can ask for the token that the status needs.
            Self::Ready | Self::Asset(_) => Need::KnownHost,
            Self::Metrics
            | Self::Status
            | Self::Endpoints
            | Self::Quota
            | Self::Traffic
            | Self::Activity
            | Self::Events => Need::Read,
            // A look-up changes nothing here, but spends the app's quota and shows a request's
            // body.
            Self::Refresh(_) | Self::ClearQuota(_) | Self::ResetQuota(_) | Self::LookUp(_) | Self::Reload => {
                Need::Change
            }
        }
    }
}

/// Whether a refresh is to be by force.
pub(super) fn is_forced(query: &str) -> bool {
    form_urlencoded::parse(query.as_bytes()).any(|(key, value)| key == "force" && value == "true")
}

/// What is to be done to which app.
fn of_app(path: &str) -> Option<(&str, &str)> {
    let (app, action) = path.strip_prefix("/api/v1/apps/")?.split_once('/')?;
    (!app.is_empty()).then_some((app, action))
}

/// A path segment without its percent-encoding, in which `+` means itself.
fn decoded(segment: &str) -> Cow<'_, str> {
    if !segment.contains('%') {
        return segment.into();
    }
    let pair = segment.replace('+', "%2B").replace('=', "%3D").replace('&', "%26");
    form_urlencoded::parse(pair.as_bytes())
        .next()
        .map_or_else(|| segment.into(), |(name, _)| name.into_owned().into())
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::{Lost, Route};

    #[test]
    fn an_app_name_may_be_percent_encoded() {
        for (path, name) in [
            ("/api/v1/apps/shop/refresh", "shop"),
            ("/api/v1/apps/a+b/refresh", "a+b"),
            ("/api/v1/apps/%E5%BA%97+1/refresh", "店+1"),
            ("/api/v1/apps/a%2Fb/refresh", "a/b"),
        ] {
            assert_eq!(Route::find(&Method::POST, path), Ok(Route::Refresh(name.into())), "{path}");
        }
    }

    #[test]
    fn what_is_done_to_an_app_is_told_apart() {
        let find = |action: &str| Route::find(&Method::POST, &format!("/api/v1/apps/shop/{action}")).is_ok();
        assert!(find("refresh") && find("clear-quota") && find("rid"));
        assert!(find("quota/reset") && !find("quota") && !find("quota/") && !find("reset"));
        assert!(!find("clear") && !find("rid/"));
        let found = Route::find(&Method::POST, "/api/v1/apps/a%2Fb/clear-quota");
        assert_eq!(found, Ok(Route::ClearQuota("a/b".into())));
        assert_eq!(Route::find(&Method::POST, "/api/v1/apps/a/rid"), Ok(Route::LookUp("a".into())));
    }

    #[test]
    fn neighbouring_paths_lead_nowhere() {
        for path in [
            "",
            "/x",
            "/healthz/",
            "/api/v1/apps//refresh",
            "/api/v1/apps/a/b/refresh",
            "/api/v1/apps/refresh",
        ] {
            assert_eq!(Route::find(&Method::POST, path), Err(Lost::NoSuchPath), "{path}");
        }
    }

    #[test]
    fn changes_are_posted_and_the_rest_is_got() {
        assert_eq!(Route::find(&Method::HEAD, "/metrics"), Ok(Route::Metrics));
        assert_eq!(Route::find(&Method::POST, "/metrics"), Err(Lost::OtherMethod { allow: "GET, HEAD" }));
        assert_eq!(Route::find(&Method::GET, "/api/v1/reload"), Err(Lost::OtherMethod { allow: "POST" }));
    }
}
