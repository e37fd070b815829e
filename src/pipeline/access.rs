//! Step 2: may this caller do this.
//!
//! Callers known by a client certificate have their place here too; limits are in `limit`.

use http::header::{HeaderName, ORIGIN};
use http::{HeaderMap, Method};

use super::directory::{Caller, Directory, host_name};
use super::error::Error;
use super::route::Target;
use crate::server::Peer;
use crate::wechat::catalogue::{self, CredentialClass};
use crate::wechat::pattern::Pattern;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses what the caller may not do.
pub(super) fn permit(caller: Option<&Caller>, method: &Method, target: &Target<'_>) -> Result<(), Error> {
    if target.endpoint.class == CredentialClass::IssuesCredential {
        return Err(Error::EndpointForbidden(
            "this endpoint issues credentials, which only wxgate fetches; /cgi-bin/token and \
             /cgi-bin/stable_token are answered with a placeholder"
                .into(),
        ));
    }
    let normal = catalogue::normalise(target.path);
    if target.endpoint.guarded && !caller.is_some_and(|caller| names_exactly(&caller.allow, method, &normal))
    {
        return Err(Error::EndpointForbidden(
            "this endpoint can harm the account: it is open to callers whose `allow` names it exactly".into(),
        ));
    }
    match caller {
        Some(caller) if !caller.allow.iter().any(|rule| rule.matches(method, &normal)) => {
            Err(Error::CallerForbidden(
                format!("caller {} may not call this path with this method", caller.name).into(),
            ))
        }
        _ => Ok(()),
    }
}

fn names_exactly(allow: &[Pattern], method: &Method, path: &str) -> bool {
    allow.iter().any(|rule| rule.path == path && rule.matches(method, path))
}

/// Where anybody is let in without a key, a web page in the browser of somebody who can reach us would be too. A browser
/// gives itself away by `Origin` and `Sec-Fetch-Site`; on loopback, a foreign `Host` is a name that was rebound to us.
pub(super) fn refuse_web_page(
    directory: &Directory,
    headers: &HeaderMap,
    target: &Target<'_>,
    peer: Peer,
) -> Result<(), Error> {
    if headers.contains_key(ORIGIN) {
        return Err(Error::CallerForbidden("web pages may not call: the request has an Origin".into()));
    }
    if headers.get(SEC_FETCH_SITE).is_some_and(|site| site != "none") {
        return Err(Error::CallerForbidden("web pages may not call: Sec-Fetch-Site is not `none`".into()));
    }
    if let Peer::Tcp(address) = peer
        && address.ip().to_canonical().is_loopback()
        && let Some(host) = target.host
    {
        let host = host_name(host);
        if !is_local_name(host) && !is_wechat_name(host) && !directory.claims_host(&host.to_ascii_lowercase())
        {
            return Err(Error::CallerForbidden(
                "this Host is neither a loopback address, localhost, one of an app's `hosts` nor a weixin.qq.com name"
                    .into(),
            ));
        }
    }
    Ok(())
}

pub(super) fn is_local_name(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

fn is_wechat_name(host: &str) -> bool {
    let suffix = ".weixin.qq.com";
    host.len()
        .checked_sub(suffix.len())
        .and_then(|start| host.get(start..))
        .is_some_and(|end| end.eq_ignore_ascii_case(suffix))
}

#[cfg(test)]
mod tests {
    use super::{is_local_name, is_wechat_name};

    #[test]
    fn names_that_only_look_local_are_foreign() {
        assert!(is_local_name("127.0.0.1") && is_local_name("::1") && is_local_name("LOCALHOST"));
        assert!(!is_local_name("127.0.0.1.evil.example") && !is_local_name("localhost.evil.example"));
        assert!(is_wechat_name("api.weixin.qq.com") && is_wechat_name("sh.api.WEIXIN.qq.com"));
        assert!(!is_wechat_name("weixin.qq.com.evil.example") && !is_wechat_name("evilweixin.qq.com"));
    }
}
