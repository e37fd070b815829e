//! Who may see and do what.

use std::net::SocketAddr;

use http::{HeaderMap, Uri, header};

use crate::message::host;
use crate::secret::Secret;
use crate::server::Address;

/// Who can reach the admin address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Programs on this machine, and web pages in its browsers.
    Loopback,
    /// Whoever the file system allows.
    Unix,
    /// Other machines.
    Open,
}

impl Scope {
    /// The scope of a bound address.
    pub fn of(address: &Address) -> Self {
        match address {
            Address::Unix(_) => Self::Unix,
            Address::Tcp(authority) => match authority.parse::<SocketAddr>() {
                Ok(bound) if bound.ip().to_canonical().is_loopback() => Self::Loopback,
                _ => Self::Open,
            },
        }
    }
}

/// What a request must bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing.
    Nothing,
    /// A `Host` of this machine.
    KnownHost,
    /// The right to read.
    Read,
    /// The right to change.
    Change,
}

/// Why a request is denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Denied {
    /// No token is configured, so none can be right.
    NoTokenConfigured,
    /// The request has no token.
    NoToken,
    /// The request has another token.
    WrongToken,
    /// The `Host` is not this machine's.
    ForeignHost,
    /// A web page of another origin sent the request.
    WebPage,
}

impl Denied {
    /// As in `wxgate_admin_denied_total`.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::NoTokenConfigured => "no_token_configured",
            Self::NoToken => "no_token",
            Self::WrongToken => "wrong_token",
            Self::ForeignHost => "foreign_host",
            Self::WebPage => "web_page",
        }
    }
}

/// Whether a request may be served.
pub(super) fn permit(
    need: Need,
    scope: Scope,
    token: Option<&Secret>,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<(), Denied> {
    if need == Need::Nothing {
        return Ok(());
    }
    let given = bearer(headers);
    if let (Some(token), Some(given)) = (token, &given) {
        // A wrong token is denied even where none is needed: whoever sends one wants to know.
        return if token.matches(given) { Ok(()) } else { Err(Denied::WrongToken) };
    }
    // A web page whose own name resolves to loopback (DNS rebinding) has the same origin as this
    // address. Its Host gives it away, and it cannot send the token.
    if scope == Scope::Loopback && !hosts(uri, headers).all(|host| host::is_local(host::name(host))) {
        return Err(Denied::ForeignHost);
    }
    // It cannot read the responses, but it could take all places of clients that follow events.
    if need == Need::Read && scope != Scope::Open && is_of_another_page(headers) {
        return Err(Denied::WebPage);
    }
    match (need, scope, token) {
        (Need::Nothing | Need::KnownHost, ..) | (Need::Read, Scope::Loopback | Scope::Unix, _) => Ok(()),
        (Need::Read | Need::Change, _, None) => Err(Denied::NoTokenConfigured),
        (Need::Read | Need::Change, _, Some(_)) => Err(Denied::NoToken),
    }
}

/// Whether a page of another origin made the browser send this. Following a link is different.
fn is_of_another_page(headers: &HeaderMap) -> bool {
    let says = |name, value: &str| headers.get_all(name).iter().any(|said| said == value);
    let elsewhere = says("sec-fetch-site", "cross-site") || says("sec-fetch-site", "same-site");
    elsewhere && !says("sec-fetch-mode", "navigate")
}

fn bearer(headers: &HeaderMap) -> Option<Secret> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| Secret::new(token.trim()))
}

