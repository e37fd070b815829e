//! `[upstream]`: where WeChat is.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::address::{host_and_port, is_host_name, is_loopback};
use super::file;
use super::problem::Report;
use super::reader::{Field, Item, Strings, StringsByName};
use super::secrets::{Secrets, unreadable};
use super::units::positive;
use crate::server::Address;
use crate::upstream::{Options, Origin};

pub(super) fn options(
    raw: file::Upstream,
    listeners: &[Address],
    secrets: &Secrets<'_>,
    report: &mut Report<'_>,
) -> Options {
    let origin = origin(raw.base_urls, listeners, report);
    Options {
        connect_timeout: positive(&raw.connect_timeout, Duration::from_secs(3), report),
        response_timeout: positive(&raw.response_timeout, Duration::from_secs(15), report),
        body_timeout: positive(&raw.body_timeout, Duration::from_secs(30), report),
        pool_idle: raw.pool_idle.or(Duration::from_secs(10)),
        ca_file: raw.ca_file.item().map(|item| ca_file(item, secrets, report)),
        resolve: resolve(raw.resolve.or_default(), &origin, report),
        origin,
    }
}

fn origin(base_urls: Field<Strings>, listeners: &[Address], report: &mut Report<'_>) -> Origin {
    let wechat = Origin { tls: true, host: "api.weixin.qq.com".to_owned(), port: 443 };
    let Some(list) = base_urls.item() else { return wechat };
    let [url, further @ ..] = list.value.0.as_slice() else {
        report.error(&list.place, "is empty, expected [\"https://api.weixin.qq.com\"]");
        return wechat;
    };
    if let Some(second) = further.first() {
        report.error(&second.place, "is a second base URL, but failover is not built yet: keep one");
    }
    match parse_origin(&url.value) {
        Ok(origin) => {
            if listeners.iter().any(|listener| is_own(&origin, listener)) {
                report.error(
                    &url.place,
                    "is an address of server.listen, so that requests would go round in a loop, \
                     expected WeChat's address",
                );
            }
            origin
        }
        Err(text) => {
            report.error(&url.place, text);
            wechat
        }
    }
}

/// Reads `scheme://host[:port]`. The URL isn't repeated in errors: it may hold credentials.
fn parse_origin(url: &str) -> Result<Origin, &'static str> {
    const EXAMPLE: &str = "is no base URL, expected one like \"https://api.weixin.qq.com\"";
    let (scheme, rest) = url.split_once("://").ok_or(EXAMPLE)?;
    let tls = match scheme {
        "https" => true,
        "http" => false,
        _ => return Err("has another scheme than https and http, expected \"https://HOST\""),
    };
    if rest.contains('@') {
        return Err("holds a user name or password, which WeChat takes none of, expected \"https://HOST\"");
    }
    if rest.contains(['?', '#']) {
        return Err("has a query, but requests bring their own, expected \"https://HOST\"");
    }
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains('/') {
        return Err("has a path, but requests bring their own, expected \"https://HOST\"");
    }
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) if host.parse::<std::net::Ipv6Addr>().is_ok() => (host, port.strip_prefix(':')),
        Some(_) => return Err(EXAMPLE),
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    if !is_host_name(host) && !host.contains(':') {
        return Err(EXAMPLE);
    }
    let port = match port {
        None => {
            if tls {
                443
            } else {
                80
            }
        }
        Some(port) => match port.parse::<u16>() {
            Ok(port) if port > 0 => port,
            _ => return Err("has a malformed port, expected \"https://HOST:PORT\""),
        },
    };
    let host = host.to_ascii_lowercase();
    if !tls && (host == "weixin.qq.com" || host.ends_with(".weixin.qq.com")) {
        return Err("is WeChat without TLS, where credentials would travel in clear, write https://");
    }
    Ok(Origin { tls, host, port })
}

fn is_own(origin: &Origin, listener: &Address) -> bool {
    let Address::Tcp(listener) = listener else { return false };
    let (host, port) = host_and_port(listener);
    let everywhere = host.parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified());
    let same = host == origin.host || (is_loopback(&origin.host) && (everywhere || is_loopback(host)));
    port == origin.port && same
}

pub(super) fn ca_file(item: &Item<String>, secrets: &Secrets<'_>, report: &mut Report<'_>) -> PathBuf {
    let path = secrets.path(&item.value);
    match std::fs::read(&path) {
        Err(error) => report.error(&item.place, format!("the file {} {}", item.value, unreadable(&error))),
        Ok(pem) => {
            let certificates: Vec<_> = CertificateDer::pem_slice_iter(&pem).collect();
            if certificates.is_empty() || certificates.iter().any(Result::is_err) {
                report.error(&item.place, "the file holds no certificates in PEM form, or broken ones");
            }
        }
    }
    path
}

fn resolve(raw: StringsByName, origin: &Origin, report: &mut Report<'_>) -> HashMap<String, Vec<IpAddr>> {
    let mut resolve = HashMap::new();
    for (name, addresses) in raw.0 {
        let host = name.value.to_ascii_lowercase();
        if host != origin.host {
            report.warn(&name.place, format!("has no effect, the host of base_urls is {}", origin.host));
        }
        if addresses.0.is_empty() {
            report.error(&name.place, "names no address, expected [\"203.0.113.7\"]");
        }
        let mut ips = Vec::new();
        for address in addresses.0 {
            match address.value.parse::<IpAddr>() {
                Ok(ip) => ips.push(ip),
                Err(_) => report.error(&address.place, "is no IP address, expected one like \"203.0.113.7\""),
            }
        }
        resolve.insert(host, ips);
    }
    resolve
}

#[cfg(test)]
mod tests {
    use super::parse_origin;

    #[test]
    fn a_base_url_is_scheme_host_and_port() {
        for (url, expected) in [
            ("https://api.weixin.qq.com", "https://api.weixin.qq.com"),
            ("https://API.weixin.qq.com/", "https://api.weixin.qq.com"),
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
            ("http://[::1]:9000", "http://[::1]:9000"),
            ("https://h:443", "https://h"),
        ] {
            assert_eq!(parse_origin(url).unwrap().url(), expected);
        }
        for wrong in [
            "",
            "api.weixin.qq.com",
            "ftp://h",
            "https://",
            "https://u:p@h",
            "https://h/p",
            "https://h?q",
            "https://h//",
            "https://h:0",
            "https://h:x",
            "https://[::1",
            "https://[h]",
            "http://api.weixin.qq.com",
            "http://sh.api.WEIXIN.qq.com:80",
        ] {
            assert!(parse_origin(wrong).is_err(), "{wrong}");
        }
    }
}
