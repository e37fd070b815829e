//! WeChat's responses to requests for credentials.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use http::StatusCode;
use serde_json::{Map, Value};
use zeroize::Zeroize as _;

use crate::observe::chain::Chain;
use crate::observe::steering::steers;
use crate::secret::{Secret, mask};
use crate::store::is_token;
use crate::texts::{Words, translated, words};
use crate::token::Failure;
use crate::upstream::control::{Answer, CallError};
use crate::wechat::errcode::scan;
use crate::wechat::{Family, errcode, placeholder};

/// Longer than any `expires_in` that WeChat documents (7200); a longer one is not believed.
const LONGEST_LIFETIME: i64 = 86_400;

/// A credential as WeChat handed it out.
#[derive(Debug)]
pub(in crate::token) struct Issued {
    pub value: Secret,
    pub lifetime: Duration,
}

/// A fetch that brought nothing.
#[derive(Debug)]
pub(in crate::token) struct FetchError {
    pub failure: Box<Failure>,
    /// WeChat may have acted without our knowing: a classic token may have been rotated away.
    pub lost: bool,
    /// It may be due to the credential that the fetch was made with: of this generation, 0 if there
    /// was none.
    pub blamed: Option<u64>,
}

impl FetchError {
    /// WeChat is known not to have acted.
    pub(super) fn of(failure: Failure) -> Self {
        Self { failure: Box::new(failure), lost: false, blamed: None }
    }
}

/// An object that WeChat returned. It may hold credentials, so its texts are wiped on drop.
#[derive(Debug)]
pub(super) struct Object(Map<String, Value>);

impl Deref for Object {
    type Target = Map<String, Value>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Object {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        self.0.values_mut().for_each(wipe);
    }
}

/// Overwrites every text in it.
pub(super) fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(values) => values.iter_mut().for_each(wipe),
        Value::Object(fields) => fields.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What WeChat returned for a request about a credential, which carried the credentials `sent`: an
/// object without an errcode but 0.
pub(super) fn object(
    answer: Result<Answer, CallError>,
    family: Family,
    sent: &[&Secret],
) -> Result<Object, FetchError> {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            let mut failed = unusable(Words::of(|| Chain(&error).to_string()));
            failed.failure.remedy = error.remedy().map(|remedy| Words::of(|| translated(remedy)));
            failed.lost = !matches!(error, CallError::Connect(_));
            return Err(failed);
        }
    };
    if answer.status != StatusCode::OK {
        let status = answer.status.as_u16();
        return Err(unusable(words!("WeChat returned HTTP status {status}", status)));
    }
    let body = without_mark(&answer.body);
    let parsed = serde_json::from_slice(body).map(Object);
    if let Some(code) = scan(body).errcode.filter(|code| *code != 0) {
        // The code counts even if the body around it is not valid JSON.
        let message = parsed.as_ref().ok().and_then(|answer| answer.get("errmsg")?.as_str());
        return Err(refusal(family, code, message.unwrap_or_default(), sent));
    }
    parsed.map_err(|_| unusable(words!("WeChat's response is not a JSON object")))
}

/// The credential in an object that WeChat returned for a request that carried those in `sent`.
pub(super) fn issued(answer: &Object, field: &str, sent: &[&Secret]) -> Result<Issued, FetchError> {
    let value = match answer.get(field).and_then(Value::as_str) {
        Some(value) if is_token(value) => Secret::new(value),
        _ => return Err(unusable(words!("WeChat's response has no well-formed {field}", field))),
    };
    // It goes to callers in the end, who are not to have the secret.
    if mask::masked(value.expose().as_bytes(), plain(sent)).is_some() {
        return Err(unusable(words!("WeChat's response repeats in {field} what was sent", field)));
    }
    if placeholder::looks_like(value.expose()) {
        return Err(FetchError::of(Failure::looped()));
    }
    match answer.get("expires_in").and_then(Value::as_i64) {
        Some(seconds @ 1..=LONGEST_LIFETIME) => {
            Ok(Issued { value, lifetime: Duration::from_secs(seconds.unsigned_abs()) })
        }
        _ => Err(unusable(words!("WeChat's response has no plausible expires_in"))),
    }
}

