//! What is known of a trouble.

use std::net::IpAddr;
use std::sync::Arc;

use super::kind::Kind;
use crate::observe::clock::Timestamp;

/// Below so many percent of their calls, other endpoints count as fine.
const WELL: u64 = 2;

/// Trouble of one kind at an endpoint of an app's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The app.
    pub app: Arc<str>,
    /// WeChat's path, or `other`.
    pub endpoint: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Its first call, within five seconds.
    pub since: Timestamp,
    /// Its last call, once it is over.
    pub ended: Option<Timestamp>,
    /// It counts as over because there were no calls since, so its end is only assumed.
    pub silent: bool,
    /// All calls of the endpoint from the first to the last.
    pub calls: u64,
    /// Those with this trouble.
    pub troubled: u64,
    /// How the app's other endpoints do.
    pub others: Others,
    /// The addresses that WeChat refused.
    pub addresses: Vec<IpAddr>,
}

/// How other endpoints do, in the last half minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// None was called.
    Silent,
    /// Almost none of their calls has this trouble.
    Well,
    /// So many percent of their calls have it.
    Too(u64),
}

impl Others {
    pub(super) fn of(calls: u64, troubled: u64) -> Self {
        match percent(troubled, calls) {
            _ if calls == 0 => Self::Silent,
            few if few < WELL => Self::Well,
            many => Self::Too(many),
        }
    }
}

/// Rounded, but no trouble is 0 %, and less than all isn't 100 %.
pub(super) fn percent(part: u64, whole: u64) -> u64 {
    match (part, whole) {
        (0, _) | (_, 0) => 0,
        _ if part >= whole => 100,
        _ => ((part * 100 + whole / 2) / whole).clamp(1, 99),
    }
}
