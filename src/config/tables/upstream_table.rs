//! `[upstream]` and `[app.upstream]`: where WeChat is.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::egress;
use crate::config::file;
use crate::config::reader::address::{host_and_port, host_port, is_loopback};
use crate::config::reader::problem::Report;
use crate::config::reader::secrets::{Secrets, file_name, unreadable};
use crate::config::reader::units::positive;
use crate::config::reader::values::{Field, Item, Strings, StringsByName};
use crate::secret::file::{self as regular, Links};
use crate::server::Address;
use crate::texts::{Words, text, words};
use crate::upstream::{Egress, Options, Origin};

/// `[upstream]`.
pub(in crate::config) fn options(
    raw: &file::Upstream,
    listeners: &[Address],
    secrets: &mut Secrets<'_>,
    report: &mut Report<'_>,
) -> Options {
    let defaults = Options {
        origins: vec![Origin { tls: true, host: "api.weixin.qq.com".to_owned(), port: 443 }],
        all_sites: false,
        connect_timeout: Duration::from_secs(3),
        response_timeout: Duration::from_secs(15),
        slow_response_timeout: Duration::from_secs(120),
        body_timeout: Duration::from_secs(30),
        pool_idle: Duration::from_secs(10),
        pool_age: Duration::from_secs(60),
        egress: None,
        ca_file: None,
        resolve: HashMap::new(),
    };
    let options = merged(raw, None, defaults, listeners, secrets, report);
    Options { all_sites: !options.origins.iter().all(Origin::is_wechats), ..options }
}

/// `[app.upstream]` and the app's `egress_proxy`: what they don't name is as in `[upstream]`. None
/// if there is neither.
pub(super) fn of_app(
    raw: &file::App,
    global: &Options,
    listeners: &[Address],
    secrets: &mut Secrets<'_>,
    report: &mut Report<'_>,
) -> Option<Options> {
    let egress_proxy = raw.egress_proxy.item();
    let empty = file::Upstream::default();
    let table = match raw.upstream.item() {
        Some(table) => &table.value,
        None => {
            egress_proxy?;
            &empty
        }
    };
    let options = merged(table, egress_proxy, global.clone(), listeners, secrets, report);
    // A host of its own is for all calls of the app.
    let all_sites = table.base_urls.item().is_some() || global.all_sites;
    Some(Options { all_sites, ..options })
}

/// Warns of requests that a stop aborts although WeChat would have time left. The default for slow
/// endpoints is longer than a stop should take: only an explicit timeout counts.
pub(in crate::config) fn warn_of_cuts(
    raw: &file::Upstream,
    apps: &[Item<file::App>],
    drain: (&Field<Duration>, Duration),
    response_timeout: Duration,
    report: &mut Report<'_>,
) {
    let (written, drain) = drain;
    if let Some(item) = written.item()
        && raw.response_timeout.item().is_none()
        && drain < response_timeout
    {
        let response = humantime::format_duration(response_timeout);
        report.warn(
            &item.place,
            text!(
                "is shorter than upstream.response_timeout ({timeout}): a stop aborts requests that WeChat is working on",
                timeout = response
            ),
        );
    }
    let of_apps = apps.iter().filter_map(|app| app.value.upstream.item()).map(|item| &item.value);
    let tables = std::iter::once(raw).chain(of_apps);
    let timeouts = tables.flat_map(|table| [&table.response_timeout, &table.slow_response_timeout]);
    for item in timeouts.filter_map(Field::item).filter(|item| drain < item.value) {
        let drain = humantime::format_duration(drain);
        report.warn(
            &item.place,
            text!(
                "is longer than server.drain_timeout ({timeout}): a stop aborts requests that WeChat is working on",
                timeout = drain
            ),
        );
    }
}

/// What `raw` sets, and `inherited` for the rest. `egress_proxy` may be given outside of the table.
fn merged(
    raw: &file::Upstream,
    egress_proxy: Option<&Item<String>>,
    inherited: Options,
    listeners: &[Address],
    secrets: &mut Secrets<'_>,
    report: &mut Report<'_>,
) -> Options {
    let origins = match origins(&raw.base_urls, listeners, report) {
        Some(origins) => {
            warn_of_clear(raw, &origins, report);
            origins
        }
        None => inherited.origins,
    };
    let (egress, named) = egress::option(raw, egress_proxy, inherited.egress, secrets, report);
    if let Some((egress, place)) = egress.as_ref().zip(named)
        && listeners.iter().any(|listener| is_own(&egress.host, egress.port, listener))
    {
        report.error(place, text!("is an address of server.listen, expected a proxy that leads to WeChat"));
    }
    let resolve = match raw.resolve.item() {
        Some(item) => resolve(&item.value, &origins, egress.as_ref(), report),
        None => inherited.resolve,
    };
    let response_timeout = positive(&raw.response_timeout, inherited.response_timeout, report);
    // A longer timeout for every endpoint also holds for the slow ones.
    let patient = inherited.slow_response_timeout.max(response_timeout);
    Options {
        origins,
        all_sites: inherited.all_sites,
        connect_timeout: positive(&raw.connect_timeout, inherited.connect_timeout, report),
        response_timeout,
        slow_response_timeout: positive(&raw.slow_response_timeout, patient, report),
        body_timeout: positive(&raw.body_timeout, inherited.body_timeout, report),
        pool_idle: raw.pool_idle.or(inherited.pool_idle),
        pool_age: positive(&raw.pool_age, inherited.pool_age, report),
        egress,
        ca_file: raw.ca_file.item().map(|item| ca_file(item, secrets, report)).or(inherited.ca_file),
        resolve,
    }
}

