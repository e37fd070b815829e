//! The tour's steps, and the words that they share.

mod crowd;
mod killed;
mod mistakes;
mod plain;
mod sdk;
mod upload;

use serde_json::Value;

use super::caller::Answer;
use super::screen::Screen;
use super::stage::Stage;
use crate::observe::chain::Chain;
use crate::sandbox::Entry;

/// What the tour's calls ask for.
const USER_INFO: &str = "/cgi-bin/user/info";
/// Where the proxy fetches tokens.
const STABLE_TOKEN: &str = "/cgi-bin/stable_token";

#[derive(Clone, Copy)]
enum Step {
    Plain,
    Killed,
    Crowd,
    Sdk,
    Upload,
    Mistakes,
}

const TOUR: [(Step, &str); 6] = [
    (Step::Plain, "A service calls WeChat without any credential"),
    (Step::Killed, "The token is killed behind the proxy's back"),
    (Step::Crowd, "It is killed again, and many callers come at once"),
    (Step::Sdk, "An unmodified SDK asks for a token of its own"),
    (Step::Upload, "A file is uploaded with a dead token"),
    (Step::Mistakes, "Two mistakes get a plain answer, and WeChat never hears of them"),
];

/// Shows everything, in order. A step that breaks off counts as one that didn't hold.
pub(super) async fn all(stage: &Stage, screen: &mut Screen) {
    for (step, title) in TOUR {
        tokio::time::sleep(screen.pause()).await;
        screen.step(title);
        let shown = match step {
            Step::Plain => plain::show(stage, screen).await,
            Step::Killed => killed::show(stage, screen).await,
            Step::Crowd => crowd::show(stage, screen).await,
            Step::Sdk => sdk::show(stage, screen).await,
            Step::Upload => upload::show(stage, screen).await,
            Step::Mistakes => mistakes::show(stage, screen).await,
        };
        if let Err(error) = shown {
            screen.check(false, &format!("the step broke off: {}", Chain(&error)));
        }
    }
}

/// Whether WeChat took the call for this user and answered it.
fn is_user(answer: &Answer, openid: &str) -> bool {
    answer.status == 200 && answer.json()["openid"] == openid
}

/// A user's data in one line.
fn user(answer: &Answer) -> String {
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
fn told(entry: &Entry) -> String {
    let outcome = match entry.errcode {
        _ if entry.path == STABLE_TOKEN => "wxgate fetches a new one".to_owned(),
        Some(0) => "accepted".to_owned(),
        Some(code) => format!("rejected, {code}"),
        None => "no answer".to_owned(),
    };
    let token = entry.access_token.as_deref().map(|token| format!(" (token {})", short(token)));
    format!("{} {}{}: {outcome}", entry.method, entry.path, token.unwrap_or_default())
}

/// Enough of a token to tell it from another, and no more.
fn short(token: &str) -> String {
    let end = if token.starts_with("wxgate-") { 11 } else { 7 };
    format!("{}...", token.get(..end).unwrap_or_default())
}

/// What WeChat saw of one call, line by line.
fn show_seen(screen: &Screen, entries: &[Entry]) {
    let mut label = "WeChat saw";
    for entry in entries {
        screen.show(std::mem::take(&mut label), &told(entry));
    }
}

/// WeChat saw these requests and outcomes, no more and no fewer: rejected, then a fetch, then the same again, accepted
/// with another token.
fn is_replay_of(path: &str, entries: &[Entry]) -> bool {
    let [first, fetch, second] = entries else { return false };
    (first.path.as_str(), first.errcode) == (path, Some(40001))
        && fetch.path == STABLE_TOKEN
        && (second.path.as_str(), second.errcode) == (path, Some(0))
        && first.access_token.is_some()
        && first.access_token != second.access_token
}
