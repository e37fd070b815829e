//! Curves of requests over time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::quota;

/// How much of the past.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Range {
    /// The last 15 minutes by minute.
    Quarter,
    /// The last 60 minutes by minute.
    Hour,
    /// The last 24 hours by minute.
    #[default]
    Day,
    /// The last 30 days by hour.
    Month,
}

/// Response of `GET /api/v1/traffic`: one list for each curve, for this replica since it started.
/// The last value of each list is for the minute or hour in progress.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Traffic {
    /// 3600 for `month`, 60 for the others.
    pub step_seconds: u32,
    /// The time of the first value, in seconds since 1970.
    pub start: i64,
    /// All requests that were responded to.
    pub calls: Vec<u64>,
    /// Those to which WeChat responded with an error.
    pub wechat_errors: Vec<u64>,
    /// Those that wxgate refused.
    pub refused: Vec<u64>,
    /// Those without a response from WeChat.
    pub failed: Vec<u64>,
    /// Those that wxgate replayed after WeChat rejected their token.
    pub replayed: Vec<u64>,
    /// Average milliseconds that a request forwarded to WeChat spent in wxgate itself; null where
    /// there was none.
    pub own_ms: Vec<Option<f64>>,
    /// Average milliseconds that it waited for WeChat.
    pub wechat_ms: Vec<Option<f64>>,
}

impl From<Range> for quota::Range {
    fn from(range: Range) -> Self {
        match range {
            Range::Quarter => Self::Quarter,
            Range::Hour => Self::Hour,
            Range::Day => Self::Day,
            Range::Month => Self::Month,
        }
    }
}

impl From<quota::Range> for Range {
    fn from(range: quota::Range) -> Self {
        match range {
            quota::Range::Quarter => Self::Quarter,
            quota::Range::Hour => Self::Hour,
            quota::Range::Day => Self::Day,
            quota::Range::Month => Self::Month,
        }
    }
}

impl From<quota::Curves> for Traffic {
    fn from(curves: quota::Curves) -> Self {
        Self {
            step_seconds: u32::try_from(curves.step).unwrap_or_default(),
            start: curves.start,
            calls: curves.calls,
            wechat_errors: curves.wechat_errors,
            refused: curves.refused,
            failed: curves.failed,
            replayed: curves.replayed,
            own_ms: curves.own_ms,
            wechat_ms: curves.upstream_ms,
        }
    }
}