/// The base URLs; none if there are none, or no good ones.
fn origins(
    base_urls: &Field<Strings>,
    listeners: &[Address],
    report: &mut Report<'_>,
) -> Option<Vec<Origin>> {
    let list = base_urls.item()?;
    if list.value.0.is_empty() {
        report.error(&list.place, text!("is empty, expected [\"https://api.weixin.qq.com\"]"));
    }
    let mut origins = Vec::new();
    for url in &list.value.0 {
        match parse_origin(&url.value) {
            Ok(origin) => {
                if listeners.iter().any(|listener| is_own(&origin.host, origin.port, listener)) {
                    report.error(
                        &url.place,
                        text!("is an address of server.listen, so that requests would loop, expected WeChat's address"),
                    );
                }
                if origins.contains(&origin) {
                    report.error(
                        &url.place,
                        text!("is given twice, expected another host, to be used if the first fails"),
                    );
                }
                origins.push(origin);
            }
            Err(text) => report.error(&url.place, text),
        }
    }
    // What else is said about hosts would only confuse while one of them is wrong.
    (!origins.is_empty() && origins.len() == list.value.0.len()).then_some(origins)
}

/// Warns of hosts on other machines without TLS. A sidecar that adds TLS is on this machine,
/// whatever its name.
fn warn_of_clear(raw: &file::Upstream, origins: &[Origin], report: &mut Report<'_>) {
    let here = |origin: &Origin| {
        let resolved = raw.resolve.item().and_then(|item| item.value.of(&origin.host));
        let is_here = |address: &Item<String>| is_loopback(&address.value);
        resolved.map_or_else(|| is_loopback(&origin.host), |all| all.iter().all(is_here))
    };
    let urls = raw.base_urls.item().map_or(&[][..], |list| &list.value.0);
    for (_, url) in origins.iter().zip(urls).filter(|(origin, _)| !origin.tls && !here(origin)) {
        report.warn(
            &url.place,
            text!(
                "is on another machine and without TLS, so that secrets and tokens cross the network in clear, expected \
                 https://"
            ),
        );
    }
}

/// Reads `scheme://host[:port]`. The URL isn't repeated in errors: it may hold credentials.
fn parse_origin(url: &str) -> Result<Origin, Words> {
    let no_url = || words!("is not a base URL, expected one like \"https://api.weixin.qq.com\"");
    let (scheme, rest) = url.split_once("://").ok_or_else(no_url)?;
    let tls = match scheme {
        "https" => true,
        "http" => false,
        _ => return Err(words!("has another scheme than https and http, expected \"https://HOST\"")),
    };
    if rest.contains('@') {
        return Err(words!(
            "has a user name or password, which WeChat does not use, expected \"https://HOST\""
        ));
    }
    if rest.contains(['?', '#']) {
        return Err(words!("has a query, but requests have their own, expected \"https://HOST\""));
    }
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains('/') {
        return Err(words!("has a path, but requests have their own, expected \"https://HOST\""));
    }
    let (host, port) = host_port(authority).ok_or_else(no_url)?;
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
            _ => return Err(words!("has a malformed port, expected \"https://HOST:PORT\"")),
        },
    };
    let host = host.to_ascii_lowercase();
    let origin = Origin { tls, host, port };
    if !tls && origin.is_wechats() {
        return Err(words!(
            "is WeChat without TLS, so that credentials would cross the network in clear, write https://"
        ));
    }
    Ok(origin)
}

fn is_own(own_host: &str, own_port: u16, listener: &Address) -> bool {
    let Address::Tcp(listener) = listener else { return false };
    let (host, port) = host_and_port(listener);
    let everywhere = host.parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified());
    let same = host == own_host || (is_loopback(own_host) && (everywhere || is_loopback(host)));
    port == own_port && same
}

pub(super) fn ca_file(item: &Item<String>, secrets: &Secrets<'_>, report: &mut Report<'_>) -> PathBuf {
    let path = secrets.path(item);
    match regular::read(&path, regular::LONGEST, Links::Followed) {
        Err(_) if secrets.stays(&item.place) => {}
        Err(error) => report.error(&item.place, unreadable(&file_name(&item.value), &error)),
        Ok(pem) => {
            let certificates: Vec<_> = CertificateDer::pem_slice_iter(&pem).collect();
            if certificates.is_empty() || certificates.iter().any(Result::is_err) {
                report.error(&item.place, text!("the file holds no certificates in PEM, or broken ones"));
            }
        }
    }
    path
}

fn resolve(
    raw: &StringsByName,
    origins: &[Origin],
    egress: Option<&Egress>,
    report: &mut Report<'_>,
) -> HashMap<String, Vec<IpAddr>> {
    let mut resolve = HashMap::new();
    for (name, addresses) in &raw.0 {
        let host = name.value.to_ascii_lowercase();
        let own = matches!(host.as_str(), "mp.weixin.qq.com" | "qyapi.weixin.qq.com");
        let known = origins.iter().map(|origin| &origin.host).chain(egress.map(|egress| &egress.host));
        if !own && !known.clone().any(|known| *known == host) {
            let known: Vec<_> = known.map(String::as_str).collect();
            report.warn(
                &name.place,
                text!("has no effect, expected one of: {hosts}", hosts = known.join(", ")),
            );
        }
        if addresses.0.is_empty() {
            report.error(&name.place, text!("has no address, expected [\"203.0.113.7\"]"));
        }
        let mut ips = Vec::new();
        for address in &addresses.0 {
            match address.value.parse::<IpAddr>() {
                Ok(ip) => ips.push(ip),
                Err(_) => report
                    .error(&address.place, text!("is not an IP address, expected one like \"203.0.113.7\"")),
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
