//! Host names as in `Host` headers and URLs.

use std::net::IpAddr;

/// The name in a `Host` header or an authority, without port and brackets.
pub fn name(host: &str) -> &str {
    let bracketed = host.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    if let Some((name, port)) = bracketed
        && (port.is_empty() || port.starts_with(':'))
    {
        return name;
    }
    // By bytes: a host is short, and each request has one.
    let mut colons = host.bytes().enumerate().filter(|(_, byte)| *byte == b':').map(|(at, _)| at);
    match (colons.next(), colons.next()) {
        (Some(at), None) => host.get(..at).unwrap_or(host),
        _ => host,
    }
}

/// The address that a name is, if it is one.
pub fn address(name: &str) -> Option<IpAddr> {
    // Both kinds end with a digit of theirs, or a `:`, which hardly any name of a host does.
    let last = name.bytes().next_back()?;
    let may_be_one = last.is_ascii_hexdigit() || last == b':';
    if may_be_one { name.parse().ok() } else { None }
}

/// Whether a name is this machine's own: `localhost` or a loopback address.
pub fn is_local(name: &str) -> bool {
    name.eq_ignore_ascii_case("localhost")
        || address(name).is_some_and(|address| address.to_canonical().is_loopback())
}

/// Whether a name is that of one of WeChat's hosts that have an API.
pub fn is_wechats_api(name: &str) -> bool {
    // As callers nearly always spell it, which needs no copy.
    if name == "api.weixin.qq.com" {
        return true;
    }
    let name = name.to_ascii_lowercase();
    name.ends_with(".api.weixin.qq.com")
        || name
            .strip_suffix(".weixin.qq.com")
            .is_some_and(|host| matches!(host, "api" | "api2" | "qyapi" | "mp" | "open"))
}

#[cfg(test)]
mod tests {
    use super::{is_local, is_wechats_api, name};

    #[test]
    fn a_host_header_is_stripped_of_port_and_brackets() {
        for (host, expected) in [
            ("localhost", "localhost"),
            ("localhost:8080", "localhost"),
            ("127.0.0.1:80", "127.0.0.1"),
            ("[::1]:8080", "::1"),
            ("[::1]", "::1"),
            ("::1", "::1"),
            ("[::1]evil.example", "[::1]evil.example"),
            ("[::1", "[::1"),
        ] {
            assert_eq!(name(host), expected, "{host}");
        }
    }

    #[test]
    fn names_that_only_look_local_are_foreign() {
        assert!(is_local("127.0.0.1") && is_local("::1") && is_local("LOCALHOST"));
        assert!(!is_local("127.0.0.1.evil.example") && !is_local("localhost.evil.example"));
        for name in ["api", "api2", "QYAPI", "mp", "open", "file.api", "sh.api", "Sz.API"] {
            assert!(is_wechats_api(&format!("{name}.WEIXIN.qq.com")), "{name}");
        }
        for name in
            ["evil.weixin.qq.com", "weixin.qq.com", "evilapi.weixin.qq.com", "weixin.qq.com.evil.example"]
        {
            assert!(!is_wechats_api(name), "{name}");
        }
    }
}
