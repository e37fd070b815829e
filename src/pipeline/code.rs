//! wxgate's words for what it refuses and for what fails, and their numbers.

use http::StatusCode;

use crate::quota::limit::Kind;

/// Declares the codes, each with its word and its status.
macro_rules! codes {
    ($($name:ident $word:literal $status:ident,)*) => {
        /// wxgate's word for a refusal or failure: in `X-Wxgate-Error`, metrics and the access log.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(crate) enum Code {
            $($name,)*
        }

        impl Code {
            const ALL: &[Self] = &[$(Self::$name),*];

            pub(crate) fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }

            /// Under `server.error_status = "http"`.
            pub(crate) fn status(self) -> StatusCode {
                match self {
                    $(Self::$name => StatusCode::$status,)*
                }
            }
        }
    };
}

codes! {
    AnswerUnverified "answer_unverified" BAD_GATEWAY,
    AppUnknown "app_unknown" BAD_REQUEST,
    BadRequest "bad_request" BAD_REQUEST,
    BodyTooLarge "body_too_large" PAYLOAD_TOO_LARGE,
    CallerForbidden "caller_forbidden" FORBIDDEN,
    CallerUnknown "caller_unknown" UNAUTHORIZED,
    Draining "draining" SERVICE_UNAVAILABLE,
    EndpointForbidden "endpoint_forbidden" NOT_FOUND,
    HeadTooLarge "head_too_large" REQUEST_HEADER_FIELDS_TOO_LARGE,
    Overloaded "overloaded" SERVICE_UNAVAILABLE,
    QuotaExhausted "quota_exhausted" TOO_MANY_REQUESTS,
    RateLimited "rate_limited" TOO_MANY_REQUESTS,
    TokenUnavailable "token_unavailable" BAD_GATEWAY,
    UpstreamFailed "upstream_failed" BAD_GATEWAY,
    UpstreamTimeout "upstream_timeout" GATEWAY_TIMEOUT,
}

impl Code {
    /// Of a request that is over a limit of this kind.
    pub(crate) fn of_limit(kind: Kind) -> Self {
        match kind {
            Kind::Quota => Self::QuotaExhausted,
            Kind::Rate => Self::RateLimited,
        }
    }

    /// WeChat's own numbers, which SDKs know, for limits; else one that WeChat has none like.
    pub(crate) fn errcode(self) -> i64 {
        match self {
            Self::QuotaExhausted => 45009,
            Self::RateLimited => 45011,
            other => -70_000 - i64::from(other.status().as_u16()),
        }
    }
}

/// Every code with its status and its errcode, for checks of the documentation.
pub fn refusals() -> impl Iterator<Item = (&'static str, u16, i64)> {
    Code::ALL.iter().map(|code| (code.as_str(), code.status().as_u16(), code.errcode()))
}
