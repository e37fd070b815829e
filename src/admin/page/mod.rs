//! The status page: a few files in the binary, which send requests to this address only.

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

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! file {
    ($name:literal, $content_type:expr) => {
        Asset { path: concat!("/page/", $name), content_type: $content_type, text: include_str!($name) }
    };
}

/// Our own files.
static FILES: [Asset; 29] = [
    Asset { path: "/", content_type: HTML, text: include_str!("index.html") },
    Asset {
        path: "/page/page.css",
        content_type: CSS,
        text: concat!(include_str!("base.css"), include_str!("page.css")),
    },
    file!("views.css", CSS),
    file!("main.js", SCRIPT),
    file!("actions.js", SCRIPT),
    file!("apps.js", SCRIPT),
    file!("apptable.js", SCRIPT),
    file!("audit.js", SCRIPT),
    file!("callers.js", SCRIPT),
    file!("chinese.js", SCRIPT),
    file!("dom.js", SCRIPT),
    file!("english.js", SCRIPT),
    file!("errors.js", SCRIPT),
    file!("events.js", SCRIPT),
    file!("explain.js", SCRIPT),
    file!("first.js", SCRIPT),
    file!("format.js", SCRIPT),
    file!("health.js", SCRIPT),
    file!("polls.js", SCRIPT),
    file!("quota.js", SCRIPT),
    file!("ranges.js", SCRIPT),
    file!("refusals.js", SCRIPT),
    file!("routes.js", SCRIPT),
    file!("session.js", SCRIPT),
    file!("stream.js", SCRIPT),
    file!("texts.js", SCRIPT),
    file!("theme.js", SCRIPT),
    file!("tiles.js", SCRIPT),
    file!("traffic.js", SCRIPT),
];

/// uPlot 1.6.32 as npm has it, with the licence that every copy must carry.
static UPLOT: [Asset; 2] = [
    Asset {
        path: "/page/uplot.js",
        content_type: SCRIPT,
        text: concat!("/*\n", include_str!("uplot.LICENSE"), "*/\n", include_str!("uplot.min.js")),
    },
    Asset {
        path: "/page/uplot.css",
        content_type: CSS,
        text: concat!("/*\n", include_str!("uplot.LICENSE"), "*/\n", include_str!("uplot.min.css")),
    },
];

/// No inline script or style, so that a name from the configuration can never become one.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
);

pub(super) fn asset(path: &str) -> Option<&'static Asset> {
    FILES.iter().chain(&UPLOT).find(|asset| asset.path == path)
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
    use super::{FILES, UPLOT};

    #[test]
    fn the_page_holds_nothing_that_its_own_policy_forbids() {
        for asset in &FILES {
            for forbidden in
                ["http://", "https://", "@import", "<style", " style=", "onclick", "innerHTML", "eval("]
            {
                assert!(!asset.text.contains(forbidden), "{} has {forbidden}", asset.path);
            }
        }
        let html = FILES[0].text;
        assert_eq!(html.matches("<script").count(), html.matches("<script src=\"page/").count());
    }

    #[test]
    fn the_vendored_files_hold_nothing_that_the_policy_forbids_either() {
        for asset in &UPLOT {
            // It has addresses only in its banner and licence; the one of the SVG namespace is not
            // requested.
            let (_, code) = asset.text.split_once("*/\n").unwrap();
            let code = code
                .split_once("*/")
                .filter(|(banner, _)| banner.starts_with("/*!"))
                .map_or(code, |(_, code)| code);
            for forbidden in [
                "http://",
                "https://",
                "@import",
                "url(",
                "innerHTML",
                "eval(",
                "new Function",
                "setAttribute",
            ] {
                assert!(!code.contains(forbidden), "{} has {forbidden}", asset.path);
            }
            assert!(
                asset.text.contains("The MIT License")
                    && asset.text.contains("Copyright (c) 2022 Leon Sorokin")
            );
        }
    }

    #[test]
    fn every_script_that_another_imports_is_served() {
        for asset in &FILES {
            for import in asset.text.split("from \"./").skip(1).filter_map(|rest| rest.split('"').next()) {
                assert!(
                    super::asset(&format!("/page/{import}")).is_some(),
                    "{} imports {import}",
                    asset.path
                );
            }
        }
    }
}
