//! What callers' patterns leave closed: endpoints that move money are open only to callers with an
//! exact entry in `allow`.

use http::Method;

use crate::config::reader::endpoints::AppNames;
use crate::pipeline::CallerOptions;
use crate::texts::{Words, words};
use crate::wechat::catalogue::{self, Endpoint};
use crate::wechat::pattern::Pattern;

/// Names them in one line, if any caller's patterns would take some in.
pub(in crate::config) fn note<'c>(
    callers: impl Iterator<Item = &'c CallerOptions>,
    apps: &AppNames<'_>,
) -> Option<Words> {
    let callers: Vec<_> =
        callers.map(|caller| (caller, apps.hosts(caller.apps.iter().map(AsRef::as_ref)))).collect();
    let is_left = |endpoint: &&Endpoint| {
        let path = catalogue::normalise(endpoint.path);
        callers
            .iter()
            .any(|(caller, hosts)| hosts.has(endpoint) && leaves_closed(&caller.allow, endpoint, &path))
    };
    let money = catalogue::all().iter().filter(|endpoint| endpoint.money);
    let left: Vec<_> = money.filter(is_left).map(|endpoint| endpoint.path).collect();
    if left.is_empty() {
        return None;
    }
    Some(words!(
        "endpoints that move money are open only to callers whose `allow` names them exactly, not by patterns such as \
         \"**\"; for some callers these stay closed: {endpoints}",
        endpoints = left.join(", ")
    ))
}

/// Whether patterns take the endpoint in, and no entry names it.
fn leaves_closed(allow: &[Pattern], endpoint: &Endpoint, path: &str) -> bool {
    let methods: &[Method] = match endpoint.method {
        Some("GET") => &[Method::GET],
        Some(_) => &[Method::POST],
        None => &[Method::GET, Method::POST],
    };
    let takes_in = |rule: &&Pattern| methods.iter().any(|method| rule.matches(method, path));
    let mut rules = allow.iter().filter(takes_in).peekable();
    rules.peek().is_some() && rules.all(|rule| rule.path() != path)
}
