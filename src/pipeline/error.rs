//! How each failure looks to a caller: the one place that knows.

use std::error::Error as StdError;
use std::fmt::{self, Write as _};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER};
use http::{HeaderValue, Method, Response, StatusCode};

use super::code::Code;
use super::inflight::Full;
use super::options::ErrorStatus;
use crate::observe::redact::redacted;
use crate::quota::limit::Refusal;
use crate::server;
use crate::texts::{Language, Words, marked, text, translated, words};
use crate::token::Unavailable;
use crate::trouble::Kind;
use crate::upstream::{BodyError, SendError};
use crate::wechat::signing::Unverified;

/// WeChat's codes for token and login calls: the secret, the appid, the body, what is not allowed,
/// and what may go well later.
const WRONG_SECRET: i64 = 40125;
const UNKNOWN_APP: i64 = 40013;
const UNREADABLE: i64 = 47001;
const FORBIDDEN: i64 = 48001;
const LATER: i64 = 45011;

pub(crate) const ERROR_HEADER: HeaderName = HeaderName::from_static("x-wxgate-error");

/// An errmsg is in both languages if each takes no more characters than this.
const LONGEST_OF_TWO: usize = 80;

/// Bytes of what is quoted in an error at most.
const LONGEST_QUOTED: usize = 200;

