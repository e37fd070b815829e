//! Calls to WeChat about a token: fetches and probes, and what their answers mean.

use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{AppOptions, Failure};
use crate::secret::Secret;
use crate::upstream::control::{Answer, Call, CallError, Control};
use crate::wechat::verdict::scan;
use crate::wechat::{TokenMode, errcode, placeholder};

/// Longer than any `expires_in` that WeChat documents (7200); an answer beyond it is taken for garbage.
const LONGEST_LIFETIME: i64 = 86_400;
/// WeChat asks for room for 512 characters.
const LONGEST_TOKEN: usize = 2048;

/// A token as WeChat handed it out.
#[derive(Debug)]
pub(super) struct Issued {
    pub value: Secret,
    pub lifetime: Duration,
}

/// A fetch that brought no token.
#[derive(Debug)]
pub(super) struct FetchError {
    pub failure: Failure,
    /// WeChat may have acted without our knowing: a classic token may have been rotated away.
    pub lost: bool,
}

/// What a probe found out about a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pulse {
    Alive,
    Dead,
    Undecided,
}

/// Fetches a token; `force` is for stable mode alone.
pub(super) async fn fetch(
    control: &Control,
    app: &AppOptions,
    force: bool,
    timeout: Duration,
) -> Result<Issued, FetchError> {
    let answer = match app.mode {
        TokenMode::Stable => {
            let body = Zeroizing::new(
                serde_json::json!({
                    "grant_type": "client_credential",
                    "appid": &*app.appid,
                    "secret": app.secret.expose(),
                    "force_refresh": force,
                })
                .to_string(),
            );
            control.call(Call::Post { path: "/cgi-bin/stable_token", body: &body }, timeout).await
        }
        TokenMode::Classic => {
            let query = Zeroizing::new(
                form_urlencoded::Serializer::new(String::new())
                    .append_pair("grant_type", "client_credential")
                    .append_pair("appid", &app.appid)
                    .append_pair("secret", app.secret.expose())
                    .finish(),
            );
            control.call(Call::Get { path: "/cgi-bin/token", query: &query }, timeout).await
        }
    };
    judge_fetch(answer, &app.secret)
}

/// Fetches a token without force and forgets it: whether WeChat would give one, and how long that would live. In
/// classic mode the live token is replaced.
///
/// # Errors
/// Why WeChat gave none, with the remedy.
pub async fn trial(control: &Control, app: &AppOptions, timeout: Duration) -> Result<Duration, Failure> {
    fetch(control, app, false, timeout).await.map(|issued| issued.lifetime).map_err(|error| error.failure)
}

/// Makes the call that tells a live token from a dead one.
pub(super) async fn probe(control: &Control, probe: &str, token: &Secret, timeout: Duration) -> Pulse {
    let (path, own) = probe.split_once('?').unwrap_or((probe, ""));
    let mut query = Zeroizing::new(own.to_owned());
    if !query.is_empty() {
        query.push('&');
    }
    query.push_str("access_token=");
    query.push_str(token.expose());
    match control.call(Call::Get { path, query: &query }, timeout).await {
        Ok(answer) => judge_probe(answer.status, &answer.body),
        Err(_) => Pulse::Undecided,
    }
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: Option<Box<str>>,
    #[serde(default)]
    expires_in: serde_json::Value,
    #[serde(default)]
    errmsg: serde_json::Value,
}

