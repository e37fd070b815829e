//! Which request asks for what.

use std::borrow::Cow;

use http::Method;

use super::guard::Need;
use super::page::{self, Asset};
use super::route::{ROUTES, Route, Target};

/// What a request asks for.
#[derive(Debug)]
pub(super) enum Matched<'a> {
    Asset(&'static Asset),
    Route {
        route: &'static Route,
        /// The name of the app that it is done to.
        app: Option<Cow<'a, str>>,
    },
}

/// Nothing is there, or not for this method.
#[derive(Debug, PartialEq)]
pub(super) enum Lost {
    NoSuchPath,
    OtherMethod { allow: &'static str },
}

impl<'a> Matched<'a> {
    pub(super) fn find(method: &Method, path: &'a str) -> Result<Self, Lost> {
        let route = ROUTES.iter().find_map(|route| {
            let app = app(route.path, path)?;
            Some(Self::Route { route, app: app.map(decoded) })
        });
        let asset = || page::asset(path).map(Self::Asset);
        let matched = route.or_else(asset).ok_or(Lost::NoSuchPath)?;
        match (matched.need(), method) {
            (Need::Change, &Method::POST) => Ok(matched),
            (Need::Change, _) => Err(Lost::OtherMethod { allow: "POST" }),
            (_, &Method::GET | &Method::HEAD) => Ok(matched),
            _ => Err(Lost::OtherMethod { allow: "GET, HEAD" }),
        }
    }

    /// What is done, as the log of actions names it; `query` is the request's.
    pub(super) fn action(&self, query: &str) -> &'static str {
        match self {
            Self::Route { route, .. } if route.need == Need::Change => {
                if route.target == Target::Refresh && is_forced(query) { "force" } else { route.id }
            }
            _ => "read",
        }
    }

    /// The app that it is done to.
    pub(super) fn app(&self) -> Option<&str> {
        match self {
            Self::Route { app, .. } => app.as_deref(),
            Self::Asset(_) => None,
        }
    }

    pub(super) fn need(&self) -> Need {
        match self {
            Self::Route { route, .. } => route.need,
            // The page's own files show nothing: what they show comes from the status, and with
            // them the browser can ask for the token that the status needs.
            Self::Asset(_) => Need::KnownHost,
        }
    }
}

/// Whether a refresh is forced.
pub(super) fn is_forced(query: &str) -> bool {
    form_urlencoded::parse(query.as_bytes()).any(|(key, value)| key == "force" && value == "true")
}

/// If `path` is of `pattern`: what stands for its `{name}`, if it has one.
fn app<'a>(pattern: &str, path: &'a str) -> Option<Option<&'a str>> {
    match pattern.split_once("{name}") {
        None => (pattern == path).then_some(None),
        Some((before, behind)) => {
            let name = path.strip_prefix(before)?.strip_suffix(behind)?;
            (!name.is_empty() && !name.contains('/')).then_some(Some(name))
        }
    }
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

    use super::{Lost, Matched, Target};

    fn find(method: &Method, path: &str) -> Result<(Target, Option<String>), Lost> {
        match Matched::find(method, path)? {
            Matched::Route { route, app } => Ok((route.target, app.map(Into::into))),
            Matched::Asset(_) => panic!("{path} is a file of the page"),
        }
    }

    #[test]
    fn an_app_name_may_be_percent_encoded() {
        for (path, name) in [
            ("/api/v1/apps/shop/refresh", "shop"),
            ("/api/v1/apps/a+b/refresh", "a+b"),
            ("/api/v1/apps/%E5%BA%97+1/refresh", "店+1"),
            ("/api/v1/apps/a%2Fb/refresh", "a/b"),
            ("/api/v1/apps/a%26b%3Dc/refresh", "a&b=c"),
        ] {
            assert_eq!(find(&Method::POST, path), Ok((Target::Refresh, Some(name.to_owned()))), "{path}");
        }
    }

    #[test]
    fn what_is_done_to_an_app_is_told_apart() {
        let target = |action: &str| {
            let found = find(&Method::POST, &format!("/api/v1/apps/a%2Fb/{action}")).ok()?;
            assert_eq!(found.1.as_deref(), Some("a/b"));
            Some(found.0)
        };
        assert_eq!(target("refresh"), Some(Target::Refresh));
        assert_eq!(target("clear-quota"), Some(Target::ClearQuota));
        assert_eq!(target("quota/reset"), Some(Target::ResetQuota));
        assert_eq!(target("rid"), Some(Target::LookUp));
        for nothing in ["quota", "quota/", "reset", "clear", "rid/"] {
            assert_eq!(target(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn neighbouring_paths_lead_nowhere() {
        for path in [
            "",
            "/x",
            "/healthz/",
            "/api/v1/apps//refresh",
            "/api/v1/apps/a/b/refresh",
            "/api/v1/apps/quota/reset",
            "/api/v1/apps/refresh",
        ] {
            assert_eq!(find(&Method::POST, path), Err(Lost::NoSuchPath), "{path}");
        }
    }

    #[test]
    fn changes_are_posted_and_the_rest_is_got() {
        assert_eq!(find(&Method::HEAD, "/metrics"), Ok((Target::Metrics, None)));
        assert_eq!(find(&Method::POST, "/metrics"), Err(Lost::OtherMethod { allow: "GET, HEAD" }));
        assert_eq!(find(&Method::GET, "/api/v1/reload"), Err(Lost::OtherMethod { allow: "POST" }));
    }
}
