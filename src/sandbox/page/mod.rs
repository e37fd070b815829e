//! The page at `/sandbox/`: the journal as it grows, and buttons for the control API. A few files
//! in the binary, which send requests to this address only.

use http::header::{ACCEPT, ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY};
use http::header::{REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::wire::reply;
use crate::server::Response;
use crate::texts::Language;

const HTML: &str = include_str!("index.html");
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Name, content type, content. What writes to the document, the choice of a theme, and how both
/// look are the status page's.
const FILES: [(&str, &str, &str); 10] = [
    ("page.css", CSS, concat!(include_str!("../../admin/page/base.css"), include_str!("page.css"))),
    ("main.js", SCRIPT, include_str!("main.js")),
    ("accounts.js", SCRIPT, include_str!("accounts.js")),
    ("control.js", SCRIPT, include_str!("control.js")),
    ("faults.js", SCRIPT, include_str!("faults.js")),
    ("journal.js", SCRIPT, include_str!("journal.js")),
    ("masks.js", SCRIPT, include_str!("masks.js")),
    ("texts.js", SCRIPT, include_str!("texts.js")),
    ("dom.js", SCRIPT, include_str!("../../admin/page/dom.js")),
    ("theme.js", SCRIPT, include_str!("../../admin/page/theme.js")),
];

/// No inline script or style, so that nothing that a request brings can become one.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
);

/// The page to a browser, which asks for HTML, or one of its files. Programs get the list of the
/// control API at the same path.
pub(super) fn answer(parts: &Parts) -> Option<Response> {
    if parts.method != Method::GET {
        return None;
    }
    let accepted = |name| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let path = parts.uri.path();
    if matches!(path, "/sandbox" | "/sandbox/") {
        if !accepted(ACCEPT).contains("text/html") {
            return None;
        }
        let html = match Language::of_accept_language(accepted(ACCEPT_LANGUAGE)) {
            Language::English => HTML.to_owned(),
            Language::Chinese => HTML.replacen("lang=\"en\"", "lang=\"zh-CN\"", 1),
        };
        return Some(reply::page(headers("text/html; charset=utf-8"), html));
    }
    let name = path.strip_prefix("/sandbox/page/")?;
    let (_, content_type, text) = FILES.iter().find(|(known, ..)| *known == name)?;
    Some(reply::page(headers(content_type), (*text).to_owned()))
}

fn headers(content_type: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut set = |name: HeaderName, value: &'static str| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    set(CONTENT_TYPE, content_type);
    set(CACHE_CONTROL, "no-store");
    set(VARY, "Accept, Accept-Language");
    set(X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(X_FRAME_OPTIONS, "DENY");
    set(REFERRER_POLICY, "same-origin");
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers
}

#[cfg(test)]
mod tests {
    use super::{FILES, HTML};

    #[test]
    fn the_page_holds_nothing_that_its_own_policy_forbids() {
        let files = FILES.iter().map(|(name, _, text)| (*name, *text));
        for (name, text) in files.chain([("index.html", HTML)]) {
            for forbidden in
                ["http://", "https://", "@import", "<style", " style=", "onclick", "innerHTML", "eval("]
            {
                assert!(!text.contains(forbidden), "{name} has {forbidden}");
            }
        }
        assert_eq!(HTML.matches("<script").count(), HTML.matches("<script src=\"/sandbox/page/").count());
        assert_eq!(HTML.matches("lang=\"en\"").count(), 1);
    }

    #[test]
    fn every_script_that_another_imports_is_served() {
        for (name, _, text) in &FILES {
            for import in text.split("from \"./").skip(1).filter_map(|rest| rest.split('"').next()) {
                assert!(FILES.iter().any(|(known, ..)| *known == import), "{name} imports {import}");
            }
        }
    }
}