fn judge_fetch(answer: Result<Answer, CallError>, secret: &Secret) -> Result<Issued, FetchError> {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            let mut failed = garbage(describe(&error));
            failed.failure.remedy = error.remedy().map(str::to_owned);
            return Err(failed);
        }
    };
    if answer.status != StatusCode::OK {
        return Err(garbage(format!("HTTP status {}", answer.status.as_u16())));
    }
    let body = without_mark(&answer.body);
    let parsed = serde_json::from_slice::<TokenAnswer>(body);
    if let Some(code) = scan(body).errcode.filter(|code| *code != 0) {
        // The code counts even if the text around it is no valid JSON.
        let message = parsed.as_ref().ok().and_then(|answer| answer.errmsg.as_str()).unwrap_or_default();
        return Err(refusal(code, message, secret));
    }
    let parsed = parsed.map_err(|_| garbage("an answer that is no JSON object".into()))?;
    let value = match parsed.access_token {
        Some(value) if well_formed(&value) => Secret::new(value),
        _ => return Err(garbage("an answer without a well-formed access_token".into())),
    };
    if placeholder::looks_like(value.expose()) {
        return Err(FetchError { failure: Failure::looped(), lost: false });
    }
    match parsed.expires_in.as_i64() {
        Some(seconds @ 1..=LONGEST_LIFETIME) => {
            Ok(Issued { value, lifetime: Duration::from_secs(seconds.unsigned_abs()) })
        }
        _ => Err(garbage("an answer without a sane expires_in".into())),
    }
}

fn judge_probe(status: StatusCode, body: &[u8]) -> Pulse {
    let body = without_mark(body).trim_ascii_start();
    if status != StatusCode::OK || !body.starts_with(b"{") {
        return Pulse::Undecided;
    }
    match scan(body).errcode {
        Some(code) if errcode::rejects_token(code) => Pulse::Dead,
        // The token was checked before the quota and the permission were: it lives.
        None | Some(0 | 45009 | 48001) => Pulse::Alive,
        Some(_) => Pulse::Undecided,
    }
}

/// A body without the byte order mark that some of WeChat's answers begin with.
fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)
}

/// What may stand in a query as it is; a token with anything else would change the request around it.
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

fn refusal(code: i64, message: &str, secret: &Secret) -> FetchError {
    let remedy = match errcode::whitelist_address(message) {
        Some(address) if code == 40164 => Some(format!(
            "add {address} to the account's IP whitelist (公众平台 > 设置与开发 > 基本配置 > IP白名单)"
        )),
        _ => errcode::explain(code).map(|meaning| meaning.remedy.to_owned()),
    };
    let failure = Failure {
        errcode: Some(code),
        message: quote(message, secret),
        remedy,
        permanent: errcode::permanent_at_token_endpoint(code),
    };
    FetchError { failure, lost: false }
}

/// WeChat's text, fit for a log line: short, without control characters, and without our secret even if an
/// intermediary echoed it.
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

    use super::{FetchError, Issued, Pulse, judge_fetch, judge_probe};
    use crate::secret::Secret;
    use crate::upstream::control::Answer;

    fn judge(status: u16, body: &str) -> Result<Issued, FetchError> {
        let status = StatusCode::from_u16(status).expect("a status");
        let answer = Answer { status, body: Bytes::from(body.to_owned()) };
        judge_fetch(Ok(answer), &Secret::new("s3cret"))
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
            (200, r#"{"ip_list":[]}"#, Pulse::Alive),
            (200, r#"{"errcode":0}"#, Pulse::Alive),
            (200, r#"{"errcode":45009}"#, Pulse::Alive),
            (200, r#"{"errcode":48001}"#, Pulse::Alive),
            (200, r#"{"errcode":40001}"#, Pulse::Dead),
            (200, r#"{"errcode":40014}"#, Pulse::Dead),
            (200, r#"{"errcode":42001}"#, Pulse::Dead),
            (200, "\u{feff}{ \"errcode\" : \"40001\" }", Pulse::Dead),
            (200, r#"{"errcode":-1}"#, Pulse::Undecided),
            (200, "<html>", Pulse::Undecided),
            (200, "", Pulse::Undecided),
            (500, r#"{"errcode":40001}"#, Pulse::Undecided),
        ] {
            let status = StatusCode::from_u16(status).expect("a status");
            assert_eq!(judge_probe(status, body.as_bytes()), pulse, "{body}");
        }
    }
}
