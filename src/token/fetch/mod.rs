//! Calls to WeChat about a credential: fetches and probes, and what their answers mean.
//!
//! | file | fetches |
//! | --- | --- |
//! | `secret` | what a secret is enough for |
//! | `granted` | what takes a ticket, a refresh token or another credential |

use std::time::Duration;

use http::StatusCode;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::credential::Credential;
use super::grant::Grant;
use super::handle::Settings;
use super::{AppOptions, Failure};
use crate::observe::clock::Timestamp;
use crate::secret::Secret;
use crate::store::Store;
use crate::upstream::control::{Answer, Call, CallError, Control};
use crate::wechat::errcode::{self, Proof};
use crate::wechat::verdict::scan;
use crate::wechat::{Family, Issuer, placeholder};

mod granted;
mod secret;

pub(super) use granted::query_auth;

/// Longer than any `expires_in` that WeChat documents (7200); an answer beyond it is taken for
/// garbage.
const LONGEST_LIFETIME: i64 = 86_400;
/// WeChat asks for room for 512 characters.
const LONGEST_TOKEN: usize = 2048;

/// A credential as WeChat handed it out.
#[derive(Debug)]
pub(super) struct Issued {
    pub value: Secret,
    pub lifetime: Duration,
}

/// A fetch that brought nothing.
#[derive(Debug)]
pub(super) struct FetchError {
    pub failure: Failure,
    /// WeChat may have acted without our knowing: a classic token may have been rotated away.
    pub lost: bool,
}

/// What a fetch works with.
pub(super) struct Tools<'k> {
    pub control: &'k Control,
    pub store: &'k Store,
    pub now: Timestamp,
}

/// Fetches a credential; `force` is for what can be forced alone.
pub(super) async fn fetch(
    tools: &Tools<'_>,
    settings: &Settings,
    grant: &mut Grant,
    force: bool,
) -> Result<Issued, FetchError> {
    let Settings { app, options, credential } = settings;
    let timeout = options.fetch_timeout;
    match credential.issuer {
        Issuer::App(_) | Issuer::Work | Issuer::Provider => {
            secret::fetch(tools.control, app, credential.issuer, force, timeout).await
        }
        Issuer::Component => granted::component(tools, settings, grant).await,
        Issuer::Suite => granted::suite(tools, settings, grant).await,
        Issuer::Authorizer => granted::authorizer(tools, settings, grant).await,
        Issuer::Ticket(kind) => granted::ticket(tools, settings, kind).await,
    }
}

/// Fetches an app's token without force and forgets it: whether WeChat would give one, and how long
/// that would live. What rotates by a fetch is replaced.
///
/// # Errors
/// Why WeChat gave none, with the remedy; a third-party platform's can't be fetched without a
/// ticket.
pub async fn trial(control: &Control, app: &AppOptions, timeout: Duration) -> Result<Duration, Failure> {
    let issued = match Credential::main(app).issuer {
        issuer @ (Issuer::App(_) | Issuer::Work) => secret::fetch(control, app, issuer, false, timeout).await,
        _ => return Err(Failure::ticketless()),
    };
    issued.map(|issued| issued.lifetime).map_err(|error| error.failure)
}

/// Makes the call that tells a live credential from a dead one.
pub(super) async fn probe(
    control: &Control,
    app: &AppOptions,
    issuer: Issuer,
    value: &Secret,
    timeout: Duration,
) -> Proof {
    let answer = match issuer {
        Issuer::App(_) | Issuer::Work | Issuer::Authorizer => {
            let (path, own) = app.probe.split_once('?').unwrap_or((&app.probe, ""));
            let query = with_credential(own, "access_token", value);
            control.call(Call::Get { path, query: &query }, timeout).await
        }
        // A platform may ask for its own quota, which costs none of it and changes nothing.
        Issuer::Component => {
            let path = with_credential("/cgi-bin/openapi/quota/get?", "access_token", value);
            let body = r#"{"cgi_path":"/cgi-bin/component/api_create_preauthcode"}"#;
            control.call(Call::Post { path: &path, body }, timeout).await
        }
        // No call is known that is free of effects.
        Issuer::Suite | Issuer::Provider | Issuer::Ticket(_) => return Proof::Undecided,
    };
    match answer {
        Ok(answer) => judge_probe(issuer, answer.status, &answer.body),
        Err(_) => Proof::Undecided,
    }
}

