//! What the pushes say.

use std::sync::Arc;
use std::time::Duration;

use super::xml::Fields;
use crate::observe::clock::Timestamp;
use crate::secret::Secret;

/// Times below this are counted from the event's creation.
const LEAST_EPOCH: Duration = Duration::from_secs(1_000_000_000);

/// Something that happened to a platform or a suite. `created` is WeChat's clock: pushes may
/// overtake each other, so what is older than what is known already is to be left.
#[derive(Debug)]
pub enum Event {
    /// `component_verify_ticket`, every ten minutes; good for twelve hours.
    VerifyTicket {
        /// The ticket for `api_component_token`.
        ticket: Secret,
        /// When WeChat made it.
        created: Timestamp,
    },
    /// `authorized`: an account put itself into the platform's hands.
    Authorized {
        /// The account.
        appid: Arc<str>,
        /// What `api_query_auth` takes for the refresh token, once.
        code: Secret,
        /// The platform's own code that the account came by.
        pre_auth_code: Option<Secret>,
        /// When `code` expires.
        expires_at: Option<Timestamp>,
        /// When it happened.
        created: Timestamp,
    },
    /// `updateauthorized`: the account granted other rights.
    UpdateAuthorized {
        /// The account.
        appid: Arc<str>,
        /// What `api_query_auth` takes for the refresh token, once.
        code: Secret,
        /// The platform's own code that the account came by.
        pre_auth_code: Option<Secret>,
        /// When `code` expires.
        expires_at: Option<Timestamp>,
        /// When it happened.
        created: Timestamp,
    },
    /// `unauthorized`: the account left.
    Unauthorized {
        /// The account.
        appid: Arc<str>,
        /// When it happened.
        created: Timestamp,
    },
    /// WeCom's `suite_ticket`, every ten minutes; good for thirty.
    SuiteTicket {
        /// The ticket for `get_suite_token`.
        ticket: Secret,
        /// When WeCom made it.
        created: Timestamp,
    },
    /// WeCom's `create_auth`: a company installed the suite.
    CorpAuthorized {
        /// What `get_permanent_code` takes, once.
        code: Secret,
        /// When it happened.
        created: Timestamp,
    },
    /// WeCom's `reset_permanent_code`: the company's permanent code is another one from now on.
    CorpCodeReset {
        /// What `get_permanent_code` takes, once.
        code: Secret,
        /// When it happened.
        created: Timestamp,
    },
    /// WeCom's `change_auth`: the company granted other rights.
    CorpUpdated {
        /// The company.
        corpid: Arc<str>,
        /// When it happened.
        created: Timestamp,
    },
    /// WeCom's `cancel_auth`: the company removed the suite.
    CorpUnauthorized {
        /// The company.
        corpid: Arc<str>,
        /// When it happened.
        created: Timestamp,
    },
    /// One that concerns no credential.
    Other {
        /// WeChat's name for it.
        info_type: Arc<str>,
        /// When it happened.
        created: Timestamp,
    },
}

impl Event {
    /// WeChat's name for it, out of a closed set: `other` for [`Event::Other`].
    pub fn name(&self) -> &'static str {
        match self {
            Self::VerifyTicket { .. } => "component_verify_ticket",
            Self::Authorized { .. } => "authorized",
            Self::UpdateAuthorized { .. } => "updateauthorized",
            Self::Unauthorized { .. } => "unauthorized",
            Self::SuiteTicket { .. } => "suite_ticket",
            Self::CorpAuthorized { .. } => "create_auth",
            Self::CorpCodeReset { .. } => "reset_permanent_code",
            Self::CorpUpdated { .. } => "change_auth",
            Self::CorpUnauthorized { .. } => "cancel_auth",
            Self::Other { .. } => "other",
        }
    }

    /// When it happened.
    pub fn created(&self) -> Timestamp {
        match self {
            Self::VerifyTicket { created, .. }
            | Self::Authorized { created, .. }
            | Self::UpdateAuthorized { created, .. }
            | Self::Unauthorized { created, .. }
            | Self::SuiteTicket { created, .. }
            | Self::CorpAuthorized { created, .. }
            | Self::CorpCodeReset { created, .. }
            | Self::CorpUpdated { created, .. }
            | Self::CorpUnauthorized { created, .. }
            | Self::Other { created, .. } => *created,
        }
    }

    /// None if something is missing that the kind of event needs.
    pub(super) fn read(fields: &Fields) -> Option<Self> {
        let given = |name| fields.get(name).filter(|value| !value.is_empty());
        let name = |field| given(field).map(Arc::<str>::from);
        let secret = |field| given(field).map(Secret::new);
        // WeCom calls it otherwise.
        let created = Timestamp(0).plus(seconds(given("CreateTime").or_else(|| given("TimeStamp"))?)?);
        // "单位秒" in the documentation; seen as a time and as a duration.
        let expires_at = given("AuthorizationCodeExpiredTime").and_then(seconds).map(|expires| {
            if expires < LEAST_EPOCH { created.plus(expires) } else { Timestamp(0).plus(expires) }
        });
        Some(match given("InfoType")? {
            "component_verify_ticket" => {
                Self::VerifyTicket { ticket: secret("ComponentVerifyTicket")?, created }
            }
            "authorized" => Self::Authorized {
                appid: name("AuthorizerAppid")?,
                code: secret("AuthorizationCode")?,
                pre_auth_code: secret("PreAuthCode"),
                expires_at,
                created,
            },
            "updateauthorized" => Self::UpdateAuthorized {
                appid: name("AuthorizerAppid")?,
                code: secret("AuthorizationCode")?,
                pre_auth_code: secret("PreAuthCode"),
                expires_at,
                created,
            },
            "unauthorized" => Self::Unauthorized { appid: name("AuthorizerAppid")?, created },
            "suite_ticket" => Self::SuiteTicket { ticket: secret("SuiteTicket")?, created },
            "create_auth" => Self::CorpAuthorized { code: secret("AuthCode")?, created },
            "reset_permanent_code" => Self::CorpCodeReset { code: secret("AuthCode")?, created },
            "change_auth" => Self::CorpUpdated { corpid: name("AuthCorpId")?, created },
            "cancel_auth" => Self::CorpUnauthorized { corpid: name("AuthCorpId")?, created },
            other => Self::Other { info_type: other.into(), created },
        })
    }
}

/// Whole seconds, in digits alone.
pub(super) fn seconds(text: &str) -> Option<Duration> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse::<u32>().ok().filter(|_| digits).map(|seconds| Duration::from_secs(seconds.into()))
}