/// A body without the byte order mark that some of WeChat's responses begin with.
pub(super) fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)
}

/// The configuration rules it out.
pub(super) fn unset(key: &str) -> FetchError {
    FetchError::of(Failure::transient(words!("the app has no {key}", key)))
}

/// WeChat may have acted, but its response is of no use.
fn unusable(what: Words) -> FetchError {
    FetchError { lost: true, ..FetchError::of(Failure::transient(what)) }
}

fn refusal(family: Family, code: i64, message: &str, sent: &[&Secret]) -> FetchError {
    let remedy = match errcode::whitelist_address(message) {
        Some(address) if code == 40164 => Some(words!(
            "Add {address} to the account's IP whitelist (公众平台 > 设置与开发 > 基本配置 > IP白名单), then run \
             `wxgate refresh APP`, or wait 5 minutes.",
            address
        )),
        _ => errcode::explain(family, code).map(|meaning| meaning.remedy),
    };
    let failure = Failure {
        errcode: Some(code),
        message: Words::untranslated(quote(message, sent)),
        remedy,
        permanent: errcode::opens_circuit(code),
    };
    FetchError::of(failure)
}

fn plain<'s>(secrets: &[&'s Secret]) -> impl Iterator<Item = &'s [u8]> {
    secrets.iter().map(|secret| secret.expose().as_bytes())
}

/// WeChat's text, made fit for a log line: short, without control characters, and without what was
/// sent, even if an intermediary echoed it.
fn quote(message: &str, sent: &[&Secret]) -> String {
    let mut message = match mask::masked(message.as_bytes(), plain(sent)) {
        Some(clean) => String::from_utf8_lossy(&clean).into_owned(),
        None => message.to_owned(),
    };
    for secret in sent.iter().filter(|secret| !secret.expose().is_empty()) {
        message = message.replace(secret.expose(), "***");
    }
    message.chars().filter(|c| !steers(*c)).take(200).collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::StatusCode;

    use super::{FetchError, Issued, issued, object};
    use crate::secret::Secret;
    use crate::upstream::control::Answer;
    use crate::wechat::Family;

    fn judge(status: u16, body: &str) -> Result<Issued, FetchError> {
        let status = StatusCode::from_u16(status).expect("a status");
        let answer = Answer { status, headers: http::HeaderMap::new(), body: Bytes::from(body.to_owned()) };
        let (short, long) = (Secret::new("s3cret"), Secret::new("0123456789/abcdef"));
        let sent = [&short, &long];
        issued(&object(Ok(answer), Family::Api, &sent)?, "access_token", &sent)
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
        let remedy = failure.remedy.expect("a remedy");
        let remedy = remedy.as_str();
        assert!(remedy.contains("192.0.2.7") && remedy.contains("`wxgate refresh APP`"), "{remedy}");
        assert!(
            !judge(200, r#"{"errcode":-1,"errmsg":"system error"}"#).expect_err("busy").failure.permanent
        );
    }

    #[test]
    fn an_echoed_secret_is_not_quoted() {
        let failure = judge(200, r#"{"errcode":40125,"errmsg":"bad s3cret"}"#).expect_err("refused").failure;
        assert_eq!(failure.message.as_str(), "bad ***");
        let body = r#"{"errcode":40125,"errmsg":"bad 0123456789\/abcdef at ?secret=%30123456789%2fabcdef"}"#;
        let failure = judge(200, body).expect_err("refused").failure;
        assert_eq!(failure.message.as_str(), "bad ***************** at ?secret=*********************");
    }

    #[test]
    fn what_was_sent_is_no_token() {
        for token in ["0123456789/abcdef", "x0123456789\\/abcdefx"] {
            let body = format!(r#"{{"access_token":"{token}","expires_in":7200}}"#);
            let failure = judge(200, &body).expect_err("refused").failure;
            assert!(!failure.permanent && !failure.message.as_str().contains("0123"), "{}", failure.message);
        }
    }

    #[test]
    fn our_own_placeholder_in_place_of_a_token_is_a_loop() {
        let body = r#"{"access_token":"wxgate-abc","expires_in":7200}"#;
        assert!(judge(200, body).expect_err("a loop").failure.permanent);
    }
}
