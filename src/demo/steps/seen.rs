//! What the steps look for in responses, and in what WeChat saw.

use serde_json::Value;

use super::super::caller::Reply;
use super::super::screen::Screen;
use crate::sandbox::Entry;
use crate::texts::text;

/// What the tour's calls ask for.
pub(super) const USER_INFO: &str = "/cgi-bin/user/info";
/// Where the proxy fetches tokens.
pub(super) const STABLE_TOKEN: &str = "/cgi-bin/stable_token";

/// Whether WeChat accepted the call for this user.
pub(super) fn is_user(answer: &Reply, openid: &str) -> bool {
    answer.status == 200 && answer.json()["openid"] == openid
}

/// A user's data in one line.
pub(super) fn user(answer: &Reply) -> String {
    let json = answer.json();
    let part = |key: &str| json.get(key).map_or(Value::Null, Value::clone);
    format!(
        "{} {{\"openid\":{},\"subscribe\":{},\"language\":{},...}}",
        answer.status.as_u16(),
        part("openid"),
        part("subscribe"),
        part("language")
    )
}

/// One request as WeChat saw it, and what it made of it.
fn described(entry: &Entry) -> String {
    let outcome = match entry.errcode {
        _ if entry.path == STABLE_TOKEN => text!("wxgate fetches a new one").to_string(),
        Some(0) => text!("accepted, {code}", code = 0).to_string(),
        Some(code) => text!("rejected, {code}", code).to_string(),
        None => text!("no response").to_string(),
    };
    let (method, path) = (&entry.method, &entry.path);
    match entry.access_token.as_deref().map(short) {
        Some(token) => {
            text!("{method} {path} (token {token}): {outcome}", method, path, token, outcome).to_string()
        }
        None => text!("{method} {path}: {outcome}", method, path, outcome).to_string(),
    }
}

/// Enough of a token to tell it from another, and no more.
pub(super) fn short(token: &str) -> String {
    let end = if token.starts_with("wxgate-") { 11 } else { 7 };
    format!("{}...", token.get(..end).unwrap_or_default())
}

/// What WeChat saw of one call, line by line.
pub(super) fn show_seen(screen: &Screen, entries: &[Entry]) {
    let mut label = text!("WeChat saw").to_string();
    for entry in entries {
        screen.show(std::mem::take(&mut label), described(entry));
    }
}

/// WeChat saw these requests and outcomes, no more and no fewer: rejected, then a fetch, then the
/// same again, accepted with another token.
pub(super) fn is_replay_of(path: &str, entries: &[Entry]) -> bool {
    let [first, fetch, second] = entries else { return false };
    (first.path.as_str(), first.errcode) == (path, Some(40001))
        && fetch.path == STABLE_TOKEN
        && (second.path.as_str(), second.errcode) == (path, Some(0))
        && first.access_token.is_some()
        && first.access_token != second.access_token
}
