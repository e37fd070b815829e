//! Web pages of others stay out: the sandbox runs on developers' machines, beside their browsers.

use http::header::{HOST, ORIGIN, REFERER, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, Method};

use crate::texts::text;

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Denied {
    /// A page of another origin sent it.
    #[error("{}", text!("a web page of another address sent this request; the sandbox takes none"))]
    OtherOrigin,
    /// A browser sent it to a name that its owner can make resolve to any address.
    #[error(
        "{}",
        text!(
            "browsers must open the sandbox by its IP address, by localhost, or by a name without a dot: with any other name it might be a page of that name's owner"
        )
    )]
    Name,
}

/// Whether a request to the control API may be carried out. Programs may; a browser may where
/// the request is of the sandbox's own page.
pub(super) fn permit(parts: &Parts) -> Result<(), Denied> {
    let headers = &parts.headers;
    let host = parts.uri.authority().map(http::uri::Authority::as_str).or_else(|| header(headers, HOST));
    let host = host.unwrap_or_default();
    if header(headers, ORIGIN).is_some_and(|origin| !is_of(origin, host)) {
        return Err(Denied::OtherOrigin);
    }
    let is_elsewhere = matches!(header(headers, "sec-fetch-site"), Some("cross-site" | "same-site"));
    let is_link = parts.method == Method::GET && header(headers, "sec-fetch-mode") == Some("navigate");
    if is_elsewhere && !is_link {
        return Err(Denied::OtherOrigin);
    }
    // A page whose own name was made to resolve to this machine is of the same origin.
    if is_browser(headers) && !is_out_of_reach(host) { Err(Denied::Name) } else { Ok(()) }
}

fn header(headers: &HeaderMap, name: impl http::header::AsHeaderName) -> Option<&str> {
    headers.get(name).map(|value| value.to_str().unwrap_or_default())
}

/// Whether an origin is this address.
fn is_of(origin: &str, host: &str) -> bool {
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    authority.is_some_and(|authority| !host.is_empty() && authority.eq_ignore_ascii_case(host))
}

/// Programs send none of these of their own accord.
fn is_browser(headers: &HeaderMap) -> bool {
    header(headers, USER_AGENT).is_some_and(|agent| agent.starts_with("Mozilla/"))
        || headers.contains_key(ORIGIN)
        || headers.contains_key(REFERER)
        || headers.contains_key("sec-fetch-site")
}

/// Whether no stranger can own the name: an address, `localhost`, or a name of the own network.
fn is_out_of_reach(host: &str) -> bool {
    let Ok(authority) = host.parse::<http::uri::Authority>() else { return false };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    let name = name.to_ascii_lowercase();
    name.parse::<std::net::IpAddr>().is_ok()
        || name.ends_with(".localhost")
        || (!name.is_empty() && !name.contains('.'))
}

#[cfg(test)]
mod tests {
    use http::request::Parts;

    use super::{Denied, permit};

    fn request(method: &str, host: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::builder().method(method).uri("/sandbox/rotate").header("host", host);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).expect("a request").into_parts().0
    }

    const HERE: &str = "127.0.0.1:9080";
    const AGENT: (&str, &str) = ("user-agent", "Mozilla/5.0 (X11; Linux x86_64)");

    #[test]
    fn the_sandboxs_own_page_may_press_its_buttons() {
        for host in [HERE, "localhost:9080", "[::1]:9080", "10.0.0.5", "sandbox:9080", "a.localhost"] {
            let origin = format!("http://{host}");
            let own = [AGENT, ("origin", &*origin), ("sec-fetch-site", "same-origin")];
            assert_eq!(permit(&request("POST", host, &own)), Ok(()), "{host}");
        }
    }

    #[test]
    fn a_page_of_another_origin_may_not() {
        for origin in [
            "https://evil.example",
            "null",
            "http://127.0.0.1:8000",
            "http://127.0.0.1:9080.evil.example",
            "",
        ] {
            let denied = permit(&request("POST", HERE, &[("origin", origin)]));
            assert_eq!(denied, Err(Denied::OtherOrigin), "{origin}");
        }
        for site in ["cross-site", "same-site"] {
            let image = [("sec-fetch-site", site), ("sec-fetch-mode", "no-cors")];
            assert_eq!(permit(&request("GET", HERE, &image)), Err(Denied::OtherOrigin), "{site}");
            let form = [("sec-fetch-site", site), ("sec-fetch-mode", "navigate")];
            assert_eq!(permit(&request("POST", HERE, &form)), Err(Denied::OtherOrigin), "{site}");
            assert_eq!(permit(&request("GET", HERE, &form)), Ok(()), "a link");
        }
    }

    #[test]
    fn a_rebound_name_reaches_nothing_from_a_browser() {
        for host in ["evil.example", "evil.example:9080", "127.0.0.1.evil.example", "localhost.", ""] {
            let origin = format!("http://{host}");
            for mark in [AGENT, ("sec-fetch-site", "same-origin"), ("referer", "http://x/")] {
                assert_eq!(permit(&request("GET", host, &[mark])), Err(Denied::Name), "{host} {mark:?}");
            }
            assert!(permit(&request("POST", host, &[("origin", &*origin)])).is_err(), "{host}");
        }
    }

    #[test]
    fn a_program_may_use_any_name() {
        for headers in [&[][..], &[("user-agent", "node"), ("sec-fetch-mode", "cors")]] {
            assert_eq!(permit(&request("POST", "api.weixin.qq.com", headers)), Ok(()));
        }
    }
}
