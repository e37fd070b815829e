//! Whom a request comes from, where proxies that are trusted stand between.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use http::HeaderMap;
use http::header::HeaderName;
use ipnet::IpNet;

use super::Peer;
use crate::observe::remote::Remote;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Networks whose `X-Forwarded-For` is believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Arc<[IpNet]>);

impl FromIterator<IpNet> for TrustedProxies {
    fn from_iter<I: IntoIterator<Item = IpNet>>(networks: I) -> Self {
        Self(networks.into_iter().collect())
    }
}

impl TrustedProxies {
    /// Whether this address, in its canonical form, is a trusted proxy's.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Whom a request of `peer` with these headers comes from: the last address in them that is no
    /// trusted proxy's. What stands before that, or before what is no address, anybody may have
    /// written.
    pub fn remote(&self, peer: Peer, headers: &HeaderMap) -> Remote {
        let Remote::Address(mut address) = peer.remote() else { return peer.remote() };
        if !self.contains(address) {
            return Remote::Address(address);
        }
        let values = headers.get_all(FORWARDED_FOR).into_iter().rev();
        let members = values.flat_map(|value| value.to_str().unwrap_or("?").rsplit(','));
        for member in members.map(str::trim).filter(|member| !member.is_empty()) {
            let Some(said) = read(member) else { break };
            address = said;
            if !self.contains(address) {
                break;
            }
        }
        Remote::Address(address)
    }
}

/// Whom an address counts for where something is limited: itself, or of IPv6 its network of 64
/// bits, since who has one address of that has all.
pub(super) fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
    }
}

/// An address, with a port where the proxy is one that adds it.
fn read(member: &str) -> Option<IpAddr> {
    let bare = || member.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || member.parse::<SocketAddr>().ok().map(|address| address.ip());
    member.parse().ok().or_else(with_port).or_else(bare).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::{Peer, TrustedProxies};

    fn remote(peer: &str, headers: &[&str]) -> String {
        let networks = ["10.0.0.0/8", "2001:db8::/32", "192.0.2.7/32"];
        let trusted: TrustedProxies = networks.iter().map(|text| text.parse().expect("a network")).collect();
        let mut map = HeaderMap::new();
        for value in headers {
            map.append("x-forwarded-for", HeaderValue::from_bytes(value.as_bytes()).expect("a value"));
        }
        trusted.remote(Peer::Tcp(peer.parse().expect("an address")), &map).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        assert_eq!(remote("198.51.100.9:5", &["203.0.113.1"]), "198.51.100.9");
        assert_eq!(remote("192.0.2.8:5", &["203.0.113.1"]), "192.0.2.8");
        assert_eq!(remote("192.0.2.7:5", &["203.0.113.1"]), "203.0.113.1");
        assert_eq!(remote("10.1.2.3:5", &[]), "10.1.2.3");
        assert_eq!(remote("[::ffff:10.1.2.3]:5", &["203.0.113.1"]), "203.0.113.1");
        assert_eq!(remote("[2001:db8::1]:5", &["2001:db9::1"]), "2001:db9::1");
    }

    #[test]
    fn the_last_address_that_is_no_proxys_counts() {
        for (headers, expected) in [
            (&["1.1.1.1, 203.0.113.1, 10.9.9.9"][..], "203.0.113.1"),
            (&["1.1.1.1", "203.0.113.1 ,10.9.9.9", "10.8.8.8"], "203.0.113.1"),
            (&["203.0.113.1, "], "203.0.113.1"),
            (&["10.7.7.7, 10.8.8.8"], "10.7.7.7"),
            (&["203.0.113.1:4711"], "203.0.113.1"),
            (&["[2001:db9::1]:4711, [2001:db8::2]"], "2001:db9::1"),
            (&["::ffff:203.0.113.1"], "203.0.113.1"),
        ] {
            assert_eq!(remote("10.1.2.3:5", headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn what_is_no_address_ends_the_way_back() {
        for (headers, expected) in [
            (&["203.0.113.1, unknown, 10.9.9.9"][..], "10.9.9.9"),
            (&["203.0.113.1, unknown"], "10.1.2.3"),
            (&["203.0.113.1", "\u{e9}", "10.8.8.8"], "10.8.8.8"),
            (&["203.0.113.1, 10.9.9.9 x"], "10.1.2.3"),
        ] {
            assert_eq!(remote("10.1.2.3:5", headers), expected, "{headers:?}");
        }
    }
}
