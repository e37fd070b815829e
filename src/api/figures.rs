//! How many requests went well, and how long they took.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::traffic::Range;
use crate::observe::clock::Timestamp;
use crate::pipeline::Percentiles;
use crate::quota::Totals;

/// Response of `GET /api/v1/figures`, for this replica since it started.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Figures {
    /// From the shortest range to the longest.
    pub ranges: Vec<RangeFigures>,
}

/// What became of the requests of a stretch of time.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RangeFigures {
    /// How much of the past.
    pub range: Range,
    /// When it began, or when the process started if that was later.
    pub since: String,
    /// The process ran through all of it.
    pub whole: bool,
    /// All requests that were responded to.
    pub calls: u64,
    /// Those to which WeChat responded with an error.
    pub wechat_errors: u64,
    /// Those that wxgate refused.
    pub refused: u64,
    /// Those without a response from WeChat.
    pub failed: u64,
    /// Percent to which WeChat responded without an error; null if there was no request.
    pub success_percent: Option<f64>,
    /// Milliseconds within which half of the requests that went to WeChat were responded to; null
    /// if there was none. These three are estimated from a histogram. For one app and `month` they
    /// are null: they are kept for a day.
    pub p50_ms: Option<f64>,
    /// The same of 95 in 100.
    pub p95_ms: Option<f64>,
    /// The same of 99 in 100.
    pub p99_ms: Option<f64>,
}

/// The last hour of an app.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct AppFigures {
    /// The app.
    pub app: String,
    /// All requests that were responded to.
    pub calls: u64,
    /// Those that wxgate refused.
    pub refused: u64,
    /// Percent to which WeChat responded without an error; null if there was no request.
    pub success_percent: Option<f64>,
    /// Milliseconds within which 95 in 100 of the requests that went to WeChat were responded to;
    /// null if there was none.
    pub p95_ms: Option<f64>,
}

impl RangeFigures {
    /// Of a process that started at `started` and has counted `totals` in the `range` until `now`.
    pub fn of(
        range: Range,
        totals: Totals,
        percentiles: Option<Percentiles>,
        started: Timestamp,
        now: Timestamp,
    ) -> Self {
        let began = Timestamp(now.0 - crate::quota::Range::from(range).seconds() * 1000);
        let ms = |of: fn(Percentiles) -> f64| percentiles.map(|all| milliseconds(of(all)));
        Self {
            range,
            since: began.max(started).rfc3339(),
            whole: started <= began,
            calls: totals.calls,
            wechat_errors: totals.wechat_errors,
            refused: totals.refused,
            failed: totals.failed,
            success_percent: success_percent(totals),
            p50_ms: ms(|all| all.p50),
            p95_ms: ms(|all| all.p95),
            p99_ms: ms(|all| all.p99),
        }
    }
}

impl AppFigures {
    /// Of an app with these totals, if it had requests.
    pub fn of(app: &str, totals: Totals, percentiles: Option<Percentiles>) -> Option<Self> {
        (totals.calls > 0).then(|| Self {
            app: app.to_owned(),
            calls: totals.calls,
            refused: totals.refused,
            success_percent: success_percent(totals),
            p95_ms: percentiles.map(|all| milliseconds(all.p95)),
        })
    }
}

/// To two places: 99.99 is not 100.
fn success_percent(of: Totals) -> Option<f64> {
    let bad = of.wechat_errors + of.refused + of.failed;
    let good = of.calls.saturating_sub(bad) as f64;
    (of.calls > 0).then(|| (10_000.0 * good / of.calls as f64).floor() / 100.0)
}

fn milliseconds(seconds: f64) -> f64 {
    (seconds * 10_000.0).round() / 10.0
}
