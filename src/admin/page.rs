//! The status page: three files in the binary, which ask nobody but this address for anything.

use http::HeaderValue;
use http::header::{self, HeaderName};

use super::answer;
use crate::server::Response;

/// A file of the page.
#[derive(Debug, PartialEq)]
pub(super) struct Asset {
    path: &'static str,
    content_type: &'static str,
    text: &'static str,
}

static ASSETS: [Asset; 3] = [
    Asset { path: "/", content_type: "text/html; charset=utf-8", text: include_str!("page.html") },
    Asset { path: "/page.css", content_type: "text/css; charset=utf-8", text: include_str!("page.css") },
    Asset { path: "/page.js", content_type: "text/javascript; charset=utf-8", text: include_str!("page.js") },
];

/// No inline script or style, so that a name from the configuration can never become one.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
);

pub(super) fn asset(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

pub(super) fn answer(asset: &Asset) -> Response {
    let mut response = answer::text(asset.content_type, asset.text.to_owned());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::ASSETS;

    #[test]
    fn the_page_holds_nothing_that_its_own_policy_forbids() {
        for asset in &ASSETS {
            for forbidden in
                ["http://", "https://", "@import", "<style", " style=", "onclick", "innerHTML", "eval("]
            {
                assert!(!asset.text.contains(forbidden), "{} has {forbidden}", asset.path);
            }
        }
        let html = ASSETS[0].text;
        assert_eq!(html.matches("<script").count(), html.matches("<script src=\"page.js\"").count());
    }
}