/// Every name that the request has for this address. An unreadable one is empty, which matches
/// nothing.
fn hosts<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> impl Iterator<Item = &'a str> {
    let of_headers = headers.get_all(header::HOST).into_iter().map(|host| host.to_str().unwrap_or_default());
    uri.authority().map(http::uri::Authority::as_str).into_iter().chain(of_headers)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use http::{HeaderMap, HeaderValue, Uri, header};

    use super::{Denied, Need, Scope, permit};
    use crate::secret::Secret;
    use crate::server::Address;

    fn ask(
        need: Need,
        scope: Scope,
        token: Option<&str>,
        host: &str,
        given: Option<&str>,
    ) -> Result<(), Denied> {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_str(host).expect("a host"));
        if let Some(given) = given {
            headers.insert(header::AUTHORIZATION, HeaderValue::from_str(given).expect("a value"));
        }
        permit(need, scope, token.map(Secret::new).as_ref(), &Uri::from_static("/"), &headers)
    }

    const HERE: &str = "127.0.0.1:9090";

    #[test]
    fn readers_on_this_machine_need_no_token() {
        for token in [None, Some("t")] {
            assert_eq!(ask(Need::Read, Scope::Loopback, token, HERE, None), Ok(()));
            assert_eq!(ask(Need::Read, Scope::Unix, token, "anything", None), Ok(()));
        }
    }

    #[test]
    fn readers_from_elsewhere_need_the_token() {
        let ask = |token, given| ask(Need::Read, Scope::Open, token, "wxgate.internal", given);
        assert_eq!(ask(Some("t"), Some("Bearer t")), Ok(()));
        assert_eq!(ask(Some("t"), Some("bearer  t")), Ok(()));
        assert_eq!(ask(Some("t"), Some("Bearer u")), Err(Denied::WrongToken));
        assert_eq!(ask(Some("t"), Some("Basic t")), Err(Denied::NoToken));
        assert_eq!(ask(Some("t"), None), Err(Denied::NoToken));
        assert_eq!(ask(None, Some("Bearer t")), Err(Denied::NoTokenConfigured));
        assert_eq!(ask(None, Some("Bearer ")), Err(Denied::NoTokenConfigured));
    }

    #[test]
    fn changes_need_the_token_everywhere() {
        for scope in [Scope::Loopback, Scope::Unix, Scope::Open] {
            assert_eq!(ask(Need::Change, scope, None, HERE, None), Err(Denied::NoTokenConfigured));
            assert_eq!(ask(Need::Change, scope, Some("t"), HERE, None), Err(Denied::NoToken));
            assert_eq!(ask(Need::Change, scope, Some("t"), HERE, Some("Bearer t")), Ok(()));
        }
    }

    #[test]
    fn a_wrong_token_is_told_where_none_is_needed() {
        let denied = ask(Need::Read, Scope::Loopback, Some("t"), HERE, Some("Bearer u"));
        assert_eq!(denied, Err(Denied::WrongToken));
    }

    #[test]
    fn a_rebound_name_reaches_nothing_on_loopback() {
        let hosts = [
            "evil.example",
            "evil.example:9090",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "[::2]",
            "[::1]evil.example",
            "",
        ];
        for host in hosts {
            for need in [Need::KnownHost, Need::Read, Need::Change] {
                assert_eq!(ask(need, Scope::Loopback, None, host, None), Err(Denied::ForeignHost), "{host}");
            }
            assert_eq!(ask(Need::Nothing, Scope::Loopback, None, host, None), Ok(()));
            assert_eq!(ask(Need::Read, Scope::Loopback, Some("t"), host, Some("Bearer t")), Ok(()));
        }
    }

    #[test]
    fn a_page_of_another_origin_may_not_ask() {
        let ask = |need, site: &'static str, mode: &'static str, token: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static(HERE));
            headers.insert("sec-fetch-site", HeaderValue::from_static(site));
            headers.insert("sec-fetch-mode", HeaderValue::from_static(mode));
            headers.extend(token.map(|token| (header::AUTHORIZATION, HeaderValue::from_static(token))));
            permit(need, Scope::Loopback, Some(&Secret::new("t")), &Uri::from_static("/"), &headers)
        };
        for site in ["cross-site", "same-site"] {
            for mode in ["no-cors", "cors", "same-origin"] {
                assert_eq!(ask(Need::Read, site, mode, None), Err(Denied::WebPage), "{site} {mode}");
            }
            assert_eq!(ask(Need::Read, site, "navigate", None), Ok(()), "a link");
            assert_eq!(ask(Need::KnownHost, site, "no-cors", None), Ok(()));
            assert_eq!(ask(Need::Read, site, "cors", Some("Bearer t")), Ok(()));
        }
        for site in ["same-origin", "none"] {
            assert_eq!(ask(Need::Read, site, "cors", None), Ok(()), "{site}");
        }
    }

    #[test]
    fn this_machine_has_several_names() {
        for host in [
            "localhost",
            "LOCALHOST:9090",
            "127.0.0.1",
            "127.9.9.9:1",
            "[::1]",
            "[::1]:9090",
            "[::ffff:127.0.0.1]:1",
        ] {
            assert_eq!(ask(Need::Read, Scope::Loopback, None, host, None), Ok(()), "{host}");
        }
    }

    #[test]
    fn the_scope_follows_from_the_bound_address() {
        for (address, scope) in [
            ("127.0.0.1:9090", Scope::Loopback),
            ("[::1]:9090", Scope::Loopback),
            ("0.0.0.0:9090", Scope::Open),
            ("[::]:9090", Scope::Open),
            ("10.0.0.5:9090", Scope::Open),
        ] {
            assert_eq!(Scope::of(&Address::Tcp(address.into())), scope, "{address}");
        }
        assert_eq!(Scope::of(&Address::Unix(PathBuf::from("/run/admin"))), Scope::Unix);
    }
}
