//! Listening addresses.

use std::net::{IpAddr, Ipv6Addr};

use crate::server::Address;
use crate::texts::{Words, words};

/// Longest path that fits into a unix socket address, without its final NUL (`sun_path` has 108
/// bytes on Linux).
const LONGEST_SOCKET_PATH: usize = 107;

/// Reads `host:port` or `unix:/path`; the error says what is wrong and what would be right.
pub fn parse_address(text: &str) -> Result<Address, Words> {
    if let Some(path) = text.strip_prefix("unix:") {
        if !path.starts_with('/') {
            return Err(words!("is not an absolute path, write \"unix:/path/to/socket\""));
        }
        if path.len() > LONGEST_SOCKET_PATH {
            return Err(words!(
                "is too long: the path of a socket has at most {limit} bytes",
                limit = LONGEST_SOCKET_PATH
            ));
        }
        return Ok(Address::Unix(path.into()));
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return Err(words!("has no port, expected \"HOST:PORT\" or \"unix:/path\""));
    };
    if host.is_empty() || host == "*" {
        return Err(words!(
            "has no host, write \"127.0.0.1:{port}\" for this machine alone or \"0.0.0.0:{port}\" for all addresses",
            port
        ));
    }
    if port.parse::<u16>().is_err() || !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(words!("has no port from 0 to 65535 after the last colon, expected \"HOST:PORT\""));
    }
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match bracketed {
        Some(address) if address.parse::<Ipv6Addr>().is_ok() => {}
        None if is_host_name(host) => {}
        None if host.contains("://") => {
            return Err(words!("is a URL, expected \"HOST:PORT\" or \"unix:/path\""));
        }
        None if host.contains(':') => {
            return Err(words!("is an IPv6 address without brackets, expected \"[::1]:PORT\""));
        }
        _ => return Err(words!("has a malformed host, expected \"HOST:PORT\" or \"unix:/path\"")),
    }
    Ok(Address::Tcp(text.to_ascii_lowercase()))
}

/// Whether only this machine can reach an address; a name other than `localhost` isn't looked up
/// and counts as remote.
pub fn is_local(address: &Address) -> bool {
    match address {
        Address::Unix(_) => true,
        Address::Tcp(text) => is_loopback(host_and_port(text).0),
    }
}

/// Whether a host without brackets is this machine.
pub(in crate::config) fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// Splits a checked `host:port`; an IPv6 host without its brackets.
pub(in crate::config) fn host_and_port(text: &str) -> (&str, u16) {
    let (host, port) = text.rsplit_once(':').unwrap_or((text, "0"));
    (host.trim_start_matches('[').trim_end_matches(']'), port.parse().unwrap_or(0))
}

/// Splits `host[:port]`; an IPv6 host without its brackets. None if the host is malformed.
pub(in crate::config) fn host_port(authority: &str) -> Option<(&str, Option<&str>)> {
    if let Some((host, port)) = authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        let good = host.parse::<Ipv6Addr>().is_ok() && (port.is_empty() || port.starts_with(':'));
        return good.then_some((host, port.strip_prefix(':')));
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    is_host_name(host).then_some((host, port))
}

/// Reads a name or address as in a `Host` header, without its port; the error says what is wrong.
pub(in crate::config) fn read_host(text: &str) -> Result<String, Words> {
    let host = text.trim_end_matches('.').to_ascii_lowercase();
    if host.contains(':') && host.parse::<Ipv6Addr>().is_err() {
        return Err(words!("has a port or a scheme, expected the host name alone"));
    }
    if !is_host_name(&host) && host.parse::<IpAddr>().is_err() {
        return Err(words!("is not a host name, expected one like \"shop.wechat.internal\""));
    }
    Ok(host)
}

/// A DNS name or an IPv4 address.
pub(in crate::config) fn is_host_name(text: &str) -> bool {
    text.len() <= 253
        && text.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_tcp_or_unix() {
        assert_eq!(parse_address("127.0.0.1:0"), Ok(Address::Tcp("127.0.0.1:0".into())));
        assert_eq!(parse_address("[::1]:8080"), Ok(Address::Tcp("[::1]:8080".into())));
        assert_eq!(parse_address("unix:/run/w.sock"), Ok(Address::Unix("/run/w.sock".into())));
        for wrong in [
            "",
            "8080",
            ":8080",
            "*:80",
            "::1:80",
            "[::1]",
            "h:",
            "h:65536",
            "h:+1",
            "http://h:80",
            "unix:w.sock",
        ] {
            assert!(parse_address(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_loopback_and_unix_are_local() {
        for (address, local) in [
            ("127.0.0.1:1", true),
            ("127.8.8.8:1", true),
            ("[::1]:1", true),
            ("[::ffff:127.0.0.1]:1", true),
            ("localhost:1", true),
            ("unix:/s", true),
            ("0.0.0.0:1", false),
            ("[::]:1", false),
            ("10.0.0.1:1", false),
            ("wxgate.internal:1", false),
        ] {
            assert_eq!(is_local(&parse_address(address).unwrap()), local, "{address}");
        }
    }
}