fn with_credential(before: &str, name: &str, value: &Secret) -> Zeroizing<String> {
    let mut text = Zeroizing::new(before.to_owned());
    if !text.is_empty() && !text.ends_with('?') {
        text.push('&');
    }
    text.push_str(name);
    text.push('=');
    text.push_str(value.expose());
    text
}

/// What WeChat answered to a call about a credential: an object without an errcode but 0.
fn judge_call(
    answer: Result<Answer, CallError>,
    family: Family,
    secret: &Secret,
) -> Result<Map<String, Value>, FetchError> {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            let mut failed = garbage(describe(&error));
            failed.failure.remedy = error.remedy().map(str::to_owned);
            failed.lost = !matches!(error, CallError::Connect(_));
            return Err(failed);
        }
    };
    if answer.status != StatusCode::OK {
        return Err(garbage(format!("HTTP status {}", answer.status.as_u16())));
    }
    let body = without_mark(&answer.body);
    let parsed = serde_json::from_slice::<Map<String, Value>>(body);
    if let Some(code) = scan(body).errcode.filter(|code| *code != 0) {
        // The code counts even if the text around it is no valid JSON.
        let message = parsed.as_ref().ok().and_then(|answer| answer.get("errmsg")?.as_str());
        return Err(refusal(family, code, message.unwrap_or_default(), secret));
    }
    parsed.map_err(|_| garbage("an answer that is no JSON object".into()))
}

/// The credential in WeChat's answer.
fn judge_fetch(
    answer: Result<Answer, CallError>,
    issuer: Issuer,
    secret: &Secret,
) -> Result<Issued, FetchError> {
    issued(&judge_call(answer, issuer.family(), secret)?, issuer.field())
}

fn issued(answer: &Map<String, Value>, field: &str) -> Result<Issued, FetchError> {
    let value = match answer.get(field).and_then(Value::as_str) {
        Some(value) if well_formed(value) => Secret::new(value),
        _ => return Err(garbage(format!("an answer without a well-formed {field}"))),
    };
    if placeholder::looks_like(value.expose()) {
        return Err(FetchError { failure: Failure::looped(), lost: false });
    }
    match answer.get("expires_in").and_then(Value::as_i64) {
        Some(seconds @ 1..=LONGEST_LIFETIME) => {
            Ok(Issued { value, lifetime: Duration::from_secs(seconds.unsigned_abs()) })
        }
        _ => Err(garbage("an answer without a sane expires_in".into())),
    }
}

fn judge_probe(issuer: Issuer, status: StatusCode, body: &[u8]) -> Proof {
    let body = without_mark(body).trim_ascii_start();
    if status != StatusCode::OK || !body.starts_with(b"{") {
        return Proof::Undecided;
    }
    issuer.proof(scan(body).errcode)
}

/// A body without the byte order mark that some of WeChat's answers begin with.
fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)
}

/// What may stand in a query as it is; a token with anything else would change the request around
/// it.
fn well_formed(token: &str) -> bool {
    (1..=LONGEST_TOKEN).contains(&token.len())
        && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~!*:=@/,".contains(&byte))
}

fn garbage(what: String) -> FetchError {
    FetchError {
        failure: Failure { errcode: None, message: what, remedy: None, permanent: false },
        lost: true,
    }
}

fn refusal(family: Family, code: i64, message: &str, secret: &Secret) -> FetchError {
    let remedy = match errcode::whitelist_address(message) {
        Some(address) if code == 40164 => Some(format!(
            "add {address} to the account's IP whitelist (公众平台 > 设置与开发 > 基本配置 > IP白名单)"
        )),
        _ => errcode::explain(family, code).map(|meaning| meaning.remedy.to_owned()),
    };
    let failure = Failure {
        errcode: Some(code),
        message: quote(message, secret),
        remedy,
        permanent: errcode::permanent_at_token_endpoint(code),
    };
    FetchError { failure, lost: false }
}

/// WeChat's text, fit for a log line: short, without control characters, and without our secret
/// even if an intermediary echoed it.
fn quote(message: &str, secret: &Secret) -> String {
    let message = message.replace(secret.expose(), "***");
    message.chars().filter(|c| !c.is_control()).take(200).collect()
}

