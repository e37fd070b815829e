//! Who spends which quota, and what happened lately, in JSON.

use serde::{Deserialize, Serialize};

/// Answer of `GET /api/v1/quota`. Days are Beijing's, as WeChat's quotas are; calls are those that
/// were let through, summed over all replicas.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Quota {
    /// `2026-11-25`, in Beijing.
    pub day: String,
    /// Until the counters begin anew.
    pub day_ends_in_seconds: u64,
    /// In the order of the configuration.
    pub apps: Vec<AppQuota>,
    /// Today's, the latest first.
    pub warnings: Vec<Warning>,
}

/// What an app's calls spent today.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AppQuota {
    /// Its name in the configuration.
    pub app: String,
    /// The nearest to its end first, then the busiest.
    pub endpoints: Vec<EndpointQuota>,
    /// Why WeChat's own figures can't be had, if they can't.
    pub problem: Option<String>,
    /// How often wxgate cleared all the app's counters at WeChat this month; WeChat allows 10, the
    /// console's included.
    pub clears_this_month: u32,
    /// How often wxgate cleared single counters this month; WeChat allows 50.
    pub single_clears_this_month: u32,
}

/// What the calls of an endpoint spent today.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EndpointQuota {
    /// WeChat's path, or `other`.
    pub endpoint: String,
    /// Calls that went through wxgate.
    pub calls_today: u64,
    /// WeChat's daily limit, once WeChat was asked.
    pub limit: Option<u64>,
    /// What WeChat counted when it was asked, and what wxgate has let through since.
    pub used: Option<u64>,
    /// What is left of `limit`.
    pub remaining: Option<u64>,
    /// When WeChat was asked.
    pub asked_at: Option<String>,
    /// Of `used`, what did not come through wxgate: somebody else calls with this app's
    /// credentials.
    pub around: Option<u64>,
    /// WeChat's limit of calls in a time, if it told one.
    pub rate_limit: Option<RateLimit>,
    /// Calls in a minute, averaged over the last ten or so.
    pub pace_per_minute: f64,
    /// When the quota ends at this pace; none if it lasts for the day.
    pub exhausted_at: Option<String>,
    /// WeChat answered 45009 or 45011, so that wxgate lets only single calls through; the next one
    /// then.
    pub slowed_until: Option<String>,
    /// Who called, the busiest first.
    pub callers: Vec<CallerCount>,
    /// WeChat's error codes today, on this replica since it started; the most frequent first.
    pub errors: Vec<ErrorCount>,
}

/// So many calls in so many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateLimit {
    /// Calls.
    pub calls: u64,
    /// Seconds.
    pub seconds: u64,
}

/// A caller's part.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CallerCount {
    /// Its name in the configuration, or `anonymous`.
    pub caller: String,
    /// Its calls today.
    pub calls: u64,
}

/// How often WeChat answered with a code.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ErrorCount {
    /// WeChat's `errcode`.
    pub errcode: i64,
    /// Times.
    pub count: u64,
    /// What it means, if that is known.
    pub meaning: Option<String>,
    /// The same in Chinese.
    pub meaning_zh: Option<String>,
    /// WeChat's page about it.
    pub document: Option<String>,
}

/// Something that an operator should know of; told once a day.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Warning {
    /// When.
    pub at: String,
    /// The app.
    pub app: String,
    /// The endpoint.
    pub endpoint: String,
    /// `used_70_percent`, `used_90_percent`, `exhausted`, `forecast` or `around`.
    pub kind: String,
    /// In words.
    pub message: String,
    /// The caller that spends most; none if more calls went around wxgate than any caller made, as
    /// with `around`.
    pub caller: Option<String>,
    /// Its part of the calls in percent.
    pub caller_percent: Option<u64>,
    /// Calls that did not come through wxgate, if there are any.
    pub around: Option<u64>,
}

/// Answer of `GET /api/v1/traffic?app=NAME&range=day|month`: a column a curve, of this replica
/// since it started. The last value is of the minute or hour in progress.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Traffic {
    /// 60 for `day`, 3600 for `month`.
    pub step_seconds: u32,
    /// Seconds since the epoch of the first value.
    pub start: i64,
    /// Requests answered.
    pub calls: Vec<u64>,
    /// Of them, with an error of WeChat's.
    pub wechat_errors: Vec<u64>,
    /// Of them, refused by wxgate.
    pub refused: Vec<u64>,
    /// Of them, without an answer of WeChat's.
    pub failed: Vec<u64>,
    /// Requests sent again after WeChat rejected their token.
    pub replayed: Vec<u64>,
    /// Milliseconds that a request which went to WeChat took on average in wxgate itself; none
    /// where there was none.
    pub own_ms: Vec<Option<f64>>,
    /// Milliseconds that it waited for WeChat.
    pub wechat_ms: Vec<Option<f64>>,
}

/// Answer of `GET /api/v1/activity`: of this replica since it started.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Activity {
    /// What happened to tokens, the latest first; at most 100.
    pub events: Vec<Event>,
    /// What became of each caller's requests.
    pub callers: Vec<CallerActivity>,
}

/// What happened to a token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: String,
    /// The app.
    pub app: String,
    /// As in `wxgate_token_refresh_total`: startup, ahead, rejected, forced, admin; or
    /// `interference`.
    pub reason: String,
    /// As in `wxgate_token_refresh_total`.
    pub outcome: String,
    /// On which endpoint WeChat rejected the former token, if it did.
    pub endpoint: Option<String>,
    /// From the rejection, or the begin of the fetch, to the new token.
    pub took_ms: Option<u64>,
    /// Requests that were sent again with it.
    pub replayed: u64,
    /// Of the token now held.
    pub generation: Option<u64>,
    /// What went wrong, if something did.
    pub message: Option<String>,
}

/// What became of a caller's requests.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CallerActivity {
    /// Its name in the configuration, or `anonymous`.
    pub caller: String,
    /// The app.
    pub app: String,
    /// Answered by WeChat without an error.
    pub ok: u64,
    /// Answered by WeChat with one.
    pub wechat_error: u64,
    /// Refused by wxgate.
    pub refused: u64,
    /// Without an answer of WeChat's.
    pub failed: u64,
}

/// Answer of `POST /api/v1/apps/{name}/clear-quota?confirm=NAME&endpoint=PATH`; with status 200
/// also if WeChat refused.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Cleared {
    /// Whether the counters begin anew.
    pub cleared: bool,
    /// WeChat's code, if it refused.
    pub errcode: Option<i64>,
    /// How often this was done this month by wxgate.
    pub spent_this_month: u32,
    /// How often WeChat allows it, the console's included.
    pub allowed_a_month: u32,
    /// In words.
    pub message: String,
}

/// Answer of `POST /api/v1/apps/{name}/quota/reset?confirm=NAME`; with status 200 also if the store
/// failed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reset {
    /// Whether all that is meant begins anew.
    pub reset: bool,
    /// Calls of the app that wxgate had counted today.
    pub calls_counted: u64,
    /// The budgets that begin anew.
    pub budgets: Vec<String>,
    /// In words.
    pub message: String,
}

/// Answer of `POST /api/v1/apps/{name}/rid?rid=RID`: what WeChat remembers of a request, for seven
/// days.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Remembered {
    /// WeChat's answer to `openapi/rid/get` without credentials.
    pub request: Option<serde_json::Value>,
    /// WeChat's code, if it doesn't remember the request.
    pub errcode: Option<i64>,
    /// In words.
    pub message: String,
}