/// Why a request gets the proxy's own response instead of WeChat's. Its text is in the language of
/// whoever prints it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Malformed or ambiguous, by the caller's fault.
    #[error("{0}")]
    BadRequest(Words),
    /// No app was named, or one that doesn't exist.
    #[error("{0}")]
    AppUnknown(Words),
    /// No key, or a wrong one.
    #[error("{0}")]
    CallerUnknown(Words),
    /// Not this caller's app, path or method.
    #[error("{0}")]
    CallerForbidden(Words),
    /// Not HTTP/1.1, as far as its head could be told from others'.
    #[error("{0}")]
    Malformed(Words),
    /// Guarded, or issues credentials.
    #[error("{0}")]
    EndpointForbidden(Words),
    /// A path that isn't WeChat's.
    #[error("{}", translated(.0))]
    Foreign(&'static str),
    /// Over `server.max_head`, or with too many fields.
    #[error("{0}")]
    HeadTooLarge(Words),
    /// Over `server.max_body`.
    #[error("{}", text!("the request body is longer than {limit} bytes (server.max_body)", limit = .limit))]
    BodyTooLarge { limit: u64 },
    /// Over `replay.max_body`, where it must be read whole to be signed.
    #[error(
        "{}",
        text!(
            "the body of a signed request (app.signing) exceeds {limit} bytes (replay.max_body)",
            limit = .limit
        )
    )]
    TooLargeToSign { limit: u64 },
    /// WeChat is unreachable, or closed the connection before its response.
    #[error("{}", text!("could not reach WeChat, or it closed the connection early"))]
    UpstreamFailed(#[source] SendError),
    /// WeChat's response may hold refresh tokens, which can't be told from the rest.
    #[error(
        "{}",
        text!(
            "WeChat's response may contain refresh tokens and is not passed on: {why}",
            why = translated(.0)
        )
    )]
    AnswerUnreadable(&'static str),
    /// A signed request's response isn't to be believed.
    #[error(
        "{}",
        text!(
            "do not send it again, WeChat may have processed it; its response cannot be trusted: {why}",
            why = .0
        )
    )]
    AnswerUnverified(Unverified),
    /// WeChat closed the connection within a short response.
    #[error("{}", text!("WeChat closed the connection before its response was complete"))]
    AnswerBroken(#[source] BodyError),
    /// The spool file for a long body failed.
    #[error("{}", text!("could not buffer the request body (replay.spool)"))]
    Spool(#[source] std::io::Error),
    /// No token is held and none could be had.
    #[error("{}", .0.cause)]
    TokenUnavailable(Unavailable),
    /// WeChat did not respond in time.
    #[error("{}", text!("WeChat did not respond in time"))]
    UpstreamTimeout(#[source] Box<dyn StdError + Send + Sync>),
    /// Over a limit of the configuration's, or of WeChat's own.
    #[error("{}", .0.text)]
    Limited(Refusal),
    /// Admission limits.
    #[error("{}", translated(.0))]
    Overloaded(&'static str),
    /// The process shuts down.
    #[error("{}", text!("wxgate is shutting down: send the request again on a new connection"))]
    Draining,
    /// A placeholder that isn't valid: in WeChat's own shape, so that the SDK that sent it fetches
    /// another.
    #[error("{}", text!("the placeholder token is not valid: {why}", why = translated(.0)))]
    PlaceholderExpired(&'static str),
    /// One of the others, at a token or login call: programs there take an errcode for an error
    /// only if it is positive.
    #[error("{error}")]
    AtLogin {
        errcode: i64,
        #[source]
        error: Box<Self>,
    },
    /// A token call whose `secret` is not a caller's key: in WeChat's own shape, so that the SDK
    /// reports it as such.
    #[error("{}", text!("the secret of this token call is not a known API key"))]
    WrongSecret,
}

/// What of a token or login call was being settled when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Caller,
    App,
    /// Whether this caller and this app may do it.
    Right,
    /// What the body says, and its way to WeChat.
    Body,
}

/// A row of the table: how an error looks to a caller.
pub(crate) struct ErrorView {
    pub(crate) status: StatusCode,
    /// None where the response poses as WeChat's.
    pub(crate) code: Option<Code>,
    /// WeChat's own number where the response poses as WeChat's.
    pub(crate) errcode: i64,
}

impl Error {
    /// Whether it is the caller that was refused, not just this request.
    pub(crate) fn refuses_caller(&self) -> bool {
        matches!(
            self.plain(),
            Self::CallerUnknown(_)
                | Self::CallerForbidden(_)
                | Self::WrongSecret
                | Self::PlaceholderExpired(_)
        )
    }

    /// Whether something failed; else the request was refused.
    pub(crate) fn is_failure(&self) -> bool {
        let begun = !matches!(self.plain(), Self::Overloaded(_) | Self::Draining);
        begun && self.view().status.is_server_error()
    }

    /// What it shows to be wrong with WeChat, or with the way there.
    pub(crate) fn trouble(&self) -> Option<Kind> {
        match self.plain() {
            Self::UpstreamFailed(_) | Self::AnswerBroken(_) => Some(Kind::Unreachable),
            Self::UpstreamTimeout(source) => match source.downcast_ref() {
                Some(SendError::Connect(_)) => Some(Kind::Unreachable),
                // A stalled upload may be the caller's doing.
                Some(SendError::Stalled(_)) => None,
                _ => Some(Kind::Timeout),
            },
            _ => None,
        }
    }

    pub(crate) fn view(&self) -> ErrorView {
        let code = match self {
            Self::BadRequest(_) | Self::Malformed(_) => Code::BadRequest,
            Self::AppUnknown(_) => Code::AppUnknown,
            Self::CallerUnknown(_) => Code::CallerUnknown,
            Self::CallerForbidden(_) => Code::CallerForbidden,
            Self::EndpointForbidden(_) | Self::Foreign(_) => Code::EndpointForbidden,
            Self::HeadTooLarge(_) => Code::HeadTooLarge,
            Self::BodyTooLarge { .. } | Self::TooLargeToSign { .. } => Code::BodyTooLarge,
            Self::AnswerUnverified(_) => Code::AnswerUnverified,
            Self::UpstreamFailed(_) | Self::AnswerBroken(_) | Self::AnswerUnreadable(_) => {
                Code::UpstreamFailed
            }
            Self::TokenUnavailable(_) => Code::TokenUnavailable,
            Self::UpstreamTimeout(_) => Code::UpstreamTimeout,
            Self::Overloaded(_) | Self::Spool(_) => Code::Overloaded,
            Self::Draining => Code::Draining,
            Self::Limited(refusal) => Code::of_limit(refusal.kind),
            Self::PlaceholderExpired(_) => {
                return ErrorView { status: StatusCode::OK, code: None, errcode: 40001 };
            }
            Self::WrongSecret => {
                let code = Some(Code::CallerUnknown);
                return ErrorView { status: StatusCode::OK, code, errcode: WRONG_SECRET };
            }
            // The codes but this one are final: their status is WeChat's, whatever is configured.
            Self::AtLogin { errcode: LATER, error } => return ErrorView { errcode: LATER, ..error.view() },
            Self::AtLogin { errcode, error } => {
                return ErrorView { status: StatusCode::OK, errcode: *errcode, ..error.view() };
            }
        };
        ErrorView { status: code.status(), code: Some(code), errcode: code.errcode() }
    }

    /// The same for a token or login call, in a code of WeChat's.
    pub(crate) fn at_login(self, step: Step) -> Self {
        let errcode = match (&self, step) {
            (Self::Limited(_) | Self::PlaceholderExpired(_) | Self::WrongSecret, _) => return self,
            (Self::CallerUnknown(_), _) => WRONG_SECRET,
            (Self::AppUnknown(_), _) => UNKNOWN_APP,
            (Self::EndpointForbidden(_), _) | (Self::CallerForbidden(_), Step::Caller | Step::Right) => {
                FORBIDDEN
            }
            (Self::BadRequest(_) | Self::Malformed(_) | Self::BodyTooLarge { .. }, Step::Caller) => {
                WRONG_SECRET
            }
            (Self::BadRequest(_) | Self::CallerForbidden(_), Step::App) => UNKNOWN_APP,
            (Self::BadRequest(_), Step::Right) => FORBIDDEN,
            (Self::BadRequest(_) | Self::Malformed(_) | Self::BodyTooLarge { .. }, Step::Body) => UNREADABLE,
            _ => LATER,
        };
        Self::AtLogin { errcode, error: Box::new(self) }
    }

    /// The error itself, at whichever call.
    fn plain(&self) -> &Self {
        match self {
            Self::AtLogin { error, .. } => error,
            plain => plain,
        }
    }

    /// Whether it keeps the status of the table whatever the configuration says: what a client or a
    /// load balancer acts on before any SDK looks into a body, and those who ask for paths that
    /// aren't WeChat's go by the status alone.
    fn keeps_status(&self) -> bool {
        matches!(
            self,
            Self::Foreign(_)
                | Self::Malformed(_)
                | Self::Overloaded(_)
                | Self::Draining
                | Self::Spool(_)
                | Self::HeadTooLarge(_)
                | Self::BodyTooLarge { .. }
                | Self::TooLargeToSign { .. }
        )
    }

    /// The status as sent, where these are configured.
    pub(crate) fn status(&self, statuses: ErrorStatus) -> StatusCode {
        let own = match self.plain() {
            Self::Limited(_) => statuses.limits,
            plain => statuses.others || plain.keeps_status(),
        };
        if own { self.view().status } else { StatusCode::OK }
    }

    /// What the response says: first what is the same in both languages, then its text, then
    /// `about`.
    fn errmsg(&self, code: Option<Code>, about: &str) -> Result<String, fmt::Error> {
        let mut errmsg = String::with_capacity(256);
        match code {
            Some(code) => write!(errmsg, "wxgate: {}: ", code.as_str())?,
            None => errmsg.push_str("invalid credential, access_token is invalid or not latest, wxgate: "),
        }
        let start = errmsg.len();
        Language::English.scope(|| write!(errmsg, "{self}"))?;
        let end = errmsg.len();
        if is_short(&errmsg[start..]) {
            errmsg.push_str(" / ");
            let second = errmsg.len();
            Language::Chinese.scope(|| write!(errmsg, "{self}"))?;
            let chinese = &errmsg[second..];
            // What others said has no translation.
            if !is_short(chinese) || *chinese == errmsg[start..end] {
                errmsg.truncate(end);
            }
        }
        errmsg.push_str(about);
        Ok(errmsg)
    }

    /// The response; `about` is appended to its text.
    pub(crate) fn response(&self, statuses: ErrorStatus, about: &str) -> Response<Bytes> {
        #[derive(serde::Serialize)]
        struct ErrorBody<'a> {
            errcode: i64,
            errmsg: &'a str,
        }
        let view = self.view();
        let errmsg = self.errmsg(view.code, about).unwrap_or_default();
        let body = serde_json::to_vec(&ErrorBody { errcode: view.errcode, errmsg: &errmsg });
        let mut response = Response::new(Bytes::from(body.unwrap_or_default()));
        *response.status_mut() = self.status(statuses);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(code) = view.code {
            headers.insert(ERROR_HEADER, HeaderValue::from_static(code.as_str()));
        }
        match self.plain() {
            Self::Limited(refusal) => {
                // Rounded up: who comes back too early is refused again.
                let seconds = refusal.retry_after.as_millis().div_ceil(1000).max(1);
                if let Ok(seconds) = HeaderValue::try_from(seconds.to_string()) {
                    headers.insert(RETRY_AFTER, seconds);
                }
            }
            Self::Overloaded(_) | Self::Draining => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            Self::CallerUnknown(_) => {
                headers.insert(
                    http::header::WWW_AUTHENTICATE,
                    HeaderValue::from_static("Bearer realm=\"wxgate\""),
                );
            }
            _ => {}
        }
        response
    }
}

fn is_short(text: &str) -> bool {
    text.len() <= LONGEST_OF_TWO || text.chars().count() <= LONGEST_OF_TWO
}

/// Which statuses hold for the proxy's own responses to such a request, where `configured` ones
/// are. HEAD has nothing but the status, to CONNECT 200 says that the tunnel stands, and no SDK for
/// WeChat calls what lies below `/wxgate/`.
pub(crate) fn statuses(configured: ErrorStatus, method: &Method, path: &str) -> ErrorStatus {
    let keeps = matches!(*method, Method::HEAD | Method::CONNECT) || path.starts_with("/wxgate/");
    if keeps { ErrorStatus::HTTP } else { configured }
}

/// What a request says, fit to be repeated: without what looks like a secret, escaped and cut.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::new();
    for c in redacted(text).flat_map(str::chars) {
        let escaped = c.escape_debug();
        if quoted.len() + escaped.clone().map(char::len_utf8).sum::<usize>() > LONGEST_QUOTED {
            quoted.push_str("...");
            break;
        }
        quoted.extend(escaped);
    }
    quoted
}

impl From<SendError> for Error {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Timeout(_) | SendError::Stalled(_) => Self::UpstreamTimeout(Box::new(error)),
            SendError::Connect(crate::upstream::ConnectError::Timeout { .. }) => {
                Self::UpstreamTimeout(Box::new(error))
            }
            SendError::Connect(_) | SendError::Broken { .. } | SendError::Switched => {
                Self::UpstreamFailed(error)
            }
        }
    }
}