fn describe(error: &CallError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::StatusCode;

    use super::{FetchError, Issued, judge_fetch, judge_probe};
    use crate::secret::Secret;
    use crate::upstream::control::Answer;
    use crate::wechat::errcode::Proof;
    use crate::wechat::{Issuer, TokenMode};

    fn judge(status: u16, body: &str) -> Result<Issued, FetchError> {
        let status = StatusCode::from_u16(status).expect("a status");
        let answer = Answer { status, body: Bytes::from(body.to_owned()) };
        judge_fetch(Ok(answer), Issuer::App(TokenMode::Stable), &Secret::new("s3cret"))
    }

    #[test]
    fn a_token_answer_is_taken() {
        let issued = judge(200, r#"{"access_token":"abc_-1","expires_in":345}"#).expect("a token");
        assert_eq!((issued.value.expose(), issued.lifetime.as_secs()), ("abc_-1", 345));
        assert!(judge(200, r#"{"errcode":0,"errmsg":"ok","access_token":"a","expires_in":1}"#).is_ok());
        assert!(judge(200, "\u{feff}{\"access_token\":\"a\",\"expires_in\":1}").is_ok());
    }

    #[test]
    fn garbage_is_a_transient_failure() {
        for (status, body) in [
            (200, ""),
            (200, "<html>busy</html>"),
            (200, "[]"),
            (200, "{}"),
            (200, r#"{"access_token":"","expires_in":7200}"#),
            (200, r#"{"access_token":"a&b","expires_in":7200}"#),
            (200, r#"{"access_token":"a"}"#),
            (200, r#"{"access_token":"a","expires_in":0}"#),
            (200, r#"{"access_token":"a","expires_in":-5}"#),
            (200, r#"{"access_token":"a","expires_in":86401}"#),
            (200, r#"{"access_token":"a","expires_in":"7200"}"#),
            (502, r#"{"access_token":"a","expires_in":7200}"#),
        ] {
            let error = judge(status, body).expect_err(body);
            assert!(!error.failure.permanent && error.lost, "{body}");
        }
    }

    #[test]
    fn a_refusal_keeps_the_code_and_names_the_address_to_whitelist() {
        let body =
            r#"{"errcode":40164,"errmsg":"invalid ip 192.0.2.7 ipv6 ::ffff:192.0.2.7, not in whitelist"}"#;
        let failure = judge(200, body).expect_err("refused").failure;
        assert_eq!((failure.errcode, failure.permanent), (Some(40164), true));
        assert!(failure.remedy.expect("a remedy").contains("192.0.2.7"));
        assert!(
            !judge(200, r#"{"errcode":-1,"errmsg":"system error"}"#).expect_err("busy").failure.permanent
        );
    }

    #[test]
    fn an_echoed_secret_is_not_quoted() {
        let failure = judge(200, r#"{"errcode":40125,"errmsg":"bad s3cret"}"#).expect_err("refused").failure;
        assert_eq!(failure.message, "bad ***");
    }

    #[test]
    fn our_own_placeholder_in_place_of_a_token_is_a_loop() {
        let body = r#"{"access_token":"wxgate-abc","expires_in":7200}"#;
        assert!(judge(200, body).expect_err("a loop").failure.permanent);
    }

    #[test]
    fn a_probe_believes_only_what_shows_that_the_token_was_checked() {
        for (status, body, pulse) in [
            (200, r#"{"ip_list":[]}"#, Proof::Alive),
            (200, r#"{"errcode":0}"#, Proof::Alive),
            (200, r#"{"errcode":45009}"#, Proof::Alive),
            (200, r#"{"errcode":48001}"#, Proof::Alive),
            (200, r#"{"errcode":40001}"#, Proof::Dead),
            (200, r#"{"errcode":40014}"#, Proof::Dead),
            (200, r#"{"errcode":42001}"#, Proof::Dead),
            (200, "\u{feff}{ \"errcode\" : \"40001\" }", Proof::Dead),
            (200, r#"{"errcode":-1}"#, Proof::Undecided),
            (200, "<html>", Proof::Undecided),
            (200, "", Proof::Undecided),
            (500, r#"{"errcode":40001}"#, Proof::Undecided),
        ] {
            let status = StatusCode::from_u16(status).expect("a status");
            assert_eq!(judge_probe(Issuer::App(TokenMode::Stable), status, body.as_bytes()), pulse, "{body}");
        }
    }
}
