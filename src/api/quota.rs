//! Who uses which quota.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::observe::clock::Timestamp;
use crate::quota::{AccountReport, AppReport, EndpointReport, Report, WarningReport};
use crate::texts::Language;
use crate::wechat::{Family, errcode};

/// Response of `GET /api/v1/quota`. Days are Beijing's, as WeChat's quotas are. Calls are those
/// that wxgate let through, summed over all replicas.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Quota {
    /// The day in Beijing, like `2026-11-25`.
    pub day: String,
    /// Seconds until the counters restart at zero.
    pub day_ends_in_seconds: u64,
    /// In the order of the configuration.
    pub apps: Vec<AppQuota>,
    /// Today's warnings, the latest first.
    #[serde(default)]
    pub warnings: Vec<Warning>,
    /// The 50 busiest of the accounts that platforms act for, the busiest first. Calls are those of
    /// this replica since it started.
    #[serde(default)]
    pub accounts: Vec<AccountQuota>,
}

/// What the calls for an account used today that a platform acts for.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct AccountQuota {
    /// The platform's name in the configuration.
    pub app: String,
    /// The account's appid.
    pub account: String,
    /// Calls of all endpoints.
    pub calls_today: u64,
    /// Those that will run out first, then the busiest. Callers and errors are not counted by
    /// account.
    pub endpoints: Vec<EndpointQuota>,
    /// Why WeChat's own figures are not available, if they are not.
    pub problem: Option<String>,
}

/// What an app's calls used today.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct AppQuota {
    /// Its name in the configuration.
    pub app: String,
    /// Those that will run out first, then the busiest.
    pub endpoints: Vec<EndpointQuota>,
    /// Why WeChat's own figures are not available, if they are not.
    pub problem: Option<String>,
    /// How often wxgate cleared all the app's counters at WeChat this month. WeChat allows 10,
    /// including those made in its console.
    pub clears_this_month: u32,
    /// How often wxgate cleared single counters at WeChat this month. WeChat allows 50.
    pub single_clears_this_month: u32,
}

/// What the calls of an endpoint used today.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct EndpointQuota {
    /// WeChat's path, or `other`.
    pub endpoint: String,
    /// Calls that went through wxgate.
    pub calls_today: u64,
    /// WeChat's daily limit, once wxgate has asked WeChat.
    pub limit: Option<u64>,
    /// What WeChat had counted when it was asked, and what wxgate has let through since.
    pub used: Option<u64>,
    /// What is left of `limit`.
    pub remaining: Option<u64>,
    /// When wxgate asked WeChat.
    pub asked_at: Option<String>,
    /// The part of `used` that did not come through wxgate: another program calls with this app's
    /// credentials.
    pub around: Option<u64>,
    /// WeChat's limit of calls in a period, if WeChat told one.
    pub rate_limit: Option<RateLimit>,
    /// Calls per minute, averaged over about the last ten minutes.
    pub pace_per_minute: f64,
    /// When the quota runs out at this pace; null if it lasts for the day.
    pub exhausted_at: Option<String>,
    /// WeChat responded with 45009 or 45011, so wxgate only lets single calls through: when the
    /// next one may go.
    pub slowed_until: Option<String>,
    /// The callers, the busiest first.
    pub callers: Vec<CallerCount>,
    /// WeChat's error codes today, on this replica since it started, the most frequent first.
    pub errors: Vec<ErrorCount>,
}

/// How many calls in how many seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RateLimit {
    /// Calls.
    pub calls: u64,
    /// Seconds.
    pub seconds: u64,
}

/// How many calls a caller made.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CallerCount {
    /// Its name in the configuration, or `anonymous`.
    pub caller: String,
    /// Its calls today.
    pub calls: u64,
}

/// How often WeChat responded with a code.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ErrorCount {
    /// WeChat's `errcode`.
    pub errcode: i64,
    /// How often.
    pub count: u64,
    /// What it means, if known.
    pub meaning: Option<String>,
    /// The same in Chinese.
    pub meaning_zh: Option<String>,
    /// WeChat's page about it.
    pub document: Option<String>,
}

