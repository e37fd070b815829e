//! Web pages. Where callers without a key are admitted, a web page in the browser of a user who can
//! reach wxgate is admitted too: it sends what it likes, and under a name that was made to resolve
//! to our address (DNS rebinding) it reads the responses.

use http::request::Parts;
use http::{HeaderMap, HeaderValue};

use super::target::RequestTarget;
use crate::message::host;
use crate::pipeline::directory::Directory;
use crate::pipeline::error::{Error, quoted};
use crate::server::Peer;
use crate::texts::{marked, translated, words};

/// Refuses what a browser sent.
pub(crate) fn refuse(
    directory: &Directory,
    parts: &Parts,
    target: &RequestTarget<'_>,
    peer: Peer,
) -> Result<(), Error> {
    if let Some(sign) = sign(&parts.headers, target.host) {
        let command = command(parts, target.host);
        return Err(Error::CallerForbidden(words!(
            "web pages may not call without an API key, and the request has {sign}; use: {command}",
            sign = translated(sign),
            command
        )));
    }
    match target.host {
        Some(host) if !is_known(directory, host, peer) => Err(Error::CallerForbidden(words!(
            "the Host {host} may belong to a web page (DNS rebinding): list it in server.hosts, send an \
                 API key, or use a unix socket",
            host = quoted(host)
        ))),
        _ => Ok(()),
    }
}

/// What of the headers only a browser writes; each of several lines of one name counts.
fn sign(headers: &HeaderMap, host: Option<&str>) -> Option<&'static str> {
    let (mut is_browser, mut has_language, mut has_mode, mut takes_any) = (false, false, false, true);
    for (name, value) in headers {
        match name.as_str() {
            "origin" => return Some(marked!("an Origin header")),
            "referer" if !is_of_host(value, host) => return Some(marked!("a Referer of another host")),
            "user-agent" => is_browser |= value.as_bytes().starts_with(b"Mozilla/"),
            "accept-language" => {
                has_language = true;
                takes_any &= value == "*";
            }
            // Node's fetch sends it, and none of the others.
            "sec-fetch-mode" if value == "cors" && !has_mode => has_mode = true,
            name if name.starts_with("sec-fetch-") => return Some(marked!("a browser's Sec-Fetch header")),
            _ => {}
        }
    }
    // A page can have all of the above left out, but neither of these. It can write the `*`, though
    // not together with the mode that Node's fetch sends.
    let is_nodes = takes_any && has_mode;
    (is_browser && has_language && !is_nodes).then_some(marked!("a browser's User-Agent and Accept-Language"))
}

fn is_of_host(referer: &HeaderValue, host: Option<&str>) -> bool {
    let authority = || {
        let (_, rest) = referer.to_str().ok()?.split_once("://")?;
        let authority = rest.split(['/', '?', '#']).next()?;
        // What precedes an `@` is not the host, and a browser takes a `\` for a `/`.
        (!authority.contains(['@', '\\'])).then_some(authority)
    };
    let names = authority().zip(host);
    names.is_some_and(|(one, other)| host::name(one).eq_ignore_ascii_case(host::name(other)))
}

/// Whether no page can have this name of ours for its own. A unix socket has none.
fn is_known(directory: &Directory, host: &str, peer: Peer) -> bool {
    let Peer::Tcp(_) = peer else { return true };
    let name = host::name(host);
    let known = match host::address(name) {
        Some(address) => !peer.is_local() || address.to_canonical().is_loopback(),
        // A name without a dot cannot be registered on the internet.
        None => is_label(name) || host::is_wechats_api(name),
    };
    known || directory.knows_host(&name.to_ascii_lowercase())
}

fn is_label(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// What does the same without a browser. Whatever a shell could take for more than an address is
/// left out, and so is the query: it may hold a credential, and this goes to the log too.
fn command(parts: &Parts, host: Option<&str>) -> String {
    let harmless = |text: &&str| {
        text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~/:@[]%+,=".contains(&byte))
    };
    let host = host.filter(harmless).unwrap_or("localhost");
    let path = quoted(parts.uri.path());
    let path = Some(&*path).filter(harmless).unwrap_or("/...");
    let query = if parts.uri.query().is_some() { "?..." } else { "" };
    format!("curl 'http://{host}{path}{query}'")
}
