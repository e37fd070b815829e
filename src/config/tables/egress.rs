//! `egress_proxy` and `egress_password`: the way out to WeChat.

use std::sync::Arc;

use crate::config::file;
use crate::config::reader::address::host_port;
use crate::config::reader::problem::{Place, Report};
use crate::config::reader::secrets::Secrets;
use crate::config::reader::values::Item;
use crate::secret::{Secret, userinfo};
use crate::texts::{Words, text, words};
use crate::upstream::{Egress, Protocol};

/// Longest user name and password that SOCKS 5 has room for (RFC 1929).
const LONGEST: usize = 255;

/// The proxy that a table names, and where; `inherited` where it names none. `beside` is the key of
/// the `[[app]]` itself, outside of the table.
pub(super) fn option<'a>(
    raw: &'a file::Upstream,
    beside: Option<&'a Item<String>>,
    inherited: Option<Egress>,
    secrets: &mut Secrets<'_>,
    report: &mut Report<'_>,
) -> (Option<Egress>, Option<&'a Place>) {
    let within = raw.egress_proxy.item();
    if let Some((within, _)) = within.zip(beside) {
        report.error(
            &within.place,
            text!("is given twice, in [[app]] and in [app.upstream], expected one of them"),
        );
    }
    let password = raw.egress_password.item();
    let Some(url) = within.or(beside) else {
        if let Some(password) = password {
            report.error(&password.place, text!("requires egress_proxy, expected \"http://USER@HOST:PORT\""));
        }
        return (inherited, None);
    };
    if url.value == "direct" {
        if let Some(password) = password {
            report.error(&password.place, text!("is for a proxy, but egress_proxy is \"direct\""));
        }
        return (None, None);
    }
    let mut egress = match parse(&url.value) {
        Ok(egress) => egress,
        Err(text) => {
            report.error(&url.place, text);
            return (None, None);
        }
    };
    if egress.credentials.as_ref().is_some_and(|(_, password)| !password.expose().is_empty()) {
        report.warn(
            &url.place,
            text!(
                "holds a password in clear, move it to egress_password = {{ env = \"NAME\" }} in the upstream's table"
            ),
        );
    }
    if let Some(password) = password
        && let Some(secret) = secrets.resolve(password, report)
    {
        match egress.credentials {
            Some((user, _)) => egress.credentials = Some((user, secret)),
            None => report.error(
                &password.place,
                text!("requires a user name in egress_proxy, expected one like \"http://USER@HOST:PORT\""),
            ),
        }
    }
    if let Some((user, password)) = &egress.credentials
        && (user.len() > LONGEST || password.expose().len() > LONGEST)
    {
        report.error(
            &url.place,
            text!("has a user name or password longer than {limit} bytes", limit = LONGEST),
        );
    }
    (Some(egress), Some(&url.place))
}

/// Reads `scheme://[user[:password]@]host:port`. The URL isn't repeated in errors: it may hold a
/// password.
fn parse(url: &str) -> Result<Egress, Words> {
    let no_proxy = || {
        words!(
            "is not a proxy, expected one like \"http://10.0.0.5:3128\", \"socks5://10.0.0.5:1080\" or \"direct\""
        )
    };
    let (scheme, rest) = url.split_once("://").ok_or_else(no_proxy)?;
    let protocol = match scheme {
        "http" => Protocol::Http,
        // Names are left to the proxy in any case.
        "socks5" | "socks5h" => Protocol::Socks5,
        "https" => {
            return Err(words!("is a proxy over TLS, which is not supported, expected http:// or socks5://"));
        }
        _ => {
            return Err(words!(
                "has another scheme than http and socks5, expected one like \"http://10.0.0.5:3128\""
            ));
        }
    };
    let (user, authority) = match rest.rsplit_once('@') {
        Some((user, authority)) => (Some(user), authority),
        None => (None, rest),
    };
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    let (host, port) = host_port(authority).ok_or_else(no_proxy)?;
    let port = match port.map(str::parse::<u16>) {
        Some(Ok(port)) if port > 0 => port,
        Some(_) => return Err(words!("has a malformed port, expected one like \"http://10.0.0.5:3128\"")),
        None => return Err(words!("has no port, expected one like \"http://10.0.0.5:3128\"")),
    };
    let credentials = match user.map(userinfo) {
        None => None,
        Some((Some(user), password)) => Some((user, Arc::new(password.unwrap_or_else(|| Secret::new(""))))),
        Some((None, _)) => {
            return Err(words!("has no user name, expected one like \"http://USER@HOST:PORT\""));
        }
    };
    if protocol == Protocol::Http && credentials.as_ref().is_some_and(|(user, _)| user.contains(':')) {
        return Err(words!("has a user name with a colon, which Basic authentication does not allow"));
    }
    Ok(Egress { protocol, host: host.to_ascii_lowercase(), port, credentials })
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_proxy_is_scheme_host_and_port_and_prints_without_credentials() {
        for (url, shown) in [
            ("http://10.0.0.5:3128", "http://10.0.0.5:3128"),
            ("socks5://u:p@PROXY.internal:1080/", "socks5://proxy.internal:1080"),
            ("socks5h://u@[::1]:1080", "socks5://[::1]:1080"),
        ] {
            let egress = parse(url).unwrap();
            assert_eq!(egress.to_string(), shown);
            assert_eq!(format!("{egress:?}"), format!("Egress({shown})"));
        }
        let (user, password) = parse("http://a%40b:p%3A%2B+@h:1").unwrap().credentials.unwrap();
        assert_eq!((user.as_str(), password.expose()), ("a@b", "p:++"));
        for wrong in [
            "",
            "10.0.0.5:3128",
            "ftp://h:1",
            "https://h:1",
            "http://h",
            "http://h:0",
            "http://h:x",
            "http://h:1/p",
            "http://:p@h:1",
            "http://a%3Ab:p@h:1",
            "http://@h:1",
            "socks5://[::1:1080",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