/// Something that an operator should know; raised once a day.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Warning {
    /// When it was raised.
    pub at: String,
    /// The app.
    pub app: String,
    /// The endpoint.
    pub endpoint: String,
    /// `used_70_percent`, `used_90_percent`, `exhausted`, `forecast` or `around`.
    pub kind: String,
    /// The warning in a sentence.
    pub message: String,
    /// The caller with the most calls; null if more calls bypassed wxgate than any caller made, as
    /// with `around`.
    pub caller: Option<String>,
    /// Its share of the calls in percent.
    pub caller_percent: Option<u64>,
    /// Calls that did not come through wxgate, if any.
    pub around: Option<u64>,
}

impl Quota {
    /// Out of what is known of apps and of `accounts`; `slowed` says which endpoints of which apps
    /// are slowed until when.
    pub fn of(
        report: Report,
        accounts: &[AccountReport],
        slowed: &[(Arc<str>, Arc<str>, Timestamp)],
    ) -> Self {
        Self {
            day: report.at.beijing_date(),
            day_ends_in_seconds: report.at.beijing_midnight().since(report.at).as_secs(),
            apps: report.apps.iter().map(|app| AppQuota::of(app, slowed)).collect(),
            warnings: report.warnings.into_iter().map(Warning::from).collect(),
            accounts: accounts.iter().map(AccountQuota::of).collect(),
        }
    }
}

impl AccountQuota {
    fn of(account: &AccountReport) -> Self {
        Self {
            app: account.app.to_string(),
            account: account.account.to_string(),
            calls_today: account.calls,
            endpoints: account.endpoints.iter().map(|endpoint| EndpointQuota::of(endpoint, None)).collect(),
            problem: account.problem.as_ref().map(ToString::to_string),
        }
    }
}

impl AppQuota {
    fn of(app: &AppReport, slowed: &[(Arc<str>, Arc<str>, Timestamp)]) -> Self {
        let until = |path: &str| {
            let of = slowed.iter().filter(|(name, slow, _)| *name == app.app && **slow == *path);
            of.map(|(_, _, until)| *until).max()
        };
        let endpoint = |endpoint: &EndpointReport| EndpointQuota::of(endpoint, until(endpoint.path));
        Self {
            app: app.app.to_string(),
            endpoints: app.endpoints.iter().map(endpoint).collect(),
            problem: app.problem.as_ref().map(ToString::to_string),
            clears_this_month: app.clears.0,
            single_clears_this_month: app.clears.1,
        }
    }
}

impl EndpointQuota {
    fn of(endpoint: &EndpointReport, slowed_until: Option<Timestamp>) -> Self {
        let caller =
            |(caller, calls): &(Arc<str>, u64)| CallerCount { caller: caller.to_string(), calls: *calls };
        Self {
            endpoint: endpoint.path.to_owned(),
            calls_today: endpoint.calls,
            // 0 means that there is none.
            limit: endpoint.limit.filter(|limit| *limit > 0),
            used: endpoint.used,
            remaining: endpoint.remaining(),
            asked_at: endpoint.asked_at.map(Timestamp::rfc3339),
            around: endpoint.around,
            rate_limit: endpoint.rate.map(|(calls, seconds)| RateLimit { calls, seconds }),
            pace_per_minute: endpoint.pace,
            exhausted_at: endpoint.ends.map(Timestamp::rfc3339),
            slowed_until: slowed_until.map(Timestamp::rfc3339),
            callers: endpoint.callers.iter().map(caller).collect(),
            errors: endpoint.errors.iter().map(|(code, count)| ErrorCount::of(*code, *count)).collect(),
        }
    }
}

impl ErrorCount {
    fn of(code: i32, count: u64) -> Self {
        let errcode = i64::from(code);
        let plain = errcode::plain(errcode);
        Self {
            errcode,
            count,
            meaning: plain.as_ref().map(|plain| plain.to(Language::English).to_owned()),
            meaning_zh: plain.as_ref().map(|plain| plain.to(Language::Chinese).to_owned()),
            document: errcode::known(errcode).then(|| errcode::document(Family::Api).to_owned()),
        }
    }
}

impl From<WarningReport> for Warning {
    fn from(warning: WarningReport) -> Self {
        let (caller, caller_percent) = warning.blame.caller.unzip();
        Self {
            at: warning.at.rfc3339(),
            app: warning.app.to_string(),
            endpoint: warning.path,
            kind: warning.kind.as_str().to_owned(),
            message: warning.message.to_string(),
            caller,
            caller_percent,
            around: Some(warning.blame.around).filter(|around| *around > 0),
        }
    }
}