impl From<BodyError> for Error {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::BrokenOff(_) => Self::AnswerBroken(error),
            BodyError::Silent(_) | BodyError::Slow(_) => Self::UpstreamTimeout(Box::new(error)),
        }
    }
}

impl From<Unavailable> for Error {
    fn from(cause: Unavailable) -> Self {
        Self::TokenUnavailable(cause)
    }
}

impl From<Full> for Error {
    fn from(full: Full) -> Self {
        Self::Overloaded(match full {
            Full::Process => marked!("too many requests in flight (server.max_inflight)"),
            Full::App => marked!("too many requests of this app in flight (max_inflight of the app)"),
            Full::Share => {
                marked!("this app has its share of server.max_inflight; the rest is for other apps")
            }
        })
    }
}

impl From<server::Refusal> for Error {
    fn from(refusal: server::Refusal) -> Self {
        use server::Refusal;

        Self::BadRequest(match refusal {
            Refusal::Malformed => {
                words!("this is not an HTTP/1.1 request: cannot parse its first line or a header field")
            }
            Refusal::HeadTooLarge { limit } => {
                return Self::HeadTooLarge(words!(
                    "the request head is longer than {limit} bytes (server.max_head)",
                    limit
                ));
            }
            Refusal::TooManyFields => {
                return Self::HeadTooLarge(words!("the request has more than 100 header fields"));
            }
            Refusal::BodyTooLarge { limit } => return Self::BodyTooLarge { limit },
            Refusal::TargetTooLong => words!("the path and query are longer than 65,534 bytes"),
            Refusal::AmbiguousFraming => {
                words!("ambiguous framing: send one Content-Length or Transfer-Encoding: chunked")
            }
            Refusal::RawTarget => {
                words!("percent-encode the path and query: they have `\"`, `<`, `>` or are not UTF-8 (GBK?)")
            }
            Refusal::NotHttp => {
                words!("TLS on a port for plain HTTP: use http://, or set up [server.tls]")
            }
            Refusal::NotTls => words!("this port requires TLS: use https:// instead of http://"),
            Refusal::Overloaded => {
                return Self::Overloaded(marked!(
                    "too many connections (server.max_connections, max_connections_per_address)"
                ));
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::Method;

    use super::{Error, ErrorStatus, Full, Unavailable, quoted, statuses};
    use crate::quota::limit::{self, Kind};
    use crate::server::Refusal;
    use crate::texts::Words;
    use crate::upstream::SendError;

    #[test]
    fn every_error_has_the_status_and_code_of_the_contract() {
        let text = || Words::untranslated("why");
        let unavailable = Unavailable { cause: "why".into(), errcode: Some(40164) };
        let rows = [
            (Error::BadRequest(text()), 400, Some("bad_request"), -70400),
            (Error::from(Refusal::AmbiguousFraming), 400, Some("bad_request"), -70400),
            (Error::Malformed(text()), 400, Some("bad_request"), -70400),
            (Error::AppUnknown(text()), 400, Some("app_unknown"), -70400),
            (Error::CallerUnknown(text()), 401, Some("caller_unknown"), -70401),
            (Error::CallerForbidden(text()), 403, Some("caller_forbidden"), -70403),
            (Error::EndpointForbidden(text()), 404, Some("endpoint_forbidden"), -70404),
            (Error::Foreign("why"), 404, Some("endpoint_forbidden"), -70404),
            (Error::AnswerUnreadable("why"), 502, Some("upstream_failed"), -70502),
            (Error::BodyTooLarge { limit: 1 }, 413, Some("body_too_large"), -70413),
            (Error::TokenUnavailable(unavailable), 502, Some("token_unavailable"), -70502),
            (Error::from(SendError::Timeout(Duration::ZERO)), 504, Some("upstream_timeout"), -70504),
            (Error::from(Refusal::HeadTooLarge { limit: 1 }), 431, Some("head_too_large"), -70431),
            (Error::from(Refusal::TooManyFields), 431, Some("head_too_large"), -70431),
            (Error::from(Refusal::BodyTooLarge { limit: 1 }), 413, Some("body_too_large"), -70413),
            (Error::from(Refusal::Overloaded), 503, Some("overloaded"), -70503),
            (Error::Draining, 503, Some("draining"), -70503),
            (Error::PlaceholderExpired("why"), 200, None, 40001),
            (Error::WrongSecret, 200, Some("caller_unknown"), 40125),
        ];
        for (error, status, code, errcode) in rows {
            let answer = error.response(ErrorStatus::HTTP, " [about]");
            assert_eq!(answer.status().as_u16(), status, "{error:?}");
            let header = answer.headers().get("x-wxgate-error").map(|value| value.to_str().expect("text"));
            assert_eq!(header, code, "{error:?}");
            assert_eq!(answer.headers()["content-type"], "application/json");
            let body: serde_json::Value = serde_json::from_slice(answer.body()).expect("JSON");
            assert_eq!(body["errcode"], errcode);
            let errmsg = body["errmsg"].as_str().expect("text");
            assert!(code.is_none_or(|code| errmsg.starts_with(&format!("wxgate: {code}: "))), "{errmsg}");
            assert!(errmsg.ends_with(" [about]"), "{errmsg}");
            let kept =
                matches!(status, 413 | 431 | 503) || matches!(error, Error::Foreign(_) | Error::Malformed(_));
            let sent = error.response(ErrorStatus::WECHAT, "").status().as_u16();
            assert_eq!(sent, if kept { status } else { 200 }, "{error:?}");
        }
    }

    #[test]
    fn an_errmsg_is_in_both_languages_where_both_are_short() {
        let errmsg = |error: &Error| {
            let body: serde_json::Value =
                serde_json::from_slice(error.response(ErrorStatus::HTTP, " [about]").body()).expect("JSON");
            body["errmsg"].as_str().expect("text").to_owned()
        };
        assert_eq!(
            errmsg(&Error::Draining),
            "wxgate: draining: wxgate is shutting down: send the request again on a new connection / wxgate 正在退出：\
             请换一个连接重试 [about]"
        );
        assert_eq!(
            errmsg(&Error::PlaceholderExpired("it has expired")),
            "invalid credential, access_token is invalid or not latest, wxgate: the placeholder token is not valid: it \
             has expired / 占位 token 无效：已过期 [about]"
        );
        let same = Error::BadRequest(Words::untranslated("no translation"));
        assert_eq!(errmsg(&same), "wxgate: bad_request: no translation [about]");
        let [short, long] = [80, 81].map(|length| {
            let words = Words::new("a".repeat(length), "中".repeat(80));
            errmsg(&Error::BadRequest(words))
        });
        assert!(short.contains(" / 中") && !long.contains(" / "), "{short} {long}");
        let long = Error::BadRequest(Words::new("short", "中".repeat(81)));
        assert_eq!(errmsg(&long), "wxgate: bad_request: short [about]");
        for error in [
            Error::from(Full::Process),
            Error::from(Full::App),
            Error::from(Full::Share),
            Error::from(Refusal::Overloaded),
            Error::from(Refusal::BodyTooLarge { limit: 1 << 30 }),
            Error::from(Refusal::HeadTooLarge { limit: 1 << 20 }),
            Error::from(Refusal::AmbiguousFraming),
            Error::from(SendError::Timeout(Duration::ZERO)),
            Error::from(SendError::Switched),
            Error::WrongSecret,
        ] {
            assert!(errmsg(&error).contains(" / "), "{}", errmsg(&error));
        }
    }

    #[test]
    fn a_limit_has_wechats_own_code_and_a_status_of_its_own() {
        let retry_after = Duration::from_millis(1001);
        for (kind, code, errcode) in
            [(Kind::Rate, "rate_limited", 45011), (Kind::Quota, "quota_exhausted", 45009)]
        {
            let error =
                Error::Limited(limit::Refusal { kind, text: Words::untranslated("why"), retry_after });
            for (status, limits) in [(200, false), (429, true)] {
                let answer = error.response(ErrorStatus { limits, others: !limits }, "");
                assert_eq!(answer.status().as_u16(), status);
                assert_eq!(answer.headers()["x-wxgate-error"], code);
                assert_eq!(answer.headers()["retry-after"], "2");
                let body: serde_json::Value = serde_json::from_slice(answer.body()).expect("JSON");
                assert_eq!(body["errcode"], errcode);
                assert_eq!(body["errmsg"], format!("wxgate: {code}: why"));
            }
        }
    }

    #[test]
    fn what_no_sdk_calls_keeps_its_status() {
        let rows = [
            (Method::GET, "/cgi-bin/user/info", false),
            (Method::HEAD, "/cgi-bin/user/info", true),
            (Method::CONNECT, "", true),
            (Method::GET, "/wxgate/token", true),
            (Method::GET, "/wxgatetoken", false),
        ];
        for (method, path, own) in rows {
            assert_eq!(statuses(ErrorStatus::WECHAT, &method, path).others, own, "{method} {path}");
            assert!(statuses(ErrorStatus::HTTP, &method, path).others);
        }
    }

    #[test]
    fn what_is_quoted_is_escaped_and_cut() {
        assert_eq!(quoted("/@canary-key-of-orders-5d1c/a"), "/@*/a");
        assert_eq!(quoted("/a\"b\n\u{1b}名"), "/a\\\"b\\n\\u{1b}名");
        let cut = quoted(&"名".repeat(1_000));
        assert!(cut.ends_with("名...") && cut.len() <= 203, "{cut}");
        assert_eq!(quoted(&"a".repeat(200)), "a".repeat(200));
    }
}
