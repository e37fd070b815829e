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
    Asset(&'static Asset),
    /// With the app's name.
    Refresh(Cow<'a, str>),
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
            "/api/v1/reload" => Self::Reload,
            _ => {
                let app = path.strip_prefix("/api/v1/apps/").and_then(|rest| rest.strip_suffix("/refresh"));
                match (app, page::asset(path)) {
                    (Some(app), _) if !app.is_empty() && !app.contains('/') => Self::Refresh(decoded(app)),
                    (_, Some(asset)) => Self::Asset(asset),
                    _ => return Err(Lost::NoSuchPath),
                }
            }
        };
        match (route.need(), method) {
            (Need::Change, &Method::POST) => Ok(route),
            (Need::Change, _) => Err(Lost::OtherMethod { allow: "POST" }),
            (_, &Method::GET | &Method::HEAD) => Ok(route),
            _ => Err(Lost::OtherMethod { allow: "GET, HEAD" }),
        }
    }

    pub(super) fn need(&self) -> Need {
        match self {
            Self::Health => Need::Nothing,
            // The page's own files show nothing: what they show comes from the status, and with them the browser can ask
            // for the token that the status needs.
            Self::Ready | Self::Asset(_) => Need::KnownHost,
            Self::Metrics | Self::Status | Self::Endpoints => Need::Read,
            Self::Refresh(_) | Self::Reload => Need::Change,
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
