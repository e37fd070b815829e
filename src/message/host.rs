//! Host names as they stand in `Host` headers and URLs.

use std::net::IpAddr;

/// The name in a `Host` header or an authority, without port and brackets.
pub fn name(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    match host.rsplit_once(':') {
        Some((name, _)) if !name.contains(':') => name,
        _ => host,
    }
}

/// Whether a name is this machine's own: `localhost` or a loopback address.
pub fn is_local(name: &str) -> bool {
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

/// Whether a name is one of WeChat's hosts.
pub fn is_wechat(name: &str) -> bool {
    let suffix = ".weixin.qq.com";
    name.len()
        .checked_sub(suffix.len())
        .and_then(|start| name.get(start..))
        .is_some_and(|end| end.eq_ignore_ascii_case(suffix))
}

#[cfg(test)]
mod tests {
    use super::{is_local, is_wechat, name};

    #[test]
    fn a_host_header_is_stripped_of_port_and_brackets() {
        for (host, expected) in [
            ("localhost", "localhost"),
            ("localhost:8080", "localhost"),
            ("127.0.0.1:80", "127.0.0.1"),
            ("[::1]:8080", "::1"),
            ("[::1]", "::1"),
            ("::1", "::1"),
        ] {
            assert_eq!(name(host), expected, "{host}");
        }
    }

    #[test]
    fn names_that_only_look_local_are_foreign() {
        assert!(is_local("127.0.0.1") && is_local("::1") && is_local("LOCALHOST"));
        assert!(!is_local("127.0.0.1.evil.example") && !is_local("localhost.evil.example"));
        assert!(is_wechat("api.weixin.qq.com") && is_wechat("sh.api.WEIXIN.qq.com"));
        assert!(!is_wechat("weixin.qq.com.evil.example") && !is_wechat("evilweixin.qq.com"));
    }
}
